//! What the gate decides: pure, so that every situation can be written down in a table.

mod account;
mod blocks;
mod continuity;
pub mod ledger;
pub mod proof;
mod under_way;

use std::time::Duration;

use crate::domain::{Order, StandbyAnswer};

/// The first wait before a destination that did not settle a request is asked again; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The longest such wait: what an outage costs after its end.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The longest wait that a destination may ask for by Retry-After.
const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(60);

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It goes to the destination, whose answer is passed back.
    Pass,
    /// It is kept, and sent when its turn comes.
    Keep {
        /// Whether the oldest that waits makes room for it; else it is refused when there is none.
        dropping_oldest: bool,
    },
    /// It is refused: this adapter stands by.
    Refuse,
    /// It is answered as if it had been accepted, and dropped.
    Swallow,
}

/// What becomes of a request under `order`, as it is now. `waiting` says whether others wait for the same
/// destination, which it must not overtake.
#[must_use]
pub fn admission(order: &Order, read_only: bool, waiting: bool, standby: StandbyAnswer) -> Admission {
    if read_only {
        return Admission::Pass;
    }
    match (order.egress, order.buffering, standby) {
        (true, ..) if !waiting => Admission::Pass,
        (true, ..) => Admission::Keep { dropping_oldest: false },
        (false, true, _) => Admission::Keep { dropping_oldest: true },
        (false, false, StandbyAnswer::Refuse) => Admission::Refuse,
        (false, false, StandbyAnswer::Swallow) => Admission::Swallow,
    }
}

/// What a destination's answer means for the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The destination has it.
    Acknowledged,
    /// The destination will never take it: to send it again would block all that follow.
    Refused,
    /// It is still ours.
    Open,
}

/// What the status of an answer means. Which refusals may pass: of the login (401, 403, 407), of time (408, 425),
/// of pace (429). A redirect is never followed, and settles nothing.
#[must_use]
pub const fn settlement(status: u16) -> Settlement {
    match status {
        200..=299 => Settlement::Acknowledged,
        401 | 403 | 407 | 408 | 425 | 429 => Settlement::Open,
        400..=499 => Settlement::Refused,
        _ => Settlement::Open,
    }
}

/// How long to wait before a request is sent again, after so many attempts.
#[must_use]
pub fn retry_wait(attempts: u32, asked: Option<Duration>) -> Duration {
    let grown = FIRST_WAIT.saturating_mul(1 << attempts.min(10)).min(LONGEST_WAIT);
    asked.map_or(grown, |asked| asked.min(LONGEST_ASKED_WAIT).max(grown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Acting, Mode, Role, Standing};

    fn order(role: Role, mode: Mode) -> Order {
        let acting = if role == Role::Primary { Acting::Unbounded } else { Acting::No };
        Order::of(&Standing { role, applied_mode: Some(mode), acting, ..Standing::default() })
    }

    #[test]
    fn what_becomes_of_a_request() {
        use Admission::{Keep, Pass, Refuse, Swallow};
        let refuse = StandbyAnswer::Refuse;
        for (name, role, mode, read_only, waiting, standby, wanted) in [
            ("a Primary passes on", Role::Primary, Mode::Hot, false, false, refuse, Pass),
            (
                "what waits is not overtaken",
                Role::Primary,
                Mode::Warm,
                false,
                true,
                refuse,
                Keep { dropping_oldest: false },
            ),
            (
                "a Hot Secondary keeps",
                Role::Secondary,
                Mode::Hot,
                false,
                false,
                refuse,
                Keep { dropping_oldest: true },
            ),
            ("a Warm Secondary refuses", Role::Secondary, Mode::Warm, false, false, refuse, Refuse),
            (
                "a Cold one by setting not",
                Role::Secondary,
                Mode::Cold,
                false,
                true,
                StandbyAnswer::Swallow,
                Swallow,
            ),
            ("who only asks passes", Role::Secondary, Mode::Hot, true, true, refuse, Pass),
            ("in every role", Role::Secondary, Mode::Cold, true, false, refuse, Pass),
        ] {
            assert_eq!(admission(&order(role, mode), read_only, waiting, standby), wanted, "{name}");
        }
    }

    #[test]
    fn every_status_settles_in_one_way() {
        use Settlement::{Acknowledged, Open, Refused};
        for (status, wanted) in [
            (200, Acknowledged),
            (204, Acknowledged),
            (299, Acknowledged),
            (304, Open),
            (301, Open),
            (400, Refused),
            (401, Open),
            (403, Open),
            (404, Refused),
            (407, Open),
            (408, Open),
            (409, Refused),
            (413, Refused),
            (422, Refused),
            (425, Open),
            (429, Open),
            (499, Refused),
            (500, Open),
            (503, Open),
            (599, Open),
        ] {
            assert_eq!(settlement(status), wanted, "{status}");
        }
    }

    #[test]
    fn waits_grow_and_end() {
        let millis = |attempts, asked| retry_wait(attempts, asked).as_millis();
        assert_eq!([0, 1, 2, 6, 99].map(|attempts| millis(attempts, None)), [100, 200, 400, 5_000, 5_000]);
        assert_eq!(millis(0, Some(Duration::from_secs(3))), 3_000);
        assert_eq!(millis(0, Some(Duration::from_secs(3_600))), 60_000);
        assert_eq!(millis(9, Some(Duration::ZERO)), 5_000);
    }
}
