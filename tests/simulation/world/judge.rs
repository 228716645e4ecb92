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
    writing::LATE,
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
    /// Whether nothing goes wrong, and sources stay as they are.
    pub(crate) is_calm: bool,
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

    /// The machine of a group with this T says that something happened.
    pub(crate) fn group_changed(
        &mut self,
        now: Instant,
        timeout: Span,
        key: &GroupKey,
        change: &GroupChange,
    ) {
        let judged = self.judges_flapping_from(now);
        if let Some(accused) = self.steady.changed(now, judged, timeout, key, change) {
            self.pending = Some(accused);
        }
        match change.kind {
            GroupChangeKind::Promoted => self.promoted(now, timeout, key, change),
            GroupChangeKind::StoreWasSetBack => self.endpoint_was_disturbed(now),
            GroupChangeKind::OverrideBegan | GroupChangeKind::OverrideEnded => self.something_happened(now),
            GroupChangeKind::SeatFreed => {
                self.lively.seat_was_lost(now, &key.id);
                if change.reason == GroupReason::NoHeartbeat && self.nobody_is_away(now, &key.id) {
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

    /// Since when nothing has happened that may let roles change, where the choice is judged: in a calm plant, and once all
    /// is well again.
    fn judges_flapping_from(&self, now: Instant) -> Option<Instant> {
        if self.is_calm {
            return Some(0);
        }
        // What was granted before may be told once it is on disk.
        let since = self.healing.since()?.max(self.disturbed) + LATE;
        (now > since).then_some(since)
    }

    /// Whether nobody may be silent: nothing goes wrong but that the endpoint stands still, or all has long been well.
    fn nobody_is_away(&self, now: Instant, group: &GroupId) -> bool {
        let timeout = self.lively.timeout(now, group).unwrap_or_default();
        self.is_calm || self.healing.is_over(now, group, timeout)
    }

    fn promoted(&mut self, now: Instant, timeout: Span, key: &GroupKey, change: &GroupChange) {
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
        // to and fro. It may follow some time after the endpoint is back; so it may after the store was set back, or one was
        // stopped in order.
        let followed = matches!(
            change.reason,
            GroupReason::Stalled
                | GroupReason::EndedUnsaid
                | GroupReason::PlannedStop
                | GroupReason::ActedNoLonger
                | GroupReason::ActsAlready
                | GroupReason::StoreSetBack
        );
        if followed || (change.reason == GroupReason::StoppedActing && !self.is_calm) {
            return;
        }
        self.promotions.push((now, key.clone()));
        let window = 10 * timeout * TRUE_RATE / (TRUE_RATE + DRIFT);
        let judged = self.judges_flapping_from(now);
        let from = self.disturbed.max(judged.unwrap_or_default()).max(now.saturating_sub(window));
        let recent = self.promotions.iter().filter(|(at, of)| *at >= from && of == key).count();
        if judged.is_some() && recent > 2 {
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
        self.judge_drills();
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
