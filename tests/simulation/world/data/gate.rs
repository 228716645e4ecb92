//! A gate: the books and proofs of the product, in a virtual process.

use std::{collections::BTreeMap, time::Duration};

use client_failover::{
    domain::{
        Arrival, Block, BootId, DestinationKey, GateCoverage, Membership, Now, Order, StandbyAnswer,
        Standing, Tally, Waiting,
    },
    egress::machine::{
        ledger::{Ledger, Taken, Terms, Ticket, Turned},
        proof::{self, Proofs},
    },
};

use super::{
    super::{
        World,
        clock::{Instant, MILLISECOND},
        event::{Pid, SiteId},
    },
    Moment,
    plan::CollectorPlan,
    sending::{Flight, Turn},
    writing::{Kept, Work},
};

/// How often a gate looks, and how long what it published then may be said.
const LOOK: Instant = 100 * MILLISECOND;

/// What waits in a lane's buffer, as the disk has it.
#[derive(Debug, Default)]
pub(super) struct DiskLane {
    pub(super) tally: Tally,
    pub(super) blocks: Vec<Block>,
    pub(super) contents: BTreeMap<i64, Vec<Moment>>,
    pub(super) arrival: Option<Arrival>,
}

/// A member's egress.db.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) lanes: Vec<DiskLane>,
    pub(super) rows: i64,
    pub(super) membership: Option<Membership>,
}

impl Disk {
    pub(super) fn new(member: &CollectorPlan) -> Self {
        let lanes = member.targets.iter().flatten().map(|_| DiskLane::default()).collect();
        Self { lanes, rows: 0, membership: None }
    }
}

/// One destination of a gate.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) target: usize,
    pub(super) key: DestinationKey,
    pub(super) ledger: Ledger,
    /// What of the first block is being sent.
    pub(super) turn: Option<Turn>,
    pub(super) turns: u64,
    /// Whether the destination settled nothing, and is asked again a little later.
    pub(super) pauses: bool,
    /// How many waited when it was permitted to send.
    pub(super) waited: u64,
    pub(super) attempts: u32,
}

/// The gate of one process.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) pid: Pid,
    pub(super) boot: BootId,
    pub(super) standing: Standing,
    pub(super) lanes: Vec<Lane>,
    pub(super) flights: BTreeMap<u64, Flight>,
    pub(super) flights_made: u64,
    pub(super) gathered: Vec<Work>,
    pub(super) writing: Vec<Work>,
    proofs: Proofs,
    published: GateCoverage,
    published_at: Instant,
    looked_at: Instant,
}

/// What a process finds when it goes on.
#[derive(Debug)]
pub(super) enum Waits {
    HandIn(u32, Moment, u8),
    Whole(Pid, Kept),
    Reaches(Pid, u64),
    Committed(Pid),
}

impl World {
    /// Whether a process runs at `site` that has a gate; it is made where there is none yet, and what a process left
    /// behind that is gone is cleared away. A gate that runs has looked.
    pub(super) fn attend_gate(&mut self, site: SiteId) -> bool {
        if !self.has_gate(site) {
            return false;
        }
        let pid = self.sites[site].native().is_some().then(|| self.sites[site].pid()).flatten();
        let known = self.place(site).gate.as_ref().map(|gate| gate.pid);
        if known.is_some() && known != pid {
            self.abandon_gate(site);
        }
        let Some(pid) = pid.filter(|_| self.sites[site].runs()) else { return false };
        if known != Some(pid) {
            self.open_gate(site, pid);
        }
        self.let_gate_look(site);
        true
    }

    fn open_gate(&mut self, site: SiteId, pid: Pid) {
        let now = self.now;
        let uptime = self.site_now(site).uptime;
        let boot = self.sites[site].clock.boot_id();
        let data = self.data();
        let hold_back = Duration::from_micros(data.plan.hold_back);
        let place = &mut data.places[site];
        let targets = data.plan.members[site].targets.iter().enumerate();
        let configured = targets.filter_map(|(id, target)| target.map(|target| (id, target)));
        let shows = |lane: &DiskLane| {
            let arrived = lane.arrival.as_ref().is_some_and(|arrival| arrival.boot == boot);
            arrived || lane.blocks.iter().any(|block| block.boot == boot)
        };
        if !place.disk.lanes.iter().all(shows) {
            place.collector.keeps_from(now);
        }
        let lanes: Vec<Lane> = configured
            .zip(&place.disk.lanes)
            .map(|((id, target), disk)| {
                let waiting = Waiting {
                    destination: id.to_string(),
                    tally: disk.tally,
                    blocks: disk.blocks.clone(),
                    arrival: disk.arrival.clone(),
                };
                Lane {
                    target,
                    key: DestinationKey::parse(&format!("{id}@{target}")).expect("a short key is one"),
                    ledger: Ledger::new(Some(waiting), hold_back, &boot, uptime),
                    turn: None,
                    turns: 0,
                    pauses: false,
                    waited: 0,
                    attempts: 0,
                }
            })
            .collect();
        place.gate = Some(Gate {
            pid,
            proofs: Proofs::new(place.disk.membership.clone(), boot.clone()),
            boot,
            standing: Standing::default(),
            lanes,
            flights: BTreeMap::new(),
            flights_made: 0,
            gathered: Vec::new(),
            writing: Vec::new(),
            published: GateCoverage::new(),
            published_at: now,
            looked_at: now,
        });
        self.collector_begins(site);
    }

    /// The gate looks at its pace while its process runs. One that stood still looks when it gets to it.
    fn let_gate_look(&mut self, site: SiteId) {
        let went_on = self.sites[site].process.as_ref().map_or(0, |process| process.went_on);
        let now = self.now;
        let clock = self.sites[site].clock.clone();
        let is_down = self.is_seen_down(site);
        let misses_part = self.place(site).collector.part.is_reported(now);
        let Some(gate) = self.place(site).gate.as_mut() else { return };
        if went_on > gate.looked_at && went_on == now {
            // It has just gone on, and looks later.
            return;
        }
        let mut looks = Vec::new();
        if went_on <= gate.looked_at {
            let mut at = gate.looked_at + 4 * LOOK;
            while at < now {
                looks.push(at);
                at += 4 * LOOK;
            }
        }
        looks.push(now);
        for at in looks {
            gate.lanes.iter_mut().for_each(|lane| lane.ledger.look(clock.uptime(at)));
        }
        gate.looked_at = now;
        let order = Order::of(&gate.standing).at(clock.uptime(now));
        if is_down || gate.proofs.is_interrupted(&order) {
            gate.lanes.iter_mut().for_each(|lane| lane.ledger.cover_anew());
        }
        gate.lanes.iter_mut().for_each(|lane| lane.ledger.miss_part(misses_part));
        let mut arrivals = Vec::new();
        for (index, lane) in gate.lanes.iter_mut().enumerate() {
            let arrival = lane.ledger.arrival_to_note(&gate.boot, clock.uptime(now), false);
            arrivals.extend(arrival.map(|arrival| Work::Arrived(index, arrival)));
        }
        for arrival in arrivals {
            self.write(site, arrival);
        }
    }

    /// The process at `site` is about to be stopped: until now it has looked.
    pub(crate) fn gate_stands_still(&mut self, site: SiteId) {
        self.attend_gate(site);
    }

    /// The process at `site` goes on: what became ready in the meantime is found, before or after it looks.
    pub(crate) fn gate_goes_on(&mut self, site: SiteId) {
        if !self.has_gate(site) {
            return;
        }
        // A process that was started meanwhile begins before its collector goes on.
        self.attend_gate(site);
        if !self.sites[site].clock.is_asleep() {
            self.collector_wakes(site);
        }
        if self.attend_gate(site) && self.data_dice().percent(50) {
            let (clock, now) = (self.sites[site].clock.clone(), self.now);
            if let Some(gate) = self.place(site).gate.as_mut() {
                gate.lanes.iter_mut().for_each(|lane| lane.ledger.look(clock.uptime(now)));
                gate.looked_at = now;
            }
        }
        for waits in std::mem::take(&mut self.place(site).waits) {
            match waits {
                Waits::HandIn(run, moment, lanes) => self.hand_in(site, run, moment, lanes),
                Waits::Whole(pid, kept) => self.body_is_whole(site, pid, kept),
                Waits::Reaches(pid, flight) => self.reaches(site, pid, flight),
                Waits::Committed(pid) => self.committed(site, pid),
            }
        }
        self.send_what_waits(site);
    }

    /// Each lane at `site` sends what waits, if it may and does not already.
    pub(super) fn send_what_waits(&mut self, site: SiteId) {
        let Some(pid) = self.sites[site].pid() else { return };
        for lane in 0..self.place(site).disk.lanes.len() {
            self.send_front(site, pid, lane);
        }
    }

    /// Whether there is a data side, and the member at `site` is part of it.
    pub(super) fn has_gate(&self, site: SiteId) -> bool {
        self.data.as_ref().is_some_and(|data| site < data.places.len())
    }

    /// What the process at `site` says of its gate in a heartbeat that is made now.
    pub(crate) fn gate_coverage(&mut self, site: SiteId) -> Option<GateCoverage> {
        if !self.attend_gate(site) {
            return None;
        }
        let boot = self.sites[site].clock.boot_id();
        let (now, uptime) = (self.now, self.site_now(site).uptime);
        let gate = self.place(site).gate.as_mut()?;
        let has_looked = gate.looked_at == now;
        if has_looked && now >= gate.published_at + LOOK {
            let order = Order::of(&gate.standing).at(uptime);
            let lanes = gate.lanes.iter().map(|lane| (lane.key.clone(), lane.ledger.coverage(&boot)));
            gate.published = proof::said(&order, lanes);
            gate.published_at = now;
        }
        Some(gate.published.clone())
    }

    /// The process at `site` stands otherwise: what is proved leaves the buffer, what waits may be sent.
    pub(crate) fn gate_is_ordered(&mut self, site: SiteId, standing: &Standing) {
        if !self.attend_gate(site) {
            return;
        }
        self.source_changes(site, standing);
        let uptime = self.site_now(site).uptime;
        let boot = self.sites[site].clock.boot_id();
        let hold_back = Duration::from_micros(self.data().plan.hold_back);
        let order = Order::of(standing).at(uptime);
        let Some(gate) = self.place(site).gate.as_mut() else { return };
        let may_send =
            !Order::of(&std::mem::replace(&mut gate.standing, standing.clone())).egress && order.egress;
        let moved = gate.proofs.has_moved(standing, uptime);
        let is_interrupted = gate.proofs.is_interrupted(&order);
        for lane in &mut gate.lanes {
            if moved.is_some() || is_interrupted {
                lane.ledger.cover_anew();
            }
            if may_send {
                // What was read before may be gone.
                (lane.turn, lane.pauses, lane.attempts) = (None, false, 0);
                lane.waited = lane.ledger.load().0;
            }
        }
        if let Some(evidence) = gate.proofs.news(standing, &order, hold_back) {
            let mut over = Vec::new();
            for (index, lane) in gate.lanes.iter_mut().enumerate() {
                let blocks = lane.ledger.trim(&lane.key, &evidence, &boot);
                over.extend(blocks.into_iter().map(|block| (index, block)));
            }
            for (lane, block) in over {
                self.judge_trim(site, lane, block, &evidence);
                self.write(site, Work::Over(lane, block));
            }
        }
        if let Some(membership) = moved {
            self.write(site, Work::Joined(membership));
        }
        self.send_what_waits(site);
    }

    /// What role and mode demand of the gate at `site` now.
    pub(super) fn gate_order(&mut self, site: SiteId) -> Order {
        let uptime = self.site_now(site).uptime;
        let standing = self.place(site).gate.as_ref().map(|gate| &gate.standing);
        standing.map_or_else(Order::default, |standing| Order::of(standing).at(uptime))
    }

    /// The gate reads the head of a moment for one lane, or turns it away.
    pub(super) fn gate_enters(&mut self, site: SiteId, lane: usize, arrival: Now) -> Result<Ticket, Turned> {
        let order = self.gate_order(site);
        if order.number == 0 {
            return Err(Turned::StandsBy);
        }
        let terms = self.terms();
        let Some(gate) = self.place(site).gate.as_mut() else { return Err(Turned::StandsBy) };
        gate.lanes[lane].ledger.enter(&order, terms, arrival)
    }

    /// The gate takes a moment whose body is whole, or turns it away: it is passed on, kept, or lost. Blocks that make
    /// room for it are lost once it is kept. `again` says that the destination had its chance.
    pub(super) fn gate_takes(&mut self, site: SiteId, kept: Kept, again: bool) {
        let (order, terms) = (self.gate_order(site), self.terms());
        let Some(gate) = self.place(site).gate.as_mut() else { return };
        let ledger = &mut gate.lanes[kept.lane].ledger;
        let before = ledger.tally().dropped;
        let taken = ledger.take(&order, terms, 1, again);
        let counted = ledger.tally().dropped - before;
        match taken {
            Ok(Taken::Pass) => self.pass(site, kept),
            Ok(Taken::Keep(over)) => {
                self.judge_dropped(site, kept.lane, &over, counted);
                self.write(site, Work::Keep(kept, over));
            }
            Err(_) => self.gate_loses(site, kept),
        }
    }

    /// What was under way is not here: its collector may hand it in again.
    pub(super) fn gate_loses(&mut self, site: SiteId, kept: Kept) {
        if let Some(gate) = self.place(site).gate.as_mut() {
            gate.lanes[kept.lane].ledger.lose(kept.ticket);
        }
        self.hand_in_again(site, kept.run, kept.moment, 1 << kept.lane);
    }

    fn terms(&mut self) -> Terms {
        Terms { standby: StandbyAnswer::Refuse, limit: self.data().plan.room }
    }
}
