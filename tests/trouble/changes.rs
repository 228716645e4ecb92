//! A change of the configuration takes effect at once, whatever hangs.

use serde_json::json;

use super::{Adapter, GROUP};
use crate::support::{
    configuration,
    scripted::{Call, Endpoint, Reply},
    until,
};

/// Longer than any test waits: whoever waited for a call of this length would fail.
const LONG: &str = "00:05:00";

#[tokio::test]
async fn a_change_overtakes_a_call_that_hangs() {
    for call in [Call::Version, Call::CreateGroup, Call::CreateSession, Call::Heartbeat] {
        let hanging = Endpoint::stock().await;
        hanging.answer(call, Reply::Hang);
        let adapter = Adapter::registering(&hanging, LONG, &[]).await;
        hanging.until_asked(call).await;
        let other = Endpoint::stock().await;
        adapter.configure(&configuration(&other.base(), GROUP, LONG)).await;
        adapter.until_role("Primary").await;
        assert_eq!(adapter.rows("EndpointFailed", "TimedOut").await.len(), 0);
    }
}

#[tokio::test]
async fn a_change_in_place_overtakes_a_heartbeat_that_hangs() {
    let endpoint = Endpoint::native().await;
    endpoint.answer_once(Call::Heartbeat, Reply::Hang);
    let adapter = Adapter::registering(&endpoint, LONG, &[]).await;
    endpoint.until_asked(Call::Heartbeat).await;
    adapter.change(&json!({ "Name": "another" })).await;
    adapter.until_role("Primary").await;
}

#[tokio::test]
async fn an_answer_to_an_older_configuration_is_ignored() {
    let (old, new) = (Endpoint::native().await, Endpoint::native().await);
    old.answer(Call::Heartbeat, Reply::Held(json!({ "Role": "Primary" })));
    new.answer_role("Secondary");
    let adapter = Adapter::registering(&old, "00:00:01", &[]).await;
    let held = old.until_more(Call::Heartbeat, 1).await[0].index;
    adapter.configure(&configuration(&new.base(), GROUP, "00:00:01")).await;
    new.until_more(Call::Heartbeat, 1).await;
    old.release(held);
    new.until_more(Call::Heartbeat, 3).await;
    assert!(new.heartbeats().iter().all(|beat| beat["AppliedRole"] == "Secondary"));
    assert!(adapter.rows("Role", "ToldPrimary").await.is_empty());
    assert_eq!(adapter.role().await, "Secondary");
}

#[tokio::test]
async fn changes_in_place_keep_session_and_role() {
    let endpoint = Endpoint::native().await;
    let adapter = Adapter::primary(&endpoint, "00:00:02", &[]).await;
    let before = adapter.diagnostics().await;
    for change in [
        json!({ "Mode": "Warm" }),
        json!({ "Name": "Line 1", "Description": "Press" }),
        json!({ "FailoverTimeout": "00:00:03" }),
        json!({ "UserName": "a", "Password": "b" }),
        json!({ "Password": "c" }),
    ] {
        adapter.change(&change).await;
        endpoint.until_more(Call::Heartbeat, 2).await;
    }
    let after = adapter.diagnostics().await;
    for member in ["Role", "RoleSince", "SessionId", "AppliedMode"] {
        assert_eq!(before[member], after[member], "{member}");
    }
    assert_eq!(after["Mode"], "Warm");
    for call in [Call::Version, Call::CreateGroup, Call::CreateSession] {
        assert_eq!(endpoint.calls(call).len(), 1, "{call:?}");
    }
    assert!(endpoint.calls(Call::DeleteSession).is_empty());
    let beats = endpoint.heartbeats();
    assert!(beats.windows(2).all(|pair| pair[0]["Sequence"].as_u64() < pair[1]["Sequence"].as_u64()));
    assert!(beats[1..].iter().all(|beat| beat["AppliedRole"] == "Primary"), "{beats:?}");
    let last = endpoint.calls(Call::Heartbeat).pop().unwrap();
    assert_eq!(last.header("authorization"), "Basic YTpj");
    assert!(adapter.rows("Unregistered", "ConfigurationChanged").await.is_empty());
    // The group keeps the timeout that it was made with.
    assert_eq!((&after["GroupTimeout"], &before["GroupTimeout"]), (&json!("00:00:02"), &json!("00:00:02")));
    adapter.until_history("EffectiveTimeout", "GroupTimeoutDiffers").await;
}

#[tokio::test]
async fn a_change_of_mode_while_primary_waits_for_the_next_demotion() {
    let endpoint = Endpoint::native().await;
    let adapter = Adapter::primary(&endpoint, "00:00:01", &[]).await;
    adapter.change(&json!({ "Mode": "Cold" })).await;
    endpoint.until_more(Call::Heartbeat, 2).await;
    let shown = adapter.diagnostics().await;
    assert_eq!((&shown["Mode"], &shown["AppliedMode"]), (&json!("Cold"), &json!("Hot")));
    assert_eq!((&shown["Role"], &shown["AdapterState"]), (&json!("Primary"), &json!("Running")));
    assert!(adapter.history().await.iter().all(|row| row["Kind"] != "Mode"));

    endpoint.answer_role(0);
    let row = adapter.until_history("Mode", "RoleChanged").await;
    assert_eq!((&row["Mode"], &row["Role"]), (&json!("Cold"), &json!("Secondary")));
    let shown = adapter.diagnostics().await;
    assert_eq!((&shown["AppliedMode"], &shown["AdapterState"]), (&json!("Cold"), &json!("Stopped")));
    // Who does not look at its source says that it could start, and no more.
    until("it says score 1", async || endpoint.heartbeats().last().unwrap()["FailoverScore"] == 1).await;
}
