//! Wiring and shutdown: which rooms there are, in which order they begin and end.

pub mod check;
mod entrance;
mod status;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::{JoinError, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use entrance::{Entrance, Open};
use status::Status;

use crate::{
    auth::IssuerError,
    clock::{self, Alarm},
    collector::{Collector, Place},
    domain::{Health, Standing},
    egress::{self, Egress},
    endpoint::{self, Endpoint},
    http::{self, AdapterHalf, adapter::Adapter, interfaces, kit::Routes, metrics::AdapterMetrics},
    orders::{Hook, Orders},
    registration::{Obedience, Registration, StartError},
    reports::{Obeyers, Reports},
    service::{Manager, Rounds},
    settings::{EndpointSettings, HostedEndpoint, KeyFile, ServeSettings},
    store::{DataFolder, FolderError, KeyPlace, KeyState, Store, StoreError},
    telemetry::Repeats,
    tls::TlsError,
};

/// How long the whole end may take, once those who obey orders have stopped: less than the 10 s after which
/// service managers commonly kill.
const STOP_LIMIT: Duration = Duration::from_secs(8);

/// How long the gate may take to obey: its connections are aborted, nothing is waited for.
const GATE_STOPS_WITHIN: Duration = Duration::from_millis(500);

/// The file in the data folder that the guard of the collector holds locked.
const GUARD_LOCK: &str = "guard.lock";

/// How long the database may take to close.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// How often old history is looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// The pause between two batches that are pruned, in which others can write.
const PRUNE_PAUSE: Duration = Duration::from_millis(100);

/// Why a half could not run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The address is taken, or not this machine's.
    #[error(
        "cannot listen on {address} (another server may use it, or this machine may not have it; choose with --listen)"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// It would be open to its network.
    #[error(
        "{listen} can be reached from the network: a server there needs TLS (--tls-cert and --tls-key, or \
         --tls-self-signed) and a login (client-failover user add NAME --role administrator), and {missing}; \
         --insecure allows it all the same"
    )]
    Exposed {
        /// Where it would listen.
        listen: SocketAddr,
        /// What is missing.
        missing: &'static str,
    },
    /// TLS cannot be used as it was asked for.
    #[error("TLS cannot be used")]
    Tls(#[from] TlsError),
    /// The OpenID provider cannot be asked.
    #[error("the OpenID provider of --oidc-issuer cannot be asked")]
    Issuer(#[from] IssuerError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A server uses the data folder whose key is to be rotated.
    #[error(
        "a server uses the data folder {}: stop it, rotate the key, and start it again (an adapter that is stopped hands its role over)",
        .0.display()
    )]
    Running(PathBuf),
    /// There is nothing whose key could be rotated.
    #[error("{} is no data folder of a server", .0.display())]
    NoData(PathBuf),
    /// The store cannot be opened.
    #[error("the store cannot be opened")]
    Store(#[from] StoreError),
    /// The registration cannot start.
    #[error("the registration cannot start")]
    Registration(#[from] StartError),
    /// The egress gate cannot start.
    #[error("the egress gate cannot start")]
    Egress(#[from] egress::OpenError),
    /// The failover endpoint cannot start.
    #[error("the failover endpoint cannot start")]
    Endpoint(#[from] endpoint::OpenError),
    /// The system refused something.
    #[error("the system refused")]
    System(#[from] io::Error),
}

/// Runs the adapter half, and with it the failover endpoint if the settings ask for it, until SIGTERM
/// or Ctrl-C.
///
/// # Errors
/// When it cannot start, or the system refuses something it cannot work without.
pub async fn serve(settings: ServeSettings, repeats: Repeats) -> Result<(), AppError> {
    let signal = stop_signal()?;
    let store = open_store(&settings.data_dir, settings.key_file).await?;
    let entrance = Entrance::prepare(settings.listening, settings.listen, &store).await?;
    let listener = bind(settings.listen).await?;
    let mut half = Half::new(store.clone(), repeats);
    let url = format!("{}://{}", entrance.scheme(), reachable(listener.local_addr()?));
    let hook =
        settings.order.hook.map(|hook| Hook { command: hook.command, limit: hook.timeout, url: url.clone() });
    // Without a hook or a collector, whatever they would have to obey is obeyed.
    let told = watch::Sender::new(if hook.is_some() { 0 } else { u64::MAX });
    let unprotected = || watch::Sender::new(Health::NOTHING_PROTECTED);
    let health = settings
        .collector
        .as_ref()
        .map_or_else(unprotected, |_| watch::Sender::new(Collector::first_health()));
    let egress = Egress::open(store.clone(), settings.egress).await?;
    let egress = egress.trusting(entrance.authorities()).beside(settings.collector.as_ref());
    let before = egress::Before { collector: health.subscribe(), told: told.subscribe() };
    let obeyers = Obeyers { collector: health.subscribe(), gate: egress.health(), told: told.subscribe() };
    let reports = Reports::new(settings.probes, obeyers, entrance.authorities());
    let collectors_stop = settings.collector.as_ref().map_or(Duration::ZERO, Collector::longest_stop);
    let hook_ends = hook.as_ref().map_or(Duration::ZERO, |hook| hook.limit);
    let stops_within = collectors_stop.max(hook_ends).max(GATE_STOPS_WITHIN);
    half.stop_limit += stops_within;
    let obedience = Obedience {
        health: reports.health(),
        coverage: egress.coverage(),
        delivered: egress.delivered(),
        stops_within,
    };
    let registration = Registration::new(store.clone(), settings.endpoint_loss, obedience)
        .await?
        .trusting(entrance.authorities())
        .watched(half.rounds.watch("registration"));
    let standing = registration.standing();
    let orders = Orders::new(standing.clone());
    let adapter = Adapter {
        listen: listener.local_addr()?,
        store: store.clone(),
        standing: standing.clone(),
        wake: registration.wake(),
        gate_wake: egress.wake(),
    };
    let served = AdapterHalf {
        adapter,
        gate: egress.gate(),
        orders: orders.clone(),
        reports: reports.clone(),
        measured: measured(&registration, &egress),
    };
    // These end after the registration, which waits for them to obey.
    if let Some(collector) = settings.collector {
        let place = Place { url, lock: settings.data_dir.join(GUARD_LOCK) };
        let collector = Collector::new(collector, place, store.clone(), standing.clone(), health)?;
        half.workers.spawn(collector.run(half.stop_workers.clone()));
    }
    if let Some(hook) = hook {
        half.workers.spawn(hook.run(orders, told, half.stop_workers.clone()));
    }
    half.workers.spawn(reports.run(store.clone(), standing, half.stop_workers.clone()));
    let hosted = half.host(settings.hosted_endpoint).await?;
    let routes = interfaces(&store, Some(served), hosted);
    // One for the history of both halves: they share the store.
    half.workers.spawn(prune(store, settings.history_days.get(), half.stop_workers.clone()));
    let mut way_in = entrance.open(listener.local_addr()?)?;
    half.keep(&mut way_in, Some(registration.standing()));
    half.status.adapter = Some(registration.standing());
    // The gate outlives the registration, which waits until it has obeyed.
    half.services.spawn(egress.run(registration.standing(), before, half.stop_services.clone()));
    half.workers.spawn(registration.run(half.stop_workers.clone()));
    half.run(listener, way_in, routes, signal).await
}

fn measured(registration: &Registration, egress: &Egress) -> AdapterMetrics {
    AdapterMetrics {
        standing: registration.standing(),
        calls: registration.calls(),
        gate: egress.gate(),
        buffer_writes: egress.buffer_writes(),
    }
}

/// Runs the failover endpoint alone, until SIGTERM or Ctrl-C.
///
/// # Errors
/// As [`serve`].
pub async fn endpoint(settings: EndpointSettings, repeats: Repeats) -> Result<(), AppError> {
    let signal = stop_signal()?;
    let store = open_store(&settings.data_dir, settings.key_file).await?;
    let entrance = Entrance::prepare(settings.listening, settings.listen, &store).await?;
    let listener = bind(settings.listen).await?;
    let mut half = Half::new(store.clone(), repeats);
    let hosted = half.host(Some(settings.endpoint)).await?;
    let routes = interfaces(&store, None, hosted);
    half.workers.spawn(prune(store, settings.history_days.get(), half.stop_workers.clone()));
    let mut way_in = entrance.open(listener.local_addr()?)?;
    half.keep(&mut way_in, None);
    half.run(listener, way_in, routes, signal).await
}

/// Seals everything in a data folder with a new key, for `by` as the audit trail names him; gives the number of sealed
/// values.
///
/// # Errors
/// When a server uses the folder, its key does not open everything, or folder or key cannot be written.
pub async fn rotate_key(folder: &Path, key_file: Option<PathBuf>, by: String) -> Result<u64, AppError> {
    if !DataFolder::is_one(folder) {
        return Err(AppError::NoData(folder.to_owned()));
    }
    let held = match DataFolder::hold_as_owner(folder) {
        Err(FolderError::InUse(folder)) => return Err(AppError::Running(folder)),
        held => held?,
    };
    let held = held.with_key(key_file.map_or(KeyPlace::Folder, KeyPlace::File));
    Ok(Store::rotate_key(held, by, clock::now().wall).await?)
}

/// A process at work. Its workers end before its services: the registration says farewell, which an
/// endpoint of this same process must still answer.
struct Half {
    store: Store,
    workers: JoinSet<io::Result<()>>,
    stop_workers: CancellationToken,
    services: JoinSet<io::Result<()>>,
    stop_services: CancellationToken,
    rounds: Rounds,
    status: Status,
    /// How long all this may take.
    stop_limit: Duration,
}

impl Half {
    fn new(store: Store, repeats: Repeats) -> Self {
        let stop_services = CancellationToken::new();
        let mut services = JoinSet::new();
        services.spawn(repeats.tell(stop_services.clone()));
        Self {
            store,
            workers: JoinSet::new(),
            stop_workers: CancellationToken::new(),
            services,
            stop_services,
            rounds: Rounds::default(),
            status: Status::default(),
            stop_limit: STOP_LIMIT,
        }
    }

    /// Hosts a failover endpoint, if one is to be.
    async fn host(&mut self, hosted: Option<HostedEndpoint>) -> Result<Option<Endpoint>, AppError> {
        let Some(hosted) = hosted else { return Ok(None) };
        let settings = endpoint::Settings {
            session_retention: hosted.session_retention,
            choosing: endpoint::Choosing { margin: hosted.margin, dwell: hosted.dwell },
        };
        let endpoint = Endpoint::open(self.store.clone(), settings).await?;
        self.status.endpoint = Some(endpoint.clone());
        let (rounds, stop) = (self.rounds.clone(), self.stop_services.clone());
        let running = endpoint.clone();
        self.services.spawn(async move { running.run_watched(&rounds, stop).await });
        Ok(Some(endpoint))
    }

    /// Keeps the way in as it should be.
    fn keep(&mut self, way_in: &mut Open, standing: Option<watch::Receiver<Standing>>) {
        way_in.keep(&mut self.services, standing, &self.stop_services);
    }

    /// Serves until `signal` or a failure, then ends everything in order.
    async fn run(
        mut self,
        listener: TcpListener,
        way_in: Open,
        routes: Routes,
        signal: impl Future<Output = ()>,
    ) -> Result<(), AppError> {
        let traffic = way_in.door.traffic().clone();
        let router = routes.build(way_in.door);
        self.services.spawn(http::serve(listener, way_in.tls, router, traffic, self.stop_services.clone()));
        let (manager, stop) = (Manager::of_environment(), self.stop_services.clone());
        manager.ready();
        let outcome = tokio::select! {
            () = signal => Ok(()),
            Some(ended) = self.workers.join_next() => flat(ended),
            Some(ended) = self.services.join_next() => flat(ended),
            attended = manager.attend(&self.rounds, || self.status.text(), &stop) => attended,
        };
        manager.stopping();
        tracing::info!("stopping");
        if timeout(self.stop_limit, self.end()).await.is_err() {
            tracing::error!("something does not end; the process ends without it");
        }
        Ok(outcome?)
    }

    /// Ends everything in order. What went wrong on the way is said, and the rest is ended all the same.
    async fn end(&mut self) {
        self.stop_workers.cancel();
        while let Some(ended) = self.workers.join_next().await {
            say(flat(ended));
        }
        self.stop_services.cancel();
        while let Some(ended) = self.services.join_next().await {
            say(flat(ended));
        }
        // The next start folds the log in where a hanging disk keeps this one from it.
        if timeout(CLOSE_WAIT, self.store.close()).await.is_err() {
            tracing::warn!("the database could not be closed in time");
        }
    }
}

fn say(ended: io::Result<()>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a part of the server did not end well");
    }
}

fn flat(ended: Result<io::Result<()>, JoinError>) -> io::Result<()> {
    ended.map_err(io::Error::other)?
}

async fn bind(address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address).await.map_err(|source| AppError::Listen { address, source })
}

/// The address for somebody on this machine: one that listens everywhere listens on loopback, too.
fn reachable(address: SocketAddr) -> SocketAddr {
    let loopback: IpAddr =
        if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    let ip = if address.ip().is_unspecified() { loopback } else { address.ip() };
    SocketAddr::new(ip, address.port())
}

async fn open_store(folder: &Path, key: Option<KeyFile>) -> Result<Store, AppError> {
    let store = Store::open(DataFolder::hold(folder)?.with_key(key_place(key))).await?;
    if let KeyState::Unusable(why) = store.key_state() {
        tracing::error!("secrets cannot be read: {why}; everything else is served");
    }
    Ok(store)
}

/// Where the key is that the settings mean.
fn key_place(key: Option<KeyFile>) -> KeyPlace {
    match key {
        None => KeyPlace::Folder,
        Some(KeyFile::Named(path)) => KeyPlace::File(path),
        Some(KeyFile::Credential(path)) => KeyPlace::Credential(path),
    }
}

/// Removes history that is older than `days`, in small batches, until `stop`.
async fn prune(store: Store, days: u32, stop: CancellationToken) -> io::Result<()> {
    let mut alarm = Alarm::new()?;
    let kept = Duration::from_secs(u64::from(days) * 86_400);
    loop {
        let pruned = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            pruned = store.prune_history(clock::now().wall.minus(kept)) => pruned,
        };
        let more = pruned.unwrap_or_else(|error| {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_on_this_machine_reaches_this_one_wherever_it_listens() {
        for (listens, reached) in [
            ("127.0.0.1:5590", "127.0.0.1:5590"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:5590", "[::1]:5590"),
            ("192.0.2.1:5590", "192.0.2.1:5590"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
