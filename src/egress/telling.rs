//! Tells everybody else how the gate does: which order is obeyed, what is settled, what a hand-over came to.

use std::{collections::BTreeMap, time::Duration};

use tokio::sync::watch;

use super::{machine::proof, news::Newsroom, view::View};
use crate::{
    clock,
    domain::{
        BootId, Deliveries, Epoch, FailoverScore, GateCoverage, Health, Mode, Now, Standing, Uptime, Wall,
    },
};

/// What the registration hears of the gate.
#[derive(Debug)]
pub(super) struct Outlets {
    /// Which order is obeyed, and up to when everything is settled.
    pub(super) health: watch::Sender<Health>,
    /// What a Primary's gate has received and settled; empty otherwise.
    pub(super) coverage: watch::Sender<GateCoverage>,
    /// When it last delivered something under its last permission to.
    pub(super) delivered: watch::Sender<Option<Uptime>>,
}

/// What people should know of how the gate is set up.
#[derive(Debug, Default)]
pub(super) struct Setup {
    /// The score of a Primary whose destination settles nothing; empty where that says nothing of the adapter.
    pub(super) score_when_down: Option<FailoverScore>,
    /// Whether the collector is stopped and started again at each change of its order.
    pub(super) restarts: bool,
    /// How long a collector may keep a sample before it hands it in.
    pub(super) hold_back: Duration,
    /// What else an operator should know for as long as this process runs, each a sentence.
    pub(super) warnings: Vec<String>,
}

/// Tells it to the registration, and to the history.
pub(super) struct Telling {
    outlets: Outlets,
    newsroom: Newsroom,
    setup: Setup,
    boot: BootId,
    /// Under which epoch and since when deliveries are counted, until all that waited then is settled.
    counting: Option<(Option<Epoch>, Now)>,
    /// The last account that is complete.
    deliveries: Option<Deliveries>,
}

impl Telling {
    /// How often it is looked what has been received and settled.
    pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);

    pub(super) const fn new(outlets: Outlets, newsroom: Newsroom, setup: Setup, boot: BootId) -> Self {
        Self { outlets, newsroom, setup, boot, counting: None, deliveries: None }
    }

    /// What each destination that is configured has received and settled.
    fn covered(&self, view: &View) -> GateCoverage {
        let routes = view.routes.values();
        proof::said(&view.order, routes.map(|route| (route.endpoint.key(), route.lane.coverage(&self.boot))))
    }

    /// Sending is permitted from now on, under `epoch`.
    pub(super) fn begin_account(&mut self, epoch: Option<Epoch>, view: &View) {
        view.lanes().for_each(|lane| lane.begin_account());
        self.outlets.delivered.send_replace(None);
        self.counting = Some((epoch, clock::now()));
    }

    /// Sending is permitted no more.
    pub(super) fn end_account(&mut self, view: &View) {
        self.count(view, true);
        self.tell_last(view);
    }

    /// Tells when it delivered last, also long after the account is complete.
    fn tell_last(&self, view: &View) {
        let last = view.lanes().filter_map(|lane| lane.account().0.last).map(|last| last.uptime).max();
        self.outlets.delivered.send_replace(last);
    }

    /// Counts what was delivered, to the end if all that waited is settled and something was delivered, or `at_last`.
    fn count(&mut self, view: &View, at_last: bool) {
        let Some((epoch, since)) = self.counting else { return };
        let (mut all, mut drained) = (Deliveries { epoch, since, first: None, resent: 0, dropped: 0 }, true);
        for (account, is_drained) in view.lanes().map(|lane| lane.account()) {
            all.first = [all.first, account.first].into_iter().flatten().min_by_key(|first| first.uptime);
            all.resent += account.resent;
            all.dropped += account.dropped;
            drained &= is_drained;
        }
        if at_last || (drained && all.first.is_some()) {
            self.deliveries = Some(all);
            self.counting = None;
        }
    }

    pub(super) fn look(&mut self, view: &View, standing: &Standing) {
        self.count(view, false);
        self.tell_last(view);
        self.outlets.coverage.send_replace(self.covered(view));
        self.say_health(view);
        self.newsroom.look(standing, view.routes.values().map(AsRef::as_ref));
    }

    pub(super) fn say_health(&mut self, view: &View) {
        let health = if view.routes.is_empty() && view.tenure.is_none() {
            Health { warnings: self.setup.warnings.clone(), ..Health::NOTHING_PROTECTED }
        } else {
            let down = view.tenure.is_some() && view.routes.values().any(|route| route.outage().is_some());
            Health {
                obeyed: view.order.number,
                gated: true,
                score: self.setup.score_when_down.filter(|_| down),
                last_data: settled_until(view).map(whole_second),
                warnings: self.warnings(view),
                deliveries: self.deliveries,
                ..Health::NOTHING_PROTECTED
            }
        };
        self.outlets.health.send_if_modified(|said| std::mem::replace(said, health) != *said);
    }

    fn warnings(&self, view: &View) -> Vec<String> {
        let mut warnings = self.setup.warnings.clone();
        if self.setup.restarts && matches!(view.order.mode, Mode::Hot | Mode::Warm) {
            warnings.push(
                "The collector is restarted when its order changes, although it may send through the gate, which \
                 obeys for it. If it does, set on_order = \"keep\" in [collector]."
                    .to_owned(),
            );
        }
        // A map has no order, and what is said again must not look like something else.
        let by_id: BTreeMap<_, _> = view.routes.iter().collect();
        warnings.extend(by_id.values().flat_map(|route| route.endpoint.warnings()));
        let sparse = view.lanes().filter(|lane| view.order.mode == Mode::Hot && lane.is_sparse());
        warnings.extend(sparse.map(|lane| {
            format!(
                "What is sent to {:?} comes less often than once in {} s, the hold_back: nothing of it can be proved to \
                 be delivered, and all of it stays in a standby's buffer. Set a longer hold_back in both adapters.",
                lane.id(),
                self.setup.hold_back.as_secs_f64()
            )
        }));
        let misses_part = view.order.egress && view.lanes().any(|lane| lane.misses_part());
        if misses_part && view.order.mode == Mode::Hot {
            warnings.push(
                "A component is not connected: as long as that is so, and then for as long again, nothing of what is sent \
                 can be proved to be delivered, and all of it stays in a standby's buffer. Bring its source back, or \
                 report it as Removed."
                    .to_owned(),
            );
        }
        warnings.extend(view.routes.values().filter_map(|route| {
            let (why, (waiting, _)) = (route.outage()?, route.lane.load());
            Some(format!(
                "The destination {:?} settles nothing ({why}); {waiting} requests wait. Bring it back, or mend its Endpoint \
                 and login here: until then what comes is kept, as long as the buffer has room.",
                route.lane.id()
            ))
        }));
        warnings
    }

    /// Writes the last rows.
    pub(super) async fn close(&self) {
        self.newsroom.close().await;
    }
}

/// The arrival up to which everything received is settled, whichever destination it is for: one that nothing is sent to
/// holds nothing back.
fn settled_until(view: &View) -> Option<Wall> {
    let (mut open, mut last) = (None, None);
    for (open_since, last_received) in view.lanes().map(|lane| lane.received()) {
        open = [open, open_since].into_iter().flatten().min();
        last = last.max(last_received);
    }
    open.or(last)
}

/// Whoever reads this time needs no more, and hears of it less often.
fn whole_second(at: Wall) -> Wall {
    Wall::from_micros(at.micros().div_euclid(1_000_000) * 1_000_000)
}
