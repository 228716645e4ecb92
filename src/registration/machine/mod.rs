//! Decides how this adapter keeps itself registered, and whether it may act.
//!
//! Pure: `now` is a parameter, answers come in as events, everything to be done goes out as effects.
//! It obeys the rules of ARCHITECTURE.md, "Time and leases": permission to act is a deadline
//! computed from just before the question was sent (R2), and an agent that stopped acts again only on
//! the answer to a question it asked after it had stopped (R5).

mod book;
mod heartbeats;
mod joining;
mod lease;
mod leaving;
mod nudges;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use crate::domain::{
    Acting, AdapterState, BootId, CallFailure, ConfigurationId, EndpointLoss, Epoch, FailoverTimeout,
    FailureKind, GroupId, Heartbeat, HeartbeatAnswer, HttpUrl, Incarnation, Known, Mode, Now, Order, Reason,
    Role, SessionId, Standing, Transition, TransitionKind, Uptime, Wall,
};
pub(in crate::registration) use lease::Backoff;
pub use lease::STOP_BUDGET;
use nudges::Nudges;

/// Who this adapter is, and what it still knows from before its start.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The session's Id: made at the first start, and kept.
    pub session: SessionId,
    /// This run of the process.
    pub incarnation: Incarnation,
    /// The run before it, which is dead: this one holds the data folder's lock.
    pub replaces: Option<Incarnation>,
    /// Which boot of the machine this is.
    pub boot: BootId,
    /// What was known when the run before ended.
    pub known: Option<Known>,
    /// Makes the waits of this adapter differ from those of others.
    pub jitter_seed: u64,
}

/// What the worker needs of a configuration to keep this adapter registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Rises with every change of the stored configuration.
    pub revision: i64,
    /// The configuration's Id, for people.
    pub configuration: ConfigurationId,
    /// Where the endpoint is.
    pub endpoint: HttpUrl,
    /// The group to be a member of.
    pub group: GroupId,
    /// The configured FailoverTimeout.
    pub timeout: FailoverTimeout,
    /// The configured mode.
    pub mode: Mode,
    /// What is allowed but should be known.
    pub warnings: Vec<String>,
    /// Rises when calls have to be made in another way: another address, login or timeout.
    pub client: u64,
}

impl Target {
    fn same_group(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint && self.group == other.group
    }
}

/// What the store says should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Desired {
    /// Nothing is configured.
    Nothing,
    /// Something is configured, but it cannot be read; why.
    Unusable(String),
    /// This.
    Target(Target),
}

/// Names one call, so that its answer can be told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(u64);

/// A question to the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// GET base.
    Version,
    /// POST groups.
    CreateGroup(GroupId, FailoverTimeout),
    /// GET groups/{g}.
    ReadGroup(GroupId),
    /// POST clientsessions.
    CreateSession(GroupId, SessionId),
    /// GET clientsessions/{s}.
    ReadSession(GroupId, SessionId),
    /// POST heartbeat.
    Heartbeat(GroupId, SessionId, Heartbeat),
}

/// What a group's FailoverTimeout turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupTimeout {
    /// The endpoint accepted ours without saying more.
    AsAsked,
    /// This.
    Usable(FailoverTimeout),
    /// Too small to keep a lease by.
    TooSmall(Duration),
}

/// What the endpoint answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To GET base.
    Version {
        /// What it calls its version.
        version: Option<String>,
        /// Whether it knows the extensions.
        native: bool,
    },
    /// To a call about a group.
    Group(GroupTimeout),
    /// To a call about a session.
    Session,
    /// To a heartbeat.
    Heartbeat(HeartbeatAnswer),
}

/// The last words to an endpoint: a heartbeat that says that acting has stopped, then DELETE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    /// Where; for telling the farewell's end.
    pub endpoint: HttpUrl,
    /// The group that is left.
    pub group: GroupId,
    /// The session that is given up.
    pub session: SessionId,
    /// The last heartbeats, each sent once the one before was answered. The second one's
    /// `answered` covers answers that were still on their way when the first was made.
    pub heartbeats: Vec<Heartbeat>,
    /// How long all of it may take.
    pub at_most: Duration,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The store was read (again).
    Configured(Desired),
    /// A call ended.
    Answered(CallId, Result<Answer, CallFailure>),
    /// A farewell ended, delivered or not.
    FarewellEnded(HttpUrl, GroupId),
    /// The endpoint let it be known that it waits for a heartbeat.
    Nudged,
    /// The moment of [`Machine::next_wake`] came.
    Tick,
    /// The process is to stop.
    Stop,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Let everybody see where the adapter stands. Before it, records are waited for (a promotion is
    /// on disk before it is acted on); after it, they are not (a demotion is acted on first).
    Publish(Box<Standing>),
    /// Write a row of history.
    Record(Box<Transition>),
    /// Keep what must outlive a crash.
    Remember(Known),
    /// Say farewell with the configuration adopted so far.
    Farewell(Box<Farewell>),
    /// From here on use the newest configuration; calls under way are given up.
    Adopt,
    /// Ask the endpoint; give up after `at_most`.
    Call {
        /// Names the call.
        id: CallId,
        /// What to ask.
        call: Call,
        /// How long to wait for its answer.
        at_most: Duration,
    },
    /// Give up a call: a newer one was answered.
    Cancel(CallId),
    /// Listen to the endpoint's events, with the configuration adopted so far, until it is said to stop or
    /// another one is adopted. Whatever becomes of it, heartbeats go on as they do.
    Listen(Box<Listen>),
    /// Listen no more.
    StopListening,
}

/// What to listen to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The group whose events are wanted.
    pub group: GroupId,
    /// The session whose nudges count.
    pub session: SessionId,
    /// The longest wait before a stream that ended is opened again.
    pub longest_wait: Duration,
    /// Makes the waits of this adapter differ from those of others.
    pub jitter_seed: u64,
}

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
    /// Whether a nudge brought it forward.
    nudged: bool,
}

/// Keeps this adapter registered. See the module.
#[derive(Debug, Clone)]
pub struct Machine {
    identity: Identity,
    loss: EndpointLoss,
    started: Now,

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
    nudges: Nudges,
    /// Whether the driver was told to listen to events.
    listens: bool,
    /// Registrations since the last heartbeat that was answered.
    rejoins: u32,

    /// The last sequence that was used.
    sequence: u64,
    /// The highest own sequence whose answer arrived.
    answered: u64,
    /// The smallest sequence whose answer permits to act (R5).
    act_from: u64,
    /// Confirmations of PendingPrimary in a row.
    confirmations: u32,
    /// Heartbeats answered since registration: a stock endpoint's second comes after a second.
    answers: u64,

    acting: Acting,
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
    /// The epoch of the last hand-over that was recorded.
    receipt: Option<Epoch>,
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
    /// A machine that knows nothing of a configuration yet.
    #[must_use]
    pub fn new(identity: Identity, loss: EndpointLoss, now: Now) -> Self {
        let may_take_back =
            loss.keeps_role() && identity.known.as_ref().is_some_and(|known| known.was_primary);
        Self {
            loss,
            started: now,
            desired: Desired::Nothing,
            phase: Phase::Out,
            may_be_registered: false,
            farewells: Vec::new(),
            calls: 0,
            flights: Vec::new(),
            due: now.uptime,
            backoff: Backoff::new(identity.jitter_seed),
            nudges: Nudges::default(),
            listens: false,
            rejoins: 0,
            sequence: 0,
            answered: 0,
            act_from: 1,
            confirmations: 0,
            answers: 0,
            acting: Acting::No,
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
            receipt: None,
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
            Event::Tick => {}
            Event::Stop => self.stop(now),
        }
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
            self.may_ask().then_some(self.nudge_due().map_or(self.due, |nudge| nudge.min(self.due)));
        [lease, question, self.lost_at(), self.take_back_at()].into_iter().flatten().min()
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

    /// The timeout that paces questions and reports of loss: the smaller of ours and the group's.
    fn pace_timeout(&self) -> FailoverTimeout {
        let own = self.target().map_or(FailoverTimeout::DEFAULT, |target| target.timeout);
        self.group_timeout.map_or(own, |group| own.min(group))
    }

    fn lost_at(&self) -> Option<Uptime> {
        (self.is_member() && !self.lost).then(|| self.last_contact + self.pace_timeout().get())
    }

    fn take_back_at(&self) -> Option<Uptime> {
        let waits = self.may_take_back && self.is_member() && self.role == Role::Secondary;
        let target = self.target().filter(|_| waits)?;
        Some(self.started.uptime + target.timeout.get())
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
                "the endpoint could not be reached for one FailoverTimeout after the start, and this adapter was \
                 Primary when it stopped; by policy it takes the role back, and another adapter may act too"
                    .to_owned(),
            );
        }
    }

    fn lose_lease(&mut self, now: Now) {
        let silent = now.uptime.since(self.last_contact);
        let silence =
            format!("{} has given no good answer for {:.1} s", self.endpoint_name(), silent.as_secs_f64());
        if self.loss.keeps_role() {
            self.acting = Acting::Unbounded;
            let explanation =
                format!("{silence}; by policy the role is kept, and another adapter may act too");
            self.record(now, TransitionKind::RoleKept, Reason::LeaseExpired, explanation);
        } else {
            let explanation =
                format!("{silence}; another adapter may become Primary, so this one stopped before");
            self.become_secondary(now, TransitionKind::SteppedDown, Reason::LeaseExpired, explanation);
        }
    }

    fn configure(&mut self, now: Now, desired: Desired) {
        if desired == self.desired && self.reason != Reason::Started {
            return;
        }
        let stays = match (self.target(), &desired) {
            (Some(old), Desired::Target(new)) => {
                self.is_member() && new.mode != Mode::None && old.same_group(new)
            }
            _ => false,
        };
        if !stays {
            self.leave(now, Reason::ConfigurationChanged, "the configuration was changed");
        }
        if self.reason == Reason::Started {
            let explanation = match &self.identity.known {
                Some(known) if known.was_primary => "the server started; it was Primary when it last ran",
                Some(_) | None => "the server started",
            };
            self.record(now, TransitionKind::ServerStarted, Reason::Started, explanation.to_owned());
        }
        if stays {
            return self.change_in_place(now, desired);
        }
        self.use_newest_client(now);
        self.desired = desired;
        match &self.desired {
            Desired::Nothing => self.stand_alone(now, Reason::NotConfigured, "nothing is configured"),
            Desired::Unusable(why) => {
                let why = why.clone();
                self.role = Role::Secondary;
                self.role_since = now.wall;
                self.applied_mode = None;
                (self.reason, self.explanation) = (Reason::ConfigurationUnusable, why.clone());
                self.record(now, TransitionKind::ConfigurationUnusable, Reason::ConfigurationUnusable, why);
            }
            Desired::Target(target) if target.mode == Mode::None => {
                self.stand_alone(now, Reason::ModeNone, "the mode is None");
            }
            Desired::Target(_) => self.join(now),
        }
    }

    /// Stays in its group with another configuration.
    fn change_in_place(&mut self, now: Now, desired: Desired) {
        let client = |desired: &Desired| match desired {
            Desired::Target(target) => Some(target.client),
            Desired::Nothing | Desired::Unusable(_) => None,
        };
        // A change overtakes a call that hangs. One that is made in the same way and may yet be answered
        // goes on: a configuration that is put again and again must not keep heartbeats from being heard.
        let hangs = self.flights.iter().any(|flight| now.uptime.since(flight.sent.uptime) >= HANGING);
        if hangs || client(&self.desired) != client(&desired) {
            self.use_newest_client(now);
        }
        self.due = self.due.min(now.uptime);
        self.desired = desired;
        self.apply_mode(now, Reason::ConfigurationChanged);
        self.note_timeouts(now);
    }

    /// Gives up the calls under way, and asks anew, with the newest configuration's client, at once.
    fn use_newest_client(&mut self, now: Now) {
        self.flights.clear();
        self.effects.push(Effect::Adopt);
        self.listens = false;
        self.backoff.reset();
        self.due = now.uptime;
    }

    /// Out of failover: the collector runs as if alone.
    fn stand_alone(&mut self, now: Now, reason: Reason, because: &str) {
        self.applied_mode = self.target().map(|target| target.mode);
        self.acting = Acting::Unbounded;
        self.set_role(now, Role::None, reason, format!("{because}; the collector runs as if alone"));
    }
}

/// How long a call may be under way before a change of the configuration gives it up.
const HANGING: Duration = Duration::from_secs(1);
