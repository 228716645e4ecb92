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
    Arrival, Block, BootId, Coverage, DestinationKey, Now, Order, StandbyAnswer, Tally, Uptime, Waiting, Wall,
};

/// How often it is written when something arrived last, at the most; and once in a hold-back where that is longer.
const NOTE_EVERY: Duration = Duration::from_secs(1);

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
    /// When it was last said what a run that begins later has to know, and of which arrival.
    noted: Option<(Uptime, Uptime)>,
    /// How often that is said, at the most.
    note_every: Duration,
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
    Pass,
    /// It is written down; the blocks that make room for it are over then.
    Keep(Vec<Block>),
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
        let (tally, found, arrival) =
            waiting.map_or_else(Default::default, |found| (found.tally, found.blocks, found.arrival));
        let continuity = Continuity::new(&found, arrival.as_ref(), hold_back, boot, now);
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
            noted: None,
            note_every: hold_back.max(NOTE_EVERY),
            news: News::default(),
        }
    }

    /// The head of a request that carries data was read at `arrival`. From now on it is under way, however long its body
    /// takes, until it is settled, on disk or lost.
    ///
    /// # Errors
    /// When such requests are refused now, so that the body need not be read.
    pub fn enter(&mut self, order: &Order, terms: Terms, arrival: Now) -> Result<Ticket, Turned> {
        if admission(order, false, false, terms.standby) == Admission::Refuse {
            return Err(self.stand_by(Turned::StandsBy));
        }
        self.continuity.note(arrival.uptime);
        self.last_received = Some(self.last_received.map_or(arrival.wall, |last| last.max(arrival.wall)));
        Ok(self.under_way.begin(self.continuity.since(arrival.uptime), arrival.wall))
    }

    /// Takes a request of `size` bytes that is under way, or turns it away; then it is lost. `unsettled` says that the
    /// destination had its chance, and did not settle it.
    ///
    /// # Errors
    /// When it is turned away.
    pub fn take(&mut self, order: &Order, terms: Terms, size: u64, unsettled: bool) -> Result<Taken, Turned> {
        match admission(order, false, unsettled || self.waiting > 0, terms.standby) {
            Admission::Pass => Ok(Taken::Pass),
            Admission::Keep { dropping_oldest } => {
                let over = self.make_room(size, terms.limit, dropping_oldest)?;
                self.waiting += 1;
                self.in_writing += size;
                Ok(Taken::Keep(over))
            }
            Admission::Refuse => Err(self.stand_by(Turned::StandsBy)),
            Admission::Swallow => Err(self.stand_by(Turned::Swallowed)),
        }
    }

    /// A request is under way no longer: it is on disk, or nobody could ever deliver it.
    pub fn arrived(&mut self, ticket: Ticket) {
        self.under_way.end(ticket);
    }

    /// A request is under way no longer, and is not here: its collector may hand in later what it carried, or never.
    pub fn lose(&mut self, ticket: Ticket) {
        self.under_way.end(ticket);
        self.continuity.lose(ticket.since());
    }

    /// What was passed on was settled.
    pub fn settle(&mut self, ticket: Ticket, settlement: Settlement, status: u16, now: Now) {
        self.under_way.end(ticket);
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

    /// A request for which `reserved` bytes were reserved could not be written: it is lost, and what was to make room for
    /// it waits on.
    pub fn not_written(&mut self, ticket: Ticket, reserved: u64, over: Vec<Block>) {
        self.waiting = self.waiting.saturating_sub(1);
        self.in_writing = self.in_writing.saturating_sub(reserved);
        self.lose(ticket);
        for block in over {
            let left = block.left();
            self.waiting += left;
            self.tally.dropped = self.tally.dropped.saturating_sub(left);
            self.news.dropped = self.news.dropped.saturating_sub(left);
            self.blocks.put_back(block);
        }
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

    /// Whether a part of the source is missed.
    #[must_use]
    pub const fn misses_part(&self) -> bool {
        self.continuity.misses_part()
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

    /// A part of the source is missed from now on, or no longer.
    pub fn miss_part(&mut self, misses_part: bool) {
        self.continuity.miss_part(misses_part);
    }

    /// Looks whether time passes: who stood still has not seen what happened meanwhile.
    pub fn look(&mut self, now: Uptime) {
        self.continuity.look(now);
    }

    /// When the oldest that is not settled was received; empty where nothing waits or is under way.
    #[must_use]
    pub fn open_since(&self) -> Option<Wall> {
        [self.under_way.oldest_wall(), self.blocks.oldest_wall()].into_iter().flatten().min()
    }

    /// When something was received last in this run.
    #[must_use]
    pub const fn last_received(&self) -> Option<Wall> {
        self.last_received
    }

    /// How many requests wait, and how much room they take.
    #[must_use]
    pub const fn load(&self) -> (u64, u64) {
        (self.waiting, self.blocks.bytes() + self.in_writing)
    }

    /// What a run that begins later has to know of the last arrival, where it is another than was said before, and that is
    /// long enough ago or this is the end.
    pub fn arrival_to_note(&mut self, boot: &BootId, now: Uptime, at_last: bool) -> Option<Arrival> {
        let last = self.last_received.map(|_| self.continuity.last())?;
        let is_due = |(at, of)| of != last && (at_last || now.since(at) >= self.note_every);
        if !self.noted.is_none_or(is_due) {
            return None;
        }
        self.noted = Some((now, last));
        let since = self.continuity.since_last();
        let since = self.under_way.oldest().map_or(since, |oldest| oldest.min(since));
        Some(Arrival { boot: boot.clone(), since, last })
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
mod tests;
