//! Connections that ask over and over, and how long each answer took.

use std::time::Duration;

use client_failover::{clock, domain::Uptime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::sleep,
};

/// How fast each connection asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// As fast as answers come.
    Full,
    /// Once in so long a time, answers permitting.
    Each(Duration),
}

/// What to do.
pub(crate) struct Load<'a> {
    pub(crate) address: &'a str,
    pub(crate) path: &'a str,
    pub(crate) bytes: usize,
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
}

/// What came of it.
pub(crate) struct Seen {
    times_ms: Vec<f64>,
    time: Duration,
}

impl Load<'_> {
    pub(crate) async fn run(&self, time: Duration) -> Seen {
        let body = "x".repeat(self.bytes);
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n{body}",
            self.path, self.address, self.bytes
        );
        let end = clock::now().uptime + time;
        let mut connections = JoinSet::new();
        for number in 0..self.connections {
            let (address, request, pace) = (self.address.to_owned(), request.clone(), self.pace);
            let share = number as f64 / self.connections as f64;
            connections.spawn(async move { ask(&address, request.as_bytes(), pace, share, end).await });
        }
        let mut times_ms: Vec<f64> = connections.join_all().await.into_iter().flatten().collect();
        times_ms.sort_by(f64::total_cmp);
        Seen { times_ms, time }
    }
}

async fn ask(address: &str, request: &[u8], pace: Pace, share: f64, end: Uptime) -> Vec<f64> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut times, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    let mut next = clock::now().uptime;
    if let Pace::Each(every) = pace {
        next = next + every.mul_f64(share);
    }
    loop {
        if let Pace::Each(every) = pace {
            sleep(next.since(clock::now().uptime)).await;
            next = next + every;
        }
        let asked = clock::now().uptime;
        if asked >= end {
            return times;
        }
        stream.write_all(request).await.unwrap();
        let status = answer(&mut stream, &mut buffer).await;
        assert!((200..300).contains(&status), "status {status}");
        times.push(clock::now().uptime.since(asked).as_secs_f64() * 1_000.0);
    }
}

/// Reads one answer; its status.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> u16 {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(read > 0, "the server closed the connection");
        filled += read;
        let Some(end) = buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end]).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if filled >= end + 4 + length.unwrap_or(0) {
            return head.split(' ').nth(1).unwrap().parse().unwrap();
        }
    }
}

impl Seen {
    pub(crate) fn per_second(&self) -> f64 {
        self.times_ms.len() as f64 / self.time.as_secs_f64()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index below the length")]
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        self.times_ms[((self.times_ms.len() - 1) as f64 * share).round() as usize]
    }
}
