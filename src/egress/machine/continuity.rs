//! What comes without a break: since when, and how late it may be.

use std::time::Duration;

use crate::domain::{Arrival, Block, BootId, Uptime};

/// Who has not looked for so long stood still, and what collectors handed in meanwhile lay about unread.
pub(super) const STALL: Duration = Duration::from_secs(1);

/// A source that was silent for longer than the hold-back so often in a row is one that proves nothing.
const SPARSE: u32 = 3;

/// Since when everything has come and was taken.
#[derive(Debug)]
pub(super) struct Continuity {
    /// How long a collector may keep a sample: who hands nothing in for longer may have stopped reading.
    hold_back: Duration,
    /// Empty while something may be missed.
    from: Option<Uptime>,
    /// When something arrived last, as far as is known; at first when this run began.
    last: Uptime,
    late: Late,
    /// The oldest of what was missed, and may still be handed in; empty where nothing was since the last break.
    missing: Option<Uptime>,
    /// Whether a part of the source is missed, whatever else comes.
    misses_part: bool,
    /// How often silence was a break since something was covered last.
    silences: u32,
    /// When it was last looked whether time passes.
    looked: Uptime,
}

/// After a break a collector hands in what it kept meanwhile: until when that is, and how late it may be.
#[derive(Debug, Clone, Copy, Default)]
struct Late {
    until: Uptime,
    by: Duration,
}

impl Continuity {
    /// A run that begins now, in `boot`, and goes on from the blocks it has `found`, and from the last `arrival` that is
    /// known.
    pub(super) fn new(
        found: &[Block],
        arrival: Option<&Arrival>,
        hold_back: Duration,
        boot: &BootId,
        now: Uptime,
    ) -> Self {
        let blocks = found.iter().map(|block| (&block.boot, block.first.uptime, block.last.uptime));
        let spans = blocks.chain(arrival.map(|arrival| (&arrival.boot, arrival.since, arrival.last)));
        let here = spans.filter(|(of, ..)| *of == boot).map(|(_, first, last)| (first, last));
        let last = here.clone().map(|(_, last)| last).max().unwrap_or(now);
        // A break may not have been made good when the run before this one ended.
        let late = here.map(Late::shown_by).max_by_key(|late| late.until).unwrap_or_default();
        Self {
            hold_back,
            from: None,
            last,
            late,
            missing: None,
            misses_part: false,
            silences: 0,
            looked: now,
        }
    }

    /// Since when everything has come; nothing while something may be missed.
    pub(super) const fn from(&self) -> Option<Uptime> {
        self.from
    }

    /// When something arrived last.
    pub(super) const fn last(&self) -> Uptime {
        self.last
    }

    /// As how old the last arrival counts, or something that was missed beside it.
    pub(super) fn since_last(&self) -> Uptime {
        let since = self.since(self.last);
        self.missing.map_or(since, |missing| missing.min(since))
    }

    /// Something is missed: what is covered begins anew with the next arrival.
    pub(super) const fn begin_anew(&mut self) {
        self.from = None;
    }

    /// What counted as arrived at `since` was not taken: whatever comes next may be as old.
    pub(super) fn lose(&mut self, since: Uptime) {
        self.missing = Some(self.missing.map_or(since, |missing| missing.min(since)));
        self.begin_anew();
    }

    /// A part of the source is missed from now on, or no longer: nothing is covered meanwhile, and what comes of the rest ends
    /// no break.
    pub(super) fn miss_part(&mut self, misses_part: bool) {
        self.misses_part = misses_part;
        if misses_part {
            self.begin_anew();
        }
    }

    /// Whether a part of the source is missed.
    pub(super) const fn misses_part(&self) -> bool {
        self.misses_part
    }

    /// Looks whether time passes: who stood still has not seen what happened meanwhile.
    pub(super) fn look(&mut self, now: Uptime) {
        if now.since(self.looked) > STALL {
            self.begin_anew();
        }
        self.looked = now;
    }

    /// Something arrives at `at`.
    pub(super) fn note(&mut self, at: Uptime) {
        let silence = at.since(self.last);
        if silence > self.hold_back {
            self.silences += 1;
        } else if self.from.is_some_and(|from| from < self.last) {
            self.silences = 0;
        }
        if self.from.is_none() || silence > self.hold_back || at.since(self.looked) > STALL {
            // What the collector kept during the break comes from now on, for no longer than that took. A break
            // that began before the one before was made good adds to it.
            let by = at.since(self.since_last());
            self.late = Late { until: at + by, by };
            if !self.misses_part {
                self.from = Some(self.late.until);
                self.missing = None;
            }
        }
        self.last = self.last.max(at);
    }

    /// When what arrives at `at` would have come, had there been no break before.
    pub(super) fn since(&self, at: Uptime) -> Uptime {
        at - self.late_by(at)
    }

    fn late_by(&self, at: Uptime) -> Duration {
        if at < self.late.until { self.late.by } else { Duration::ZERO }
    }

    /// Whether less comes than can prove anything.
    pub(super) const fn is_sparse(&self) -> bool {
        self.silences >= SPARSE
    }
}

impl Late {
    /// What a block shows of it, or an arrival: its first is as much earlier than what it carries arrived.
    fn shown_by((first, last): (Uptime, Uptime)) -> Self {
        let by = last.since(first);
        Self { until: last + by, by }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Now, Wall};

    const HOLD_BACK: Duration = Duration::from_secs(10);

    fn at(secs: u64) -> Uptime {
        Uptime::new(Duration::from_secs(secs))
    }

    /// A block that was received in the boot `boot`, from the first to the last second.
    fn block(boot: &str, first: u64, last: u64) -> Block {
        let moment = |secs| Now { uptime: at(secs), wall: Wall::default() };
        let (boot, first, last) = (BootId::new(boot), moment(first), moment(last));
        Block { id: 1, first_sequence: 1, entries: 1, settled: 0, bytes: 10, boot, first, last }
    }

    /// A run that begins at 200 s and finds these blocks.
    fn run(found: &[Block]) -> Continuity {
        Continuity::new(found, None, HOLD_BACK, &BootId::new("this"), at(200))
    }

    /// One arrival a second.
    fn arrive(continuity: &mut Continuity, from: u64, to: u64) {
        for secs in from..=to {
            continuity.look(at(secs));
            continuity.note(at(secs));
        }
    }

    fn covered(continuity: &Continuity) -> Option<(Uptime, Uptime)> {
        Some((continuity.from()?, continuity.last()))
    }

    #[test]
    fn what_is_covered_begins_with_an_arrival_and_silence_proves_nothing() {
        let mut continuity = run(&[]);
        assert_eq!(covered(&continuity), None, "nothing came, and nothing is known");
        arrive(&mut continuity, 200, 205);
        assert_eq!(covered(&continuity), Some((at(200), at(205))), "the collector begins here");
        (206..=214).for_each(|secs| continuity.look(at(secs)));
        assert_eq!(covered(&continuity), Some((at(200), at(205))), "it may have stopped reading");
        arrive(&mut continuity, 215, 215);
        assert_eq!(covered(&continuity), Some((at(200), at(215))), "it held back for so long");
    }

    #[test]
    fn after_a_break_a_collector_hands_in_what_it_kept_for_as_long_as_that_took() {
        let mut continuity = run(&[]);
        arrive(&mut continuity, 200, 205);
        (206..=215).for_each(|secs| continuity.look(at(secs)));
        arrive(&mut continuity, 216, 216);
        assert_eq!(
            covered(&continuity),
            Some((at(227), at(216))),
            "it was silent for longer than it holds back"
        );
        continuity.begin_anew();
        assert_eq!(covered(&continuity), None, "something was refused");
        arrive(&mut continuity, 217, 217);
        let why = "a break before the last was made good adds to it";
        assert_eq!(covered(&continuity), Some((at(229), at(217))), "{why}");
        assert_eq!(continuity.since(at(218)), at(206), "what comes now may be 12 s late");
        assert_eq!(continuity.since(at(229)), at(229), "and then no more");
    }

    #[test]
    fn what_was_not_taken_may_come_later_and_is_as_old_as_it_was() {
        let mut continuity = run(&[]);
        arrive(&mut continuity, 200, 205);
        continuity.lose(at(203));
        assert_eq!(covered(&continuity), None, "others that came meanwhile cover nothing");
        arrive(&mut continuity, 206, 206);
        assert_eq!(covered(&continuity), Some((at(209), at(206))), "it may be handed in again, 3 s late");
        // And again, before that was made good.
        continuity.lose(continuity.since(at(206)));
        arrive(&mut continuity, 207, 207);
        assert_eq!(covered(&continuity), Some((at(211), at(207))));
        assert_eq!(continuity.since(at(208)), at(204));
    }

    #[test]
    fn who_misses_a_part_of_the_source_covers_nothing_and_then_what_comes_may_be_as_old_as_that_took() {
        let mut continuity = run(&[]);
        arrive(&mut continuity, 200, 205);
        for secs in 206..=300 {
            continuity.miss_part(true);
            arrive(&mut continuity, secs, secs);
            assert_eq!(covered(&continuity), None, "the rest comes");
            assert_eq!(
                continuity.since(at(secs)),
                at(205),
                "and so may what was missed, before anybody says so"
            );
        }
        continuity.miss_part(false);
        arrive(&mut continuity, 301, 301);
        assert_eq!(
            covered(&continuity),
            Some((at(397), at(301))),
            "it may make good what it missed for 96 s"
        );
        arrive(&mut continuity, 302, 400);
        assert_eq!(covered(&continuity), Some((at(397), at(400))));
        assert!(!continuity.is_sparse(), "it was never silent");
    }

    #[test]
    fn a_source_is_sparse_that_is_silent_for_longer_than_the_hold_back_until_something_is_covered_again() {
        let mut continuity = run(&[]);
        arrive(&mut continuity, 200, 202);
        let mut sparse = Vec::new();
        for batch in [260, 320, 380] {
            (batch - 57..batch).for_each(|secs| continuity.look(at(secs)));
            arrive(&mut continuity, batch, batch + 2);
            sparse.push(continuity.is_sparse());
        }
        assert_eq!(sparse, [false, false, true]);
        let covered_from = continuity.from().unwrap().since_boot().as_secs();
        arrive(&mut continuity, 383, covered_from);
        assert!(continuity.is_sparse(), "nothing is covered yet");
        arrive(&mut continuity, covered_from + 1, covered_from + 2);
        assert!(!continuity.is_sparse());
    }

    #[test]
    fn a_run_goes_on_from_what_the_one_before_received() {
        let here = |first, last| block("this", first, last);
        for (name, found, wanted) in [
            ("the collector may have kept what it read since then", vec![], (at(220), at(200))),
            ("it may have kept 60 s", vec![here(100, 100), here(150, 150)], (at(270), at(150))),
            ("what came last was 30 s late, and more of it comes", vec![here(160, 190)], (at(260), at(160))),
            ("that was made good", vec![here(60, 90), here(190, 190)], (at(230), at(190))),
            ("uptimes of another boot say nothing", vec![block("that", 160, 190)], (at(220), at(200))),
        ] {
            let mut continuity = run(&found);
            (201..=210).for_each(|secs| continuity.look(at(secs)));
            continuity.note(at(210));
            assert_eq!((continuity.from().unwrap(), continuity.since(at(210))), wanted, "{name}");
        }
    }

    #[test]
    fn a_run_with_an_empty_buffer_goes_on_from_the_last_arrival_that_was_written() {
        for (name, boot, since, last, wanted) in [
            ("the collector may have kept what it read since then", "this", 150, 150, (at(270), at(150))),
            ("what came last was 30 s late, and more of it comes", "this", 160, 190, (at(260), at(160))),
            ("uptimes of another boot say nothing", "that", 160, 190, (at(220), at(200))),
        ] {
            let arrival = Arrival { boot: BootId::new(boot), since: at(since), last: at(last) };
            let mut continuity =
                Continuity::new(&[], Some(&arrival), HOLD_BACK, &BootId::new("this"), at(200));
            (201..=210).for_each(|secs| continuity.look(at(secs)));
            continuity.note(at(210));
            assert_eq!((continuity.from().unwrap(), continuity.since(at(210))), wanted, "{name}");
        }
    }

    #[test]
    fn who_stood_still_has_not_seen_what_happened_meanwhile() {
        let mut continuity = run(&[]);
        arrive(&mut continuity, 200, 205);
        continuity.look(at(206));
        assert_eq!(covered(&continuity), Some((at(200), at(205))));
        continuity.look(at(208));
        assert_eq!(covered(&continuity), None);
        arrive(&mut continuity, 208, 220);
        assert_eq!(covered(&continuity).unwrap().0, at(211));
        // What lay in sockets may be read before anybody looks.
        continuity.note(at(224));
        assert_eq!(covered(&continuity), Some((at(228), at(224))));
    }
}
