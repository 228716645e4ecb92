//! How the heartbeats of all groups are answered.

use std::time::Duration;

use super::CallError;
use crate::metrics::{Counts, Durations, Exposition};

/// How heartbeats are answered, and seats written. Clones share it.
#[derive(Debug, Clone)]
pub struct Heard {
    answered: Durations,
    refused: Counts<1>,
    seats: Durations,
}

impl Default for Heard {
    fn default() -> Self {
        let refused = ["UnknownGroup", "UnknownSession", "SessionInUse", "TooManyHeartbeats", "NotRecorded"]
            .into_iter()
            .fold(Counts::by(["reason"]), |refused, reason| refused.from_zero([reason]));
        Self { answered: Durations::default(), refused, seats: Durations::default() }
    }
}

impl Heard {
    /// A heartbeat was answered after so long, or refused.
    pub(super) fn heartbeat<T>(&self, took: Duration, outcome: &Result<T, CallError>) {
        match outcome {
            Ok(_) => self.answered.took(took),
            Err(error) => self.refused.count([word(error)]),
        }
    }

    /// A seat and the mark beside it were on disk after so long.
    pub(super) fn seat(&self, took: Duration) {
        self.seats.took(took);
    }

    /// Tells how they are answered.
    pub fn expose(&self, to: &mut Exposition) {
        let means =
            "How long heartbeats waited for their answer; one that makes a Primary waits for the disk";
        to.durations("client_failover_endpoint_heartbeat_duration_seconds", means, &self.answered);
        let means = "Heartbeats that were refused";
        to.counts("client_failover_endpoint_heartbeats_refused_total", means, &self.refused);
        let means = "How long it took until a change of a seat was on disk, with the mark beside it";
        to.durations("client_failover_endpoint_seat_write_duration_seconds", means, &self.seats);
    }
}

/// Why a heartbeat was refused, in a word.
const fn word(error: &CallError) -> &'static str {
    match error {
        CallError::UnknownGroup => "UnknownGroup",
        CallError::UnknownSession => "UnknownSession",
        CallError::SessionInUse { .. } => "SessionInUse",
        CallError::TooManyHeartbeats => "TooManyHeartbeats",
        CallError::NotRecorded | CallError::Store(_) => "NotRecorded",
        CallError::GroupDiffers(_)
        | CallError::SessionDiffers(_)
        | CallError::OfAnother
        | CallError::GroupInUse
        | CallError::Full(_)
        | CallError::TooManyListeners => "Other",
    }
}
