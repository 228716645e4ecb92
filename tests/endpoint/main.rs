//! Every call of the failover endpoint, under both bases, through the router and a real store.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod farewells;
mod history;
mod overview;
mod reasons;
mod restarts;

use std::path::Path;

use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use client_failover::{
    endpoint::{Endpoint, Settings},
    http::{endpoint::routes, kit::Interface},
    service::Rounds,
    store::{DataFolder, Store},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use support::door;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const ON_PREMISES: &str = "/api/v1/clientfailover";
const CLOUD: &str = "/api/v1/Tenants/t-1/Namespaces/n-1/ClientFailover";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

/// An endpoint with its store, and the user's verbs.
struct App {
    router: Interface,
    store: Store,
    stop: CancellationToken,
    worker: JoinSet<std::io::Result<()>>,
}

impl App {
    async fn open(folder: &Path) -> Self {
        let store = Store::open(DataFolder::hold(folder).unwrap()).await.unwrap();
        let endpoint = Endpoint::open(store.clone(), Settings::default()).await.unwrap();
        Self::attend(endpoint, store).await
    }

    /// The endpoint at work: it notices what is over, and time goes on for it.
    async fn attend(endpoint: Endpoint, store: Store) -> Self {
        let (stop, mut worker) = (CancellationToken::new(), JoinSet::new());
        worker.spawn(endpoint.clone().run(&Rounds::default(), stop.clone()));
        Self { router: routes(endpoint).build(door(&store).await), store, stop, worker }
    }

    /// Ends as a process that stops does, so that the folder can be opened again.
    async fn close(self) {
        self.stop.cancel();
        for ended in self.worker.join_all().await {
            ended.unwrap();
        }
        self.store.close().await;
    }

    /// Ends as a process that is killed does: nothing is said or written any more.
    async fn die(mut self) {
        self.worker.shutdown().await;
        self.store.close().await;
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = match body {
            Some(body) => {
                request.header("content-type", "application/json").body(Body::from(body.to_string()))
            }
            None => request.body(Body::empty()),
        };
        let response = self.router.answer(request.unwrap()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status, headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    async fn group(&self, base: &str, id: &str, timeout: &str) {
        let answer =
            self.post(&format!("{base}/groups"), json!({"Id": id, "FailoverTimeout": timeout})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    }

    async fn member(&self, base: &str, group: &str, id: &str) {
        let path = format!("{base}/groups/{group}/clientsessions");
        let answer = self.post(&path, json!({"Id": id, "Name": id})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    }

    async fn beat(&self, base: &str, group: &str, id: &str, body: Value) -> Answer {
        self.post(&format!("{base}/groups/{group}/clientsessions/{id}/heartbeat"), body).await
    }
}

fn native(run: &str, sequence: u64, answered: u64, acting: bool) -> Value {
    let role = if acting { "Primary" } else { "Secondary" };
    json!({
        "FailoverScore": 100, "LastDataProcessedTime": "0001-01-01T00:00:00", "Incarnation": run, "BootId": "b",
        "Sequence": sequence, "Answered": answered, "AppliedRole": role,
    })
}

#[track_caller]
fn refused(answer: &Answer, status: StatusCode) -> String {
    assert_eq!(answer.status, status, "{}", answer.body);
    for member in ["OperationId", "Error", "Reason", "Resolution"] {
        assert!(
            answer.body[member].as_str().is_some_and(|text| !text.is_empty()),
            "{member}: {}",
            answer.body
        );
    }
    assert!(answer.body["AdditionalParameters"].is_object());
    answer.body["Reason"].as_str().unwrap_or_default().to_owned()
}
