//! Decides how this adapter keeps itself registered, and whether it may act.
//!
//! Pure: `now` is a parameter, answers come in as events, everything to be done goes out as effects.
//! It obeys the rules of ARCHITECTURE.md, "Time and leases": permission to act is a deadline
//! computed from just before the question was sent (R2), and an agent that stopped acts again only on
//! the answer to a question it asked after it had stopped (R5).

mod book;
mod configuring;
mod event;
mod heartbeats;
mod hurry;
mod joining;
mod lease;
mod leaving;
mod stopping;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use crate::domain::{
    Acting, AdapterState, CallFailure, Deliveries, Echo, EndpointLoss, Epoch, FailoverScore, FailoverTimeout,
    FailureKind, GateCoverage, GroupId, HandOver, Health, Heartbeat, HeartbeatAnswer, HttpUrl, Known, Mode,
    Now, Order, Proof, Reason, Role, Standing, Transition, TransitionKind, Uptime, Wall,
};
pub use event::{
    Answer, Call, CallId, Desired, Effect, Event, Farewell, GroupTimeout, Identity, Listen, Target,
};
use hurry::Hurry;
pub(in crate::registration) use lease::Backoff;
pub use lease::STOP_BUDGET;
use stopping::{Deferred, Stopping};

/// Where registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Out of failover.
    Out,
    /// Registering; which question comes next.
    Joining(Step),
    /// Registered; heartbeats go out.
    Joined,
    /// Stopped for good.
    Stopped,
}

/// The questions of a registration, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Version,
    CreateGroup,
    ReadGroup,
    CreateSession,
    ReadSession,
}

/// A call under way.
#[derive(Debug, Clone, Copy)]
struct Flight {
    id: CallId,
    /// Of a heartbeat; 0 for other calls.
    sequence: u64,
    sent: Now,
    /// Whether a nudge or news brought it forward.
    hurried: bool,
}

/// Keeps this adapter registered. See the module.
#[derive(Debug, Clone)]
pub struct Machine {
    identity: Identity,
    loss: EndpointLoss,

    desired: Desired,
    phase: Phase,
    /// Whether the endpoint may know our session: then a farewell is owed.
    may_be_registered: bool,
    /// Farewells under way: a new registration in the same group waits for them.
    farewells: Vec<(HttpUrl, GroupId)>,

    calls: u64,
    flights: Vec<Flight>,
    /// When the next question is due.
    due: Uptime,
    backoff: Backoff,
    nudges: Hurry,
    /// News of the score, which the endpoint should hear at once.
    news: Hurry,
    /// Whether the driver was told to listen to events.
    listens: bool,
    /// Registrations since the last heartbeat that was answered.
    rejoins: u32,

    /// The last sequence that was used.
    sequence: u64,
    /// The highest own sequence whose answer arrived.
    answered: u64,
    /// What the last answer asks to be told again.
    echo: Option<Box<Echo>>,
    /// The smallest sequence whose answer permits to act (R5).
    act_from: u64,
    /// Confirmations of PendingPrimary in a row.
    confirmations: u32,
    /// Heartbeats answered since registration: a stock endpoint's second comes after a second.
    answers: u64,

    /// What those who obey orders said last.
    health: Health,
    /// What the gate of a Primary has received and settled.
    gate: GateCoverage,
    /// When its gate delivered last, under its last permission to.
    delivered: Option<Uptime>,
    /// What the last answer proved of the Primary's gate.
    proof: Option<Proof>,
    /// A stop that is not proved yet.
    stopping: Option<Stopping>,
    /// What waits for it.
    deferred: Option<Deferred>,
    /// Whether it was Primary when it was told to stop for good.
    was_primary_at_stop: bool,
    acting: Acting,
    /// The longest permission of this tenure: whoever obeys may not have heard yet that it became shorter.
    longest_acting: Acting,
    /// The number of the order that was given last.
    order: u64,
    /// Since when it acts, or does not; empty from a promotion to the next step.
    applied_since: Option<Uptime>,
    role: Role,
    role_since: Wall,
    reason: Reason,
    explanation: String,
    applied_mode: Option<Mode>,
    epoch: Option<Epoch>,
    group_timeout: Option<FailoverTimeout>,
    /// A group's timeout that is too small to keep a lease by.
    unfit: Option<Duration>,

    version: Option<String>,
    native: Option<bool>,
    last_heartbeat: Option<Wall>,
    round_trip: Option<Duration>,
    last_error: Option<String>,
    /// What the endpoint's last answer warned of.
    said_warnings: Vec<String>,
    /// The last hand-over from or to this adapter.
    hand_over: Option<Box<HandOver>>,
    /// The epoch that was known when it joined: the receipts of hand-overs up to it were recorded before, also by the
    /// run before this one.
    recorded_before: Option<Epoch>,
    /// The last sequence that was used before it was made Primary: an answer to a later one has the receipt.
    promoted_after: u64,
    /// The last deliveries that were recorded.
    recorded_deliveries: Option<Deliveries>,
    last_contact: Uptime,
    last_failure: Uptime,
    lost: bool,
    /// Whether the endpoint refuses our heartbeats because another process uses the session.
    session_in_use: bool,
    /// Kinds of failure already recorded in this trouble.
    troubles: BTreeSet<FailureKind>,
    /// The timeouts (ours, the group's) whose difference was recorded.
    recorded_timeouts: Option<(FailoverTimeout, FailoverTimeout)>,
    /// The same for a group's timeout that is too small.
    recorded_unfit: Option<Duration>,
    /// Whether a role lost with the power may be taken back (keep-role only).
    may_take_back: bool,

    records: Vec<Transition>,
    effects: Vec<Effect>,
    published: Option<Standing>,
    recorded_state: AdapterState,
    remembered: Option<Known>,
}

impl Machine {
    /// A machine that knows nothing of a configuration yet; `health` is what those who obey orders say at first.
    #[must_use]
    pub fn new(identity: Identity, loss: EndpointLoss, health: Health, now: Now) -> Self {
        let was_primary = identity.known.as_ref().is_some_and(|known| known.was_primary);
        // In a copied folder that was another adapter, which may act.
        let may_take_back = loss != EndpointLoss::StepDown && was_primary && !identity.copied;
        Self {
            loss,
            desired: Desired::Nothing,
            phase: Phase::Out,
            may_be_registered: false,
            farewells: Vec::new(),
            calls: 0,
            flights: Vec::new(),
            due: now.uptime,
            backoff: Backoff::new(identity.jitter_seed),
            nudges: Hurry::NUDGES,
            news: Hurry::NEWS,
            listens: false,
            rejoins: 0,
            sequence: 0,
            answered: 0,
            echo: None,
            act_from: 1,
            confirmations: 0,
            answers: 0,
            health,
            gate: GateCoverage::new(),
            delivered: None,
            proof: None,
            stopping: None,
            deferred: None,
            was_primary_at_stop: false,
            acting: Acting::No,
            longest_acting: Acting::No,
            order: 0,
            applied_since: Some(now.uptime),
            role: Role::None,
            role_since: now.wall,
            reason: Reason::Started,
            explanation: "the server starts".to_owned(),
            applied_mode: None,
            epoch: None,
            group_timeout: None,
            unfit: None,
            version: None,
            native: None,
            last_heartbeat: None,
            round_trip: None,
            last_error: None,
            said_warnings: Vec::new(),
            hand_over: None,
            recorded_before: None,
            promoted_after: 0,
            recorded_deliveries: None,
            last_contact: now.uptime,
            last_failure: now.uptime,
            lost: false,
            session_in_use: false,
            troubles: BTreeSet::new(),
            recorded_timeouts: None,
            recorded_unfit: None,
            may_take_back,
            records: Vec::new(),
            effects: Vec::new(),
            published: None,
            recorded_state: AdapterState::Starting,
            remembered: identity.known.clone(),
            identity,
        }
    }

    /// Takes in what happened; gives out what is to be done.
    pub fn step(&mut self, now: Now, event: Event) -> Vec<Effect> {
        if self.phase == Phase::Stopped {
            return Vec::new();
        }
        self.applied_since.get_or_insert(now.uptime);
        // Deadlines that have passed come first: an answer that arrives after them is too late.
        self.pass_deadlines(now);
        match event {
            Event::Configured(desired) => self.configure(now, desired),
            Event::Answered(id, outcome) => self.answer(now, id, outcome),
            Event::FarewellEnded(endpoint, group) => {
                let ended =
                    self.farewells.iter().position(|farewell| *farewell == (endpoint.clone(), group.clone()));
                if let Some(index) = ended {
                    self.farewells.swap_remove(index);
                }
            }
            Event::Nudged => self.nudged(),
            Event::Health(health) => self.learn_health(health),
            Event::Tick => {}
            Event::Stop(by) => self.stop(now, by),
        }
        self.note_deliveries(now);
        self.look_whether_stopped(now);
        self.ask_what_is_due(now);
        self.listen_where_it_helps();
        self.close_books(now)
    }

    /// When [`Event::Tick`] is wanted next, if nothing else happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Uptime> {
        let lease = match self.acting {
            Acting::Until(end) => Some(end),
            Acting::No | Acting::Unbounded => None,
        };
        let question =
            self.may_ask().then_some(self.hurry_due().map_or(self.due, |hurry| hurry.min(self.due)));
        [lease, question, self.lost_at(), self.take_back_at(), self.stop_ends_at()]
            .into_iter()
            .flatten()
            .min()
    }

    fn target(&self) -> Option<&Target> {
        match &self.desired {
            Desired::Target(target) => Some(target),
            Desired::Nothing | Desired::Unusable(_) => None,
        }
    }

    fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Joining(_) | Phase::Joined)
    }

    fn is_joining(&self) -> bool {
        matches!(self.phase, Phase::Joining(_))
    }

    /// Permission to act, from now on.
    fn permit(&mut self, acting: Acting) {
        self.acting = acting;
        self.longest_acting = self.longest_acting.max(acting);
    }

    /// The timeout that paces questions and reports of loss: the smaller of ours and the group's.
    fn pace_timeout(&self) -> FailoverTimeout {
        let own = self.target().map_or(FailoverTimeout::DEFAULT, |target| target.timeout);
        self.group_timeout.map_or(own, |group| own.min(group))
    }

    /// Since when the endpoint, which is asked, has not answered.
    fn silent_since(&self) -> Option<Uptime> {
        // Nothing is asked while a registration waits for what ran as if alone to stop.
        let asks = self.is_member() && !(self.stopping.is_some() && self.is_joining());
        asks.then_some(self.last_contact)
    }

    fn lost_at(&self) -> Option<Uptime> {
        let silent_since = self.silent_since().filter(|_| !self.lost)?;
        Some(silent_since + self.pace_timeout().get())
    }

    fn take_back_at(&self) -> Option<Uptime> {
        let waits =
            self.may_take_back && self.loss.keeps_role(self.is_buffered()) && self.role == Role::Secondary;
        let target = self.target().filter(|_| waits)?;
        Some(self.silent_since()? + target.timeout.get())
    }

    fn pass_deadlines(&mut self, now: Now) {
        if let Acting::Until(end) = self.acting
            && now.uptime >= end
        {
            self.lose_lease(now);
        }
        if self.lost_at().is_some_and(|at| now.uptime >= at) {
            self.lost = true;
            let silent = now.uptime.since(self.last_contact);
            let explanation = format!(
                "{} has given no good answer for {:.1} s",
                self.endpoint_name(),
                silent.as_secs_f64()
            );
            self.record(now, TransitionKind::EndpointLost, Reason::NoAnswer, explanation);
        }
        if self.take_back_at().is_some_and(|at| now.uptime >= at) {
            self.may_take_back = false;
            self.become_primary(
                now,
                Acting::Unbounded,
                Reason::TookBack,
                "the endpoint could not be reached for one FailoverTimeout since it was first asked after the start, \
                 and this adapter was Primary when it stopped; by policy it takes the role back, and another adapter may act too"
                    .to_owned(),
            );
        }
    }

    /// Whether what a Primary that stops has not sent is kept by the egress gates of the group.
    fn is_buffered(&self) -> bool {
        self.is_buffered_in(self.applied_mode)
    }

    fn is_buffered_in(&self, mode: Option<Mode>) -> bool {
        mode == Some(Mode::Hot) && self.target().is_some_and(|target| target.has_destination)
    }

    fn lose_lease(&mut self, now: Now) {
        let silent = now.uptime.since(self.last_contact);
        let silence =
            format!("{} has given no good answer for {:.1} s", self.endpoint_name(), silent.as_secs_f64());
        if self.loss.keeps_role(self.is_buffered()) {
            self.permit(Acting::Unbounded);
            let explanation =
                format!("{silence}; by policy the role is kept, and another adapter may act too");
            self.record(now, TransitionKind::RoleKept, Reason::LeaseExpired, explanation);
        } else {
            let explanation =
                format!("{silence}; another adapter may become Primary, so this one stopped before");
            self.become_secondary(now, TransitionKind::SteppedDown, Reason::LeaseExpired, explanation);
        }
    }
}
