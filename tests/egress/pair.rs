//! Two adapters, one endpoint, one destination: whatever dies, each moment of the source arrives.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reqwest::{Client, Method, StatusCode};
use serde_json::json;

use crate::{
    configure,
    sink::Sink,
    support::{self, Server, until},
};

/// A collector's machine: hands a moment of the source to its gate, again until it is taken. `None` once it is dead.
async fn hand_in(client: &Client, gate: &str, moment: u32) -> Option<()> {
    let (mut taken, mut dead) = (false, false);
    until(&format!("moment {moment} is taken"), async || {
        match client.post(format!("{gate}/egress/d/data")).body(moment.to_string()).send().await {
            Ok(answer) => taken = answer.status().is_success(),
            Err(_) => dead = true,
        }
        taken || dead
    })
    .await;
    taken.then_some(())
}

#[tokio::test]
async fn a_killed_primary_of_a_hot_pair_loses_nothing() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let endpoint = Server::endpoint(folders[0].path(), &[]);
    let base = format!("{}/api/v1/clientfailover", endpoint.url);
    let (mut a, b) = (Server::serve(folders[1].path(), &[]), Server::serve(folders[2].path(), &[]));
    let sink = Sink::start().await;
    for server in [&a, &b] {
        configure(server, &json!({ "Id": "d", "Endpoint": sink.origin() })).await;
        server.configure(&support::configuration(&base, "G", "00:00:01")).await;
        if server.url == a.url {
            a.until_role("Primary").await;
        }
    }
    b.until_history("Registered", "RegistrationAccepted").await;

    // The source goes on when both have handed in its last moment, or the one that lives.
    const KILL_AT: u32 = 100;
    let (client, gates) = (support::client(), [a.url.clone(), b.url.clone()]);
    let mut moments = 0;
    let mut after = 0;
    while after < 50 {
        let [first, second] = [0, 1].map(|gate| hand_in(&client, &gates[gate], moments));
        let kill = async {
            if moments == KILL_AT {
                // With a request under way.
                a.kill();
            }
        };
        let (first, second, ()) = tokio::join!(first, second, kill);
        assert_eq!((first.is_some() || moments >= KILL_AT, second), (true, Some(())), "moment {moments}");
        moments += 1;
        if first.is_none() && (after > 0 || b.role().await == "Primary") {
            after += 1;
        }
    }
    until("all that waited is sent", async || crate::lane(&b).await["Waiting"] == 0).await;

    let arrived: BTreeSet<u32> = sink.bodies().iter().map(|body| body.parse().unwrap()).collect();
    let missing: Vec<_> = (0..moments).filter(|moment| !arrived.contains(moment)).collect();
    assert_eq!(missing, [0; 0], "every moment of the source has arrived");
    // The one that took over sent all of its own, in order.
    let last = sink
        .seen()
        .iter()
        .rev()
        .take(10)
        .map(|seen| seen.header("x-failover-epoch")[0].to_owned())
        .collect::<BTreeSet<_>>();
    assert_eq!(last.len(), 1);
    assert_eq!(b.send(Method::POST, "/egress/d/data", Some("last")).await.status, StatusCode::OK);
}

/// Two adapters in a group, of which the first is Primary, with one destination.
struct Two {
    endpoint: Server,
    a: Server,
    b: Server,
    _sink: Sink,
    _folders: [tempfile::TempDir; 3],
}

impl Two {
    /// With buffers of so many MiB.
    async fn start(buffer_mb: u32) -> Self {
        let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let endpoint = Server::endpoint(folders[0].path(), &[]);
        let base = format!("{}/api/v1/clientfailover", endpoint.url);
        let (a, b) = (Server::serve(folders[1].path(), &[]), Server::serve(folders[2].path(), &[]));
        let sink = Sink::start().await;
        let sizes = json!({ "MaxBufferSizeMB": buffer_mb, "MaxRequestSizeMB": 1 });
        for server in [&a, &b] {
            let mut destination = json!({ "Id": "d", "Endpoint": sink.origin() });
            destination.as_object_mut().unwrap().extend(sizes.as_object().unwrap().clone());
            configure(server, &destination).await;
            server.configure(&support::configuration(&base, "G", "00:00:02")).await;
            if server.url == a.url {
                a.until_role("Primary").await;
            }
        }
        b.until_history("Registered", "RegistrationAccepted").await;
        Self { endpoint, a, b, _sink: sink, _folders: folders }
    }
}

/// An operator makes `server` Primary.
async fn force(endpoint: &Server, server: &Server) {
    let session = server.diagnostics().await["SessionId"].as_str().unwrap().to_owned();
    let forced = format!("/api/v1/clientfailover/groups/G/clientsessions/{session}/roleoverride");
    let forced = endpoint.send(Method::POST, &forced, Some(r#"{"Value": "Primary"}"#)).await;
    assert_eq!(forced.status, StatusCode::OK, "{}", forced.body);
}

#[tokio::test]
async fn the_receipt_of_a_hand_over_counts_what_both_gates_saw() {
    let Two { endpoint, a, b, .. } = &Two::start(16).await;
    let post = async |server: &Server| server.send(Method::POST, "/egress/d/data", Some("1")).await.status;
    assert_eq!(post(a).await, StatusCode::OK);
    // Its account is complete: nothing waits, and something was delivered. Then it goes on.
    a.until_diagnostics("LastDataProcessedTime", |at| !at.is_null()).await;
    let settled = crate::lane(a).await["SettledUntil"].clone();
    assert_eq!(post(a).await, StatusCode::OK);
    until("the second is settled", async || crate::lane(a).await["SettledUntil"] != settled).await;
    let second: Timestamp = crate::lane(a).await["SettledUntil"].as_str().unwrap().parse().unwrap();
    for _ in 0..5 {
        assert_eq!(post(b).await, StatusCode::NO_CONTENT);
    }

    force(endpoint, b).await;

    let row = b.until_history("HandOver", "Delivered").await;
    let said = row["Explanation"].as_str().unwrap();
    assert!(said.contains("after that of") && said.contains("delivered last"), "{row}");
    assert!(said.ends_with("sent again from the buffer: 5, dropped for space before: 0"), "{row}");
    assert!(row["GapMilliseconds"].as_f64() > Some(0.0), "{row}");
    let taken = b.until_diagnostics("HandOver", |shown| shown["Resent"] == 5).await["HandOver"].clone();
    assert_eq!(taken["Dropped"], 0);
    assert!(taken["LastDelivered"].is_string() && taken["FirstDelivered"].is_string(), "{taken}");
    let given = a.until_diagnostics("HandOver", |shown| !shown.is_null()).await["HandOver"].clone();
    let last: Timestamp = given["LastDelivered"].as_str().unwrap().parse().unwrap();
    assert!(last >= second, "the last, and not the first: {given}, {second}");
    assert_eq!(
        (&given["FirstDelivered"], &given["Resent"]),
        (&json!(null), &json!(null)),
        "the other has counted"
    );
    let history = endpoint.get("/api/v1/clientfailover/groups/G/history?kind=HandOver").await.json();
    assert!(history["Items"][0]["HandOver"]["LastDeliveredTime"].is_string(), "{history}");
}

#[tokio::test]
async fn a_gate_that_delivered_nothing_says_so_and_what_follows_is_on_record_too() {
    let Two { endpoint, a, b, .. } = &Two::start(16).await;
    force(endpoint, b).await;
    b.until_diagnostics("Role", |role| role == "Primary").await;
    force(endpoint, a).await;
    let row = b.until_history("HandOver", "Delivered").await;
    assert!(row["Explanation"].as_str().unwrap().starts_with("the gate delivered nothing"), "{row}");
    assert_eq!(row["GapMilliseconds"], json!(null));
    force(endpoint, b).await;
    until("what came after it is written", async || {
        let rows = b.get("/api/v1/diagnostics/FailoverHistory?kind=Role&limit=1").await.json();
        rows["Items"][0]["Role"] == "Primary"
    })
    .await;
}

#[tokio::test]
async fn the_receipt_tells_what_the_standby_had_dropped() {
    let Two { endpoint, a, b, .. } = &Two::start(1).await;
    assert_eq!(a.send(Method::POST, "/egress/d/data", Some("1")).await.status, StatusCode::OK);
    let body = "x".repeat(300_000);
    for _ in 0..6 {
        let answer = b.send(Method::POST, "/egress/d/data", Some(&body)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
    }
    let lane = crate::lane(b).await;
    let (dropped, waiting) = (lane["Dropped"].as_u64().unwrap(), lane["Waiting"].as_u64().unwrap());
    assert!(dropped > 0 && waiting > 0 && dropped + waiting == 6, "{lane}");

    force(endpoint, b).await;
    let row = b.until_history("HandOver", "Delivered").await;
    let counts = format!("sent again from the buffer: {waiting}, dropped for space before: {dropped}");
    assert!(row["Explanation"].as_str().unwrap().ends_with(&counts), "{row}");
    let taken = b.until_diagnostics("HandOver", |shown| shown["Resent"] == waiting).await;
    assert_eq!(taken["HandOver"]["Dropped"], dropped);
}
