//! Where this adapter stands: what the registration worker publishes and everybody else reads.

use std::{fmt, time::Duration};

use super::{
    ConfigurationId, EndpointLoss, Epoch, FailoverScore, FailoverTimeout, GroupId, HandOver, Mode, Proof,
    Reason, Role, SessionId, Uptime, Wall,
};

/// Permission to act: a deadline, not a flag. The greater one lasts longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Acting {
    /// None.
    #[default]
    No,
    /// Until this moment; past it, without anybody saying so, none.
    Until(Uptime),
    /// Without an end: out of failover, or a role that is kept without the endpoint.
    Unbounded,
}

impl Acting {
    /// Whether it permits acting at `now`.
    #[must_use]
    pub fn permits(self, now: Uptime) -> bool {
        match self {
            Self::No => false,
            Self::Until(end) => now < end,
            Self::Unbounded => true,
        }
    }
}

/// The state of the adapter, as FailoverState shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AdapterState {
    /// Not yet able to work.
    #[default]
    Starting,
    /// Works, or stands by ready to.
    Running,
    /// Does not run: stopped, or a Cold standby.
    Stopped,
    /// Cannot work; `diagnostics/Failover` says why.
    Faulted,
}

impl AdapterState {
    /// The state's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Stopped => "Stopped",
            Self::Faulted => "Faulted",
        }
    }
}

impl fmt::Display for AdapterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where this adapter stands, at one moment. What is not known is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// The stored configuration.
    pub configuration: Option<ConfigurationId>,
    /// The mode that is configured.
    pub mode: Option<Mode>,
    /// The mode that is applied: a change while Primary waits for the next demotion.
    pub applied_mode: Option<Mode>,
    /// The group that this adapter is to be a member of.
    pub group: Option<GroupId>,
    /// Who this adapter is in it.
    pub session: Option<SessionId>,
    /// The role as it was last decided; read it with [`Standing::role_at`].
    pub role: Role,
    /// Until when a Primary may act.
    pub acting: Acting,
    /// The number of the order that role and mode demand; see [`super::Order`].
    pub order: u64,
    /// Since when it has the role.
    pub role_since: Option<Wall>,
    /// Why it has the role.
    pub reason: Option<Reason>,
    /// The same, as a sentence.
    pub explanation: String,
    /// The highest epoch known in the group.
    pub epoch: Option<Epoch>,
    /// The group's FailoverTimeout, once it is known.
    pub group_timeout: Option<FailoverTimeout>,
    /// When the last heartbeat that was answered was sent.
    pub last_heartbeat: Option<Wall>,
    /// How long its answer took.
    pub round_trip: Option<Duration>,
    /// What last went wrong towards the endpoint; empty again once it answers.
    pub last_error: Option<String>,
    /// What the endpoint says its version is.
    pub endpoint_version: Option<String>,
    /// Whether the endpoint is one of ours, with the extensions; empty until one answered.
    pub endpoint_native: Option<bool>,
    /// What happens when the endpoint is lost.
    pub endpoint_loss: EndpointLoss,
    /// Whether it comes to keeping the role, as things are (`auto` steps down where gates keep everything).
    pub keeps_role: bool,
    /// The score that heartbeats say.
    pub score: FailoverScore,
    /// Up to when data has been processed.
    pub last_data: Option<Wall>,
    /// What the last answer proved of the Primary's gate.
    pub proof: Option<Proof>,
    /// Whether the registration waits for the egress gate before it says that acting has stopped. Until it does the
    /// gate sends nothing.
    pub gated: bool,
    /// The last hand-over from or to this adapter, in this run.
    pub hand_over: Option<Box<HandOver>>,
    /// The adapter's state.
    pub adapter_state: AdapterState,
    /// What an operator should know, each a sentence.
    pub warnings: Vec<String>,
}

impl Standing {
    /// The role at `now`: a Primary whose permission to act has ended is Secondary.
    #[must_use]
    pub fn role_at(&self, now: Uptime) -> Role {
        match self.role {
            Role::Primary if !self.acting.permits(now) => Role::Secondary,
            Role::None | Role::Secondary | Role::Primary => self.role,
        }
    }

    /// Until when a Primary may act, by the boot clock: `None` where there is no lease.
    #[must_use]
    pub const fn acting_until(&self) -> Option<Uptime> {
        match self.acting {
            Acting::Until(end) => Some(end),
            Acting::No | Acting::Unbounded => None,
        }
    }

    /// How long a Primary may still act: `None` where there is no lease.
    #[must_use]
    pub fn lease_remaining(&self, now: Uptime) -> Option<Duration> {
        match self.acting {
            Acting::Until(end) => Some(end.since(now)),
            Acting::No | Acting::Unbounded => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_primary_past_its_deadline_is_secondary_without_anybody_saying_so() {
        let at = |millis| Uptime::new(Duration::from_millis(millis));
        let standing =
            Standing { role: Role::Primary, acting: Acting::Until(at(100)), ..Standing::default() };
        assert_eq!(standing.role_at(at(99)), Role::Primary);
        assert_eq!(standing.role_at(at(100)), Role::Secondary);
        assert_eq!(standing.lease_remaining(at(60)), Some(Duration::from_millis(40)));
        assert_eq!(standing.lease_remaining(at(160)), Some(Duration::ZERO));
        let kept = Standing { acting: Acting::Unbounded, ..standing };
        assert_eq!(kept.role_at(at(1_000_000)), Role::Primary);
    }
}
