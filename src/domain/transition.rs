//! What is worth remembering: one transition, one reason.

use std::time::Duration;

use super::{AdapterState, Epoch, FailoverScore, GroupId, Mode, Now, Role, SessionId, Standing, Wall};

words! {
    /// What kind of event a row of the history is.
    TransitionKind {
        /// The server started.
        ServerStarted,
        /// The server stopped in order.
        ServerStopped,
        /// Somebody changed the configuration.
        ConfigurationChanged,
        /// The stored configuration cannot be used.
        ConfigurationUnusable,
        /// The session is known to the endpoint.
        Registered,
        /// The session was given up.
        Unregistered,
        /// The role changed, or was found at a start.
        Role,
        /// The applied mode changed.
        Mode,
        /// A call to the endpoint failed, for a reason that was not yet recorded.
        EndpointFailed,
        /// The endpoint has given no good answer for a FailoverTimeout.
        EndpointLost,
        /// The endpoint answers again.
        EndpointRestored,
        /// The lease ended without an answer, and the role with it.
        SteppedDown,
        /// The lease ended without an answer, and the role was kept by policy.
        RoleKept,
        /// The adapter's state changed.
        AdapterState,
        /// The timeout that is in force is not the configured one.
        EffectiveTimeout,
        /// The receipt of a hand-over from or to this adapter.
        HandOver,
        /// The protected collector was started, was stopped, or ended.
        Collector,
        /// What a component reports, or what a probe sees of it, changed.
        Component,
        /// Something at the gate that the collector sends through.
        Egress,
    }
}

words! {
    /// Why something happened: a closed list.
    Reason {
        /// The process began.
        Started,
        /// The process was told to stop.
        Stopping,
        /// Nothing is configured; the collector runs as if alone.
        NotConfigured,
        /// Mode None: the collector runs as if alone.
        ModeNone,
        /// Somebody changed the configuration.
        ConfigurationChanged,
        /// The stored configuration cannot be read.
        ConfigurationUnusable,
        /// The adapter registers, and is Secondary until it is told otherwise.
        Registering,
        /// The endpoint accepted the registration.
        RegistrationAccepted,
        /// The endpoint did not know the session any more.
        SessionForgotten,
        /// The endpoint answered a heartbeat with Primary.
        ToldPrimary,
        /// The endpoint answered a heartbeat with Secondary.
        ToldSecondary,
        /// This adapter took over from another.
        TookOver,
        /// Another adapter took over from this one.
        HandedOver,
        /// The gate has counted what it delivered of a hand-over.
        Delivered,
        /// No answer arrived within the lease.
        LeaseExpired,
        /// The endpoint could not be reached for one FailoverTimeout after a start as Primary.
        TookBack,
        /// The endpoint has given no good answer for a FailoverTimeout.
        NoAnswer,
        /// The endpoint answers again.
        Answered,
        /// The role changed, and what the mode demands of it.
        RoleChanged,
        /// The group has another FailoverTimeout than the configuration.
        GroupTimeoutDiffers,
        /// The endpoint could not be reached.
        Unreachable,
        /// The endpoint did not answer in time.
        TimedOut,
        /// The endpoint's certificate was not accepted.
        Certificate,
        /// The endpoint answered with a redirect, which is never followed.
        Redirected,
        /// The endpoint's answer was larger than any answer should be.
        TooLarge,
        /// The endpoint's answer could not be understood.
        BadAnswer,
        /// The endpoint did not accept the credentials (401).
        Unauthorized,
        /// The credentials have no right to this (403).
        Forbidden,
        /// The endpoint does not know the address, group or session (404).
        NotFound,
        /// The endpoint has something else under this Id (409).
        Conflict,
        /// The endpoint wants fewer requests (429).
        TooManyRequests,
        /// The endpoint has a fault of its own (5xx).
        ServerError,
        /// The endpoint refused the request (another 4xx).
        Refused,
        /// No token could be had for the endpoint.
        TokenFailed,
        /// A destination of the gate settles nothing.
        DestinationFailed,
        /// A destination of the gate settles requests again.
        DestinationRestored,
        /// A destination of the gate refused requests for good.
        DestinationRefused,
        /// A Secondary's buffer is full: its oldest was dropped.
        BufferOverflowed,
        /// A Primary's buffer is full: requests were not taken.
        BufferFull,
        /// The requests under way take all the memory that they may: others were not taken.
        GateOverloaded,
        /// The gate's buffer could not be used, and was put aside: what waited in it is not sent.
        BufferDamaged,
        /// A component reported it.
        Reported,
        /// A component has not reported again within its time to live.
        ReportExpired,
        /// A component was deleted.
        ReportDeleted,
        /// A probe found it good.
        ProbeSucceeded,
        /// A probe failed as often in a row as makes an error.
        ProbeFailed,
        /// The collector was stopped, because its order is another or the adapter stops.
        Stopped,
        /// The collector did not stop when asked to, and was killed.
        StopTimedOut,
        /// The permission to act ended while the collector still acted, and it was killed.
        Fenced,
        /// The collector ended by itself.
        Exited,
        /// The collector could not be started.
        StartFailed,
        /// The collector's guard was gone or did not answer, and the collector was killed.
        GuardLost,
        /// The collector ended too often, and the role is left to others.
        Ceded,
        /// The time for which the role was left to others is over.
        Recovered,
    }
}

/// One row of the history: what happened, why, and what was known then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub at: Wall,
    /// What.
    pub kind: TransitionKind,
    /// Why.
    pub reason: Reason,
    /// Why, as a sentence that a plant engineer understands.
    pub explanation: String,
    /// The role from then on.
    pub role: Role,
    /// The applied mode.
    pub mode: Option<Mode>,
    /// The adapter's state.
    pub adapter_state: AdapterState,
    /// The group, where one is configured.
    pub group: Option<GroupId>,
    /// This adapter's session in it.
    pub session: Option<SessionId>,
    /// The highest epoch known in the group.
    pub epoch: Option<Epoch>,
    /// The score that heartbeats said.
    pub score: Option<FailoverScore>,
    /// Up to when data had been processed.
    pub last_data: Option<Wall>,
    /// How long the answer that caused it took.
    pub round_trip: Option<Duration>,
    /// Of a hand-over: what lay between the last act of one adapter and the first of the other, in
    /// microseconds, below zero where both acted.
    pub gap_us: Option<i64>,
}

/// Begins what a row says at the end of how late it was written.
const LATE: &str = " (recorded ";

impl Transition {
    /// The row, written so much later than it happened, and saying so.
    #[must_use]
    pub fn recorded_late(mut self, by: Duration) -> Self {
        self.explanation = format!("{}{LATE}{:.1} s later)", self.explanation, by.as_secs_f64());
        self
    }

    /// Whether an `explanation` on disk is that of this row, however late either was written.
    #[must_use]
    pub fn explains(&self, explanation: &str) -> bool {
        fn in_time(explanation: &str) -> &str {
            explanation.rsplit_once(LATE).map_or(explanation, |(said, _)| said)
        }
        in_time(explanation) == in_time(&self.explanation)
    }

    /// Something that happened at `now` where `standing` is the adapter's: of whoever else than the registration tells.
    #[must_use]
    pub fn observed(
        standing: &Standing,
        now: Now,
        kind: TransitionKind,
        reason: Reason,
        explanation: String,
    ) -> Self {
        Self {
            at: now.wall,
            kind,
            reason,
            explanation,
            role: standing.role_at(now.uptime),
            mode: standing.applied_mode,
            adapter_state: standing.adapter_state,
            group: standing.group.clone(),
            session: standing.session.clone(),
            epoch: standing.epoch,
            score: Some(standing.score),
            last_data: standing.last_data,
            round_trip: None,
            gap_us: None,
        }
    }
}
