//! What the Primary's egress gate has settled, passed on to those who keep the same until then.
//!
//! An interval of ages, aged here by the endpoint's own clock: no two machines' clocks are compared. How long a
//! heartbeat was under way makes the interval seem later than it is, by less than T, which whoever trims allows
//! for. It is kept in memory alone: what is lost with an endpoint is said again by the next heartbeat.

use super::{Group, Moment, Uptime};
use crate::domain::CoverageAges;

/// What the Primary's gate said, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Covered {
    /// By the boot clock: data ages also while nobody listens.
    at: Uptime,
    ages: CoverageAges,
}

impl Group {
    /// The Primary, as it acts, says what its gate has settled, or that it has none.
    pub(super) fn hear_coverage(&mut self, now: Moment, ages: Option<CoverageAges>) {
        self.covered = ages.map(|ages| Covered { at: now.clock, ages });
    }

    /// Somebody else is Primary: what the one before it said proves nothing of it.
    pub(super) const fn forget_coverage(&mut self) {
        self.covered = None;
    }

    /// What a member that is not Primary may believe now.
    pub(super) fn coverage(&self, now: Moment) -> Option<CoverageAges> {
        let Covered { at, ages } = self.covered?;
        Some(ages.after(now.clock.since(at)))
    }
}
