//! Registration: version, group, session, each question after the answer to the one before.

use super::{
    Acting, Answer, Call, CallFailure, CallId, Effect, FailureKind, Flight, GroupTimeout, Hurry, Machine,
    Now, Phase, Reason, Role, Step, TransitionKind, Uptime,
};

/// Heartbeats that may wait for their answers at once: the lease's length in paces, so that a
/// connection that died silently is overtaken by a fresh one before the lease ends.
const MOST_FLIGHTS: usize = 4;

impl Machine {
    /// Begins to register: Secondary until told otherwise.
    pub(super) fn join(&mut self, now: Now) {
        self.epoch = None;
        if let (Some(known), Some(target)) = (&self.remembered, self.target())
            && known.endpoint == target.endpoint.as_str()
            && known.group == target.group
        {
            self.epoch = known.epoch;
        } else {
            self.may_take_back = false;
        }
        self.recorded_before = self.epoch;
        self.group_timeout = None;
        self.unfit = None;
        self.version = None;
        self.native = None;
        self.last_heartbeat = None;
        self.round_trip = None;
        self.last_error = None;
        self.said_warnings.clear();
        self.lost = false;
        self.session_in_use = false;
        self.hand_over = None;
        self.troubles.clear();
        self.rejoins = 0;
        self.last_contact = now.uptime;
        self.phase = Phase::Joining(Step::Version);
        // What ran as if alone stops first.
        self.begin_to_stop(now, false);
        self.applied_mode = self.target().map(|target| target.mode);
        let explanation =
            format!("the adapter registers with {} and waits for its role", self.endpoint_name());
        self.set_role(now, Role::Secondary, Reason::Registering, explanation);
    }

    /// Whether a question may go out, once it is due.
    pub(super) fn may_ask(&self) -> bool {
        match self.phase {
            Phase::Joining(_) => {
                self.flights.is_empty() && !self.farewell_under_way() && self.stopping.is_none()
            }
            Phase::Joined => self.flights.len() < MOST_FLIGHTS,
            Phase::Out | Phase::Stopped => false,
        }
    }

    /// A registration would race the farewell to the same group: the DELETE could come second.
    fn farewell_under_way(&self) -> bool {
        self.target().is_some_and(|target| {
            self.farewells
                .iter()
                .any(|(endpoint, group)| *endpoint == target.endpoint && *group == target.group)
        })
    }

    pub(super) fn ask_what_is_due(&mut self, now: Now) {
        let hurried = now.uptime < self.due && self.hurry_due().is_some_and(|at| now.uptime >= at);
        if (now.uptime < self.due && !hurried) || !self.may_ask() {
            return;
        }
        let Some(target) = self.target() else { return };
        let (group, session) = (target.group.clone(), self.identity.session.clone());
        let call = match self.phase {
            Phase::Joining(Step::Version) => Call::Version,
            Phase::Joining(Step::CreateGroup) => Call::CreateGroup(group, target.timeout),
            Phase::Joining(Step::ReadGroup) => Call::ReadGroup(group),
            Phase::Joining(Step::CreateSession) => Call::CreateSession(group, session, target.name.clone()),
            Phase::Joining(Step::ReadSession) => Call::ReadSession(group, session),
            Phase::Joined => {
                self.sequence += 1;
                self.due = now.uptime + self.pace();
                self.hurries().into_iter().for_each(|hurry| hurry.obey(now, hurried));
                Call::Heartbeat(group, session, self.heartbeat(now))
            }
            Phase::Out | Phase::Stopped => return,
        };
        let sequence = if self.phase == Phase::Joined { self.sequence } else { 0 };
        if matches!(call, Call::CreateSession(..)) {
            self.may_be_registered = true;
        }
        self.calls += 1;
        let id = CallId(self.calls);
        self.flights.push(Flight { id, sequence, sent: now, hurried });
        let call = Box::new(call);
        self.effects.push(Effect::Call { id, call, at_most: self.pace_timeout().get() });
    }

    pub(super) fn answer(&mut self, now: Now, id: CallId, outcome: Result<Answer, CallFailure>) {
        // A call that is not known any more belongs to an older configuration.
        let Some(index) = self.flights.iter().position(|flight| flight.id == id) else { return };
        let flight = self.flights.swap_remove(index);
        match (self.phase, outcome) {
            (Phase::Joined, Ok(Answer::Heartbeat(answer))) => self.heard(now, flight, &answer),
            (Phase::Joined, Err(failure)) => self.heartbeat_failed(now, &failure),
            (Phase::Joining(step), Ok(answer)) => self.joined_a_step(now, step, answer),
            (Phase::Joining(step), Err(failure)) => self.join_failed(now, step, &failure),
            // The driver answers each call with its own kind of answer.
            (Phase::Joined, Ok(_)) | (Phase::Out | Phase::Stopped, _) => {}
        }
    }

    fn joined_a_step(&mut self, now: Now, step: Step, answer: Answer) {
        self.contact(now);
        let next = match (step, answer) {
            (Step::Version, Answer::Version { version, native }) => {
                self.version = version;
                self.native = Some(native);
                Step::CreateGroup
            }
            (Step::CreateGroup | Step::ReadGroup, Answer::Group(timeout)) => {
                self.learn_group_timeout(now, timeout);
                Step::CreateSession
            }
            (Step::CreateSession | Step::ReadSession, Answer::Session) => return self.joined(now),
            (same, _) => same,
        };
        self.next_step(next, now.uptime);
    }

    fn learn_group_timeout(&mut self, now: Now, timeout: GroupTimeout) {
        let own = self.target().map(|target| target.timeout);
        (self.group_timeout, self.unfit) = match timeout {
            GroupTimeout::AsAsked => (own, None),
            GroupTimeout::Usable(timeout) => (Some(timeout), None),
            GroupTimeout::TooSmall(timeout) => (None, Some(timeout)),
        };
        self.note_timeouts(now);
    }

    fn joined(&mut self, now: Now) {
        self.phase = Phase::Joined;
        self.answers = 0;
        self.confirmations = 0;
        self.hurries().into_iter().for_each(Hurry::forget);
        self.due = now.uptime;
        let explanation = match self.native {
            Some(true) => format!("{} accepted the session; it knows the extensions", self.endpoint_name()),
            _ => format!("{} accepted the session; it is a stock endpoint", self.endpoint_name()),
        };
        self.record(now, TransitionKind::Registered, Reason::RegistrationAccepted, explanation);
    }

    fn join_failed(&mut self, now: Now, step: Step, failure: &CallFailure) {
        let next = match (step, failure.kind) {
            // Not every endpoint answers GET base; the calls that matter will tell.
            (Step::Version, FailureKind::NotFound | FailureKind::Refused | FailureKind::Forbidden) => {
                self.native = Some(false);
                Some(Step::CreateGroup)
            }
            (Step::CreateGroup, FailureKind::Conflict) => Some(Step::ReadGroup),
            (Step::CreateSession, FailureKind::Conflict) => Some(Step::ReadSession),
            _ => None,
        };
        if let Some(next) = next {
            self.contact(now);
            return self.next_step(next, now.uptime);
        }
        // What was there a moment ago is gone: begin again where it is made.
        let next = match (step, failure.kind) {
            (Step::ReadGroup | Step::CreateSession, FailureKind::NotFound) => Step::CreateGroup,
            (Step::ReadSession, FailureKind::NotFound) => Step::CreateSession,
            (same, _) => same,
        };
        let what = match step {
            Step::Version => "asking for the endpoint's version",
            Step::CreateGroup | Step::ReadGroup => "joining the group",
            Step::CreateSession | Step::ReadSession => "registering the session",
        };
        self.trouble(now, what, failure);
        let wait = self.wait_after(failure);
        self.next_step(next, now.uptime + wait);
    }

    fn next_step(&mut self, step: Step, at: Uptime) {
        self.phase = Phase::Joining(step);
        self.due = at;
    }

    /// The endpoint does not know the session any more: register again, at once for the first time.
    pub(super) fn register_again(&mut self, now: Now, failure: &CallFailure) {
        let explanation =
            format!("{}: {}; the adapter registers again", self.endpoint_name(), failure.detail);
        self.record(now, TransitionKind::Unregistered, Reason::SessionForgotten, explanation);
        self.contact(now);
        self.flights.clear();
        let wait = if self.rejoins == 0 { std::time::Duration::ZERO } else { self.backoff.next(self.pace()) };
        self.rejoins = self.rejoins.saturating_add(1);
        self.next_step(Step::CreateGroup, now.uptime + wait);
    }

    pub(super) fn become_primary(&mut self, now: Now, acting: Acting, reason: Reason, explanation: String) {
        if self.role != Role::Primary {
            // It begins to act once this is recorded and published: before the next step.
            self.applied_since = None;
            self.promoted_after = self.sequence;
        }
        self.permit(acting);
        self.set_role(now, Role::Primary, reason, explanation);
    }
}
