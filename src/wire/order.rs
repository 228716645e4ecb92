//! What role and mode demand of the collector, as collectors read it.

use serde::Serialize;

use crate::domain::{Acting, Epoch, Order, Uptime, format_span};

/// The name of the event that carries an order.
pub const ORDER: &str = "Order";

/// `diagnostics/Order`, and the data of [`ORDER`].
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct OrderBody {
    started: bool,
    collecting: bool,
    buffering: bool,
    egress: bool,
    role: &'static str,
    mode: &'static str,
    epoch: Option<u64>,
    /// Null where there is no deadline.
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
            epoch: order.epoch.map(Epoch::get),
            lease_remaining: remaining.map(format_span),
        }
    }
}
