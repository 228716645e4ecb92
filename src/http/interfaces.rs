//! All routes of a server, put together in one place: whoever asks the router in a test asks what is served.

use super::{
    adapter::{self, Adapter},
    audit, components, data_endpoints, endpoint as endpoint_half, gate, health,
    kit::Routes,
    metrics::{self, AdapterMetrics, Metrics},
    openapi, order,
    page::{self, Halves},
    secrets,
};
use crate::{egress::Gate, endpoint::Endpoint, orders::Orders, reports::Reports, store::Store};

/// What the routes of the adapter half need.
#[derive(Debug)]
pub struct AdapterHalf {
    /// Configuration and diagnostics.
    pub adapter: Adapter,
    /// What a collector sends through.
    pub gate: Gate,
    /// What a collector is told.
    pub orders: Orders,
    /// What a collector reports.
    pub reports: Reports,
    /// What is measured of all that.
    pub measured: AdapterMetrics,
}

/// All routes of a server that has these halves.
#[must_use]
pub fn interfaces(store: &Store, adapter: Option<AdapterHalf>, endpoint: Option<Endpoint>) -> Routes {
    let halves = Halves { adapter: adapter.is_some(), endpoint: endpoint.is_some() };
    let mut routes = health::routes(store.clone())
        .merge(audit::routes(store.clone()))
        .merge(page::routes(halves))
        .merge(openapi::routes(halves));
    let mut measured = None;
    if let Some(half) = adapter {
        routes = routes
            .merge(gate::routes(half.gate))
            .merge(data_endpoints::routes(half.adapter.clone()))
            .merge(secrets::routes(half.adapter.clone()))
            .merge(adapter::routes(half.adapter))
            .merge(order::routes(half.orders))
            .merge(components::routes(half.reports));
        measured = Some(half.measured);
    }
    routes = routes.merge(metrics::routes(Metrics::new(store.clone(), measured, endpoint.clone())));
    match endpoint {
        Some(endpoint) => routes.merge(endpoint_half::routes(endpoint)),
        None => routes,
    }
}
