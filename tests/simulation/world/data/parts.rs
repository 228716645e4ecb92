//! Parts of a source: what a member misses of it for a while although it has the rest, and that this is reported.

use super::{
    super::{
        World,
        clock::{Instant, SECOND},
        event::SiteId,
        plan::T,
    },
    DataEvent, Moment,
};

/// What a collector misses of its source.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// While it misses one: whether it reads afterwards what it missed.
    missing: Option<bool>,
    /// What it reads then.
    kept: Vec<Moment>,
    /// From when on, and until when, its agent is told of it.
    reported: Option<(Instant, Instant)>,
}

impl Part {
    /// Whether `moment` is missed, where one in `part` is of the part.
    pub(super) fn misses(&mut self, moment: Moment, part: u32) -> bool {
        let Some(keeps) = self.missing.filter(|_| part > 0 && moment.number.is_multiple_of(part)) else {
            return false;
        };
        if keeps {
            self.kept.push(moment);
        }
        true
    }

    /// What was missed so far is lost, too.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
    }

    pub(super) fn is_reported(&self, now: Instant) -> bool {
        self.reported.is_some_and(|(from, until)| (from..until).contains(&now))
    }
}

impl World {
    /// A collector misses a part of its source from now on, or no longer.
    pub(super) fn part_changes(&mut self, site: SiteId) {
        let is_missing = self.place(site).collector.part.missing.is_some();
        if is_missing {
            return self.part_is_back(site);
        }
        if self.healed_at.is_some() {
            return;
        }
        self.attend_gate(site);
        let (now, keeps) = (self.now, self.part_dice().percent(50));
        let within = self.data().plan.reported_within;
        let reported = self.part_dice().between(0, within);
        // So long that no agent can have stood still all the time, and nobody noticed.
        let span = 2 * SECOND + 2 * within + self.part_dice().between(0, 2 * T);
        let part = &mut self.place(site).collector.part;
        part.missing = Some(keeps);
        part.reported = Some((now + reported, Instant::MAX));
        self.log(|_| {
            format!(
                "collector {site}: misses a part of its source, {}",
                if keeps { "for now" } else { "for good" }
            )
        });
        self.push_data(reported, DataEvent::Reported(site));
        self.push_data(span, DataEvent::Part(site));
    }

    fn part_is_back(&mut self, site: SiteId) {
        let (now, within) = (self.now, self.data().plan.reported_within);
        let after = self.part_dice().between(0, within);
        let asleep = self.sites[site].clock.is_asleep();
        let collector = &mut self.place(site).collector;
        let reads = !collector.is_away() && !asleep;
        let part = &mut collector.part;
        part.missing = None;
        part.reported = part.reported.map(|(from, _)| (from, now + after));
        let kept = std::mem::take(&mut part.kept);
        self.log(|_| format!("collector {site}: has its whole source"));
        if let Some(first) = kept.first().map(|first| first.at).filter(|_| reads) {
            self.hand_in_late(site, kept, first);
        }
        let next = self.part_dice().between(T / 2, 6 * T);
        self.push_data(next, DataEvent::Part(site));
    }

    /// A process begins at `site`: what its collector misses is reported to it anew.
    pub(super) fn part_is_reported_anew(&mut self, site: SiteId) {
        let (now, within) = (self.now, self.data().plan.reported_within);
        if self.place(site).collector.part.missing.is_some() {
            let reported = self.part_dice().between(0, within);
            self.place(site).collector.part.reported = Some((now + reported, Instant::MAX));
            self.push_data(reported, DataEvent::Reported(site));
        }
    }

    /// All collectors have their whole source from now on.
    pub(crate) fn heal_sources(&mut self) {
        for site in 0..self.data.as_ref().map_or(0, |data| data.places.len()) {
            if self.place(site).collector.part.missing.is_some() {
                self.part_is_back(site);
            }
        }
    }
}
