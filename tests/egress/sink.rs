//! A destination: remembers every byte it was sent, and answers as it is told.

#![allow(dead_code, unreachable_pub, reason = "each test that has a destination uses its own part of this")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::support::{port::Port, until};

/// A request, as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The request line.
    pub line: String,
    /// The header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Seen {
    /// The values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// How a request is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// With a status, more header lines, and a body.
    With(u16, &'static str, &'static str),
    /// With success, after so long.
    Slowly(Duration),
    /// Never.
    Never,
}

/// The destination.
pub struct Sink {
    port: Port,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<Mutex<Answer>>,
    /// Connections that ended in the middle of a request or of its answer.
    broken: Arc<Mutex<usize>>,
    /// How many requests are under way, and how many were at the most.
    under_way: Arc<Mutex<(usize, usize)>>,
    /// One for each connection that is open, and one of its own.
    open: Arc<()>,
    work: JoinSet<()>,
}

impl Sink {
    /// A destination that acknowledges.
    pub async fn start() -> Self {
        let mut sink = Self {
            port: Port::hold(),
            seen: Arc::default(),
            answer: Arc::new(Mutex::new(Answer::With(200, "", "well"))),
            broken: Arc::default(),
            under_way: Arc::default(),
            open: Arc::default(),
            work: JoinSet::new(),
        };
        sink.come_back();
        sink
    }

    /// Listens on the address it had.
    pub fn come_back(&mut self) {
        let listener: TcpListener = self.port.socket().listen(1024).unwrap();
        let (seen, answer, broken) = (self.seen.clone(), self.answer.clone(), self.broken.clone());
        let under_way = self.under_way.clone();
        let open = Arc::downgrade(&self.open);
        self.work.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let talk = talk(stream, seen.clone(), answer.clone(), broken.clone(), under_way.clone());
                let open = open.upgrade();
                connections.spawn(async move {
                    talk.await;
                    drop(open);
                });
            }
        });
    }

    /// Ends, with all of its connections.
    pub async fn go_away(&mut self) {
        self.work.shutdown().await;
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.port.address)
    }

    /// Answers so from now on.
    pub fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The bodies of all requests so far.
    pub fn bodies(&self) -> Vec<String> {
        self.seen().iter().map(Seen::text).collect()
    }

    /// Waits until there are so many requests, and gives them.
    pub async fn until_seen(&self, count: usize) -> Vec<Seen> {
        until(&format!("{count} requests at the destination"), async || self.seen().len() >= count).await;
        self.seen()
    }

    /// How many requests it had at a time, at the most.
    pub fn most_at_once(&self) -> usize {
        self.under_way.lock().unwrap().1
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        Arc::strong_count(&self.open) - 1
    }

    /// How many connections ended in the middle of something.
    pub fn broken(&self) -> usize {
        *self.broken.lock().unwrap()
    }
}

async fn talk(
    mut stream: TcpStream,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<Mutex<Answer>>,
    broken: Arc<Mutex<usize>>,
    under_way: Arc<Mutex<(usize, usize)>>,
) {
    let mut buffer = Vec::new();
    loop {
        let Some(request) = read(&mut stream, &mut buffer).await else {
            if !buffer.is_empty() {
                *broken.lock().unwrap() += 1;
            }
            return;
        };
        let is_head = request.line.starts_with("HEAD ");
        seen.lock().unwrap().push(request);
        let now = answer.lock().unwrap().clone();
        match now {
            Answer::With(status, headers, body) => {
                let text = if is_head { "" } else { body };
                let answer = format!(
                    "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n{headers}\r\n{text}",
                    body.len()
                );
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    *broken.lock().unwrap() += 1;
                    return;
                }
            }
            Answer::Slowly(after) => {
                {
                    let mut under_way = under_way.lock().unwrap();
                    under_way.0 += 1;
                    under_way.1 = under_way.1.max(under_way.0);
                }
                tokio::time::sleep(after).await;
                under_way.lock().unwrap().0 -= 1;
                if stream.write_all(b"HTTP/1.1 204 Said\r\n\r\n").await.is_err() {
                    *broken.lock().unwrap() += 1;
                    return;
                }
            }
            Answer::Never => {
                let mut byte = [0];
                // Returns when the other end is gone.
                drop(stream.read(&mut byte).await);
                *broken.lock().unwrap() += 1;
                return;
            }
        }
    }
}

/// The next request; `None` when the connection has ended.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<_> = lines
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, length)| length.parse().unwrap());
    while buffer.len() < end + 4 + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = buffer[end + 4..end + 4 + length].to_vec();
    buffer.drain(..end + 4 + length);
    Some(Seen { line, headers, body })
}

/// A connection that is spoken to byte by byte.
pub async fn raw(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}
