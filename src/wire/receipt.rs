//! The receipt of a hand-over, as each of those shows it who has one: the endpoint in its answer to a heartbeat and in the
//! group's history, the adapter in its diagnostics.

use schemars::JsonSchema;
use serde::Serialize;

use super::schema;
use crate::domain::{HandOver, Receipt, Wall, format_span};

/// The receipt of a hand-over.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Receipt")]
pub(super) struct ReceiptBody {
    /// The new Primary's epoch.
    #[schemars(with = "schema::EpochNumber")]
    epoch: u64,
    /// The old Primary.
    #[schemars(with = "schema::Id")]
    from: String,
    /// The new one.
    #[schemars(with = "schema::Id")]
    to: String,
    /// Why.
    #[schemars(with = "schema::GroupReasonWord")]
    cause: &'static str,
    /// How it is known when the old one acted last.
    #[schemars(with = "schema::LastActWord")]
    last_act: &'static str,
    /// How long ago that was.
    #[schemars(with = "schema::Span")]
    last_act_ago: String,
    /// How long ago the new one acted first.
    #[schemars(with = "schema::Span")]
    first_act_ago: String,
    /// How long ago the gate of the old one delivered last, as far as it had said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "schema::Span")]
    last_delivered_ago: Option<String>,
}

impl From<&Receipt> for ReceiptBody {
    fn from(receipt: &Receipt) -> Self {
        Self {
            epoch: receipt.epoch.get(),
            from: receipt.from.to_string(),
            to: receipt.to.to_string(),
            cause: receipt.cause.as_str(),
            last_act: receipt.last_act.as_str(),
            last_act_ago: format_span(receipt.last_act_ago),
            first_act_ago: format_span(receipt.first_act_ago),
            last_delivered_ago: receipt.last_delivered_ago.map(format_span),
        }
    }
}

/// A receipt, with its moments in wall time. The gap was measured by the boot clock.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "HandOver")]
pub(super) struct HandOverBody {
    /// The old Primary.
    #[schemars(with = "schema::Id")]
    from: String,
    /// The new one.
    #[schemars(with = "schema::Id")]
    to: String,
    /// How it is known when the old one acted last.
    #[schemars(with = "schema::LastActWord")]
    last_act: &'static str,
    /// When that was.
    #[schemars(with = "schema::Time")]
    last_act_time: String,
    /// When the new one acted first.
    #[schemars(with = "schema::Time")]
    first_act_time: String,
    /// How long nobody acted, by one boot clock; below zero where both did.
    gap_milliseconds: f64,
    /// When the gate of the old one delivered last, as far as it had said.
    #[schemars(with = "Option<schema::Time>")]
    last_delivered_time: Option<String>,
}

impl HandOverBody {
    /// What happened `at` that time.
    pub(super) fn new(at: Wall, receipt: &Receipt) -> Self {
        Self {
            from: receipt.from.to_string(),
            to: receipt.to.to_string(),
            last_act: receipt.last_act.as_str(),
            last_act_time: at.minus(receipt.last_act_ago).to_string(),
            first_act_time: at.minus(receipt.first_act_ago).to_string(),
            gap_milliseconds: milliseconds(receipt.gap_us()),
            last_delivered_time: receipt.last_delivered_ago.map(|ago| at.minus(ago).to_string()),
        }
    }
}

/// The last hand-over from or to this adapter, in this run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "LastHandOver")]
pub(super) struct LastHandOverBody {
    /// The new Primary's epoch.
    #[schemars(with = "schema::EpochNumber")]
    epoch: u64,
    /// The old Primary.
    #[schemars(with = "schema::Id")]
    from: String,
    /// The new one.
    #[schemars(with = "schema::Id")]
    to: String,
    /// Why.
    #[schemars(with = "schema::GroupReasonWord")]
    cause: &'static str,
    /// How long nobody acted; below zero where both did.
    gap_milliseconds: f64,
    /// When the gate of the old one delivered last, as far as it had said.
    #[schemars(with = "Option<schema::Time>")]
    last_delivered: Option<String>,
    /// When the gate of the new one, if that is this adapter, delivered first; null until it has counted to the end.
    #[schemars(with = "Option<schema::Time>")]
    first_delivered: Option<String>,
    /// How many requests it sent that had waited; null until it has counted to the end.
    #[schemars(with = "Option<schema::Counter>")]
    resent: Option<u64>,
    /// How many it had dropped for space before; null until it has counted to the end.
    #[schemars(with = "Option<schema::Counter>")]
    dropped: Option<u64>,
}

impl From<&HandOver> for LastHandOverBody {
    fn from(of: &HandOver) -> Self {
        Self {
            epoch: of.epoch.get(),
            from: of.from.to_string(),
            to: of.to.to_string(),
            cause: of.cause.as_str(),
            gap_milliseconds: milliseconds(of.gap_us),
            last_delivered: of.last_delivered.map(|at| at.wall.to_string()),
            first_delivered: of.deliveries.and_then(|gate| gate.first).map(|at| at.wall.to_string()),
            resent: of.deliveries.map(|gate| gate.resent),
            dropped: of.deliveries.map(|gate| gate.dropped),
        }
    }
}

/// Milliseconds with three decimals; below zero where two acted.
pub(super) fn milliseconds(micros: i64) -> f64 {
    let magnitude = std::time::Duration::from_micros(micros.unsigned_abs()).as_secs_f64() * 1e3;
    if micros < 0 { -magnitude } else { magnitude }
}
