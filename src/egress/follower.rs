//! Follows the orders: opens and ends the time in which the gate sends.

use std::{io, sync::Arc};

use tokio::{
    select,
    sync::{Notify, watch},
};
use tokio_util::sync::CancellationToken;

use super::{
    connection::Tenure, destinations::Destinations, forward::Stamp, keeper::Keeper, machine::proof::Proofs,
    telling::Telling, view::View,
};
use crate::{
    clock::{self, Alarm},
    domain::{AdapterState, BootId, Health, Order, Standing, Uptime},
};

/// What is before the gate. It closes after those who obey the same orders and send through it, as long as it may be
/// open.
#[derive(Debug, Clone)]
pub struct Before {
    /// The collector's supervisor.
    pub collector: watch::Receiver<Health>,
    /// The highest order that the operator's hook was told to its end.
    pub told: watch::Receiver<u64>,
    /// Whether every part of the source is connected that components and probes tell of.
    pub connected: watch::Receiver<bool>,
}

impl Before {
    fn have_obeyed(&self, order: u64) -> bool {
        self.collector.borrow().obeyed >= order && *self.told.borrow() >= order
    }

    async fn news(&mut self) {
        select! {
            Ok(()) = self.collector.changed() => {}
            Ok(()) = self.told.changed() => {}
            Ok(()) = self.connected.changed() => {}
            // Where there is none, nobody ever says anything.
            else => std::future::pending().await,
        }
    }
}

/// Whoever follows the orders.
pub(super) struct Follower {
    pub(super) views: watch::Sender<Arc<View>>,
    pub(super) view: View,
    pub(super) destinations: Destinations,
    pub(super) keeper: Keeper,
    pub(super) before: Before,
    pub(super) telling: Telling,
    pub(super) boot: BootId,
    /// What was trimmed by.
    pub(super) proofs: Proofs,
}

impl Follower {
    pub(super) async fn run(
        &mut self,
        mut standings: watch::Receiver<Standing>,
        wake: &Notify,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        let (mut deadline, mut look) = (Alarm::new()?, Alarm::new()?);
        let mut next_look = clock::now().uptime;
        self.read_destinations().await;
        let (mut heard, mut before) = (true, self.before.clone());
        loop {
            // The last one stays in force until the end, also once nobody gives others.
            let standing = standings.borrow_and_update().clone();
            self.follow(&standing).await;
            let until = self.view.tenure.as_ref().and_then(|tenure| tenure.deadline());
            select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                changed = standings.changed(), if heard => heard = changed.is_ok(),
                () = before.news() => self.notice_misses(),
                waited = deadline.until(until.unwrap_or_default()), if until.is_some() => waited?,
                () = wake.notified() => self.read_destinations().await,
                waited = look.until(next_look) => {
                    waited?;
                    next_look = clock::now().uptime + Telling::LOOK_EVERY;
                    self.look(&standing).await;
                }
            }
        }
    }

    /// Obeys the order of `standing`, and says so once it is obeyed whole.
    async fn follow(&mut self, standing: &Standing) {
        let now = clock::now().uptime;
        let order = Order::of(standing).at(now);
        self.notice_breaks(standing, &order, now);
        if self.is_to_stay_open(&order) {
            return;
        }
        let stamp = Stamp::new(standing.epoch, standing.session.as_ref());
        let same = order.number == self.view.order.number && stamp == self.view.stamp;
        let sends = order.egress && standing.gated && !self.view.routes.is_empty();
        let sent = self.view.tenure.is_some();
        match &self.view.tenure {
            Some(tenure) if sends && same => tenure.renew(order.acting),
            Some(_) => self.end_tenure().await,
            None => {}
        }
        if sends && self.view.tenure.is_none() {
            self.view.tenure = Some(Tenure::new(order.acting));
            self.telling.begin_account(standing.epoch, &self.view);
        }
        let other = !same || order.egress != self.view.order.egress || standing.gated != self.view.gated;
        if other || sent != self.view.tenure.is_some() {
            self.view.order = order;
            self.view.stamp = stamp;
            self.view.gated = standing.gated;
            self.publish();
        }
        self.trim(standing);
        self.telling.say_health(&self.view);
    }

    /// Whether the gate stays open although `order` forbids to send: whoever sends through it is still stopping,
    /// and its last words may be delivered as long as the deadline has not passed. The registration waits for
    /// both.
    fn is_to_stay_open(&self, order: &Order) -> bool {
        let permits = self.view.tenure.as_ref().is_some_and(|tenure| tenure.permits());
        permits && !order.egress && !self.before.have_obeyed(order.number)
    }

    /// Ends the tenure; returns when every connection of it is gone.
    async fn end_tenure(&mut self) {
        let Some(tenure) = self.view.tenure.take() else { return };
        tenure.end();
        for sends in self.view.routes.values().filter_map(|route| route.sends()) {
            sends.close();
        }
        tenure.gone().await;
        self.telling.end_account(&self.view);
    }

    fn publish(&mut self) {
        for route in self.view.routes.values_mut() {
            *route = Arc::new(route.within(self.view.tenure.as_ref()));
        }
        self.views.send_replace(Arc::new(self.view.published()));
    }

    async fn read_destinations(&mut self) {
        if let Some(routes) = self.destinations.read(&mut self.view.routes).await {
            self.view.routes = routes;
            self.view.read = true;
            self.publish();
        }
    }

    /// What another source says, or what the collector was not to collect, is missing here.
    fn notice_breaks(&mut self, standing: &Standing, order: &Order, now: Uptime) {
        let moved = self.proofs.has_moved(standing, now);
        if moved.is_some() || self.proofs.is_interrupted(order) {
            self.view.lanes().for_each(|lane| lane.cover_anew());
        }
        if let Some(membership) = moved {
            self.keeper.joined(membership);
        }
    }

    /// What a collector that does not run would have sent is missed; so is what it does not see of its source.
    fn notice_misses(&mut self) {
        let Before { collector, connected, .. } = &mut self.before;
        let down = collector.borrow().state.is_some_and(|state| state != AdapterState::Running);
        // It may have been missed for a moment, which is over.
        let was_missed = connected.has_changed().unwrap_or(false);
        let is_missed = !*connected.borrow_and_update();
        for lane in self.view.lanes() {
            if down {
                lane.cover_anew();
            }
            if was_missed {
                lane.miss_part(true);
            }
            lane.miss_part(is_missed);
        }
    }

    /// Takes out of the buffer what the last answer proved to be settled by the Primary.
    fn trim(&mut self, standing: &Standing) {
        let news = self.proofs.news(standing, &self.view.order, self.destinations.hold_back());
        let Some(evidence) = news else { return };
        for route in self.view.routes.values() {
            for block in route.lane.trim(&route.endpoint.key(), &evidence, &self.boot) {
                self.keeper.over(&route.lane, block);
            }
        }
    }

    /// Looks what was received and settled meanwhile.
    async fn look(&mut self, standing: &Standing) {
        let now = clock::now().uptime;
        self.view.lanes().for_each(|lane| lane.look(now));
        self.note_arrivals(now, false);
        self.notice_misses();
        if self.destinations.is_to_be_read_again(now) {
            self.read_destinations().await;
        }
        self.telling.look(&self.view, standing);
    }

    /// Writes down what a run that begins later has to know; in every mode, because another member's may be Hot.
    fn note_arrivals(&self, now: Uptime, at_last: bool) {
        for lane in self.view.lanes() {
            if let Some(arrival) = lane.arrival_to_note(&self.boot, now, at_last) {
                self.keeper.arrived(lane, arrival);
            }
        }
    }

    /// Ends everything that sends.
    pub(super) async fn end(&mut self) {
        self.destinations.end().await;
        self.end_tenure().await;
        self.note_arrivals(clock::now().uptime, true);
        self.view.order = Order::default();
        self.view.routes.clear();
        self.publish();
        self.telling.close().await;
    }
}
