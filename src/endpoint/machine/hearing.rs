//! What a heartbeat says, before anything is answered.

use std::net::SocketAddr;

use super::{
    Epoch, FailoverScore, FailoverTimeout, Group, GroupChangeKind, GroupReason, Heard, Member, Moment,
    Native, Question, Refusal, SessionId, Why, choice::CALM, seconds,
};
use crate::domain::{Heartbeat, NativeHeartbeat};

impl Group {
    /// Takes in a heartbeat of session `id` that arrived on `connection`.
    ///
    /// # Errors
    /// When the session is not known, or another run of a process uses it.
    pub fn hear(
        &mut self,
        now: Moment,
        id: &SessionId,
        heartbeat: &Heartbeat,
        connection: Option<SocketAddr>,
    ) -> Result<Question, Refusal> {
        // What was over before this heartbeat was over without it: its reason must not count from it.
        self.pass(now);
        let timeout = self.timeout();
        let member = self.members.get_mut(id).ok_or(Refusal::Unknown)?;
        let newer = match member.admit(now, timeout, heartbeat.native.as_ref()) {
            Ok(newer) => newer,
            Err(refusal) => {
                if !member.has_outlived(now, timeout, heartbeat.native.as_ref()) {
                    self.note_contest(now, id);
                }
                return Err(refusal);
            }
        };
        let mut question = Question {
            session: id.clone(),
            incarnation: heartbeat.native.as_ref().map(|native| native.incarnation.clone()),
            sequence: heartbeat.native.as_ref().map_or(0, |native| native.sequence),
            newer,
            vacated: false,
            connection,
        };
        if newer {
            member.heard = Some(Heard { at: now, score: heartbeat.score, last_data: heartbeat.last_data });
            if let Some(native) = &heartbeat.native {
                member.listen(now, native);
                self.hear_former(now, id, native);
                self.note_epoch(now, id, native.epoch);
            }
            question.vacated = self.hear_holder(now, &question, heartbeat);
            self.hear_challenger(&question, heartbeat);
            self.compare_policies(now);
        }
        self.pass(now);
        Ok(question)
    }

    /// A member that knows a higher epoch than the group shows that the store was set back (R4).
    ///
    /// So does a member that is unknown here and has known an epoch: the floor of a group without a
    /// promotion is below any epoch. One that knows a lower epoch has only been away.
    ///
    /// Whoever acts under that epoch was permitted to by an earlier run of the endpoint, so nobody is chosen
    /// until T after the start. After that nobody does, and the group goes on under an epoch that is higher
    /// still. The epoch of a member that claims a higher one again and again becomes the floor each time, but
    /// costs the Primary its seat once in 10 T.
    fn note_epoch(&mut self, now: Moment, id: &SessionId, reported: Option<Epoch>) {
        let Some(reported) = reported.filter(|reported| Some(*reported) > self.floor) else { return };
        let known = self.floor.map_or_else(|| "none".to_owned(), |floor| floor.to_string());
        // Whoever is on record is renewed by an exact restart, under an epoch that nobody else has had.
        let renewed = self.seat.tenure().is_some_and(|tenure| tenure.last_primary.is_some());
        self.floor = Some(if renewed { Epoch::next(Some(reported), now.wall) } else { reported });
        self.books.write_floor();
        let calm = self.timeout().get() * CALM;
        let Some(member) = self.members.get_mut(id) else { return };
        if member.showed.is_some_and(|last| now.uptime < last + calm) {
            return;
        }
        member.showed = Some(now.uptime);
        if let Some(inherited) = self.inherited.filter(|inherited| now.uptime < inherited.until) {
            self.renewing_until = Some(inherited.until);
        }
        let why = |sentence: String| Why::new(GroupReason::StoreSetBack, sentence);
        self.drop_challenge(now, why("the store was set back".to_owned()));
        let why = why(format!("{id} knows epoch {reported}, the store {known}: the store was set back"));
        self.note(now, GroupChangeKind::StoreWasSetBack, Some(id.clone()), why.clone());
        let Some(tenure) = self.seat.tenure().filter(|tenure| !tenure.unrecorded) else { return };
        if tenure.last_primary.is_none() {
            // A tenure on record ended before a higher epoch could be granted.
            self.free(now, why);
        } else if tenure.holder.incarnation.is_some() {
            // One that this run of the endpoint has renewed did not.
            self.tell(now, None, why);
        }
    }

    /// What the holder of the seat says of itself; whether it frees the seat.
    fn hear_holder(&mut self, now: Moment, question: &Question, heartbeat: &Heartbeat) -> bool {
        let Some(member) = self.members.get(&question.session) else { return false };
        let Some(tenure) = self.seat.tenure_mut().filter(|tenure| member.is(&tenure.holder)) else {
            return false;
        };
        tenure.last_heard = Some(now);
        let echoes = |native: &NativeHeartbeat| {
            self.answers.zip(native.echo.as_deref()).and_then(|(answers, echo)| answers.given(echo)).is_some()
        };
        if heartbeat.native.as_ref().is_some_and(|native| native.waits_for_no_answer() && echoes(native)) {
            // It was said to this run of the endpoint, and so is whatever is newer. No answer of an earlier run can be
            // used any more: whoever heard an answer uses none to an older question.
            tenure.believed_from = tenure.believed_from.min(now.uptime);
        }
        if tenure.unrecorded {
            // Its question waits for the record, however long that takes, and is answered Primary then.
            tenure.held_until = now.uptime + tenure.timeout.get();
        }
        let acts = heartbeat.native.as_ref().is_none_or(|native| native.acting);
        // A score of 1 says that nobody looked: whoever has just begun to act still says what it said standing by.
        tenure.scored |= acts && heartbeat.score > FailoverScore::STANDBY;
        self.last_data = heartbeat.last_data.or(self.last_data);
        if let Some(ago) = heartbeat.native.as_ref().and_then(|native| native.delivered_ago) {
            tenure.delivered = Some(now.clock - ago);
        }
        let since = heartbeat.native.as_ref().and_then(|native| native.applied_for).unwrap_or_default();
        if !acts {
            // If it acts again, it starts again.
            (tenure.scored, tenure.starting_since) = (false, now.uptime);
        }
        let stopped = match &heartbeat.native {
            Some(native) if native.acting => {
                tenure.acting_sequence = tenure.acting_sequence.max(native.sequence);
                (tenure.acted, tenure.stopped) = (now.uptime, None);
                self.hear_acting(now, since);
                self.hear_coverage(now, native);
                return false;
            }
            Some(native) if tenure.last_primary.is_none() => {
                self.hear_stopped_meanwhile(now, native.applied_for);
                return false;
            }
            Some(native) => tenure.is_ended_by(native),
            None => match tenure.told.as_mut() {
                Some(told) => {
                    let same = told.connection.is_some() && told.connection == question.connection;
                    told.elsewhere += u32::from(!same);
                    same || told.elsewhere >= 2
                }
                None if tenure.last_primary.is_none() => return false,
                None => {
                    // A stock member does not say that it acts; whoever was answered Primary does.
                    let since = now.clock.since(tenure.granted_at);
                    self.hear_acting(now, since);
                    return false;
                }
            },
        };
        if !stopped {
            return false;
        }
        let at = *tenure.stopped.get_or_insert(now.clock - since);
        if tenure.is_not_believed(now) {
            return false;
        }
        self.free_stopped(now, at);
        true
    }

    /// A member gives up a seat that it has not acted on: answers reach it too late, or not at all.
    pub(super) fn note_idle(&mut self, now: Moment, id: &SessionId) {
        if let Some(native) = self.members.get_mut(id).and_then(|member| member.native.as_mut()) {
            native.idle = Some(now.uptime);
        }
    }

    /// A challenger that was told PendingPrimary and is heard again has confirmed (R1).
    fn hear_challenger(&mut self, question: &Question, heartbeat: &Heartbeat) {
        let Some(member) = self.members.get(&question.session) else { return };
        let Some(challenge) = self.challenge.as_mut().filter(|challenge| member.is(&challenge.by)) else {
            return;
        };
        let heard = |native: &NativeHeartbeat| challenge.asked.contains(&native.answered);
        challenge.confirmed |= !challenge.asked.is_empty() && heartbeat.native.as_ref().is_none_or(heard);
    }
}

impl Member {
    /// Lets the process that speaks be this member, or refuses it; whether it says something new.
    fn admit(
        &mut self,
        now: Moment,
        timeout: FailoverTimeout,
        speaks: Option<&NativeHeartbeat>,
    ) -> Result<bool, Refusal> {
        let live = self.is_live(now, timeout);
        let heard = self.last_sign();
        match (&self.native, speaks) {
            (Some(known), Some(speaks)) if known.incarnation == speaks.incarnation => {
                Ok(speaks.sequence > known.sequence)
            }
            (Some(known), speaks) if live && !speaks.is_some_and(|speaks| known.is_replaced_by(speaks)) => {
                let ago = now.uptime.since(heard);
                Err(Refusal::InUse { heard_ago: ago, free_in: timeout.get().saturating_sub(ago) })
            }
            (_, speaks) => {
                self.native = speaks.map(|said| Native::new(now, said));
                Ok(true)
            }
        }
    }

    /// Whether a heartbeat that is refused was sent by the run that this one replaced, before it died, and was under
    /// way for long: at most for T, after which whoever speaks lives.
    fn has_outlived(&self, now: Moment, timeout: FailoverTimeout, speaks: Option<&NativeHeartbeat>) -> bool {
        let replaced = self.native.as_ref().and_then(|native| native.replaced.as_ref());
        replaced.zip(speaks).is_some_and(|((run, since), speaks)| {
            *run == speaks.incarnation && now.uptime < *since + timeout.get()
        })
    }

    fn listen(&mut self, now: Moment, said: &NativeHeartbeat) {
        let Some(native) = &mut self.native else { return };
        if said.answered > native.answered {
            native.proved = now.uptime;
        }
        native.sequence = said.sequence;
        native.answered = native.answered.max(said.answered);
        native.late_since = said.is_late().then(|| native.late_since.unwrap_or(now.uptime));
        native.acting = said.acting;
        native.epoch = native.epoch.max(said.epoch);
        native.loss = said.loss;
        native.leaving = said.leaving;
    }
}

impl Native {
    fn new(now: Moment, said: &NativeHeartbeat) -> Self {
        Self {
            incarnation: said.incarnation.clone(),
            replaced: said.replaces.clone().map(|run| (run, now.uptime)),
            boot: said.boot.clone(),
            sequence: said.sequence,
            answered: said.answered,
            acting: said.acting,
            epoch: said.epoch,
            loss: said.loss,
            leaving: said.leaving,
            proved: now.uptime,
            late_since: said.is_late().then_some(now.uptime),
            idle: None,
        }
    }

    /// Its sequence, if it says that it acts.
    pub(super) fn acting_sequence(&self) -> u64 {
        if self.acting { self.sequence } else { 0 }
    }

    /// Whether `said` comes from the process that took over from this one: it holds the data folder's
    /// lock on the same machine, so this one is dead.
    fn is_replaced_by(&self, said: &NativeHeartbeat) -> bool {
        said.replaces.as_ref() == Some(&self.incarnation)
            && said.boot == self.boot
            && !self.boot.as_str().is_empty()
    }
}

/// How long a member was silent, for a sentence.
pub(super) fn silence(now: Moment, member: &Member) -> String {
    seconds(now.uptime.since(member.last_sign()))
}
