//! What is sent to destinations: by the collector's request as it comes, and what waits, one after the other.

use client_failover::{
    domain::{Epoch, Now},
    egress::machine::{
        Settlement,
        ledger::{Taken, Ticket},
        retry_wait, settlement,
    },
};

use super::{
    super::{
        World,
        event::{Pid, SiteId},
    },
    DataEvent, Moment,
    destination::Outcome,
    gate::Waits,
    writing::{Kept, Work},
};

/// After how many settled requests that is written down.
const WRITE_EVERY: u32 = 64;

/// The time in which a gate may send: another order or another epoch is another.
type Tenure = (u64, Option<Epoch>);

/// A request on its way to its destination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    lane: usize,
    moment: Moment,
    tenure: Tenure,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    /// A collector waits for the answer; which run of it.
    Passed(Ticket, Now, u32),
    /// The first open request of this block.
    Front(i64),
}

impl World {
    /// The tenure at `site`, if its gate may send now.
    fn tenure(&mut self, site: SiteId) -> Option<Tenure> {
        let order = self.gate_order(site);
        order.egress.then_some((order.number, order.epoch))
    }

    fn fly(&mut self, site: SiteId, lane: usize, moment: Moment, what: What) -> bool {
        let Some(tenure) = self.tenure(site) else { return false };
        let Some(gate) = self.place(site).gate.as_mut() else { return false };
        gate.flights_made += 1;
        let (flight, pid, target) = (gate.flights_made, gate.pid, gate.lanes[lane].target);
        gate.flights.insert(flight, Flight { lane, moment, tenure, what });
        let way = self.way(target);
        self.push_data(way, DataEvent::Reaches(site, pid, flight));
        true
    }

    /// A request that was taken to be passed on goes to the destination.
    pub(super) fn pass(&mut self, site: SiteId, lane: usize, kept: Kept) {
        let what = What::Passed(kept.ticket, kept.arrival, kept.run);
        if !self.fly(site, lane, kept.moment, what) {
            self.not_settled(site, lane, kept);
        }
    }

    /// What waits first in a lane is sent, if it may be and nothing is under way.
    pub(super) fn send_front(&mut self, site: SiteId, pid: Pid, lane: usize) {
        if !self.attend_gate(site) || self.tenure(site).is_none() {
            return;
        }
        let place = self.place(site);
        let Some(gate) = place.gate.as_mut().filter(|gate| gate.pid == pid) else { return };
        let Some(front) = gate.lanes[lane].ledger.front() else { return };
        let (block, settled) = (front.id, usize::try_from(front.settled).unwrap_or(usize::MAX));
        let moments = place.disk.lanes[lane].contents.get(&block);
        let Some(moment) = moments.and_then(|moments| moments.get(settled)).copied() else { return };
        if std::mem::replace(&mut gate.lanes[lane].sending, true) {
            return;
        }
        self.fly(site, lane, moment, What::Front(block));
    }

    /// A request has reached its destination, or not; the answer comes back to a process that runs.
    pub(super) fn reaches(&mut self, site: SiteId, pid: Pid, flight: u64) {
        let runs = self.attend_gate(site);
        let Some(gate) = self.place(site).gate.as_mut().filter(|gate| gate.pid == pid) else { return };
        let Some(Flight { lane, moment, tenure, what }) = gate.flights.get(&flight).copied() else { return };
        if !runs {
            return self.place(site).waits.push(Waits::Reaches(pid, flight));
        }
        if let Some(gate) = self.place(site).gate.as_mut() {
            gate.flights.remove(&flight);
        }
        let target = self.place(site).gate.as_ref().map_or(0, |gate| gate.lanes[lane].target);
        let is_over = self.tenure(site) != Some(tenure);
        // A connection that was dropped may have carried it before.
        let outcome = if is_over && self.data_dice().percent(50) {
            Outcome { delivered: false, status: None }
        } else {
            self.outcome(target, moment)
        };
        let status = outcome.status.filter(|_| !is_over);
        let settled = status.map_or(Settlement::Open, settlement);
        match what {
            What::Passed(ticket, arrival, run) => {
                let kept = Kept { lane, moment, ticket, arrival, run };
                if settled == Settlement::Open {
                    return self.not_settled(site, lane, kept);
                }
                let now = self.site_now(site);
                let Some(gate) = self.place(site).gate.as_mut() else { return };
                gate.lanes[lane].ledger.settle(settled, status.unwrap_or(0), now);
                gate.lanes[lane].ledger.arrived(ticket);
                self.data().truth.accepted(site, lane, moment);
            }
            What::Front(block) => self.front_answered(site, lane, block, settled, is_over),
        }
    }

    /// What a destination did not settle is ours: kept, or turned away after all.
    fn not_settled(&mut self, site: SiteId, lane: usize, kept: Kept) {
        let taken = self.gate_takes(site, lane, kept.arrival, true);
        if let Some(gate) = self.place(site).gate.as_mut() {
            gate.lanes[lane].ledger.arrived(kept.ticket);
        }
        match taken {
            Ok(Taken::Pass(ticket)) => self.pass(site, lane, Kept { ticket, ..kept }),
            Ok(Taken::Keep(ticket, over)) => self.write(site, Work::Keep(Kept { ticket, ..kept }, over)),
            Err(_) => self.hand_in_again(site, kept.run, kept.moment, 1 << lane),
        }
    }

    fn front_answered(&mut self, site: SiteId, lane: usize, block: i64, settled: Settlement, is_over: bool) {
        let now = self.site_now(site);
        let Some(gate) = self.place(site).gate.as_mut() else { return };
        let (pid, of) = (gate.pid, &mut gate.lanes[lane]);
        of.sending = false;
        if settled == Settlement::Open {
            if !is_over {
                let wait = retry_wait(of.attempts, None);
                of.attempts += 1;
                let wait = self.sites[site].clock.true_span(wait);
                return self.push_data(wait, DataEvent::Send(site, pid, lane));
            }
        } else {
            of.attempts = 0;
            match of.ledger.settle_front(block, settled, 0, now) {
                Some((_, true)) => self.write(site, Work::Over(lane, block)),
                Some((count, false)) if count % WRITE_EVERY == 0 => {
                    self.write(site, Work::Settled(lane, block, count));
                }
                Some(_) | None => {}
            }
        }
        self.send_front(site, pid, lane);
    }
}
