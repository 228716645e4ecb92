//! What happened, for the history: each change with what was known, and the receipts of hand-overs.

use std::time::Duration;

use super::{
    Epoch, Group, GroupChange, GroupChangeKind, GroupReason, Holder, Member, Moment, SessionId, Uptime, Why,
    seat::Tenure,
};
use crate::domain::{LastAct, NativeHeartbeat, Receipt, Seen};

/// A change says of so many members at the most what was known of them: of those that it is about, and of the earliest
/// registered.
const MOST_SEEN: usize = 32;

/// A moment that may lie before this boot: so long before a moment of the boot clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past {
    pub(super) clock: Uptime,
    pub(super) before: Duration,
}

impl Past {
    const fn at(clock: Uptime) -> Self {
        Self { clock, before: Duration::ZERO }
    }

    fn ago(self, now: Moment) -> Duration {
        now.clock.since(self.clock) + self.before
    }
}

/// Who held the seat before, and acted on it.
#[derive(Debug, Clone)]
pub(super) struct Former {
    pub(super) holder: Holder,
    pub(super) known: LastAct,
    pub(super) last_act: Past,
    /// By the boot clock.
    pub(super) delivered: Option<Uptime>,
    /// When it had begun to act, by the boot clock; empty where that was before this run of the endpoint.
    first_act: Option<Uptime>,
    /// Whether it was not heard in this run of the endpoint.
    unheard: bool,
}

/// A hand-over that is known from both its sides.
#[derive(Debug, Clone)]
pub(super) struct Handed {
    from: Holder,
    to: Holder,
    epoch: Epoch,
    cause: GroupReason,
    known: LastAct,
    last_act: Past,
    first_act: Uptime,
    delivered: Option<Uptime>,
}

impl Handed {
    fn receipt(&self, now: Moment) -> Receipt {
        Receipt {
            epoch: self.epoch,
            from: self.from.session.clone(),
            to: self.to.session.clone(),
            cause: self.cause,
            last_act: self.known,
            last_act_ago: self.last_act.ago(now),
            first_act_ago: now.clock.since(self.first_act),
            last_delivered_ago: self.delivered.map(|at| now.clock.since(at)),
        }
    }
}

impl Group {
    pub(super) fn note(&mut self, now: Moment, kind: GroupChangeKind, session: Option<SessionId>, why: Why) {
        let change = self.change(now, kind, session, why);
        self.changes.push(change);
    }

    pub(super) fn change(
        &self,
        now: Moment,
        kind: GroupChangeKind,
        session: Option<SessionId>,
        why: Why,
    ) -> GroupChange {
        GroupChange {
            at: now.wall,
            since: None,
            kind,
            reason: why.reason,
            explanation: why.sentence,
            epoch: self.floor,
            asked_by: None,
            members: self.seen_of(now, self.members_about(session.as_ref())),
            session,
            receipt: None,
        }
    }

    /// The members whom a change of `session` is about, and others, [`MOST_SEEN`] of them.
    fn members_about(&self, session: Option<&SessionId>) -> Vec<&Member> {
        let holder = self.seat.holder().map(|holder| &holder.session);
        let challenger = self.challenge.as_ref().map(|challenge| &challenge.by.session);
        let about = [session, holder, challenger, self.freed_by.as_ref()];
        let mut members: Vec<&Member> = self.members.values().collect();
        if members.len() > MOST_SEEN {
            members.sort_by_key(|member| (!about.contains(&Some(&member.spec.id)), member.order));
            members.truncate(MOST_SEEN);
        }
        members
    }

    /// What is known of each member, in the order of registration.
    pub(super) fn seen(&self, now: Moment) -> Vec<Seen> {
        self.seen_of(now, self.members.values().collect())
    }

    fn seen_of(&self, now: Moment, mut members: Vec<&Member>) -> Vec<Seen> {
        members.sort_by_key(|member| member.order);
        let seen = |member: &Member| Seen {
            session: member.spec.id.clone(),
            score: member.heard.as_ref().map(|heard| heard.score),
            heard_ago: member.heard.as_ref().map(|heard| now.clock.since(heard.at.clock)),
            acting: member.native.as_ref().map(|native| native.acting),
        };
        members.into_iter().map(seen).collect()
    }

    /// The holder of the seat says that it acts, and for how long it has.
    pub(super) fn hear_acting(&mut self, now: Moment, acting_for: Duration) {
        // Where the grant does not reach the disk, there was no hand-over.
        let begins = |tenure: &&mut Tenure| tenure.first_act.is_none() && !tenure.unrecorded;
        let Some(tenure) = self.seat.tenure_mut().filter(begins) else { return };
        let first_act = (now.clock - acting_for).max(tenure.granted_at);
        tenure.first_act = Some(first_act);
        let Some(former) = self.former.take() else { return };
        let handed = Handed {
            from: former.holder,
            to: tenure.holder.clone(),
            epoch: tenure.epoch,
            cause: tenure.cause,
            known: former.known,
            last_act: former.last_act,
            first_act,
            delivered: former.delivered,
        };
        let receipt = handed.receipt(now);
        let mut sentence = receipt.sentence();
        if former.unheard {
            sentence.push_str(&format!(
                "; {} was not heard after the endpoint began: that is counted from the endpoint's last sign of life",
                handed.from.session
            ));
        }
        let why = Why::new(handed.cause, sentence);
        let mut change = self.change(now, GroupChangeKind::HandOver, Some(handed.to.session.clone()), why);
        change.receipt = Some(receipt);
        self.changes.push(change);
        self.handed = Some(handed);
    }

    /// The holder on record does not act any more: it has stopped while the endpoint was away, and says how long
    /// ago. When somebody acts again, it is known what lay between; but if it was not acting when the record was
    /// written, it never heard of its grant, and has nothing to say about it.
    ///
    /// If it is to act again, it does so under a new epoch: another may have acted since, where an earlier run of the
    /// endpoint did not know what a run before that had granted.
    pub(super) fn hear_stopped_meanwhile(&mut self, now: Moment, stopped_for: Option<Duration>) {
        let renewing = self.is_renewing();
        let Some(tenure) = self.seat.tenure_mut() else { return };
        let Some(on_record) = tenure.on_record.take() else { return };
        if !renewing {
            tenure.epoch = Epoch::next(self.floor.max(self.mark), now.wall);
            tenure.since = Some(now.wall);
            self.floor = Some(tenure.epoch);
            self.books.write_floor();
        }
        tenure.first_act = None;
        let stopped = stopped_for.filter(|ago| now.wall.minus(*ago) > on_record);
        self.former = stopped.map(|ago| Former {
            holder: tenure.holder.clone(),
            known: LastAct::Said,
            last_act: Past { clock: now.clock, before: ago },
            delivered: tenure.delivered,
            first_act: None,
            unheard: false,
        });
    }

    /// Keeps who was on record and was never heard again: it held the seat when the run of the endpoint before this one
    /// was last there.
    pub(super) fn remember_vouched(&mut self, tenure: &Tenure) {
        if let Some(last_act) = tenure.vouched {
            let (holder, known) = (tenure.holder.clone(), LastAct::LastHeartbeat);
            let (delivered, first_act) = (None, None);
            self.former = Some(Former { holder, known, last_act, delivered, first_act, unheard: true });
        }
    }

    /// Who held the seat before is heard again before anybody acts, and says for how long it has not acted. The word by which
    /// it freed the seat may have lain in the socket of an endpoint that was stalled, and said too little.
    pub(super) fn hear_former(&mut self, now: Moment, id: &SessionId, said: &NativeHeartbeat) {
        let is_former = |former: &&mut Former| {
            let (holder, known) = (&former.holder, former.known);
            known == LastAct::Said
                && holder.session == *id
                && holder.incarnation.as_ref() == Some(&said.incarnation)
        };
        let Some(former) = self.former.as_mut().filter(is_former) else { return };
        let acted = former.first_act.map_or(Duration::MAX, |first_act| now.clock.since(first_act));
        if let Some(ago) = said.applied_for.filter(|_| !said.acting).map(|ago| ago.min(acted))
            && ago > former.last_act.ago(now)
        {
            former.last_act = Past { clock: now.clock, before: ago };
        }
    }

    /// Keeps who held the seat, if it ever acted on it.
    pub(super) fn remember_former(&mut self, tenure: &Tenure, known: LastAct, last_act: Uptime) {
        if let Some(first_act) = tenure.first_act {
            self.former = Some(Former {
                holder: tenure.holder.clone(),
                known,
                last_act: Past::at(last_act.max(first_act)),
                delivered: tenure.delivered,
                first_act: Some(first_act),
                unheard: false,
            });
        }
    }

    /// The receipt of the last hand-over, for the two that it is about, and for whoever was started in their place.
    pub(super) fn receipt_for(&self, now: Moment, member: &Member) -> Option<Receipt> {
        let handed = self.handed.as_ref()?;
        let is_about = [&handed.from, &handed.to].iter().any(|holder| holder.session == member.spec.id);
        is_about.then(|| handed.receipt(now))
    }
}
