//! How long an answer permits to act, and how long to wait between questions.

use std::time::Duration;

use crate::domain::{FailoverTimeout, Uptime};

/// The time to fence: close the gate, SIGKILL and reap. Acting ends this much before the lease.
pub const STOP_BUDGET: Duration = Duration::from_millis(50);

/// The first wait after a failure that may pass soon; it doubles from there.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// The longest wait between attempts to register. T/2 bounds it too; this keeps a group with a T of
/// hours from noticing its endpoint's return hours late.
pub(super) const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

// Even the smallest T, with heartbeats every T/2, leaves T/8 for a heartbeat inside the lease:
// 0.9 T − T/2 − stop budget ≥ T/8.
const _: () = {
    let smallest = FailoverTimeout::MIN.as_millis();
    assert!(smallest * 9 / 10 - smallest / 2 - STOP_BUDGET.as_millis() >= smallest / 8);
};

/// Until when the answer to a heartbeat sent at `sent` permits to act.
///
/// The lease is 0.9 T from just before sending: the endpoint holds the seat for T from the receipt,
/// and the tenth covers two clocks that are 5 % off in opposite directions.
pub(super) fn act_until(sent: Uptime, timeout: FailoverTimeout) -> Uptime {
    sent + timeout.get() * 9 / 10 - STOP_BUDGET
}

/// Waits that differ between members, so that a crowd does not come back at the same instant.
#[derive(Debug, Clone)]
pub(in crate::registration) struct Backoff {
    first: Duration,
    seed: u64,
    failures: u32,
}

impl Backoff {
    pub(super) const fn new(seed: u64) -> Self {
        Self::starting_with(FIRST_BACKOFF, seed)
    }

    pub(in crate::registration) const fn starting_with(first: Duration, seed: u64) -> Self {
        Self { first, seed, failures: 0 }
    }

    pub(in crate::registration) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure: between half and all of a doubling time, `most` at most.
    pub(in crate::registration) fn next(&mut self, most: Duration) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let longest = doubled.min(most).min(LONGEST_BACKOFF);
        longest / 2 + (longest / 2).mul_f64(self.fraction())
    }

    /// The wait where the endpoint says how long it should be: that, and up to a quarter more, `most` at most. What
    /// everybody was told alike must not bring everybody back at the same instant: where `most` is less than what was
    /// asked for, the waits differ by its last eighth.
    pub(in crate::registration) fn asked(&mut self, asked: Duration, most: Duration) -> Duration {
        let (soonest, latest) = (asked.min(most * 7 / 8), asked.saturating_add(asked / 4).min(most));
        soonest + latest.saturating_sub(soonest).mul_f64(self.fraction())
    }

    /// A number from 0 to 1 (SplitMix64: small, and good enough to spread waits).
    fn fraction(&mut self) -> f64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acting_ends_the_stop_budget_before_nine_tenths_of_t() {
        let sent = Uptime::new(Duration::from_secs(100));
        assert_eq!(act_until(sent, FailoverTimeout::DEFAULT), sent + Duration::from_millis(54_000 - 50));
    }

    #[test]
    fn backoff_doubles_is_bounded_and_differs() {
        let mut one = Backoff::new(1);
        let most = Duration::from_millis(400);
        for expected in [50, 100, 200, 400, 400, 400] {
            let wait = one.next(most);
            assert!(
                wait >= Duration::from_millis(expected / 2) && wait <= Duration::from_millis(expected),
                "{wait:?}"
            );
        }
        one.reset();
        assert!(one.next(most) <= Duration::from_millis(50));
        assert_ne!(Backoff::new(2).next(most), Backoff::new(3).next(most));
        let mut patient = Backoff::new(4);
        assert!((0..40).all(|_| patient.next(Duration::from_secs(86_400)) <= LONGEST_BACKOFF));
    }

    #[test]
    fn what_an_endpoint_asks_for_is_waited_out_and_differs() {
        let seconds = Duration::from_secs;
        for (asked, most, soonest, latest) in [
            (seconds(60), seconds(300), seconds(60), seconds(75)),
            (seconds(60), seconds(64), seconds(56), seconds(64)),
            (seconds(60), seconds(16), seconds(14), seconds(16)),
            (Duration::ZERO, seconds(16), Duration::ZERO, Duration::ZERO),
        ] {
            let waits: Vec<_> = (0..40).map(|seed| Backoff::new(seed).asked(asked, most)).collect();
            assert!(waits.iter().all(|wait| (soonest..=latest).contains(wait)), "{waits:?}");
            let alike = waits.iter().filter(|wait| **wait == waits[0]).count();
            assert_eq!(alike == 1, soonest < latest, "{waits:?}");
        }
    }
}
