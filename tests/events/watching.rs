//! The streams for whoever watches: a state at once, when it changes, and every second in any case.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    streams::{CLOUD, ON_PREMISES, Served, Stream},
    support::{FAILOVER, Server, client, configuration},
};

impl Stream {
    /// The next event: its name and data.
    async fn next(&mut self) -> (String, Value) {
        self.until_text("\n\n").await;
        let end = self.text.find("\n\n").unwrap();
        let event: String = self.text.drain(..end + 2).collect();
        let (name, data) = event.trim().split_once('\n').unwrap();
        (name.replace("event: ", ""), serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap())
    }

    /// The next event of this name for which `fits`.
    async fn until_event(&mut self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (found, data) = self.next().await;
            if found == name && fits(&data) {
                return data;
            }
        }
    }

    async fn open(url: &str) -> Self {
        let response = client().get(url).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Self { response, text: String::new() }
    }
}

#[tokio::test]
async fn a_groups_status_is_told_at_once_every_second_and_with_each_change() {
    let served = Served::start().await;
    for base in [ON_PREMISES, CLOUD] {
        served.group(base, "g", "00:01:00").await;
        let mut stream = Stream::open(&format!("{}{base}/groups/g/status/events", served.url)).await;
        for _ in 0..2 {
            let (name, status) = stream.next().await;
            assert_eq!(
                (name.as_str(), &status["Primary"], &status["Members"]),
                ("Status", &Value::Null, &json!([]))
            );
        }
    }
    served.member("g", "a").await;
    let mut stream = Stream::open(&format!("{}{ON_PREMISES}/groups/g/status/events", served.url)).await;
    stream.until_event("Status", |status| status["Members"][0]["HeardAgo"].is_null()).await;
    served.beat("g", "a", 1, false).await;
    let change = stream.until_event("Change", |_| true).await;
    assert_eq!((&change["Kind"], &change["SessionId"]), (&json!("Promoted"), &json!("a")));
    // The state that came of it follows at once.
    let (name, status) = stream.next().await;
    assert_eq!((name.as_str(), &status["Primary"]), ("Status", &json!("a")));
    let unknown =
        client().get(format!("{}{ON_PREMISES}/groups/h/status/events", served.url)).send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn groups_are_told_whole_at_first_and_then_what_differs() {
    let served = Served::start().await;
    for (base, group) in [(ON_PREMISES, "a"), (ON_PREMISES, "b"), (CLOUD, "c")] {
        served.group(base, group, "00:01:00").await;
    }
    let ids = |told: &Value| {
        let changed = told["Changed"].as_array().unwrap().iter().map(|group| group["Id"].clone());
        (Value::from_iter(changed), told["Gone"].clone())
    };
    let mut stream = Stream::open(&format!("{}{ON_PREMISES}/overview/events", served.url)).await;
    assert_eq!(ids(&stream.next().await.1), (json!(["a", "b"]), json!([])));
    served.member("b", "m").await;
    served.beat("b", "m", 1, false).await;
    let told = stream.until_event("Groups", |told| told["Changed"][0]["Heard"] == 1).await;
    assert_eq!(ids(&told), (json!(["b"]), json!([])));
    assert_eq!(told["Changed"][0]["Health"], "OneMember");
    served.delete(&format!("{ON_PREMISES}/groups/a")).await;
    let told = stream.until_event("Groups", |told| told["Gone"] != json!([])).await;
    assert_eq!(ids(&told), (json!([]), json!(["a"])));
    // What does not differ is not told, and the second that passed is.
    assert_eq!(stream.next().await, ("Groups".to_owned(), json!({"Changed": [], "Gone": []})));
}

#[tokio::test]
async fn who_watches_is_let_go_when_the_group_is_deleted_or_the_server_stops() {
    let mut served = Served::start().await;
    served.group(ON_PREMISES, "g", "00:01:00").await;
    served.group(ON_PREMISES, "h", "00:01:00").await;
    let url = |path: &str| format!("{}{ON_PREMISES}/{path}", served.url);
    let (g, h) = (
        Stream::open(&url("groups/g/status/events")).await,
        Stream::open(&url("groups/h/status/events")).await,
    );
    let all = Stream::open(&url("overview/events")).await;
    served.delete(&format!("{ON_PREMISES}/groups/g")).await;
    g.until_end().await;
    served.stop.cancel();
    h.until_end().await;
    all.until_end().await;
    while let Some(ended) = served.services.join_next().await {
        ended.unwrap().unwrap();
    }
}

#[tokio::test]
async fn not_more_than_can_be_served_may_watch_and_a_place_is_free_again() {
    let served = Served::start().await;
    let url = format!("{}{ON_PREMISES}/overview/events", served.url);
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(Stream::open(&url).await);
    }
    let full = client().get(&url).send().await.unwrap();
    assert_eq!(
        (full.status(), &full.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"10".parse().unwrap())
    );
    assert!(full.text().await.unwrap().contains("Too many watch."));
    streams.pop();
    super::support::until("a place is free", async || {
        client().get(&url).send().await.unwrap().status() == 200
    })
    .await;
}

#[tokio::test]
async fn an_adapters_standing_is_told_at_once_when_it_changes_and_that_its_history_grew() {
    let (data, hosted) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (endpoint, adapter) = (Server::endpoint(hosted.path(), &[]), Server::serve(data.path(), &[]));
    let mut stream = Stream::open(&format!("{}{FAILOVER}/events", adapter.url)).await;
    let told = stream.until_event("Failover", |told| told["AdapterState"] == "Running").await;
    assert_eq!(told, adapter.diagnostics().await);
    stream.until_event("History", |data| *data == json!({})).await;
    for _ in 0..2 {
        assert_eq!(
            stream.next().await,
            ("Failover".to_owned(), told.clone()),
            "it is told again each second"
        );
    }
    adapter.configure(&configuration(&format!("{}{ON_PREMISES}", endpoint.url), "G", "00:00:04")).await;
    stream.until_event("History", |_| true).await;
    assert!(!adapter.rows("ConfigurationChanged", "ConfigurationChanged").await.is_empty());
    let told = stream.until_event("Failover", |told| told["Role"] == "Primary").await;
    assert!(told["LeaseRemaining"].is_string() && told["ConfigurationId"].is_string(), "{told}");
}
