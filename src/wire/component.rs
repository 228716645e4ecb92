//! What components report of themselves, and how they are shown.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    members::{Members, Reader, Unknown},
    schema,
};
use crate::domain::{
    ComponentView, DeviceStatus, Fault, Faults, Field, Report, StreamCount, TimeToLive, Wall, parse_span,
};

const TIME: &str =
    "LastDataProcessedTime is a time like 2026-01-31T08:00:00Z, or null where nothing was processed yet.";

const TIME_TO_LIVE: &str = "TimeToLive is a time span from 00:00:01 to 1.00:00:00, such as 00:01:00.";

/// How adapters of the vendor's write "nothing yet".
const NOTHING_YET: &str = "0001-01-01T00:00:00";

/// The body of PUT `diagnostics/Components/{id}`. `id` is the path's; the body may repeat it.
///
/// # Errors
/// Every fault of it.
pub fn read_report(members: Members, id: &str) -> Result<Report, Faults> {
    let mut reader = Reader::new(members);
    if let Field::Value(given) = reader.text("Id")
        && given != id
    {
        reader.fault(Fault::new(
            "Id",
            format!("is {given:?} in the body but {id:?} in the path"),
            "Give the same Id in both places, or leave it out of the body.",
        ));
    }
    let wanted = format!("a whole number from 0 to {}", StreamCount::MOST);
    let streams =
        reader.typed("StreamCount", &wanted, |value| value.as_u64().and_then(StreamCount::new).ok_or(value));
    let streams = required(&mut reader, "StreamCount", streams, &format!("StreamCount is {wanted}."));
    let statuses = DeviceStatus::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ");
    let status = reader.text("DeviceStatus");
    let resolution = format!("DeviceStatus is one of {statuses}.");
    let status = required(&mut reader, "DeviceStatus", status, &resolution).and_then(|text| {
        let status = DeviceStatus::parse(&text);
        if status.is_none() {
            reader.fault(Fault::new("DeviceStatus", "is no status that is known here", resolution));
        }
        status
    });
    let last_data = reader.text("LastDataProcessedTime").value().and_then(|text| {
        let time = Wall::parse(&text);
        if time.is_none() && !text.starts_with(NOTHING_YET) {
            reader.fault(Fault::new("LastDataProcessedTime", "cannot be read", TIME));
        }
        time
    });
    let time_to_live = reader.text("TimeToLive").value().map_or(Some(TimeToLive::DEFAULT), |text| {
        let time = parse_span(&text).and_then(TimeToLive::new);
        if time.is_none() {
            reader.fault(Fault::new("TimeToLive", "is no time span within its limits", TIME_TO_LIVE));
        }
        time
    });
    match (streams, status, time_to_live, reader.finish(Unknown::Refuse)) {
        (Some(streams), Some(status), Some(time_to_live), faults) if faults.is_empty() => {
            Ok(Report { streams, status, last_data, time_to_live })
        }
        (_, _, _, faults) => Err(faults),
    }
}

/// The value of a member that must be there.
fn required<T>(reader: &mut Reader, name: &'static str, field: Field<T>, resolution: &str) -> Option<T> {
    let value = field.value();
    if value.is_none() && !reader.is_faulty_about(name) {
        reader.fault(Fault::new(name, "is missing", resolution));
    }
    value
}

/// A component as `diagnostics/Components` shows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Component")]
pub struct ComponentBody {
    /// Which.
    #[schemars(with = "schema::Id")]
    id: String,
    /// Who speaks for it.
    #[schemars(with = "schema::SourceWord")]
    source: &'static str,
    /// How many streams it has: what it weighs in the score.
    stream_count: u32,
    /// What was last said or seen of it.
    #[schemars(with = "schema::DeviceWord")]
    device_status: &'static str,
    /// What it counts as now.
    #[schemars(with = "schema::DeviceWord")]
    counts_as: &'static str,
    /// Up to when it has processed data.
    #[schemars(with = "Option<schema::Time>")]
    last_data_processed_time: Option<String>,
    /// For how long a report counts; null for a probe.
    #[schemars(with = "Option<schema::Span>")]
    time_to_live: Option<String>,
    /// When it last reported, or was last looked at.
    #[schemars(with = "Option<schema::Time>")]
    heard: Option<String>,
    /// Why it counts as that.
    explanation: String,
}

impl From<&ComponentView> for ComponentBody {
    fn from(view: &ComponentView) -> Self {
        Self {
            id: view.id.to_string(),
            source: view.source.as_str(),
            stream_count: view.streams.get(),
            device_status: view.status.as_str(),
            counts_as: view.counts_as.as_str(),
            last_data_processed_time: view.last_data.map(|at| at.to_string()),
            time_to_live: view.time_to_live.map(|time| time.to_string()),
            heard: view.heard.map(|at| at.to_string()),
            explanation: view.explanation.clone(),
        }
    }
}
