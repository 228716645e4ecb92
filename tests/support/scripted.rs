//! A throw-away failover endpoint that misbehaves on request.
//!
//! It speaks HTTP/1.1 by hand, because no HTTP library resets connections, drips or never ends. A
//! request that no adapter should send fails the test when the endpoint is dropped.

mod speak;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use client_failover::domain::Uptime;
use serde_json::{Value, json};
use speak::talk;
use tokio::{
    net::TcpListener,
    sync::{broadcast, watch},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::port::Port;

/// The path of the endpoint's base.
pub const BASE: &str = "/api/v1/clientfailover";

/// How a stream of events begins.
pub const LISTENING: &str = "event: Listening\ndata: {}\n\n";

/// The questions an adapter may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// GET base.
    Version,
    /// POST groups.
    CreateGroup,
    /// GET groups/{g}.
    ReadGroup,
    /// POST clientsessions.
    CreateSession,
    /// GET clientsessions/{s}.
    ReadSession,
    /// POST heartbeat.
    Heartbeat,
    /// DELETE clientsessions/{s}.
    DeleteSession,
    /// GET groups/{g}/events.
    Events,
    /// GET of an OpenID discovery document.
    Discovery,
    /// POST to a token endpoint on the same host.
    Token,
}

/// A request, as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its place among all requests.
    pub index: usize,
    /// When it had arrived.
    pub at: Uptime,
    /// What it asks.
    pub call: Option<Call>,
    /// Its verb.
    pub method: String,
    /// Its path, as sent.
    pub path: String,
    /// Its headers, names in lower case.
    pub headers: HashMap<String, String>,
    /// Its body, as sent.
    pub text: String,
}

impl Request {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What to do with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Behave.
    Well,
    /// Answer with a status and JSON.
    Json(u16, Value),
    /// Answer with a status, header lines and a body.
    Full(u16, Vec<(&'static str, String)>, String),
    /// Send exactly these bytes, then close.
    Bytes(&'static str),
    /// Never answer.
    Hang,
    /// Break the connection (RST).
    Reset,
    /// Close the connection in order, without an answer.
    Close,
    /// Answer well, one byte at a time.
    Drip(Duration),
    /// Answer with a body that never ends.
    Endless,
    /// Answer with a stream of events that begins so, and then says nothing.
    Stream(&'static str),
    /// Answer with a stream of events that is this over and over, without end.
    Torrent(&'static str),
    /// Answer with JSON once the request's index is released.
    Held(Value),
}

impl Reply {
    /// The role that a heartbeat is answered.
    pub fn role(role: impl Into<Value>) -> Self {
        Self::Json(200, json!({ "Role": role.into() }))
    }

    /// An error of the documented shape.
    pub fn error(status: u16, reason: &str) -> Self {
        Self::Json(status, json!({ "OperationId": "1", "Error": "An error.", "Reason": reason }))
    }
}

#[derive(Default)]
struct Script {
    always: HashMap<Call, Reply>,
    next: HashMap<Call, VecDeque<Reply>>,
    requests: Vec<Request>,
    unexpected: Vec<String>,
    role: Option<Value>,
    native: bool,
    /// Where tokens are checked (RFC 7662); without it nobody has to show one.
    introspection: Option<String>,
    /// How many requests showed no active token.
    refused: usize,
    /// Where the discovery document is, and the token endpoint it names.
    discovery: Option<(&'static str, String)>,
    /// How much of endless bodies could be sent, once their readers had gone.
    endless_sent: Vec<usize>,
}

struct Shared {
    script: Mutex<Script>,
    released: watch::Sender<HashSet<usize>>,
    told: broadcast::Sender<String>,
}

/// The endpoint. It is gone when it is dropped.
pub struct Endpoint {
    port: Port,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    serving: JoinSet<()>,
}

impl Endpoint {
    /// One that knows no extensions, and answers Primary.
    pub async fn stock() -> Self {
        Self::start(false, None).await
    }

    /// One that says it knows the extensions, and answers Primary.
    pub async fn native() -> Self {
        Self::start(true, None).await
    }

    /// One that speaks TLS.
    pub async fn tls(acceptor: TlsAcceptor) -> Self {
        Self::start(false, Some(acceptor)).await
    }

    async fn start(native: bool, tls: Option<TlsAcceptor>) -> Self {
        let script = Script { native, role: Some(json!(1)), ..Script::default() };
        let mut endpoint = Self {
            port: Port::hold(),
            tls,
            shared: Arc::new(Shared {
                script: Mutex::new(script),
                released: watch::Sender::default(),
                told: broadcast::Sender::new(16),
            }),
            serving: JoinSet::new(),
        };
        endpoint.come_back();
        endpoint
    }

    fn serve(&mut self, listener: TcpListener) {
        let (shared, tls) = (Arc::clone(&self.shared), self.tls.clone());
        self.serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                connections.spawn(async move {
                    // A client that goes away ends its connection, and nothing else.
                    match tls {
                        None => talk(stream, &shared).await.ok(),
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => talk(stream, &shared).await.ok(),
                            Err(_refused) => None,
                        },
                    };
                });
            }
        });
    }

    /// Refuses connections, and breaks those there are, until [`Endpoint::come_back`].
    pub async fn go_away(&mut self) {
        self.serving.shutdown().await;
    }

    /// Listens, where it did before.
    pub fn come_back(&mut self) {
        self.serve(self.port.socket().listen(64).unwrap());
    }

    /// Its scheme, host and port.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.port.address)
    }

    /// Its base address: the `Endpoint` of a configuration.
    pub fn base(&self) -> String {
        format!("{}{BASE}", self.origin())
    }

    /// Answers every such call so, from now on.
    pub fn answer(&self, call: Call, reply: Reply) {
        self.script().always.insert(call, reply);
    }

    /// Answers the next such call so, and after it as before.
    pub fn answer_once(&self, call: Call, reply: Reply) {
        self.script().next.entry(call).or_default().push_back(reply);
    }

    /// Answers heartbeats with this role, as a number or a word.
    pub fn answer_role(&self, role: impl Into<Value>) {
        self.script().role = Some(role.into());
    }

    /// Forgets all misbehaviour.
    pub fn behave(&self) {
        let mut script = self.script();
        script.always.clear();
        script.next.clear();
    }

    /// Lets a held request go.
    pub fn release(&self, index: usize) {
        self.shared.released.send_modify(|released| {
            released.insert(index);
        });
    }

    /// Answers 401 unless a token is shown that is active according to this address.
    pub fn guard(&self, introspection: String) {
        self.script().introspection = Some(introspection);
    }

    /// How many requests showed no active token.
    pub fn refused(&self) -> usize {
        self.script().refused
    }

    /// Serves an OpenID discovery document at `path` that names this token endpoint.
    pub fn discover(&self, path: &'static str, token_endpoint: String) {
        self.script().discovery = Some((path, token_endpoint));
    }

    /// Everything that arrived.
    pub fn requests(&self) -> Vec<Request> {
        self.script().requests.clone()
    }

    /// The requests of one kind.
    pub fn calls(&self, call: Call) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.call == Some(call)).collect()
    }

    /// The bodies of all heartbeats.
    pub fn heartbeats(&self) -> Vec<Value> {
        self.calls(Call::Heartbeat).iter().map(Request::json).collect()
    }

    /// Waits until `more` calls of a kind have arrived from now on, and gives them.
    pub async fn until_more(&self, call: Call, more: usize) -> Vec<Request> {
        let before = self.calls(call).len();
        super::until(&format!("{more} more {call:?}"), async || self.calls(call).len() >= before + more)
            .await;
        self.calls(call).split_off(before)
    }

    /// Waits until a call of a kind has arrived, perhaps before this.
    pub async fn until_asked(&self, call: Call) {
        super::until(&format!("a {call:?}"), async || !self.calls(call).is_empty()).await;
    }

    /// Sends this on all streams of events that are open.
    pub fn tell(&self, event: &str) {
        self.shared.told.send(event.to_owned()).ok();
    }

    /// How many streams of events are open.
    pub fn streams(&self) -> usize {
        self.shared.told.receiver_count()
    }

    /// How much of endless bodies was sent before their readers had enough.
    pub fn endless_sent(&self) -> Vec<usize> {
        self.script().endless_sent.clone()
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.shared.script.lock().unwrap()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.script().unexpected, Vec::<String>::new(), "nobody should ask this");
        }
    }
}

impl Script {
    fn reply(&mut self, request: &Request) -> Reply {
        let Some(call) = request.call else {
            self.unexpected.push(format!("{} {}", request.method, request.path));
            return Reply::error(500, "Nobody should ask this.");
        };
        if call == Call::Events && !self.native {
            self.unexpected.push("a stock endpoint has no events".to_owned());
        }
        let next = self.next.get_mut(&call).and_then(VecDeque::pop_front);
        match next.or_else(|| self.always.get(&call).cloned()).unwrap_or(Reply::Well) {
            Reply::Well if call == Call::Events => Reply::Stream(LISTENING),
            Reply::Well => {
                let (status, body) = self.well(request);
                Reply::Json(status, body)
            }
            misbehaviour @ (Reply::Json(..)
            | Reply::Full(..)
            | Reply::Bytes(_)
            | Reply::Hang
            | Reply::Reset
            | Reply::Close
            | Reply::Drip(_)
            | Reply::Endless
            | Reply::Stream(_)
            | Reply::Torrent(_)
            | Reply::Held(_)) => misbehaviour,
        }
    }

    /// What an endpoint that behaves answers.
    fn well(&self, request: &Request) -> (u16, Value) {
        match request.call {
            Some(Call::Version) if self.native => (200, json!({ "Version": "1.0", "Native": 1 })),
            Some(Call::Version) => (200, json!({ "Version": "1.0" })),
            Some(Call::CreateGroup | Call::CreateSession) => (201, request.json()),
            Some(Call::ReadGroup | Call::ReadSession) => (200, json!({ "FailoverTimeout": "00:00:01" })),
            Some(Call::Heartbeat) => (200, json!({ "Role": self.role })),
            Some(Call::DeleteSession) => (204, Value::Null),
            Some(Call::Discovery)
                if self.discovery.as_ref().is_some_and(|(path, _)| *path == request.path) =>
            {
                (200, json!({ "token_endpoint": self.discovery.as_ref().map(|(_, url)| url) }))
            }
            Some(Call::Token) => (200, json!({ "access_token": "a-token", "expires_in": 60 })),
            Some(Call::Discovery | Call::Events) | None => (404, json!({ "Reason": "It is not here." })),
        }
    }
}
