//! Two adapters, one endpoint, one destination: whatever dies, each moment of the source arrives.

use std::{collections::BTreeSet, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    configure,
    sink::Sink,
    support::{self, Server, until},
};

/// A collector: hands each moment of the source to its gate, again until it is taken. The source can be read by
/// all of them.
async fn collect(gate: String, moments: std::ops::Range<u32>) {
    let client = support::client();
    for moment in moments {
        loop {
            let sent = client.post(format!("{gate}/egress/d/data")).body(moment.to_string()).send().await;
            match sent {
                Ok(answer) if answer.status().is_success() => break,
                // Its machine is dead; its collector is too.
                Err(_) => return,
                Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
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

    const MOMENTS: u32 = 600;
    let mut collectors = JoinSet::new();
    collectors.spawn(collect(a.url.clone(), 0..MOMENTS));
    collectors.spawn(collect(b.url.clone(), 0..MOMENTS));
    until("the first is at work", async || sink.seen().len() > 50).await;
    a.kill();
    b.until_role("Primary").await;
    while collectors.join_next().await.is_some() {}
    until("all that waited is sent", async || crate::lane(&b).await["Waiting"] == 0).await;

    let arrived: BTreeSet<u32> = sink.bodies().iter().map(|body| body.parse().unwrap()).collect();
    let missing: Vec<_> = (0..MOMENTS).filter(|moment| !arrived.contains(moment)).collect();
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
    assert_eq!(b.send(Method::POST, "/egress/d/data", Some("600")).await.status, StatusCode::OK);
}
