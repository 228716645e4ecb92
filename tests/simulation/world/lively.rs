//! Someone soon: in any 3 T in which some member is in two-way contact with an endpoint that lives, somebody acts.
//!
//! The judge counts time in which the endpoint ran: a stall of it adds its length, and no more. What else it
//! leaves out of the count is derived from the world's state, and listed in docs/verification.md.

use std::collections::BTreeMap;

use client_failover::domain::GroupId;

use super::{
    World,
    clock::{Instant, MILLISECOND, Span},
    endpoint::span,
    event::SiteId,
    judge::at_most,
};

/// In so many T somebody acts, if a member has been in contact with the endpoint all along.
const LIVELY_TS: u64 = 3;

/// What messages, alarms and records that are well take on top: some of each in a row.
const ON_TOP: Span = 200 * MILLISECOND;

/// After a stall nothing counts until the next tick, which comes within this.
const SLOWEST_TICK: Span = 250 * MILLISECOND;

/// An answer within this part of T is prompt.
const PROMPT: u64 = 2;

/// Time as the endpoint lived it, since the beginning, in microseconds.
type Lived = Span;

/// Since when a member has been in two-way contact, and when it was last answered.
#[derive(Debug, Clone, Copy, Default)]
struct Contact {
    since: Lived,
    last: Lived,
}

/// What is known of one group.
#[derive(Debug, Default)]
struct Known {
    /// Until when somebody has acted in it, in true time and in lived time.
    acted_at: Instant,
    acted: Lived,
    /// When something was last over that nobody promises anything for.
    excused: Lived,
    /// Since when somebody has had the seat, and whether it had heard an answer shortly before; empty while it is free.
    held: Option<(Instant, bool)>,
    /// When a member last lost a seat that it had never acted on.
    unused: Option<Lived>,
    /// Each T that the group had, and until when windows may have begun under it.
    timeouts: Vec<(Span, Lived)>,
}

/// What the judge knows of who could have acted.
#[derive(Debug, Default)]
pub(crate) struct Lively {
    stopped_since: Option<Instant>,
    stopped: Span,
    /// When the endpoint's present run began.
    began: Lived,
    contacts: BTreeMap<SiteId, Contact>,
    groups: BTreeMap<GroupId, Known>,
}

impl Lively {
    fn lived(&self, now: Instant) -> Lived {
        let stopped = self.stopped + self.stopped_since.map_or(0, |since| now - since);
        now.saturating_sub(stopped)
    }

    /// The endpoint's process is stopped in the middle of whatever it does.
    pub(crate) fn endpoint_stops(&mut self, now: Instant) {
        self.stopped_since = self.stopped_since.or(Some(now));
    }

    /// It goes on.
    pub(crate) fn endpoint_goes_on(&mut self, now: Instant, shortest: Span) {
        if let Some(since) = self.stopped_since.take() {
            self.stopped += now - since + (shortest / 25).min(SLOWEST_TICK);
        }
    }

    /// It begins, or ends: no window is longer than one run of it.
    pub(crate) fn endpoint_begins(&mut self, now: Instant) {
        self.endpoint_goes_on(now, 0);
        self.began = self.lived(now);
    }

    /// A group has this T from now on.
    pub(crate) fn group_has(&mut self, now: Instant, group: &GroupId, timeout: Span) {
        let now = self.lived(now);
        let known = self.groups.entry(group.clone()).or_default();
        for (before, until) in known.timeouts.iter_mut().filter(|(_, until)| *until == Lived::MAX) {
            *until = now + at_most((LIVELY_TS + 1) * *before);
        }
        known.timeouts.push((timeout, Lived::MAX));
    }

    /// The group waits for a Primary that acts already, by a longer T than its own: one that a seat on record has,
    /// or, where the group is new to an endpoint that began, the longest there was.
    pub(crate) fn group_waits(&mut self, now: Instant, group: &GroupId, longest: Span) {
        let now = self.lived(now);
        let Some(known) = self.groups.get_mut(group) else { return };
        let own = known.timeouts.iter().map(|(timeout, _)| *timeout).max().unwrap_or_default();
        known.timeouts.push((longest, now + at_most(longest + (LIVELY_TS + 1) * own)));
    }

    /// A seat of this T is on record in the group: it holds for that long, also at the next start.
    fn seat_has(&mut self, now: Instant, group: &GroupId, timeout: Span) {
        let now = self.lived(now);
        let Some(known) = self.groups.get_mut(group) else { return };
        let until = now + at_most((LIVELY_TS + 1) * timeout);
        match known.timeouts.iter_mut().find(|(known, _)| *known == timeout) {
            Some((_, known)) => *known = until.max(*known),
            None => known.timeouts.push((timeout, until)),
        }
    }

    /// The longest T that a group ever had.
    pub(crate) fn longest(&self, group: &GroupId) -> Option<Span> {
        self.groups.get(group)?.timeouts.iter().map(|(timeout, _)| *timeout).max()
    }

    /// The longest T by which a window that ends now may be measured.
    pub(crate) fn timeout(&self, now: Instant, group: &GroupId) -> Option<Span> {
        let now = self.lived(now);
        let timeouts = &self.groups.get(group)?.timeouts;
        timeouts.iter().filter(|(_, until)| now < *until).map(|(timeout, _)| *timeout).max()
    }

    /// A member is not in contact, or not in the same way as before.
    pub(crate) fn contact_ends(&mut self, now: Instant, site: SiteId) {
        let now = self.lived(now);
        self.contacts.insert(site, Contact { since: now, last: now });
    }

    /// Whether a member has been in contact for T.
    pub(crate) fn is_in_contact(&self, now: Instant, site: SiteId, timeout: Span) -> bool {
        let lived = self.lived(now);
        let well = |contact: &Contact| {
            lived.saturating_sub(contact.last) <= at_most(timeout / 2) && contact.since + timeout <= lived
        };
        self.contacts.get(&site).is_some_and(well)
    }

    /// An answer reached a member in good time.
    pub(crate) fn member_heard(&mut self, now: Instant, site: SiteId, timeout: Span) {
        let now = self.lived(now);
        let contact = self.contacts.entry(site).or_default();
        if now.saturating_sub(contact.last) > at_most(timeout / 2) {
            contact.since = now;
        }
        contact.last = now;
    }

    /// In this group nobody can be made Primary now, and nobody promises otherwise.
    pub(crate) fn excuse(&mut self, now: Instant, group: &GroupId) {
        let lived = self.lived(now);
        self.groups.entry(group.clone()).or_default().excused = lived;
    }

    /// A member was given the seat that had last heard an answer at `heard`.
    pub(crate) fn seat_was_given(&mut self, now: Instant, group: &GroupId, heard: Option<Instant>) {
        let lately = 2 * self.timeout(now, group).unwrap_or_default();
        let hears = heard.is_some_and(|heard| now - heard <= lately);
        self.groups.entry(group.clone()).or_default().held = Some((now, hears));
    }

    /// Whoever was given the seat lost it.
    pub(crate) fn seat_was_lost(&mut self, now: Instant, group: &GroupId) {
        let lived = self.lived(now);
        let (unused, again) = (self.is_unused(now, group), self.is_unused_again(now, group));
        let known = self.groups.entry(group.clone()).or_default();
        known.held = None;
        if unused {
            known.unused = Some(lived);
        }
        if again {
            known.excused = lived;
        }
    }

    /// Whether whoever has the seat had its time, and has not acted: it stopped hearing when it was chosen, or died.
    fn is_unused(&self, now: Instant, group: &GroupId) -> bool {
        let timeout = self.timeout(now, group).unwrap_or_default();
        let known = self.groups.get(group).and_then(|known| known.held.map(|held| (held.0, known.acted_at)));
        known.is_some_and(|(held, acted)| acted <= held && now - held >= timeout / 2)
    }

    /// The same, for the second in a row within 3 T. Nobody can know before that it will be so; one such choice has its time,
    /// the second has not.
    fn is_unused_again(&self, now: Instant, group: &GroupId) -> bool {
        let within = at_most(LIVELY_TS * self.timeout(now, group).unwrap_or_default());
        let before = self.groups.get(group).and_then(|known| known.unused);
        before.is_some_and(|before| self.lived(now).saturating_sub(before) <= within)
            && self.is_unused(now, group)
    }

    /// The same, while it lasts; not of one that was known to hear nothing when it was chosen.
    fn is_excused(&self, now: Instant, group: &GroupId) -> bool {
        let held = self.groups.get(group).and_then(|known| known.held);
        held.is_some_and(|(_, hears)| hears) && self.is_unused_again(now, group)
    }

    /// Takes note until when somebody has acted in `group`.
    fn note_act(&mut self, now: Instant, group: &GroupId, acted_at: Instant) {
        let lived = self.lived(now);
        let running = self.stopped_since.is_none();
        let known = self.groups.entry(group.clone()).or_default();
        if known.acted_at != acted_at {
            known.acted_at = acted_at;
            known.acted = if running { lived.saturating_sub(now - acted_at) } else { lived };
        }
    }

    /// For how long nobody has acted in `group` while the member at `site` was in contact.
    fn idle(&self, now: Instant, site: SiteId, group: &GroupId, timeout: Span) -> Option<Span> {
        let contact = self.contacts.get(&site)?;
        let lived = self.lived(now);
        if lived.saturating_sub(contact.last) > at_most(timeout / 2) {
            return None;
        }
        let known = self.groups.get(group)?;
        // What was noted while a longer T counted was noted by that.
        let longer = known.timeouts.iter().filter(|(of, until)| *of > timeout && *until <= lived);
        let changed = longer.map(|(_, until)| *until).max().unwrap_or_default();
        let since = contact.since.max(known.acted).max(known.excused).max(self.began).max(changed);
        Some(lived.saturating_sub(since))
    }
}

impl World {
    /// Takes note of who has acted up to now; before anything happens at this instant.
    pub(crate) fn note_acts(&mut self) {
        self.judge.sink.note_time(self.now);
        let World { now, judge, endpoint, plan, .. } = self;
        for (group, acted_at) in judge.sink.acted() {
            judge.lively.note_act(*now, group, acted_at);
        }
        for (key, seat) in &endpoint.folder.store.seats {
            let Some(holder) = &seat.holder else { continue };
            judge.lively.seat_has(*now, &key.id, span(seat.timeout));
            let forced = endpoint.folder.store.overrides.get(key).map(|forced| &forced.session);
            let kept = plan.group(&key.id).keeps_silent && forced == Some(&holder.session);
            // A stock member that is heard and hears nothing cannot be told from one that acts; and where the group
            // wants that a silent Primary keeps its seat, nobody acts while an override asks for it.
            if holder.incarnation.is_none() || kept {
                judge.lively.excuse(*now, &key.id);
            }
        }
    }

    /// A heartbeat of the member at `site`, made at `asked`, was answered. An answer that comes later leaves
    /// little or nothing of the lease it gives.
    pub(crate) fn note_contact(&mut self, site: SiteId, asked: Instant) {
        let group = self.group_of(site);
        let timeout = group.and_then(|group| self.judge.lively.timeout(self.now, group));
        if let Some(timeout) = timeout.filter(|timeout| self.now - asked <= *timeout / PROMPT) {
            self.judge.lively.member_heard(self.now, site, timeout);
        }
    }

    /// Looks whether somebody acts wherever somebody could.
    pub(crate) fn judge_liveliness(&mut self) {
        for site in 0..self.sites.len() {
            let Some(group) = self.group_of(site) else { continue };
            let Some(timeout) = self.judge.lively.timeout(self.now, group) else { continue };
            let Some(idle) = self.judge.lively.idle(self.now, site, group, timeout) else { continue };
            if idle > at_most(LIVELY_TS * timeout) + ON_TOP
                && !self.endpoint.writer.holds_up(self.now, group)
                && !self.judge.lively.is_excused(self.now, group)
            {
                let idle = idle / MILLISECOND;
                let what = format!("nobody has acted in {group} for {idle} ms; site {site} is in contact");
                return self.accuse("NobodyActs", what);
            }
        }
    }
}
