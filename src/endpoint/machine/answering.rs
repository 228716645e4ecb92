//! What a heartbeat is answered.

use std::time::Duration;

use super::{
    ClientRole, Epoch, Group, GroupReason, HeartbeatAnswer, Moment, Native, Question, Refusal, Reply, Why,
    coverage::Answers,
    limit,
    seat::{Seat, Tenure},
    seconds,
};

impl Group {
    /// Answers a question that was heard. After a [`Reply::Wait`] it is asked again.
    ///
    /// # Errors
    /// When the session was removed in between.
    pub fn answer(&mut self, now: Moment, question: &Question) -> Result<Reply, Refusal> {
        self.pass(now);
        self.answers.get_or_insert(Answers::begin(now));
        if self.books.doubt {
            return Ok(Reply::Unsure);
        }
        let member = self.members.get(&question.session).ok_or(Refusal::Unknown)?;
        if member.incarnation() != question.incarnation.as_ref() {
            return Ok(self.reply(
                now,
                ClientRole::Secondary,
                question,
                "a newer process uses this session".to_owned(),
            ));
        }
        let (holds, leaves) =
            (self.seat.holder().is_some_and(|holder| member.is(holder)), member.is_leaving());
        if leaves && self.is_current(question) {
            return Ok(self.answer_leaver(now, question, holds));
        }
        if holds {
            return Ok(self.answer_holder(now, question));
        }
        if !self.is_current(question) {
            let reason = "a newer heartbeat of this adapter has arrived".to_owned();
            return Ok(self.reply(now, ClientRole::Secondary, question, reason));
        }
        match self.seat {
            Seat::Free => Ok(self.answer_candidate(now, question)),
            Seat::Held(_) => Ok(self.answer_other(now, question)),
        }
    }

    /// Whether the question is the newest of its member, and was not heard before.
    fn is_current(&self, question: &Question) -> bool {
        let native = self.members.get(&question.session).and_then(|member| member.native.as_ref());
        question.newer && native.is_none_or(|native| native.sequence == question.sequence)
    }

    /// Who leaves is not renewed, and never made Primary: nobody would act then.
    fn answer_leaver(&mut self, now: Moment, question: &Question, holds: bool) -> Reply {
        if holds && self.books.is_open() {
            return Reply::Wait;
        }
        if holds && self.seat.tenure().is_some_and(Tenure::was_never_permitted) {
            self.free(now, self.why_stopped(now, &question.session, Duration::ZERO));
        }
        self.reply(now, ClientRole::Secondary, question, "this adapter leaves the group".to_owned())
    }

    /// The holder of the seat is renewed, or told to stop.
    fn answer_holder(&mut self, now: Moment, question: &Question) -> Reply {
        // Nobody is answered Primary while a record is on its way.
        if self.books.is_open() {
            return Reply::Wait;
        }
        let current = self.is_current(question);
        if current && self.is_renewing() && !self.acts_already(question) {
            let absence = self.after_absence();
            let sentence = format!("it does not act, and the endpoint waits for one that does{absence}");
            self.tell(now, question.connection, Why::new(GroupReason::ActedNoLonger, sentence));
        }
        let confirmed = self.challenge.as_ref().filter(|challenge| challenge.confirmed);
        if current && let Some(challenge) = confirmed {
            self.tell(now, question.connection, challenge.why.clone());
        }
        let timeout = self.timeout().get();
        let hears = self.may_have_heard(now, question);
        let Seat::Held(tenure) = &mut self.seat else {
            // It was to be told to stop, and could never begin.
            return self.answer_candidate(now, question);
        };
        if tenure.told.is_some() {
            let reason = format!("stop: {}", self.why.sentence);
            return self.reply(now, ClientRole::Secondary, question, reason);
        }
        if let Some(reason) = tenure.why_empty(now) {
            // It would take its word back, and whoever is to follow would wait for another T.
            return self.reply(now, ClientRole::Secondary, question, reason);
        }
        if current && !hears {
            let reason = "no answer has reached this adapter since it was made Primary".to_owned();
            return self.reply(now, ClientRole::PendingPrimary, question, reason);
        }
        if current {
            // A group that was created anew with a smaller T renews leases that are longer: what an
            // earlier answer permits is not taken back by a later one that may be lost.
            tenure.held_until = tenure.held_until.max(now.uptime + timeout);
            tenure.last_primary = Some(tenure.last_primary.unwrap_or(0).max(question.sequence));
        } else if !tenure.was_answered_primary(question.sequence) {
            // It is Primary still, and may hear this before the answer to the newer one: it must not stop for it.
            let reason = "a newer heartbeat of this adapter has arrived".to_owned();
            return self.reply(now, ClientRole::PendingPrimary, question, reason);
        }
        self.reply(now, ClientRole::Primary, question, self.why.sentence.clone())
    }

    /// Whether the holder of the seat may have heard that it is Primary; not if it has neither acted nor heard
    /// it by its second heartbeat, at the pace of T/4, after the one that was answered so. It is asked to prove
    /// that answers reach it then: one more answer that holds the seat for T, and is not heard either, would
    /// only keep everybody else waiting.
    fn may_have_heard(&self, now: Moment, question: &Question) -> bool {
        let Some(tenure) = self.seat.tenure() else { return true };
        let native = self.members.get(&question.session).and_then(|member| member.native.as_ref());
        native.zip(tenure.last_primary).is_none_or(|(native, last)| native.acting || native.answered >= last)
            || now.uptime < tenure.acted + self.timeout().get() * 3 / 8
    }

    /// A free seat goes to the best candidate, in the answer to its own heartbeat (R1).
    fn answer_candidate(&mut self, now: Moment, question: &Question) -> Reply {
        let Some(member) = self.members.get(&question.session) else { return Reply::Unsure };
        let reported = member.native.as_ref().and_then(|native| native.epoch);
        if self.is_renewing() {
            return match reported {
                Some(epoch) if self.acts_already(question) && !question.vacated => {
                    let why = format!("{} acts already, under epoch {epoch}", question.session);
                    self.grant(now, question, epoch, Why::new(GroupReason::ActsAlready, why))
                }
                _ => self.reply(now, ClientRole::Secondary, question, self.renewing_reason(now)),
            };
        }
        let Some(best) = self.best(now) else {
            // If this one is heard it asks again at once, and proves that answers reach it.
            let reason = "nobody can be made Primary: no answer has reached this adapter".to_owned();
            return self.reply(now, ClientRole::PendingPrimary, question, reason);
        };
        if best.spec.id != question.session {
            let reason = format!(
                "{} is to be Primary at its next heartbeat: {}",
                best.spec.id,
                self.why_chosen(now, best)
            );
            return self.reply(now, ClientRole::Secondary, question, reason);
        }
        let why = self.why_chosen(now, best);
        if question.vacated {
            // It is to have the seat again, but only in a heartbeat that it sends after it stopped.
            return self.reply(now, ClientRole::PendingPrimary, question, why);
        }
        let last = self.floor.max(self.mark);
        let why = Why::new(self.why.reason, why);
        self.grant(now, question, Epoch::next(last, now.wall), why)
    }

    /// Gives the free seat away; the answer waits until that is on disk.
    fn grant(&mut self, now: Moment, question: &Question, epoch: Epoch, why: Why) -> Reply {
        if self.books.is_in_flight() {
            return Reply::Wait;
        }
        let Some(member) = self.members.get(&question.session) else { return Reply::Unsure };
        // Whoever acts already may do so by a longer lease than the group's T gives.
        let lease = self.longest_lease();
        let acts_until = self.inherited.filter(|_| self.is_renewing()).map(|inherited| inherited.until);
        let held_until = acts_until.unwrap_or_default().max(now.uptime + self.timeout().get());
        self.seat = Seat::Held(Box::new(Tenure {
            holder: member.holder(),
            epoch,
            unrecorded: true,
            granted: now.uptime,
            granted_at: now.clock,
            since: None,
            cause: why.reason,
            before: std::mem::replace(&mut self.why, why),
            last_heard: member.heard.as_ref().map(|heard| heard.at),
            first_act: None,
            on_record: None,
            vouched: None,
            delivered: None,
            stopped: None,
            acting_sequence: member.native.as_ref().map_or(0, Native::acting_sequence),
            granted_sequence: question.sequence,
            last_primary: None,
            believed_from: now.uptime,
            held_until,
            timeout: lease,
            told: None,
            // What it scored while it stood by says nothing about the start that is before it.
            scored: false,
            starting_since: now.uptime,
            acted: now.uptime,
        }));
        // The new Primary is told how far the one before it came; the first of all has only itself.
        self.last_data = self.last_data.or(member.heard.as_ref().and_then(|heard| heard.last_data));
        self.forget_coverage();
        self.floor = self.floor.max(Some(epoch));
        self.challenge = None;
        self.worse_since = None;
        self.books.write_now();
        Reply::Wait
    }

    /// Somebody else holds the seat.
    fn answer_other(&mut self, now: Moment, question: &Question) -> Reply {
        let Some(member) = self.members.get(&question.session) else { return Reply::Unsure };
        if let Some(challenge) = self.challenge.as_mut().filter(|challenge| member.is(&challenge.by)) {
            challenge.note_asked(question.sequence);
            let reason = challenge.why.sentence.clone();
            return self.reply(now, ClientRole::PendingPrimary, question, reason);
        }
        let Some(tenure) = self.seat.tenure() else { return Reply::Unsure };
        let holder = &tenure.holder.session;
        let reason = if let Some(reason) = tenure.why_empty(now) {
            reason
        } else if *holder == question.session {
            let left = seconds(tenure.held_until.since(now.uptime));
            format!("an earlier run of this adapter may still act, for {left} at most")
        } else {
            format!("{holder} is Primary: {}", self.why.sentence)
        };
        self.reply(now, ClientRole::Secondary, question, reason)
    }

    /// Whether the member is a Primary that an endpoint may renew without knowing the past (R4).
    ///
    /// A stock Primary on record cannot say so; it is renewed because it is on record.
    fn acts_already(&self, question: &Question) -> bool {
        let native = self.members.get(&question.session).and_then(|member| member.native.as_ref());
        match native {
            Some(native) => native.acting && native.epoch.is_some() && native.epoch >= self.floor,
            None => self.seat.holder().is_some_and(|holder| holder.session == question.session),
        }
    }

    pub(super) fn renewing_reason(&self, now: Moment) -> String {
        let left = self.renewing_until.map_or_else(String::new, |until| seconds(until.since(now.uptime)));
        let timeout = limit(self.longest_lease().get());
        format!(
            "the endpoint has just begun and waits {timeout} for a Primary that acts already; {left} are left"
        )
    }

    fn reply(&self, now: Moment, role: ClientRole, question: &Question, reason: String) -> Reply {
        let mut answer = HeartbeatAnswer { last_data: self.last_data, ..HeartbeatAnswer::new(role) };
        if let Some(member) = self.members.get(&question.session).filter(|member| member.native.is_some()) {
            answer.epoch = self.books.epoch;
            answer.reason = Some(reason);
            answer.timeout = Some(self.timeout());
            answer.echo = self.echo(now).map(Box::new);
            if role != ClientRole::Primary {
                answer.coverages = self.coverages(now);
            }
            answer.receipt = self.receipt_for(now, member).map(Box::new);
            answer.warnings = self.warnings(now, member);
        }
        Reply::Answer(answer)
    }
}

impl Tenure {
    /// Whether a question of this number was between the grant and the last renewal: the lease it
    /// gives is shorter than the one that is kept.
    fn was_answered_primary(&self, sequence: u64) -> bool {
        self.holder.incarnation.is_some()
            && self.granted_sequence <= sequence
            && self.last_primary.is_some_and(|last| sequence <= last)
    }
}
