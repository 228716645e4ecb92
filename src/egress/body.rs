//! Reads the body of a request: within its size, its time, and the memory that all of them may take.

use std::{
    error::Error,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes};
use tokio::{task::yield_now, time::timeout};

/// How long a body may take to arrive: who dribbles is given up.
const BODY_TIME: Duration = Duration::from_secs(60);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It did not arrive within a minute.
    TooSlow,
    /// It could not be read to its end.
    Broken,
    /// It is larger than so many bytes.
    TooLarge(usize),
    /// The bodies of all requests under way take as much memory as they may.
    NoMemory,
}

/// The memory that the bodies of requests under way may take together. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Memory(Arc<Ledger>);

#[derive(Debug)]
struct Ledger {
    limit: u64,
    held: AtomicU64,
}

/// Some of it, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    of: Memory,
    bytes: u64,
}

impl Memory {
    pub(super) fn new(limit: u64) -> Self {
        Self(Arc::new(Ledger { limit, held: AtomicU64::new(0) }))
    }

    /// None of it yet.
    fn hold(&self) -> Held {
        Held { of: self.clone(), bytes: 0 }
    }
}

impl Held {
    /// Takes more, if there is as much. A body that is larger than all of it is read when it is the only one.
    fn grow(&mut self, bytes: u64) -> bool {
        let Ledger { limit, held } = &*self.of.0;
        let own = self.bytes;
        let taken = held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            (held + bytes <= *limit || held == own).then_some(held + bytes)
        });
        if taken.is_ok() {
            self.bytes += bytes;
        }
        taken.is_ok()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads a body of up to `limit` bytes.
pub(super) async fn read<B>(body: B, limit: usize, memory: &Memory) -> Result<(Bytes, Held), Unread>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLarge(limit));
    }
    // A length that is only said takes nothing: else whoever says much and sends nothing keeps everybody else out.
    let mut collecting = pin!(collect(body, limit, memory.hold()));
    if let Poll::Ready(read) = poll_fn(|context| Poll::Ready(collecting.as_mut().poll(context))).await {
        return read;
    }
    // Most bodies came with their heads, and are here once the connection had its turn: no timer is set for these.
    yield_now().await;
    timeout(BODY_TIME, collecting).await.unwrap_or(Err(Unread::TooSlow))
}

async fn collect<B>(body: B, limit: usize, mut held: Held) -> Result<(Bytes, Held), Unread>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut body = pin!(Limited::new(body, limit));
    let (mut whole, mut more) = (Bytes::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => Unread::TooLarge(limit),
            false => Unread::Broken,
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let size = (whole.len() + more.len() + data.len()) as u64;
        if size > held.bytes && !held.grow(size - held.bytes) {
            return Err(Unread::NoMemory);
        }
        if whole.is_empty() && more.is_empty() {
            whole = data;
        } else {
            more.extend_from_slice(&std::mem::take(&mut whole));
            more.extend_from_slice(&data);
        }
    }
    Ok((if more.is_empty() { whole } else { more.into() }, held))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    fn pieces(pieces: &[&'static str]) -> impl Body<Data = Bytes, Error = std::io::Error> + use<> {
        let frames: Vec<_> =
            pieces.iter().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))).collect();
        StreamBody::new(futures_util::stream::iter(frames))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_within_its_limits() {
        let memory = Memory::new(10);
        let read = async |body, limit| read(body, limit, &memory).await.map(|(whole, _)| whole);
        assert_eq!(read(pieces(&["ab", "", "cde", "f"]), 6).await.unwrap(), "abcdef");
        assert_eq!(read(pieces(&[]), 6).await.unwrap(), "");
        assert_eq!(read(pieces(&["ab", "cdefg"]), 6).await.unwrap_err(), Unread::TooLarge(6));
    }

    #[tokio::test]
    async fn bodies_share_their_memory_and_give_it_back() {
        let memory = Memory::new(10);
        let full = |text: &'static str| Full::new(Bytes::from_static(text.as_bytes()));
        let first = read(full("123456"), 100, &memory).await.unwrap();
        assert_eq!(read(full("12345"), 100, &memory).await.unwrap_err(), Unread::NoMemory, "at once");
        assert_eq!(
            read(pieces(&["1234", "5"]), 100, &memory).await.unwrap_err(),
            Unread::NoMemory,
            "as it grows"
        );
        assert!(read(full("1234"), 100, &memory).await.is_ok(), "what was not read is given back");
        drop(first);
        let large = read(pieces(&["123456", "789012"]), 100, &memory).await.unwrap();
        assert_eq!(large.0, "123456789012", "the only one may be larger");
        assert_eq!(read(full("1"), 100, &memory).await.unwrap_err(), Unread::NoMemory);
    }
}
