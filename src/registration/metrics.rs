//! How calls to the failover endpoint go.

use std::time::Duration;

use super::machine::{Answer, Call};
use crate::{
    domain::{CallFailure, FailureKind},
    metrics::{Counts, Durations, Exposition},
};

/// The word for heartbeats, among calls.
const HEARTBEAT: &str = "Heartbeat";

/// How calls to the failover endpoint go. Clones share it.
#[derive(Debug, Clone)]
pub struct Calls {
    heartbeats: Durations,
    failures: Counts<2>,
}

impl Default for Calls {
    fn default() -> Self {
        let by = Counts::by(["call", "kind"]);
        let failures =
            FailureKind::ALL.iter().fold(by, |failures, kind| failures.from_zero([HEARTBEAT, kind.as_str()]));
        Self { heartbeats: Durations::default(), failures }
    }
}

impl Calls {
    /// A call ended that took so long. One that was given up because a later one was answered is not counted.
    pub(super) fn ended(&self, call: &Call, took: Duration, outcome: &Result<Answer, CallFailure>) {
        match outcome {
            Ok(Answer::Heartbeat(_)) => self.heartbeats.took(took),
            Ok(Answer::Version { .. } | Answer::Group(_) | Answer::Session) => {}
            Err(failure) => self.failures.count([word(call), failure.kind.as_str()]),
        }
    }

    /// The last words to an endpoint were not taken.
    pub(super) fn unheard(&self, failure: &CallFailure) {
        self.failures.count(["Farewell", failure.kind.as_str()]);
    }

    /// Tells how they go.
    pub fn expose(&self, to: &mut Exposition) {
        let means = "How long heartbeats took that were answered, from sending to the whole answer";
        to.durations("client_failover_adapter_heartbeat_duration_seconds", means, &self.heartbeats);
        let means = "Calls to the failover endpoint that failed, by what was asked and how";
        to.counts("client_failover_adapter_call_failures_total", means, &self.failures);
    }
}

/// What was asked, in a word.
const fn word(call: &Call) -> &'static str {
    match call {
        Call::Version
        | Call::CreateGroup(..)
        | Call::ReadGroup(_)
        | Call::CreateSession(..)
        | Call::ReadSession(..) => "Registration",
        Call::Heartbeat(..) => HEARTBEAT,
    }
}
