//! What the Primary's egress gate has settled, passed on to those who keep the same until then.
//!
//! Ages, aged here by the endpoint's own clock: no two machines' clocks are compared. How long a heartbeat was
//! under way, or lay in a socket while nobody read it, is unknown, so each age errs to the safe side: the interval
//! begins as if the heartbeat had just been said, and ends as if it had been said at once after the answer whose echo
//! it carries. It is kept in memory alone: what is lost with an endpoint is said again by the heartbeats after
//! the first.

use std::time::Duration;

use super::{Group, Moment, Uptime};
use crate::domain::{CoverageAges, Coverages, Echo, NativeHeartbeat, Wall};

/// What the gate of the one who holds the seat said, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// When it was heard. By the boot clock: data ages also while nobody listens.
    heard: Uptime,
    /// It was not said before this.
    said_after: Uptime,
    coverages: Coverages,
}

/// Tells the answers of this run of the endpoint from those of others, and one from the other: when the group answered
/// first, by both clocks, and when it gave the answer. Networks say again what they carried once, also to an
/// endpoint that has begun since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answers {
    since: (Wall, Uptime),
}

impl Answers {
    pub(super) const fn begin(now: Moment) -> Self {
        Self { since: (now.wall, now.clock) }
    }

    /// The echo of an answer that is given now.
    fn echo(self, now: Moment) -> Option<Echo> {
        Echo::new(format!("{}{:x}", self.run(), now.clock.since_boot().as_micros())).ok()
    }

    /// When the answer was given that `echo` is of, if it was one of these.
    pub(super) fn given(self, echo: &Echo) -> Option<Uptime> {
        let micros = u64::from_str_radix(echo.as_str().strip_prefix(&self.run())?, 16).ok()?;
        Some(Uptime::new(Duration::from_micros(micros)))
    }

    fn run(self) -> String {
        let (wall, clock) = self.since;
        format!("{:x}-{:x}-", wall.micros(), clock.since_boot().as_micros())
    }
}

impl Group {
    /// The Primary, as it acts, says what its gate has settled, or that it has none.
    pub(super) fn hear_coverage(&mut self, now: Moment, native: &NativeHeartbeat) {
        let given = |echo: &Echo| self.answers.and_then(|answers| answers.given(echo));
        let said_after = native.echo.as_deref().and_then(given).filter(|_| !native.coverages.is_empty());
        self.said = said_after.map(|said_after| Said {
            heard: now.clock,
            said_after,
            coverages: native.coverages.clone(),
        });
    }

    /// What the next heartbeat is to say again of an answer that is given now.
    pub(super) fn echo(&self, now: Moment) -> Option<Echo> {
        self.answers?.echo(now)
    }

    /// Somebody else is Primary: what the one before it said proves nothing of it.
    pub(super) fn forget_coverage(&mut self) {
        self.said = None;
    }

    /// What a member that is not Primary may believe now.
    pub(super) fn coverages(&self, now: Moment) -> Coverages {
        let Some(Said { heard, said_after, coverages }) = &self.said else { return Coverages::new() };
        let (younger, older) = (now.clock.since(*heard), now.clock.since(*said_after));
        coverages.iter().map(|(key, ages)| (key.clone(), aged(*ages, younger, older))).collect()
    }
}

/// The interval, as it begins and ends when both have aged.
const fn aged(ages: CoverageAges, begin: Duration, end: Duration) -> CoverageAges {
    CoverageAges {
        covered_from: ages.covered_from.saturating_add(begin),
        oldest_unsettled: ages.oldest_unsettled.saturating_add(end),
    }
}
