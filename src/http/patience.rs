//! How long a client may take its time: a connection that wraps another and loses patience.
//!
//! A request's head must be complete within 10 s of its first byte (of the connection's begin, for the
//! first), and an answer must be taken. Between requests a connection may rest: members of groups with
//! long timeouts speak seldom, and one that finds its connection closed loses a heartbeat. One on which nobody was let in
//! may rest a minute at the most: who only knocks must not hold the places of those who work. What came of a head together with the
//! request before it is not seen here, and rests as long. Bodies have a limit of their own, where they are read.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// The time for a request's head.
pub(super) const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// How long a connection may rest between two requests, at the least: one timer goes on through all of them, so that
/// none of many has to set one.
const REST_LIMIT: Duration = Duration::from_secs(15 * 60);

/// The same for one on which nobody was let in yet: it may rest a minute at the most.
const STRANGER_REST_LIMIT: Duration = Duration::from_secs(30);

/// How long a client may take nothing of an answer.
const TAKE_LIMIT: Duration = Duration::from_secs(30);

/// Nothing of a request has been read, and none was before.
const FRESH: u8 = 0;
/// The first head is being read, within the time that the connection has for it.
const FIRST: u8 = 4;
/// An answer was not taken in time.
const NOT_TAKEN: u8 = 5;
/// Nothing was ever said, for as long as a first head may take.
const SILENT: u8 = 6;
/// A request was answered, and nothing of the next has been read.
const RESTING: u8 = 1;
/// A head is being read.
const HEAD: u8 = 2;
/// A request is being answered.
const ANSWERING: u8 = 3;

/// What a connection is at. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace(Arc<At>);

#[derive(Debug, Default)]
struct At {
    stage: AtomicU8,
    /// Whether somebody was let in on it.
    welcome: AtomicBool,
}

impl Pace {
    /// A head is complete; its request is being answered until the returned value is dropped.
    pub(super) fn begin(&self) -> Answering {
        self.0.stage.store(ANSWERING, Ordering::Relaxed);
        Answering(self.clone())
    }

    /// Somebody was let in.
    pub(super) fn welcome(&self) {
        self.0.welcome.store(true, Ordering::Relaxed);
    }

    /// How long the connection may rest.
    fn rest(&self) -> Duration {
        if self.0.welcome.load(Ordering::Relaxed) { REST_LIMIT } else { STRANGER_REST_LIMIT }
    }

    /// Whether a part of a head was read, and the rest is waited for.
    pub(super) fn is_in_head(&self) -> bool {
        matches!(self.stage(), FIRST | HEAD)
    }

    /// Whether an answer was not taken in time.
    pub(super) fn is_given_up(&self) -> bool {
        self.stage() == NOT_TAKEN
    }

    /// Whether nothing was ever said, and time was up.
    pub(super) fn is_silent(&self) -> bool {
        self.stage() == SILENT
    }

    fn stage(&self) -> u8 {
        self.0.stage.load(Ordering::Relaxed)
    }

    /// Something was read.
    fn heard(&self) {
        // One that is being answered is reading its body, or the next request ahead.
        for (from, to) in [(FRESH, FIRST), (RESTING, HEAD)] {
            self.0.stage.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).ok();
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Answering(Pace);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.stage.store(RESTING, Ordering::Relaxed);
    }
}

/// A connection that loses patience.
#[derive(Debug)]
pub(super) struct Patience<S> {
    stream: S,
    pace: Pace,
    reading: Option<(u8, Pin<Box<Sleep>>)>,
    /// The rest that is allowed, with its timer.
    resting: Option<(Duration, Pin<Box<Sleep>>)>,
    /// Whether something was read since that began.
    stirred: bool,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Patience<S> {
    /// `stream`, from which a first request is expected at once.
    pub(super) fn new(stream: S) -> Self {
        let reading = Some((FRESH, Box::pin(sleep(HEAD_LIMIT))));
        Self { stream, pace: Pace::default(), reading, resting: None, stirred: false, writing: None }
    }

    /// What tells it how far requests are.
    pub(super) fn pace(&self) -> Pace {
        self.pace.clone()
    }

    /// Ready once nothing was read for too long.
    fn poll_reading(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        match self.pace.stage() {
            stage @ (FRESH | FIRST | HEAD) => {
                // The first head has the time from the connection's begin.
                let stage = if stage == HEAD { HEAD } else { FRESH };
                let timer = match &mut self.reading {
                    Some((of, timer)) if *of == stage => timer,
                    other => &mut other.insert((stage, Box::pin(sleep(HEAD_LIMIT)))).1,
                };
                ready!(timer.as_mut().poll(cx));
                self.pace.0.stage.compare_exchange(FRESH, SILENT, Ordering::Relaxed, Ordering::Relaxed).ok();
            }
            RESTING => {
                self.reading = None;
                ready!(self.poll_resting(cx, true));
            }
            _ => {
                self.reading = None;
                // Who reads is not asked again when the answer is over: what wakes him then is set now. The rest is counted
                // from the end of the answer, which is not known here.
                let over = self.poll_resting(cx, false);
                self.stirred = true;
                ready!(over);
            }
        }
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "no request was complete in time"))
    }

    /// Ready once nothing was read for as long as a connection may rest, and it `rests`.
    fn poll_resting(&mut self, cx: &mut Context<'_>, rests: bool) -> Poll<()> {
        loop {
            let allowed = self.pace.rest();
            let timer = match &mut self.resting {
                Some((of, timer)) if *of == allowed => timer,
                other => {
                    self.stirred = false;
                    &mut other.insert((allowed, Box::pin(sleep(allowed)))).1
                }
            };
            ready!(timer.as_mut().poll(cx));
            if rests && !self.stirred {
                return Poll::Ready(());
            }
            self.resting = None;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patience<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buffer) {
            Poll::Pending => this.poll_reading(cx).map(Err),
            Poll::Ready(read) => {
                if buffer.filled().len() > before {
                    this.stirred = true;
                    this.pace.heard();
                }
                Poll::Ready(read)
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> Patience<S> {
    /// The outcome of a write; an error once writing made no progress for too long.
    fn bounded<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing = None;
            return written;
        }
        let timer = self.writing.get_or_insert_with(|| Box::pin(sleep(TAKE_LIMIT)));
        ready!(timer.as_mut().poll(cx));
        self.pace.0.stage.store(NOT_TAKEN, Ordering::Relaxed);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the answer was not taken in time")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.bounded(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.bounded(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.bounded(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.bounded(cx, shut)
    }
}

/// The body of an answer: when it is over, or given up, its request is.
#[derive(Debug)]
pub(super) struct Answered {
    body: Body,
    _answering: Answering,
}

impl Answered {
    pub(super) fn new(body: Body, answering: Answering) -> Self {
        Self { body, _answering: answering }
    }
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn read(connection: &mut Patience<tokio::io::DuplexStream>) -> io::Result<usize> {
        connection.read(&mut [0; 16]).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_dribbles_is_cut_off_ten_seconds_after_its_first_byte() -> io::Result<()> {
        let (mut client, server) = tokio::io::duplex(64);
        let mut connection = Patience::new(server);
        let begun = tokio::time::Instant::now();
        let dribble = async {
            loop {
                if client.write_all(b"x").await.is_err() {
                    return;
                }
                sleep(Duration::from_secs(1)).await;
            }
        };
        let cut = async {
            loop {
                if let Err(error) = read(&mut connection).await {
                    return error;
                }
            }
        };
        let error = tokio::select! { () = dribble => return Err(io::Error::other("it never broke")), cut = cut => cut };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 10);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn one_on_which_nobody_was_let_in_rests_for_less_until_somebody_is() -> io::Result<()> {
        let (mut client, server) = tokio::io::duplex(64);
        let mut connection = Patience::new(server);
        let pace = connection.pace();
        for (welcome, limit) in [(false, STRANGER_REST_LIMIT), (true, REST_LIMIT)] {
            client.write_all(b"request").await?;
            read(&mut connection).await?;
            let answering = pace.begin();
            if welcome {
                pace.welcome();
            }
            drop(answering);
            let begun = tokio::time::Instant::now();
            let ended = read(&mut connection).await;
            assert!(ended.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut));
            assert_eq!(begun.elapsed(), limit);
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_waits_since_before_the_answer_was_over_is_woken_when_the_rest_is() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut connection = Patience::new(server);
        let pace = connection.pace();
        client.write_all(b"request").await.unwrap();
        read(&mut connection).await.unwrap();
        let (answering, begun) = (pace.begin(), tokio::time::Instant::now());
        let mut reader = tokio::task::JoinSet::new();
        reader.spawn(async move { read(&mut connection).await });
        // It waits, and nobody asks it again.
        sleep(3 * STRANGER_REST_LIMIT / 2).await;
        assert!(reader.try_join_next().is_none(), "an answer may take its time");
        drop(answering);
        let ended = reader.join_next().await.unwrap().unwrap();
        assert!(ended.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut));
        assert_eq!(
            begun.elapsed(),
            3 * STRANGER_REST_LIMIT,
            "as long as it may rest, from the end of the answer"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_may_rest_between_requests_but_not_for_ever() -> io::Result<()> {
        let (mut client, server) = tokio::io::duplex(64);
        let mut connection = Patience::new(server);
        let pace = connection.pace();
        pace.welcome();
        client.write_all(b"request").await?;
        read(&mut connection).await?;
        drop(pace.begin());
        let begun = tokio::time::Instant::now();
        let again = async {
            sleep(REST_LIMIT / 2).await;
            client.write_all(b"request").await
        };
        let (heard, written) = tokio::join!(read(&mut connection), again);
        assert_eq!((heard?, written?), (7, ()));
        drop(pace.begin());
        let ended = read(&mut connection).await;
        assert!(ended.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut));
        assert_eq!(begun.elapsed(), 2 * REST_LIMIT, "longer than that since the last request");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_is_said_is_ended() {
        let (_client, server) = tokio::io::duplex(64);
        let mut connection = Patience::new(server);
        let begun = tokio::time::Instant::now();
        assert!(read(&mut connection).await.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut));
        assert_eq!((begun.elapsed(), connection.pace().is_silent()), (HEAD_LIMIT, true));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_ends_the_connection() -> io::Result<()> {
        let (_client, server) = tokio::io::duplex(4);
        let mut connection = Patience::new(server);
        let _answering = connection.pace().begin();
        let written = connection.write_all(b"longer than the buffer").await;
        assert!(written.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut));
        assert!(connection.pace().is_given_up());
        Ok(())
    }
}
