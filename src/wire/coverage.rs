//! What a Primary's gate has received and settled, in a heartbeat and in an answer.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    members::{Field, Reader},
    schema,
};
use crate::domain::{CoverageAges, Coverages, DestinationKey, format_span, parse_span};

/// The member that has it: an object for each destination.
const MEMBER: &str = "Egress";

/// So many destinations are said, and read: a heartbeat must stay small. What is not said proves nothing.
const MOST_DESTINATIONS: usize = 64;

/// What the gate has received and settled for one destination.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Coverage")]
pub(super) struct CoverageBody {
    /// Which destination, and where it is.
    destination: String,
    /// For how long it has received without a break.
    #[schemars(with = "schema::Span")]
    covered_from_age: String,
    /// How old the oldest request is that it has not settled.
    #[schemars(with = "schema::Span")]
    oldest_unsettled_age: String,
}

/// The same of each destination.
pub(super) fn coverage_bodies(coverages: &Coverages) -> Vec<CoverageBody> {
    let body = |(key, ages): (&DestinationKey, &CoverageAges)| CoverageBody {
        destination: key.to_string(),
        covered_from_age: format_span(ages.covered_from),
        oldest_unsettled_age: format_span(ages.oldest_unsettled),
    };
    coverages.iter().take(MOST_DESTINATIONS).map(body).collect()
}

/// What a gate has received and settled. A destination of which half is said, or nonsense, or twice, is not said:
/// then nothing of it leaves a buffer.
pub(super) fn read_coverages(reader: &mut Reader) -> Coverages {
    let Field::Value(Value::Array(said)) = reader.any(MEMBER) else { return Coverages::new() };
    let mut read = Coverages::new();
    let mut doubled = Vec::new();
    for (key, ages) in said.iter().take(MOST_DESTINATIONS).filter_map(read_destination) {
        if read.insert(key.clone(), ages).is_some() {
            doubled.push(key);
        }
    }
    for key in doubled {
        read.remove(&key);
    }
    read
}

fn read_destination(value: &Value) -> Option<(DestinationKey, CoverageAges)> {
    let text = |name: &str| value.get(name)?.as_str();
    let ages = CoverageAges {
        covered_from: parse_span(text("CoveredFromAge")?)?,
        oldest_unsettled: parse_span(text("OldestUnsettledAge")?)?,
    };
    Some((DestinationKey::parse(text("Destination")?)?, ages))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wire::members::Content;

    fn read(egress: &str) -> Coverages {
        let body = format!(r#"{{"egress":{egress}}}"#);
        read_coverages(&mut Reader::new(Content::parse(body.as_bytes()).unwrap().object().unwrap()))
    }

    #[test]
    fn what_is_said_of_a_destination_is_read_and_half_of_it_is_nothing() {
        let ages = CoverageAges {
            covered_from: Duration::from_secs(90),
            oldest_unsettled: Duration::from_millis(500),
        };
        let key = DestinationKey::parse("historian@1").unwrap();
        let said = Coverages::from([(key, ages)]);
        let body = serde_json::to_string(&coverage_bodies(&said)).unwrap();
        let one = r#"{"Destination":"historian@1","CoveredFromAge":"00:01:30","OldestUnsettledAge":"00:00:00.5000000"}"#;
        assert_eq!(body, format!("[{one}]"));
        assert_eq!(read(&body), said);
        let half = r#"{"Destination":"other@2","CoveredFromAge":"00:01:30"}"#;
        let nonsense = r#"{"Destination":"third@3","CoveredFromAge":"00:01:30","OldestUnsettledAge":"soon"}"#;
        let nameless = r#"{"Destination":"","CoveredFromAge":"00:01:30","OldestUnsettledAge":"00:00:00"}"#;
        assert_eq!(read(&format!("[{half},{one},7,{nonsense},{nameless}]")), said);
        assert_eq!(read(&format!("[{one},{one}]")), Coverages::new(), "which of the two is true?");
        for nothing in ["null", "7", "{}", "[]"] {
            assert_eq!(read(nothing), Coverages::new(), "{nothing}");
        }
    }

    #[test]
    fn a_heartbeat_stays_small() {
        let ages = CoverageAges { covered_from: Duration::ZERO, oldest_unsettled: Duration::ZERO };
        let many =
            (0..1_000).map(|number| (DestinationKey::parse(&number.to_string()).unwrap(), ages)).collect();
        assert_eq!(coverage_bodies(&many).len(), MOST_DESTINATIONS);
    }
}
