//! Two adapters and one endpoint, as real processes over real sockets.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::os::unix::fs::PermissionsExt;

use client_failover::domain::Wall;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::{FACET, FAILOVER, HISTORY, Server, configuration, until};
use tempfile::{TempDir, tempdir};

struct Pair {
    endpoint: Server,
    a: Server,
    b: Server,
    folders: [TempDir; 3],
}

impl Pair {
    /// An endpoint and two adapters in one group, with A as Primary.
    async fn start(timeout: &str, more: &[&str]) -> Self {
        let folders = [tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap()];
        let endpoint = Server::endpoint(folders[0].path(), &[]);
        let (a, b) = (Server::serve(folders[1].path(), more), Server::serve(folders[2].path(), more));
        let configuration = configuration(&base(&endpoint), "Boiler 1", timeout);
        a.configure(&configuration).await;
        a.until_role("Primary").await;
        b.configure(&configuration).await;
        b.until_history("Registered", "RegistrationAccepted").await;
        Self { endpoint, a, b, folders }
    }
}

fn base(endpoint: &Server) -> String {
    format!("{}/api/v1/clientfailover", endpoint.url)
}

async fn rows(server: &Server, kind: &str) -> Vec<Value> {
    let page = server.get(&format!("{HISTORY}?kind={kind}&limit=1000")).await.json();
    page["Items"].as_array().unwrap().clone()
}

fn time(row: &Value) -> Wall {
    Wall::parse(row["Time"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn the_documents_example_registers_with_a_hosted_endpoint_and_becomes_primary() {
    let data = tempdir().unwrap();
    let mut server = Server::serve(data.path(), &["--with-endpoint"]);
    let example =
        include_str!("../examples/ConfigureClientFailover.json").replace("localhost:5590", server.address());
    assert_eq!(server.send(Method::PUT, FACET, Some(&example)).await.status, StatusCode::NO_CONTENT);
    server.until_role("Primary").await;
    let before = server.get(FAILOVER).await.json();
    assert_eq!(before["EndpointNative"], json!(true));
    assert!(before["Epoch"].as_u64() > Some(1));
    assert!(server.terminate().success());

    let server = Server::start("serve", server.address(), data.path(), &["--with-endpoint"]);
    server.until_role("Primary").await;
    let after = server.get(FAILOVER).await.json();
    assert_eq!(after["SessionId"], before["SessionId"]);
    assert!(after["Epoch"].as_u64() > before["Epoch"].as_u64(), "an epoch rises at each promotion");
    assert_eq!(server.get(FACET).await.json()[0]["Id"], "FailoverConfiguration1");
}

#[tokio::test]
async fn when_the_primary_is_killed_the_other_takes_over_and_the_first_comes_back_as_secondary() {
    let mut pair = Pair::start("00:00:01", &["--endpoint-loss", "step-down"]).await;
    assert_eq!(pair.b.role().await, "Secondary");
    let (facet, before) = (pair.a.get(FACET).await.body, pair.a.get(FAILOVER).await.json());
    let first_row = rows(&pair.a, "ServerStarted").await;
    pair.a.kill();
    pair.b.until_role("Primary").await;
    let taken = pair.b.get(FAILOVER).await.json();
    assert!(taken["Epoch"].as_u64() > before["Epoch"].as_u64());

    let a = Server::serve(pair.folders[1].path(), &["--endpoint-loss", "step-down"]);
    a.until_history("Role", "Registering").await;
    until("the first has heard that it is Secondary", async || {
        a.get(FAILOVER).await.json()["Reason"] == "ToldSecondary"
    })
    .await;
    assert_eq!(a.role().await, "Secondary");
    assert_eq!(a.get(FACET).await.body, facet);
    assert_eq!(a.get(FAILOVER).await.json()["SessionId"], before["SessionId"]);
    assert_eq!(rows(&a, "ServerStarted").await.last(), first_row.last(), "its history is back");
    assert_eq!(pair.b.role().await, "Primary");
}

#[tokio::test]
async fn a_planned_stop_hands_over_without_waiting_for_the_timeout() {
    let mut pair = Pair::start("00:00:08", &[]).await;
    assert!(pair.a.terminate().success());
    pair.b.until_role("Primary").await;
    let taken = pair.b.until_history("Role", "ToldPrimary").await;
    let a = Server::serve(pair.folders[1].path(), &[]);
    let stopped = rows(&a, "ServerStopped").await;
    // B asks every T/4 and hears of it at its next question; a silent A would have cost T.
    let waited = time(&taken).since(time(&stopped[0]));
    assert!(waited.as_secs_f64() < 3.0, "{waited:?}");
    assert!(!rows(&a, "Unregistered").await.is_empty());
}

#[tokio::test]
async fn a_restart_of_the_endpoint_demotes_nobody() {
    let mut pair = Pair::start("00:00:04", &["--endpoint-loss", "step-down"]).await;
    let epoch = pair.a.get(FAILOVER).await.json()["Epoch"].clone();
    for clean in [true, false] {
        if clean {
            assert!(pair.endpoint.terminate().success());
        } else {
            pair.endpoint.kill();
        }
        let address = pair.endpoint.address().to_owned();
        pair.endpoint = Server::start("endpoint", &address, pair.folders[0].path(), &[]);
        let since = pair.a.get(FAILOVER).await.json()["LastHeartbeat"].clone();
        until("both have been answered by the new process", async || {
            let (a, b) = (pair.a.get(FAILOVER).await.json(), pair.b.get(FAILOVER).await.json());
            let asked = |body: &Value| Wall::parse(body["LastHeartbeat"].as_str().unwrap()).unwrap();
            let old = Wall::parse(since.as_str().unwrap()).unwrap();
            asked(&a) > old && asked(&b) > old && a["LastError"].is_null() && b["LastError"].is_null()
        })
        .await;
        assert_eq!(pair.a.role().await, "Primary");
        assert_eq!(pair.b.role().await, "Secondary");
        assert_eq!(pair.a.get(FAILOVER).await.json()["Epoch"], epoch);
    }
    let demotions = rows(&pair.a, "Role").await;
    assert_eq!(demotions.iter().filter(|row| row["Reason"] == "ToldSecondary").count(), 0);
    assert_eq!(rows(&pair.a, "SteppedDown").await.len(), 0);
}

#[tokio::test]
async fn an_override_moves_the_role_and_is_seen_by_both() {
    let pair = Pair::start("00:00:01", &[]).await;
    let session = pair.b.get(FAILOVER).await.json()["SessionId"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/clientfailover/groups/Boiler%201/clientsessions/{session}/roleoverride");
    let answer = pair.endpoint.send(Method::POST, &path, Some(r#"{"Value": "Primary"}"#)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    pair.b.until_role("Primary").await;
    pair.a.until_role("Secondary").await;
    let told = rows(&pair.a, "Role").await;
    assert!(told[0]["Explanation"].as_str().unwrap().contains("operator"), "{}", told[0]);
}

#[tokio::test]
async fn one_file_on_two_machines_makes_two_sessions() {
    let pair = Pair::start("00:00:01", &[]).await;
    let body = pair.a.get(FACET).await.body;
    assert_eq!(pair.b.send(Method::PUT, FACET, Some(&body)).await.status, StatusCode::NO_CONTENT);
    let sessions = pair.endpoint.get("/api/v1/clientfailover/groups/Boiler%201/clientsessions").await.json();
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    let ids = |server: Value| server["SessionId"].clone();
    assert_ne!(ids(pair.a.get(FAILOVER).await.json()), ids(pair.b.get(FAILOVER).await.json()));
}

#[tokio::test]
async fn a_copied_data_folder_takes_nothing_from_its_original_and_says_that_it_is_a_copy() {
    let pair = Pair::start("00:00:01", &[]).await;
    let before = pair.a.get(FAILOVER).await.json();
    let copy = tempdir().unwrap();
    std::fs::set_permissions(copy.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    for entry in std::fs::read_dir(pair.folders[1].path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let copied = Server::serve(copy.path(), &[]);
    let said = copied.until_diagnostics("Reason", |reason| *reason == json!("Conflict")).await;
    let explanation = said["Explanation"].as_str().unwrap();
    assert!(explanation.starts_with("this adapter's data folder is a copy"), "{explanation}");
    assert!(explanation.ends_with("stop this one, and start it with an empty folder"), "{explanation}");
    assert_eq!((&said["Role"], &said["SessionId"]), (&json!("Secondary"), &before["SessionId"]));
    assert!(
        copied.log().contains("the data folder was copied, or moved to another disk"),
        "{}",
        copied.log()
    );

    // The original has lost nothing, and hears of it.
    let after = pair.a.until_diagnostics("Warnings", |warnings| !warnings[0].is_null()).await;
    assert!(
        after["Warnings"][0].as_str().unwrap().starts_with("Another process sends heartbeats"),
        "{after}"
    );
    assert_eq!((&after["Role"], &after["Epoch"]), (&before["Role"], &before["Epoch"]));
    assert!(rows(&pair.a, "EndpointFailed").await.is_empty());
}
