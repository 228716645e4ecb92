//! The books of one destination: what waits for it, what is under way, and what became of the rest.

use std::{collections::BTreeMap, time::Duration};

pub use super::account::Account;
use super::{Admission, Settlement, Span, admission, blocks::Blocks, is_proved};
use crate::domain::{
    Block, BootId, Coverage, Now, Order, Proof, StandbyAnswer, Tally, Uptime, Waiting, Wall,
};

/// The books of one destination.
#[derive(Debug)]
pub struct Ledger {
    /// How long a collector may keep a sample: who sends nothing for longer may have stopped reading.
    hold_back: Duration,
    /// What waits and is on disk, oldest first.
    blocks: Blocks,
    /// How many requests wait, those that are being written included.
    waiting: u64,
    /// How much room those take that are being written.
    in_writing: u64,
    /// When requests that are under way were received: neither settled nor on disk.
    under_way: BTreeMap<Ticket, Wall>,
    tickets: u64,
    tally: Tally,
    /// What was delivered since it was last permitted to.
    account: Account,
    /// Since when something came all the time, and everything that came was taken.
    covered_from: Uptime,
    last_arrival: Option<Uptime>,
    last_received: Option<Wall>,
    news: News,
}

/// A request that is under way, from its arrival until it is settled or on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    arrival: Uptime,
    number: u64,
}

/// What a destination's configuration says of requests that wait.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// What a standby that keeps nothing answers.
    pub standby: StandbyAnswer,
    /// How much may wait, in bytes.
    pub limit: u64,
}

/// What becomes of a request that is taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// It goes to the destination.
    Pass(Ticket),
    /// It is written down; the blocks that made room for it are over.
    Keep(Ticket, Vec<i64>),
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// This adapter stands by.
    StandsBy,
    /// This adapter stands by, and the setting is to say nothing of it.
    Swallowed,
    /// The buffer is full.
    Full,
}

/// What happened in this run that people should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct News {
    /// Dropped because the buffer was full.
    pub dropped: u64,
    /// Refused by the destination.
    pub refused: u64,
    /// With which status the last one was.
    pub refused_with: u16,
    /// Not taken because the buffer was full.
    pub turned_away: u64,
    /// Not taken because the requests under way took all the memory that they may.
    pub overloaded: u64,
    /// Not taken, or dropped by setting, while standing by.
    pub stood_by: u64,
}

impl Ledger {
    /// The books of a destination that `waiting` was found for, if anything was.
    #[must_use]
    pub fn new(waiting: Option<Waiting>, hold_back: Duration, now: Uptime) -> Self {
        let (tally, found) = waiting.map_or_else(Default::default, |found| (found.tally, found.blocks));
        let (waiting, mut blocks) = (found.iter().map(Block::left).sum(), Blocks::default());
        found.into_iter().for_each(|block| blocks.push(block));
        Self {
            hold_back,
            waiting,
            in_writing: 0,
            blocks,
            under_way: BTreeMap::new(),
            tickets: 0,
            tally,
            account: Account::default(),
            covered_from: now,
            last_arrival: None,
            last_received: None,
            news: News::default(),
        }
    }

    /// Whether requests that carry data are refused now, so that their bodies need not be read; counts one.
    pub fn refuses(&mut self, order: &Order, terms: Terms, now: Uptime) -> bool {
        let refuses = admission(order, false, false, terms.standby) == Admission::Refuse;
        if refuses {
            self.stand_by(Turned::StandsBy, now);
        }
        refuses
    }

    /// Takes a request of `size` bytes that was received at `arrival`, or turns it away. `unsettled` says that the
    /// destination had its chance, and did not settle it.
    ///
    /// # Errors
    /// When it is turned away.
    pub fn take(
        &mut self,
        order: &Order,
        terms: Terms,
        (arrival, size): (Now, u64),
        unsettled: bool,
        now: Uptime,
    ) -> Result<Taken, Turned> {
        match admission(order, false, unsettled || self.waiting > 0, terms.standby) {
            Admission::Pass => Ok(Taken::Pass(self.arrives(arrival))),
            Admission::Keep { dropping_oldest } => {
                let over = self.make_room(size, terms.limit, dropping_oldest, now)?;
                self.waiting += 1;
                self.in_writing += size;
                Ok(Taken::Keep(self.arrives(arrival), over))
            }
            Admission::Refuse => Err(self.stand_by(Turned::StandsBy, now)),
            Admission::Swallow => Err(self.stand_by(Turned::Swallowed, now)),
        }
    }

    /// A request is under way no longer: it is settled, or counted otherwise.
    pub fn arrived(&mut self, ticket: Ticket) {
        self.under_way.remove(&ticket);
    }

    /// What was passed on was answered.
    pub fn settle(&mut self, settlement: Settlement, status: u16, now: Now) {
        self.count(settlement, status, None, now);
    }

    fn count(&mut self, settlement: Settlement, status: u16, sequence: Option<u64>, now: Now) {
        self.account.count(settlement, sequence, now);
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

    /// The next number for a request that waits.
    pub const fn number(&mut self) -> u64 {
        self.tally.last_sequence += 1;
        self.tally.last_sequence
    }

    /// A block is on disk, for which `reserved` bytes were reserved. Its requests are under way until each ticket
    /// is given back.
    pub fn written(&mut self, block: Block, reserved: u64) {
        // What was reserved is an estimate; the block's own size counts from now on.
        self.in_writing = self.in_writing.saturating_sub(reserved);
        self.blocks.push(block);
    }

    /// A request that was to be kept could not be written.
    pub const fn not_written(&mut self, reserved: u64, now: Uptime) {
        self.waiting = self.waiting.saturating_sub(1);
        self.in_writing = self.in_writing.saturating_sub(reserved);
        // It was received, and is not kept.
        self.cover_anew(now);
    }

    /// The block whose turn it is.
    #[must_use]
    pub fn front(&self) -> Option<&Block> {
        self.blocks.front()
    }

    /// The blocks whose turn it is: as many as take no more room than `bytes`, but one at the least.
    #[must_use]
    pub fn first(&self, bytes: u64) -> Vec<Block> {
        self.blocks.first(bytes)
    }

    /// The first open request of `block` is settled. Gives how many of it are, and whether it is over.
    pub fn settle_front(
        &mut self,
        block: i64,
        settlement: Settlement,
        status: u16,
        now: Now,
    ) -> Option<(u32, bool)> {
        let sequence = self.blocks.front().map(Block::next);
        let settled = self.blocks.settle_front(block)?;
        self.waiting = self.waiting.saturating_sub(1);
        self.count(settlement, status, sequence, now);
        Some(settled)
    }

    /// Sending is permitted from now on: what is delivered is counted anew.
    pub const fn begin_account(&mut self) {
        let Tally { last_sequence, dropped, dropped_told, .. } = self.tally;
        self.account = Account::new(last_sequence, dropped.saturating_sub(dropped_told));
        self.tally.dropped_told = dropped;
    }

    /// What was delivered since then, and whether all that waited then is settled.
    #[must_use]
    pub fn account(&self) -> (Account, bool) {
        (self.account, self.account.is_drained(self.blocks.front().map(Block::next)))
    }

    /// A request was not read for want of memory.
    pub const fn count_overload(&mut self) {
        self.news.overloaded += 1;
    }

    /// A block that cannot be read is over.
    pub fn give_up_front(&mut self, block: i64, now: Uptime) {
        if self.blocks.front().is_some_and(|front| front.id == block) {
            self.lose_front(now);
        }
    }

    /// Takes out what `proof` proves to be settled elsewhere; gives the blocks that are over.
    pub fn trim(&mut self, proof: &Proof, margin: Duration, boot: &BootId) -> Vec<i64> {
        let proved = self.blocks.take_out(|block| {
            let span = Span { boot: &block.boot, first: block.first.uptime, last: block.last.uptime };
            is_proved(&span, proof, margin, boot)
        });
        let requests = proved.iter().map(Block::left).sum();
        self.waiting = self.waiting.saturating_sub(requests);
        self.tally.proved += requests;
        proved.iter().map(|block| block.id).collect()
    }

    /// What it has received and settled. Silence proves nothing for longer than a collector may hold back: the
    /// collector may have stopped reading, and then the other member has what this one never saw.
    #[must_use]
    pub fn coverage(&self, boot: &BootId) -> Coverage {
        let under_way = self.under_way.keys().next().map(|ticket| ticket.arrival);
        let waiting = self.blocks.oldest(boot);
        let heard_until = self.last_arrival.map_or(self.covered_from, |at| at + self.hold_back);
        Coverage {
            covered_from: self.covered_from,
            unsettled_from: [under_way, waiting, Some(heard_until)].into_iter().flatten().min(),
        }
    }

    /// Something may have been missed until now: what is covered begins anew.
    pub const fn cover_anew(&mut self, now: Uptime) {
        self.covered_from = now;
    }

    /// The arrival up to which everything received is settled; empty before the first.
    #[must_use]
    pub fn settled_until(&self) -> Option<Wall> {
        let under_way = self.under_way.values().next().copied();
        let waiting = self.blocks.oldest_wall();
        [under_way, waiting].into_iter().flatten().min().or(self.last_received)
    }

    /// How many requests wait, and how much room they take.
    #[must_use]
    pub const fn load(&self) -> (u64, u64) {
        (self.waiting, self.blocks.bytes() + self.in_writing)
    }

    /// What was settled, and how.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// What happened in this run.
    #[must_use]
    pub const fn news(&self) -> News {
        self.news
    }

    fn arrives(&mut self, arrival: Now) -> Ticket {
        if self.last_arrival.is_none_or(|last| arrival.uptime > last + self.hold_back) {
            self.covered_from = self.covered_from.max(arrival.uptime);
        }
        self.last_arrival = self.last_arrival.max(Some(arrival.uptime));
        self.last_received = Some(self.last_received.map_or(arrival.wall, |last| last.max(arrival.wall)));
        self.tickets += 1;
        let ticket = Ticket { arrival: arrival.uptime, number: self.tickets };
        self.under_way.insert(ticket, arrival.wall);
        ticket
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
        // What is being written leaves no room, however much is dropped.
        let dropping_oldest = dropping_oldest && self.in_writing + size <= limit;
        while self.blocks.bytes() + self.in_writing + size > limit {
            let Some(oldest) = self.blocks.front().filter(|_| dropping_oldest) else {
                self.news.turned_away += 1;
                self.cover_anew(now);
                return Err(Turned::Full);
            };
            over.push(oldest.id);
            self.lose_front(now);
        }
        Ok(over)
    }

    fn lose_front(&mut self, now: Uptime) {
        let lost = self.blocks.pop_front().as_ref().map_or(0, Block::left);
        self.waiting = self.waiting.saturating_sub(lost);
        self.tally.dropped += lost;
        self.news.dropped += lost;
        self.cover_anew(now);
    }

    fn stand_by(&mut self, turned: Turned, now: Uptime) -> Turned {
        self.news.stood_by += 1;
        self.cover_anew(now);
        turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Acting, Mode, Role, Standing};

    const HOLD_BACK: Duration = Duration::from_secs(10);

    const TERMS: Terms = Terms { standby: StandbyAnswer::Refuse, limit: 1_000 };

    fn at(secs: u64) -> Uptime {
        Uptime::new(Duration::from_secs(secs))
    }

    fn ledger() -> Ledger {
        Ledger::new(None, HOLD_BACK, at(100))
    }

    fn moment(secs: u64) -> Now {
        Now { uptime: at(secs), wall: Wall::from_micros(i64::try_from(secs).unwrap()) }
    }

    /// A request that arrives, and is settled at once.
    fn arrives(ledger: &mut Ledger, secs: u64) {
        let standing = Standing { role: Role::Primary, acting: Acting::Unbounded, ..Standing::default() };
        let taken = ledger.take(&Order::of(&standing), TERMS, (moment(secs), 10), false, at(secs));
        let Ok(Taken::Pass(ticket)) = taken else { panic!("{taken:?}") };
        ledger.settle(Settlement::Acknowledged, 200, moment(secs));
        ledger.arrived(ticket);
    }

    fn covered(ledger: &Ledger) -> (Uptime, Option<Uptime>) {
        let Coverage { covered_from, unsettled_from } = ledger.coverage(&BootId::new("this"));
        (covered_from, unsettled_from)
    }

    #[test]
    fn silence_covers_no_more_than_a_collector_may_hold_back() {
        let mut ledger = ledger();
        assert_eq!(covered(&ledger), (at(100), Some(at(100))), "nothing came, and nothing is known");
        arrives(&mut ledger, 200);
        assert_eq!(covered(&ledger), (at(200), Some(at(210))), "the collector begins here");
        arrives(&mut ledger, 210);
        assert_eq!(covered(&ledger), (at(200), Some(at(220))), "it may have held back for so long");
        arrives(&mut ledger, 221);
        assert_eq!(covered(&ledger), (at(221), Some(at(231))), "what it did not read was not received");
        ledger.cover_anew(at(225));
        assert_eq!(covered(&ledger).0, at(225));
    }

    fn block(id: i64, first: u64) -> Block {
        let (first, boot) = (moment(first), BootId::new("this"));
        Block { id, first_sequence: 1, entries: 1, settled: 0, bytes: 10, boot, first, last: first }
    }

    #[test]
    fn what_is_not_settled_is_as_old_as_the_oldest_whichever_block_has_it() {
        let mut ledger = ledger();
        arrives(&mut ledger, 200);
        arrives(&mut ledger, 205);
        // The second was passed on first, and hung.
        ledger.written(block(1, 204), 0);
        ledger.written(block(2, 201), 0);
        assert_eq!(covered(&ledger).1, Some(at(201)));
        assert_eq!(ledger.settled_until(), Some(Wall::from_micros(201)));
        let other = ledger.coverage(&BootId::new("another"));
        assert_eq!(other.unsettled_from, Some(Uptime::default()), "older than any uptime of this boot");
    }

    #[test]
    fn a_full_standby_drops_its_oldest_and_a_full_primary_takes_nothing() {
        let hot = Standing { applied_mode: Some(Mode::Hot), role: Role::Secondary, ..Standing::default() };
        let acting = Standing { role: Role::Primary, acting: Acting::Unbounded, ..Standing::default() };
        let mut ledger = ledger();
        for id in 1..=3 {
            ledger.waiting += 1;
            ledger.written(Block { bytes: 300, ..block(id, 200) }, 0);
        }
        let mut take = |standing: &Standing, size| {
            let taken = ledger.take(&Order::of(standing), TERMS, (moment(300), size), false, at(300));
            (
                taken.map(|taken| matches!(taken, Taken::Keep(_, over) if over == [1])),
                ledger.load(),
                ledger.tally().dropped,
            )
        };
        assert_eq!(take(&acting, 101), (Err(Turned::Full), (3, 900), 0));
        assert_eq!(take(&hot, 101), (Ok(true), (3, 701), 1));
        // What is being written leaves no room, however much is dropped.
        assert_eq!(take(&hot, 900), (Err(Turned::Full), (3, 701), 1));
    }
}
