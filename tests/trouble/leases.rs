//! How long a Primary acts without an answer, and what may make it act again.

use std::time::Duration;

use client_failover::{
    clock,
    domain::{Wall, parse_span},
};
use serde_json::{Value, json};

use super::{Adapter, warns};
use crate::support::{
    scripted::{Call, Endpoint, Reply},
    until,
};

fn wall(time: &Value) -> Wall {
    Wall::parse(time.as_str().unwrap()).unwrap()
}

fn remaining(diagnostics: &Value) -> Duration {
    parse_span(diagnostics["LeaseRemaining"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn by_step_down_a_silent_endpoint_costs_the_role_before_t_after_the_last_heartbeat() {
    let endpoint = Endpoint::native().await;
    let adapter = Adapter::primary(&endpoint, "00:00:08", &["--endpoint-loss", "step-down"]).await;
    endpoint.until_more(Call::Heartbeat, 2).await;
    let last = endpoint.calls(Call::Heartbeat).pop().unwrap().at;
    endpoint.answer(Call::Heartbeat, Reply::Hang);
    adapter.until_role("Secondary").await;
    let elapsed = clock::now().uptime.since(last).as_secs_f64();
    assert!((7.0..8.0).contains(&elapsed), "{elapsed}");
    let row = adapter.until_history("SteppedDown", "LeaseExpired").await;
    let shown = adapter.diagnostics().await;
    let silent = wall(&row["Time"]).since(wall(&shown["LastHeartbeat"])).as_secs_f64();
    assert!((7.1..8.0).contains(&silent), "{row} {shown}");
    assert_eq!((&row["Role"], &shown["Role"]), (&json!("Secondary"), &json!("Secondary")));
    assert_eq!((&shown["Reason"], &shown["LeaseRemaining"]), (&json!("LeaseExpired"), &Value::Null));
    assert_eq!(adapter.log_lines("SteppedDown", "LeaseExpired").len(), 1);
    endpoint.behave();
    adapter.until_role("Primary").await;
    assert!(adapter.rows("RoleKept", "LeaseExpired").await.is_empty());
}

#[tokio::test]
async fn the_lease_counts_down_and_an_answer_renews_it() {
    let endpoint = Endpoint::native().await;
    let adapter = Adapter::primary(&endpoint, "00:00:04", &["--endpoint-loss", "step-down"]).await;
    endpoint.answer(Call::Heartbeat, Reply::Hang);
    endpoint.until_more(Call::Heartbeat, 1).await;
    let first = remaining(&adapter.diagnostics().await);
    assert!(first <= Duration::from_millis(3_550), "{first:?}");
    until("it is smaller by 0.2 s", async || {
        remaining(&adapter.diagnostics().await) + Duration::from_millis(200) < first
    })
    .await;
    endpoint.behave();
    until("it is renewed", async || remaining(&adapter.diagnostics().await) > first).await;
}

#[tokio::test]
async fn a_heartbeat_that_fails_inside_the_lease_changes_nothing() {
    let endpoint = Endpoint::native().await;
    let adapter = Adapter::primary(&endpoint, "00:00:03", &["--endpoint-loss", "step-down"]).await;
    let before = adapter.diagnostics().await;
    for reply in [Reply::Reset, Reply::error(503, "Later."), Reply::Close, Reply::Hang] {
        endpoint.answer_once(Call::Heartbeat, reply);
        endpoint.until_more(Call::Heartbeat, 3).await;
        assert_eq!(adapter.role().await, "Primary");
    }
    let after = adapter.diagnostics().await;
    assert_eq!(before["RoleSince"], after["RoleSince"]);
    assert_eq!(after["LastError"], Value::Null);
    let rows = adapter.history().await;
    let changes = ["SteppedDown", "RoleKept", "EndpointLost"];
    assert!(rows.iter().all(|row| !changes.contains(&row["Kind"].as_str().unwrap())), "{rows:?}");
}

#[tokio::test]
async fn by_keep_role_and_by_default_the_role_is_kept_loudly() {
    for policy in [&[][..], &["--endpoint-loss", "auto"], &["--endpoint-loss", "keep-role"]] {
        let endpoint = Endpoint::native().await;
        let adapter = Adapter::primary(&endpoint, "00:00:00.5", policy).await;
        assert!(!warns(&adapter.diagnostics().await, "without the endpoint"));
        endpoint.answer(Call::Heartbeat, Reply::Hang);
        let row = adapter.until_history("RoleKept", "LeaseExpired").await;
        assert_eq!(row["Role"], "Primary");
        adapter.until_history("EndpointLost", "NoAnswer").await;
        let shown = adapter.diagnostics().await;
        assert_eq!((&shown["Role"], &shown["LeaseRemaining"]), (&json!("Primary"), &Value::Null));
        assert!(warns(&shown, "The role is kept without the endpoint"), "{shown}");
        assert_eq!(adapter.log_lines("RoleKept", "LeaseExpired").len(), 1);
        // The first word of the endpoint ends it.
        endpoint.answer_role(0);
        endpoint.behave();
        adapter.until_role("Secondary").await;
        adapter.until_history("Role", "ToldSecondary").await;
        assert!(adapter.rows("SteppedDown", "LeaseExpired").await.is_empty());
    }
}

#[tokio::test]
async fn by_keep_role_a_crashed_primary_takes_its_role_back_one_t_after_it_starts_alone() {
    let mut endpoint = Endpoint::native().await;
    let mut adapter = Adapter::primary(&endpoint, "00:00:01", &["--endpoint-loss", "keep-role"]).await;
    endpoint.go_away().await;
    adapter.crash_and_restart();
    assert_eq!(adapter.role().await, "Secondary");
    let row = adapter.until_history("Role", "TookBack").await;
    let started = adapter.rows("ServerStarted", "Started").await.pop().unwrap();
    let alone = wall(&row["Time"]).since(wall(&started["Time"])).as_secs_f64();
    assert!((0.9..10.0).contains(&alone), "{alone}");
    let shown = adapter.diagnostics().await;
    assert_eq!((&shown["Role"], &shown["Reason"]), (&json!("Primary"), &json!("TookBack")));
    assert!(warns(&shown, "The role is kept without the endpoint"), "{shown}");
    endpoint.answer_role(0);
    endpoint.come_back();
    adapter.until_role("Secondary").await;
}

/// Starts again after a crash, and lets three T pass in which the endpoint was given up.
async fn crash_and_wait(adapter: &mut Adapter) {
    adapter.crash_and_restart();
    let started = clock::now().uptime;
    adapter.until_history("EndpointLost", "NoAnswer").await;
    until("three T are over", async || clock::now().uptime >= started + Duration::from_millis(1_500)).await;
    assert_eq!(adapter.role().await, "Secondary");
    assert!(adapter.rows("Role", "TookBack").await.is_empty());
}

#[tokio::test]
async fn by_step_down_a_crashed_primary_never_takes_its_role_back() {
    let mut endpoint = Endpoint::native().await;
    let mut adapter = Adapter::primary(&endpoint, "00:00:00.5", &["--endpoint-loss", "step-down"]).await;
    endpoint.go_away().await;
    crash_and_wait(&mut adapter).await;
}

#[tokio::test]
async fn a_crashed_secondary_takes_no_role_back() {
    let mut endpoint = Endpoint::native().await;
    let mut adapter = Adapter::primary(&endpoint, "00:00:00.5", &["--endpoint-loss", "keep-role"]).await;
    endpoint.answer_role(0);
    adapter.until_history("Role", "ToldSecondary").await;
    endpoint.go_away().await;
    crash_and_wait(&mut adapter).await;
}

#[tokio::test]
async fn an_endpoint_that_refuses_has_been_reached_and_no_role_is_taken_back() {
    let endpoint = Endpoint::native().await;
    let mut adapter = Adapter::primary(&endpoint, "00:00:00.5", &["--endpoint-loss", "keep-role"]).await;
    for call in [Call::Version, Call::CreateGroup, Call::Heartbeat] {
        endpoint.answer(call, Reply::error(401, "Wrong password."));
    }
    crash_and_wait(&mut adapter).await;
}

#[tokio::test]
async fn an_answer_to_a_question_asked_before_it_stopped_does_not_make_it_act_again() {
    let endpoint = Endpoint::native().await;
    let adapter = Adapter::primary(&endpoint, "00:00:03", &["--endpoint-loss", "step-down"]).await;
    endpoint.answer(Call::Heartbeat, Reply::Held(json!({ "Role": 1 })));
    adapter.until_history("SteppedDown", "LeaseExpired").await;
    // The last question that it asked as a Primary is the freshest: its answer alone would permit to
    // act for some time.
    let beats = endpoint.calls(Call::Heartbeat);
    let old = beats.iter().rfind(|beat| beat.json()["AppliedRole"] == "Primary").unwrap();
    let asked_in_time = clock::now().uptime.since(old.at) < Duration::from_millis(2_000);
    assert!(asked_in_time, "the machine was too slow for this test");
    endpoint.release(old.index);
    let sequence = old.json()["Sequence"].clone();
    // It heard the answer, and does not act.
    until("the old answer was heard", async || {
        endpoint.heartbeats().iter().any(|beat| beat["Answered"] == sequence)
    })
    .await;
    let heard =
        endpoint.calls(Call::Heartbeat).into_iter().find(|beat| beat.json()["Answered"] == sequence).unwrap();
    assert_eq!(heard.json()["AppliedRole"], "Secondary");
    assert_eq!(adapter.role().await, "Secondary");
    assert_eq!(adapter.rows("Role", "ToldPrimary").await.len(), 1);
    // The answer to what it asked since does.
    endpoint.release(heard.index);
    adapter.until_role("Primary").await;
    assert_eq!(adapter.rows("Role", "ToldPrimary").await.len(), 2);
}
