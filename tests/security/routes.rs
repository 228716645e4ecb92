//! Every route, every method, and everybody who may call it or not.

use client_failover::{
    domain::{GateSettings, Health, Standing},
    egress::Egress,
    endpoint::{self, Endpoint},
    http::{
        access::{self, Need},
        adapter::{self, Adapter},
        audit, components, data_endpoints, endpoint as endpoint_routes, gate, health,
        kit::Routes,
        metrics::{self, AdapterMetrics, Metrics},
        order,
        page::{self, Halves},
        secrets,
    },
    orders::Orders,
    registration::Calls,
    reports::{Obeyers, Reports},
    store::{DataFolder, Store},
    tls::Authorities,
};
use reqwest::{Method, StatusCode};
use tokio::sync::{Notify, watch};
use tower::ServiceExt;

use crate::{
    guarded::{add_all, get, send},
    support::{Server, door},
};

/// All routes of both halves, from the routers that serve them.
async fn routes(store: &Store) -> Routes {
    let standing = watch::Sender::new(Standing::default()).subscribe();
    let orders = Orders::new(standing.clone());
    let (collector, told) = (watch::Sender::new(Health::NOTHING_PROTECTED), watch::Sender::new(u64::MAX));
    let egress = Egress::open(store.clone(), GateSettings::default()).await.unwrap();
    let obeyers = Obeyers { collector: collector.subscribe(), gate: egress.health(), told: told.subscribe() };
    let reports = Reports::new(Vec::new(), obeyers, Authorities::default());
    let adapter = Adapter {
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
    let metrics = Metrics::new(store.clone(), Some(measured), Some(endpoint.clone()));
    health::routes(store.clone())
        .merge(metrics::routes(metrics))
        .merge(gate::routes(egress.gate()))
        .merge(audit::routes(store.clone()))
        .merge(data_endpoints::routes(adapter.clone()))
        .merge(secrets::routes(adapter.clone()))
        .merge(adapter::routes(adapter))
        .merge(page::routes(Halves { adapter: true, endpoint: true }))
        .merge(order::routes(orders))
        .merge(components::routes(reports))
        .merge(endpoint_routes::routes(endpoint))
}

/// Each pattern with each of its methods, as the router itself says.
async fn methods() -> Vec<(Method, &'static str)> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let routes = routes(&store).await;
    let patterns = routes.patterns().to_vec();
    let router = routes.build(door(&store).await);
    let mut found = Vec::new();
    for pattern in patterns {
        let request = axum::http::Request::builder().method("TRACE").uri(concrete(pattern));
        let request = request.header("host", "localhost").body(axum::body::Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
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
fn concrete(pattern: &str) -> String {
    pattern
        .replace("{group}", "G")
        .replace("{session}", "S")
        .replace("{tenant}", "t")
        .replace("{namespace}", "n")
        .replace("{id}", "C")
}

#[tokio::test]
async fn every_route_says_whom_it_serves() {
    for (method, pattern) in methods().await {
        assert!(access::row(&method, pattern).is_some(), "http/access.rs says nothing of {method} {pattern}");
    }
}

/// What a request that may pass is answered with is its handler's affair; what it is not, is ours.
fn passed(status: StatusCode) -> bool {
    !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

#[tokio::test]
async fn everybody_may_do_what_he_may_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    let posted = [("user", "S")];
    let mut rows = 0;
    for (method, pattern) in methods().await {
        let path = concrete(pattern);
        if path.ends_with("/events") {
            // It goes on for ever once it is let in.
            assert_eq!(get(&server, None, &path).await.status, StatusCode::UNAUTHORIZED);
            continue;
        }
        let base = path.split("/groups").next().unwrap().to_owned();
        for who in [None, Some("user"), Some("other"), Some("admin")] {
            // The session is there and the user's before each call about it.
            if pattern.contains("{group}") {
                let group = r#"{"Id": "G", "FailoverTimeout": "00:01:00"}"#;
                let made =
                    send(&server, Some("user"), Method::POST, &format!("{base}/groups"), Some(group)).await;
                assert!(made.status.is_success(), "{}", made.body);
                for (owner, session) in posted {
                    let body = format!(r#"{{"Id": "{session}"}}"#);
                    let sessions = format!("{base}/groups/G/clientsessions");
                    let made = send(&server, Some(owner), Method::POST, &sessions, Some(&body)).await;
                    assert!(made.status.is_success(), "{}", made.body);
                }
            }
            let body = if path.ends_with("/clientsessions") { r#"{"Id": "S"}"# } else { "{}" };
            let status = send(&server, who, method.clone(), &path, Some(body)).await.status;
            let need = access::row(&method, pattern).unwrap();
            let of_session = path.ends_with("/clientsessions/S") && method == Method::DELETE;
            let heartbeat = path.ends_with("/heartbeat");
            let takes = path.ends_with("/clientsessions") && method == Method::POST;
            let may = match (need, who) {
                (Need::Nobody, _) => true,
                (_, None) => false,
                (Need::Administrator, Some(who)) => who == "admin",
                (Need::User, Some("other")) => !(of_session || heartbeat || takes),
                (Need::User, Some("admin")) => !(heartbeat || takes),
                (Need::User, Some(_)) => true,
            };
            assert_eq!(passed(status), may, "{method} {path} by {who:?}: {status}");
            if who.is_none() && !may {
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}");
            }
            rows += 1;
        }
    }
    assert!(rows > 100, "{rows}");
    for who in [None, Some("user")] {
        let status = get(&server, who, "/api/v1/nowhere").await.status;
        let expected = if who.is_none() { StatusCode::UNAUTHORIZED } else { StatusCode::NOT_FOUND };
        assert_eq!(status, expected, "what is not there is no secret of those who may ask");
    }
}
