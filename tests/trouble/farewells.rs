//! Whoever leaves a group says first that it has stopped acting, and then gives its session up.

use std::time::Duration;

use client_failover::clock;
use reqwest::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Adapter, GROUP};
use crate::support::{
    FACET,
    scripted::{Call, Endpoint, Reply, Request},
    until,
};

const T: &str = "00:00:01";

/// The requests about the first session's group, once it has been given up: nothing comes after.
async fn until_given_up(endpoint: &Endpoint) -> Vec<Request> {
    until("the session is given up", async || !endpoint.calls(Call::DeleteSession).is_empty()).await;
    let delete = endpoint.calls(Call::DeleteSession).remove(0);
    let session = |request: &Request| request.path.starts_with(&delete.path);
    endpoint.requests().into_iter().filter(session).collect()
}

/// The last heartbeat says that acting has stopped, and covers every answer; then comes DELETE.
async fn farewell_is_said(endpoint: &Endpoint) {
    let requests = until_given_up(endpoint).await;
    let calls: Vec<_> = requests.iter().rev().take(2).filter_map(|request| request.call).collect();
    assert_eq!(calls, [Call::DeleteSession, Call::Heartbeat]);
    let beats: Vec<_> = requests[..requests.len() - 1].iter().map(Request::json).collect();
    let (last, others) = beats.split_last().unwrap();
    assert_eq!(last["AppliedRole"], "Secondary", "{beats:?}");
    assert_eq!(last["Answered"].as_u64().unwrap() + 1, last["Sequence"].as_u64().unwrap(), "{beats:?}");
    assert!(others.iter().any(|beat| beat["AppliedRole"] == "Primary"), "{beats:?}");
}

async fn primary(endpoint: &Endpoint) -> Adapter {
    let adapter = Adapter::primary(endpoint, T, &[]).await;
    until("it says that it acts", async || {
        endpoint.heartbeats().iter().any(|beat| beat["AppliedRole"] == "Primary")
    })
    .await;
    adapter
}

/// The row that tells of the farewell comes after the role's end.
async fn rows_of_leaving(adapter: &Adapter) {
    adapter.until_history("Unregistered", "ConfigurationChanged").await;
    let rows = adapter.history().await;
    let place = |kind: &str, reason: &str| {
        rows.iter().position(|row| row["Kind"] == kind && row["Reason"] == reason).unwrap()
    };
    let stopped = place("Role", "ConfigurationChanged");
    assert_eq!(rows[stopped]["Role"], "Secondary");
    assert!(stopped < place("Unregistered", "ConfigurationChanged"), "{rows:?}");
}

#[tokio::test]
async fn farewell_is_said_when_the_configuration_is_deleted() {
    let endpoint = Endpoint::native().await;
    let adapter = primary(&endpoint).await;
    let answer = adapter.send(Method::DELETE, FACET, None).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    adapter.until_role("None").await;
    farewell_is_said(&endpoint).await;
    rows_of_leaving(&adapter).await;
    adapter.until_history("Role", "NotConfigured").await;
}

#[tokio::test]
async fn farewell_is_said_when_the_mode_becomes_none() {
    let endpoint = Endpoint::native().await;
    let adapter = primary(&endpoint).await;
    adapter.change(&json!({ "Mode": "None" })).await;
    adapter.until_role("None").await;
    farewell_is_said(&endpoint).await;
    rows_of_leaving(&adapter).await;
    adapter.until_history("Role", "ModeNone").await;
}

#[tokio::test]
async fn farewell_is_said_when_the_group_changes() {
    let endpoint = Endpoint::native().await;
    let adapter = primary(&endpoint).await;
    adapter.change(&json!({ "FailoverGroupId": "Line 2" })).await;
    farewell_is_said(&endpoint).await;
    adapter.until_role("Primary").await;
    rows_of_leaving(&adapter).await;
    let groups: Vec<_> =
        endpoint.calls(Call::CreateGroup).iter().map(|call| call.json()["Id"].clone()).collect();
    assert_eq!(groups, [GROUP, "Line 2"]);
    // Still nothing came after the DELETE.
    farewell_is_said(&endpoint).await;
}

#[tokio::test]
async fn farewell_is_said_when_the_endpoint_changes() {
    let (old, new) = (Endpoint::native().await, Endpoint::native().await);
    let adapter = primary(&old).await;
    adapter.change(&json!({ "Endpoint": new.base() })).await;
    farewell_is_said(&old).await;
    adapter.until_role("Primary").await;
    rows_of_leaving(&adapter).await;
    assert!(new.calls(Call::DeleteSession).is_empty());
    farewell_is_said(&old).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn farewell_is_said_when_the_process_is_told_to_stop() {
    let endpoint = Endpoint::native().await;
    let mut adapter = primary(&endpoint).await;
    assert!(adapter.terminate().success(), "{}", adapter.log());
    farewell_is_said(&endpoint).await;
    let (data, more) = (&adapter.data, &adapter.more);
    endpoint.answer(Call::Version, Reply::Hang);
    let next = crate::support::Server::serve(data.path(), more);
    let kinds = ["Role", "Unregistered", "ServerStopped"];
    for kind in kinds {
        next.until_history(kind, "Stopping").await;
    }
    let rows = next.history().await;
    let rows: Vec<_> =
        rows.iter().filter(|row| row["Reason"] == "Stopping").map(|row| &row["Kind"]).collect();
    assert_eq!(rows[..3], kinds, "{rows:?}");
}

#[tokio::test]
async fn a_heartbeat_that_is_still_under_way_is_overtaken_by_two() {
    let endpoint = Endpoint::native().await;
    let adapter = primary(&endpoint).await;
    endpoint.answer_once(Call::Heartbeat, Reply::Hang);
    let hanging = endpoint.until_more(Call::Heartbeat, 1).await[0].json();
    assert_eq!(hanging["AppliedRole"], "Primary");
    adapter.change(&json!({ "Mode": "None" })).await;
    farewell_is_said(&endpoint).await;
    let beats = endpoint.heartbeats();
    let last: Vec<_> = beats.iter().rev().take(2).collect();
    assert_eq!(last[1]["AppliedRole"], "Secondary");
    // The second covers whatever the one that hangs may have been answered.
    assert_eq!(last[0]["Answered"], last[1]["Sequence"]);
    assert!(last[1]["Sequence"].as_u64() > hanging["Sequence"].as_u64());
}

#[tokio::test]
async fn the_session_is_given_up_even_where_the_last_heartbeat_is_refused() {
    for reply in [Reply::error(429, "Slower."), Reply::error(503, "Later."), Reply::Close] {
        let endpoint = Endpoint::native().await;
        let adapter = primary(&endpoint).await;
        endpoint.answer(Call::Heartbeat, reply);
        adapter.change(&json!({ "Mode": "None" })).await;
        until_given_up(&endpoint).await;
    }
}

#[tokio::test]
async fn a_stock_endpoint_hears_a_last_heartbeat_and_delete() {
    let endpoint = Endpoint::stock().await;
    let adapter = Adapter::primary(&endpoint, T, &[]).await;
    adapter.change(&json!({ "Mode": "None" })).await;
    let requests = until_given_up(&endpoint).await;
    let calls: Vec<_> = requests.iter().rev().take(2).filter_map(|request| request.call).collect();
    assert_eq!(calls, [Call::DeleteSession, Call::Heartbeat]);
    assert_eq!(requests[requests.len() - 2].json().as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn registering_in_the_same_group_waits_for_the_farewell() {
    let endpoint = Endpoint::native().await;
    let adapter = Adapter::primary(&endpoint, "00:00:10", &[]).await;
    endpoint.answer_once(Call::DeleteSession, Reply::Held(Value::Null));
    adapter.change(&json!({ "Mode": "None" })).await;
    let delete = endpoint.until_more(Call::DeleteSession, 1).await.remove(0);
    adapter.change(&json!({ "Mode": "Hot" })).await;
    adapter.until_diagnostics("Reason", |reason| reason == "Registering").await;
    let released = clock::now().uptime;
    endpoint.release(delete.index);
    adapter.until_role("Primary").await;
    let versions = endpoint.calls(Call::Version);
    assert!(versions.len() == 2 && versions[1].at >= released, "{versions:?}");
}

#[tokio::test]
async fn nothing_is_given_up_that_was_never_asked_for() {
    let endpoint = Endpoint::native().await;
    endpoint.answer(Call::CreateGroup, Reply::error(503, "Later."));
    let adapter = Adapter::registering(&endpoint, T, &[]).await;
    endpoint.until_more(Call::CreateGroup, 1).await;
    adapter.change(&json!({ "Mode": "None" })).await;
    adapter.until_role("None").await;
    adapter.change(&json!({ "Mode": "Hot" })).await;
    endpoint.behave();
    adapter.until_role("Primary").await;
    assert!(endpoint.calls(Call::DeleteSession).is_empty());
    assert!(adapter.rows("Unregistered", "ConfigurationChanged").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_ends_in_time_although_its_endpoint_hangs() {
    let endpoint = Endpoint::native().await;
    let mut adapter = Adapter::primary(&endpoint, "00:05:00", &[]).await;
    for call in [Call::Heartbeat, Call::DeleteSession] {
        endpoint.answer(call, Reply::Hang);
    }
    let told = clock::now().uptime;
    adapter.signal(Signal::TERM);
    assert!(adapter.wait().success());
    let took = clock::now().uptime.since(told);
    assert!(took < Duration::from_secs(10), "{took:?}");
    let log = adapter.log();
    assert!(log.contains("the session could not be given up"), "{log}");
}
