//! What is counted and measured, and how Prometheus is told.
//!
//! Promises: a room counts without waiting and without a registry. Each scrape makes an [`Exposition`] of its own, from
//! what the rooms have counted and from where they stand, so that nothing that is published elsewhere is kept a
//! second time. Names stand in the code as they stand in Prometheus.
//!
//! Does not: ask for the time, or bound how many samples there are. Whoever counts takes its labels from closed
//! lists; whoever adds samples bounds them. It imports nothing, and only it knows Prometheus' library.

mod exposition;
mod text;

use std::time::Duration;

use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};

pub use exposition::{Exposition, Labels, truth};
pub use text::Format;

/// The upper bounds of the buckets of durations, in seconds: from a write on a fast disk over a hand-over between two
/// rooms to several FailoverTimeouts of the default.
const BOUNDS_S: [f64; 17] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// How long something takes, each time. Clones share it.
#[derive(Debug, Clone)]
pub struct Durations(Histogram);

impl Default for Durations {
    fn default() -> Self {
        Self(Histogram::new(BOUNDS_S))
    }
}

impl Durations {
    /// It took this long once more.
    pub fn took(&self, duration: Duration) {
        self.0.observe(duration.as_secs_f64());
    }
}

/// The same, by labels. Clones share it.
#[derive(Debug, Clone)]
pub struct DurationsBy<const N: usize> {
    names: [&'static str; N],
    durations: Family<Values<N>, Histogram, fn() -> Histogram>,
}

/// Values of labels, with the labels' names.
type Values<const N: usize> = [(&'static str, String); N];

impl<const N: usize> DurationsBy<N> {
    /// Durations by labels of these names.
    #[must_use]
    pub fn by(names: [&'static str; N]) -> Self {
        Self { names, durations: Family::new_with_constructor(|| Histogram::new(BOUNDS_S)) }
    }

    /// It took this long once more, with these values of the labels.
    pub fn took(&self, values: [&str; N], duration: Duration) {
        self.durations.get_or_create(&labelled(self.names, values)).observe(duration.as_secs_f64());
    }

    /// The same durations, with these values there from the beginning: an increase is seen only of what was there
    /// before.
    #[must_use]
    pub fn from_zero(self, values: [&str; N]) -> Self {
        drop(self.durations.get_or_create(&labelled(self.names, values)));
        self
    }
}

/// How often something happened, by labels. Clones share it.
#[derive(Debug, Clone)]
pub struct Counts<const N: usize> {
    names: [&'static str; N],
    counters: Family<Values<N>, Counter>,
}

impl<const N: usize> Counts<N> {
    /// Counts by labels of these names.
    #[must_use]
    pub fn by(names: [&'static str; N]) -> Self {
        Self { names, counters: Family::default() }
    }

    /// It happened once more, with these values of the labels.
    pub fn count(&self, values: [&str; N]) {
        self.counters.get_or_create(&labelled(self.names, values)).inc();
    }

    /// The same counts, with this one at 0 from the beginning, as durations are.
    #[must_use]
    pub fn from_zero(self, values: [&str; N]) -> Self {
        drop(self.counters.get_or_create(&labelled(self.names, values)));
        self
    }
}

fn labelled<const N: usize>(names: [&'static str; N], values: [&str; N]) -> Values<N> {
    let mut values = values.into_iter();
    names.map(|name| (name, values.next().unwrap_or_default().to_owned()))
}
