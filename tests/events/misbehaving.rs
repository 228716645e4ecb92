//! Streams that are refused, break or say nonsense: heartbeats go on as they do, and the session stays.

use std::time::Duration;

use client_failover::clock;
use serde_json::json;
use tempfile::TempDir;

use super::support::{
    Server, configuration,
    scripted::{Call, Endpoint, Reply},
    until,
};

/// An adapter that is Primary at `endpoint`, with a T of `timeout`.
async fn primary(endpoint: &Endpoint, timeout: &str) -> (Server, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let adapter = Server::serve(data.path(), &[]);
    adapter.configure(&configuration(&endpoint.base(), "g", timeout)).await;
    adapter.until_role("Primary").await;
    (adapter, data)
}

/// Whatever its stream does, the adapter stays registered, keeps its pace and has no trouble.
async fn does_no_harm(stream: Reply) {
    let endpoint = Endpoint::native().await;
    endpoint.answer(Call::Events, stream.clone());
    let (adapter, _data) = primary(&endpoint, "00:00:04").await;
    // The stream is tried again, so its end was noticed; or it hangs, which is noticed late.
    let hangs = matches!(stream, Reply::Hang | Reply::Stream(_));
    until("the stream was tried", async || endpoint.calls(Call::Events).len() > usize::from(!hangs)).await;
    // The first after the promotion comes at once.
    let beats = endpoint.until_more(Call::Heartbeat, 3).await;
    let gaps: Vec<f64> = beats.windows(2).map(|pair| pair[1].at.since(pair[0].at).as_secs_f64()).collect();
    assert!(gaps.iter().skip(1).all(|gap| (0.8..2.0).contains(gap)), "{gaps:?}");
    assert_eq!(endpoint.calls(Call::CreateSession).len(), 1);
    assert_eq!(endpoint.calls(Call::CreateGroup).len(), 1);
    let shown = adapter.diagnostics().await;
    assert_eq!((&shown["Role"], &shown["LastError"]), (&json!("Primary"), &json!(null)));
    assert!(adapter.log_lines("EndpointFailed", "NotFound").is_empty());
    assert!(adapter.history().await.iter().all(|row| row["Kind"] != "EndpointFailed"));
    let log = adapter.log();
    assert!(log.matches("events are not heard").count() <= 1, "it is said once: {log}");
    assert!(endpoint.calls(Call::Events).len() < 12, "it is not tried again and again at once");
}

#[tokio::test]
async fn a_stream_that_is_refused_says_nothing_about_the_group() {
    for refusal in [404, 501, 401, 500] {
        does_no_harm(Reply::error(refusal, "There are no events.")).await;
    }
}

#[tokio::test]
async fn a_stream_that_is_no_stream_does_no_harm() {
    for reply in [
        Reply::Json(200, json!({})),
        Reply::Json(204, json!(null)),
        Reply::Full(302, vec![("Location", "/elsewhere".to_owned())], String::new()),
        Reply::Close,
        Reply::Reset,
        Reply::Bytes("nonsense"),
        Reply::Hang,
    ] {
        does_no_harm(reply).await;
    }
}

#[tokio::test]
async fn a_stream_that_ends_at_once_or_says_nonsense_does_no_harm() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    const ENDS: &str =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: Listening\ndata: {}\n\n";
    for reply in [
        Reply::Bytes(HEAD),
        Reply::Bytes(ENDS),
        Reply::Stream(""),
        Reply::Stream("event: Nudge\ndata: {\"Session\":\"somebody else\"}\n\nevent: New\ndata: {}\n\n"),
        Reply::Stream("\0\u{7}{}[]: ::\r\r\n\n\ndata\n\ndata:{}\n\nevent: Nudge\ndata: \"\"\n\n"),
        Reply::Torrent("x"),
        Reply::Torrent(": a comment\n"),
        Reply::Torrent("data: x\n"),
        Reply::Torrent("event: Nudge\ndata: {\"Session\": \"somebody else\"}\n\n"),
    ] {
        does_no_harm(reply).await;
    }
}

#[tokio::test]
async fn a_flood_of_nudges_does_not_flood_the_endpoint() {
    let endpoint = Endpoint::native().await;
    let (adapter, _data) = primary(&endpoint, "00:01:00").await;
    until("it listens", async || endpoint.streams() == 1).await;
    let begun = clock::now().uptime;
    let before = endpoint.calls(Call::Heartbeat).len();
    // Slower than what ends a stream, faster than any heartbeat.
    until("some seconds passed", async || {
        endpoint.tell("event: Nudge\ndata: {}\n\n");
        clock::now().uptime.since(begun) >= Duration::from_secs(3)
    })
    .await;
    let (sent, seconds) =
        (endpoint.calls(Call::Heartbeat).len() - before, clock::now().uptime.since(begun).as_secs_f64());
    assert!(sent as f64 <= 40.0 + 20.0 * seconds + 2.0, "{sent} in {seconds} s");
    assert!(sent >= 40, "they are obeyed: {sent}");
    assert_eq!(adapter.role().await, "Primary");
}

#[tokio::test]
async fn a_nudge_brings_a_heartbeat_at_once_whatever_t_is() {
    let endpoint = Endpoint::native().await;
    endpoint.answer_role(0);
    let data = tempfile::tempdir().unwrap();
    let adapter = Server::serve(data.path(), &[]);
    adapter.configure(&configuration(&endpoint.base(), "g", "01:00:00")).await;
    until("it listens", async || endpoint.streams() == 1).await;
    let session = adapter.diagnostics().await["SessionId"].as_str().unwrap().to_owned();
    for nudge in [
        format!("event: Nudge\r\ndata: {{\"Session\": \"{session}\"}}\r\n\r\n"),
        "event:Nudge\ndata:{}\n\n".to_owned(),
    ] {
        let before = endpoint.calls(Call::Heartbeat).len();
        endpoint.tell(&nudge);
        until("it asks", async || endpoint.calls(Call::Heartbeat).len() > before).await;
    }
    endpoint.answer_role(1);
    endpoint.tell("event: Nudge\ndata: {}\n\n");
    adapter.until_role("Primary").await;
}

#[tokio::test]
async fn a_token_that_a_stream_is_refused_with_is_renewed() {
    let endpoint = Endpoint::native().await;
    endpoint.answer_once(Call::Events, Reply::error(401, "The token is not active."));
    let data = tempfile::tempdir().unwrap();
    let adapter = Server::serve(data.path(), &[]);
    let mut configuration = configuration(&endpoint.base(), "g", "00:01:00");
    configuration["ClientId"] = json!("me");
    configuration["ClientSecret"] = json!("a secret");
    configuration["TokenEndpoint"] = json!(format!("{}/token", endpoint.origin()));
    adapter.configure(&configuration).await;
    until("it listens", async || endpoint.streams() == 1).await;
    assert_eq!(endpoint.calls(Call::Token).len(), 2);
    for request in endpoint.calls(Call::Events) {
        assert_eq!(request.header("authorization"), "Bearer a-token");
        assert_eq!(request.header("accept"), "text/event-stream");
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_membership_and_begins_with_it() {
    let endpoint = Endpoint::native().await;
    let (mut adapter, _data) = primary(&endpoint, "00:01:00").await;
    until("it listens", async || endpoint.streams() == 1).await;
    // Mode None leaves the group.
    adapter.change(&json!({"Mode": "None"})).await;
    until("it listens no more", async || endpoint.streams() == 0).await;
    adapter.change(&json!({"Mode": "Hot", "FailoverGroupId": "h"})).await;
    until("it listens again", async || endpoint.streams() == 1).await;
    let paths: Vec<String> = endpoint.calls(Call::Events).into_iter().map(|request| request.path).collect();
    assert!(paths[0].ends_with("/groups/g/events") && paths[1].ends_with("/groups/h/events"), "{paths:?}");
    assert!(adapter.terminate().success());
    until("the stream ended", async || endpoint.streams() == 0).await;
}

#[tokio::test]
async fn a_stream_that_broke_is_opened_again() {
    let mut endpoint = Endpoint::native().await;
    let (adapter, _data) = primary(&endpoint, "00:00:04").await;
    until("it listens", async || endpoint.streams() == 1).await;
    endpoint.go_away().await;
    adapter.until_error("could not be reached").await;
    endpoint.come_back();
    until("it listens again", async || endpoint.streams() == 1).await;
    // And again after a 404 in between.
    endpoint.answer_once(Call::Events, Reply::error(404, "Later."));
    endpoint.go_away().await;
    endpoint.come_back();
    until("it listens again", async || endpoint.streams() == 1).await;
}
