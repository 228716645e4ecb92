//! What role and mode demand of the collector, as collectors read it.

use schemars::JsonSchema;
use serde::Serialize;

use super::schema;
use crate::domain::{Acting, Epoch, Order, Uptime, format_span};

/// The name of the event that carries an order.
pub const ORDER: &str = "Order";

/// `diagnostics/Order`, and the data of [`ORDER`].
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Order")]
pub struct OrderBody {
    /// Whether the collector is to run.
    started: bool,
    /// Whether it is to collect.
    collecting: bool,
    /// Whether it is to keep what it collects.
    buffering: bool,
    /// Whether it may send.
    egress: bool,
    /// The role that is applied.
    #[schemars(with = "schema::RoleWord")]
    role: &'static str,
    /// The mode that is applied.
    #[schemars(with = "schema::ModeWord")]
    mode: &'static str,
    /// The epoch to send under: that of this adapter's role as a Primary; else null.
    #[schemars(with = "Option<schema::EpochNumber>")]
    epoch: Option<u64>,
    /// For how long it may go on without another word; null where there is no deadline.
    #[schemars(with = "Option<schema::Span>")]
    lease_remaining: Option<String>,
}

impl OrderBody {
    /// The order at `now`.
    #[must_use]
    pub fn new(order: Order, now: Uptime) -> Self {
        let order = order.at(now);
        let remaining = match order.acting {
            Acting::Until(end) => Some(end.since(now)),
            Acting::No | Acting::Unbounded => None,
        };
        Self {
            started: order.started,
            collecting: order.collecting,
            buffering: order.buffering,
            egress: order.egress,
            role: order.role.as_str(),
            mode: order.mode.as_str(),
            epoch: order.epoch.filter(|_| order.egress).map(Epoch::get),
            lease_remaining: remaining.map(format_span),
        }
    }
}
