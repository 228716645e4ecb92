//! What a collector's components say of themselves, and what probes look at.

use std::{fmt, time::Duration};

use super::{ComponentId, HttpUrl, Wall, format_span};

words! {
    /// How a component stands to its data source, in the words of the vendor's adapters.
    DeviceStatus {
        /// Connected to its source, and data arrives.
        Good,
        /// Connected to its source, and no data arrives.
        ConnectedNoData,
        /// Being started; not yet connected.
        Starting,
        /// Not connected: the source cannot be reached, or refuses.
        DeviceInError,
        /// Stopped.
        Shutdown,
        /// Taken away for good: it has no streams any more.
        Removed,
        /// There, but nobody has said yet what its source is.
        NotConfigured,
    }
}

impl DeviceStatus {
    /// Whether the source of its streams is connected.
    #[must_use]
    pub const fn is_connected(self) -> bool {
        match self {
            Self::Good | Self::ConnectedNoData => true,
            Self::Starting | Self::DeviceInError | Self::Shutdown | Self::Removed | Self::NotConfigured => {
                false
            }
        }
    }
}

/// How many streams a component has: what it weighs in the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamCount(u32);

impl StreamCount {
    /// A component of one stream, as a probe is when nothing else is said.
    pub const ONE: Self = Self(1);

    /// The most: more than any adapter reads.
    pub const MOST: u32 = 10_000_000;

    /// The count, if it is at most [`StreamCount::MOST`]. Zero is a component that reads nothing yet.
    #[must_use]
    pub fn new(count: u64) -> Option<Self> {
        u32::try_from(count).ok().filter(|count| *count <= Self::MOST).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// For how long a report counts when it is not refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeToLive(Duration);

impl TimeToLive {
    /// The smallest: below it a busy machine's delays would look like silence.
    pub const MIN: Duration = Duration::from_secs(1);
    /// The largest: a day. A report that is trusted for longer reports nothing.
    pub const MAX: Duration = Duration::from_secs(86_400);
    /// What is used when nothing is said: one minute.
    pub const DEFAULT: Self = Self(Duration::from_secs(60));

    /// The time, if `span` is within the limits.
    #[must_use]
    pub fn new(span: Duration) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&span).then_some(Self(span))
    }

    /// How long that is.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl fmt::Display for TimeToLive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_span(self.0))
    }
}

/// What a component says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// How many streams it has.
    pub streams: StreamCount,
    /// How it stands to its source.
    pub status: DeviceStatus,
    /// Up to when it has processed data; empty where nothing yet, or where it does not say.
    pub last_data: Option<Wall>,
    /// For how long this counts.
    pub time_to_live: TimeToLive,
}

/// What is looked at, again and again, for a collector that cannot report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Names it among the components.
    pub id: ComponentId,
    /// What is looked at.
    pub target: ProbeTarget,
    /// What it weighs in the score.
    pub streams: StreamCount,
    /// From one look to the next.
    pub interval: Duration,
    /// How long a look may take.
    pub timeout: Duration,
    /// How many failures in a row count as DeviceInError; one at least.
    pub failures: u32,
}

/// What a probe looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeTarget {
    /// GET; good when the answer is 2xx. Redirects are not followed.
    Url(HttpUrl),
    /// A program and its arguments; good when it exits with 0.
    Command(Vec<String>),
}

/// Who speaks for a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentSource {
    /// It reports itself.
    Report,
    /// A probe of the settings looks at it.
    Probe,
}

impl ComponentSource {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Report => "Report",
            Self::Probe => "Probe",
        }
    }
}

/// A component as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentView {
    /// Which.
    pub id: ComponentId,
    /// Who speaks for it.
    pub source: ComponentSource,
    /// How many streams it has.
    pub streams: StreamCount,
    /// What was last said or seen of it.
    pub status: DeviceStatus,
    /// What it counts as now.
    pub counts_as: DeviceStatus,
    /// Up to when it has processed data.
    pub last_data: Option<Wall>,
    /// For how long a report counts; empty for a probe.
    pub time_to_live: Option<TimeToLive>,
    /// When it last reported, or was last looked at.
    pub heard: Option<Wall>,
    /// Why it counts as that, as a sentence without its full stop.
    pub explanation: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_limits() {
        assert_eq!(StreamCount::new(10_000_000).map(StreamCount::get), Some(10_000_000));
        assert_eq!(StreamCount::new(10_000_001), None);
        assert_eq!(StreamCount::new(u64::MAX), None);
        assert_eq!(TimeToLive::new(Duration::from_millis(999)), None);
        assert_eq!(TimeToLive::new(TimeToLive::MIN).map(TimeToLive::get), Some(Duration::from_secs(1)));
        assert_eq!(TimeToLive::new(TimeToLive::MAX + Duration::from_nanos(1)), None);
        assert_eq!(TimeToLive::DEFAULT.to_string(), "00:01:00");
    }

    #[test]
    fn connected_is_what_has_its_source_with_or_without_data() {
        let connected = DeviceStatus::ALL.iter().filter(|status| status.is_connected());
        assert!(connected.eq(&[DeviceStatus::Good, DeviceStatus::ConnectedNoData]));
        assert_eq!(DeviceStatus::parse("deviceINerror"), Some(DeviceStatus::DeviceInError));
    }
}
