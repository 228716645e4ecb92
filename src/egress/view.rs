//! What the gate goes by at one moment: the order, the destinations, and how each is reached.

use std::{collections::HashMap, sync::Arc, time::Duration};

use hyper::{HeaderMap, header};

use super::{
    connection::Tenure,
    forward::{Destination, Forwarder, Stamp},
    lane::Lane,
};
use crate::domain::{Acting, DataEndpoint, Order, Uptime};

/// What the gate goes by; another is published with each order and each change of the destinations.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) order: Order,
    pub(super) stamp: Stamp,
    /// The time in which it may send, if it may; it holds the deadline.
    pub(super) tenure: Option<Arc<Tenure>>,
    pub(super) routes: HashMap<String, Arc<Route>>,
    /// Whether the destinations were read at all.
    pub(super) read: bool,
    /// Whether the registration knows that the gate has to obey. Until then there is no destination: nothing may be
    /// sent that a demotion would not wait for.
    pub(super) gated: bool,
}

impl View {
    /// What is published of it.
    pub(super) fn published(&self) -> Self {
        let Self { order, ref stamp, ref tenure, ref routes, read, gated } = *self;
        let read = read && (gated || routes.is_empty());
        let routes = if gated { routes.clone() } else { HashMap::new() };
        Self { order, stamp: stamp.clone(), tenure: tenure.clone(), routes, read, gated }
    }

    /// The lanes of all destinations.
    pub(super) fn lanes(&self) -> impl Iterator<Item = &Arc<Lane>> {
        self.routes.values().map(|route| &route.lane)
    }

    /// Whether it is known where to send, and what the order is: not at first, and nothing may be refused for
    /// good then, or dropped.
    pub(super) const fn is_ready(&self) -> bool {
        self.read && self.order.number > 0
    }
}

/// One destination as it is configured.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) endpoint: DataEndpoint,
    /// Another whenever it is reached in another way.
    pub(super) version: (i64, Option<i64>),
    pub(super) lane: Arc<Lane>,
    /// Where it is; or why it cannot be reached as it is configured.
    pub(super) destination: Result<Arc<Destination>, String>,
    /// Sends in the present tenure.
    sends: Option<Arc<Forwarder>>,
    /// Sends what only asks, in every role.
    pub(super) asks: Option<Arc<Forwarder>>,
}

impl Route {
    pub(super) fn new(
        endpoint: DataEndpoint,
        version: (i64, Option<i64>),
        lane: Arc<Lane>,
        destination: Result<Arc<Destination>, String>,
    ) -> Self {
        let asks = destination.as_ref().ok().map(|destination| {
            Arc::new(Forwarder::new(Arc::clone(destination), Tenure::new(Acting::Unbounded)))
        });
        Self { endpoint, version, lane, destination, sends: None, asks }
    }

    /// The same route, sending in `tenure`.
    pub(super) fn within(&self, tenure: Option<&Arc<Tenure>>) -> Self {
        let sends = match (tenure, &self.destination) {
            (Some(tenure), Ok(destination)) => match &self.sends {
                Some(sends) if sends.is_of(tenure) => Some(Arc::clone(sends)),
                _ => Some(Arc::new(Forwarder::new(Arc::clone(destination), Arc::clone(tenure)))),
            },
            _ => None,
        };
        Self { sends, ..self.clone() }
    }

    /// Why it settles nothing now, as far as is known: who sends nothing to it sees nothing of it.
    pub(super) fn outage(&self) -> Option<String> {
        match &self.destination {
            Err(why) => Some(why.clone()),
            Ok(_) => self.sends.as_ref().and_then(|_| self.lane.outage()),
        }
    }

    /// What sends to it, if anything may.
    pub(super) const fn sends(&self) -> Option<&Arc<Forwarder>> {
        self.sends.as_ref()
    }
}

impl View {
    /// The order as it is now: past the deadline, that of a Secondary.
    pub(super) fn order(&self) -> Order {
        let permitted = self.tenure.as_ref().is_some_and(|tenure| tenure.permits());
        let acting = if permitted { Acting::Unbounded } else { Acting::No };
        Order { acting, ..self.order }.at(Uptime::default())
    }

    pub(super) const fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// What sends to the destination `id`, and until when, if anything may.
    pub(super) fn sending(&self, id: &str) -> Option<(Arc<Forwarder>, Arc<Tenure>)> {
        let sends = self.routes.get(id)?.sends()?;
        Some((Arc::clone(sends), Arc::clone(self.tenure.as_ref()?)))
    }
}

/// Retry-After in seconds; a date would need the other's clock.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
