//! How a Primary comes and goes: a hand-over that begins comes to its end, starting takes time, and the end
//! of a lease is noticed.

use std::collections::BTreeMap;

use client_failover::domain::{
    Epoch, GroupChange, GroupChangeKind, GroupKey, GroupReason, Role, SessionId, Standing,
};

use super::{
    World,
    clock::{DRIFT, Instant, MILLISECOND, SECOND, Span, TRUE_RATE},
    event::SiteId,
    judge::at_most,
    plan::{Fault, Weather},
    writing::LATE,
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
    /// Who challenges.
    challenger: Option<SessionId>,
    /// Under which epoch the seat was last freed.
    freed: Option<Epoch>,
    /// It was told to stop for a challenger that had confirmed: when, and by when somebody has to act.
    hand_over: Option<(Instant, Instant)>,
}

/// What is known of all Primaries.
#[derive(Debug, Default)]
pub(crate) struct Tenures {
    groups: BTreeMap<GroupKey, Tenure>,
    /// When each member last heard an answer to a heartbeat.
    heard: BTreeMap<SessionId, Instant>,
}

impl Tenures {
    /// An answer to a heartbeat reaches a member.
    pub(crate) fn member_heard(&mut self, now: Instant, session: &SessionId) {
        self.heard.insert(session.clone(), now);
    }

    /// When a member last heard an answer to a heartbeat.
    pub(crate) fn heard_at(&self, session: &SessionId) -> Option<Instant> {
        self.heard.get(session).copied()
    }

    /// A run of the endpoint begins: it goes on from what is on disk.
    pub(crate) fn endpoint_begins(&mut self) {
        self.groups.values_mut().for_each(|tenure| tenure.freed = None);
    }

    /// A Primary says that it acts and can do something.
    pub(crate) fn scored(&mut self, session: &SessionId) {
        for tenure in self.groups.values_mut().filter(|tenure| tenure.session.as_ref() == Some(session)) {
            tenure.scored = true;
        }
    }
}

/// Whether a Primary that is told to stop for this has a successor that has confirmed.
pub(crate) const fn is_for_a_challenger(reason: GroupReason) -> bool {
    matches!(reason, GroupReason::BetterScore | GroupReason::ScoreZero | GroupReason::OperatorAsked)
}

impl World {
    /// Something happened in a group.
    pub(crate) fn note_tenure(&mut self, key: &GroupKey, change: &GroupChange) {
        let now = self.now;
        let calm = self.hands_over_well(change);
        let timeout = self.group_timeout(key);
        let longest = self.judge.lively.timeout(now, &key.id).unwrap_or(timeout);
        // Its deadline may be by a larger T that the group had before.
        let stops = self.stop_takes(change, longest.max(self.plan.group(&key.id).timeout));
        // A doubled heartbeat of a stock member looks like a later one.
        let native = self.plan.is_native();
        // What was said to an earlier run of the endpoint, and comes late or again, looks like a confirmation.
        let Weather { late, doubled, .. } = self.plan.weather;
        let echoes = self.plan.faults.contains(&Fault::Replay) || late + doubled > 0;
        let asked = is_for_a_challenger(change.reason) && !echoes;
        let Tenures { groups, heard } = &mut self.judge.tenures;
        let tenure = groups.entry(key.clone()).or_default();
        match change.kind {
            GroupChangeKind::Promoted => {
                let given = change.reason == GroupReason::ActsAlready || change.epoch > tenure.freed;
                *tenure = Tenure { session: change.session.clone(), since: now, ..Tenure::default() };
                if !given {
                    let what = format!("the seat of {:?} was freed before it was given", change.session);
                    self.accuse("History", what);
                }
            }
            GroupChangeKind::SeatFreed => tenure.freed = change.epoch,
            GroupChangeKind::ChallengeBegan => {
                (tenure.challenged, tenure.challenger) = (now, change.session.clone());
            }
            GroupChangeKind::ToldToStop => {
                let undisturbed = self.judge.disturbed < tenure.challenged;
                let due = now + stops + at_most(timeout / 2) + SECOND;
                tenure.hand_over = (calm && undisturbed).then_some((now, due));
                let unproved = native && asked && {
                    let heard = tenure.challenger.as_ref().and_then(|session| heard.get(session));
                    heard.is_none_or(|heard| *heard < tenure.challenged)
                };
                let early = now - tenure.since < timeout * 19 / 20 * TRUE_RATE / (TRUE_RATE + DRIFT);
                let known = tenure.session == change.session;
                let judged = native && change.reason == GroupReason::ScoreZero;
                if unproved {
                    let what =
                        format!("{:?} was told to stop for one that has heard nothing", change.session);
                    return self.accuse("Unproved", what);
                }
                if judged && known && !tenure.scored && early {
                    let what = format!("{:?} had no time to start", change.session);
                    self.accuse("Tenure", what);
                }
            }
            GroupChangeKind::ChallengeDropped
            | GroupChangeKind::HandOver
            | GroupChangeKind::StoreWasSetBack
            | GroupChangeKind::OverrideBegan
            | GroupChangeKind::OverrideEnded
            | GroupChangeKind::SessionContested
            | GroupChangeKind::PoliciesDiffer
            | GroupChangeKind::EndpointStopped
            | GroupChangeKind::EndpointAway => {}
        }
    }

    /// Whether the Primary that is told hears it, and nothing on the way makes the hand-over slow.
    fn hands_over_well(&self, change: &GroupChange) -> bool {
        let now = self.now;
        let told = |site: &&super::site::Site| Some(&site.disk.session) == change.session.as_ref();
        is_for_a_challenger(change.reason)
            && self.plan.is_native()
            && self.plan.weather == Weather::default()
            && !self.plan.stalls
            && self.plan.freezes_between == 0
            && self.sites.iter().filter(told).count() == 1
            && self.sites.iter().filter(told).all(|site| site.runs() && site.link.is_good(now))
            && !self
                .sites
                .iter()
                .any(|site| site.link.is_late(self.plan.timeout) || now < site.link.lossy_until)
            && !self.endpoint.mood.is_bad()
            && self.endpoint.writer.ends() <= now + LATE
    }

    /// How long the Primary that is told may take to stop: it stops at the deadline at the latest.
    fn stop_takes(&self, change: &GroupChange, timeout: Span) -> Span {
        let told = |site: &&super::site::Site| Some(&site.disk.session) == change.session.as_ref();
        self.sites.iter().filter(told).map(|site| site.member.stops_within(timeout)).max().unwrap_or_default()
    }

    pub(crate) fn group_timeout(&self, key: &GroupKey) -> Span {
        self.endpoint.cells.get(key).map_or(self.plan.timeout, |cell| {
            u64::try_from(cell.group.spec().draft.timeout.get().as_micros()).unwrap_or(u64::MAX)
        })
    }

    /// What is due by now.
    pub(crate) fn judge_tenures(&mut self) {
        let (now, disturbed) = (self.now, self.judge.disturbed);
        let mut lost = None;
        for (key, tenure) in &mut self.judge.tenures.groups {
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
