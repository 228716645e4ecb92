//! Serves connections until it is told to stop.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use axum::{body::Body, extract::ConnectInfo};
use futures_util::stream::{FuturesUnordered, StreamExt};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    kit::Interface,
    patience::{Answered, HEAD_LIMIT, Pace, Patience},
    traffic::{Traffic, Unheard},
};

/// How long requests under way may take to end after the stop.
const DRAIN: Duration = Duration::from_secs(1);

/// The wait after the system refused a connection: mostly, none can be opened until another is closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Request line and headers together, in bytes, and the number of headers: some times what a browser
/// behind a proxy sends.
const HEAD_BYTES: usize = 32 * 1024;
const HEADERS: usize = 100;

/// What a connection reads and writes at once.
const BUFFER: usize = 64 * 1024;

/// Answers on `listener` until `stop`; then ends idle connections at once, and others within a second.
///
/// # Errors
/// Never yet; what goes wrong with one connection ends that one.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Interface,
    traffic: Traffic,
    stop: CancellationToken,
) -> io::Result<()> {
    let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
    loop {
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_the_peer(&error) => continue,
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted; it is tried again");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let Some(admission) = traffic.crowd.admit(peer.ip()) else {
            traffic.unheard(Unheard::TooMany);
            tracing::warn!(from = %peer, "there are too many connections; another was refused");
            continue;
        };
        // A nudge is a small packet that must not wait for the receipt of the one before it.
        stream.set_nodelay(true).ok();
        let (tls, router, traffic) = (tls.clone(), router.clone(), traffic.clone());
        let (stop, cut) = (stop.clone(), cut.clone());
        connections.spawn(async move {
            tokio::select! {
                biased;
                () = connection(stream, peer, tls, router, &traffic, stop) => {}
                () = seldom(cut.cancelled()) => {}
            }
            drop(admission);
        });
    }
    connections.close();
    if timeout(DRAIN, connections.wait()).await.is_err() {
        tracing::info!("connections that were still busy are cut off");
        cut.cancel();
        connections.wait().await;
    }
    Ok(())
}

/// A connection that was given up before it was accepted says nothing about this server.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// `wait`, which is asked again only when it has something to say, however often whoever else is waited for has.
async fn seldom(wait: impl Future<Output = ()>) {
    FuturesUnordered::from_iter([wait]).next().await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Interface,
    traffic: &Traffic,
    stop: CancellationToken,
) {
    let Some(tls) = tls else { return speak(stream, peer, router, traffic, stop).await };
    match timeout(HEAD_LIMIT, tls.accept(stream)).await {
        Ok(Ok(stream)) => return speak(stream, peer, router, traffic, stop).await,
        // As who only looks whether somebody listens: not worth a line each time.
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            tracing::debug!(from = %peer, "a TLS handshake was given up");
        }
        Ok(Err(error)) => tracing::warn!(from = %peer, %error, "a TLS handshake failed"),
        Err(_elapsed) => tracing::warn!(from = %peer, "a TLS handshake took too long"),
    }
    traffic.unheard(Unheard::Handshake);
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: SocketAddr,
    router: Interface,
    traffic: &Traffic,
    stop: CancellationToken,
) {
    let patience = Patience::new(stream);
    let pace = patience.pace();
    let at = pace.clone();
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        let (router, answering) = (router.clone(), pace.begin());
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(pace.clone());
        let has_body = !request.body().is_end_stream();
        async move {
            let response = router.answer(request.map(Body::new)).await;
            if has_body && !response.status().is_success() {
                // Who refuses may have left the body unread. Before it writes the head hyper takes note: it reads the
                // rest if that has come, or ends the connection after this answer and says `Connection: close`.
                yield_now().await;
            }
            Ok::<_, Infallible>(response.map(|body| Answered::new(body, answering)))
        }
    });
    let mut builder = http1::Builder::new();
    builder.max_headers(HEADERS).max_header_size(HEAD_BYTES).max_buf_size(BUFFER).header_read_timeout(None);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(patience), service));
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = seldom(stop.cancelled()) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    let error = ended.err();
    if let Some((why, what)) = unheard(error.as_ref(), &at) {
        traffic.unheard(why);
        tracing::warn!(from = %peer, error = error.map(tracing::field::display), "a connection was ended: {what}");
    } else if let Some(error) = error {
        tracing::debug!(from = %peer, %error, "a connection broke");
    }
}

/// Why a connection was ended that went beyond a limit or spoke no HTTP; it was at `pace` then.
fn unheard(error: Option<&hyper::Error>, pace: &Pace) -> Option<(Unheard, &'static str)> {
    if pace.is_silent() {
        return Some((Unheard::Silent, "nothing was said on it"));
    }
    let error = error?;
    if error.is_parse() {
        return Some((Unheard::Malformed, "what it sent is no HTTP, or its head is too large"));
    }
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    if cause.is_none_or(|cause| cause.kind() != io::ErrorKind::TimedOut) {
        return None;
    }
    if pace.is_in_head() {
        return Some((Unheard::SlowHead, "the head of a request was not complete in time"));
    }
    pace.is_given_up().then_some((Unheard::NotTaken, "an answer was not taken in time"))
}
