//! Follows the orders: opens and ends the time in which the gate sends, and says which order is obeyed.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use tokio::{
    select,
    sync::{Notify, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    connection::Tenure,
    forward::{Destination, Stamp},
    gate::Gate,
    keeper::{self, Keeper, Works, keeper},
    lane::Lane,
    news::Newsroom,
    sender::Sender,
    view::{Route, View},
};
use crate::{
    clock::{self, Alarm},
    domain::{AdapterState, BootId, Coverage, Health, Order, Proof, Standing, Uptime, Waiting, Wall},
    recorder::Recorder,
    store::{Buffer, BufferReader, Store, StoreError},
    tls::Authorities,
};

/// How often it is said what has been received and settled.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How soon destinations that could not be read are read again.
const REREAD: Duration = Duration::from_secs(1);

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
    boot: BootId,
    /// How long a collector may keep a sample before it hands it in.
    hold_back: Duration,
    views: watch::Sender<Arc<View>>,
    health: watch::Sender<Health>,
    coverage: watch::Sender<Option<Coverage>>,
    wake: Arc<Notify>,
    authorities: Authorities,
    buffer: Buffer,
    reader: BufferReader,
    keeper: Keeper,
    works: Works,
    /// What waits since before this start, by destination.
    waiting: HashMap<String, Waiting>,
}

impl Egress {
    /// Opens the gate and its buffer, beside the store. Nothing is sent until [`Egress::run`].
    ///
    /// # Errors
    /// When the buffer cannot be opened.
    pub async fn open(store: Store, hold_back: Duration) -> Result<Self, OpenError> {
        let (buffer, waiting) = Buffer::open(store.folder()).await?;
        let (keeper, works) = keeper();
        Ok(Self {
            boot: clock::boot_id()?,
            hold_back,
            views: watch::Sender::new(Arc::default()),
            health: watch::Sender::new(Health::NOTHING_PROTECTED),
            coverage: watch::Sender::new(None),
            wake: Arc::default(),
            authorities: Authorities::default(),
            reader: buffer.reader(),
            buffer,
            keeper,
            works,
            waiting: waiting.into_iter().map(|found| (found.destination.clone(), found)).collect(),
            store,
        })
    }

    /// The same, with `authorities` trusted beside the system's.
    #[must_use]
    pub fn trusting(mut self, authorities: Authorities) -> Self {
        self.authorities = authorities;
        self
    }

    /// Where requests go in.
    #[must_use]
    pub fn gate(&self) -> Gate {
        Gate::new(self.views.subscribe(), self.keeper.clone())
    }

    /// Which order is obeyed, and up to when everything is settled.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// What a Primary's gate has received and settled; empty otherwise.
    #[must_use]
    pub fn coverage(&self) -> watch::Receiver<Option<Coverage>> {
        self.coverage.subscribe()
    }

    /// Tells the gate that its destinations changed. It carries nothing: the store is read again.
    #[must_use]
    pub fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Follows `standing` until `stop`; `collector` says how a supervised collector does. Then it writes what is still to be written.
    ///
    /// # Errors
    /// When the system refuses a timer.
    pub async fn run(
        self,
        standing: watch::Receiver<Standing>,
        collector: watch::Receiver<Health>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let Self {
            store,
            boot,
            hold_back,
            views,
            health,
            coverage,
            wake,
            authorities,
            buffer,
            reader,
            keeper,
            works,
            waiting,
        } = self;
        let mut writing = JoinSet::new();
        writing.spawn(keeper::run(buffer, works, boot.clone()));
        let mut follower = Follower {
            newsroom: Newsroom::new(Recorder::start(store.clone())),
            store,
            boot,
            hold_back,
            views,
            health,
            coverage,
            authorities,
            reader,
            keeper: keeper.clone(),
            waiting,
            lanes: HashMap::new(),
            senders: JoinSet::new(),
            renewals: JoinSet::new(),
            view: View::default(),
            proof: None,
            reread: None,
            collector,
        };
        let followed = follower.run(standing, &wake, &stop).await;
        follower.end().await;
        keeper.stop();
        while let Some(ended) = writing.join_next().await {
            match ended {
                Ok(buffer) => buffer.close().await,
                Err(error) => tracing::error!(%error, "the buffer's writer did not end well"),
            }
        }
        followed
    }
}

struct Follower {
    store: Store,
    boot: BootId,
    hold_back: Duration,
    views: watch::Sender<Arc<View>>,
    health: watch::Sender<Health>,
    coverage: watch::Sender<Option<Coverage>>,
    /// Whom destinations are trusted by, beside the system's authorities.
    authorities: Authorities,
    reader: BufferReader,
    keeper: Keeper,
    waiting: HashMap<String, Waiting>,
    /// Every lane of this run, configured or not.
    lanes: HashMap<String, Arc<Lane>>,
    senders: JoinSet<()>,
    /// Keep the tokens of the destinations fresh.
    renewals: JoinSet<()>,
    view: View,
    /// What was trimmed by last.
    proof: Option<Proof>,
    /// When destinations that could not be read are read again.
    reread: Option<Uptime>,
    newsroom: Newsroom,
    /// How the supervised collector does, if there is one.
    collector: watch::Receiver<Health>,
}

impl Follower {
    async fn run(
        &mut self,
        mut standings: watch::Receiver<Standing>,
        wake: &Notify,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        let (mut deadline, mut look) = (Alarm::new()?, Alarm::new()?);
        let mut next_look = clock::now().uptime;
        self.read_destinations().await;
        let (mut heard, mut collector) = (true, self.collector.clone());
        loop {
            // The last one stays in force until the end, also once nobody gives others.
            let standing = standings.borrow_and_update().clone();
            self.follow(&standing).await;
            let until = standing.acting_until().filter(|_| self.view.tenure.is_some());
            select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                changed = standings.changed(), if heard => heard = changed.is_ok(),
                Ok(()) = collector.changed() => self.notice_collector(clock::now().uptime),
                waited = deadline.until(until.unwrap_or_default()), if until.is_some() => waited?,
                () = wake.notified() => self.read_destinations().await,
                waited = look.until(next_look) => {
                    waited?;
                    next_look = clock::now().uptime + LOOK_EVERY;
                    self.look(&standing).await;
                }
            }
        }
    }

    /// Obeys the order of `standing`, and says so once it is obeyed whole.
    async fn follow(&mut self, standing: &Standing) {
        let order = Order::of(standing).at(clock::now().uptime);
        let stamp = Stamp::new(standing.epoch, standing.session.as_ref());
        let same = order.number == self.view.order.number && stamp == self.view.stamp;
        match self.view.tenure.take() {
            Some(tenure) if order.egress && same => {
                tenure.renew(order.acting);
                self.view.tenure = Some(tenure);
            }
            Some(tenure) => self.end_tenure(&tenure).await,
            None => {}
        }
        if order.egress && self.view.tenure.is_none() {
            self.view.tenure = Some(Tenure::new(order.acting));
        }
        if !same || order.egress != self.view.order.egress {
            self.view.order = order;
            self.view.stamp = stamp;
            self.publish();
        }
        self.trim(standing);
        self.say_health(standing.order);
    }

    /// Ends a tenure; returns when every connection of it is gone.
    async fn end_tenure(&self, tenure: &Tenure) {
        tenure.end();
        for sends in self.view.routes.values().filter_map(|route| route.sends()) {
            sends.close();
        }
        tenure.gone().await;
    }

    fn publish(&mut self) {
        let View { order, ref stamp, ref tenure, ref mut routes, read } = self.view;
        for route in routes.values_mut() {
            *route = Arc::new(route.within(tenure.as_ref()));
        }
        let view = View { order, stamp: stamp.clone(), tenure: tenure.clone(), routes: routes.clone(), read };
        self.views.send_replace(Arc::new(view));
    }

    /// Reads the destinations, and makes a lane for each.
    async fn read_destinations(&mut self) {
        self.reread = None;
        let stored = match self.store.data_endpoints().await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(%error, "the data endpoints cannot be read; it is tried again");
                self.reread = Some(clock::now().uptime + REREAD);
                return;
            }
        };
        let mut routes = HashMap::new();
        for found in stored {
            let id = found.endpoint.id().as_str();
            let known = self.view.routes.remove(id).filter(|route| route.revision == found.revision);
            let route = match known {
                Some(route) => route,
                None => {
                    let destination = match &found.unreadable {
                        Some(why) => Err(format!("its credentials cannot be read: {why}")),
                        None => Destination::new(found.endpoint.access(), &self.authorities)
                            .map_err(|error| error.to_string()),
                    };
                    let lane = self.lane(id);
                    if let Err(why) = &destination {
                        lane.set_outage(Some(why));
                    }
                    let destination = destination.map(Arc::new);
                    Arc::new(Route::new(found.endpoint.clone(), found.revision, lane, destination))
                }
            };
            routes.insert(id.to_owned(), route);
        }
        self.view.routes = routes;
        self.view.read = true;
        self.keep_fresh();
        self.publish();
    }

    fn keep_fresh(&mut self) {
        self.renewals.abort_all();
        for destination in self.view.routes.values().filter_map(|route| route.destination.clone().ok()) {
            self.renewals.spawn(async move {
                if let Err(error) = destination.login().keep_fresh().await {
                    tracing::warn!(%error, "tokens are not renewed in the background");
                }
            });
        }
    }

    fn lane(&mut self, id: &str) -> Arc<Lane> {
        if let Some(lane) = self.lanes.get(id) {
            return Arc::clone(lane);
        }
        let lane = Arc::new(Lane::new(id, self.waiting.remove(id), self.hold_back, clock::now().uptime));
        let (views, reader, keeper) = (self.views.subscribe(), self.reader.clone(), self.keeper.clone());
        self.senders.spawn(Sender::new(Arc::clone(&lane), views, reader, keeper).run());
        self.lanes.insert(id.to_owned(), Arc::clone(&lane));
        lane
    }

    /// Takes out of the buffer what the last answer proved to be settled by the Primary.
    fn trim(&mut self, standing: &Standing) {
        if standing.proof == self.proof || !self.view.order.buffering {
            return;
        }
        self.proof = standing.proof;
        let (Some(proof), Some(timeout)) = (standing.proof, standing.group_timeout) else { return };
        let margin = timeout.get() + self.hold_back;
        for route in self.view.routes.values() {
            for block in route.lane.trim(&proof, margin, &self.boot) {
                self.keeper.over(&route.lane, block);
            }
        }
    }

    /// Looks what was received and settled meanwhile.
    async fn look(&mut self, standing: &Standing) {
        let now = clock::now().uptime;
        self.notice_collector(now);
        if self.reread.is_some_and(|at| now >= at) {
            self.read_destinations().await;
        }
        self.coverage.send_replace(self.covered(now));
        self.say_health(standing.order);
        self.newsroom.look(standing, self.view.routes.values().map(|route| &route.lane));
    }

    /// What a collector that does not run would have sent is missed: it covers nothing until it runs.
    fn notice_collector(&self, now: Uptime) {
        let down = self.collector.borrow().state.is_some_and(|state| state != AdapterState::Running);
        if down {
            self.view.routes.values().for_each(|route| route.lane.cover_anew(now));
        }
    }

    /// What everything that is configured has received and settled: the slowest counts. What is not known to wait
    /// is known only up to now.
    fn covered(&self, now: Uptime) -> Option<Coverage> {
        if !self.view.order.egress {
            return None;
        }
        let lanes = self.view.routes.values().map(|route| route.lane.coverage(&self.boot));
        lanes
            .reduce(|one, other| Coverage {
                covered_from: one.covered_from.max(other.covered_from),
                unsettled_from: [one.unsettled_from, other.unsettled_from].into_iter().flatten().min(),
            })
            .map(|all| Coverage {
                unsettled_from: Some(all.unsettled_from.map_or(now, |at| at.min(now))),
                ..all
            })
    }

    fn say_health(&self, order: u64) {
        // A tenure without a destination may still have requests under way.
        let health = if self.view.routes.is_empty() && self.view.tenure.is_none() {
            Health::NOTHING_PROTECTED
        } else {
            let lanes = || self.view.routes.values().map(|route| &route.lane);
            let warnings = lanes().filter_map(|lane| {
                let why = lane.outage()?;
                let (waiting, _) = lane.load();
                Some(format!(
                    "The destination {:?} settles nothing ({why}); {waiting} requests wait.",
                    lane.id()
                ))
            });
            Health {
                obeyed: order,
                last_data: lanes().filter_map(|lane| lane.settled_until()).min().map(whole_second),
                warnings: warnings.collect(),
                ..Health::NOTHING_PROTECTED
            }
        };
        self.health.send_if_modified(|said| {
            let news = *said != health;
            *said = health;
            news
        });
    }

    /// Ends everything that sends.
    async fn end(&mut self) {
        self.senders.shutdown().await;
        self.renewals.shutdown().await;
        if let Some(tenure) = self.view.tenure.take() {
            self.end_tenure(&tenure).await;
        }
        self.view.order = Order::default();
        self.view.routes.clear();
        self.publish();
        self.newsroom.close().await;
    }
}

/// Whoever reads this time needs no more, and hears of it less often.
fn whole_second(at: Wall) -> Wall {
    Wall::from_micros(at.micros().div_euclid(1_000_000) * 1_000_000)
}
