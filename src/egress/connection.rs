//! Connections that end with the permission they were opened under.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    Uri,
    rt::{Read, ReadBufCursor, Write},
};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};
use tower::Service;

use crate::{
    clock,
    domain::{Acting, Uptime},
};

/// A time in which this adapter may send, from one order to the next. Its deadline moves; once it is over it
/// stays so.
#[derive(Debug)]
pub(super) struct Tenure {
    /// Nanoseconds of uptime; the largest number: without an end.
    deadline_ns: AtomicU64,
    /// What each write reads.
    is_over: AtomicBool,
    /// What whoever waits hears.
    over: CancellationToken,
    connections: TaskTracker,
}

impl Tenure {
    pub(super) fn new(acting: Acting) -> Arc<Self> {
        let tenure = Self {
            deadline_ns: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            over: CancellationToken::new(),
            connections: TaskTracker::new(),
        };
        tenure.renew(acting);
        Arc::new(tenure)
    }

    /// Moves the deadline.
    pub(super) fn renew(&self, acting: Acting) {
        let deadline = match acting {
            Acting::No => 0,
            Acting::Until(at) => nanos(at),
            Acting::Unbounded => u64::MAX,
        };
        self.deadline_ns.store(deadline, Ordering::Release);
    }

    /// When it ends without anybody saying so.
    pub(super) fn deadline(&self) -> Option<Uptime> {
        let deadline = self.deadline_ns.load(Ordering::Acquire);
        (deadline != u64::MAX).then(|| Uptime::new(Duration::from_nanos(deadline)))
    }

    /// Whether something may be sent now.
    pub(super) fn permits(&self) -> bool {
        let deadline = self.deadline_ns.load(Ordering::Acquire);
        let is_over = self.is_over.load(Ordering::Acquire);
        !is_over && (deadline == u64::MAX || nanos(clock::uptime()) < deadline)
    }

    /// Returns once it is over. It may outlive whoever asks.
    pub(super) fn ended(&self) -> WaitForCancellationFutureOwned {
        self.over.clone().cancelled_owned()
    }

    /// Does `work` in the background until it is over.
    pub(super) fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.connections.spawn(self.over.clone().run_until_cancelled_owned(work));
    }

    /// Ends it: whoever waits for an answer gives it up, and nothing is sent any more.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        self.over.cancel();
        self.connections.close();
    }

    /// Returns when, after the end, every connection of it is gone.
    pub(super) async fn gone(&self) {
        self.connections.wait().await;
    }
}

fn nanos(at: Uptime) -> u64 {
    u64::try_from(at.since_boot().as_nanos()).unwrap_or(u64::MAX - 1)
}

/// Opens connections of one tenure.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tenure: Arc<Tenure>,
}

impl Connector {
    pub(super) fn new(tcp: HttpConnector, tenure: Arc<Tenure>) -> Self {
        Self { tcp, tenure }
    }
}

type Connecting = Pin<Box<dyn Future<Output = Result<Guarded, io::Error>> + Send>>;

impl Service<Uri> for Connector {
    type Response = Guarded;
    type Error = io::Error;
    type Future = Connecting;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_ready(context).map_err(io::Error::other)
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        let (connecting, tenure) = (self.tcp.call(uri), Arc::clone(&self.tenure));
        Box::pin(async move {
            let stream = connecting.await.map_err(io::Error::other)?;
            let alive = tenure.connections.token();
            Ok(Guarded { stream, tenure, _alive: alive })
        })
    }
}

/// A connection that reads its deadline before each write. When its tenure is over, what the kernel has not
/// sent yet is thrown away with it.
#[derive(Debug)]
pub(super) struct Guarded {
    stream: TokioIo<TcpStream>,
    tenure: Arc<Tenure>,
    /// Whoever ends the tenure waits until it is gone.
    _alive: TaskTrackerToken,
}

impl Guarded {
    fn check(&self) -> io::Result<()> {
        if self.tenure.permits() { Ok(()) } else { Err(io::Error::other(NotPermitted)) }
    }
}

/// Why a write was not made, or an answer is not waited for.
#[derive(Debug, thiserror::Error)]
#[error("the permission to send has ended")]
pub(super) struct NotPermitted;

impl Drop for Guarded {
    fn drop(&mut self) {
        if !self.tenure.permits()
            && let Err(error) = self.stream.inner().set_zero_linger()
        {
            tracing::debug!(%error, "a connection could not be cut short");
        }
    }
}

impl Connection for Guarded {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl Read for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;

    #[tokio::test]
    async fn nothing_is_written_past_the_deadline_although_nobody_ends_the_tenure() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let tenure = Tenure::new(Acting::Unbounded);
        let mut guarded =
            Connector::new(HttpConnector::new(), Arc::clone(&tenure)).call(address).await.unwrap();
        let (mut destination, _) = listener.accept().await.unwrap();
        let mut write = async |bytes: &'static [u8]| {
            poll_fn(|context| Pin::new(&mut guarded).poll_write(context, bytes)).await
        };
        assert_eq!(write(b"half of a body").await.unwrap(), 14);
        let mut received = [0; 14];
        destination.read_exact(&mut received).await.unwrap();

        tenure.renew(Acting::Until(clock::uptime()));
        let refused = write(b"the rest").await.unwrap_err();
        assert!(refused.get_ref().is_some_and(|why| why.is::<NotPermitted>()), "{refused:?}");
        drop(guarded);
        let cut = destination.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::ConnectionReset);
    }
}
