//! What those who obey orders say of themselves: the collector's room and the gate, to the registration.

use super::{AdapterState, FailoverScore, Wall};

/// How the protected collector does, and which order is obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The highest number of an order that is obeyed whole: whatever it forbids has ended. Who is told to
    /// stop says that it has stopped only once this is reached, or past the deadline.
    pub obeyed: u64,
    /// How well the adapter can do its work; empty where nothing looks, and role and mode decide.
    pub score: Option<FailoverScore>,
    /// The adapter's state; empty where nothing runs here, and role and mode decide.
    pub state: Option<AdapterState>,
    /// Up to when everything received has been delivered or otherwise settled.
    pub last_data: Option<Wall>,
    /// What an operator should know, each a sentence.
    pub warnings: Vec<String>,
}

impl Health {
    /// Of an adapter that protects nothing: every order is obeyed as it is given.
    pub const NOTHING_PROTECTED: Self =
        Self { obeyed: u64::MAX, score: None, state: None, last_data: None, warnings: Vec::new() };
}

impl Health {
    /// What this and `other` say together: an order is obeyed when both obey it, and the worse score counts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut warnings = self.warnings;
        warnings.extend(other.warnings);
        Self {
            obeyed: self.obeyed.min(other.obeyed),
            score: [self.score, other.score].into_iter().flatten().min(),
            state: self.state.or(other.state),
            last_data: [self.last_data, other.last_data].into_iter().flatten().min(),
            warnings,
        }
    }
}
