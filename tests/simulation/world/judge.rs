//! What must hold after every event, and once all is well again.

use std::collections::BTreeMap;

use client_failover::domain::{
    Epoch, GroupChange, GroupChangeKind, GroupId, GroupKey, GroupReason, Mode, SessionId,
};

use super::{
    World,
    clock::{DRIFT, Instant, Span, TRUE_RATE},
    event::SiteId,
    healing::Healing,
    history::History,
    lively::Lively,
    sink::{Accusation, Sink},
    steady::Steady,
    tenures::Tenures,
    told::Told,
};

/// What the judge knows.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    pub(crate) sink: Sink,
    pub(crate) history: History,
    pub(crate) told: Told,
    steady: Steady,
    pub(crate) lively: Lively,
    pub(crate) healing: Healing,
    /// When the endpoint was last disturbed: a start, a freeze, a store that failed, a set-back found.
    pub(crate) endpoint_disturbed: Instant,
    /// When anything at all was last disturbed.
    pub(crate) disturbed: Instant,
    promotions: Vec<(Instant, GroupKey)>,
    highest: BTreeMap<GroupKey, (Epoch, Option<SessionId>)>,
    pub(crate) tenures: Tenures,
    pending: Option<Accusation>,
    pub(crate) judges_epochs: bool,
    pub(crate) judges_flapping: bool,
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
        self.lively.contact_ends(now, site);
        self.something_happened(now);
    }

    /// A group's machine says that something happened.
    pub(crate) fn group_changed(&mut self, now: Instant, key: &GroupKey, change: &GroupChange) {
        if self.judges_flapping
            && let Some(timeout) = self.lively.timeout(now, &key.id)
            && let Some(accused) = self.steady.changed(now, timeout, key, change)
        {
            self.pending = Some(accused);
        }
        match change.kind {
            GroupChangeKind::Promoted => self.promoted(now, key, change),
            GroupChangeKind::StoreWasSetBack => self.endpoint_was_disturbed(now),
            GroupChangeKind::OverrideBegan | GroupChangeKind::OverrideEnded => self.something_happened(now),
            GroupChangeKind::SeatFreed => {
                self.lively.seat_was_lost(now, &key.id);
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
            | GroupChangeKind::PoliciesDiffer
            | GroupChangeKind::EndpointStopped
            | GroupChangeKind::EndpointAway => {}
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
        let heard = change.session.as_ref().and_then(|session| self.tenures.heard_at(session));
        self.lively.seat_was_given(now, &key.id, heard);
        // A Primary had no answer from an endpoint that was away, and stopped: that happened, and what follows from it is not
        // to and fro. It may follow some time after the endpoint is back.
        if matches!(change.reason, GroupReason::Stalled | GroupReason::EndedUnsaid | GroupReason::PlannedStop)
        {
            return;
        }
        self.promotions.push((now, key.clone()));
        let timeout = self.lively.timeout(now, &key.id).unwrap_or_default();
        let window = 10 * timeout * TRUE_RATE / (TRUE_RATE + DRIFT);
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
        self.judge_tenures();
        self.judge_liveliness();
        self.judge_healing();
    }

    /// The group that the running process at `site` is to be a member of.
    pub(crate) fn group_of(&self, site: SiteId) -> Option<&GroupId> {
        let place = &self.sites[site];
        let config = place.disk.config.filter(|_| place.process.is_some())?;
        (config.mode != Mode::None).then(|| &self.ids[config.group])
    }

    /// Once the schedule ends, history is whole.
    pub(crate) fn judge_end(&mut self) {
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
