//! A half at work: what runs beside each other, and in which order it ends.

use std::{io, time::Duration};

use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinError, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{AppError, entrance::Open, status::Status};
use crate::{
    domain::Standing,
    endpoint::{self, Endpoint},
    http::{self, kit::Routes},
    service::{Manager, Rounds},
    settings::HostedEndpoint,
    store::Store,
    telemetry::Repeats,
};

/// How long the whole end may take, once those who obey orders have stopped: less than the 10 s after which
/// service managers commonly kill.
const STOP_LIMIT: Duration = Duration::from_secs(8);

/// How long the database may take to close.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// A process at work. Its workers end before its services: the registration says farewell, which an
/// endpoint of this same process must still answer.
pub(super) struct Half {
    store: Store,
    pub(super) workers: JoinSet<io::Result<()>>,
    pub(super) stop_workers: CancellationToken,
    pub(super) services: JoinSet<io::Result<()>>,
    pub(super) stop_services: CancellationToken,
    pub(super) rounds: Rounds,
    pub(super) status: Status,
    /// How long all this may take.
    pub(super) stop_limit: Duration,
}

impl Half {
    /// Nothing yet but what tells of lines that were passed over.
    pub(super) fn new(store: Store, repeats: Repeats) -> Self {
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
    pub(super) async fn host(
        &mut self,
        hosted: Option<HostedEndpoint>,
    ) -> Result<Option<Endpoint>, AppError> {
        let Some(hosted) = hosted else { return Ok(None) };
        let settings = endpoint::Settings {
            session_retention: hosted.session_retention,
            choosing: endpoint::Choosing { margin: hosted.margin, dwell: hosted.dwell },
        };
        let endpoint = Endpoint::open(self.store.clone(), settings).await?;
        self.status.endpoint = Some(endpoint.clone());
        self.services.spawn(endpoint.clone().run(&self.rounds, self.stop_services.clone()));
        Ok(Some(endpoint))
    }

    /// Keeps the way in as it should be.
    pub(super) fn keep(&mut self, way_in: &mut Open, standing: Option<watch::Receiver<Standing>>) {
        way_in.keep(&mut self.services, standing, &self.stop_services);
    }

    /// Serves until `signal` or a failure, then ends everything in order.
    pub(super) async fn run(
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
