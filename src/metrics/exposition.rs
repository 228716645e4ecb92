//! What one scrape is answered with.

use std::fmt;

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, text::encode},
    metrics::{MetricType, TypedMetric, counter::ConstCounter, gauge::ConstGauge},
    registry::{Metric, Registry, Unit},
};

use super::{Counts, Durations, DurationsBy, Format, text::classical};

/// The labels of a sample, by name.
pub type Labels = Vec<(&'static str, String)>;

/// What one scrape is answered with. Names are whole: `client_failover_…`, with unit and `_total`. What they mean is a
/// sentence without its full stop.
#[derive(Debug, Default)]
pub struct Exposition(Registry);

impl Exposition {
    /// Adds what was measured.
    pub fn durations(&mut self, name: &str, means: &str, durations: &Durations) {
        self.register(name, means, durations.0.clone());
    }

    /// Adds what was measured, by labels.
    pub fn durations_by<const N: usize>(&mut self, name: &str, means: &str, durations: &DurationsBy<N>) {
        self.register(name, means, durations.durations.clone());
    }

    /// Adds what was counted.
    pub fn counts<const N: usize>(&mut self, name: &str, means: &str, counts: &Counts<N>) {
        self.register(name, means, counts.counters.clone());
    }

    /// Adds a number that rises and falls, if it is known.
    pub fn gauge(&mut self, name: &str, means: &str, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into() {
            self.register(name, means, ConstGauge::new(value));
        }
    }

    /// Adds such numbers by labels.
    pub fn gauges(&mut self, name: &str, means: &str, samples: impl IntoIterator<Item = (Labels, f64)>) {
        let samples = samples.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.samples(name, means, samples.collect());
    }

    /// Adds which one of `all` words is true: 1 for that, 0 for the others.
    pub fn one_of(&mut self, name: &str, means: &str, label: &'static str, all: &[&str], is: Option<&str>) {
        let samples = all.iter().map(|word| (vec![(label, (*word).to_owned())], truth(is == Some(*word))));
        self.gauges(name, means, samples);
    }

    /// Adds totals that are kept elsewhere.
    pub fn totals(&mut self, name: &str, means: &str, samples: impl IntoIterator<Item = (Labels, f64)>) {
        let samples = samples.into_iter().map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.samples(name, means, samples.collect());
    }

    /// All of it, as text.
    ///
    /// # Errors
    /// Never yet; the library says that it could.
    pub fn text(&self, format: Format) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0)?;
        Ok(match format {
            Format::OpenMetrics => text,
            Format::Classical => classical(&text),
        })
    }

    fn samples<M>(&mut self, name: &str, means: &str, samples: Vec<(Labels, M)>)
    where
        Samples<M>: Metric,
    {
        if !samples.is_empty() {
            self.register(name, means, Samples(samples));
        }
    }

    /// The library wants the name without what it appends itself.
    fn register(&mut self, name: &str, means: &str, metric: impl Metric) {
        let name = name.strip_suffix("_total").unwrap_or(name);
        if let Some(name) = name.strip_suffix("_seconds") {
            self.0.register_with_unit(name, means, Unit::Seconds, metric);
        } else if let Some(name) = name.strip_suffix("_bytes") {
            self.0.register_with_unit(name, means, Unit::Bytes, metric);
        } else {
            self.0.register(name, means, metric);
        }
    }
}

/// Samples of one name that one scrape tells.
#[derive(Debug)]
struct Samples<M>(Vec<(Labels, M)>);

impl<M: EncodeMetric + TypedMetric> EncodeMetric for Samples<M> {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        self.0.iter().try_for_each(|(labels, sample)| sample.encode(encoder.encode_family(labels)?))
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}

/// What is true, as a number.
#[must_use]
pub fn truth(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn exposition() -> Exposition {
        let (durations, counts) = (Durations::default(), Counts::by(["kind"]).from_zero(["Seen"]));
        durations.took(Duration::from_millis(3));
        counts.count(["Seen"]);
        let mut exposition = Exposition::default();
        exposition.durations("client_failover_wait_seconds", "How long it took", &durations);
        exposition.counts("client_failover_events_total", "What happened", &counts);
        exposition.gauge("client_failover_size_bytes", "How large it is", 5.0);
        exposition.gauge("client_failover_left_seconds", "Not known", None::<f64>);
        let group = vec![("group", "a \"b\" \\ c".to_owned()), ("health", "One".to_owned())];
        exposition.totals("client_failover_sent_total", "What was sent", [(group, 7.0)]);
        exposition.one_of("client_failover_role", "The role", "role", &["None", "Primary"], Some("Primary"));
        exposition
    }

    #[test]
    fn open_metrics_names_families_without_their_suffix_and_ends_with_a_mark() {
        let text = exposition().text(Format::OpenMetrics).unwrap();
        for line in [
            "# TYPE client_failover_wait_seconds histogram",
            "# UNIT client_failover_wait_seconds seconds",
            "client_failover_wait_seconds_bucket{le=\"0.005\"} 1",
            "# HELP client_failover_events What happened.",
            "# TYPE client_failover_events counter",
            "client_failover_events_total{kind=\"Seen\"} 1",
            "# TYPE client_failover_size_bytes gauge",
            "client_failover_size_bytes 5.0",
            "client_failover_sent_total{group=\"a \\\"b\\\" \\\\ c\",health=\"One\"} 7.0",
            "client_failover_role{role=\"Primary\"} 1.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.ends_with("\n# EOF\n") && !text.contains("left_seconds"), "{text}");
    }

    #[test]
    fn the_classical_format_names_counters_whole_and_knows_no_unit_and_no_end() {
        let text = exposition().text(Format::Classical).unwrap();
        for line in [
            "# TYPE client_failover_wait_seconds histogram",
            "client_failover_wait_seconds_bucket{le=\"+Inf\"} 1",
            "# HELP client_failover_events_total What happened.",
            "# TYPE client_failover_events_total counter",
            "client_failover_events_total{kind=\"Seen\"} 1",
            "# TYPE client_failover_size_bytes gauge",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("# UNIT") && !text.contains("# EOF"), "{text}");
    }
}
