//! Wiring and shutdown: which rooms there are, in which order they begin and end.

pub mod check;
mod entrance;
mod error;
mod half;
mod reminder;
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
};
use tokio_util::sync::CancellationToken;

pub use error::AppError;

use entrance::Entrance;
use half::Half;

use crate::{
    clock::{self, Alarm},
    collector::{Collector, Place},
    domain::Health,
    egress::{self, Egress},
    http::{AdapterHalf, adapter::Adapter, interfaces, metrics::AdapterMetrics},
    orders::{Hook, Orders},
    registration::{Obedience, Registration},
    reports::{Obeyers, Reports},
    settings::{EndpointSettings, KeyFile, ServeSettings},
    store::{DataFolder, FolderError, KeyPlace, KeyState, Store},
    telemetry::Repeats,
};

/// How long the gate may take to obey: its connections are aborted, nothing is waited for.
const GATE_STOPS_WITHIN: Duration = Duration::from_millis(500);

/// The file in the data folder that the guard of the collector holds locked.
const GUARD_LOCK: &str = "guard.lock";

/// How often old history is looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);

/// The pause between two batches that are pruned, in which others can write.
const PRUNE_PAUSE: Duration = Duration::from_millis(100);

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
    let obeyers = Obeyers { collector: health.subscribe(), gate: egress.health(), told: told.subscribe() };
    let reports = Reports::new(settings.probes, obeyers, entrance.authorities());
    let connected = reports.connected();
    let before = egress::Before { collector: health.subscribe(), told: told.subscribe(), connected };
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
    let pulse = half.rounds.watch("registration");
    let registration = Registration::new(store.clone(), settings.endpoint_loss, obedience, pulse)
        .await?
        .trusting(entrance.authorities());
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
