//! A failover endpoint that refuses everything and remembers what it was told.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::LIMIT;

/// Listens until the test's process ends.
pub struct Ear {
    /// Its address, for an Endpoint.
    pub url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Ear {
    /// Answers every request with 503 and an empty object.
    pub fn listen() -> Self {
        Self::answering(|_| "{}".to_owned())
    }

    /// Answers every request with 503 and what `body` makes of everything that was in the request.
    pub fn answering(body: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), body)
    }

    /// The same on this listener.
    pub fn on(listener: TcpListener, body: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let url = format!("http://{}/api/v1/clientfailover", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (remembered, body) = (Arc::clone(&heard), Arc::new(body));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (remembered, body) = (Arc::clone(&remembered), Arc::clone(&body));
                thread::spawn(move || answer(&stream, &remembered, body.as_ref()));
            }
        });
        Self { url, heard }
    }

    /// The value of each Authorization header, and each body, so far.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// The Authorization header for this login.
    pub fn basic(user: &str, password: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
    }
}

/// One request to a connection. A client that leaves early is none of the test's business.
fn answer(stream: &TcpStream, heard: &Mutex<Vec<String>>, body: &dyn Fn(&str) -> String) -> Option<()> {
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    let mut lines = BufReader::new(stream);
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).ok()?;
        request.push_str(&line);
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => heard.lock().unwrap().push(value.to_owned()),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut content = vec![0; length];
    lines.read_exact(&mut content).ok()?;
    let content = String::from_utf8_lossy(&content).into_owned();
    request.push_str(&content);
    heard.lock().unwrap().push(content);
    let body = body(&request);
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 503 -\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .ok()
}
