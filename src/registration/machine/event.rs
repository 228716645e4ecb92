//! What the machine is told and what it gives out: identity, targets, events, effects.

use std::time::Duration;

use crate::domain::{
    BootId, CallFailure, ConfigurationId, FailoverTimeout, GroupId, Health, Heartbeat, HeartbeatAnswer,
    HttpUrl, Incarnation, Known, Mode, Name, SessionId, Standing, Transition, Uptime,
};

/// Who this adapter is, and what it still knows from before its start.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The session's Id: made at the first start, and kept.
    pub session: SessionId,
    /// This run of the process.
    pub incarnation: Incarnation,
    /// The run before it, which is dead: this one holds the data folder's lock.
    pub replaces: Option<Incarnation>,
    /// Whether the data folder was copied, or moved to another disk, since that run: it may live.
    pub copied: bool,
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
    /// What people call this adapter, if anything.
    pub name: Option<Name>,
    /// The configured FailoverTimeout.
    pub timeout: FailoverTimeout,
    /// The configured mode.
    pub mode: Mode,
    /// Whether a destination of the egress gate is configured.
    pub has_destination: bool,
    /// What is allowed but should be known.
    pub warnings: Vec<String>,
    /// Rises when calls have to be made in another way: another address, login or timeout.
    pub client: u64,
}

impl Target {
    pub(super) fn same_group(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint && self.group == other.group
    }
}

/// What the store says should be.
#[expect(
    clippy::large_enum_variant,
    reason = "there are two of them at a time, and one is moved at each change"
)]
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
pub struct CallId(pub(super) u64);

/// A question to the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// GET base.
    Version,
    /// POST groups.
    CreateGroup(GroupId, FailoverTimeout),
    /// GET groups/{g}.
    ReadGroup(GroupId),
    /// POST clientsessions, under this friendly name.
    CreateSession(GroupId, SessionId, Option<Name>),
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
    /// Those who obey orders say how they do.
    Health(Health),
    /// The process is to stop, and waits for those who obey orders until this moment at the most.
    Stop(Uptime),
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
        call: Box<Call>,
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
