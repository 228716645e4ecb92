//! Each way to fail has its row, its line and its words, once; and it passes.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Adapter, GROUP, warns};
use crate::support::{
    configuration,
    scripted::{Call, Endpoint, Reply},
    until,
};

const T: &str = "00:00:00.6";

/// Heartbeats of a Primary fail for longer than T, and then no more.
async fn heartbeats_fail(reply: Reply, reason: &str, sentence: &str) {
    let endpoint = Endpoint::stock().await;
    let adapter = Adapter::primary(&endpoint, T, &[]).await;
    endpoint.answer(Call::Heartbeat, reply);
    adapter.until_error(sentence).await;
    endpoint.until_more(Call::Heartbeat, 3).await;
    is_written_down_once(&adapter, reason, sentence).await;
    endpoint.behave();
    is_over(&adapter).await;
}

async fn is_written_down_once(adapter: &Adapter, reason: &str, sentence: &str) {
    adapter.until_history("EndpointLost", "NoAnswer").await;
    adapter.until_history("RoleKept", "LeaseExpired").await;
    adapter.only_failure(reason, sentence).await;
    let shown = adapter.diagnostics().await;
    assert_eq!(shown["Role"], "Primary");
    assert!(warns(&shown, "another adapter may be Primary too"), "{shown}");
    let lost = format!("nobody here knows who is Primary: {}.", shown["LastError"].as_str().unwrap());
    assert!(warns(&shown, &lost) && lost.contains(sentence), "{shown}");
    assert_eq!(adapter.log_lines("EndpointLost", "NoAnswer").len(), 1);
}

async fn is_over(adapter: &Adapter) {
    adapter.until_history("EndpointRestored", "Answered").await;
    let shown = adapter.until_diagnostics("LeaseRemaining", Value::is_string).await;
    assert_eq!((&shown["LastError"], &shown["Role"]), (&Value::Null, &json!("Primary")));
    assert_eq!(shown["Warnings"], json!([]));
    assert_eq!(adapter.rows("EndpointLost", "NoAnswer").await.len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_hangs_has_timed_out() {
    heartbeats_fail(Reply::Hang, "TimedOut", "no answer arrived").await;
}

#[tokio::test]
async fn an_answer_that_drips_longer_than_the_timeout_has_timed_out() {
    heartbeats_fail(Reply::Drip(Duration::from_millis(40)), "TimedOut", "no answer arrived").await;
}

#[tokio::test]
async fn an_endpoint_that_breaks_connections_is_unreachable() {
    heartbeats_fail(Reply::Reset, "Unreachable", "the connection broke").await;
}

#[tokio::test]
async fn an_endpoint_that_closes_connections_is_unreachable() {
    heartbeats_fail(Reply::Close, "Unreachable", "the connection broke").await;
}

#[tokio::test]
async fn an_endpoint_that_refuses_connections_is_unreachable() {
    let mut endpoint = Endpoint::stock().await;
    let adapter = Adapter::primary(&endpoint, T, &[]).await;
    endpoint.go_away().await;
    adapter.until_error("it could not be reached").await;
    adapter.until_history("EndpointLost", "NoAnswer").await;
    // The connection there was broke first; the reason is the same.
    is_written_down_once(&adapter, "Unreachable", "failed: ").await;
    endpoint.come_back();
    is_over(&adapter).await;
}

#[tokio::test]
async fn an_answer_without_a_role_is_a_bad_answer() {
    for (body, sentence) in
        [("<html>", "the answer is no JSON"), ("[]", "the answer is"), (r#"{"Role":7}"#, "has no Role")]
    {
        heartbeats_fail(Reply::Full(200, Vec::new(), body.to_owned()), "BadAnswer", sentence).await;
    }
}

#[tokio::test]
async fn what_is_not_http_is_unreachable() {
    heartbeats_fail(Reply::Bytes("220 mail.example ready\r\n\r\n"), "Unreachable", "the connection broke")
        .await;
}

#[tokio::test]
async fn an_answer_larger_than_any_should_be_is_too_large() {
    let body = format!(r#"{{"Role":1,"Padding":"{}"}}"#, "x".repeat(64 * 1024));
    heartbeats_fail(Reply::Full(200, Vec::new(), body), "TooLarge", "larger than 65536 bytes").await;
}

#[tokio::test]
async fn an_answer_of_the_largest_size_is_read() {
    let endpoint = Endpoint::stock().await;
    let padding = 64 * 1024 - r#"{"Role":1,"Padding":""}"#.len();
    let body = format!(r#"{{"Role":1,"Padding":"{}"}}"#, "x".repeat(padding));
    endpoint.answer(Call::Heartbeat, Reply::Full(200, Vec::new(), body));
    Adapter::primary(&endpoint, T, &[]).await;
}

#[tokio::test]
async fn an_endless_answer_is_not_read_on() {
    let endpoint = Endpoint::stock().await;
    let adapter = Adapter::primary(&endpoint, "00:00:02", &[]).await;
    endpoint.answer_once(Call::Heartbeat, Reply::Endless);
    adapter.until_history("EndpointFailed", "TooLarge").await;
    until("the endless body was given up", async || !endpoint.endless_sent().is_empty()).await;
    // What the kernel's buffers took in is on top of what was read.
    assert!(endpoint.endless_sent()[0] < 32 << 20, "{:?}", endpoint.endless_sent());
    adapter.until_diagnostics("LastError", Value::is_null).await;
}

#[tokio::test]
async fn a_login_that_is_refused_is_told_from_a_right_that_is_missing() {
    heartbeats_fail(Reply::error(401, "Who are you."), "Unauthorized", "401 Unauthorized: Who are you").await;
    heartbeats_fail(Reply::error(403, "Not here."), "Forbidden", "403 Forbidden: Not here").await;
}

#[tokio::test]
async fn each_failure_says_what_to_do_and_the_endpoint_where_it_knows_better() {
    let resolved = |status, resolution: &str| {
        let body = json!({ "Error": "E.", "Reason": "R.", "Resolution": resolution }).to_string();
        Reply::Full(status, Vec::new(), body)
    };
    let endpoint = Endpoint::stock().await;
    let adapter = Adapter::start(&[]);
    adapter.configure(&configuration(&endpoint.base(), GROUP, T)).await;
    for (reply, said) in [
        (resolved(401, "Send a name."), "401 Unauthorized: R. Mend UserName and Password"),
        (resolved(403, "Start it with --allow-host e."), "403 Forbidden: R. Start it with --allow-host e"),
        (Reply::error(403, "Not you."), "403 Forbidden: Not you. On the endpoint, give this user its role"),
        (resolved(404, "Ask for another."), "404 Not Found: R. Look at Endpoint"),
        (resolved(409, "Wait."), "409 Conflict: R. Where a data folder was copied, stop one of the two"),
        (resolved(500, "Free the disk."), "500 Internal Server Error: R. Free the disk"),
        (
            Reply::Close,
            "See to it that the server there runs; if its port speaks TLS, write https in its address",
        ),
    ] {
        endpoint.answer(Call::CreateGroup, reply.clone());
        endpoint.answer(Call::ReadGroup, reply);
        adapter.until_error(said).await;
    }
}

#[tokio::test]
async fn a_refused_password_is_over_when_the_right_one_is_given() {
    let endpoint = Endpoint::stock().await;
    endpoint.answer(Call::Version, Reply::error(401, "Wrong password."));
    let adapter = Adapter::start(&[]);
    let mut wanted = configuration(&endpoint.base(), GROUP, T);
    (wanted["UserName"], wanted["Password"]) = (json!("a"), json!("wrong"));
    adapter.configure(&wanted).await;
    adapter.until_error("asking for the endpoint's version").await;
    assert_eq!(adapter.role().await, "Secondary");
    endpoint.behave();
    adapter.change(&json!({ "Password": "right" })).await;
    adapter.until_role("Primary").await;
    adapter.only_failure("Unauthorized", "Wrong password").await;
    assert_eq!(endpoint.calls(Call::Heartbeat)[0].header("authorization"), "Basic YTpyaWdodA==");
}

#[tokio::test]
async fn a_conflict_of_heartbeats_is_a_failure() {
    let sentence = "409 Conflict: Another process uses this session";
    heartbeats_fail(Reply::error(409, "Another process uses this session."), "Conflict", sentence).await;
}

#[tokio::test]
async fn a_busy_endpoint_is_told_from_one_that_is_broken() {
    heartbeats_fail(Reply::error(429, "Slower."), "TooManyRequests", "429 Too Many Requests: Slower").await;
    heartbeats_fail(Reply::error(503, "Later."), "ServerError", "503 Service Unavailable: Later").await;
}

#[tokio::test]
async fn a_redirect_is_never_followed_and_its_target_hears_nothing() {
    let target = Endpoint::stock().await;
    for status in [301, 302, 303, 307, 308] {
        let endpoint = Endpoint::stock().await;
        let adapter = Adapter::start(&[]);
        let mut wanted = configuration(&endpoint.base(), GROUP, T);
        (wanted["UserName"], wanted["Password"]) = (json!("a"), json!("secret"));
        adapter.configure(&wanted).await;
        adapter.until_role("Primary").await;
        let location = vec![("Location", format!("{}/groups/", target.base()))];
        endpoint.answer(Call::Heartbeat, Reply::Full(status, location, String::new()));
        let sentence = "redirects are never followed";
        adapter.until_error(sentence).await;
        endpoint.until_more(Call::Heartbeat, 2).await;
        adapter.only_failure("Redirected", sentence).await;
        endpoint.behave();
        adapter.until_diagnostics("LastError", Value::is_null).await;
    }
    assert!(target.requests().is_empty(), "{:?}", target.requests());
}

#[tokio::test]
async fn registering_goes_on_where_it_failed() {
    for call in [Call::Version, Call::CreateGroup, Call::CreateSession] {
        for (reply, reason) in [(Reply::Hang, "TimedOut"), (Reply::error(503, "Later."), "ServerError")] {
            let endpoint = Endpoint::stock().await;
            endpoint.answer(call, reply);
            let adapter = Adapter::registering(&endpoint, "00:00:00.3", &[]).await;
            adapter.until_history("EndpointFailed", reason).await;
            endpoint.until_more(call, 2).await;
            let shown = adapter.diagnostics().await;
            assert_eq!((&shown["Role"], &shown["Reason"]), (&json!("Secondary"), &json!("Registering")));
            adapter.only_failure(reason, "at http://").await;
            endpoint.behave();
            adapter.until_role("Primary").await;
            assert!(endpoint.calls(Call::Version).len() == 1 || call == Call::Version);
        }
    }
}
