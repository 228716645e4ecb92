//! What those who obey orders say of themselves: the collector's room and the gate, to the registration.

use std::time::Duration;

use super::{AdapterState, Deliveries, FailoverScore, Uptime, Wall};

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

/// What the gate of a Primary has received and settled, by its own boot clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// Since when it has received without a break, under the present epoch or before it.
    pub covered_from: Uptime,
    /// When the oldest thing that is not settled was received; empty if nothing waits.
    pub unsettled_from: Option<Uptime>,
}

impl Coverage {
    /// The same as ages, at `now`: what another machine can be told.
    #[must_use]
    pub fn ages(&self, now: Uptime) -> CoverageAges {
        CoverageAges {
            covered_from: now.since(self.covered_from),
            oldest_unsettled: self.unsettled_from.map_or(Duration::ZERO, |from| now.since(from)),
        }
    }
}

/// What a Primary's gate has received and settled, as ages: an interval that everybody can place by the own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoverageAges {
    /// It has received without a break since this long ago.
    pub covered_from: Duration,
    /// The oldest thing that it has not settled is this old; zero if nothing waits.
    pub oldest_unsettled: Duration,
}

impl CoverageAges {
    /// The same interval, `later`.
    #[must_use]
    pub const fn after(self, later: Duration) -> Self {
        Self {
            covered_from: self.covered_from.saturating_add(later),
            oldest_unsettled: self.oldest_unsettled.saturating_add(later),
        }
    }
}

/// What a Secondary may believe of the Primary's gate: ages at the moment its question was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// When the question was sent whose answer this is.
    pub asked: Uptime,
    /// What the Primary's gate has received and settled, as the endpoint passed it on.
    pub ages: CoverageAges,
}
