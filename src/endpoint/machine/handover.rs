//! What happened, for the history: each change with what was known, and the receipts of hand-overs.

use std::time::Duration;

use super::{
    Epoch, Group, GroupChange, GroupChangeKind, GroupReason, Holder, Member, Moment, SessionId, Uptime, Why,
    seat::Tenure,
};
use crate::domain::{LastAct, Receipt, Seen};

/// A change says of so many members at the most what was known of them.
const MOST_SEEN: usize = 32;

/// Who held the seat before, and acted on it.
#[derive(Debug, Clone)]
pub(super) struct Former {
    pub(super) holder: Holder,
    pub(super) known: LastAct,
    /// By the boot clock, as is every moment here.
    pub(super) last_act: Uptime,
    pub(super) delivered: Option<Uptime>,
}

/// A hand-over that is known from both its sides.
#[derive(Debug, Clone)]
pub(super) struct Handed {
    from: Holder,
    to: Holder,
    epoch: Epoch,
    cause: GroupReason,
    known: LastAct,
    last_act: Uptime,
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
            last_act_ago: now.clock.since(self.last_act),
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
            session,
            epoch: self.floor,
            asked_by: None,
            members: self.seen(now).into_iter().take(MOST_SEEN).collect(),
            receipt: None,
        }
    }

    /// What is known of each member, in the order of registration.
    pub(super) fn seen(&self, now: Moment) -> Vec<Seen> {
        let mut members: Vec<&Member> = self.members.values().collect();
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
        let Some(tenure) = self.seat.tenure_mut().filter(|tenure| tenure.first_act.is_none()) else { return };
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
        let why = Why::new(handed.cause, receipt.sentence());
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
            self.floor = Some(tenure.epoch);
            self.books.write_floor();
        }
        tenure.first_act = None;
        let stopped = stopped_for
            .filter(|ago| now.wall.minus(*ago) > on_record && *ago < now.clock.since_boot())
            .map(|ago| now.clock - ago);
        self.former = stopped.map(|last_act| Former {
            holder: tenure.holder.clone(),
            known: LastAct::Said,
            last_act,
            delivered: tenure.delivered,
        });
    }

    /// Keeps who held the seat, if it ever acted on it.
    pub(super) fn remember_former(&mut self, tenure: &Tenure, known: LastAct, last_act: Uptime) {
        if let Some(first_act) = tenure.first_act {
            self.former = Some(Former {
                holder: tenure.holder.clone(),
                known,
                last_act: last_act.max(first_act),
                delivered: tenure.delivered,
            });
        }
    }

    /// The receipt of the last hand-over, for the two that it is about.
    pub(super) fn receipt_for(&self, now: Moment, member: &Member) -> Option<Receipt> {
        let handed = self.handed.as_ref()?;
        (member.is(&handed.from) || member.is(&handed.to)).then(|| handed.receipt(now))
    }
}
