//! Hand-over with T = 60 s: without the stream each step would wait 15 s for the next heartbeat.

use std::time::Duration;

use client_failover::{clock, domain::Uptime};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tempfile::TempDir;

use super::support::{FAILOVER, Server, configuration, until};

/// Far below the 15 s of a step without a stream, far above what a step takes on a busy machine.
const SOON: Duration = Duration::from_secs(5);

struct Pair {
    endpoint: Server,
    a: Server,
    b: Server,
    folders: [TempDir; 3],
}

impl Pair {
    /// An endpoint and two adapters that listen, with A as Primary.
    async fn start() -> Self {
        let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let endpoint = Server::endpoint(folders[0].path(), &[]);
        let a = Server::serve(folders[1].path(), &[]);
        let b = Server::serve(folders[2].path(), &[]);
        let pair = Self { endpoint, a, b, folders };
        let configuration = configuration(&pair.base(), "g", "00:01:00");
        pair.a.configure(&configuration).await;
        pair.a.until_role("Primary").await;
        pair.b.configure(&configuration).await;
        told(&pair.b, "ToldSecondary").await;
        for adapter in [&pair.a, &pair.b] {
            listens(adapter).await;
        }
        pair
    }

    fn base(&self) -> String {
        format!("{}/api/v1/clientfailover", self.endpoint.url)
    }

    /// Makes the session of `server` Primary by order of an operator.
    async fn force(&self, server: &Server) {
        let session = server.diagnostics().await["SessionId"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/clientfailover/groups/g/clientsessions/{session}/roleoverride");
        let answer = self.endpoint.send(Method::POST, &path, Some(r#"{"Value": "Primary"}"#)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
}

async fn told(server: &Server, reason: &str) {
    until(reason, async || server.get(FAILOVER).await.json()["Reason"] == reason).await;
}

async fn listens(server: &Server) {
    until("it listens", async || server.log().contains("events are listened to")).await;
}

/// Waits until the role has arrived; it must be soon after `begun`.
async fn soon(begun: Uptime, server: &Server, role: &str) {
    server.until_role(role).await;
    let took = clock::now().uptime.since(begun);
    assert!(took < SOON, "{role} took {took:?}");
}

#[tokio::test]
async fn a_planned_stop_hands_over_at_once_and_back_again() {
    let mut pair = Pair::start().await;
    let begun = clock::now().uptime;
    pair.a.signal(rustix::process::Signal::TERM);
    soon(begun, &pair.b, "Primary").await;
    assert!(pair.a.wait().success());

    let a = Server::serve(pair.folders[1].path(), &[]);
    told(&a, "ToldSecondary").await;
    listens(&a).await;
    let begun = clock::now().uptime;
    pair.b.signal(rustix::process::Signal::TERM);
    soon(begun, &a, "Primary").await;
    assert!(pair.b.wait().success());
}

#[tokio::test]
async fn whom_an_operator_asks_for_hands_over_when_it_stops_and_has_the_role_again_when_it_is_back() {
    let mut pair = Pair::start().await;
    pair.force(&pair.a).await;
    let begun = clock::now().uptime;
    pair.a.signal(rustix::process::Signal::TERM);
    soon(begun, &pair.b, "Primary").await;
    assert!(pair.a.wait().success());

    let a = Server::serve(pair.folders[1].path(), &[]);
    let begun = clock::now().uptime;
    soon(begun, &a, "Primary").await;
    soon(begun, &pair.b, "Secondary").await;
}

#[tokio::test]
async fn an_override_moves_the_role_at_once_and_back_again() {
    let pair = Pair::start().await;
    for (to, from) in [(&pair.b, &pair.a), (&pair.a, &pair.b)] {
        let begun = clock::now().uptime;
        pair.force(to).await;
        soon(begun, to, "Primary").await;
        soon(begun, from, "Secondary").await;
    }
}

#[tokio::test]
async fn a_stock_adapter_in_the_group_polls_and_takes_part() {
    let mut pair = Pair::start().await;
    let path = "/api/v1/clientfailover/groups/g/clientsessions";
    let made = pair.endpoint.send(Method::POST, path, Some(r#"{"Id": "stock", "Name": "stock"}"#)).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let beat = async |endpoint: &Server, score: u8| {
        let body = json!({"FailoverScore": score, "LastDataProcessedTime": "0001-01-01T00:00:00"});
        let path = format!("{path}/stock/heartbeat");
        endpoint.send(Method::POST, &path, Some(&body.to_string())).await.json()["Role"].clone()
    };
    assert_eq!(beat(&pair.endpoint, 50).await, 0);
    // Both native members stop; the stock one has the seat at its next heartbeat, without any stream.
    assert!(pair.a.terminate().success());
    pair.b.until_role("Primary").await;
    assert_eq!(beat(&pair.endpoint, 50).await, 0);
    assert!(pair.b.terminate().success());
    assert_eq!(beat(&pair.endpoint, 50).await, 1);
    // A native member that comes back takes over from it once an operator says so, at its polls.
    let a = Server::serve(pair.folders[1].path(), &[]);
    told(&a, "ToldSecondary").await;
    listens(&a).await;
    pair.force(&a).await;
    until("the stock member is told to stop", async || beat(&pair.endpoint, 50).await == 0).await;
    // Its next heartbeats say that it stopped; the native one is nudged.
    until("the native one is Primary", async || {
        assert_eq!(beat(&pair.endpoint, 50).await, 0);
        a.role().await == "Primary"
    })
    .await;
}
