//! Gates that send to gates: in a row, and in a circle.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    DESTINATIONS, configure, lane, post,
    sink::Sink,
    support::{Server, until},
};

/// Two adapters that are no members of a group: the destination of the first is the second's gate.
struct Row {
    _folders: [TempDir; 2],
    first: Server,
    second: Server,
}

impl Row {
    /// A row whose second sends to `destination` of both.
    async fn to(destination: impl Fn(&Server) -> String) -> Self {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [first, second] = [0, 1].map(|at: usize| Server::serve(folders[at].path(), &[]));
        configure(&second, &json!({ "Id": "d", "Endpoint": destination(&first) })).await;
        configure(&first, &json!({ "Id": "d", "Endpoint": format!("{}/egress/d", second.url) })).await;
        for server in [&first, &second] {
            until("it may send", async || {
                server.get("/api/v1/diagnostics/Order").await.json()["Egress"] == true
            })
            .await;
        }
        Self { _folders: folders, first, second }
    }
}

#[tokio::test]
async fn what_goes_from_gate_to_gate_arrives_and_says_through_which_it_came() {
    let sink = Sink::start().await;
    let row = Row::to(|_| sink.origin()).await;
    assert_eq!(post(&row.first, "1").await.status, StatusCode::OK);
    let seen = sink.until_seen(1).await;
    assert_eq!((seen[0].text().as_str(), seen[0].header("x-failover-via").len()), ("1", 2));
}

#[tokio::test]
async fn what_goes_in_a_circle_waits_until_the_circle_is_broken() {
    let row = Row::to(|first| format!("{}/egress/d", first.url)).await;
    let asked = row.first.send(Method::GET, "/egress/d/x", None).await;
    assert_eq!(asked.status, StatusCode::LOOP_DETECTED, "{}", asked.body);
    let said = asked.json()["Resolution"].as_str().unwrap().to_owned();
    assert!(said.starts_with("Correct the Endpoint of a data endpoint"), "{said}");

    // The second gate keeps what came back to the first.
    assert_eq!(post(&row.first, "1").await.status, StatusCode::NO_CONTENT);
    let held = lane(&row.second).await;
    assert_eq!(held["Waiting"], 1, "{held}");
    let why = held["Outage"].as_str().unwrap();
    assert!(why.contains("508") && why.contains("its Endpoint leads back"), "{why}");

    let sink = Sink::start().await;
    configure(&row.second, &json!({ "Id": "d", "Endpoint": sink.origin() })).await;
    assert_eq!(sink.until_seen(1).await[0].text(), "1");
    until("nothing waits", async || lane(&row.second).await["Waiting"] == 0).await;
}

#[tokio::test]
async fn an_adapter_is_no_destination_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let own = format!("{}/egress/e", server.url.replace("127.0.0.1", "localhost"));
    let put = async |body: Value| server.send(Method::PUT, DESTINATIONS, Some(&body.to_string())).await;
    let refused = put(json!({ "Id": "d", "Endpoint": own })).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let reason = refused.json()["Reason"].as_str().unwrap().to_owned();
    assert_eq!(reason, format!("Endpoint leads to {}, where this adapter itself listens.", server.address()));
    assert_eq!(
        put(json!({ "Id": "d", "Endpoint": "http://localhost:1/egress/e" })).await.status,
        StatusCode::NO_CONTENT
    );
    let patch = json!({ "Endpoint": own }).to_string();
    let refused = server.send(Method::PATCH, &format!("{DESTINATIONS}/d"), Some(&patch)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}
