//! Time in which the endpoint could hear: silence is measured in it, so that a stall of the endpoint
//! expires nobody who lives.
//!
//! The endpoint ticks while it listens. Between two ticks attended time goes with the boot clock, but
//! at most three paces past the last one: where a tick is late, because the process was
//! stopped or found no processor, the rest of the wait does not count. Attended time is never ahead of the
//! boot clock, so a seat is only ever held longer by it, and it always moves on, so the dead still expire.

use std::time::Duration;

use crate::domain::{FailoverTimeout, Now, Uptime, Wall};

/// A moment as the endpoint judges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// Attended time: what every deadline of a group is computed from.
    pub uptime: Uptime,
    /// For records.
    pub wall: Wall,
    /// The boot clock: for measuring what happened, and for what ends by the clock.
    pub clock: Uptime,
}

impl Moment {
    /// A moment of an endpoint that was never stalled.
    #[must_use]
    pub const fn attended(now: Now) -> Self {
        Self { uptime: now.uptime, wall: now.wall, clock: now.uptime }
    }
}

/// How long the endpoint has attended.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// By the boot clock.
    ticked: Uptime,
    /// How much of the boot clock's time was not attended before the last tick.
    stalled: Duration,
    /// Until the next tick nothing counts: what arrived during a stall is read first.
    resting: bool,
    /// The time from the last tick to the next: that wait is under way, and keeps its length.
    wait: Duration,
    /// The same from the next tick on.
    pace: Duration,
}

/// Between two ticks in the largest groups: often enough for a page to be current.
const SLOWEST: Duration = Duration::from_millis(250);

/// Between two ticks in the smallest groups. A late tick makes a failover late, never early.
const FASTEST: Duration = Duration::from_millis(10);

impl Attention {
    /// The endpoint begins to listen.
    #[must_use]
    pub const fn new(now: Now) -> Self {
        Self { ticked: now.uptime, stalled: Duration::ZERO, resting: false, wait: FASTEST, pace: FASTEST }
    }

    /// The time between two ticks, from the next one on: a 25th of the smallest T, which is a part of T that
    /// a lease's allowance does not notice.
    pub fn keep_pace(&mut self, smallest: Option<FailoverTimeout>) {
        self.pace = pace_of(smallest);
    }

    /// A group with this T is new. If it needs a quicker pace, this is a tick, so that the wait under way, and a stall in it,
    /// is not judged by the slower one.
    pub fn quicken(&mut self, now: Now, timeout: FailoverTimeout) -> Option<Duration> {
        let pace = pace_of(Some(timeout));
        let is_quicker = pace < self.pace.max(self.wait);
        self.pace = self.pace.min(pace);
        is_quicker.then(|| self.tick(now)).flatten()
    }

    /// When the next tick is due.
    #[must_use]
    pub fn next_tick(&self) -> Uptime {
        self.ticked + self.wait
    }

    /// How long after a tick the next one may come without being a stall: a busy processor is none, and an
    /// eighth of T is less than members leave between their heartbeats and the end of their time.
    fn patience(&self) -> Duration {
        if self.resting { Duration::ZERO } else { self.wait * 3 }
    }

    /// The endpoint listens at `now`; for how long it had not, where it was stalled. The first part of that, as long as
    /// a tick may be late, is attended time all the same.
    pub fn tick(&mut self, now: Now) -> Option<Duration> {
        let late = now.uptime.since(self.ticked + self.patience());
        let rested = std::mem::take(&mut self.resting);
        let since_the_last = now.uptime.since(self.ticked);
        self.stalled += late;
        (self.ticked, self.wait) = (now.uptime, self.pace);
        let stall = !rested && !late.is_zero();
        self.resting = stall;
        stall.then_some(since_the_last)
    }

    /// The same, before the tick that is late, where something is heard first; nothing where that tick may yet be in time,
    /// or what arrived during a stall is being read.
    pub fn notice(&mut self, now: Now) -> Option<Duration> {
        let is_late = !self.resting && now.uptime > self.ticked + self.patience();
        is_late.then(|| self.tick(now)).flatten()
    }

    /// The moment `now`.
    #[must_use]
    pub fn moment(&self, now: Now) -> Moment {
        let uptime = now.uptime.min(self.ticked + self.patience()) - self.stalled;
        Moment { uptime, wall: now.wall, clock: now.uptime }
    }

    /// The boot clock at which attended time will be `at`, if nothing stalls in between.
    #[must_use]
    pub fn clock_at(&self, at: Uptime) -> Uptime {
        at + self.stalled
    }
}

fn pace_of(smallest: Option<FailoverTimeout>) -> Duration {
    smallest.map_or(SLOWEST, |timeout| timeout.get() / 25).clamp(FASTEST, SLOWEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        Now { uptime: Uptime::new(Duration::from_millis(millis)), wall: Wall::default() }
    }

    fn attended(attention: &Attention, millis: u64) -> u128 {
        attention.moment(at(millis)).uptime.since_boot().as_millis()
    }

    #[test]
    fn a_stall_soon_after_a_group_with_a_small_t_was_created_expires_nobody_in_it() {
        let mut attention = Attention::new(at(1_000));
        attention.keep_pace(None);
        assert_eq!(attention.tick(at(1_010)), None);
        let smallest = FailoverTimeout::new(FailoverTimeout::MIN).expect("the smallest T is one");
        assert_eq!(attention.quicken(at(1_100), smallest), None);
        assert!(attention.tick(at(1_500)).is_some(), "a stall of 0.4 s is noticed");
        assert_eq!(attended(&attention, 1_500), 1_130);
        let mut calm = attention;
        assert_eq!(calm.quicken(at(1_505), FailoverTimeout::DEFAULT), None);
        assert_eq!(calm.next_tick(), attention.next_tick(), "a slower group changes nothing");
    }

    #[test]
    fn attended_time_goes_with_the_clock_while_ticks_are_in_time() {
        let mut attention = Attention::new(at(1_000));
        for millis in (1_000..2_000).step_by(15) {
            assert_eq!(attention.tick(at(millis)), None);
            assert_eq!(attended(&attention, millis + 7), u128::from(millis + 7));
        }
    }

    #[test]
    fn a_stall_does_not_count_whether_its_end_is_seen_by_a_tick_or_by_a_heartbeat() {
        let mut attention = Attention::new(at(1_000));
        assert_eq!(attended(&attention, 61_000), 1_030, "a heartbeat that is read before the first tick");
        assert_eq!(attention.tick(at(61_000)), Some(Duration::from_millis(60_000)));
        assert_eq!(attended(&attention, 61_000), 1_030);
        assert_eq!(attended(&attention, 61_010), 1_030, "what arrived during the stall is read first");
        assert_eq!(attention.tick(at(61_010)), None);
        assert_eq!(attended(&attention, 61_015), 1_035, "then time goes on");
    }

    #[test]
    fn a_stall_is_noticed_by_what_is_heard_before_the_tick_and_once() {
        let mut attention = Attention::new(at(1_000));
        assert_eq!(attention.notice(at(1_030)), None, "the tick may be on its way");
        assert_eq!(attention.notice(at(61_000)), Some(Duration::from_millis(60_000)));
        assert_eq!(attention.notice(at(61_005)), None);
        assert_eq!(attended(&attention, 61_005), 1_030, "what arrived during the stall is read first");
        assert_eq!(attention.tick(at(61_010)), None);
        assert_eq!(attended(&attention, 61_015), 1_035, "then time goes on");
    }

    #[test]
    fn a_tick_that_keeps_the_old_pace_of_its_wait_is_not_late() {
        let mut attention = Attention::new(at(0));
        attention.keep_pace(None);
        assert_eq!(attention.tick(at(10)), None);
        // The first group comes while the endpoint waits for as long as it may without one.
        attention.keep_pace(FailoverTimeout::new(Duration::from_secs(1)).ok());
        assert_eq!(attention.next_tick(), at(260).uptime);
        assert_eq!(attention.tick(at(265)), None);
        assert_eq!(attention.next_tick(), at(305).uptime);
    }

    #[test]
    fn under_stalls_without_end_time_still_moves_on() {
        let mut attention = Attention::new(at(0));
        for tick in 1..=100 {
            attention.tick(at(tick * 500));
        }
        assert!(attended(&attention, 50_000) >= 1_500);
        assert!(attended(&attention, 50_000) < 50_000);
    }

    #[test]
    fn attended_time_never_goes_back_and_is_never_ahead() {
        let mut attention = Attention::new(at(0));
        let mut last = 0;
        for (tick, millis) in [0, 5, 9, 40, 41, 300, 310, 1_000, 1_001, 1_002, 1_030].into_iter().enumerate()
        {
            let before = attended(&attention, millis);
            if tick % 2 == 0 {
                attention.tick(at(millis));
            }
            let after = attended(&attention, millis);
            assert!(before >= last && after >= before && after <= u128::from(millis), "{millis}");
            last = after;
        }
    }
}
