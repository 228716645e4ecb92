//! The table `[egress]`: how the gate works, whatever its destinations are.

use std::{num::NonZeroUsize, time::Duration};

use super::{source::Source, value::Value};
use crate::domain::{FailoverScore, GateSettings};

/// What one source says about the gate; nothing where it is silent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the setting of the same name")]
pub struct EgressPartial {
    pub hold_back: Option<Duration>,
    pub drain_concurrency: Option<DrainConcurrency>,
    pub memory_mb: Option<MemoryMb>,
    pub score_when_down: Option<ScoreWhenDown>,
}

impl EgressPartial {
    pub(super) fn take(source: &mut impl Source) -> Self {
        Self {
            hold_back: source.take("egress.hold_back"),
            drain_concurrency: source.take("egress.drain_concurrency"),
            memory_mb: source.take("egress.memory_mb"),
            score_when_down: source.take("egress.score_when_down"),
        }
    }

    pub(super) fn or(self, weaker: Self) -> Self {
        Self {
            hold_back: self.hold_back.or(weaker.hold_back),
            drain_concurrency: self.drain_concurrency.or(weaker.drain_concurrency),
            memory_mb: self.memory_mb.or(weaker.memory_mb),
            score_when_down: self.score_when_down.or(weaker.score_when_down),
        }
    }

    pub(super) fn complete(self) -> GateSettings {
        let usual = GateSettings::default();
        GateSettings {
            hold_back: self.hold_back.unwrap_or(usual.hold_back),
            drain_concurrency: self.drain_concurrency.map_or(usual.drain_concurrency, |most| most.0),
            memory_bytes: self.memory_mb.map_or(usual.memory_bytes, |mb| mb.0 * 1024 * 1024),
            score_when_down: self.score_when_down.map(|score| score.0),
        }
    }
}

/// How many requests that wait are sent to one destination at a time: 1 to 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainConcurrency(NonZeroUsize);

impl Value for DrainConcurrency {
    const EXPECTED: &'static str = "a number of requests from 1 to 256";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|most: &NonZeroUsize| most.get() <= 256).map(Self)
    }
}

/// How much memory bodies may take, in MiB: 1 to 65,536.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryMb(u64);

impl Value for MemoryMb {
    const EXPECTED: &'static str = "a number of MiB from 1 to 65536";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|mb| (1..=65_536).contains(mb)).map(Self)
    }
}

/// The score of a Primary whose destination settles nothing: 1 to 99. At 0 a single request that a destination
/// puts off would cost the role at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreWhenDown(FailoverScore);

impl Value for ScoreWhenDown {
    const EXPECTED: &'static str = "a score from 1 to 99";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|score| (1..=99).contains(score)).and_then(FailoverScore::new).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_has_its_limits() {
        for (text, is_right) in [("1", true), ("256", true), ("0", false), ("257", false), ("x", false)] {
            assert_eq!(DrainConcurrency::read(text).is_some(), is_right, "{text}");
        }
        for (text, is_right) in [("1", true), ("65536", true), ("0", false), ("65537", false)] {
            assert_eq!(MemoryMb::read(text).is_some(), is_right, "{text}");
        }
        for (text, is_right) in [("1", true), ("99", true), ("0", false), ("100", false), ("-1", false)] {
            assert_eq!(ScoreWhenDown::read(text).is_some(), is_right, "{text}");
        }
    }
}
