//! Sources, and the collectors that read them: each late by a lag of its own, and sometimes not at all.

use client_failover::domain::Standing;

use super::{
    super::{
        World,
        clock::{Instant, MILLISECOND, Span},
        event::{Pid, SiteId},
    },
    DataEvent, Moment,
    gate::Waits,
    parts::Part,
    writing::Kept,
};

/// A sleep this short is no break: the collector reads what the source said meanwhile. No gate notices it.
const NAP: Span = 1_100 * MILLISECOND;

/// A keeper gives up when what it keeps is so many hold-backs old.
const PATIENCE: u64 = 6;

/// The collector at a member.
#[derive(Debug, Default)]
pub(super) struct Collector {
    /// Which run of it; what an earlier one held is lost.
    run: u32,
    is_down: bool,
    /// While it hangs: since when, and whether it reads later what the source says meanwhile.
    hangs: Option<(Instant, bool)>,
    /// What it has to hand in once it goes on.
    backlog: Vec<Moment>,
    /// Since when its machine sleeps.
    sleeps: Option<Instant>,
    /// The group whose source it reads.
    reads: Option<usize>,
    /// What it misses of that source although it has the rest.
    pub(super) part: Part,
}

impl Collector {
    /// A gate begins that knows of nothing before, in this boot. If its collector hangs, or its machine slept, it keeps nothing older
    /// than that: what else it kept would look fresher than it is, which is a limit that is named.
    pub(super) fn keeps_from(&mut self, now: Instant) {
        let hung = self.hangs.as_mut().map(|(since, _)| since);
        for since in hung.into_iter().chain(&mut self.sleeps) {
            *since = now;
            self.backlog.clear();
        }
        self.part.forget();
    }

    /// Whether it reads nothing now.
    pub(super) const fn is_away(&self) -> bool {
        self.is_down || self.hangs.is_some()
    }
}

impl World {
    /// Each source has something to say, and the collectors read it.
    pub(super) fn moment(&mut self) {
        if self.data_ends() {
            return;
        }
        let (now, period) = (self.now, self.data().plan.period);
        let number = self.data().truth.next_number();
        for site in 0..self.data().places.len() {
            self.attend_gate(site);
            let collecting = self.gate_order(site).collecting;
            let asleep = self.sites[site].clock.is_asleep();
            let data = self.data();
            let (collector, member) = (&mut data.places[site].collector, &data.plan.members[site]);
            let Some(group) = collector.reads else { continue };
            let moment = Moment { group, number, at: now };
            if collector.part.misses(moment, data.plan.part) {
                continue;
            }
            if asleep || collector.hangs.is_some_and(|(_, keeps)| keeps) {
                collector.backlog.push(moment);
            } else if !collector.is_down && collector.hangs.is_none() && (collecting || !member.supervised) {
                let (run, lag, jitter) = (collector.run, member.lag, member.jitter);
                let late = lag + self.data_dice().between(0, jitter);
                self.hand_in_after(site, run, moment, late, u8::MAX);
            }
        }
        self.push_data(period, DataEvent::Moment);
    }

    /// Hands in after `span` of the time of the collector's machine.
    fn hand_in_after(&mut self, site: SiteId, run: u32, moment: Moment, span: Span, lanes: u8) {
        let span = self.sites[site].clock.true_span(std::time::Duration::from_micros(span));
        self.push_data(span, DataEvent::HandIn(site, run, moment, lanes));
    }

    pub(super) fn hand_in(&mut self, site: SiteId, run: u32, moment: Moment, lanes: u8) {
        let runs = self.attend_gate(site);
        if self.place(site).collector.run != run {
            return;
        }
        if !runs {
            if self.place(site).gate.is_some() || self.sites[site].clock.is_asleep() {
                // It lies in the socket of a process that was stopped.
                self.place(site).waits.push(Waits::HandIn(run, moment, lanes));
            } else {
                self.hand_in_again(site, run, moment, lanes);
            }
            return;
        }
        let arrival = self.site_now(site);
        let count = self.place(site).disk.lanes.len();
        for lane in (0..count).filter(|lane| lanes & (1 << lane) != 0) {
            let entered = self.gate_enters(site, lane, arrival);
            self.log(|_| {
                let (group, number) = (moment.group, moment.number);
                format!("gate {site}, lane {lane}: moment {number} of group {group}: {entered:?}")
            });
            let Ok(ticket) = entered else {
                self.hand_in_again(site, run, moment, 1 << lane);
                continue;
            };
            let kept = Kept { lane, moment, ticket, arrival, run };
            let (slow, longest) = self.data().plan.slow_bodies;
            if slow > 0 && self.part_dice().percent(slow) {
                let span = self.part_dice().between(0, longest);
                let pid = self.sites[site].pid().unwrap_or(0);
                self.push_data(span, DataEvent::Whole(site, pid, kept));
            } else {
                self.gate_takes(site, kept, false);
            }
        }
    }

    /// The body of what was handed in is whole, if its collector and the process it was handed in to are still there.
    pub(super) fn body_is_whole(&mut self, site: SiteId, pid: Pid, kept: Kept) {
        let runs = self.attend_gate(site);
        let is_same = self.place(site).gate.as_ref().is_some_and(|gate| gate.pid == pid);
        let lives = self.place(site).collector.run == kept.run;
        match (is_same, runs) {
            (false, _) => self.hand_in_again(site, kept.run, kept.moment, 1 << kept.lane),
            (true, false) => self.place(site).waits.push(Waits::Whole(pid, kept)),
            (true, true) if lives => {
                let arrival = self.site_now(site);
                self.gate_takes(site, Kept { arrival, ..kept }, false);
            }
            (true, true) => self.gate_loses(site, kept),
        }
    }

    /// What was not taken is handed in once more, for as long as it may be kept.
    pub(super) fn hand_in_again(&mut self, site: SiteId, run: u32, moment: Moment, lanes: u8) {
        let refused = self.place(site).gate.is_some();
        let hold_back = self.data().plan.hold_back;
        let keeps = self.data().plan.members[site].keeps && refused;
        let limit = if keeps { PATIENCE * hold_back } else { hold_back };
        let wait = (hold_back / 3).max(100 * MILLISECOND);
        let clock = &self.sites[site].clock;
        let limit = clock.true_span(std::time::Duration::from_micros(limit));
        if self.now + wait <= moment.at + limit && self.place(site).collector.run == run {
            self.push_data(wait, DataEvent::HandIn(site, run, moment, lanes));
        }
    }

    /// The collector ends, or hangs: for so long that its gate can see it, unless the agent watches it.
    pub(super) fn break_collector(&mut self, site: SiteId) {
        if self.healed_at.is_some() {
            return;
        }
        let hold_back = self.data().plan.hold_back;
        let supervised = self.data().plan.members[site].supervised;
        let (short, kind) = (self.data_dice().percent(50), self.data_dice().below(3));
        let visible = 11 * hold_back / 10 + hold_back / 5 + 100 * MILLISECOND;
        let span = if short && supervised && kind == 0 {
            self.data_dice().between(50 * MILLISECOND, hold_back)
        } else {
            // What it had read when it hung may come as late as it ever does.
            self.data_dice().between(2 * visible, 6 * visible)
        };
        let now = self.now;
        let collector = &mut self.place(site).collector;
        if kind == 0 {
            collector.run += 1;
            collector.is_down = true;
            collector.backlog.clear();
        } else {
            collector.hangs = collector.hangs.or(Some((now, kind == 1)));
        }
        let run = collector.run;
        self.log(|_| format!("collector {site}: breaks for {} ms, {kind}", span / MILLISECOND));
        self.attend_gate(site);
        self.push_data(span, DataEvent::Resume(site, run));
        let next = span + self.data_dice().between(hold_back, 6 * super::super::plan::T);
        self.push_data(next, DataEvent::Break(site));
    }

    pub(super) fn resume_collector(&mut self, site: SiteId, run: u32) {
        self.attend_gate(site);
        let collector = &mut self.place(site).collector;
        if collector.run != run {
            return;
        }
        collector.is_down = false;
        let since = collector.hangs.take().map(|(since, _)| since);
        self.log(|_| format!("collector {site}: goes on"));
        if let Some(since) = since {
            self.hand_backlog_in(site, since);
        }
    }

    /// What was kept is handed in, at twice the pace at least.
    fn hand_backlog_in(&mut self, site: SiteId, since: Instant) {
        let backlog = std::mem::take(&mut self.place(site).collector.backlog);
        self.hand_in_late(site, backlog, since);
    }

    /// What was read late, from `since` on, is handed in, at twice the pace at least.
    pub(super) fn hand_in_late(&mut self, site: SiteId, backlog: Vec<Moment>, since: Instant) {
        let fast = self.data_dice().below(3);
        let run = self.place(site).collector.run;
        for moment in backlog {
            let into = moment.at.saturating_sub(since);
            let wait = [0, into / 10, into / 2][usize::try_from(fast).unwrap_or(0)];
            self.push_data(wait, DataEvent::HandIn(site, run, moment, u8::MAX));
        }
    }

    /// The agent starts the collector that it watches.
    pub(super) fn collector_begins(&mut self, site: SiteId) {
        let supervised = self.data().plan.members[site].supervised;
        let group = self.sites[site].disk.config.map(|config| config.group);
        let collector = &mut self.place(site).collector;
        collector.reads = collector.reads.or(group);
        if supervised {
            collector.is_down = false;
            collector.hangs = None;
        }
        self.part_is_reported_anew(site);
    }

    /// With its agent ends the collector that it watches.
    pub(super) fn collector_ends(&mut self, site: SiteId) {
        if self.data().plan.members[site].supervised {
            let collector = &mut self.place(site).collector;
            collector.run += 1;
            collector.is_down = true;
            collector.hangs = None;
            collector.backlog.clear();
            collector.part.forget();
        }
    }

    /// Whether the agent at `site` sees that its collector does not run.
    pub(super) fn is_seen_down(&mut self, site: SiteId) -> bool {
        self.data().plan.members[site].supervised && self.place(site).collector.is_down
    }

    /// The machine at `site` falls asleep.
    pub(crate) fn collector_sleeps(&mut self, site: SiteId) {
        let now = self.now;
        if self.has_gate(site) {
            let collector = &mut self.place(site).collector;
            collector.sleeps = collector.sleeps.or(Some(now));
        }
    }

    /// The machine at `site` is awake again: what the source said meanwhile is read now, or never.
    pub(super) fn collector_wakes(&mut self, site: SiteId) {
        let Some(since) = self.place(site).collector.sleeps.take() else { return };
        let hangs = self.place(site).collector.hangs.is_some();
        let nap = self.now - since < NAP;
        if !nap && !hangs && self.data_dice().percent(50) {
            self.place(site).collector.backlog.clear();
        }
        if !hangs {
            self.hand_backlog_in(site, since);
        }
    }

    /// An adapter that moves to another group is one whose collector reads another source from then on.
    pub(super) fn source_changes(&mut self, site: SiteId, standing: &Standing) {
        let group = standing.group.as_ref().and_then(|group| self.ids.iter().position(|id| id == group));
        let collector = &mut self.place(site).collector;
        if let Some(group) = group
            && collector.reads != Some(group)
        {
            collector.reads = Some(group);
            collector.part.forget();
        }
    }
}
