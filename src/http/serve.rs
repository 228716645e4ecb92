//! Serves connections until it is told to stop.

use std::{io, net::SocketAddr, time::Duration};

use axum::{Router, serve::ListenerExt};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

/// How long requests under way may take to end after the stop.
const DRAIN: Duration = Duration::from_secs(1);

/// Answers on `listener` until `stop`; then ends idle connections at once, and others within a second.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> io::Result<()> {
    // A nudge is a small packet that must not wait for the receipt of the one before it.
    let listener = listener.tap_io(|connection| {
        connection.set_nodelay(true).ok();
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    let mut serving = std::pin::pin!(serving.into_future());
    tokio::select! {
        ended = &mut serving => return ended,
        () = stop.cancelled() => {}
    }
    timeout(DRAIN, serving).await.unwrap_or_else(|_elapsed| {
        tracing::info!("connections that were still busy are cut off");
        Ok(())
    })
}
