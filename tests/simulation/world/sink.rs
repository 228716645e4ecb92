//! Where collectors write: it judges who acts, and under which epoch.
//!
//! A collector writes at every instant at which the deadline that was published permits it, by its own
//! machine's boot clock, whether or not the agent's process runs. That is stricter than a write every few
//! milliseconds, and needs no event of its own.

use std::collections::BTreeMap;

use client_failover::domain::{Acting, Epoch, GroupId, Role, Standing, Uptime};

use super::{
    clock::{Clock, Instant},
    event::{Pid, SiteId},
};

/// What is wrong, and a sentence about it.
pub(crate) type Accusation = (&'static str, String);

/// Permission of one process's collector to write.
#[derive(Debug, Clone)]
struct Permit {
    site: SiteId,
    group: GroupId,
    /// The deadline that was published, where there is one, and the same in true time: past it nothing is
    /// written any more.
    end: Option<Uptime>,
    until: Instant,
    /// When it stops, if it was told to: it goes on until then, but not past its deadline.
    stops_at: Option<Instant>,
}

impl Permit {
    /// Until when it writes.
    fn writes_until(&self) -> Instant {
        self.stops_at.map_or(self.until, |stops_at| stops_at.min(self.until))
    }
}

/// What has been written in one group.
#[derive(Debug, Clone, Default)]
struct Written {
    last: Option<(Pid, Epoch)>,
    /// The last instant at which anybody wrote.
    acted_at: Instant,
}

/// The sink of all groups.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    permits: BTreeMap<Pid, Permit>,
    groups: BTreeMap<GroupId, Written>,
    asleep: Vec<SiteId>,
    /// Until when two in a group are none, because nobody can know a lease that was given in it.
    excused: BTreeMap<GroupId, Instant>,
    /// Whether two at once are a fault: all members are native and step down.
    pub(crate) judges: bool,
    /// Whether epochs that do not rise are.
    pub(crate) judges_epochs: bool,
}

impl Sink {
    /// Until `until` nobody can know of a lease in `group`.
    pub(crate) fn excuse(&mut self, group: &GroupId, until: Instant) {
        let excused = self.excused.entry(group.clone()).or_default();
        *excused = until.max(*excused);
    }

    fn is_excused(&self, now: Instant, group: &GroupId) -> bool {
        self.excused.get(group).is_some_and(|until| now < *until)
    }

    pub(crate) fn has_permit(&self, now: Instant, pid: Pid) -> bool {
        self.permits.get(&pid).is_some_and(|permit| now < permit.writes_until())
    }

    /// A native process publishes where it stands.
    pub(crate) fn publish(
        &mut self,
        now: Instant,
        site: SiteId,
        pid: Pid,
        standing: &Standing,
        stops_at: Option<Instant>,
        clock: &Clock,
    ) -> Option<Accusation> {
        self.note_time(now);
        // Out of failover a collector runs as if alone; no group promises anything then.
        let group = standing.group.clone().filter(|_| standing.role == Role::Primary);
        let until = match standing.acting {
            Acting::No => None,
            // The rule itself is asked whether permission ends by itself.
            Acting::Until(end) if standing.acting.permits(end) => Some(Instant::MAX),
            Acting::Until(end) => standing.acting.permits(clock.uptime(now)).then(|| clock.when(end)),
            Acting::Unbounded => Some(Instant::MAX),
        };
        let (Some(group), Some(until)) = (group, until) else {
            self.told_to_stop(now, pid, standing.role, stops_at);
            return None;
        };
        let end = standing.acting_until();
        self.permits.insert(pid, Permit { site, group: group.clone(), end, until, stops_at: None });
        let two = if self.judges { self.two_at_once(now, &group) } else { None };
        let judges_epochs = self.judges_epochs && !self.is_excused(now, &group);
        two.or_else(|| if judges_epochs { self.epoch_fell(pid, &group, standing.epoch) } else { None })
    }

    /// What acted has to stop: it takes until `stops_at`, or until its deadline, or no time. Out of failover it goes
    /// on, but for no group.
    fn told_to_stop(&mut self, now: Instant, pid: Pid, role: Role, stops_at: Option<Instant>) {
        let Some(permit) = self.permits.get_mut(&pid) else { return };
        permit.stops_at = permit.stops_at.or(stops_at);
        if role == Role::None || permit.stops_at.is_none() || permit.writes_until() <= now {
            self.permits.remove(&pid);
        }
    }

    /// A stock member acts in `group`, or stops.
    pub(crate) fn stock(
        &mut self,
        now: Instant,
        site: SiteId,
        pid: Pid,
        group: Option<GroupId>,
    ) -> Option<Accusation> {
        self.note_time(now);
        match group {
            Some(group) => {
                self.permits
                    .insert(pid, Permit { site, group, end: None, until: Instant::MAX, stops_at: None });
            }
            None => {
                self.permits.remove(&pid);
            }
        }
        None
    }

    /// The process is killed. Its collector may go on as long as the deadline permits; one without a
    /// deadline is stopped with it.
    pub(crate) fn process_died(&mut self, pid: Pid, collector_goes_on: bool) {
        let forgets = self.permits.get(&pid).is_some_and(|permit| permit.until == Instant::MAX);
        if forgets || !collector_goes_on {
            self.permits.remove(&pid);
        }
    }

    /// With a machine all its collectors end, also those of processes that were killed before.
    pub(crate) fn machine_died(&mut self, site: SiteId) {
        self.permits.retain(|_, permit| permit.site != site);
    }

    pub(crate) fn forget(&mut self, pid: Pid) {
        self.permits.remove(&pid);
    }

    pub(crate) fn falls_asleep(&mut self, now: Instant, site: SiteId) {
        self.note_time(now);
        self.asleep.push(site);
    }

    /// The collector of a machine that wakes up writes at once, if it may.
    pub(crate) fn wakes_up(&mut self, now: Instant, site: SiteId, clock: &Clock) -> Option<Accusation> {
        self.asleep.retain(|other| *other != site);
        for permit in
            self.permits.values_mut().filter(|permit| permit.site == site && permit.until < Instant::MAX)
        {
            permit.until = permit.end.map_or(permit.until, |end| clock.when(end));
        }
        let groups: Vec<GroupId> = self.groups.keys().cloned().collect();
        if !self.judges {
            return None;
        }
        groups.iter().find_map(|group| self.two_at_once(now, group))
    }

    /// Who writes in `group` at `now`.
    pub(crate) fn writers(&self, now: Instant, group: &GroupId) -> Vec<(SiteId, Pid)> {
        let writes = |permit: &Permit| {
            permit.group == *group && now < permit.writes_until() && !self.asleep.contains(&permit.site)
        };
        self.permits
            .iter()
            .filter(|(_, permit)| writes(permit))
            .map(|(pid, permit)| (permit.site, *pid))
            .collect()
    }

    /// The last instant at which anybody wrote in `group`.
    pub(crate) fn acted_at(&self, group: &GroupId) -> Instant {
        self.groups.get(group).map_or(0, |written| written.acted_at)
    }

    /// Until when somebody has written in each group.
    pub(crate) fn acted(&self) -> impl Iterator<Item = (&GroupId, Instant)> {
        self.groups.iter().map(|(group, written)| (group, written.acted_at))
    }

    /// Everything up to `now` has been written.
    pub(crate) fn note_time(&mut self, now: Instant) {
        for permit in self.permits.values() {
            if self.asleep.contains(&permit.site) {
                continue;
            }
            let at = now.min(permit.writes_until());
            match self.groups.get_mut(&permit.group) {
                Some(written) => written.acted_at = written.acted_at.max(at),
                None => {
                    self.groups.insert(permit.group.clone(), Written { last: None, acted_at: at });
                }
            }
        }
    }

    fn two_at_once(&self, now: Instant, group: &GroupId) -> Option<Accusation> {
        let writers = self.writers(now, group);
        let two = writers.len() > 1 && !self.is_excused(now, group);
        two.then(|| ("TwoAtOnce", format!("(site, run) {writers:?} write in {group}")))
    }

    fn epoch_fell(&mut self, pid: Pid, group: &GroupId, epoch: Option<Epoch>) -> Option<Accusation> {
        let Some(epoch) = epoch else {
            return Some(("EpochFell", format!("run-{pid} writes in {group} without an epoch")));
        };
        let written = self.groups.entry(group.clone()).or_default();
        let before = written.last.replace((pid, epoch));
        let (writer, last) = before?;
        let fell = if writer == pid { epoch < last } else { epoch <= last };
        fell.then(|| {
            (
                "EpochFell",
                format!("run-{pid} writes in {group} under epoch {epoch}, after run-{writer} under {last}"),
            )
        })
    }
}
