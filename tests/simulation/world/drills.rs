//! Drills in a plant where all is well: what an operator does, or one thing that goes wrong, and by when somebody acts then.
//!
//! The other judges allow for everything that may go wrong at once. Here nothing else does, so what is promised in
//! milliseconds is judged by them. Drills have dice of their own: what comes before them is the same with and without.

use client_failover::{
    domain::{GroupId, RoleOverride},
    registration::machine::Call,
};

use super::{
    World,
    clock::{Instant, MILLISECOND, Span},
    dice::Dice,
    endpoint::{group_id, group_key},
    event::{Ask, Event, Pid, Request, SiteId},
    judge::at_most,
    leaving::STOPS_WITHIN,
    plan::Plan,
    registry::Operation,
};

/// Tells the dice of drills from those of the schedule.
const DRILL_DICE: u64 = 0x000d_2111;

/// One drill takes so many T at the most, and as much is left before the next one.
const DRILL_TS: u64 = 6;

/// What messages and records that are well take on top: some of each in a row.
const ON_TOP: Span = 200 * MILLISECOND;

/// How soon after each other the adapters of a plant are stopped, and how long they are down.
const AT_ONCE: Span = 50 * MILLISECOND;

/// What happens.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The Primary is stopped, and started again.
    Stop,
    /// The same, with an override in force that asks for it.
    StopForced,
    /// Who stands by is asked for.
    Force,
    /// The same, and it is stopped a moment later.
    ForceAndStop,
    /// Each member is stopped and started again.
    StopAll,
    /// The Primary is killed.
    Kill,
    /// The endpoint stands still, and the Primary is killed meanwhile.
    StallAndKill,
    /// What is said to some does not reach them, or late.
    Deafen,
}

const KINDS: [Kind; 8] = [
    Kind::Stop,
    Kind::StopForced,
    Kind::Force,
    Kind::ForceAndStop,
    Kind::StopAll,
    Kind::Kill,
    Kind::StallAndKill,
    Kind::Deafen,
];

/// One step of a drill.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Begin,
    /// The process is stopped in order.
    Stop(SiteId),
    /// The same, as soon as it asks.
    StopAsking(SiteId),
    Kill(SiteId),
    /// The way down is whole again.
    Mend(SiteId),
}

/// From when on it is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// It was done.
    Now,
    /// The last run of those that do not count is stopped.
    Stopped,
    /// None of the runs that do not count is there any more, but others are.
    Anew,
}

/// Somebody is to act.
#[derive(Debug)]
struct Wanted {
    group: GroupId,
    /// Only at this installation.
    at: Option<SiteId>,
    /// None of these runs counts.
    not: Vec<(SiteId, Pid)>,
    from: From,
    within: Span,
    due: Option<Instant>,
    /// Somebody acts now, and until then nobody may be without for longer.
    gap: Option<Span>,
    what: &'static str,
}

/// The drills of a schedule.
#[derive(Debug)]
pub(crate) struct Drills {
    dice: Dice,
    left: u64,
    /// How long one takes, and how long the schedule goes on for all of them.
    each: Span,
    takes: Span,
    wanted: Vec<Wanted>,
    /// Who is stopped as soon as it asks.
    asking: Option<SiteId>,
    /// How long whoever was stopped is down.
    pause: Span,
}

impl Drills {
    pub(crate) fn draw(seed: u64, plan: &Plan, longest: Span) -> Self {
        let mut dice = Dice::new(seed ^ DRILL_DICE);
        let (some, looks_on) = (dice.percent(35), dice.percent(10));
        let may = plan.is_native() && !plan.is_calm() && !plan.members.iter().any(|member| member.lies);
        let left = if some && may { dice.between(1, 3) } else { 0 };
        let each = at_most(DRILL_TS * longest);
        Self {
            // Where there is none, it is looked on in some schedules: what goes to and fro may take longer to be seen.
            takes: if left == 0 && looks_on { 2 * each } else { left * each },
            each,
            dice,
            left,
            wanted: Vec::new(),
            asking: None,
            pause: 0,
        }
    }

    /// How long the schedule goes on for them.
    pub(crate) const fn take(&self) -> Span {
        self.takes
    }

    pub(crate) const fn are_drawn(&self) -> bool {
        self.left > 0
    }

    /// How long whoever was stopped is down.
    pub(crate) const fn pause(&self) -> Span {
        self.pause
    }
}

impl World {
    pub(crate) fn drill(&mut self, step: Step) {
        match step {
            Step::Begin => self.begin_drill(),
            Step::Stop(site) => self.stop_in_drill(site),
            Step::StopAsking(site) => self.drills.asking = Some(site),
            Step::Kill(site) => self.crash_agent(site),
            Step::Mend(site) => {
                self.sites[site].link = super::site::Link::default();
                self.judge.member_was_disturbed(site, self.now);
            }
        }
    }

    /// A process asks the endpoint something.
    pub(crate) fn drill_hears(&mut self, request: &Request) {
        let site = request.back.site;
        if self.drills.asking == Some(site) && matches!(request.ask, Ask::Call(Call::Heartbeat(..))) {
            self.drills.asking = None;
            self.push(0, Event::Drill(Step::Stop(site)));
        }
    }

    fn stop_in_drill(&mut self, site: SiteId) {
        self.log(|_| format!("drill: site {site} is stopped"));
        self.judge.something_happened(self.now);
        let pid = self.sites[site].pid();
        for wanted in &mut self.drills.wanted {
            if wanted.from == From::Stopped && wanted.not.iter().any(|(_, of)| Some(*of) == pid) {
                wanted.due.get_or_insert(self.now + wanted.within);
            }
        }
        self.stop_agent(site);
    }

    fn begin_drill(&mut self) {
        self.judge.healing.ends();
        self.drills.left -= 1;
        if self.drills.left > 0 {
            self.push(self.drills.each, Event::Drill(Step::Begin));
        }
        self.drills.asking = None;
        let index = self.drills.dice.index(2);
        let Some((primary, others)) =
            [index, 1 - index].into_iter().map(group_id).find_map(|group| self.is_ready_for_drill(&group))
        else {
            return;
        };
        let kind = self.drills.dice.pick(&KINDS);
        self.log(|_| format!("drill: {kind:?}, site {primary} is Primary, {others:?} stand by"));
        self.judge.something_happened(self.now);
        self.carry_out_drill(kind, primary, &others);
    }

    /// The Primary of `group`, and who stands by, if all has been well for so long that nothing is left of what was not.
    fn is_ready_for_drill(&self, group: &GroupId) -> Option<(SiteId, Vec<SiteId>)> {
        let key = group_key(group);
        let timeout = self.judge.lively.timeout(self.now, group)?;
        let quiet = self.judge.disturbed + at_most(2 * timeout) < self.now;
        let seat = self.endpoint.folder.store.seats.get(&key)?.holder.as_ref()?;
        let [(primary, _)] = self.judge.sink.writers(self.now, group)[..] else { return None };
        let members: Vec<SiteId> =
            (0..self.sites.len()).filter(|site| self.group_of(*site) == Some(group)).collect();
        let well = |site: &SiteId| self.judge.lively.is_in_contact(self.now, *site, timeout);
        let ready = quiet
            && self.endpoint.is_up()
            && members.contains(&primary)
            && self.sites[primary].disk.session == seat.session
            && members.iter().all(well);
        ready.then(|| (primary, members.into_iter().filter(|site| *site != primary).collect()))
    }

    fn carry_out_drill(&mut self, kind: Kind, primary: SiteId, others: &[SiteId]) {
        let Some(group) = self.group_of(primary).cloned() else { return };
        let timeout = self.judge.lively.timeout(self.now, &group).unwrap_or(self.plan.timeout);
        self.drills.pause = self.drills.dice.between(MILLISECOND, timeout);
        let not = self.runs_of(&[primary]);
        let wanted =
            Wanted { group, at: None, not, from: From::Now, within: 0, due: None, gap: None, what: "" };
        match kind {
            Kind::StopForced => {
                self.force(primary);
                self.drill_stop(primary, others, timeout / 2, wanted);
            }
            Kind::StopAll => self.drill_stop_all(primary, others, timeout, wanted),
            // Whoever is alone can be stopped, and nothing else is promised of it; nor if the group wants that a silent Primary
            // keeps its seat.
            _ if others.is_empty() || self.is_kept_in_silence(primary) => {
                self.drill_stop(primary, others, 0, wanted);
            }
            Kind::Stop => self.drill_stop(primary, others, 0, wanted),
            Kind::Force | Kind::ForceAndStop => {
                let by = others[self.drills.dice.index(others.len())];
                self.drill_force(primary, by, timeout, matches!(kind, Kind::ForceAndStop), wanted);
            }
            Kind::Kill => {
                self.crash_agent(primary);
                let within = at_most(timeout) + ON_TOP;
                self.want(Wanted { within, what: "the Primary was killed", ..wanted });
            }
            Kind::StallAndKill => {
                let stall = self.drills.dice.between(timeout, 3 * timeout);
                let dies = self.drills.dice.between(0, timeout);
                self.judge.endpoint_was_disturbed(self.now + stall);
                self.freeze_endpoint(stall);
                self.push(dies, Event::Drill(Step::Kill(primary)));
                let within = stall + at_most(timeout) + 2 * ON_TOP;
                let what = "the Primary was killed while the endpoint stood still";
                self.want(Wanted { within, what, ..wanted });
            }
            Kind::Deafen => self.drill_deafen(primary, others, timeout),
        }
    }

    /// Whether an override asks for the Primary at `site`, in a group that wants that it keeps its seat then though it is silent.
    fn is_kept_in_silence(&self, site: SiteId) -> bool {
        let Some(group) = self.group_of(site) else { return false };
        let forced = self.endpoint.folder.store.overrides.get(&group_key(group));
        self.plan.group(group).keeps_silent
            && forced.is_some_and(|forced| forced.session == self.sites[site].disk.session)
    }

    fn runs_of(&self, sites: &[SiteId]) -> Vec<(SiteId, Pid)> {
        sites.iter().filter_map(|site| Some((*site, self.sites[*site].pid()?))).collect()
    }

    fn want(&mut self, mut wanted: Wanted) {
        if wanted.from == From::Now {
            wanted.due = Some(self.now + wanted.within);
        }
        self.drills.wanted.push(wanted);
    }

    /// How long after its order to stop the seat of the Primary at `site` is free: at once when it has stopped; where
    /// its collector does not stop in time, no last word says so, and the seat is held for its T.
    fn stopping_takes(&self, site: SiteId, timeout: Span) -> Span {
        let stops = self.sites[site].member.stops_within(timeout);
        // By the fastest clock that is allowed.
        if at_most(stops) < STOPS_WITHIN { stops + ON_TOP } else { STOPS_WITHIN + at_most(timeout) + ON_TOP }
    }

    /// The Primary is stopped after `delay`, in half of all cases just when it asks.
    fn drill_stop(&mut self, primary: SiteId, others: &[SiteId], delay: Span, wanted: Wanted) {
        let timeout = self.judge.lively.timeout(self.now, &wanted.group).unwrap_or(self.plan.timeout);
        let asking = self.drills.dice.percent(50);
        let step = if asking { Step::StopAsking(primary) } else { Step::Stop(primary) };
        self.push(delay, Event::Drill(step));
        let within = self.stopping_takes(primary, timeout);
        let (from, what) = if others.is_empty() {
            (From::Anew, "the only adapter was started again")
        } else {
            (From::Stopped, "the Primary was stopped")
        };
        self.want(Wanted { from, within, what, ..wanted });
    }

    /// Each member is stopped, and started again: a playbook, say.
    fn drill_stop_all(&mut self, primary: SiteId, others: &[SiteId], timeout: Span, wanted: Wanted) {
        let all: Vec<SiteId> = others.iter().copied().chain([primary]).collect();
        for site in &all {
            let delay = self.drills.dice.between(0, AT_ONCE);
            self.push(delay, Event::Drill(Step::Stop(*site)));
        }
        let within = all.iter().map(|site| self.stopping_takes(*site, timeout)).max().unwrap_or_default();
        let not = self.runs_of(&all);
        let what = "all adapters were started again";
        self.want(Wanted { from: From::Anew, not, within: within + ON_TOP, what, ..wanted });
    }

    /// An operator asks for the one at `by`, which is perhaps stopped a moment later: then nobody stops for it in vain.
    fn drill_force(&mut self, primary: SiteId, by: SiteId, timeout: Span, stops: bool, wanted: Wanted) {
        self.force(by);
        if !stops {
            let hands_over = self.sites[primary].member.stops_within(timeout) + 2 * ON_TOP;
            let what = "an operator asked for it";
            return self.want(Wanted { at: Some(by), not: Vec::new(), within: hands_over, what, ..wanted });
        }
        let delay = self.drills.dice.between(0, 60 * MILLISECOND);
        self.push(delay, Event::Drill(Step::Stop(by)));
        // Whoever is Primary meanwhile hands over once the one that was asked for is back.
        let members = self.sites.iter().map(|site| site.member.stops_within(timeout) + 2 * ON_TOP).max();
        let gap = members.map(|hands_over| hands_over.max(self.stopping_takes(by, timeout)));
        let what = "an operator asked for an adapter that was stopped then";
        self.want(Wanted { within: at_most(3 * timeout), gap, what, ..wanted });
    }

    /// Nobody hears but one that stands by; for long, so that each of the others has its turn.
    fn drill_deafen(&mut self, primary: SiteId, others: &[SiteId], timeout: Span) {
        let hears = others[self.drills.dice.index(others.len())];
        let late = self.drills.dice.percent(50);
        let span = self.drills.dice.between(timeout, 4 * timeout);
        for site in others.iter().copied().chain([primary]).filter(|site| *site != hears) {
            let slow_by = self.drills.dice.between(timeout / 2, timeout);
            let link = &mut self.sites[site].link;
            if late {
                (link.slow_by, link.slow_until) = (slow_by, self.now + span);
            } else {
                link.down_cut = self.now + span;
            }
            self.push(span, Event::Drill(Step::Mend(site)));
        }
    }

    /// An operator asks for the member at `site`, for longer than the schedule lasts.
    fn force(&mut self, site: SiteId) {
        let Some((key, session)) = self.operator(site) else { return };
        self.operate(Operation::Override(key, session, RoleOverride::Primary(None)), None);
    }

    /// Looks whether somebody acts by when somebody is to.
    pub(crate) fn judge_drills(&mut self) {
        if self.drills.wanted.is_empty() {
            return;
        }
        let (now, mut late) = (self.now, None);
        let mut wanted = std::mem::take(&mut self.drills.wanted);
        wanted.retain_mut(|wanted| {
            let anew = |(site, run): &(SiteId, Pid)| self.sites[*site].pid().is_some_and(|pid| pid != *run);
            if wanted.from == From::Anew && wanted.due.is_none() && wanted.not.iter().all(anew) {
                wanted.due = Some(now + wanted.within);
            }
            let Some(due) = wanted.due else { return true };
            let goes_on = if let Some(gap) = wanted.gap {
                now - self.judge.sink.acted_at(&wanted.group) <= gap
            } else {
                let counts = |writer: &(SiteId, Pid)| {
                    wanted.at.is_none_or(|at| at == writer.0) && !wanted.not.contains(writer)
                };
                let acts = self.judge.sink.writers(now, &wanted.group).iter().any(counts);
                if acts {
                    return false;
                }
                now <= due
            };
            if !goes_on {
                let within = wanted.gap.unwrap_or(wanted.within) / MILLISECOND;
                late =
                    Some(format!("{}, and nobody acts in {} after {within} ms", wanted.what, wanted.group));
            }
            goes_on && now <= due
        });
        self.drills.wanted = wanted;
        if let Some(what) = late {
            self.accuse("Late", what);
        }
    }
}
