//! Our endpoint's streams: what is on them, and when they begin and end.

use client_failover::{
    clock,
    endpoint::{Endpoint, Settings},
    http,
    service::Rounds,
    store::{DataFolder, Store},
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::support::{LIMIT, client, door, until};

pub(crate) const ON_PREMISES: &str = "/api/v1/clientfailover";
pub(crate) const CLOUD: &str = "/api/v1/Tenants/t-1/Namespaces/n-1/ClientFailover";

/// An endpoint on a socket of its own.
pub(crate) struct Served {
    pub(crate) url: String,
    endpoint: Endpoint,
    pub(crate) stop: CancellationToken,
    pub(crate) services: JoinSet<std::io::Result<()>>,
    _folder: TempDir,
}

impl Served {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let door = door(&store).await;
        let endpoint = Endpoint::open(store, Settings::default()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, mut services) = (CancellationToken::new(), JoinSet::new());
        let routes = http::endpoint::routes(endpoint.clone());
        let traffic = door.traffic().clone();
        services.spawn(http::serve(listener, None, routes.build(door), traffic, stop.clone()));
        services.spawn(endpoint.clone().run(&Rounds::default(), stop.clone()));
        Self { url, endpoint, stop, services, _folder: folder }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = client().post(format!("{}{path}", self.url)).header("content-type", "application/json");
        let response = request.body(body.to_string()).send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) {
        let response = client().delete(format!("{}{path}", self.url)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
    }

    pub(crate) async fn group(&self, base: &str, id: &str, timeout: &str) {
        self.post(&format!("{base}/groups"), json!({"Id": id, "FailoverTimeout": timeout})).await;
    }

    pub(crate) async fn member(&self, group: &str, id: &str) {
        let path = format!("{ON_PREMISES}/groups/{group}/clientsessions");
        self.post(&path, json!({"Id": id, "Name": id})).await;
    }

    /// A native member's heartbeat; the role it is answered.
    pub(crate) async fn beat(&self, group: &str, id: &str, sequence: u64, acting: bool) -> Value {
        let role = if acting { "Primary" } else { "Secondary" };
        let body = json!({
            "FailoverScore": 100, "LastDataProcessedTime": "0001-01-01T00:00:00", "Incarnation": id, "BootId": "b",
            "Sequence": sequence, "Answered": sequence - 1, "AppliedRole": role,
        });
        let path = format!("{ON_PREMISES}/groups/{group}/clientsessions/{id}/heartbeat");
        self.post(&path, body).await["Role"].clone()
    }

    async fn listen(&self, base: &str, group: &str) -> Stream {
        let response =
            client().get(format!("{}{base}/groups/{group}/events", self.url)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Stream { response, text: String::new() };
        stream.until("event: Listening\ndata: {}\n\n").await;
        stream
    }

    async fn until_listeners(&self, number: usize) {
        until(&format!("{number} listen"), async || self.endpoint.listeners() == number).await;
    }
}

pub(crate) struct Stream {
    pub(crate) response: Response,
    pub(crate) text: String,
}

impl Stream {
    /// Reads on until this was said.
    pub(crate) async fn until_text(&mut self, text: &str) {
        while !self.text.contains(text) {
            let piece = timeout(LIMIT, self.response.chunk()).await.unwrap().unwrap();
            let piece = piece.unwrap_or_else(|| panic!("the stream ended before {text:?}: {:?}", self.text));
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    /// Reads on until this was said, and forgets it and what came before.
    async fn until(&mut self, event: &str) {
        self.until_text(event).await;
        self.text.drain(..self.text.find(event).unwrap() + event.len());
    }

    async fn until_nudge(&mut self, session: &str) {
        self.until(&format!("event: Nudge\ndata: {{\"Session\":\"{session}\"}}\n\n")).await;
    }

    pub(crate) async fn until_end(mut self) {
        while timeout(LIMIT, self.response.chunk()).await.unwrap().unwrap().is_some() {}
    }
}

#[tokio::test]
async fn both_bases_have_a_stream_that_says_at_once_that_it_works() {
    let served = Served::start().await;
    for base in [ON_PREMISES, CLOUD] {
        served.group(base, "g", "00:01:00").await;
        let stream = served.listen(base, "g").await;
        assert_eq!(stream.response.headers()["cache-control"], "no-cache");
        assert_eq!(stream.response.headers()["x-accel-buffering"], "no");
        let unknown = client().get(format!("{}{base}/groups/h/events", served.url)).send().await.unwrap();
        assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
        assert!(unknown.text().await.unwrap().contains("not known"));
    }
}

#[tokio::test]
async fn a_seat_that_was_given_up_nudges_the_best_member_of_its_own_group_alone() {
    let served = Served::start().await;
    for group in ["g", "h"] {
        served.group(ON_PREMISES, group, "00:01:00").await;
        served.member(group, "a").await;
        served.member(group, "b").await;
        assert_eq!(served.beat(group, "a", 1, false).await, 1);
        assert_eq!(served.beat(group, "b", 1, false).await, 0);
    }
    let (mut g, mut h) = (served.listen(ON_PREMISES, "g").await, served.listen(ON_PREMISES, "h").await);
    let path = format!("{ON_PREMISES}/groups/h/clientsessions/b/roleoverride");
    served.post(&path, json!({"Value": "Primary"})).await;
    h.until_nudge("b").await;
    served.beat("g", "a", 2, true).await;
    // It has stopped, and is the best itself; then it is gone.
    served.beat("g", "a", 3, false).await;
    served.delete(&format!("{ON_PREMISES}/groups/g/clientsessions/a")).await;
    g.until_nudge("b").await;
    // Whoever begins to listen only now is told too.
    served.listen(ON_PREMISES, "g").await.until_nudge("b").await;
    assert_eq!(served.beat("g", "b", 2, false).await, 1);
    assert!(!h.text.contains("Nudge"), "{}", h.text);
}

#[tokio::test]
async fn a_silent_primarys_successor_is_nudged_when_its_t_is_over_without_any_heartbeat() {
    let served = Served::start().await;
    served.group(ON_PREMISES, "g", "00:00:03").await;
    served.member("g", "a").await;
    served.member("g", "b").await;
    let mut stream = served.listen(ON_PREMISES, "g").await;
    let asked = clock::now().uptime;
    assert_eq!(served.beat("g", "a", 1, false).await, 1);
    until("half of T is over", async || clock::now().uptime.since(asked).as_millis() >= 1_500).await;
    assert_eq!(served.beat("g", "b", 1, false).await, 0);
    // B was heard half of T later, so it still lives when A's T is over, also where that is noticed late.
    stream.until_nudge("b").await;
    assert!(clock::now().uptime.since(asked).as_millis() >= 3_000);
    assert_eq!(served.beat("g", "b", 2, false).await, 1);
}

#[tokio::test]
async fn what_happens_in_a_group_is_told_with_its_epoch_and_reason() {
    let served = Served::start().await;
    served.group(ON_PREMISES, "g", "00:01:00").await;
    served.member("g", "a").await;
    let mut stream = served.listen(ON_PREMISES, "g").await;
    assert_eq!(served.beat("g", "a", 1, false).await, 1);
    stream.until("event: Change\ndata: ").await;
    stream.until_text("\n\n").await;
    let told: Value = serde_json::from_str(stream.text.split("\n\n").next().unwrap()).unwrap();
    assert_eq!((&told["Kind"], &told["SessionId"]), (&json!("Promoted"), &json!("a")));
    assert_eq!(told["Reason"], "NobodyWasPrimary");
    assert!(told["Epoch"].as_u64().is_some_and(|epoch| epoch > 100_000_000), "{told}");
    assert_eq!(told.get("Members"), None, "what was known of the members is in the history");
}

#[tokio::test]
async fn a_stream_ends_when_its_group_is_deleted_and_its_place_is_free_again() {
    let served = Served::start().await;
    served.group(ON_PREMISES, "g", "00:01:00").await;
    served.group(ON_PREMISES, "h", "00:01:00").await;
    let (g, h) = (served.listen(ON_PREMISES, "g").await, served.listen(ON_PREMISES, "h").await);
    served.until_listeners(2).await;
    served.delete(&format!("{ON_PREMISES}/groups/g")).await;
    g.until_end().await;
    served.until_listeners(1).await;
    // A client that hangs up leaves nothing behind either.
    drop(h);
    served.until_listeners(0).await;
}

#[tokio::test]
async fn streams_end_when_the_server_stops_and_keep_it_from_nothing() {
    let mut served = Served::start().await;
    served.group(ON_PREMISES, "g", "00:01:00").await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(served.listen(ON_PREMISES, "g").await);
    }
    served.stop.cancel();
    for stream in streams {
        stream.until_end().await;
    }
    while let Some(ended) = timeout(LIMIT, served.services.join_next()).await.unwrap() {
        ended.unwrap().unwrap();
    }
    assert_eq!(served.endpoint.listeners(), 0);
}
