//! How the throw-away endpoint speaks HTTP/1.1, well and badly.

use std::collections::HashMap;

use client_failover::clock;
use serde_json::Value;
use tokio::{
    io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::{super::client, BASE, Call, Reply, Request, Shared};

/// A connection that can be broken.
pub(super) trait Connection: AsyncRead + AsyncWrite + Unpin {
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

pub(super) async fn talk(mut stream: impl Connection, shared: &Shared) -> io::Result<()> {
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
            Reply::Stream(beginning) => return stream_events(&mut stream, beginning, shared).await,
            Reply::Torrent(event) => {
                stream.write_all(STREAM.as_bytes()).await?;
                let many = event.repeat(1 + 4096 / event.len());
                loop {
                    stream.write_all(many.as_bytes()).await?;
                }
            }
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

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

/// Says what the test tells it to, until the reader has gone.
async fn stream_events(
    stream: &mut impl Connection,
    beginning: &'static str,
    shared: &Shared,
) -> io::Result<()> {
    let mut told = shared.told.subscribe();
    stream.write_all(STREAM.as_bytes()).await?;
    stream.write_all(beginning.as_bytes()).await?;
    loop {
        let mut more = [0];
        tokio::select! {
            event = told.recv() => {
                stream.write_all(event.map_err(io::Error::other)?.as_bytes()).await?;
            }
            read = stream.read(&mut more) => {
                if read? == 0 {
                    return Ok(());
                }
            }
        }
    }
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
        ("GET", ["groups", _, "events"]) => Some(Call::Events),
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
    let asked = client()
        .post(url)
        .basic_auth("endpoint", Some("endpoint"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let answer: Value = serde_json::from_str(&asked.send().await.unwrap().text().await.unwrap()).unwrap();
    answer["active"] == true
}
