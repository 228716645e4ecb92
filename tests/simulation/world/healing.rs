//! Once all is well again each group has one Primary within 2 T, and no second one; more only for a cause that
//! was there when all became well, or that a member showed afterwards.

use std::collections::{BTreeMap, BTreeSet};

use client_failover::domain::GroupId;

use super::{
    World,
    clock::{Instant, MILLISECOND, SECOND, Span},
    endpoint::group_key,
    judge::at_most,
};

/// In so many T there is one Primary again.
const HEALED_TS: u64 = 2;

/// How long it is looked at, so that a second Primary, or one that goes again, is seen.
const LOOKED_AT_TS: u64 = 5;

/// What messages, alarms and records that are well take on top: some of each in a row.
const ON_TOP: Span = 500 * MILLISECOND;

/// By when each group has its Primary.
#[derive(Debug, Default)]
pub(crate) struct Healing {
    /// Whether it is looked at: from when all became well until drills begin.
    looks: bool,
    /// When all became well, or what was on its way to the endpoint's disk then was there, if that was later.
    since: Option<Instant>,
    /// When the members of each group are able to ask: those that step down and know the extensions when the
    /// first of them is, any others when all are.
    able: BTreeMap<GroupId, Instant>,
}

impl Healing {
    /// When all became well.
    pub(crate) const fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Something happens again.
    pub(crate) const fn ends(&mut self) {
        self.looks = false;
    }

    /// Whether each group has had its time, and nothing has happened since.
    pub(crate) fn is_over(&self, now: Instant, group: &GroupId, timeout: Span) -> bool {
        self.looks && now >= self.due(group, timeout)
    }

    fn due(&self, group: &GroupId, timeout: Span) -> Instant {
        let able = self.able.get(group).copied().unwrap_or_default();
        self.since.unwrap_or_default().max(able) + at_most(HEALED_TS * timeout) + ON_TOP
    }
}

impl World {
    /// How long a hand-over may take where no nudge makes it faster: the old Primary has stopped, and the
    /// new one asks at its own pace. A stock member says at its next heartbeat only that it stopped.
    ///
    /// Where a member lies about its epoch, that costs the Primary its seat, and then its collector has to stop first.
    fn hand_over(&self, timeout: Span) -> Span {
        let lies = self.sites.iter().any(|site| site.member.lies);
        let stops = self.sites.iter().filter(|_| lies).map(|site| site.member.stops_within(timeout)).max();
        at_most(if self.plan.is_native() { timeout / 4 } else { timeout } + stops.unwrap_or_default())
            + ON_TOP
    }

    /// The groups that anybody is to be a member of.
    fn groups(&self) -> BTreeSet<GroupId> {
        (0..self.sites.len()).filter_map(|site| self.group_of(site).cloned()).collect()
    }

    /// All is well from now on.
    pub(crate) fn begin_healing(&mut self) {
        let since = self.now.max(self.endpoint.writer.ends()).max(self.endpoint.registry.ends());
        let alike = self.plan.is_pure();
        let mut able: BTreeMap<GroupId, Instant> = BTreeMap::new();
        for site in 0..self.sites.len() {
            let Some(group) = self.group_of(site).cloned() else { continue };
            let at = self.sites[site].asks_by(self.now, self.longest_timeout);
            able.entry(group)
                .and_modify(|by| *by = if alike { at.min(*by) } else { at.max(*by) })
                .or_insert(at);
        }
        self.judge.healing = Healing { looks: true, since: Some(since), able };
    }

    /// Looks whether each group whose time is over has exactly one Primary.
    pub(crate) fn judge_healing(&mut self) {
        if !self.judge.healing.looks {
            return;
        }
        for group in self.groups() {
            let timeout = self.judge.lively.timeout(self.now, &group).unwrap_or(self.plan.timeout);
            if self.now < self.judge.healing.due(&group, timeout) || self.is_kept_for_nobody(&group) {
                continue;
            }
            let writers = self.judge.sink.writers(self.now, &group);
            let idle = self.now.saturating_sub(self.judge.sink.acted_at(&group));
            if writers.len() > 1 || idle > self.hand_over(timeout) {
                let idle = idle / MILLISECOND;
                let what = format!("{writers:?} act in {group} after all was well again, idle for {idle} ms");
                return self.accuse("NotHealed", what);
            }
        }
    }

    /// Whether an override asks for a member that is none any more, in a group that wants that a silent Primary
    /// keeps its seat then: nobody acts until an operator ends the override.
    fn is_kept_for_nobody(&self, group: &GroupId) -> bool {
        let store = &self.endpoint.folder.store;
        let key = group_key(group);
        let Some(forced) = store.overrides.get(&key).map(|forced| &forced.session) else { return false };
        let holds = store.seats.get(&key).and_then(|seat| seat.holder.as_ref());
        let is_member =
            |site: usize| self.sites[site].disk.session == *forced && self.group_of(site) == Some(group);
        self.plan.group(group).keeps_silent
            && holds.is_some_and(|holder| holder.session == *forced)
            && !(0..self.sites.len()).any(is_member)
    }

    /// How long after all became well the schedule ends.
    pub(crate) fn looked_at(&self) -> Span {
        at_most(LOOKED_AT_TS * self.longest_timeout) + SECOND + self.drills.take()
    }
}
