//! A heartbeat and its answer: what an adapter and a failover endpoint say to each other.

use std::time::Duration;

use super::{
    BootId, ClientRole, Coverages, Description, Echo, EndpointLoss, Epoch, FailoverScore, FailoverTimeout,
    GroupId, Incarnation, Name, Receipt, Wall,
};

/// What an adapter says about itself, every T/2 or oftener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// How well it can do its work.
    pub score: FailoverScore,
    /// Up to when it has processed data; empty before the first.
    pub last_data: Option<Wall>,
    /// What only a native member says; empty for a stock adapter.
    pub native: Option<NativeHeartbeat>,
}

/// The extensions that make hand-over safe. A stock adapter sends none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeHeartbeat {
    /// Which run of the process asks.
    pub incarnation: Incarnation,
    /// The run before it, named by the process that holds its data folder's lock, so that a
    /// restart need not wait until its dead predecessor has been silent for T.
    pub replaces: Option<Incarnation>,
    /// Which boot of its machine the process runs in.
    pub boot: BootId,
    /// Counts the questions of this incarnation, from 1.
    pub sequence: u64,
    /// The highest own sequence whose answer has arrived; 0 before the first.
    pub answered: u64,
    /// The echo of the last answer that has arrived; empty before the first.
    pub echo: Option<Box<Echo>>,
    /// Whether it acts as Primary as it sends this.
    pub acting: bool,
    /// For how long it has acted, or has not, in this run; empty where it does not say.
    pub applied_for: Option<Duration>,
    /// The highest epoch it has known in this group.
    pub epoch: Option<Epoch>,
    /// What it does as Primary when it loses the endpoint.
    pub loss: Option<EndpointLoss>,
    /// What the egress gate of a Primary has received and settled; empty without one.
    pub coverages: Coverages,
    /// How long ago its gate delivered last, under its last permission to; empty where it has delivered nothing.
    pub delivered_ago: Option<Duration>,
    /// Whether this is a last word: its session is given up, and no answer makes it act any more.
    pub leaving: bool,
}

impl NativeHeartbeat {
    /// Whether more than two of its questions had no answer as it was sent.
    #[must_use]
    pub const fn is_late(&self) -> bool {
        self.sequence.saturating_sub(self.answered) > 2
    }

    /// Whether all its questions before this one were answered as it was sent.
    #[must_use]
    pub const fn waits_for_no_answer(&self) -> bool {
        self.sequence.saturating_sub(self.answered) == 1
    }
}

/// What the endpoint answers a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// The role the member has from now on.
    pub role: ClientRole,
    /// Up to when the group's Primary has processed data.
    pub last_data: Option<Wall>,
    /// The epoch of the group's Primary; only an endpoint of ours says it.
    pub epoch: Option<Epoch>,
    /// Why, in a sentence; only an endpoint of ours says it.
    pub reason: Option<String>,
    /// The FailoverTimeout that a Primary answer holds the seat for; only an endpoint of ours says it.
    ///
    /// A group may have been deleted and created anew since its member read it.
    pub timeout: Option<FailoverTimeout>,
    /// What the next heartbeat is to say again; only an endpoint of ours says it.
    pub echo: Option<Box<Echo>>,
    /// What the Primary's egress gate has received and settled, aged until now; only for those who are not Primary.
    pub coverages: Coverages,
    /// The receipt of the group's last hand-over, for the two it is about.
    pub receipt: Option<Box<Receipt>>,
    /// What the member should know, each a sentence.
    pub warnings: Vec<String>,
}

impl HeartbeatAnswer {
    /// An answer that says nothing but a role.
    #[must_use]
    pub const fn new(role: ClientRole) -> Self {
        Self {
            role,
            last_data: None,
            epoch: None,
            reason: None,
            timeout: None,
            echo: None,
            coverages: Coverages::new(),
            receipt: None,
            warnings: Vec::new(),
        }
    }
}

/// A group as it is made by its first member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDraft {
    /// Its Id.
    pub id: GroupId,
    /// A friendly name.
    pub name: Option<Name>,
    /// For people.
    pub description: Option<Description>,
    /// How long its Primary may be silent.
    pub timeout: FailoverTimeout,
}
