//! What the Primary's egress gate has settled, passed on to those who keep the same until then.
//!
//! Ages, aged here by the endpoint's own clock: no two machines' clocks are compared. How long a heartbeat was
//! under way, or lay in a socket while nobody read it, is unknown, so each age errs to the safe side: the interval
//! begins as if the heartbeat had just been said, and ends as if it had been said at once after the answer that it
//! says it has heard. It is kept in memory alone: what is lost with an endpoint is said again by the heartbeats after
//! the first.

use std::{collections::VecDeque, time::Duration};

use super::{Group, Moment, Uptime};
use crate::domain::{CoverageAges, Coverages, NativeHeartbeat};

/// So many answers are remembered: a Primary that has heard none of them has lost its lease.
const MOST_ANSWERS: usize = 32;

/// What the Primary's gate said, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    /// When it was heard. By the boot clock: data ages also while nobody listens.
    heard: Uptime,
    /// It was not said before this.
    said_after: Uptime,
    coverages: Coverages,
}

/// What is known of the gate of the one who holds the seat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Gate {
    said: Option<Said>,
    /// Which of its questions were answered, and when.
    answers: VecDeque<(u64, Uptime)>,
}

impl Group {
    /// The Primary, as it acts, says what its gate has settled, or that it has none.
    pub(super) fn hear_coverage(&mut self, now: Moment, native: &NativeHeartbeat) {
        let answers = &mut self.gate.answers;
        let said_after = answers.iter().find(|(sequence, _)| *sequence == native.answered).map(|(_, at)| *at);
        answers.retain(|(sequence, _)| *sequence >= native.answered);
        self.gate.said = said_after.filter(|_| !native.coverages.is_empty()).map(|said_after| Said {
            heard: now.clock,
            said_after,
            coverages: native.coverages.clone(),
        });
    }

    /// A question of the Primary is answered.
    pub(super) fn note_answer(&mut self, now: Moment, sequence: u64) {
        let answers = &mut self.gate.answers;
        // It may hear the first of two answers to the same question.
        if answers.iter().any(|(answered, _)| *answered == sequence) {
            return;
        }
        answers.push_back((sequence, now.clock));
        if answers.len() > MOST_ANSWERS {
            answers.pop_front();
        }
    }

    /// Somebody else is Primary: what the one before it said proves nothing of it.
    pub(super) fn forget_coverage(&mut self) {
        self.gate = Gate::default();
    }

    /// What a member that is not Primary may believe now.
    pub(super) fn coverages(&self, now: Moment) -> Coverages {
        let Some(Said { heard, said_after, coverages }) = &self.gate.said else { return Coverages::new() };
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
