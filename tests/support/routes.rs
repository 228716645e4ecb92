//! All routes of both halves, as the routers that serve them know them.

use std::path::Path;

use axum::{body::Body, http::Request};
use client_failover::{
    domain::{GateSettings, Health, Standing},
    egress::Egress,
    endpoint::{self, Endpoint},
    http::{
        AdapterHalf,
        adapter::Adapter,
        interfaces,
        kit::{Interface, Routes},
        metrics::AdapterMetrics,
    },
    orders::Orders,
    registration::Calls,
    reports::{Obeyers, Reports},
    store::{DataFolder, Store},
    tls::Authorities,
};
use http_body_util::BodyExt;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::{Notify, watch};

use super::door;

/// Where a server describes its interfaces.
pub const DOCUMENT: &str = "/api/openapi.json";

/// All routes of both halves, put together as a server does it.
async fn routes(store: &Store) -> Routes {
    let standing = watch::Sender::new(Standing::default()).subscribe();
    let orders = Orders::new(standing.clone());
    let (collector, told) = (watch::Sender::new(Health::NOTHING_PROTECTED), watch::Sender::new(u64::MAX));
    let egress = Egress::open(store.clone(), GateSettings::default()).await.unwrap();
    let obeyers = Obeyers { collector: collector.subscribe(), gate: egress.health(), told: told.subscribe() };
    let reports = Reports::new(Vec::new(), obeyers, Authorities::default());
    let adapter = Adapter {
        listen: ([127, 0, 0, 1], 5590).into(),
        store: store.clone(),
        standing,
        wake: std::sync::Arc::new(Notify::new()),
        gate_wake: egress.wake(),
    };
    let endpoint = Endpoint::open(store.clone(), endpoint::Settings::default()).await.unwrap();
    let measured = AdapterMetrics {
        standing: adapter.standing.clone(),
        calls: Calls::default(),
        gate: egress.gate(),
        buffer_writes: egress.buffer_writes(),
    };
    let half = AdapterHalf { adapter, gate: egress.gate(), orders, reports, measured };
    interfaces(store, Some(half), Some(endpoint))
}

/// All routes of the endpoint command.
async fn endpoint_routes(store: &Store) -> Routes {
    let endpoint = Endpoint::open(store.clone(), endpoint::Settings::default()).await.unwrap();
    interfaces(store, None, Some(endpoint))
}

/// A router of both halves.
pub async fn router() -> (Interface, Vec<&'static str>) {
    let folder = tempfile::tempdir().unwrap();
    router_in(folder.path()).await
}

/// One that keeps all in `folder`.
pub async fn router_in(folder: &Path) -> (Interface, Vec<&'static str>) {
    let store = Store::open(DataFolder::hold(folder).unwrap()).await.unwrap();
    let routes = routes(&store).await;
    let patterns = routes.patterns().to_vec();
    (routes.build(door(&store).await), patterns)
}

/// Each pattern of both halves with each of its methods, as the router itself says.
pub async fn methods() -> Vec<(Method, &'static str)> {
    let (router, patterns) = router().await;
    methods_of(router, patterns).await
}

/// The same of the endpoint command.
pub async fn endpoint_methods() -> Vec<(Method, &'static str)> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let routes = endpoint_routes(&store).await;
    let patterns = routes.patterns().to_vec();
    methods_of(routes.build(door(&store).await), patterns).await
}

async fn methods_of(router: Interface, patterns: Vec<&'static str>) -> Vec<(Method, &'static str)> {
    let mut found = Vec::new();
    for pattern in patterns {
        let request = Request::builder().method("TRACE").uri(concrete(pattern));
        let request = request.header("host", "localhost").body(Body::empty()).unwrap();
        let answer = router.answer(request).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{pattern}");
        let allowed = answer.headers()["allow"].to_str().unwrap().to_owned();
        for method in allowed.split(',').filter(|method| *method != "HEAD") {
            found.push((method.parse().unwrap(), pattern));
        }
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

/// A path that fits a pattern: the group `G`, and the session `S` of `user`.
pub fn concrete(pattern: &str) -> String {
    pattern
        .replace("{group}", "G")
        .replace("{session}", "S")
        .replace("{tenant}", "t")
        .replace("{namespace}", "n")
        .replace("{id}", "C")
}

/// What no router knows: any path below it is the gate's.
pub fn is_gate(path: &str) -> bool {
    path.starts_with("/egress/")
}

/// Each operation of a document: its method, its path as patterns are written, and what it says.
pub fn operations(document: &Value) -> Vec<(Method, String, &Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters")
        {
            let method = method.to_ascii_uppercase().parse().unwrap();
            found.push((method, path.to_ascii_lowercase(), operation));
        }
    }
    found
}

/// The document of a server with both halves: as it is served, and read.
pub async fn document_of_both() -> (String, Value) {
    let request = Request::builder().uri(DOCUMENT).header("host", "localhost").body(Body::empty()).unwrap();
    let answer = router().await.0.answer(request).await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let document = serde_json::from_str(&text).unwrap();
    (text, document)
}
