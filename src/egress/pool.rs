//! Connections to one destination within one tenure, and how one is asked.
//!
//! A connection is driven by whoever waits for its answer, in the same task: an exchange costs no hand-over
//! between tasks, as it does where each connection has a task of its own. What ends a wait, the end of the tenure and a
//! time limit, is the connection's, so that no request has to set it up.

use std::{
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    future::poll_fn,
    stream::{FuturesUnordered, StreamExt},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, Uri,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    client::conn::http1::{self, SendRequest},
};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use tokio::{
    select,
    sync::mpsc,
    time::{Sleep, sleep, timeout},
};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::Service;

use super::connection::{Connector, Guarded, NotPermitted, Tenure};
use crate::{clock, domain::Uptime};

/// How long a destination may take to be reached and to answer; a long answer may go on from there.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How long a connection without a request is kept: less than servers commonly keep one.
const IDLE_LIMIT: Duration = Duration::from_secs(15);

/// Idle connections that are kept to one destination.
const MOST_IDLE: usize = 64;

/// An answer's body up to this size is passed back whole; a larger one is streamed by a task of its own, so that a
/// slow collector holds no connection that cannot be cut.
const WHOLE_BYTES: u64 = 64 * 1024;

/// Pieces of a streamed answer that wait for the collector.
const PIECES: usize = 4;

type Wire = Pin<Box<http1::Connection<MaybeHttpsStream<Guarded>, Full<Bytes>>>>;
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One connection.
struct Link {
    sender: SendRequest<Full<Bytes>>,
    wire: Wire,
    /// Whether the wire has ended.
    over: bool,
    idle_since: Uptime,
    /// Wakes whoever waits at the end of the tenure; it is asked again only then.
    ended: FuturesUnordered<WaitForCancellationFutureOwned>,
    /// Wakes whoever waits when an answer may be overdue; it is set anew only then.
    timer: Pin<Box<Sleep>>,
}

/// Why an answer is not waited for any longer.
#[derive(Debug, thiserror::Error)]
#[error("there was no answer within {} s", ANSWER_LIMIT.as_secs())]
struct Overdue;

/// The connections to one destination.
#[derive(Debug)]
pub(super) struct Pool {
    connector: HttpsConnector<Connector>,
    tenure: Arc<Tenure>,
    /// Empty once it is closed.
    idle: Mutex<Option<Vec<Link>>>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("over", &self.over).finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(connector: HttpsConnector<Connector>, tenure: Arc<Tenure>) -> Self {
        Self { connector, tenure, idle: Mutex::new(Some(Vec::new())) }
    }

    /// Drops what is idle, and keeps nothing any more.
    pub(super) fn close(&self) {
        *self.idle() = None;
    }

    /// Sends a request to `server`, and gives its answer.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        server: &Uri,
        mut request: Request<Full<Bytes>>,
        since: Uptime,
    ) -> Result<Response<AnswerBody>, Failure> {
        while let Some(link) = self.take_idle().await {
            match link.ask(request, since).await {
                Ok((answer, link)) => return self.read(answer, link, since).await,
                // The server closed it meanwhile, and nothing was sent: another one will do.
                Err((_, Some(unsent))) => request = *unsent,
                Err((failure, None)) => return Err(failure),
            }
        }
        let link = select! {
            biased;
            () = self.tenure.ended() => return Err(NotPermitted.into()),
            link = timeout(left(since), self.connect(server, since)) => link.map_err(|_elapsed| Overdue)??,
        };
        let (answer, link) = link.ask(request, since).await.map_err(|(failure, _)| failure)?;
        self.read(answer, link, since).await
    }

    async fn connect(&self, server: &Uri, since: Uptime) -> Result<Link, Failure> {
        let stream = self.connector.clone().call(server.clone()).await?;
        let (sender, wire) = http1::handshake(stream).await?;
        Ok(Link {
            sender,
            wire: Box::pin(wire),
            over: false,
            idle_since: clock::uptime(),
            ended: FuturesUnordered::from_iter([self.tenure.ended()]),
            timer: Box::pin(sleep(left(since))),
        })
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Link>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last, if it is still open.
    async fn take_idle(&self) -> Option<Link> {
        let now = clock::uptime();
        loop {
            let mut link = self.idle().as_mut()?.pop()?;
            if now.since(link.idle_since) < IDLE_LIMIT && link.settle().await {
                return Some(link);
            }
        }
    }

    async fn keep(&self, mut link: Link) {
        if !link.settle().await {
            return;
        }
        link.idle_since = clock::uptime();
        if let Some(idle) = self.idle().as_mut().filter(|idle| idle.len() < MOST_IDLE) {
            idle.push(link);
        }
    }

    async fn read(
        self: &Arc<Self>,
        answer: Response<Incoming>,
        mut link: Link,
        since: Uptime,
    ) -> Result<Response<AnswerBody>, Failure> {
        let (parts, incoming) = answer.into_parts();
        if incoming.size_hint().exact().is_some_and(|length| length <= WHOLE_BYTES) {
            let whole = link.drive(Some(since), incoming.collect()).await??.to_bytes();
            self.keep(link).await;
            return Ok(Response::from_parts(parts, AnswerBody::Whole(whole)));
        }
        let (pieces, streamed) = mpsc::channel(PIECES);
        self.tenure.run(stream(Arc::clone(self), link, incoming, pieces));
        Ok(Response::from_parts(parts, AnswerBody::Streamed(streamed)))
    }
}

/// For how long an answer that is waited for since then may still be waited for.
fn left(since: Uptime) -> Duration {
    (since + ANSWER_LIMIT).since(clock::uptime())
}

/// Passes a long answer back piece by piece.
async fn stream(
    pool: Arc<Pool>,
    mut link: Link,
    mut incoming: Incoming,
    pieces: mpsc::Sender<io::Result<Frame<Bytes>>>,
) {
    // For however long it takes; it ends with the tenure.
    while let Ok(Some(piece)) = link.drive(None, incoming.frame()).await {
        let broken = piece.is_err();
        // The collector hung up, or there is nothing more.
        if pieces.send(piece.map_err(io::Error::other)).await.is_err() || broken {
            return;
        }
    }
    pool.keep(link).await;
}

impl Link {
    /// Sends a request; a failure gives it back if nothing of it was sent.
    async fn ask(
        mut self,
        request: Request<Full<Bytes>>,
        since: Uptime,
    ) -> Result<(Response<Incoming>, Self), (Failure, Option<Box<Request<Full<Bytes>>>>)> {
        let asking = self.sender.try_send_request(request);
        match self.drive(Some(since), asking).await {
            Ok(Ok(answer)) => Ok((answer, self)),
            Ok(Err(mut refused)) => {
                let unsent = refused.take_message().map(Box::new);
                Err((refused.into_error().into(), unsent))
            }
            Err(given_up) => Err((given_up, None)),
        }
    }

    /// Waits for `work`, which moves on as the wire does: until the tenure ends, and for as long as an answer may take
    /// from `since`, if that is given.
    async fn drive<W: Future>(&mut self, since: Option<Uptime>, work: W) -> Result<W::Output, Failure> {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(done));
            }
            self.move_on(context);
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(done));
            }
            if self.ended.poll_next_unpin(context).is_ready() {
                return Poll::Ready(Err(NotPermitted.into()));
            }
            match since {
                Some(since) => self.poll_overdue(since, context).map(|()| Err(Overdue.into())),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Ready once an answer that is waited for since then is overdue.
    fn poll_overdue(&mut self, since: Uptime, context: &mut Context<'_>) -> Poll<()> {
        while self.timer.as_mut().poll(context).is_ready() {
            let left = left(since);
            if left.is_zero() {
                return Poll::Ready(());
            }
            // It was set for a request before.
            self.timer = Box::pin(sleep(left));
        }
        Poll::Pending
    }

    /// Lets the wire do what it can; how it ends is heard of by whoever waits for it.
    fn move_on(&mut self, context: &mut Context<'_>) {
        if !self.over {
            self.over = self.wire.as_mut().poll(context).is_ready();
        }
    }

    /// Lets the wire come to rest; whether it may be used again.
    async fn settle(&mut self) -> bool {
        poll_fn(|context| {
            self.move_on(context);
            Poll::Ready(!self.over && self.sender.is_ready())
        })
        .await
    }
}

/// The body of a destination's answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// All of it.
    Whole(Bytes),
    /// Piece by piece; cut off when the permission to send ends.
    Streamed(mpsc::Receiver<io::Result<Frame<Bytes>>>),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Streamed(pieces) => pieces.poll_recv(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Streamed(_) => SizeHint::default(),
        }
    }
}
