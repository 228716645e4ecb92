//! One destination's lane: what waits for it, what is under way, and what became of the rest.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::machine::{Admission, Settlement, Span, admission, is_proved};
use crate::{
    domain::{BootId, Coverage, DataEndpoint, Now, Order, Proof, Uptime, Wall},
    store::{Block, Tally, Waiting},
};

/// One destination's lane. Outlives its configuration: what waits stays, whoever is configured.
#[derive(Debug)]
pub(super) struct Lane {
    id: String,
    state: Mutex<State>,
    /// Tells whoever sends what waits that something does.
    pub(super) waits: Notify,
}

#[derive(Debug)]
struct State {
    /// What waits and is on disk, oldest first.
    blocks: VecDeque<Block>,
    /// How many requests wait, those that are being written included.
    waiting: u64,
    /// How much room they take.
    bytes: u64,
    /// When requests that are under way were received: neither settled nor on disk.
    under_way: BTreeMap<(Uptime, u64), Wall>,
    next_ticket: u64,
    tally: Tally,
    /// Since when everything that came was taken.
    covered_from: Uptime,
    last_received: Option<Wall>,
    /// What was lost or refused in this run.
    news: News,
    /// Why the destination settles nothing now; empty while it does.
    outage: Option<String>,
}

/// What happened in this run that people should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct News {
    /// Dropped because the buffer was full.
    pub(super) dropped: u64,
    /// Refused by the destination, and the last status it said.
    pub(super) refused: u64,
    pub(super) refused_with: u16,
    /// Not taken because the buffer was full.
    pub(super) turned_away: u64,
    /// Not taken, or dropped by setting, while standing by.
    pub(super) stood_by: u64,
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    /// This adapter stands by.
    StandsBy,
    /// This adapter stands by, and the setting is to say nothing of it.
    Swallowed,
    /// The buffer is full.
    Full,
}

/// What becomes of a request that is taken.
#[derive(Debug)]
pub(super) enum Taken {
    /// It goes to the destination.
    Pass(Ticket),
    /// It is written down; the blocks that made room for it are over.
    Keep(Reserved, Vec<i64>),
}

/// A request that is under way, from its arrival until it is settled or on disk.
#[derive(Debug)]
pub(super) struct Ticket {
    lane: Arc<Lane>,
    arrival: Uptime,
    number: u64,
}

/// Room in the buffer for one request. Given back when it is dropped, unless the request was written.
#[derive(Debug)]
pub(super) struct Reserved {
    ticket: Ticket,
    bytes: u64,
    written: bool,
}

impl Lane {
    pub(super) fn new(id: &str, waiting: Option<Waiting>, now: Uptime) -> Self {
        let (tally, blocks) = waiting.map_or_else(Default::default, |found| (found.tally, found.blocks));
        let state = State {
            waiting: blocks.iter().map(left).sum(),
            bytes: blocks.iter().map(|block| block.bytes).sum(),
            blocks: blocks.into(),
            under_way: BTreeMap::new(),
            next_ticket: 0,
            tally,
            covered_from: now,
            last_received: None,
            news: News::default(),
            outage: None,
        };
        Self { id: id.to_owned(), state: Mutex::new(state), waits: Notify::new() }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether requests that carry data are refused now, so that their bodies need not be read; counts one.
    pub(super) fn refuses(&self, order: &Order, endpoint: &DataEndpoint, now: Uptime) -> bool {
        let refuses = admission(order, false, false, endpoint.standby_answer()) == Admission::Refuse;
        if refuses {
            self.state().stand_by(Turned::StandsBy, now);
        }
        refuses
    }

    /// Takes a request that was received at `now`, or turns it away. `unsettled` says that the destination had
    /// its chance, and did not settle it.
    pub(super) fn take(
        self: &Arc<Self>,
        order: &Order,
        endpoint: &DataEndpoint,
        (arrival, size): (Now, u64),
        unsettled: bool,
        now: Uptime,
    ) -> Result<Taken, Turned> {
        let mut state = self.state();
        match admission(order, false, unsettled || state.waiting > 0, endpoint.standby_answer()) {
            Admission::Pass => Ok(Taken::Pass(state.ticket(self, arrival))),
            Admission::Keep { dropping_oldest } => {
                let over = state.make_room(size, endpoint.max_buffer_bytes(), dropping_oldest, now)?;
                state.waiting += 1;
                state.bytes += size;
                let ticket = state.ticket(self, arrival);
                Ok(Taken::Keep(Reserved { ticket, bytes: size, written: false }, over))
            }
            Admission::Refuse => Err(state.stand_by(Turned::StandsBy, now)),
            Admission::Swallow => Err(state.stand_by(Turned::Swallowed, now)),
        }
    }

    /// What was passed on is settled.
    pub(super) fn settled(&self, settlement: Settlement, status: u16) {
        self.state().count(settlement, status);
    }

    /// The next number for a request that waits.
    pub(super) fn number(&self) -> u64 {
        let mut state = self.state();
        state.tally.last_sequence += 1;
        state.tally.last_sequence
    }

    pub(super) fn tally(&self) -> Tally {
        self.state().tally
    }

    /// A block is on disk.
    pub(super) fn written(&self, block: Block, reserved: Vec<Reserved>) {
        let mut state = self.state();
        // What was reserved is an estimate; the block's own size counts from now on.
        let estimated: u64 = reserved.iter().map(|reserved| reserved.bytes).sum();
        state.bytes = (state.bytes + block.bytes).saturating_sub(estimated);
        state.blocks.push_back(block);
        drop(state);
        for mut room in reserved {
            room.written = true;
            drop(room);
        }
        self.waits.notify_one();
    }

    /// The block whose turn it is.
    pub(super) fn front(&self) -> Option<Block> {
        self.state().blocks.front().cloned()
    }

    /// The first open request of `block` is settled. Gives how many of it are, and whether it is over.
    pub(super) fn settle_front(
        &self,
        block: i64,
        settlement: Settlement,
        status: u16,
    ) -> Option<(u32, bool)> {
        let mut state = self.state();
        let front = state.blocks.front_mut().filter(|front| front.id == block)?;
        front.settled += 1;
        let (settled, over) = (front.settled, front.settled >= front.entries);
        state.waiting = state.waiting.saturating_sub(1);
        if over {
            state.remove_front();
        }
        state.count(settlement, status);
        Some((settled, over))
    }

    /// A block that cannot be read is over.
    pub(super) fn give_up_front(&self, block: i64, now: Uptime) {
        let mut state = self.state();
        if state.blocks.front().is_some_and(|front| front.id == block) {
            let lost = state.blocks.front().map_or(0, left);
            state.waiting = state.waiting.saturating_sub(lost);
            state.remove_front();
            state.lose(lost, now);
        }
    }

    /// Takes out what `proof` proves to be settled elsewhere; gives the blocks that are over.
    pub(super) fn trim(&self, proof: &Proof, margin: Duration, boot: &BootId) -> Vec<i64> {
        let mut state = self.state();
        let (mut over, mut requests, mut bytes) = (Vec::new(), 0, 0);
        state.blocks.retain(|block| {
            let span = Span { boot: &block.boot, first: block.first.uptime, last: block.last.uptime };
            let proved = is_proved(&span, proof, margin, boot);
            if proved {
                over.push(block.id);
                requests += left(block);
                bytes += block.bytes;
            }
            !proved
        });
        state.waiting = state.waiting.saturating_sub(requests);
        state.bytes = state.bytes.saturating_sub(bytes);
        state.tally.proved += requests;
        over
    }

    /// What it has received and settled.
    pub(super) fn coverage(&self, boot: &BootId) -> Coverage {
        let state = self.state();
        let under_way = state.under_way.keys().next().map(|(at, _)| *at);
        // What waits since another boot is older than any uptime.
        let waiting = state
            .blocks
            .front()
            .map(|block| if block.boot == *boot { block.first.uptime } else { Uptime::default() });
        Coverage {
            covered_from: state.covered_from,
            unsettled_from: [under_way, waiting].into_iter().flatten().min(),
        }
    }

    /// The arrival up to which everything received is settled; empty before the first.
    pub(super) fn settled_until(&self) -> Option<Wall> {
        let state = self.state();
        let under_way = state.under_way.values().next().copied();
        let waiting = state.blocks.front().map(|block| block.first.wall);
        [under_way, waiting].into_iter().flatten().min().or(state.last_received)
    }

    /// How many requests wait, and how much room they take.
    pub(super) fn load(&self) -> (u64, u64) {
        let state = self.state();
        (state.waiting, state.bytes)
    }

    /// What happened in this run.
    pub(super) fn totals(&self) -> News {
        self.state().news
    }

    /// Says why the destination settles nothing, or that it does again.
    pub(super) fn set_outage(&self, why: Option<&str>) {
        self.state().outage = why.map(str::to_owned);
    }

    pub(super) fn outage(&self) -> Option<String> {
        self.state().outage.clone()
    }
}

impl State {
    fn ticket(&mut self, lane: &Arc<Lane>, arrival: Now) -> Ticket {
        self.next_ticket += 1;
        let number = self.next_ticket;
        self.under_way.insert((arrival.uptime, number), arrival.wall);
        self.last_received = Some(self.last_received.map_or(arrival.wall, |last| last.max(arrival.wall)));
        Ticket { lane: Arc::clone(lane), arrival: arrival.uptime, number }
    }

    /// Room for `size`; gives the blocks that were dropped for it.
    fn make_room(
        &mut self,
        size: u64,
        limit: u64,
        dropping_oldest: bool,
        now: Uptime,
    ) -> Result<Vec<i64>, Turned> {
        let mut over = Vec::new();
        while self.bytes + size > limit {
            let Some(oldest) = self.blocks.front().filter(|_| dropping_oldest) else {
                self.news.turned_away += 1;
                self.covered_from = now;
                return Err(Turned::Full);
            };
            over.push(oldest.id);
            let lost = left(oldest);
            self.waiting = self.waiting.saturating_sub(lost);
            self.remove_front();
            self.lose(lost, now);
        }
        Ok(over)
    }

    fn lose(&mut self, lost: u64, now: Uptime) {
        self.tally.dropped += lost;
        self.news.dropped += lost;
        self.covered_from = now;
    }

    fn remove_front(&mut self) {
        if let Some(front) = self.blocks.pop_front() {
            self.bytes = self.bytes.saturating_sub(front.bytes);
        }
    }

    fn stand_by(&mut self, turned: Turned, now: Uptime) -> Turned {
        self.news.stood_by += 1;
        self.covered_from = now;
        turned
    }

    fn count(&mut self, settlement: Settlement, status: u16) {
        if settlement != Settlement::Open {
            self.outage = None;
        }
        match settlement {
            Settlement::Acknowledged => self.tally.acknowledged += 1,
            Settlement::Refused => {
                self.tally.refused += 1;
                self.news.refused += 1;
                self.news.refused_with = status;
            }
            Settlement::Open => {}
        }
    }
}

fn left(block: &Block) -> u64 {
    u64::from(block.entries.saturating_sub(block.settled))
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.lane.state().under_way.remove(&(self.arrival, self.number));
    }
}

impl Reserved {
    pub(super) fn lane(&self) -> &Arc<Lane> {
        &self.ticket.lane
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if !self.written {
            let mut state = self.ticket.lane.state();
            state.waiting = state.waiting.saturating_sub(1);
            state.bytes = state.bytes.saturating_sub(self.bytes);
        }
    }
}
