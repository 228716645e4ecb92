//! How a Primary comes and goes: a hand-over that begins comes to its end, starting takes time, and the end
//! of a lease is noticed.

use std::collections::BTreeMap;

use client_failover::domain::{
    GroupChange, GroupChangeKind, GroupKey, GroupReason, Role, SessionId, Standing,
};

use super::{
    World,
    clock::{DRIFT, Instant, MILLISECOND, SECOND, Span, TRUE_RATE},
    event::SiteId,
    judge::at_most,
    plan::{Fault, Weather},
};

/// How long after the end of its lease a process that runs may take to say so.
const NOTICED: Span = 500 * MILLISECOND;

/// What is known of one group's Primary.
#[derive(Debug, Default)]
struct Tenure {
    session: Option<SessionId>,
    since: Instant,
    /// Whether it said a score above 0 while it acted.
    scored: bool,
    challenged: Instant,
    /// It was told to stop for a challenger that had confirmed: when, and by when somebody has to act.
    hand_over: Option<(Instant, Instant)>,
}

/// What is known of all Primaries.
#[derive(Debug, Default)]
pub(crate) struct Tenures(BTreeMap<GroupKey, Tenure>);

impl Tenures {
    /// A Primary says that it acts and can do something.
    pub(crate) fn scored(&mut self, session: &SessionId) {
        for tenure in self.0.values_mut().filter(|tenure| tenure.session.as_ref() == Some(session)) {
            tenure.scored = true;
        }
    }
}

impl World {
    /// Something happened in a group.
    pub(crate) fn note_tenure(&mut self, key: &GroupKey, change: &GroupChange) {
        let now = self.now;
        let calm = self.hands_over_well(change);
        let timeout = self.group_timeout(key);
        // A doubled heartbeat of a stock member looks like a later one.
        let native = self.plan.is_native();
        let tenure = self.judge.tenures.0.entry(key.clone()).or_default();
        match change.kind {
            GroupChangeKind::Promoted => {
                self.judge.excuse(now, change.session.as_ref());
                let tenure = self.judge.tenures.0.entry(key.clone()).or_default();
                // Where the store is late, the time to start begins before the promotion is on disk.
                let scored = self.plan.faults.contains(&Fault::StoreTrouble);
                *tenure = Tenure { session: change.session.clone(), since: now, scored, ..Tenure::default() };
            }
            GroupChangeKind::ChallengeBegan => tenure.challenged = now,
            GroupChangeKind::ToldToStop => {
                // For T after its start an endpoint does not believe that the holder on record stopped.
                let undisturbed = self.judge.disturbed < tenure.challenged
                    && now > self.judge.endpoint_disturbed + at_most(2 * timeout);
                tenure.hand_over = (calm && undisturbed).then(|| (now, now + at_most(timeout / 2) + SECOND));
                let early = now - tenure.since < timeout * 19 / 20 * TRUE_RATE / (TRUE_RATE + DRIFT);
                let known = tenure.session == change.session;
                let judged = native && change.reason == GroupReason::ScoreZero;
                if judged && known && !tenure.scored && early {
                    let what = format!("{:?} had no time to start", change.session);
                    self.accuse("Tenure", what);
                }
            }
            GroupChangeKind::SeatFreed
            | GroupChangeKind::ChallengeDropped
            | GroupChangeKind::HandOver
            | GroupChangeKind::StoreWasSetBack
            | GroupChangeKind::OverrideBegan
            | GroupChangeKind::OverrideEnded
            | GroupChangeKind::SessionContested
            | GroupChangeKind::PoliciesDiffer => {}
        }
    }

    /// Whether the Primary that is told hears it, and nothing on the way makes the hand-over slow.
    fn hands_over_well(&self, change: &GroupChange) -> bool {
        let now = self.now;
        let asked = matches!(
            change.reason,
            GroupReason::BetterScore | GroupReason::ScoreZero | GroupReason::OperatorAsked
        );
        let told = |site: &&super::site::Site| Some(&site.disk.session) == change.session.as_ref();
        asked
            && self.plan.is_native()
            && self.plan.weather == Weather::default()
            && !self.plan.stalls
            && self.plan.freezes_between == 0
            && self.sites.iter().filter(told).count() == 1
            && self.sites.iter().filter(told).all(|site| site.runs() && site.link.is_good(now))
            && !self.sites.iter().any(|site| site.link.is_late() || now < site.link.lossy_until)
            && !self.endpoint.mood.is_bad()
    }

    fn group_timeout(&self, key: &GroupKey) -> Span {
        self.endpoint.cells.get(key).map_or(self.plan.timeout, |cell| {
            u64::try_from(cell.group.spec().draft.timeout.get().as_micros()).unwrap_or(u64::MAX)
        })
    }

    /// What is due by now.
    pub(crate) fn judge_tenures(&mut self) {
        let (now, disturbed) = (self.now, self.judge.disturbed);
        let mut lost = None;
        for (key, tenure) in &mut self.judge.tenures.0 {
            if let Some((told, due)) = tenure.hand_over {
                if disturbed >= told {
                    tenure.hand_over = None;
                } else if now > due {
                    tenure.hand_over = None;
                    lost = lost.or_else(|| Some(key.clone()));
                }
            }
        }
        if let Some(key) = lost.filter(|key| self.judge.sink.writers(now, &key.id).is_empty()) {
            self.accuse(
                "HandOverLost",
                format!("the Primary of {} was told to stop, and nobody acts", key.id),
            );
        }
        for site in 0..self.sites.len() {
            let runs = self.sites[site].runs();
            let Some(process) = self.sites[site].process.as_ref().filter(|_| runs) else { continue };
            let Some(end) = process.acts_until.filter(|_| now > process.went_on + NOTICED) else { continue };
            if now > self.sites[site].clock.when(end).saturating_add(NOTICED) {
                let what = format!("site {site} has not noticed that its lease is over");
                return self.accuse("Unnoticed", what);
            }
        }
    }

    /// The process at `site` published where it stands.
    pub(crate) fn note_lease(&mut self, site: SiteId, standing: &Standing) {
        if let Some(process) = self.sites[site].process.as_mut() {
            process.acts_until = standing.acting_until().filter(|_| standing.role == Role::Primary);
        }
    }
}
