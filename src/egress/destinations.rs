//! The destinations as they are configured: reads them, and has a lane and a sender for each.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use super::{
    forward::Destination,
    keeper::Keeper,
    lane::Lane,
    sender::Sender,
    via::GateName,
    view::{Route, View},
};
use crate::{
    clock,
    domain::{BootId, Uptime, Waiting},
    store::{BufferReader, Store, StoredDataEndpoint},
    tls::Authorities,
};

/// How soon destinations that could not be read are read again.
const REREAD: Duration = Duration::from_secs(1);

/// What is needed to reach destinations.
pub(super) struct Means {
    pub(super) store: Store,
    /// What the gate is called among those that a request comes through.
    pub(super) gate: GateName,
    /// How long a collector may keep a sample before it hands it in.
    pub(super) hold_back: Duration,
    pub(super) boot: BootId,
    /// How many requests that wait are sent to one destination at a time.
    pub(super) at_once: NonZeroUsize,
    /// Whom destinations are trusted by, beside the system's authorities.
    pub(super) authorities: Authorities,
    pub(super) views: watch::Receiver<Arc<View>>,
    pub(super) reader: BufferReader,
    pub(super) keeper: Keeper,
    /// What waits since before this start, by destination.
    pub(super) waiting: HashMap<String, Waiting>,
}

/// The destinations, and what works for them.
pub(super) struct Destinations {
    means: Means,
    /// Every lane of this run, configured or not.
    lanes: HashMap<String, Arc<Lane>>,
    senders: JoinSet<()>,
    /// Keep the tokens of the destinations fresh.
    renewals: JoinSet<()>,
    /// When destinations that could not be read are read again.
    reread: Option<Uptime>,
}

impl Destinations {
    pub(super) fn new(means: Means) -> Self {
        let (senders, renewals) = (JoinSet::new(), JoinSet::new());
        Self { means, lanes: HashMap::new(), senders, renewals, reread: None }
    }

    pub(super) const fn hold_back(&self) -> Duration {
        self.means.hold_back
    }

    /// The destinations, each with its route: the one of `known` where nothing of it has changed. The others of `known`
    /// send nothing new, and keep no connection. Nothing when they cannot be read; then it is tried again soon.
    pub(super) async fn read(
        &mut self,
        known: &mut HashMap<String, Arc<Route>>,
    ) -> Option<HashMap<String, Arc<Route>>> {
        self.reread = None;
        let stored = match self.means.store.data_endpoints().await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(%error, "the data endpoints cannot be read; it is tried again");
                self.reread = Some(clock::now().uptime + REREAD);
                return None;
            }
        };
        let mut routes = HashMap::new();
        for found in stored {
            let id = found.endpoint.id().to_string();
            let is_same = known.get(&id).is_some_and(|route| route.version == found.version());
            let same = is_same.then(|| known.remove(&id)).flatten();
            routes.insert(id, same.unwrap_or_else(|| self.route(found)));
        }
        // A request whose body still comes may hold one of these for long; a demotion waits for connections.
        known.drain().filter_map(|(_, left)| left.sends().cloned()).for_each(|sends| sends.close());
        self.keep_fresh(&routes);
        Some(routes)
    }

    fn route(&mut self, found: StoredDataEndpoint) -> Arc<Route> {
        let version = found.version();
        let destination = found.access.and_then(|open| {
            let Means { authorities, gate, .. } = &self.means;
            Destination::new(&open, authorities, gate.clone()).map_err(|error| error.to_string())
        });
        let lane = self.lane(found.endpoint.id().as_str());
        lane.begin_anew();
        Arc::new(Route::new(found.endpoint, version, lane, destination.map(Arc::new)))
    }

    fn lane(&mut self, id: &str) -> Arc<Lane> {
        if let Some(lane) = self.lanes.get(id) {
            return Arc::clone(lane);
        }
        let Means { hold_back, at_once, boot, views, reader, keeper, waiting, .. } = &mut self.means;
        let (waiting, now) = (waiting.remove(id), clock::now().uptime);
        let lane = Arc::new(Lane::new(id, waiting, *hold_back, boot, now));
        let (views, reader, keeper) = (views.clone(), reader.clone(), keeper.clone());
        let sender = Sender::new(Arc::clone(&lane), views, reader, keeper, *at_once);
        self.senders.spawn(sender.run());
        self.lanes.insert(id.to_owned(), Arc::clone(&lane));
        lane
    }

    fn keep_fresh(&mut self, routes: &HashMap<String, Arc<Route>>) {
        self.renewals.abort_all();
        for destination in routes.values().filter_map(|route| route.destination.clone().ok()) {
            self.renewals.spawn(async move {
                if let Err(error) = destination.login().keep_fresh().await {
                    tracing::warn!(%error, "tokens are not renewed in the background");
                }
            });
        }
    }

    pub(super) fn is_to_be_read_again(&self, now: Uptime) -> bool {
        self.reread.is_some_and(|at| now >= at)
    }

    /// Ends everything that sends what waits.
    pub(super) async fn end(&mut self) {
        self.senders.shutdown().await;
        self.renewals.shutdown().await;
    }
}
