//! What role and mode demand of the collector: at a moment, and as it changes.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    events,
    kit::{Failure, Json, Routes},
    traffic::Cause,
};
use crate::{
    clock,
    crowd::Who,
    orders::{Orders, TooManyListeners},
    wire::order::OrderBody,
};

/// The routes of the order.
#[must_use]
pub fn routes(orders: Orders) -> Routes {
    Routes::new()
        .route("/api/v1/diagnostics/order", get(order).with_state(orders.clone()))
        .route("/api/v1/diagnostics/order/events", get(listen).with_state(orders))
}

async fn order(State(orders): State<Orders>) -> Response {
    Json(OrderBody::new(orders.now(), clock::now().uptime)).into_response()
}

async fn listen(State(orders): State<Orders>, who: Who) -> Result<Response, Failure> {
    Ok(events::of_order(orders.listen(who)?))
}

impl From<TooManyListeners> for Failure {
    fn from(many: TooManyListeners) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many listen to the order.",
            format!("{many}."),
            "End streams that nobody reads, or ask GET diagnostics/Order again and again.",
        )
        .retry_after(60)
        .because(Cause::TooManyStreams)
    }
}
