//! The two text formats, and which one is asked for.

use std::collections::HashSet;

/// How an exposition is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0, which Prometheus asks for.
    OpenMetrics,
    /// The format of before, 0.0.4, which everything else reads.
    Classical,
}

/// What OpenMetrics is called in `Accept`.
const OPEN_METRICS: &str = "application/openmetrics-text";

impl Format {
    /// What `Accept` prefers: OpenMetrics only where it is named, and no less wanted than text.
    #[must_use]
    pub fn asked(accept: &str) -> Self {
        let wanted = |kinds: &[&str]| {
            let ranges = accept.split(',').filter_map(range);
            ranges
                .filter(|(kind, _)| kinds.contains(&kind.as_str()))
                .map(|(_, weight)| weight)
                .reduce(f64::max)
        };
        match wanted(&[OPEN_METRICS]) {
            Some(weight) if weight > 0.0 && weight >= wanted(&["text/plain", "text/*"]).unwrap_or(0.0) => {
                Self::OpenMetrics
            }
            _ => Self::Classical,
        }
    }

    /// What it is called in `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classical => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// A media range and its weight, which is 1 unless it says something else.
fn range(text: &str) -> Option<(String, f64)> {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next()?.to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((kind, weight.map_or(Some(1.0), |weight| weight.parse().ok())?))
}

/// OpenMetrics text in the classical format: there, a counter's family has its `_total`, and units and the end are not
/// said. Samples are the same.
pub(super) fn classical(open_metrics: &str) -> String {
    let kinds = open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let counters: HashSet<&str> = kinds.filter_map(|kind| kind.strip_suffix(" counter")).collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match [words.next(), words.next(), words.next(), words.next()] {
            [Some("#"), Some("UNIT" | "EOF"), ..] => continue,
            [Some("#"), Some(what), Some(family), Some(rest)] if counters.contains(family) => {
                text.push_str(&format!("# {what} {family}_total {rest}"));
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_written_only_where_it_is_named_and_wanted() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                          version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            (prometheus, Format::OpenMetrics),
            ("Application/OpenMetrics-Text; version=1.0.0", Format::OpenMetrics),
            ("text/plain;q=0.5, application/openmetrics-text;q=0.5", Format::OpenMetrics),
            ("text/plain, application/openmetrics-text;q=0.9", Format::Classical),
            ("application/openmetrics-text;q=0", Format::Classical),
            ("application/openmetrics-text;q=nonsense", Format::Classical),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Classical),
            ("*/*", Format::Classical),
            ("", Format::Classical),
        ] {
            assert_eq!(Format::asked(accept), format, "{accept:?}");
        }
    }
}
