//! The endpoint was away: it did not run, or was stalled. What members did meanwhile nobody here knows, and the
//! history says so rather than let the time pass for an uneventful one. What follows from it is told so, too: a Primary
//! that had no answer and stopped did nothing wrong.

use std::time::Duration;

use super::{
    BootId, Group, GroupChangeKind, GroupReason, Moment, SessionId, Uptime, Wall, Why, handover::Past,
    seconds,
};
use crate::domain::{Now, format_span};

/// The last sign of life that a run of the endpoint left on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOfLife {
    /// In which boot it was left.
    pub boot: BootId,
    /// When.
    pub at: Now,
    /// Whether it was the last word of a run that was told to stop.
    pub stopped: bool,
}

/// A time in which the endpoint was away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    since: Wall,
    /// When it was over, by the boot clock, and how long it was.
    ended: Now,
    span: Duration,
    reason: GroupReason,
    sentence: String,
}

/// A stall is told when it is over, but of each group no oftener than this: an endpoint that stalls again and again must
/// not fill the disk.
const STALLS_TOLD_EVERY: Duration = Duration::from_secs(60);

/// The stalls of a group that come so soon after one that was told that they are told together.
#[derive(Debug, Clone, Default)]
pub(super) struct Stalls {
    /// When any were told last, by the boot clock.
    told: Option<Uptime>,
    /// Those since: the first one's beginning, the last one's end, how many, how long in all.
    untold: Option<(Wall, Wall, u32, Duration)>,
}

impl Away {
    /// Before an endpoint that begins at `now` in `boot`. `sign` is what the run before left, `recorded` when it last
    /// wrote down that something happened; empty where that is not known.
    ///
    /// Within a boot the time is measured by the boot clock. Across boots there is nothing but wall time.
    #[must_use]
    pub fn before(
        now: Now,
        boot: &BootId,
        sign: Option<&SignOfLife>,
        recorded: Option<Wall>,
    ) -> Option<Self> {
        let lived = sign.map(|sign| {
            if sign.boot == *boot { now.wall.minus(now.uptime.since(sign.at.uptime)) } else { sign.at.wall }
        });
        // What was recorded in what is the future by now was recorded before the wall clock was set back.
        let recorded = recorded.filter(|recorded| *recorded <= now.wall);
        let since = lived.max(recorded)?.min(now.wall);
        let span = now.wall.since(since);
        let (reason, sentence) = if sign.is_some_and(|sign| sign.stopped) {
            (
                GroupReason::PlannedStop,
                format!("the endpoint was stopped, and did not run for {}", said(span)),
            )
        } else {
            let sentence = format!(
                "the endpoint ended without saying so, and did not run for {} at the most: its last sign of life is of {since}",
                said(span)
            );
            (GroupReason::EndedUnsaid, sentence)
        };
        Some(Self { since, ended: now, span, reason, sentence })
    }

    /// A stall that ends at `now`.
    #[must_use]
    pub fn stalled(now: Now, span: Duration) -> Self {
        let sentence = format!("the endpoint was stalled for {}", said(span));
        Self { since: now.wall.minus(span), ended: now, span, reason: GroupReason::Stalled, sentence }
    }

    /// The last moment before it.
    pub(super) const fn began(&self) -> Past {
        Past { clock: self.ended.uptime, before: self.span }
    }
}

/// A span for a sentence: to a tenth of a second, or as a time span where it is long.
fn said(span: Duration) -> String {
    if span < Duration::from_secs(600) {
        seconds(span)
    } else {
        format_span(Duration::from_secs(span.as_secs()))
    }
}

impl Group {
    /// The endpoint is back.
    pub fn note_away(&mut self, now: Moment, away: &Away) {
        if away.reason == GroupReason::Stalled {
            self.stalled = Some(away.clone());
            let (since, _, count, total) =
                self.stalls.untold.unwrap_or((away.since, away.ended.wall, 0, Duration::ZERO));
            self.stalls.untold = Some((since, away.ended.wall, count + 1, total + away.span));
            self.tell_stalls(now);
        } else {
            self.absence = Some(away.clone());
            self.note_absence(now, away.since, Why::new(away.reason, away.sentence.clone()));
        }
        // If the holder on record has stopped meanwhile, that is why; and if it is never heard again, this is the last
        // that is known of it.
        let Some(tenure) = self.seat.tenure_mut() else { return };
        if tenure.cause == GroupReason::ActsAlready {
            tenure.cause = away.reason;
        }
        if away.reason != GroupReason::Stalled && tenure.on_record.is_some() {
            tenure.vouched = Some(away.began());
        }
    }

    fn note_absence(&mut self, now: Moment, since: Wall, why: Why) {
        let sentence = format!("{}. What its adapters did in that time is not known", why.sentence);
        let why = Why::new(why.reason, sentence);
        let mut change = self.change(now, GroupChangeKind::EndpointAway, None, why);
        change.since = Some(since);
        self.changes.push(change);
    }

    /// Tells the stalls that were not told yet, if the last time is long enough ago.
    pub(super) fn tell_stalls(&mut self, now: Moment) {
        if self.stalls.told.is_some_and(|told| now.clock < told + STALLS_TOLD_EVERY) {
            return;
        }
        self.tell_stalls_now(now);
    }

    fn tell_stalls_now(&mut self, now: Moment) {
        let Some((since, until, count, total)) = self.stalls.untold.take() else { return };
        self.stalls.told = Some(now.clock);
        let total = said(total);
        let sentence = match count {
            1 => format!("the endpoint was stalled for {total}; silence in that time is not counted"),
            _ => format!(
                "the endpoint was stalled {count} times, for {total} in all; silence in those times is not counted"
            ),
        };
        self.note_absence(Moment { wall: until, ..now }, since, Why::new(GroupReason::Stalled, sentence));
    }

    /// Whether a stall is long enough to be told: half of T. A shorter one ends no lease, because heartbeats are
    /// sent every T/4, and a lease is 0.9 T, of which the last 50 ms are for the fence (so from a T of a third of a second on).
    #[must_use]
    pub fn is_long(&self, stall: Duration) -> bool {
        stall >= self.timeout().get() / 2
    }

    /// Why `session`, the Primary, stopped so long ago, if nobody told it to. No lease ends within the first half of T in
    /// which the endpoint is away (see above), nor later than half of T after it is back, for it is answered by then.
    pub(super) fn why_stopped(&self, now: Moment, session: &SessionId, stopped_for: Duration) -> Why {
        let half = self.timeout().get() / 2;
        let explains = |away: &&Away| {
            let over = now.clock.since(away.ended.uptime);
            over <= stopped_for + half && stopped_for + half <= over + away.span
        };
        match self.stalled.as_ref().filter(explains).or_else(|| self.absence.as_ref().filter(explains)) {
            Some(away) => {
                let sentence = format!("{session} had no answer and stopped acting: {}", away.sentence);
                Why::new(away.reason, sentence)
            }
            None => Why::new(GroupReason::StoppedActing, format!("{session} stopped acting")),
        }
    }

    /// What is known of the endpoint's absence before it began, for a sentence that another one ends with.
    pub(super) fn after_absence(&self) -> String {
        self.absence.as_ref().map_or_else(String::new, |away| format!("; {}", away.sentence))
    }

    /// The endpoint stops, as it was told to.
    pub fn note_stop(&mut self, now: Moment) {
        self.tell_stalls_now(now);
        let sentence = "the endpoint was told to stop";
        self.note(now, GroupChangeKind::EndpointStopped, None, Why::new(GroupReason::PlannedStop, sentence));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Uptime;

    fn at(secs: u64) -> Now {
        let wall = Wall::from_micros(1_700_000_000_000_000).plus(Duration::from_secs(secs));
        Now { uptime: Uptime::new(Duration::from_secs(secs)), wall }
    }

    fn away(sign: Option<(&str, Now, bool)>, recorded: Option<u64>) -> Option<(u64, GroupReason, String)> {
        let sign = sign.map(|(boot, at, stopped)| SignOfLife { boot: BootId::new(boot), at, stopped });
        let recorded = recorded.map(|secs| at(secs).wall);
        let away = Away::before(at(1_000), &BootId::new("now"), sign.as_ref(), recorded)?;
        Some((away.since.since(at(0).wall).as_secs(), away.reason, away.sentence))
    }

    #[test]
    fn the_time_before_a_start_begins_with_the_last_that_is_known_of_the_run_before() {
        use GroupReason::{EndedUnsaid, PlannedStop};
        let set_back = Now { wall: at(100).wall, ..at(990) };
        let ahead = Now { wall: at(5_000).wall, ..at(10) };
        for (sign, recorded, since, reason) in [
            (Some(("now", at(990), false)), Some(400), 990, EndedUnsaid),
            (Some(("now", at(990), false)), Some(993), 993, EndedUnsaid),
            (Some(("now", at(990), true)), Some(400), 990, PlannedStop),
            (Some(("now", set_back, false)), None, 990, EndedUnsaid),
            (Some(("now", at(990), false)), Some(5_000), 990, EndedUnsaid),
            (Some(("before", at(700), false)), None, 700, EndedUnsaid),
            (Some(("before", ahead, false)), None, 1_000, EndedUnsaid),
            (None, Some(400), 400, EndedUnsaid),
        ] {
            let found = away(sign, recorded).unwrap();
            assert_eq!((found.0, found.1), (since, reason), "{sign:?} {recorded:?}");
        }
        assert_eq!(away(None, None), None, "a first start");
    }

    #[test]
    fn it_is_said_how_long_nobody_was_here() {
        let (_, _, sentence) = away(Some(("now", at(990), true)), None).unwrap();
        assert_eq!(sentence, "the endpoint was stopped, and did not run for 10.0 s");
        let (_, _, sentence) = away(Some(("now", at(100), false)), None).unwrap();
        assert!(sentence.contains("did not run for 00:15:00 at the most"), "{sentence}");
    }
}
