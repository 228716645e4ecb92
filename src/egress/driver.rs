//! Opens the gate, and has its parts work until the end.

use std::{io, sync::Arc};

use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    body::Memory,
    destinations::{Destinations, Means},
    follower::{Before, Follower},
    gate::Gate,
    keeper::{self, Keeper, Works, keeper},
    machine::proof::Proofs,
    news::Newsroom,
    telling::{Outlets, Setup, Telling},
    via::GateName,
    view::View,
};
use crate::{
    clock,
    domain::{
        CollectorSettings, GateCoverage, GateSettings, Health, Membership, OnOrder, Standing, Uptime, Waiting,
    },
    recorder::Recorder,
    store::{Buffer, Opened, PutAside, Store, StoreError, Writes},
    tls::Authorities,
};

/// Why the gate could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The buffer cannot be opened.
    #[error("the buffer egress.db cannot be opened")]
    Buffer(#[from] StoreError),
    /// The system refused what is needed.
    #[error("the system refused a timer")]
    System(#[from] io::Error),
}

/// The gate at work: follows orders until it is told to stop.
#[derive(Debug)]
pub struct Egress {
    store: Store,
    settings: GateSettings,
    name: GateName,
    views: watch::Sender<Arc<View>>,
    outlets: Outlets,
    wake: Arc<Notify>,
    authorities: Authorities,
    buffer: Buffer,
    keeper: Keeper,
    works: Works,
    /// What waits since before this start.
    waiting: Vec<Waiting>,
    /// The group that it was kept in.
    membership: Option<Membership>,
    /// The buffer that was there before, if it could not be used.
    put_aside: Option<PutAside>,
    /// Whether the collector is stopped and started again at each change of its order.
    restarts: bool,
}

impl Egress {
    /// Opens the gate and its buffer, beside the store. Nothing is sent until [`Egress::run`].
    ///
    /// # Errors
    /// When the buffer cannot be opened.
    pub async fn open(store: Store, settings: GateSettings) -> Result<Self, OpenError> {
        let Opened { buffer, waiting, membership, put_aside } =
            Buffer::open(store.folder(), clock::now().wall).await?;
        let (keeper, works) = keeper();
        // Whoever has destinations is to be waited for, from the beginning.
        let gated = store.has_data_endpoints().await?;
        let obeyed = if gated { 0 } else { Health::NOTHING_PROTECTED.obeyed };
        let outlets = Outlets {
            health: watch::Sender::new(Health { obeyed, gated, ..Health::NOTHING_PROTECTED }),
            coverage: watch::Sender::new(GateCoverage::new()),
            delivered: watch::Sender::new(None),
        };
        Ok(Self {
            settings,
            name: GateName::new(),
            views: watch::Sender::new(Arc::default()),
            outlets,
            wake: Arc::default(),
            authorities: Authorities::default(),
            buffer,
            keeper,
            works,
            waiting,
            membership,
            put_aside,
            restarts: false,
            store,
        })
    }

    /// The same, with `authorities` trusted beside the system's.
    #[must_use]
    pub fn trusting(mut self, authorities: Authorities) -> Self {
        self.authorities = authorities;
        self
    }

    /// The same, beside the collector that is supervised, if one is.
    #[must_use]
    pub fn beside(mut self, collector: Option<&CollectorSettings>) -> Self {
        self.restarts = collector.is_some_and(|collector| collector.on_order == OnOrder::Restart);
        self
    }

    /// Where requests go in.
    #[must_use]
    pub fn gate(&self) -> Gate {
        let memory = Memory::new(self.settings.memory_bytes);
        Gate::new(self.name.clone(), self.views.subscribe(), self.keeper.clone(), memory)
    }

    /// Which order is obeyed, and up to when everything is settled.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.outlets.health.subscribe()
    }

    /// What a Primary's gate has received and settled; empty otherwise.
    #[must_use]
    pub fn coverage(&self) -> watch::Receiver<GateCoverage> {
        self.outlets.coverage.subscribe()
    }

    /// When it last delivered something under its last permission to; empty before the first.
    #[must_use]
    pub fn delivered(&self) -> watch::Receiver<Option<Uptime>> {
        self.outlets.delivered.subscribe()
    }

    /// How the writes of its buffer do.
    #[must_use]
    pub fn buffer_writes(&self) -> Writes {
        self.buffer.writes().clone()
    }

    /// Tells the gate that its destinations changed. It carries nothing: the store is read again.
    #[must_use]
    pub fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Follows `standing` until `stop`, closing after those who stop `before` it. Then it writes what is still to be
    /// written.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn run(
        self,
        standing: watch::Receiver<Standing>,
        before: Before,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let boot = clock::boot_id()?;
        let waiting = self.waiting.into_iter().map(|found| (found.destination.clone(), found)).collect();
        let newsroom = Newsroom::new(Recorder::start(self.store.clone()));
        let mut warnings = Vec::new();
        if let Some(PutAside { name, error }) = &self.put_aside {
            tracing::error!(%error, name, "the buffer egress.db cannot be used, and was put aside");
            let what = format!(
                "the gate's buffer cannot be used ({error}) and was put aside as {name}; what waits in it is not sent"
            );
            newsroom.tell_damage(&standing.borrow(), what.clone());
            warnings.push(format!("{}.", what.replacen("the", "The", 1)));
        }
        let GateSettings { score_when_down, hold_back, .. } = self.settings;
        let setup = Setup { score_when_down, restarts: self.restarts, hold_back, warnings };
        let mut follower = Follower {
            view: View::default(),
            destinations: Destinations::new(Means {
                store: self.store,
                gate: self.name,
                hold_back,
                boot: boot.clone(),
                at_once: self.settings.drain_concurrency,
                authorities: self.authorities,
                views: self.views.subscribe(),
                reader: self.buffer.reader(),
                keeper: self.keeper.clone(),
                waiting,
            }),
            views: self.views,
            keeper: self.keeper.clone(),
            before,
            telling: Telling::new(self.outlets, newsroom, setup, boot.clone()),
            boot: boot.clone(),
            proofs: Proofs::new(self.membership, boot.clone()),
        };
        let mut writing = JoinSet::new();
        writing.spawn(keeper::run(self.buffer, self.works, boot));
        let followed = follower.run(standing, &self.wake, &stop).await;
        follower.end().await;
        self.keeper.stop();
        while let Some(ended) = writing.join_next().await {
            match ended {
                Ok(buffer) => buffer.close().await,
                Err(error) => tracing::error!(%error, "the buffer's writer did not end well"),
            }
        }
        followed
    }
}
