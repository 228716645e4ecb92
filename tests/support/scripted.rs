//! A throw-away failover endpoint that misbehaves on request.
//!
//! It speaks HTTP/1.1 by hand, because no HTTP library resets connections, drips or never ends. A
//! request that no adapter should send fails the test when the endpoint is dropped.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use client_failover::{clock, domain::Uptime};
use serde_json::{Value, json};
use tokio::{
    io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// The path of the endpoint's base.
pub const BASE: &str = "/api/v1/clientfailover";

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
}

/// The endpoint. It is gone when it is dropped.
pub struct Endpoint {
    address: SocketAddr,
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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let script = Script { native, role: Some(json!(1)), ..Script::default() };
        let mut endpoint = Self {
            address: listener.local_addr().unwrap(),
            tls,
            shared: Arc::new(Shared { script: Mutex::new(script), released: watch::Sender::default() }),
            serving: JoinSet::new(),
        };
        endpoint.serve(listener);
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

    /// Listens again, where it did before.
    pub fn come_back(&mut self) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        self.serve(socket.listen(64).unwrap());
    }

    /// Its scheme, host and port.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.address)
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

/// A connection that can be broken.
trait Connection: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Connection for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Connection for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

async fn talk(mut stream: impl Connection, shared: &Shared) -> io::Result<()> {
    while let Some(request) = read_request(&mut stream, shared).await? {
        let reply = match allowed(&request, shared).await {
            true => shared.script.lock().unwrap().reply(&request),
            false => {
                shared.script.lock().unwrap().refused += 1;
                Reply::error(401, "The token is not active.")
            }
        };
        let (status, headers, body) = match reply {
            Reply::Well => unreachable!("the script says what well means"),
            Reply::Json(status, body) => (status, Vec::new(), body.to_string()),
            Reply::Full(status, headers, body) => (status, headers, body),
            Reply::Held(body) => {
                let mut released = shared.released.subscribe();
                released
                    .wait_for(|indexes| indexes.contains(&request.index))
                    .await
                    .map_err(io::Error::other)?;
                (200, Vec::new(), body.to_string())
            }
            Reply::Bytes(bytes) => {
                stream.write_all(bytes.as_bytes()).await?;
                return stream.shutdown().await;
            }
            Reply::Hang => std::future::pending().await,
            Reply::Close => return stream.shutdown().await,
            Reply::Reset => return stream.tcp().set_zero_linger(),
            Reply::Drip(pause) => {
                let body = shared.script.lock().unwrap().well(&request).1.to_string();
                for byte in render(200, &[], &body).into_bytes() {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(pause).await;
                }
                continue;
            }
            Reply::Endless => return send_without_end(&mut stream, shared).await,
        };
        stream.write_all(render(status, &headers, &body).as_bytes()).await?;
    }
    Ok(())
}

async fn send_without_end(stream: &mut impl Connection, shared: &Shared) -> io::Result<()> {
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        .await?;
    let mut sent = 0;
    let ended = loop {
        match stream.write(&[b' '; 4096]).await {
            Ok(written) => sent += written,
            Err(error) => break error,
        }
    };
    shared.script.lock().unwrap().endless_sent.push(sent);
    Err(ended)
}

fn render(status: u16, headers: &[(&str, String)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let body = if status == 204 { "" } else { body };
    format!("HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n{headers}{length}\r\n{body}")
}

async fn read_request(stream: &mut impl Connection, shared: &Shared) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let text = String::from_utf8(body).unwrap();
    let call = name_call(&method, &path);
    let mut script = shared.script.lock().unwrap();
    let at = clock::now().uptime;
    let request = Request { index: script.requests.len(), at, call, method, path, headers, text };
    script.requests.push(request.clone());
    Ok(Some(request))
}

fn name_call(method: &str, path: &str) -> Option<Call> {
    if path.ends_with("/.well-known/openid-configuration") {
        return (method == "GET").then_some(Call::Discovery);
    }
    if path == "/token" {
        return (method == "POST").then_some(Call::Token);
    }
    let rest = path.strip_prefix(BASE)?;
    let parts: Vec<&str> = rest.split('/').skip(1).collect();
    match (method, parts.as_slice()) {
        ("GET", []) => Some(Call::Version),
        ("POST", ["groups", ""]) => Some(Call::CreateGroup),
        ("GET", ["groups", _]) => Some(Call::ReadGroup),
        ("POST", ["groups", _, "clientsessions"]) => Some(Call::CreateSession),
        ("GET", ["groups", _, "clientsessions", _]) => Some(Call::ReadSession),
        ("POST", ["groups", _, "clientsessions", _, "heartbeat"]) => Some(Call::Heartbeat),
        ("DELETE", ["groups", _, "clientsessions", _]) => Some(Call::DeleteSession),
        _ => None,
    }
}

/// Whether the request shows an active token, where one is wanted.
async fn allowed(request: &Request, shared: &Shared) -> bool {
    let introspection = shared.script.lock().unwrap().introspection.clone();
    let (Some(url), false) = (introspection, matches!(request.call, Some(Call::Discovery | Call::Token)))
    else {
        return true;
    };
    let Some(token) = request.header("authorization").strip_prefix("Bearer ") else { return false };
    let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("token", token).finish();
    let asked = super::client()
        .post(url)
        .basic_auth("endpoint", Some("endpoint"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let answer: Value = serde_json::from_str(&asked.send().await.unwrap().text().await.unwrap()).unwrap();
    answer["active"] == true
}

impl Script {
    fn reply(&mut self, request: &Request) -> Reply {
        let Some(call) = request.call else {
            self.unexpected.push(format!("{} {}", request.method, request.path));
            return Reply::error(500, "Nobody should ask this.");
        };
        let next = self.next.get_mut(&call).and_then(VecDeque::pop_front);
        match next.or_else(|| self.always.get(&call).cloned()).unwrap_or(Reply::Well) {
            Reply::Well => {
                let (status, body) = self.well(request);
                Reply::Json(status, body)
            }
            other => other,
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
            Some(Call::Discovery) | None => (404, json!({ "Reason": "It is not here." })),
        }
    }
}
