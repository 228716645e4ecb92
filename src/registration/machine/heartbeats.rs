//! Heartbeats: what they say, what their answers permit, and when the next is due.

use std::time::Duration;

use super::{
    Acting, CallFailure, Effect, FailoverScore, FailureKind, Flight, Heartbeat, HeartbeatAnswer, Machine,
    Mode, Now, Reason, Role, TransitionKind, Uptime, lease,
};
use crate::domain::{ClientRole, GateCoverage, NativeHeartbeat, Proof};

/// Confirmations of PendingPrimary in a row; then the pace again (as stock adapters do).
const MOST_CONFIRMATIONS: u32 = 10;

/// When a stock endpoint gets its second heartbeat (as stock adapters do).
const SECOND_HEARTBEAT: Duration = Duration::from_secs(1);

impl Machine {
    /// Takes in what the gate of a Primary has received and settled, and when it delivered last: the next heartbeat
    /// says it.
    pub fn hear_gate(&mut self, gate: GateCoverage, delivered: Option<Uptime>) {
        self.gate = gate;
        self.delivered = delivered;
    }

    /// What a heartbeat with the present sequence says.
    pub(super) fn heartbeat(&self, now: Now) -> Heartbeat {
        let native = (self.native == Some(true)).then(|| NativeHeartbeat {
            incarnation: self.identity.incarnation.clone(),
            replaces: self.identity.replaces.clone(),
            boot: self.identity.boot.clone(),
            sequence: self.sequence,
            answered: self.answered,
            echo: self.echo.clone(),
            acting: self.is_acting(),
            applied_for: self.applied_since.map(|since| now.uptime.since(since)),
            epoch: self.epoch,
            loss: Some(self.loss.in_force(self.is_buffered())),
            coverages: self
                .gate
                .iter()
                .map(|(key, covered)| (key.clone(), covered.ages(now.uptime)))
                .collect(),
            delivered_ago: self.delivered.map(|at| now.uptime.since(at)),
            leaving: false,
        });
        Heartbeat { score: self.score(), last_data: self.health.last_data, native }
    }

    /// The last words of a session. They say that it leaves, and score 0 for an endpoint that does not know that: whoever
    /// stays is better. The second covers an answer that may still be under way, or that was given and is lost.
    pub(super) fn last_heartbeats(&mut self, now: Now) -> Vec<Heartbeat> {
        let count = if self.answered == self.sequence { 1 } else { 2 };
        let last = |machine: &mut Self| {
            machine.sequence += 1;
            let mut heartbeat = Heartbeat { score: FailoverScore::ZERO, ..machine.heartbeat(now) };
            if let Some(native) = &mut heartbeat.native {
                native.leaving = true;
            }
            machine.answered = machine.sequence;
            heartbeat
        };
        (0..count).map(|_| last(self)).collect()
    }

    /// What those who look at the source say. Where nobody looks, all is good for whoever acts or stands by Hot.
    pub(super) fn score(&self) -> FailoverScore {
        match (self.role, self.applied_mode) {
            _ if self.unfit.is_some() || self.reason == Reason::ConfigurationUnusable => FailoverScore::ZERO,
            // It could not take the role.
            _ if self.stopping.is_some() => FailoverScore::ZERO,
            _ if self.health.score.is_some() => self.health.score.unwrap_or_default(),
            (Role::Secondary, Some(Mode::Warm | Mode::Cold)) => FailoverScore::STANDBY,
            _ => FailoverScore::FULL,
        }
    }

    /// The time between heartbeats: T/4 towards a native endpoint, T/2 towards a stock one.
    pub(super) fn pace(&self) -> Duration {
        let timeout = self.pace_timeout().get();
        match self.native {
            Some(true) => timeout / 4,
            _ if self.answers == 0 => SECOND_HEARTBEAT.min(timeout / 2),
            _ => timeout / 2,
        }
    }

    pub(super) fn heard(&mut self, now: Now, flight: Flight, answer: &HeartbeatAnswer) {
        // Flights are ended in the order of their sequences: an older one that is still under way
        // when a newer one was answered is given up below, so this answer is always the newest.
        self.answered = self.answered.max(flight.sequence);
        self.echo.clone_from(&answer.echo);
        self.answers += 1;
        self.rejoins = 0;
        self.session_in_use = false;
        self.hurries().into_iter().for_each(|hurry| hurry.answered(true));
        self.contact(now);
        self.backoff.reset();
        let effects = &mut self.effects;
        self.flights.retain(|other| {
            let newer = other.sequence > flight.sequence;
            if !newer {
                effects.push(Effect::Cancel(other.id));
            }
            newer
        });
        self.last_heartbeat = Some(flight.sent.wall);
        let coverages = answer.coverages.clone();
        self.proof = (!coverages.is_empty()).then_some(Proof {
            asked: flight.sent.uptime,
            heard: now.uptime,
            coverages,
        });
        self.round_trip = Some(now.uptime.since(flight.sent.uptime));
        if answer.epoch > self.epoch {
            self.epoch = answer.epoch;
        }
        self.said_warnings.clone_from(&answer.warnings);
        if let Some(receipt) = &answer.receipt {
            self.note_receipt(now, receipt);
        }
        if answer.timeout.is_some_and(|timeout| self.group_timeout != Some(timeout)) {
            // The group was created anew since it was read: the endpoint holds the seat no longer than this.
            self.group_timeout = answer.timeout;
            self.note_timeouts(now);
        }
        if answer.role != ClientRole::PendingPrimary {
            self.confirmations = 0;
        }
        match answer.role {
            ClientRole::Primary => self.told_primary(now, flight, answer),
            ClientRole::Secondary => self.told_secondary(now, answer),
            ClientRole::PendingPrimary => {
                if self.confirmations < MOST_CONFIRMATIONS {
                    self.confirmations += 1;
                    self.due = now.uptime;
                }
            }
        }
    }

    fn told_primary(&mut self, now: Now, flight: Flight, answer: &HeartbeatAnswer) {
        let Some(timeout) = self.group_timeout.filter(|_| self.stopping.is_none()) else { return };
        let until = lease::act_until(flight.sent.uptime, timeout);
        // R5: only a question that was asked after acting had stopped; R2: not past the deadline.
        if flight.sequence < self.act_from || now.uptime >= until {
            return;
        }
        if self.role == Role::Primary {
            self.permit(Acting::Until(until));
            self.may_take_back = false;
            return;
        }
        let explanation = self.told(answer, "Primary");
        self.become_primary(now, Acting::Until(until), Reason::ToldPrimary, explanation);
        if self.native == Some(true) {
            // The endpoint learns that the seat is acted on, and its hand-over ends.
            self.due = now.uptime;
        }
    }

    fn told_secondary(&mut self, now: Now, answer: &HeartbeatAnswer) {
        let explanation = self.told(answer, "Secondary");
        self.may_take_back = false;
        if self.role == Role::Primary {
            self.become_secondary(now, TransitionKind::Role, Reason::ToldSecondary, explanation);
        } else {
            (self.reason, self.explanation) = (Reason::ToldSecondary, explanation);
        }
    }

    fn told(&self, answer: &HeartbeatAnswer, role: &str) -> String {
        match &answer.reason {
            Some(reason) => format!("{} answered {role}: {reason}", self.endpoint_name()),
            None => format!("{} answered {role}", self.endpoint_name()),
        }
    }

    pub(super) fn heartbeat_failed(&mut self, now: Now, failure: &CallFailure) {
        if failure.kind == FailureKind::NotFound {
            return self.register_again(now, failure);
        }
        self.trouble(now, "a heartbeat", failure);
        self.session_in_use = failure.kind == FailureKind::Conflict;
        if self.session_in_use && self.role == Role::Secondary {
            (self.reason, self.explanation) = (Reason::Conflict, self.why_in_use().to_owned());
        }
        let passes = failure.kind.may_pass_soon();
        self.hurries().into_iter().for_each(|hurry| hurry.answered(passes));
        let wait = self.wait_after(failure);
        let at = now.uptime + wait;
        // A failure that may pass brings the next heartbeat forward; any other puts it off.
        self.due =
            if failure.kind.may_pass_soon() && failure.retry_after.is_none() { self.due.min(at) } else { at };
    }

    /// How long to wait after a failure: never longer than T/2.
    pub(super) fn wait_after(&mut self, failure: &CallFailure) -> Duration {
        let half = self.pace_timeout().get() / 2;
        if let Some(asked) = failure.retry_after {
            let asked = asked.max(self.pace());
            return self.backoff.asked(asked, half);
        }
        if failure.kind.may_pass_soon() {
            return self.backoff.next(self.pace());
        }
        self.pace().max(self.backoff.next(half)).min(half)
    }

    /// Permission to act ends. It has stopped once whoever acted is proved to have stopped.
    pub(super) fn become_secondary(
        &mut self,
        now: Now,
        kind: TransitionKind,
        reason: Reason,
        explanation: String,
    ) {
        self.begin_to_stop(now, reason != Reason::LeaseExpired);
        self.role = Role::Secondary;
        self.role_since = now.wall;
        self.reason = reason;
        self.explanation.clone_from(&explanation);
        self.record(now, kind, reason, explanation);
        self.apply_mode(now, Reason::RoleChanged);
    }
}
