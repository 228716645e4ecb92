//! What is sent to destinations: by the collector's request as it comes, and what waits, block by block, some of a block
//! at a time, as `egress::sender` does.

use std::collections::BTreeSet;

use client_failover::{
    domain::{Epoch, Now},
    egress::machine::{Settlement, ledger::Ticket, retry_wait, settlement},
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
    /// The request of this index, of the block that is sent in this turn.
    Front(u64, usize),
}

/// A block that is being sent.
#[derive(Debug)]
pub(super) struct Turn {
    number: u64,
    block: i64,
    moments: Vec<Moment>,
    /// How each was settled, once it was; those before `next` are the ledger's.
    outcomes: Vec<Option<Settlement>>,
    next: usize,
    flying: BTreeSet<usize>,
    /// Whether one of them was not settled: no more are sent then.
    open: bool,
}

impl Turn {
    /// The next that is to be sent, while no more than `most` are under way.
    fn due(&self, most: usize) -> Option<usize> {
        let due = |index: &usize| self.outcomes[*index].is_none() && !self.flying.contains(index);
        let more = !self.open && self.flying.len() < most;
        (self.next..self.moments.len()).filter(|_| more).find(due)
    }
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
    pub(super) fn pass(&mut self, site: SiteId, kept: Kept) {
        let what = What::Passed(kept.ticket, kept.arrival, kept.run);
        if !self.fly(site, kept.lane, kept.moment, what) {
            // What a destination did not settle is ours: kept, or turned away after all.
            self.gate_takes(site, kept, true);
        }
    }

    /// The destination is asked again.
    pub(super) fn send_again(&mut self, site: SiteId, pid: Pid, lane: usize) {
        if let Some(gate) = self.place(site).gate.as_mut().filter(|gate| gate.pid == pid) {
            gate.lanes[lane].pauses = false;
        }
        self.send_front(site, pid, lane);
    }

    /// What waits first in a lane is sent, if it may be: some of a block at a time, one while the destination settles
    /// nothing.
    pub(super) fn send_front(&mut self, site: SiteId, pid: Pid, lane: usize) {
        if !self.attend_gate(site) || self.tenure(site).is_none() {
            return;
        }
        let at_once = self.data().plan.at_once;
        loop {
            let place = self.place(site);
            let Some(gate) = place.gate.as_mut().filter(|gate| gate.pid == pid) else { return };
            let of = &mut gate.lanes[lane];
            if of.turn.is_none() && !of.pauses {
                of.turns += 1;
                of.turn = of.ledger.front().and_then(|front| {
                    let moments = place.disk.lanes[lane].contents.get(&front.id)?.clone();
                    let next = usize::try_from(front.settled).ok()?;
                    let outcomes = vec![None; moments.len()];
                    let (number, block, flying) = (of.turns, front.id, BTreeSet::new());
                    Some(Turn { number, block, moments, outcomes, next, flying, open: false })
                });
            }
            let most = if of.attempts == 0 { at_once } else { 1 };
            let Some(turn) = of.turn.as_mut().filter(|_| !of.pauses) else { return };
            let Some(index) = turn.due(most) else { return };
            turn.flying.insert(index);
            let (moment, number) = (turn.moments[index], turn.number);
            self.fly(site, lane, moment, What::Front(number, index));
        }
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
                    return self.gate_takes(site, kept, true);
                }
                let now = self.site_now(site);
                let Some(gate) = self.place(site).gate.as_mut() else { return };
                gate.lanes[lane].ledger.settle(ticket, settled, status.unwrap_or(0), now);
                self.data().truth.accepted(site, lane, moment);
            }
            What::Front(turn, _) if is_over => self.end_turn(site, lane, turn),
            What::Front(turn, index) => self.front_answered(site, lane, (turn, index), settled),
        }
    }

    /// Who may send no more, or another now, reads anew what waits.
    fn end_turn(&mut self, site: SiteId, lane: usize, number: u64) {
        let Some(gate) = self.place(site).gate.as_mut() else { return };
        let (pid, turn) = (gate.pid, &mut gate.lanes[lane].turn);
        if turn.as_ref().is_some_and(|turn| turn.number == number) {
            *turn = None;
        }
        self.send_front(site, pid, lane);
    }

    fn front_answered(
        &mut self,
        site: SiteId,
        lane: usize,
        (number, index): (u64, usize),
        settled: Settlement,
    ) {
        let now = self.site_now(site);
        let Some(gate) = self.place(site).gate.as_mut() else { return };
        let (pid, of) = (gate.pid, &mut gate.lanes[lane]);
        let Some(turn) = of.turn.as_mut().filter(|turn| turn.number == number) else { return };
        turn.flying.remove(&index);
        let mut works = Vec::new();
        if settled == Settlement::Open {
            turn.open = true;
        } else {
            of.attempts = 0;
            turn.outcomes[index] = Some(settled);
        }
        let mut is_gone = false;
        while let Some(Some(settled)) = turn.outcomes.get(turn.next) {
            let block = turn.block;
            match of.ledger.settle_front(block, *settled, 0, now) {
                Some((_, true)) => works.push(Work::Over(lane, block)),
                Some((count, false)) if count % WRITE_EVERY == 0 => {
                    works.push(Work::Settled(lane, block, count));
                }
                Some(_) => {}
                // It made room for another, or was proved.
                None => is_gone = true,
            }
            turn.next += 1;
        }
        let waits = turn.flying.is_empty() && turn.open;
        if is_gone || (turn.flying.is_empty() && !turn.open && turn.next == turn.moments.len()) {
            of.turn = None;
        } else if waits {
            (turn.open, of.pauses) = (false, true);
            let wait = retry_wait(of.attempts, None);
            of.attempts += 1;
            let wait = self.sites[site].clock.true_span(wait);
            self.push_data(wait, DataEvent::Send(site, pid, lane));
        }
        for work in works {
            self.write(site, work);
        }
        self.send_front(site, pid, lane);
    }
}
