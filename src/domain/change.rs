//! What happens in a group, and why: what a failover endpoint writes down and can be asked about.

use std::time::Duration;

use super::{Epoch, FailoverScore, Name, SessionId, Wall, delivery::millis};

words! {
    /// What kind of thing happened in a group.
    GroupChangeKind {
        /// A member is Primary from now on.
        Promoted,
        /// The Primary was told to stop.
        ToldToStop,
        /// The seat is free.
        SeatFreed,
        /// A member is to take over, and was asked to confirm.
        ChallengeBegan,
        /// A member was to take over, and no longer is.
        ChallengeDropped,
        /// The new Primary acts: who acted last before it, and what lay between.
        HandOver,
        /// A member knew a higher epoch than the store.
        StoreWasSetBack,
        /// A role override began.
        OverrideBegan,
        /// A role override ended.
        OverrideEnded,
        /// Two processes use one session.
        SessionContested,
        /// The members do not agree on what a Primary does that loses the endpoint.
        PoliciesDiffer,
        /// The endpoint stops, as it was told to.
        EndpointStopped,
        /// The endpoint is back: it did not run, was stalled, or could write nothing, since the moment that the change says.
        EndpointAway,
    }
}

words! {
    /// Why something happened in a group: a closed list.
    GroupReason {
        /// Nobody was Primary before.
        NobodyWasPrimary,
        /// No heartbeat came from the Primary for a FailoverTimeout.
        NoHeartbeat,
        /// The Primary said that it stopped acting: a planned stop, or its lease had ended.
        StoppedActing,
        /// The session of the Primary, a stock adapter, was removed.
        SessionRemoved,
        /// Another member's score was better by the margin for the dwell.
        BetterScore,
        /// The Primary's score was 0, and another member could do something.
        ScoreZero,
        /// An operator asked for another Primary.
        OperatorAsked,
        /// An operator ended what an operator had asked for.
        OperatorEnded,
        /// The time of an override was over.
        OverrideExpired,
        /// Whom an override asked for was silent for a FailoverTimeout.
        OverrideTargetSilent,
        /// The Primary was heard for a FailoverTimeout and did not act: no answer reached it.
        NeverActed,
        /// A member acted already when the endpoint began.
        ActsAlready,
        /// The recorded Primary did not act any more when the endpoint began.
        ActedNoLonger,
        /// A member knew a higher epoch than the store, which had been set back.
        StoreSetBack,
        /// Somebody else is better now, or the one that was is not any more.
        NoLongerBetter,
        /// Another process sent heartbeats under the same session.
        AnotherProcess,
        /// Some members step down without the endpoint, others keep their role.
        DifferentPolicies,
        /// The endpoint was told to stop.
        PlannedStop,
        /// The endpoint ended without saying so: it was killed, or its machine lost power.
        EndedUnsaid,
        /// The endpoint's process was stopped, or found no processor.
        Stalled,
        /// The endpoint's store refused what happened for so long that the endpoint did not keep it.
        NotWritten,
    }
}

impl GroupReason {
    /// Whether a Primary that lost its role so has shown that it may not be able to do its work: it
    /// fell silent, or its score was low. A planned stop and an override show nothing.
    #[must_use]
    pub const fn is_a_loss(self) -> bool {
        matches!(self, Self::NoHeartbeat | Self::BetterScore | Self::ScoreZero | Self::NeverActed)
    }

    /// The reason as a cause of what changed. What ended an endpoint must not be taken for what ended a Primary.
    #[must_use]
    pub fn as_cause(self) -> String {
        match self {
            Self::PlannedStop | Self::EndedUnsaid | Self::Stalled | Self::NotWritten => {
                format!("the endpoint was away ({self})")
            }
            Self::NobodyWasPrimary
            | Self::NoHeartbeat
            | Self::StoppedActing
            | Self::SessionRemoved
            | Self::BetterScore
            | Self::ScoreZero
            | Self::OperatorAsked
            | Self::OperatorEnded
            | Self::OverrideExpired
            | Self::OverrideTargetSilent
            | Self::NeverActed
            | Self::ActsAlready
            | Self::ActedNoLonger
            | Self::StoreSetBack
            | Self::NoLongerBetter
            | Self::AnotherProcess
            | Self::DifferentPolicies => self.to_string(),
        }
    }

    /// Whether a promotion for this reason counts when a group is kept from handing its role to and fro.
    #[must_use]
    pub const fn is_trouble(self) -> bool {
        self.is_a_loss() || matches!(self, Self::NobodyWasPrimary)
    }
}

/// One member as it was known when something was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Who.
    pub session: SessionId,
    /// The score of its last heartbeat; empty before the first.
    pub score: Option<FailoverScore>,
    /// How long before the decision its last heartbeat had arrived.
    pub heard_ago: Option<Duration>,
    /// Whether it said that it acted; empty for a stock member, which does not.
    pub acting: Option<bool>,
}

words! {
    /// How it is known when the former Primary acted last.
    LastAct {
        /// It said so itself.
        Said,
        /// It fell silent: this is its last heartbeat, or the last sign of life of an endpoint that had it on record, if
        /// none came after that; and it may have acted until its lease ended.
        LastHeartbeat,
    }
}

impl LastAct {
    /// What is added to a moment that the former Primary's gate told: who fell silent may have delivered more since.
    pub(super) const fn as_far_as_known(self) -> &'static str {
        match self {
            Self::Said => "",
            Self::LastHeartbeat => ", as far as that had said",
        }
    }
}

/// The receipt of a hand-over or failover: last act of the old Primary, first act of the new.
///
/// Both are measured by the endpoint's boot clock, from what members say about themselves; each is late
/// by the time its heartbeat was under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The new Primary's epoch.
    pub epoch: Epoch,
    /// The old Primary.
    pub from: SessionId,
    /// The new one.
    pub to: SessionId,
    /// Why.
    pub cause: GroupReason,
    /// How it is known when the old one acted last.
    pub last_act: LastAct,
    /// How long ago the old one acted last.
    pub last_act_ago: Duration,
    /// How long ago the new one acted first.
    pub first_act_ago: Duration,
    /// How long ago the gate of the old one delivered last, as it had said; empty where it has said nothing.
    pub last_delivered_ago: Option<Duration>,
}

impl Receipt {
    /// The time in which nobody acted, in microseconds; below zero where both did.
    #[must_use]
    pub fn gap_us(&self) -> i64 {
        let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        micros(self.last_act_ago).saturating_sub(micros(self.first_act_ago))
    }

    /// The receipt as a sentence without its full stop.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { epoch, from, to, .. } = self;
        let gap = self.gap_us();
        let span = millis(Duration::from_micros(gap.unsigned_abs()));
        let acted = match (self.last_act, gap) {
            _ if from == to => format!("{to} acts again under epoch {epoch}; nobody acted for {span}"),
            (LastAct::Said, ..0) => {
                format!("{to} took over from {from} under epoch {epoch}; both acted for {span}")
            }
            (LastAct::Said, 0..) => {
                format!("{to} took over from {from} under epoch {epoch}; nobody acted for {span}")
            }
            (LastAct::LastHeartbeat, _) => {
                format!(
                    "{to} took over from {from} under epoch {epoch}, {span} after the last heartbeat of {from}"
                )
            }
        };
        let Some(delivered) = self.last_delivered_ago else { return acted };
        let before = millis(delivered.saturating_sub(self.first_act_ago));
        let known = self.last_act.as_far_as_known();
        format!("{acted}; the gate of {from} had delivered last {before} before {to} acted{known}")
    }
}

/// One row of a group's history: what happened, why, and what was known then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupChange {
    /// When.
    pub at: Wall,
    /// Since when the endpoint was away, if this says that it is back. Nothing is known of that time.
    pub since: Option<Wall>,
    /// What.
    pub kind: GroupChangeKind,
    /// Why.
    pub reason: GroupReason,
    /// Why, as a sentence that a plant engineer understands.
    pub explanation: String,
    /// Whom it is about.
    pub session: Option<SessionId>,
    /// The group's highest epoch then.
    pub epoch: Option<Epoch>,
    /// Who asked for it, where somebody did.
    pub asked_by: Option<Name>,
    /// What was known of each member then, in the order of registration.
    pub members: Vec<Seen>,
    /// The receipt of a hand-over.
    pub receipt: Option<Receipt>,
}
