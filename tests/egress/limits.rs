//! What the gate does when something is at its limit, or not as it should be.

use std::{fs, process::Command, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    Site, configure, lane,
    sink::{Answer, Sink, raw},
    support::{self, Server, until},
};

#[tokio::test]
async fn what_came_together_is_sent_some_at_a_time_and_no_more() {
    let site = Site::with("Hot", json!({}), &[("DRAIN_CONCURRENCY", "4")]).await;
    const REQUESTS: usize = 200;
    let mut posts = JoinSet::new();
    let (client, url) = (support::client(), format!("{}/egress/d/data", site.server.url));
    for number in 0..REQUESTS {
        let post = client.post(&url).body(number.to_string());
        posts.spawn(async move { post.send().await.unwrap().status() });
    }
    while let Some(status) = posts.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::NO_CONTENT);
    }
    site.sink.answer(Answer::Slowly(Duration::from_millis(5)));
    site.promote().await;
    site.until_lane("Acknowledged", json!(REQUESTS)).await;
    assert_eq!(site.sink.seen().len(), REQUESTS, "each was sent once");
    let most = site.sink.most_at_once();
    assert!((2..=4).contains(&most), "{most} at a time");
}

#[tokio::test]
async fn a_destination_that_puts_one_off_is_asked_for_that_one_alone() {
    let site = Site::start("Hot", json!({})).await;
    for number in 0..3 {
        assert_eq!(site.post(&number.to_string()).await.status, StatusCode::NO_CONTENT);
    }
    site.sink.answer(Answer::With(503, "retry-after: 0\r\n", ""));
    site.promote().await;
    site.sink.until_seen(3).await;
    assert!(site.sink.bodies().iter().all(|body| body == "0"), "{:?}", site.sink.bodies());
    site.sink.answer(Answer::With(200, "", ""));
    site.until_lane("Waiting", json!(0)).await;
    let bodies = site.sink.bodies();
    assert_eq!(bodies[bodies.len() - 3..], ["0", "1", "2"]);
}

/// A connection that says a body of so many bytes and has sent so many of them.
pub(crate) async fn half_sent(site: &Site, said: usize, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(site.server.address()).await.unwrap();
    let head = "POST /egress/d/data HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue";
    stream.write_all(format!("{head}\r\ncontent-length: {said}\r\n\r\n").as_bytes()).await.unwrap();
    // The gate asks for the body when it begins to read it.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all("x".repeat(sent).as_bytes()).await.unwrap();
    stream
}

/// What a request of so many bytes is answered, on a connection of its own: one whose body was not read is closed.
async fn post_large(site: &Site, length: usize) -> StatusCode {
    let url = format!("{}/egress/d/data", site.server.url);
    support::client().post(&url).body("x".repeat(length)).send().await.unwrap().status()
}

#[tokio::test]
async fn bodies_take_no_more_memory_than_they_may() {
    let site = Site::with("Hot", json!({}), &[("MEMORY_MB", "1")]).await;
    let mut large = half_sent(&site, 900_001, 900_000).await;
    until("what came takes its memory", async || {
        if post_large(&site, 200_000).await == StatusCode::SERVICE_UNAVAILABLE {
            return true;
        }
        // It was read first; then the large one may have found too little left, and is answered that.
        if large.try_read(&mut [0]).is_ok() {
            large = half_sent(&site, 900_001, 900_000).await;
        }
        false
    })
    .await;
    assert!(lane(&site.server).await["Overloaded"].as_u64().unwrap() >= 1);
    site.server.until_history("Egress", "GateOverloaded").await;
    drop(large);
    until("the memory is given back", async || post_large(&site, 200_000).await == StatusCode::NO_CONTENT)
        .await;
}

#[tokio::test]
async fn a_body_that_is_only_announced_takes_nothing_from_others() {
    let site = Site::with("Hot", json!({}), &[("MEMORY_MB", "1")]).await;
    let mut announced = Vec::new();
    for _ in 0..4 {
        announced.push(half_sent(&site, 1_000_000, 1).await);
    }
    assert_eq!(post_large(&site, 900_000).await, StatusCode::NO_CONTENT);
    assert_eq!(lane(&site.server).await["Overloaded"], json!(0));
}

#[tokio::test]
async fn who_is_refused_before_his_body_was_read_hears_that_the_connection_ends() {
    let site = Site::start("Warm", json!({ "MaxRequestSizeMB": 1 })).await;
    let post = |length: usize| {
        format!("POST /egress/d/data HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n")
    };
    let answer = raw(site.server.address(), post(1_000_000).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    // A body that has come is read, and the connection goes on.
    let two = format!("{}small{}", post(5), post(1_000_000));
    let answers = raw(site.server.address(), two.as_bytes()).await;
    let (first, second) = answers.split_once("}HTTP/1.1 503 ").unwrap_or_else(|| panic!("{answers}"));
    assert!(!first.contains("connection: close") && second.contains("connection: close"), "{answers}");

    site.promote().await;
    let answer = raw(site.server.address(), post(2_000_000).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn a_damaged_buffer_is_put_aside_and_collecting_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::start().await;
    let mut server = Server::serve(folder.path(), &[]);
    configure(&server, &json!({ "Id": "d", "Endpoint": sink.origin() })).await;
    server.terminate();
    let buffer = folder.path().join("egress.db");
    fs::write(&buffer, "this is no database").unwrap();

    let server = Server::serve(folder.path(), &[]);
    let row = server.until_history("Egress", "BufferDamaged").await;
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let aside =
        names.iter().filter_map(|name| name.to_str()).find(|name| name.starts_with("egress-damaged-"));
    let aside = aside.unwrap_or_else(|| panic!("{names:?}"));
    assert!(row["Explanation"].as_str().unwrap().contains(aside), "{row}");
    assert_eq!(fs::read_to_string(folder.path().join(aside)).unwrap(), "this is no database");
    let shown = server.until_diagnostics("Warnings", |warnings| !warnings[0].is_null()).await;
    assert!(shown["Warnings"].to_string().contains(aside), "{shown}");
    until("it passes on", async || {
        server.send(Method::POST, "/egress/d/data", Some("1")).await.status == StatusCode::OK
    })
    .await;
}

#[tokio::test]
async fn a_refusal_of_the_gates_login_is_none_of_the_collectors() {
    let site = Site::start("Hot", json!({ "MaxBufferSizeMB": 1, "MaxRequestSizeMB": 1 })).await;
    site.promote().await;
    site.sink.answer(Answer::With(401, "www-authenticate: Basic\r\n", "who?"));
    let asked = site.server.send(Method::GET, "/egress/d/x", None).await;
    assert_eq!(asked.status, StatusCode::BAD_GATEWAY, "{}", asked.body);
    assert!(!asked.headers.contains_key("www-authenticate"));
    assert!(asked.body.contains("login") && !asked.body.contains("who?"), "{}", asked.body);
}

#[tokio::test]
async fn a_destination_that_is_down_costs_the_score_that_is_set_for_it() {
    let mut site = Site::with("Warm", json!({}), &[("SCORE_WHEN_DOWN", "40")]).await;
    site.promote().await;
    let score =
        async |site: &Site| site.endpoint.heartbeats().last().and_then(|beat| beat["FailoverScore"].as_u64());
    until("it scores all", async || score(&site).await == Some(100)).await;
    site.sink.go_away().await;
    assert_eq!(site.post("1").await.status, StatusCode::NO_CONTENT);
    until("it scores less", async || score(&site).await == Some(40)).await;
    site.sink.come_back();
    until("it scores all again", async || score(&site).await == Some(100)).await;
    site.sink.go_away().await;
    assert_eq!(site.post("2").await.status, StatusCode::NO_CONTENT);
    until("it scores less", async || score(&site).await == Some(40)).await;
    site.demote().await;
    until("a standby knows nothing of it", async || score(&site).await == Some(1)).await;
}

#[tokio::test]
async fn an_outage_ends_for_who_sends_nothing_any_more() {
    let mut site = Site::start("Warm", json!({})).await;
    site.promote().await;
    site.sink.go_away().await;
    assert_eq!(site.post("1").await.status, StatusCode::NO_CONTENT);
    site.server.until_history("Egress", "DestinationFailed").await;
    assert!(lane(&site.server).await["Outage"].is_string());
    site.demote().await;
    site.until_lane("Outage", json!(null)).await;
    let row = site.server.until_history("Egress", "DestinationRestored").await;
    let said = row["Explanation"].as_str().unwrap();
    assert!(said.contains("is not known any more") && said.contains("1 wait"), "{said}");
    let warnings = site.server.diagnostics().await["Warnings"].to_string();
    assert!(!warnings.contains("settles nothing"), "{warnings}");
    let told = site.server.get("/metrics").await.body;
    assert!(told.contains("client_failover_egress_up{destination=\"d\"} 1"), "{told}");
}

#[tokio::test]
async fn a_destination_that_was_configured_anew_keeps_no_connection_of_before() {
    let site = Site::start("Hot", json!({})).await;
    site.promote().await;
    assert_eq!(site.post("1").await.status, StatusCode::OK);
    // What was configured is held by a request that began under it.
    let slow = half_sent(&site, 1_000, 10).await;
    assert_eq!(site.sink.open(), 1);
    let change = json!({ "Id": "d", "MaxBufferSizeMB": 77 });
    let answer = site
        .server
        .send(Method::PATCH, &format!("{}/d", crate::DESTINATIONS), Some(&change.to_string()))
        .await;
    assert!(answer.status.is_success(), "{}", answer.body);
    until("the connection is closed", async || site.sink.open() == 0).await;
    drop(slow);
}

/// A collector that hands in what it still has when it is asked to stop.
const POLITE: &str = r#"
last() {
    address=${CLIENT_FAILOVER_URL#http://}
    exec 3<>"/dev/tcp/${address%:*}/${address##*:}"
    printf 'POST /egress/d/data HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 4\r\n\r\nlast' >&3
    cat <&3
    exit 0
}
trap last TERM
echo "ready as $CLIENT_FAILOVER_ROLE"
while :; do sleep 0.05; done
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_stopped_may_hand_in_what_it_still_has() {
    let (folder, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let mut command = Command::new(support::PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
    command.env("CLIENT_FAILOVER_COLLECTOR_COMMAND", json!(["bash", "-c", POLITE]).to_string());
    let mut server = Server::from_command(command, folder.path());
    let endpoint = support::scripted::Endpoint::native().await;
    endpoint.answer_role("Primary");
    configure(&server, &json!({ "Id": "d", "Endpoint": sink.origin() })).await;
    server
        .configure(&json!({
            "FailoverGroupId": "G", "Mode": "Cold", "Endpoint": endpoint.base(), "FailoverTimeout": "00:00:10",
        }))
        .await;
    server.until_role("Primary").await;
    let shown = server.until_diagnostics("AdapterState", |state| state == "Running").await;
    assert!(shown["Warnings"].as_array().unwrap().is_empty(), "Cold is stopped in any case: {shown}");
    until("the collector is ready", async || server.log().contains("ready as Primary")).await;

    // The run before it, which was told to stop when the adapter registered, may have handed in its own.
    let before = sink.bodies().len();
    server.terminate();
    let log = server.log();
    assert_eq!(sink.bodies()[before..], ["last"], "{log}");
    assert!(log.contains("HTTP/1.1 200"), "{log}");
}

#[tokio::test]
async fn a_collector_that_is_restarted_beside_a_gate_that_obeys_for_it_is_warned_about() {
    for (mode, is_warned) in [("Warm", true), ("Cold", false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(support::PROGRAM);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
        command.env("CLIENT_FAILOVER_COLLECTOR_COMMAND", r#"["sleep", "1000"]"#);
        let server = Server::from_command(command, folder.path());
        let endpoint = support::scripted::Endpoint::native().await;
        endpoint.answer_role("Secondary");
        configure(&server, &json!({ "Id": "d", "Endpoint": "http://127.0.0.1:9" })).await;
        server.configure(&support::configuration(&endpoint.base(), "G", "00:00:10")).await;
        server.change(&json!({ "Mode": mode })).await;
        server.until_diagnostics("AppliedMode", |applied| applied == mode).await;
        until("the gate has looked", async || {
            let warnings = server.diagnostics().await["Warnings"].to_string();
            warnings.contains("on_order") == is_warned
        })
        .await;
    }
}
