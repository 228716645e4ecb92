//! What those who obey orders say of themselves: the collector's room and the gate, to the registration.

use super::{AdapterState, Deliveries, FailoverScore, Wall};

/// How the protected collector does, and which order is obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The highest number of an order that is obeyed whole: whatever it forbids has ended. Who is told to
    /// stop says that it has stopped only once this is reached, or past the deadline.
    pub obeyed: u64,
    /// Whether an egress gate is among them. It sends nothing before it knows that it is waited for.
    pub gated: bool,
    /// How well the adapter can do its work; empty where nothing looks, and role and mode decide.
    pub score: Option<FailoverScore>,
    /// The adapter's state; empty where nothing runs here, and role and mode decide.
    pub state: Option<AdapterState>,
    /// Up to when everything received has been delivered or otherwise settled.
    pub last_data: Option<Wall>,
    /// What an operator should know, each a sentence.
    pub warnings: Vec<String>,
    /// What the gate has delivered since its last promotion, once it has counted to the end.
    pub deliveries: Option<Deliveries>,
}

impl Health {
    /// Of an adapter that protects nothing: every order is obeyed as it is given.
    pub const NOTHING_PROTECTED: Self = Self {
        obeyed: u64::MAX,
        gated: false,
        score: None,
        state: None,
        last_data: None,
        warnings: Vec::new(),
        deliveries: None,
    };
}

impl Health {
    /// What this and `other` say together: an order is obeyed when both obey it, and the worse score counts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut warnings = self.warnings;
        warnings.extend(other.warnings);
        Self {
            obeyed: self.obeyed.min(other.obeyed),
            gated: self.gated || other.gated,
            score: [self.score, other.score].into_iter().flatten().min(),
            state: self.state.or(other.state),
            last_data: [self.last_data, other.last_data].into_iter().flatten().min(),
            warnings,
            deliveries: self.deliveries.or(other.deliveries),
        }
    }
}
