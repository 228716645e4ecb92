//! How the egress gate of this machine works, whatever its destinations are.

use std::{num::NonZeroUsize, time::Duration};

use super::FailoverScore;

/// How the egress gate works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateSettings {
    /// How long a collector may keep a sample before it hands it in.
    pub hold_back: Duration,
    /// How many requests that wait are sent to one destination at a time.
    pub drain_concurrency: NonZeroUsize,
    /// How much memory the bodies of all requests under way may take, in bytes.
    pub memory_bytes: u64,
    /// The score of a Primary whose destination settles nothing; empty where that says nothing of the adapter.
    pub score_when_down: Option<FailoverScore>,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            // More than what collectors gather for a batch.
            hold_back: Duration::from_secs(10),
            drain_concurrency: NonZeroUsize::MIN.saturating_add(15),
            memory_bytes: 256 * 1024 * 1024,
            score_when_down: None,
        }
    }
}
