//! What components report: every rule of their bodies, and what is shown of them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    support::{
        COMPONENTS, STATE, Server,
        shape::{members, snapshot},
        until,
    },
    table::{refusal, with, without},
};

fn good() -> Value {
    json!({ "StreamCount": 1000, "DeviceStatus": "Good" })
}

async fn put(server: &Server, id: &str, body: &Value) -> crate::support::Answer {
    server.send(Method::PUT, &format!("{COMPONENTS}/{id}"), Some(&body.to_string())).await
}

#[tokio::test]
async fn what_is_reported_is_shown_and_can_be_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    snapshot("components_none", &server.get(COMPONENTS).await);
    let whole = json!({
        "id": "Modbus 1", "STREAMCOUNT": 1000, "deviceStatus": "connectednodata",
        "LastDataProcessedTime": "2026-01-01T00:00:00+01:00", "TimeToLive": "1.00:00:00",
    });
    assert_eq!(put(&server, "Modbus%201", &whole).await.status, StatusCode::NO_CONTENT);
    let nulls = with(good(), json!({ "LastDataProcessedTime": null, "TimeToLive": null }));
    assert_eq!(put(&server, "other", &json!([nulls])).await.status, StatusCode::NO_CONTENT);
    snapshot("components", &server.get(COMPONENTS).await);
    let one = server.get(&format!("{COMPONENTS}/other")).await;
    assert_eq!(
        members(&one.body),
        [
            "Id",
            "Source",
            "StreamCount",
            "DeviceStatus",
            "CountsAs",
            "LastDataProcessedTime",
            "TimeToLive",
            "Heard",
            "Explanation",
        ]
    );
    assert_eq!(one.json()["TimeToLive"], "00:01:00", "the default");
    for (status, id) in [(204, "other"), (404, "other"), (404, "Other"), (404, "%0A")] {
        let answer = server.send(Method::DELETE, &format!("{COMPONENTS}/{id}"), None).await;
        assert_eq!(answer.status, status, "{id}: {}", answer.body);
    }
    snapshot("refused_component", &server.get(&format!("{COMPONENTS}/other")).await);
    assert_eq!(server.get(COMPONENTS).await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn every_status_is_read_in_any_case_and_counts_as_itself_while_it_is_fresh() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    for status in
        ["Good", "ConnectedNoData", "Starting", "DeviceInError", "Shutdown", "Removed", "NotConfigured"]
    {
        for spelling in [status.to_owned(), status.to_lowercase(), status.to_uppercase()] {
            let answer = put(&server, "a", &with(good(), json!({ "DeviceStatus": spelling }))).await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{spelling}: {}", answer.body);
            let shown = server.get(&format!("{COMPONENTS}/a")).await.json();
            assert_eq!((&shown["DeviceStatus"], &shown["CountsAs"]), (&json!(status), &json!(status)));
        }
    }
}

#[tokio::test]
async fn every_fault_of_a_report_is_named_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    put(&server, "a", &good()).await;
    let before = server.get(COMPONENTS).await.body;
    let number = "StreamCount is a number, not a whole number from 0 to 10000000";
    for (body, faults) in [
        (json!({}), ["StreamCount is missing", "DeviceStatus is missing"].as_slice()),
        (without(good(), "StreamCount"), &["StreamCount is missing"]),
        (with(good(), json!({ "StreamCount": -1 })), &[number]),
        (with(good(), json!({ "StreamCount": 1.5 })), &[number]),
        (with(good(), json!({ "StreamCount": 10_000_001 })), &[number]),
        (with(good(), json!({ "StreamCount": "1" })), &["StreamCount is a string, not a whole number"]),
        (with(good(), json!({ "StreamCount": null })), &["StreamCount is missing"]),
        (with(good(), json!({ "DeviceStatus": "Bad" })), &["DeviceStatus is no status that is known here"]),
        (with(good(), json!({ "DeviceStatus": 1 })), &["DeviceStatus is a number, not a string"]),
        (with(good(), json!({ "devicestatus": "Good" })), &["DeviceStatus is there 2 times"]),
        (with(good(), json!({ "LastDataProcessedTime": "soon" })), &["LastDataProcessedTime cannot be read"]),
        (with(good(), json!({ "LastDataProcessedTime": 1 })), &["LastDataProcessedTime is a number"]),
        (
            with(good(), json!({ "TimeToLive": "00:00:00.9" })),
            &["TimeToLive is no time span within its limits"],
        ),
        (
            with(good(), json!({ "TimeToLive": "1.00:00:01" })),
            &["TimeToLive is no time span within its limits"],
        ),
        (with(good(), json!({ "TimeToLive": 60 })), &["TimeToLive is a number, not a string"]),
        (with(good(), json!({ "Id": "b" })), &["Id is \"b\" in the body but \"a\" in the path"]),
        (with(good(), json!({ "Colour": 1 })), &["\"Colour\" is not a member that is known here"]),
        (json!([good(), good()]), &["The body is an array of 2"]),
        (json!(1), &["The body is a number"]),
    ] {
        let answer = put(&server, "a", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {}", answer.body);
        let [error, reason, _] = refusal(&answer).unwrap();
        assert!(error.starts_with(&format!("{} fault", faults.len())), "{body}: {error}");
        for fault in faults {
            assert!(reason.contains(fault), "{body}: {reason}");
        }
    }
    for id in [&"x".repeat(257), "a%0Ab"] {
        let answer = put(&server, id, &json!({ "StreamCount": 1 })).await;
        assert!(refusal(&answer).unwrap()[0].starts_with("2 faults"), "{id}: {}", answer.body);
    }
    assert_eq!(server.get(COMPONENTS).await.body, before);
    let nothing_yet = with(good(), json!({ "LastDataProcessedTime": "0001-01-01T00:00:00" }));
    assert_eq!(put(&server, "a", &nothing_yet).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn there_can_be_so_many_components_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    for id in 0..1_000 {
        assert_eq!(put(&server, &id.to_string(), &good()).await.status, StatusCode::NO_CONTENT);
    }
    snapshot("refused_component_too_many", &put(&server, "more", &good()).await);
    assert_eq!(put(&server, "7", &good()).await.status, StatusCode::NO_CONTENT, "one that is there");
    server.send(Method::DELETE, &format!("{COMPONENTS}/8"), None).await;
    assert_eq!(put(&server, "more", &good()).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_report_that_is_not_refreshed_is_an_error_and_a_restart_forgets_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::serve(folder.path(), &[]);
    let score = async |server: &Server| server.get(STATE).await.json()["FailoverStatus"].clone();
    until("all is good where nobody looks", async || score(&server).await == "100").await;
    let brief =
        with(good(), json!({ "TimeToLive": "00:00:01", "LastDataProcessedTime": "2026-01-01T00:00:00Z" }));
    put(&server, "a", &brief).await;
    put(&server, "b", &with(good(), json!({ "StreamCount": 3000 }))).await;
    until("it has expired", async || {
        server.get(&format!("{COMPONENTS}/a")).await.json()["CountsAs"] == "DeviceInError"
    })
    .await;
    let row = server.until_history("Component", "ReportExpired").await;
    assert!(row["Explanation"].as_str().unwrap().contains("\"a\" has not reported again"), "{row}");
    until("the score has fallen", async || score(&server).await == "75").await;
    assert_eq!(server.get(STATE).await.json()["LastDataProcessedTime"], "2026-01-01T00:00:00Z");
    let warnings = server.diagnostics().await["Warnings"].to_string();
    assert!(warnings.contains("has not reported again within its TimeToLive of 00:00:01"), "{warnings}");

    server.kill();
    let server = Server::serve(folder.path(), &[]);
    assert_eq!(server.get(COMPONENTS).await.body, "[]");
    until("nobody looks again", async || score(&server).await == "100").await;
    assert_eq!(server.rows("Component", "ReportExpired").await.len(), 1, "what happened is still there");
}
