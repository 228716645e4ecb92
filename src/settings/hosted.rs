//! How a failover endpoint keeps its groups and sessions, alone or beside an adapter.

use std::time::Duration;

use super::{source::Source, value::Value};
use crate::domain::{FailoverTimeout, Margin};

/// How long the endpoint remembers a session that has fallen silent: one day.
pub(super) const SESSION_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// How an endpoint keeps its groups and sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostedEndpoint {
    /// How long a session that has fallen silent is remembered.
    pub session_retention: Duration,
    /// By how many points a score must be better, in groups that say nothing else.
    pub margin: Margin,
    /// For how long it must be, there; half of the group's FailoverTimeout where empty.
    pub dwell: Option<Duration>,
}

/// What one source says about it; nothing where it is silent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the setting of the same name")]
pub struct HostedPartial {
    pub session_retention: Option<Duration>,
    pub margin: Option<Margin>,
    pub dwell: Option<Dwell>,
}

impl HostedPartial {
    pub(super) fn take(source: &mut impl Source) -> Self {
        Self {
            session_retention: source.take("session_retention"),
            margin: source.take("margin"),
            dwell: source.take("dwell"),
        }
    }

    pub(super) fn or(self, weaker: Self) -> Self {
        Self {
            session_retention: self.session_retention.or(weaker.session_retention),
            margin: self.margin.or(weaker.margin),
            dwell: self.dwell.or(weaker.dwell),
        }
    }

    /// The first setting that something is said about.
    pub(super) fn first_key(&self) -> Option<&'static str> {
        let said = [
            ("session_retention", self.session_retention.is_some()),
            ("margin", self.margin.is_some()),
            ("dwell", self.dwell.is_some()),
        ];
        said.into_iter().find(|(_, said)| *said).map(|(key, _)| key)
    }

    pub(super) fn complete(self) -> HostedEndpoint {
        HostedEndpoint {
            session_retention: self.session_retention.unwrap_or(SESSION_RETENTION),
            margin: self.margin.unwrap_or(Margin::DEFAULT),
            dwell: self.dwell.map(|dwell| dwell.0),
        }
    }
}

impl Value for Margin {
    const EXPECTED: &'static str = "a number of points from 1 to 100";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().and_then(Self::new)
    }
}

/// For how long a score must be better: at most a day, as a group may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dwell(pub(super) Duration);

impl Value for Dwell {
    const EXPECTED: &'static str = "a duration above zero of at most a day, such as 500ms, 5s or 1m";

    fn read(text: &str) -> Option<Self> {
        Duration::read(text).filter(|dwell| *dwell <= FailoverTimeout::MAX).map(Self)
    }
}
