//! Events as a stream (server-sent events): a group's, and the order's.

use std::{convert::Infallible, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{Stream, StreamExt, stream};

use super::kit::to_json;
use crate::{
    clock,
    endpoint::{GroupEvent, Listener},
    orders::{self, Heard},
    wire::{
        events::{CHANGE, LISTENING, NUDGE, NudgeBody},
        group::ChangeBody,
        order::{ORDER, OrderBody},
    },
};

/// How often a stream that is silent says that it lives. Who listens gives up after three of them.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Tells a proxy in front to pass events on as they come.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// The answer that goes on until the listener's group is deleted, the server stops, or the client
/// hangs up.
pub(super) fn of_group(listener: Listener) -> Response {
    let first = Event::default().event(LISTENING).data("{}");
    let told = stream::unfold(listener, async |mut listener| {
        let event = match listener.next().await? {
            GroupEvent::Nudge(session) => {
                Event::default().event(NUDGE).data(to_json(&NudgeBody::new(session.as_ref())))
            }
            GroupEvent::Change(change) => {
                Event::default().event(CHANGE).data(to_json(&ChangeBody::told(&change)))
            }
        };
        Some((event, listener))
    });
    answer(stream::once(async { first }).chain(told))
}

/// The answer that goes on until the registration ends, or the client hangs up.
pub(super) fn of_order(listener: orders::Listener) -> Response {
    answer(stream::unfold(listener, async |mut listener| {
        let order = loop {
            match listener.next().await {
                Ok(Some(Heard::Order(order))) => break order,
                Ok(Some(Heard::Same(_))) => {}
                Ok(None) => return None,
                Err(error) => {
                    // Without its timer the stream would not say that the deadline has passed.
                    tracing::error!(%error, "a stream of the order ends, as it has no timer");
                    return None;
                }
            }
        };
        let body = OrderBody::new(order, clock::now().uptime);
        Some((Event::default().event(ORDER).data(to_json(&body)), listener))
    }))
}

/// The answer that sends `events` as they come.
pub(super) fn answer(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let events = events.map(Ok::<_, Infallible>);
    ([UNBUFFERED], Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))).into_response()
}
