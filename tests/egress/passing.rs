//! As Primary, or alone, the gate passes on what it is sent, byte for byte.

use std::time::Duration;

use client_failover::clock;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    EGRESS, Site, configure, lane,
    sink::{self, Sink, raw},
    support::{Server, until},
};

/// An adapter that is no member of a group, with one destination.
async fn alone() -> (tempfile::TempDir, Server, Sink) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let sink = Sink::start().await;
    configure(&server, &json!({ "Id": "d", "Endpoint": format!("{}/base", sink.origin()) })).await;
    // Until the registration has begun nobody is permitted to send.
    until("it may send", async || server.get("/api/v1/diagnostics/Order").await.json()["Egress"] == true)
        .await;
    (folder, server, sink)
}

#[tokio::test]
async fn method_path_query_headers_and_body_pass_unchanged_and_the_answer_comes_back() {
    let (_folder, server, sink) = alone().await;
    sink.answer(sink::Answer::With(
        202,
        "x-said: one\r\nx-said: two\r\nconnection: x-gone\r\nx-gone: 1\r\n",
        "taken",
    ));
    let body = b"\x00\xff\r\n\r\n";
    let request = [
        b"REPORT /eGrEsS/d/a/../b%2Fc//d/%2e%2e/e?x=%20&y=/../z HTTP/1.1\r\nhost: localhost\r\nx-Mine: a\r\nx-mine: b\r\n\
          content-type: application/x-own\r\ncontent-length: 6\r\nconnection: close\r\n\r\n"
            .as_slice(),
        body,
    ]
    .concat();
    let answer = raw(server.address(), &request).await.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 202 "), "{answer}");
    assert!(answer.contains("x-said: one\r\n") && answer.contains("x-said: two\r\n"), "{answer}");
    assert!(!answer.contains("x-gone"), "{answer}");
    assert!(answer.ends_with("\r\n\r\ntaken"), "{answer}");

    let seen = sink.until_seen(1).await;
    assert_eq!(seen[0].line, "REPORT /base/a/../b%2Fc//d/%2e%2e/e?x=%20&y=/../z HTTP/1.1");
    assert_eq!(seen[0].body, body);
    assert_eq!(seen[0].header("x-mine"), ["a", "b"]);
    assert_eq!(seen[0].header("content-type"), ["application/x-own"]);
    assert_eq!(seen[0].header("host"), [sink.origin().trim_start_matches("http://")]);
}

#[tokio::test]
async fn login_and_connection_of_the_collector_end_at_the_gate() {
    let (_folder, server, sink) = alone().await;
    let request = "POST /egress/d/x HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic eDp5\r\ncookie: a=b\r\n\
                   connection: close, x-private\r\nx-private: 1\r\nkeep-alive: timeout=5\r\nte: trailers\r\n\
                   proxy-authorization: Basic eDp5\r\nx-failover-epoch: 99\r\nx-failover-session: me\r\n\
                   content-length: 2\r\n\r\nhi";
    raw(server.address(), request.as_bytes()).await;
    let seen = sink.until_seen(1).await;
    for name in [
        "authorization",
        "cookie",
        "x-private",
        "keep-alive",
        "te",
        "proxy-authorization",
        "x-failover-epoch",
        "x-failover-session",
    ] {
        assert_eq!(seen[0].header(name), [""; 0], "{name}");
    }
    assert_eq!(seen[0].text(), "hi");
}

#[tokio::test]
async fn the_gates_own_login_goes_to_the_destination() {
    let (_folder, server, sink) = alone().await;
    let endpoint = sink.origin();
    configure(&server, &json!({ "Id": "d", "Endpoint": endpoint, "UserName": "u", "Password": "p" })).await;
    until("the login is the new one", async || {
        assert_eq!(server.send(Method::POST, "/egress/d/x", Some("{}")).await.status, StatusCode::OK);
        sink.seen().last().unwrap().header("authorization") == ["Basic dTpw"]
    })
    .await;
}

#[tokio::test]
async fn no_path_leads_to_another_server() {
    let (_folder, server, sink) = alone().await;
    for (path, arrived) in [
        ("//evil.example/x", "/base//evil.example/x"),
        ("/@evil.example/x", "/base/@evil.example/x"),
        ("/http://evil.example/", "/base/http://evil.example/"),
        ("/../../x", "/base/../../x"),
        ("", "/base"),
        ("?q", "/base?q"),
    ] {
        let request = format!("PUT /egress/d{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let answer = raw(server.address(), request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(sink.seen().last().unwrap().line, format!("PUT {arrived} HTTP/1.1"));
    }
}

#[tokio::test]
async fn redirects_are_not_followed_and_unknown_destinations_are_refused() {
    let (_folder, server, sink) = alone().await;
    sink.answer(sink::Answer::With(307, "location: /elsewhere\r\n", ""));
    let request = b"GET /egress/d/x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = raw(server.address(), request).await;
    assert!(answer.starts_with("HTTP/1.1 307 ") && answer.contains("location: /elsewhere\r\n"), "{answer}");
    assert_eq!(sink.seen().len(), 1);
    let answer = server.send(Method::POST, "/egress/D/x", Some("{}")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.body.contains("Ids compare exactly"), "{}", answer.body);
}

#[tokio::test]
async fn each_request_says_under_which_epoch_and_by_whom_it_is_sent() {
    let site = Site::start("Hot", json!({})).await;
    site.promote().await;
    // What came before the gate had heard of the promotion was kept, and is sent now.
    until("it passes on", async || site.post("1").await.status == StatusCode::OK).await;
    let seen = site.sink.seen();
    let shown = site.server.diagnostics().await;
    assert_eq!(seen[0].header("x-failover-session"), [shown["SessionId"].as_str().unwrap()]);
    let epoch = shown["Epoch"].as_u64().map(|epoch| epoch.to_string());
    assert_eq!(seen[0].header("x-failover-epoch"), epoch.as_deref().into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_demotion_aborts_what_is_under_way_and_a_hot_secondary_keeps_it() {
    let site = Site::start("Hot", json!({})).await;
    site.promote().await;
    site.sink.answer(sink::Answer::Never);
    let sending = async { site.post("1").await.status };
    let demoting = async {
        site.sink.until_seen(1).await;
        site.demote().await;
        until("the connection is gone", async || site.sink.broken() == 1).await;
    };
    let (status, ()) = tokio::join!(sending, demoting);
    assert_eq!(status, StatusCode::NO_CONTENT, "it is kept");
    site.until_lane("Waiting", json!(1)).await;

    site.sink.answer(sink::Answer::With(200, "", ""));
    site.promote().await;
    site.sink.until_seen(2).await;
    assert_eq!(site.sink.bodies(), ["1", "1"]);
}

#[tokio::test]
async fn a_demotion_aborts_also_what_goes_on_for_a_collector_that_hung_up() {
    let site = Site::start("Hot", json!({})).await;
    site.promote().await;
    site.sink.answer(sink::Answer::Never);
    let mut collector = TcpStream::connect(site.server.address()).await.unwrap();
    let request = "POST /egress/d/data HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n1";
    collector.write_all(request.as_bytes()).await.unwrap();
    site.sink.until_seen(1).await;
    let connections = async || {
        let told = site.server.get("/metrics").await.body;
        let line = told.lines().find_map(|line| line.strip_prefix("client_failover_http_connections "));
        line.unwrap().parse::<f64>().unwrap()
    };
    let before = connections().await;
    drop(collector);
    until("the gate has heard of it", async || connections().await < before).await;
    site.demote().await;
    until("the connection is cut", async || site.sink.broken() == 1).await;
    site.until_lane("Waiting", json!(1)).await;
}

#[tokio::test]
async fn past_the_lease_nothing_is_sent_although_nobody_says_so() {
    let site = Site::start("Warm", json!({})).await;
    site.server.change(&json!({ "FailoverTimeout": "00:00:02" })).await;
    site.promote().await;
    site.sink.answer(sink::Answer::Never);
    let sending = async { site.post("1").await.status };
    let freezing = async {
        site.sink.until_seen(1).await;
        site.server.signal(rustix::process::Signal::STOP);
        let over = clock::now().uptime + Duration::from_secs(3);
        until("the lease is over", async || clock::now().uptime >= over).await;
        site.endpoint.answer_role("Secondary");
        site.server.signal(rustix::process::Signal::CONT);
    };
    let (status, ()) = tokio::join!(sending, freezing);
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "a Warm standby keeps nothing");
    assert_eq!(site.sink.seen().len(), 1);
}

#[tokio::test]
async fn who_only_asks_passes_in_every_role_and_is_never_kept() {
    let site = Site::start("Cold", json!({ "ReadOnlyMethods": ["GET", "QUERY"] })).await;
    assert_eq!(site.server.send(Method::GET, "/egress/d/x", None).await.body, "well");
    let query = Method::from_bytes(b"QUERY").unwrap();
    assert_eq!(site.server.send(query, "/egress/d/x", Some("q")).await.status, StatusCode::OK);
    assert_eq!(
        site.server.send(Method::HEAD, "/egress/d/x", None).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(site.sink.seen().len(), 2);
    let mut site = site;
    site.sink.go_away().await;
    let answer = site.server.send(Method::GET, "/egress/d/x", None).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{}", answer.body);
    assert_eq!(lane(&site.server).await["Waiting"], json!(0));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_in_every_role() {
    let site = Site::start("Hot", json!({ "MaxRequestSizeMB": 1 })).await;
    let large = "x".repeat(1024 * 1024 + 1);
    assert_eq!(site.post(&large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(site.post(&large[1..]).await.status, StatusCode::NO_CONTENT);
    site.promote().await;
    assert_eq!(site.post(&large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(site.server.get(EGRESS).await.json()[0]["Dropped"], json!(0));
}

#[tokio::test]
async fn a_long_answer_is_streamed_whole_and_an_answer_to_head_keeps_its_length() {
    let (_folder, server, sink) = alone().await;
    let long: &'static str = Box::leak("0123456789".repeat(100_000).into_boxed_str());
    sink.answer(sink::Answer::With(200, "", long));
    for _ in 0..3 {
        let answer = server.send(Method::GET, "/egress/d/x", None).await;
        assert!(answer.body == long, "{} bytes", answer.body.len());
    }
    let answer = server.send(Method::HEAD, "/egress/d/x", None).await;
    assert_eq!(answer.headers["content-length"], "1000000");
}

#[tokio::test]
async fn a_connection_that_the_destination_closed_costs_no_request() {
    let (_folder, server, mut sink) = alone().await;
    for number in 0..5 {
        let answer = server.send(Method::POST, "/egress/d/x", Some(&number.to_string())).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "well"));
        sink.go_away().await;
        sink.come_back();
    }
    assert_eq!(sink.bodies(), ["0", "1", "2", "3", "4"]);
}
