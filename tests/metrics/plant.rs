//! A plant that has everything that metrics tell of: an endpoint, two adapters in a group, a destination.

use reqwest::{Client, Method, StatusCode, header};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Server, client, configuration, until};

/// What `/metrics` answers, with what it is called.
pub(crate) struct Scraped {
    /// `Content-Type`.
    pub(crate) kind: String,
    /// The text.
    pub(crate) text: String,
}

impl Scraped {
    /// The value of a sample, if there is one of exactly this name and these labels.
    pub(crate) fn value(&self, sample: &str) -> Option<f64> {
        let found = self.text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        found.map(|value| value.parse().unwrap())
    }

    /// The names of all samples.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let samples = self.text.lines().filter(|line| !line.starts_with('#'));
        samples.map(|line| line.split(['{', ' ']).next().unwrap())
    }
}

/// GET /metrics, as somebody who wants `accept`.
pub(crate) async fn scrape_as(server: &Server, accept: &str) -> Scraped {
    scrape_by(&client(), server, accept).await
}

/// The same, by a client that may trust more.
pub(crate) async fn scrape_by(client: &Client, server: &Server, accept: &str) -> Scraped {
    let request = client.get(format!("{}/metrics", server.url)).header(header::ACCEPT, accept);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    Scraped { kind, text: response.text().await.unwrap() }
}

/// GET /metrics in the classical format.
pub(crate) async fn scrape(server: &Server) -> Scraped {
    scrape_as(server, "text/plain").await
}

/// Waits until a sample of `server` has `value`.
pub(crate) async fn until_sample(server: &Server, sample: &str, value: f64) {
    until(&format!("{sample} is {value}"), async || scrape(server).await.value(sample) == Some(value)).await;
}

/// The group's Id, which has all that labels must escape.
pub(crate) const GROUP: &str = r#"Line "1" \ west"#;

/// The same, as a label has it.
pub(crate) const LABEL: &str = r#"group="Line \"1\" \\ west""#;

/// An endpoint and two adapters, one of which is Primary.
pub(crate) struct Plant {
    _folder: TempDir,
    pub(crate) endpoint: Server,
    /// Registered first, and Primary.
    pub(crate) a: Server,
    pub(crate) b: Server,
}

impl Plant {
    /// Starts all of it. `a` has a destination at which nobody listens, `d`.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = |name: &str| folder.path().join(name);
        let endpoint = Server::endpoint(&data("endpoint"), &[]);
        let (a, b) = (Server::serve(&data("a"), &[]), Server::serve(&data("b"), &[]));
        let base = format!("{}/api/v1/clientfailover", endpoint.url);
        let destination = json!([{ "Id": "d", "Endpoint": "http://127.0.0.1:9/" }]).to_string();
        let destinations = "/api/v1/configuration/Egress/DataEndpoints";
        let answer = a.send(Method::PUT, destinations, Some(&destination)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
        a.configure(&configuration(&base, GROUP, "00:00:02")).await;
        a.until_role("Primary").await;
        b.configure(&configuration(&base, GROUP, "00:00:02")).await;
        b.until_history("Registered", "RegistrationAccepted").await;
        until_sample(&endpoint, &format!("client_failover_group_standby_score{{{LABEL}}}"), 100.0).await;
        Self { _folder: folder, endpoint, a, b }
    }

    /// Sends something to the gate of `a`, where it waits; the adapter then says up to when data is processed.
    pub(crate) async fn send_to_gate(&self) {
        let answer = self.a.send(Method::POST, "/egress/d/data", Some("{}")).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
        let name = "client_failover_adapter_last_data_timestamp_seconds";
        until(name, async || scrape(&self.a).await.value(name).is_some()).await;
    }
}
