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

#[tokio::test]
async fn the_receipt_of_a_hand_over_counts_what_both_gates_saw() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let endpoint = Server::endpoint(folders[0].path(), &[]);
    let base = format!("{}/api/v1/clientfailover", endpoint.url);
    let (a, b) = (Server::serve(folders[1].path(), &[]), Server::serve(folders[2].path(), &[]));
    let sink = Sink::start().await;
    for server in [&a, &b] {
        configure(server, &json!({ "Id": "d", "Endpoint": sink.origin() })).await;
        server.configure(&support::configuration(&base, "G", "00:00:02")).await;
        if server.url == a.url {
            a.until_role("Primary").await;
        }
    }
    b.until_history("Registered", "RegistrationAccepted").await;
    let post = async |server: &Server| server.send(Method::POST, "/egress/d/data", Some("1")).await.status;
    assert_eq!(post(&a).await, StatusCode::OK);
    // Its account is complete: nothing waits, and something was delivered. Then it goes on.
    a.until_diagnostics("LastDataProcessedTime", |at| !at.is_null()).await;
    let settled = crate::lane(&a).await["SettledUntil"].clone();
    assert_eq!(post(&a).await, StatusCode::OK);
    until("the second is settled", async || crate::lane(&a).await["SettledUntil"] != settled).await;
    let second: Timestamp = crate::lane(&a).await["SettledUntil"].as_str().unwrap().parse().unwrap();
    for _ in 0..5 {
        assert_eq!(post(&b).await, StatusCode::NO_CONTENT);
    }

    let session = b.diagnostics().await["SessionId"].as_str().unwrap().to_owned();
    let forced = format!("/api/v1/clientfailover/groups/G/clientsessions/{session}/roleoverride");
    let forced = endpoint.send(Method::POST, &forced, Some(r#"{"Value": "Primary"}"#)).await;
    assert_eq!(forced.status, StatusCode::OK, "{}", forced.body);

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
