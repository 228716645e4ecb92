//! HTTP by hand, over one kept-alive connection: a writer has to know exactly when it asked, and to wait
//! for an answer no longer than until its next write.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

use crate::support::LIMIT;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its body; null when it is no JSON.
    pub body: Value,
}

/// One connection, with one request at a time.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    address: String,
    received: Vec<u8>,
}

impl Line {
    /// Connects.
    pub fn open(address: &str, limit: Duration) -> io::Result<Self> {
        let to: SocketAddr = address.parse().map_err(io::Error::other)?;
        let stream = TcpStream::connect_timeout(&to, limit)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address: address.to_owned(), received: Vec::new() })
    }

    /// Sends a request; its answer is to be received before the next is sent.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> io::Result<()> {
        let (address, length) = (&self.address, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes())
    }

    /// The answer, or `None` when it is not there within `wait`; then it can be asked for again.
    pub fn receive(&mut self, wait: Duration) -> io::Result<Option<Reply>> {
        // A timeout of zero would mean to wait for ever.
        self.stream.set_read_timeout(Some(wait.max(Duration::from_micros(1))))?;
        let mut chunk = [0; 8 * 1024];
        loop {
            if let Some(reply) = whole(&self.received) {
                self.received.clear();
                return Ok(Some(reply));
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.received.extend_from_slice(&chunk[..read]),
                // The kernel says so where a process was stopped meanwhile.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// One request over a connection of its own.
pub fn ask(address: &str, method: &str, path: &str, body: &str) -> io::Result<Reply> {
    let mut line = Line::open(address, LIMIT)?;
    line.send(method, path, body)?;
    line.receive(LIMIT)?.ok_or_else(|| io::ErrorKind::TimedOut.into())
}

fn whole(received: &[u8]) -> Option<Reply> {
    let head = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(&received[..head]).ok()?, &received[head + 4..]);
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let body = body.get(..length.unwrap_or(0))?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Reply { status, body: serde_json::from_slice(body).unwrap_or(Value::Null) })
}
