//! What must hold after every event, and once all is well again.

use std::collections::BTreeMap;

use client_failover::domain::{
    Epoch, GroupChange, GroupChangeKind, GroupId, GroupKey, GroupReason, Incarnation, SessionId,
};

use super::{
    World,
    clock::{DRIFT, Instant, SECOND, Span, TRUE_RATE},
    endpoint::group_id,
    event::SiteId,
    history::History,
    sink::{Accusation, Sink},
    tenures::Tenures,
};

/// In so many T somebody acts, if a member has been in contact with the endpoint all along.
const LIVELY_TS: u64 = 3;

/// How long a tick, a network and a disk that are well may take on top.
const SLACK: Span = 2 * SECOND;

/// What the judge knows.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    pub(crate) sink: Sink,
    pub(crate) history: History,
    /// Since when each member has been in two-way contact, and when it was last answered.
    contacts: BTreeMap<SiteId, Contact>,
    /// When the endpoint was last disturbed: a start, a freeze, a store that failed, a set-back found.
    pub(crate) endpoint_disturbed: Instant,
    /// When anything at all was last disturbed.
    pub(crate) disturbed: Instant,
    promotions: Vec<(Instant, GroupKey)>,
    highest: BTreeMap<GroupKey, (Epoch, Option<SessionId>)>,
    pub(crate) tenures: Tenures,
    /// When each member last proved to the endpoint that answers reach it.
    proofs: BTreeMap<SessionId, Proof>,
    /// When each member was last made Primary in good faith, and the latest of these.
    excused: BTreeMap<SessionId, Instant>,
    excused_until: Instant,
    pending: Option<Accusation>,
    pub(crate) judges_epochs: bool,
    pub(crate) judges_flapping: bool,
}

/// What a member proved to have heard.
#[derive(Debug)]
struct Proof {
    run: Incarnation,
    answered: u64,
    at: Instant,
}

#[derive(Debug, Clone, Copy, Default)]
struct Contact {
    since: Instant,
    last: Instant,
}

/// How long `span` may take on the slowest clock that is allowed.
pub(crate) const fn at_most(span: Span) -> Span {
    span * TRUE_RATE / (TRUE_RATE - DRIFT)
}

impl Judge {
    pub(crate) fn endpoint_was_disturbed(&mut self, now: Instant) {
        self.endpoint_disturbed = self.endpoint_disturbed.max(now);
        self.something_happened(now);
    }

    pub(crate) fn something_happened(&mut self, now: Instant) {
        self.disturbed = self.disturbed.max(now);
    }

    pub(crate) fn member_was_disturbed(&mut self, site: SiteId, now: Instant) {
        self.contacts.insert(site, Contact { since: now, last: now });
        self.something_happened(now);
    }

    /// An operator did something: whatever was to hold for some time counts from here.
    pub(crate) fn everything_was_disturbed(&mut self, now: Instant) {
        self.endpoint_was_disturbed(now);
    }

    /// A heartbeat of a member arrived at the endpoint, and says which answer it has heard.
    pub(crate) fn member_proved(
        &mut self,
        session: &SessionId,
        run: &Incarnation,
        answered: u64,
        now: Instant,
    ) {
        let proof = self.proofs.get(session);
        if proof.is_none_or(|proof| proof.run != *run || answered > proof.answered) {
            self.proofs.insert(session.clone(), Proof { run: run.clone(), answered, at: now });
        }
    }

    /// Nobody can know that a member stops hearing just when it is chosen. Where it had proved in the T before
    /// that it hears, the time in which somebody has to act begins anew; but once in 5 T for each.
    pub(crate) fn excuse(&mut self, now: Instant, session: Option<&SessionId>) {
        let Some(session) = session else { return };
        let lately = |at: Instant, span: Span| now.saturating_sub(at) <= span;
        let proved = self.proofs.get(session).is_some_and(|proof| lately(proof.at, at_most(super::plan::T)));
        let excused = self.excused.get(session).is_some_and(|at| lately(*at, 5 * super::plan::T));
        if proved && !excused {
            self.excused.insert(session.clone(), now);
            self.excused_until = now;
        }
    }

    /// An answer reached a member in good time.
    pub(crate) fn member_heard(&mut self, site: SiteId, now: Instant) {
        let contact = self.contacts.entry(site).or_default();
        if now.saturating_sub(contact.last) > at_most(super::plan::T / 2) {
            contact.since = now;
        }
        contact.last = now;
    }

    /// A group's machine says that something happened.
    pub(crate) fn group_changed(&mut self, now: Instant, key: &GroupKey, change: &GroupChange) {
        match change.kind {
            GroupChangeKind::Promoted => self.promoted(now, key, change),
            GroupChangeKind::StoreWasSetBack => self.endpoint_was_disturbed(now),
            GroupChangeKind::OverrideBegan | GroupChangeKind::OverrideEnded => self.something_happened(now),
            GroupChangeKind::SeatFreed => {
                if self.judges_flapping && change.reason == GroupReason::NoHeartbeat {
                    let what = format!("{:?} lost its seat: {}", change.session, change.explanation);
                    self.pending = Some(("FalseFailover", what));
                }
            }
            GroupChangeKind::ToldToStop
            | GroupChangeKind::ChallengeBegan
            | GroupChangeKind::ChallengeDropped
            | GroupChangeKind::HandOver
            | GroupChangeKind::SessionContested
            | GroupChangeKind::PoliciesDiffer => {}
        }
    }

    fn promoted(&mut self, now: Instant, key: &GroupKey, change: &GroupChange) {
        // A Primary that is renewed by an endpoint that begins is no new one.
        if self.judges_epochs
            && change.reason != GroupReason::ActsAlready
            && let Some(epoch) = change.epoch
        {
            let before = self.highest.insert(key.clone(), (epoch, change.session.clone()));
            if let Some((last, who)) = before
                && (epoch < last || (epoch == last && who != change.session))
            {
                let what = format!(
                    "{:?} is promoted under epoch {epoch} after {who:?} under {last}",
                    change.session
                );
                self.pending = Some(("EpochFell", what));
            }
        }
        self.promotions.push((now, key.clone()));
        let window = 10 * super::plan::T * TRUE_RATE / (TRUE_RATE + DRIFT);
        let from = self.disturbed.max(now.saturating_sub(window));
        let recent = self.promotions.iter().filter(|(at, of)| *at >= from && of == key).count();
        if self.judges_flapping && recent > 2 {
            let what = format!("{recent} promotions in 10 T although nothing happens");
            self.pending = Some(("Flapping", what));
        }
    }
}

impl World {
    /// Looks at the world after an event.
    pub(crate) fn judge_now(&mut self) {
        if let Some((kind, what)) = self.judge.pending.take() {
            self.accuse(kind, what);
        }
        self.judge.sink.note_time(self.now);
        self.judge_tenures();
        if !self.plan.is_native() {
            // A stock member that is heard and hears nothing cannot be told from one that acts.
            return;
        }
        let stalls = if self.plan.stalls { 5 } else { 2 };
        let limit = at_most(LIVELY_TS * self.longest_timeout) * stalls / 2 + SLACK;
        for site in 0..self.sites.len() {
            let Some(group) = self.group_of(site) else { continue };
            let Some(contact) = self.judge.contacts.get(&site).copied() else { continue };
            if self.now.saturating_sub(contact.last) > at_most(super::plan::T / 2) {
                continue;
            }
            let acted = self.judge.sink.acted_at(&group);
            let since =
                contact.since.max(acted).max(self.judge.endpoint_disturbed).max(self.judge.excused_until);
            if self.now.saturating_sub(since) > limit {
                let idle = (self.now - since) / 1_000;
                let what = format!("nobody has acted in {group} for {idle} ms; site {site} is in contact");
                return self.accuse("NobodyActs", what);
            }
        }
    }

    /// How long a hand-over may take where no nudge makes it faster: the old Primary has stopped, and the
    /// new one asks at its own pace. A stock member says at its next heartbeat only that it stopped.
    fn hand_over(&self) -> Span {
        let timeout = self.longest_timeout;
        at_most(if self.plan.is_native() { timeout / 4 } else { timeout }) + SLACK / 4
    }

    /// The group that the running process at `site` is to be a member of.
    pub(crate) fn group_of(&self, site: SiteId) -> Option<GroupId> {
        let place = &self.sites[site];
        let config = place.disk.config.filter(|_| place.process.is_some())?;
        (config.mode != client_failover::domain::Mode::None).then(|| group_id(config.group))
    }

    /// Once all has been well for long enough, each group has exactly one Primary, and history is whole.
    pub(crate) fn judge_end(&mut self) {
        let groups: std::collections::BTreeSet<GroupId> =
            (0..self.sites.len()).filter_map(|site| self.group_of(site)).collect();
        for group in groups {
            let writers = self.judge.sink.writers(self.now, &group);
            let idle = self.now.saturating_sub(self.judge.sink.acted_at(&group));
            if writers.len() > 1 || idle > self.hand_over() {
                let what = format!("{writers:?} act in {group} after all was well again, idle for {idle} us");
                self.accuse("NotHealed", what);
            }
        }
        for site in 0..self.sites.len() {
            let pid = self.sites[site].pid();
            let whole = self.sites[site].native().is_some_and(|native| native.recorder.is_idle());
            let rows = &self.sites[site].disk.rows;
            let runs: std::collections::BTreeSet<u32> = rows.iter().map(|row| row.pid).collect();
            let accused = runs
                .into_iter()
                .find_map(|run| self.judge.history.disagrees(run, rows, whole && Some(run) == pid));
            self.accuse_if(accused);
        }
    }
}

/// How long after the world was healed there must be one Primary.
pub(crate) const fn settling_time(timeout: Span) -> Span {
    at_most(5 * timeout) + SLACK
}
