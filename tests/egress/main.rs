//! The egress gate as a collector and a destination see it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod buffering;
mod chained;
mod disk;
mod facet;
mod limits;
mod pair;
mod passing;
mod sink;
#[path = "../support/mod.rs"]
mod support;

use std::{path::Path, process::Command};

use client_failover::domain::{ConfigurationId, DestinationKey, HttpUrl};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sink::Sink;
use support::{Answer, Server, scripted, until};
use tempfile::TempDir;

/// The facet of the destinations.
const DESTINATIONS: &str = "/api/v1/configuration/Egress/DataEndpoints";

/// How they do.
const EGRESS: &str = "/api/v1/diagnostics/Egress";

/// An adapter with a gate, its destination, and the endpoint that gives it its role.
struct Site {
    folder: TempDir,
    server: Server,
    sink: Sink,
    endpoint: scripted::Endpoint,
}

impl Site {
    /// An adapter of `mode` whose only destination is `d`, with `members` besides; Secondary until told.
    async fn start(mode: &str, members: Value) -> Self {
        Self::with(mode, members, &[]).await
    }

    /// The same, with settings of the table `[egress]`.
    async fn with(mode: &str, members: Value, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_owned();
        Self::at(folder, &data, mode, members, settings).await
    }

    /// The same, with its data somewhere in `folder`.
    async fn at(folder: TempDir, data: &Path, mode: &str, members: Value, settings: &[(&str, &str)]) -> Self {
        let server = serve(data, settings);
        let (sink, endpoint) = (Sink::start().await, scripted::Endpoint::native().await);
        endpoint.answer_role("Secondary");
        let mut destination = json!({ "Id": "d", "Endpoint": format!("{}/base", sink.origin()) });
        for (member, value) in members.as_object().unwrap() {
            destination[member] = value.clone();
        }
        configure(&server, &destination).await;
        server
            .configure(&json!({
                "FailoverGroupId": "G", "Mode": mode, "Endpoint": endpoint.base(), "FailoverTimeout": "00:00:01",
            }))
            .await;
        server.until_history("Registered", "RegistrationAccepted").await;
        Self { folder, server, sink, endpoint }
    }

    /// Kills it, and starts it anew.
    fn restart(&mut self, settings: &[(&str, &str)]) {
        self.server.kill();
        self.server = serve(self.folder.path(), settings);
    }

    /// Makes it Primary.
    async fn promote(&self) {
        self.endpoint.answer_role("Primary");
        self.server.until_role("Primary").await;
    }

    /// Makes it Secondary.
    async fn demote(&self) {
        self.endpoint.answer_role("Secondary");
        self.server.until_role("Secondary").await;
    }

    /// Answers heartbeats with what the Primary's gate has settled, until two of them were answered so.
    async fn prove(&self, covered_from: &str, oldest_unsettled: &str) {
        self.prove_of("d", covered_from, oldest_unsettled).await;
    }

    /// The same, of the destination `id` at the same address.
    async fn prove_of(&self, id: &str, covered_from: &str, oldest_unsettled: &str) {
        let address = HttpUrl::parse(&format!("{}/base", self.sink.origin())).unwrap();
        let key = DestinationKey::new(&ConfigurationId::new(id).unwrap(), &address);
        let answer = json!({ "Role": 0, "Egress": [{
            "Destination": key.as_str(), "CoveredFromAge": covered_from, "OldestUnsettledAge": oldest_unsettled,
        }] });
        self.endpoint.answer(scripted::Call::Heartbeat, scripted::Reply::Json(200, answer));
        self.endpoint.until_more(scripted::Call::Heartbeat, 3).await;
    }

    /// Sends `body`; gives the answer.
    async fn post(&self, body: &str) -> Answer {
        post(&self.server, body).await
    }

    /// Waits until the only destination's `member` is `value`.
    async fn until_lane(&self, member: &str, value: Value) {
        until(&format!("{member} is {value}"), async || lane(&self.server).await[member] == value).await;
    }
}

/// An adapter, with settings of the table `[egress]`.
fn serve(folder: &Path, settings: &[(&str, &str)]) -> Server {
    let mut command = Command::new(support::PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder);
    for (setting, value) in settings {
        command.env(format!("CLIENT_FAILOVER_EGRESS_{setting}"), value);
    }
    Server::from_command(command, folder)
}

async fn configure(server: &Server, destination: &Value) {
    let answer = server.send(Method::PUT, DESTINATIONS, Some(&destination.to_string())).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
    until("the gate knows its destination", async || {
        server.get(EGRESS).await.json()[0]["Id"] == destination["Id"]
    })
    .await;
}

async fn lane(server: &Server) -> Value {
    server.get(EGRESS).await.json()[0].clone()
}

async fn post(server: &Server, body: &str) -> Answer {
    server.send(Method::POST, "/egress/d/data", Some(body)).await
}
