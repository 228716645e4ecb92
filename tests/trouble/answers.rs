//! What the adapter asks, and how it reads what it is answered.

use serde_json::{Value, json};

use super::{Adapter, GROUP, warns};
use crate::support::{
    configuration,
    scripted::{BASE, Call, Endpoint, Reply},
    until,
};

const T: &str = "00:00:00.5";

/// The group's name as a path segment.
const SEGMENT: &str = "Line%201%2FA";

fn members(body: &Value) -> Vec<&str> {
    let mut members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    members
}

#[tokio::test]
async fn a_session_that_was_forgotten_is_registered_again_at_once() {
    let endpoint = Endpoint::stock().await;
    let adapter = Adapter::primary(&endpoint, T, &[]).await;
    endpoint.answer_once(Call::Heartbeat, Reply::error(404, "No such session."));
    let forgotten = adapter.until_history("Unregistered", "SessionForgotten").await;
    assert!(forgotten["Explanation"].as_str().unwrap().contains("No such session"), "{forgotten}");
    until("registered again", async || adapter.rows("Registered", "RegistrationAccepted").await.len() == 2)
        .await;
    endpoint.until_more(Call::Heartbeat, 1).await;
    let kinds: Vec<_> = adapter.history().await.iter().map(|row| row["Kind"].clone()).collect();
    let registrations: Vec<_> =
        kinds.iter().filter(|kind| kind.as_str().unwrap().contains("egistered")).collect();
    assert_eq!(registrations, ["Registered", "Unregistered", "Registered"]);
    let ids: Vec<_> =
        endpoint.calls(Call::CreateSession).iter().map(|call| call.json()["Id"].clone()).collect();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
    // The lease was not lost over it: the role never changed.
    assert_eq!(adapter.rows("Role", "ToldPrimary").await.len(), 1);
    assert!(!kinds.contains(&json!("EndpointFailed")), "{kinds:?}");
    assert_eq!(adapter.diagnostics().await["LastError"], Value::Null);
}

#[tokio::test]
async fn the_timeout_of_a_group_that_exists_is_adopted() {
    let endpoint = Endpoint::native().await;
    endpoint.answer(Call::CreateGroup, Reply::error(409, "It exists and differs."));
    endpoint.answer(Call::ReadGroup, Reply::Json(200, json!({ "failoverTimeout": "0:00:02" })));
    let adapter = Adapter::primary(&endpoint, "00:00:20", &[]).await;
    let row = adapter.until_history("EffectiveTimeout", "GroupTimeoutDiffers").await;
    assert!(row["Explanation"].as_str().unwrap().contains("is 00:00:02; 00:00:20 is"), "{row}");
    let shown = adapter.diagnostics().await;
    assert_eq!(shown["GroupTimeout"], "00:00:02");
    assert!(warns(&shown, "The group's FailoverTimeout is 00:00:02"), "{shown}");
    assert!(shown["LeaseRemaining"].as_str().unwrap() < "00:00:02", "{shown}");
    assert_eq!(endpoint.calls(Call::ReadGroup)[0].path, format!("{BASE}/groups/{SEGMENT}"));
    // A conflict that was expected is no failure.
    assert_eq!(shown["LastError"], Value::Null);
    assert!(adapter.rows("EndpointFailed", "Conflict").await.is_empty());
    // Heartbeats follow the smaller one: every 0.5 s, not every 5 s.
    let beats = endpoint.until_more(Call::Heartbeat, 4).await;
    assert!(beats[3].at.since(beats[0].at).as_secs_f64() < 10.0, "{beats:?}");
}

#[tokio::test]
async fn a_session_that_exists_is_read_and_used() {
    let endpoint = Endpoint::stock().await;
    endpoint.answer(Call::CreateSession, Reply::error(409, "It exists and differs."));
    let adapter = Adapter::primary(&endpoint, T, &[]).await;
    let id = adapter.diagnostics().await["SessionId"].as_str().unwrap().to_owned();
    let path = format!("{BASE}/groups/{SEGMENT}/clientsessions/{id}");
    assert_eq!(endpoint.calls(Call::ReadSession)[0].path, path);
    assert_eq!(endpoint.calls(Call::Heartbeat)[0].path, format!("{path}/heartbeat"));
    assert!(adapter.rows("EndpointFailed", "Conflict").await.is_empty());
}

#[tokio::test]
async fn a_group_without_room_for_a_lease_leaves_the_adapter_secondary_at_score_0_and_says_why() {
    let endpoint = Endpoint::stock().await;
    endpoint.answer(Call::CreateGroup, Reply::error(409, "It exists and differs."));
    endpoint.answer(Call::ReadGroup, Reply::Json(200, json!({ "FailoverTimeout": "00:00:00.1" })));
    let adapter = Adapter::registering(&endpoint, T, &[]).await;
    // It is told Primary, again and again.
    let beats = endpoint.until_more(Call::Heartbeat, 3).await;
    assert!(beats.iter().all(|beat| beat.json()["FailoverScore"] == 0), "{beats:?}");
    let shown = adapter.until_diagnostics("LastHeartbeat", Value::is_string).await;
    assert!(warns(&shown, "100 ms, too small to keep a lease by"), "{shown}");
    assert_eq!((&shown["Role"], &shown["AdapterState"]), (&json!("Secondary"), &json!("Faulted")));
    assert!(adapter.rows("Role", "ToldPrimary").await.is_empty());
    let row = adapter.until_history("EffectiveTimeout", "GroupTimeoutDiffers").await;
    assert!(row["Explanation"].as_str().unwrap().contains("too small to keep a lease by"), "{row}");
}

#[tokio::test]
async fn a_group_is_asked_for_as_stock_adapters_do() {
    let endpoint = Endpoint::stock().await;
    let adapter = Adapter::start(&[]);
    let mut wanted = configuration(&format!("{}/", endpoint.base()), GROUP, T);
    (wanted["Name"], wanted["Description"]) = (json!("A name"), json!("A description"));
    adapter.configure(&wanted).await;
    adapter.until_role("Primary").await;
    let asked = &endpoint.calls(Call::CreateGroup)[0];
    assert_eq!(asked.path, format!("{BASE}/groups/"));
    assert_eq!(asked.json(), json!({ "Id": GROUP, "FailoverTimeout": "00:00:00.5000000" }));
    assert_eq!(asked.header("content-type"), "application/json");
    let session = &endpoint.calls(Call::CreateSession)[0];
    assert_eq!(session.path, format!("{BASE}/groups/{SEGMENT}/clientsessions"));
    assert_eq!(members(&session.json()), ["Id", "Name"]);
    assert_eq!(session.json()["Name"], "A name", "people find the adapter by the name that they gave it");
    let order: Vec<_> = endpoint.requests().iter().take(4).filter_map(|request| request.call).collect();
    assert_eq!(order, [Call::Version, Call::CreateGroup, Call::CreateSession, Call::Heartbeat]);
}

#[tokio::test]
async fn a_stock_endpoint_gets_no_extension() {
    for version in [json!({ "Version": "1.0" }), json!({ "Native": 2 }), json!({ "Native": "1" }), json!([])]
    {
        let endpoint = Endpoint::stock().await;
        endpoint.answer(Call::Version, Reply::Json(200, version));
        let adapter = Adapter::primary(&endpoint, T, &[]).await;
        endpoint.until_more(Call::Heartbeat, 1).await;
        for heartbeat in endpoint.heartbeats() {
            let plain = json!({ "FailoverScore": 100, "LastDataProcessedTime": "0001-01-01T00:00:00" });
            assert_eq!(heartbeat, plain);
        }
        assert_eq!(adapter.diagnostics().await["EndpointNative"], false);
    }
}

#[tokio::test]
async fn a_native_endpoint_gets_the_extensions() {
    let endpoint = Endpoint::native().await;
    endpoint
        .answer(Call::Heartbeat, Reply::Json(200, json!({ "Role": 1, "Epoch": 7, "Reason": "Only one." })));
    let mut adapter = Adapter::primary(&endpoint, T, &[]).await;
    endpoint.until_more(Call::Heartbeat, 2).await;
    let beats = endpoint.heartbeats();
    let always = [
        "AppliedRole",
        "Answered",
        "BootId",
        "FailoverScore",
        "Incarnation",
        "LastDataProcessedTime",
        "Sequence",
    ];
    assert!(always.iter().all(|member| beats[0].get(member).is_some()), "{beats:?}");
    let said = |beat: &Value| {
        [
            beat["Sequence"].clone(),
            beat["Answered"].clone(),
            beat["AppliedRole"].clone(),
            beat["Epoch"].clone(),
        ]
    };
    assert_eq!(said(&beats[0]), [json!(1), json!(0), json!("Secondary"), Value::Null]);
    assert_eq!(said(&beats[1]), [json!(2), json!(1), json!("Primary"), json!(7)]);
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert_eq!(beats[0]["BootId"], boot.trim());
    assert_eq!(beats[0]["Incarnation"], beats[1]["Incarnation"]);
    assert_eq!(beats[0].get("Replaces"), None);
    let shown = adapter.diagnostics().await;
    assert_eq!((&shown["EndpointNative"], &shown["Epoch"]), (&json!(true), &json!(7)));
    let told = adapter.until_history("Role", "ToldPrimary").await;
    assert!(told["Explanation"].as_str().unwrap().ends_with("answered Primary: Only one."), "{told}");

    // The next run is another incarnation of the same session, and names the one it replaces.
    let before = beats.len();
    adapter.crash_and_restart();
    until("it is heard again", async || {
        endpoint.heartbeats().iter().skip(before).any(|beat| beat["Replaces"] == beats[0]["Incarnation"])
    })
    .await;
    let sessions = endpoint.calls(Call::CreateSession);
    assert_eq!(sessions[0].json(), sessions[1].json());
}

#[tokio::test]
async fn roles_are_read_as_words_and_as_numbers() {
    let endpoint = Endpoint::stock().await;
    let adapter = Adapter::primary(&endpoint, T, &[]).await;
    for (answer, role) in [
        (json!(0), "Secondary"),
        (json!("Primary"), "Primary"),
        (json!("Secondary"), "Secondary"),
        (json!("primary"), "Primary"),
        (json!("SECONDARY"), "Secondary"),
        (json!(1), "Primary"),
    ] {
        endpoint.answer_role(answer);
        adapter.until_role(role).await;
    }
    assert!(adapter.history().await.iter().all(|row| row["Kind"] != "EndpointFailed"));
}

#[tokio::test]
async fn a_time_of_data_that_is_null_does_not_spoil_the_answer() {
    for time in [Value::Null, json!("0001-01-01T00:00:00"), json!("nonsense"), json!(5)] {
        let endpoint = Endpoint::stock().await;
        endpoint
            .answer(Call::Heartbeat, Reply::Json(200, json!({ "Role": 1, "LastDataProcessedTime": time })));
        Adapter::primary(&endpoint, T, &[]).await;
    }
}
