//! Wiring and shutdown: which rooms there are, in which order they begin and end.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{self, Alarm},
    http::{
        self,
        adapter::{self, Adapter},
        health,
        kit::Routes,
    },
    registration::{Registration, StartError},
    settings::{EndpointSettings, ServeSettings},
    store::{DataFolder, FolderError, KeyState, Store, StoreError},
};

/// How often old history is looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// The pause between two batches that are pruned, in which others can write.
const PRUNE_PAUSE: Duration = Duration::from_millis(100);

/// Why a half could not run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The store cannot be opened.
    #[error("the store cannot be opened")]
    Store(#[from] StoreError),
    /// The registration cannot start.
    #[error("the registration cannot start")]
    Registration(#[from] StartError),
    /// The system refused something.
    #[error("the system refused")]
    System(#[from] io::Error),
}

/// Runs the adapter half, and with it the failover endpoint if the settings ask for it, until SIGTERM
/// or Ctrl-C.
///
/// # Errors
/// When it cannot start, or the system refuses something it cannot work without.
pub async fn serve(settings: ServeSettings) -> Result<(), AppError> {
    let signal = stop_signal()?;
    let listener = bind(settings.listen).await?;
    let store = open_store(&settings.data_dir).await?;
    let registration = Registration::new(store.clone(), settings.endpoint_loss).await?;
    let adapter =
        Adapter { store: store.clone(), standing: registration.standing(), wake: registration.wake() };
    let routes = health::routes(store.clone()).merge(adapter::routes(adapter));

    let mut half = Half::new(store.clone());
    let stop = half.stop.clone();
    half.workers.spawn(prune(store, settings.history_days.get(), stop.clone()));
    half.workers.spawn(registration.run(stop));
    half.run(listener, routes, signal).await
}

/// Runs the failover endpoint alone, until SIGTERM or Ctrl-C.
///
/// # Errors
/// As [`serve`].
pub async fn endpoint(settings: EndpointSettings) -> Result<(), AppError> {
    let signal = stop_signal()?;
    let listener = bind(settings.listen).await?;
    let store = open_store(&settings.data_dir).await?;
    let routes = health::routes(store.clone());
    Half::new(store).run(listener, routes, signal).await
}

/// A process at work: its workers, and what tells them to stop.
struct Half {
    store: Store,
    workers: JoinSet<io::Result<()>>,
    stop: CancellationToken,
}

impl Half {
    fn new(store: Store) -> Self {
        Self { store, workers: JoinSet::new(), stop: CancellationToken::new() }
    }

    /// Serves until `signal` or a failure, then ends everything in order.
    async fn run(
        mut self,
        listener: TcpListener,
        routes: Routes,
        signal: impl Future<Output = ()>,
    ) -> Result<(), AppError> {
        let stop_http = CancellationToken::new();
        let mut serving = JoinSet::new();
        tracing::info!("listening on http://{}", listener.local_addr()?);
        serving.spawn(http::serve(listener, routes.build(), stop_http.clone()));
        let outcome = tokio::select! {
            () = signal => Ok(()),
            Some(ended) = self.workers.join_next() => flat(ended),
            Some(ended) = serving.join_next() => flat(ended),
        };
        tracing::info!("stopping");
        // The workers end first: the registration says farewell, which an endpoint of this same process
        // must still answer.
        self.stop.cancel();
        while let Some(ended) = self.workers.join_next().await {
            flat(ended)?;
        }
        stop_http.cancel();
        while let Some(ended) = serving.join_next().await {
            flat(ended)?;
        }
        self.store.close().await;
        Ok(outcome?)
    }
}

fn flat(ended: Result<io::Result<()>, JoinError>) -> io::Result<()> {
    ended.map_err(io::Error::other)?
}

async fn bind(address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address).await.map_err(|source| AppError::Listen { address, source })
}

async fn open_store(folder: &std::path::Path) -> Result<Store, AppError> {
    let store = Store::open(DataFolder::hold(folder)?).await?;
    if let KeyState::Unusable(why) = store.key_state() {
        tracing::error!("secrets cannot be read: {why}; everything else is served");
    }
    Ok(store)
}

/// Removes history that is older than `days`, in small batches, until `stop`.
async fn prune(store: Store, days: u32, stop: CancellationToken) -> io::Result<()> {
    let mut alarm = Alarm::new()?;
    let kept = Duration::from_secs(u64::from(days) * 86_400);
    loop {
        let more = store.prune_history(clock::now().wall.minus(kept)).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "old history could not be removed");
            false
        });
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            waited = alarm.after(if more { PRUNE_PAUSE } else { PRUNE_EVERY }) => waited?,
        }
    }
}

/// Ends when the process is told to stop.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
