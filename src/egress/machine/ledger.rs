//! The books of one destination: what waits for it, what is under way, and what became of the rest.

use std::time::Duration;

use super::{
    Admission, Settlement, admission,
    blocks::Blocks,
    continuity::Continuity,
    proof::{Evidence, Span},
    under_way::UnderWay,
};
pub use super::{
    account::{Account, News},
    under_way::Ticket,
};
use crate::domain::{
    Block, BootId, Coverage, DestinationKey, Now, Order, StandbyAnswer, Tally, Uptime, Waiting, Wall,
};

/// The books of one destination.
#[derive(Debug)]
pub struct Ledger {
    /// What waits and is on disk, oldest first.
    blocks: Blocks,
    /// How many requests wait, those that are being written included.
    waiting: u64,
    /// How much room those take that are being written.
    in_writing: u64,
    under_way: UnderWay,
    tally: Tally,
    /// What was delivered since it was last permitted to.
    account: Account,
    /// Since when everything came and was taken.
    continuity: Continuity,
    last_received: Option<Wall>,
    news: News,
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
    /// It is written down; the blocks that make room for it are over then.
    Keep(Ticket, Vec<Block>),
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

impl Ledger {
    /// The books of a destination that `waiting` was found for, if anything was.
    #[must_use]
    pub fn new(waiting: Option<Waiting>, hold_back: Duration, boot: &BootId, now: Uptime) -> Self {
        let (tally, found) = waiting.map_or_else(Default::default, |found| (found.tally, found.blocks));
        let continuity = Continuity::new(&found, hold_back, boot, now);
        let (waiting, mut blocks) = (found.iter().map(Block::left).sum(), Blocks::default());
        found.into_iter().for_each(|block| blocks.push(block));
        Self {
            waiting,
            in_writing: 0,
            blocks,
            under_way: UnderWay::default(),
            tally,
            account: Account::default(),
            continuity,
            last_received: None,
            news: News::default(),
        }
    }

    /// Whether requests that carry data are refused now, so that their bodies need not be read; counts one.
    pub fn refuses(&mut self, order: &Order, terms: Terms) -> bool {
        let refuses = admission(order, false, false, terms.standby) == Admission::Refuse;
        if refuses {
            self.stand_by(Turned::StandsBy);
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
    ) -> Result<Taken, Turned> {
        match admission(order, false, unsettled || self.waiting > 0, terms.standby) {
            Admission::Pass => Ok(Taken::Pass(self.arrives(arrival, unsettled))),
            Admission::Keep { dropping_oldest } => {
                let over = self.make_room(size, terms.limit, dropping_oldest)?;
                self.waiting += 1;
                self.in_writing += size;
                Ok(Taken::Keep(self.arrives(arrival, unsettled), over))
            }
            Admission::Refuse => Err(self.stand_by(Turned::StandsBy)),
            Admission::Swallow => Err(self.stand_by(Turned::Swallowed)),
        }
    }

    /// A request is under way no longer: it is settled, or counted otherwise.
    pub fn arrived(&mut self, ticket: Ticket) {
        self.under_way.end(ticket);
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

    /// What was to make room for a request that could not be written waits on.
    pub fn put_back(&mut self, over: Vec<Block>) {
        for block in over {
            let left = block.left();
            self.waiting += left;
            self.tally.dropped = self.tally.dropped.saturating_sub(left);
            self.news.dropped = self.news.dropped.saturating_sub(left);
            self.blocks.put_back(block);
        }
    }

    /// A request that was to be kept could not be written.
    pub const fn not_written(&mut self, reserved: u64) {
        self.waiting = self.waiting.saturating_sub(1);
        self.in_writing = self.in_writing.saturating_sub(reserved);
        // It was received, and is not kept.
        self.cover_anew();
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
    pub fn give_up_front(&mut self, block: i64) {
        if self.blocks.front().is_some_and(|front| front.id == block) {
            self.lose_front();
        }
    }

    /// Takes out what `evidence` proves to be settled elsewhere for the destination `key`; gives the blocks that
    /// are over.
    pub fn trim(&mut self, key: &DestinationKey, evidence: &Evidence, boot: &BootId) -> Vec<i64> {
        let proved = self.blocks.take_out(|block| {
            let span = Span { boot: &block.boot, first: block.first.uptime, last: block.last.uptime };
            evidence.covers(&span, key, boot)
        });
        let requests = proved.iter().map(Block::left).sum();
        self.waiting = self.waiting.saturating_sub(requests);
        self.tally.proved += requests;
        proved.iter().map(|block| block.id).collect()
    }

    /// What it has received and settled; nothing while something may be missed. Silence proves nothing: who has
    /// handed nothing in since may have stopped reading, and then the other has what this one never saw.
    #[must_use]
    pub fn coverage(&self, boot: &BootId) -> Option<Coverage> {
        let open = [self.under_way.oldest(), self.blocks.oldest(boot)];
        let settled_until = open.into_iter().flatten().fold(self.continuity.last(), Uptime::min);
        Some(Coverage { covered_from: self.continuity.from()?, settled_until })
    }

    /// Whether so little comes that nothing can be proved.
    #[must_use]
    pub const fn is_sparse(&self) -> bool {
        self.continuity.is_sparse()
    }

    /// Something is missed: what is covered begins anew with the next arrival.
    pub const fn cover_anew(&mut self) {
        self.continuity.begin_anew();
    }

    /// Looks whether time passes: who stood still has not seen what happened meanwhile.
    pub fn look(&mut self, now: Uptime) {
        self.continuity.look(now);
    }

    /// The arrival up to which everything received is settled; empty before the first.
    #[must_use]
    pub fn settled_until(&self) -> Option<Wall> {
        let open = [self.under_way.oldest_wall(), self.blocks.oldest_wall()];
        open.into_iter().flatten().min().or(self.last_received)
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

    /// A request is under way from now on. What was so before, and was not settled, is no news of the collector.
    fn arrives(&mut self, arrival: Now, again: bool) -> Ticket {
        if !again {
            self.continuity.note(arrival.uptime);
            let last = self.last_received.map_or(arrival.wall, |last| last.max(arrival.wall));
            self.last_received = Some(last);
        }
        self.under_way.begin(self.continuity.since(arrival.uptime), arrival.wall)
    }

    /// Room for `size`; gives the blocks that were dropped for it.
    fn make_room(&mut self, size: u64, limit: u64, dropping_oldest: bool) -> Result<Vec<Block>, Turned> {
        let mut over = Vec::new();
        // What is being written leaves no room, however much is dropped.
        let dropping_oldest = dropping_oldest && self.in_writing + size <= limit;
        while self.blocks.bytes() + self.in_writing + size > limit {
            let Some(oldest) = dropping_oldest.then(|| self.lose_front()).flatten() else {
                self.news.turned_away += 1;
                self.cover_anew();
                return Err(Turned::Full);
            };
            over.push(oldest);
        }
        Ok(over)
    }

    fn lose_front(&mut self) -> Option<Block> {
        let lost = self.blocks.pop_front()?;
        self.waiting = self.waiting.saturating_sub(lost.left());
        self.tally.dropped += lost.left();
        self.news.dropped += lost.left();
        self.cover_anew();
        Some(lost)
    }

    const fn stand_by(&mut self, turned: Turned) -> Turned {
        self.news.stood_by += 1;
        self.cover_anew();
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
        Ledger::new(None, HOLD_BACK, &BootId::new("this"), at(200))
    }

    fn moment(secs: u64) -> Now {
        Now { uptime: at(secs), wall: Wall::from_micros(i64::try_from(secs).unwrap()) }
    }

    fn primary() -> Order {
        let standing = Standing { role: Role::Primary, acting: Acting::Unbounded, ..Standing::default() };
        Order::of(&standing)
    }

    /// A request that arrives, and is settled at once.
    fn arrives(ledger: &mut Ledger, secs: u64) {
        ledger.look(at(secs));
        let taken = ledger.take(&primary(), TERMS, (moment(secs), 10), false);
        let Ok(Taken::Pass(ticket)) = taken else { panic!("{taken:?}") };
        ledger.settle(Settlement::Acknowledged, 200, moment(secs));
        ledger.arrived(ticket);
    }

    fn covered(ledger: &Ledger) -> Option<(Uptime, Uptime)> {
        let coverage = ledger.coverage(&BootId::new("this"))?;
        Some((coverage.covered_from, coverage.settled_until))
    }

    /// One request a second.
    fn run(ledger: &mut Ledger, from: u64, to: u64) {
        (from..=to).for_each(|secs| arrives(ledger, secs));
    }

    #[test]
    fn what_comes_late_after_a_break_is_as_old_as_it_may_be() {
        let mut ledger = ledger();
        run(&mut ledger, 200, 205);
        arrives(&mut ledger, 216);
        ledger.take(&primary(), TERMS, (moment(217), 10), false).unwrap();
        assert_eq!(covered(&ledger).unwrap(), (at(227), at(206)), "what comes now may be 11 s late");
        ledger.cover_anew();
        assert_eq!(covered(&ledger), None, "something was refused");
    }

    fn block(id: i64, first: u64) -> Block {
        let (first, boot) = (moment(first), BootId::new("this"));
        Block { id, first_sequence: 1, entries: 1, settled: 0, bytes: 10, boot, first, last: first }
    }

    #[test]
    fn what_is_not_settled_is_as_old_as_the_oldest_whichever_block_has_it() {
        let mut ledger = ledger();
        run(&mut ledger, 200, 205);
        // The second was passed on first, and hung.
        ledger.written(block(1, 204), 0);
        ledger.written(block(2, 201), 0);
        assert_eq!(covered(&ledger).unwrap().1, at(201));
        assert_eq!(ledger.settled_until(), Some(Wall::from_micros(201)));
        let other = ledger.coverage(&BootId::new("another"));
        assert_eq!(other.unwrap().settled_until, Uptime::default(), "older than any uptime of this boot");
    }

    #[test]
    fn a_full_standby_drops_its_oldest_and_a_full_primary_takes_nothing() {
        let hot = Standing { applied_mode: Some(Mode::Hot), role: Role::Secondary, ..Standing::default() };
        let hot = Order::of(&hot);
        let mut ledger = ledger();
        for id in 1..=3 {
            ledger.waiting += 1;
            ledger.written(Block { bytes: 300, ..block(id, 200) }, 0);
        }
        let mut take = |order: &Order, size| {
            let taken = ledger.take(order, TERMS, (moment(300), size), false);
            (
                taken
                    .map(|taken| matches!(taken, Taken::Keep(_, over) if over[0].id == 1 && over.len() == 1)),
                ledger.load(),
                ledger.tally().dropped,
            )
        };
        assert_eq!(take(&primary(), 101), (Err(Turned::Full), (3, 900), 0));
        assert_eq!(take(&hot, 101), (Ok(true), (3, 701), 1));
        // What is being written leaves no room, however much is dropped.
        assert_eq!(take(&hot, 900), (Err(Turned::Full), (3, 701), 1));
        ledger.not_written(101);
        ledger.put_back(vec![Block { bytes: 300, ..block(1, 200) }]);
        assert_eq!((ledger.load(), ledger.tally().dropped), ((3, 900), 0), "nothing was dropped after all");
        assert_eq!(ledger.first(u64::MAX).iter().map(|block| block.id).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
