//! One destination's lane: its books, which whoever takes, writes and sends share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

pub(super) use super::machine::ledger::{News, Taken, Turned};
use super::{
    machine::{
        Settlement,
        ledger::{self, Account, Ledger, Terms},
        proof::Evidence,
    },
    ticket::{Reserved, Ticket},
};
use crate::domain::{
    Arrival, Block, BootId, Coverage, DataEndpoint, DestinationKey, Now, Order, Tally, Uptime, Waiting, Wall,
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
    ledger: Ledger,
    /// Why the destination settles nothing, as was seen last; empty while it does, or nobody has seen.
    outage: Option<String>,
    /// Whether it has settled something since it was last reached in another way, or failed.
    works: bool,
}

impl Lane {
    pub(super) fn new(
        id: &str,
        waiting: Option<Waiting>,
        hold_back: Duration,
        boot: &BootId,
        now: Uptime,
    ) -> Self {
        let ledger = Ledger::new(waiting, hold_back, boot, now);
        let state = State { ledger, outage: None, works: false };
        Self { id: id.to_owned(), state: Mutex::new(state), waits: Notify::new() }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The head of a request that carries data was read at `arrival`; it is turned away where such are refused now, so
    /// that its body need not be read.
    pub(super) fn enter(
        self: &Arc<Self>,
        order: &Order,
        endpoint: &DataEndpoint,
        arrival: Now,
    ) -> Result<Ticket, Turned> {
        let ticket = self.state().ledger.enter(order, terms(endpoint), arrival)?;
        Ok(Ticket::new(Arc::clone(self), ticket))
    }

    /// Takes a request that is under way, or turns it away. `unsettled` says that the destination had its chance, and
    /// did not settle it.
    pub(super) fn take(
        &self,
        order: &Order,
        endpoint: &DataEndpoint,
        size: u64,
        unsettled: bool,
    ) -> Result<Taken, Turned> {
        self.state().ledger.take(order, terms(endpoint), size, unsettled)
    }

    /// What was passed on was settled.
    pub(super) fn settled(&self, ticket: ledger::Ticket, settlement: Settlement, status: u16, now: Now) {
        let mut state = self.state();
        state.ledger.settle(ticket, settlement, status, now);
        state.works(settlement);
    }

    /// The next number for a request that waits.
    pub(super) fn number(&self) -> u64 {
        self.state().ledger.number()
    }

    pub(super) fn tally(&self) -> Tally {
        self.state().ledger.tally()
    }

    /// A block is on disk.
    pub(super) fn written(&self, block: Block, reserved: Vec<Reserved>) {
        self.state().ledger.written(block, reserved.iter().map(Reserved::bytes).sum());
        reserved.into_iter().for_each(Reserved::written);
        self.waits.notify_one();
    }

    /// A request is no longer under way: it is on disk, or nobody could ever deliver it.
    pub(super) fn arrived(&self, ticket: ledger::Ticket) {
        self.state().ledger.arrived(ticket);
    }

    /// A request is no longer under way, and is not here.
    pub(super) fn lose(&self, ticket: ledger::Ticket) {
        self.state().ledger.lose(ticket);
    }

    /// A request that was to be kept, for which so many bytes were reserved and these blocks were to be over, could
    /// not be written.
    pub(super) fn not_written(&self, ticket: ledger::Ticket, reserved: u64, over: Vec<Block>) {
        self.state().ledger.not_written(ticket, reserved, over);
    }

    /// A request was not read for want of memory.
    pub(super) fn count_overload(&self) {
        self.state().ledger.count_overload();
    }

    /// The blocks whose turn it is: as many as take no more room than `bytes`, but one at the least.
    pub(super) fn first(&self, bytes: u64) -> Vec<Block> {
        self.state().ledger.first(bytes)
    }

    /// The first open request of `block` is settled. Gives how many of it are, and whether it is over.
    pub(super) fn settle_front(
        &self,
        block: i64,
        settlement: Settlement,
        status: u16,
        now: Now,
    ) -> Option<(u32, bool)> {
        let mut state = self.state();
        let settled = state.ledger.settle_front(block, settlement, status, now)?;
        state.works(settlement);
        Some(settled)
    }

    /// A block that cannot be read is over.
    pub(super) fn give_up_front(&self, block: i64) {
        self.state().ledger.give_up_front(block);
    }

    /// Takes out what `evidence` proves to be settled elsewhere for `key`; gives the blocks that are over.
    pub(super) fn trim(&self, key: &DestinationKey, evidence: &Evidence, boot: &BootId) -> Vec<i64> {
        self.state().ledger.trim(key, evidence, boot)
    }

    /// What it has received and settled; nothing while something may be missed.
    pub(super) fn coverage(&self, boot: &BootId) -> Option<Coverage> {
        self.state().ledger.coverage(boot)
    }

    /// Whether so little comes that nothing can be proved.
    pub(super) fn is_sparse(&self) -> bool {
        self.state().ledger.is_sparse()
    }

    /// Something is missed: what is covered begins anew with the next arrival.
    pub(super) fn cover_anew(&self) {
        self.state().ledger.cover_anew();
    }

    /// A part of the source is missed from now on, or no longer.
    pub(super) fn miss_part(&self, misses_part: bool) {
        self.state().ledger.miss_part(misses_part);
    }

    /// Whether a part of the source is missed.
    pub(super) fn misses_part(&self) -> bool {
        self.state().ledger.misses_part()
    }

    /// Looks whether time passes.
    pub(super) fn look(&self, now: Uptime) {
        self.state().ledger.look(now);
    }

    /// When the oldest that is not settled was received, and when anything was last, in this run.
    pub(super) fn received(&self) -> (Option<Wall>, Option<Wall>) {
        let state = self.state();
        (state.ledger.open_since(), state.ledger.last_received())
    }

    /// Sending is permitted from now on: what is delivered is counted anew, and how the destination does is seen anew.
    pub(super) fn begin_account(&self) {
        let mut state = self.state();
        state.ledger.begin_account();
        state.outage = None;
    }

    /// What was delivered since then, and whether all that waited then is settled.
    pub(super) fn account(&self) -> (Account, bool) {
        self.state().ledger.account()
    }

    /// What a run that begins later has to know of the last arrival, if it is to be written now.
    pub(super) fn arrival_to_note(&self, boot: &BootId, now: Uptime, at_last: bool) -> Option<Arrival> {
        self.state().ledger.arrival_to_note(boot, now, at_last)
    }

    /// How many requests wait, and how much room they take.
    pub(super) fn load(&self) -> (u64, u64) {
        self.state().ledger.load()
    }

    /// What happened in this run.
    pub(super) fn totals(&self) -> News {
        self.state().ledger.news()
    }

    /// The destination settles nothing, and why.
    pub(super) fn fails(&self, why: &str) {
        let mut state = self.state();
        (state.outage, state.works) = (Some(why.to_owned()), false);
    }

    /// The destination is reached in another way from now on: how it does is not known yet.
    pub(super) fn begin_anew(&self) {
        let mut state = self.state();
        (state.outage, state.works) = (None, false);
        // Before, it was sent elsewhere or not at all.
        state.ledger.cover_anew();
    }

    /// Why the destination settles nothing, as was seen last.
    pub(super) fn outage(&self) -> Option<String> {
        self.state().outage.clone()
    }

    /// Whether it has settled something since it was last reached in another way, or failed.
    pub(super) fn works(&self) -> bool {
        self.state().works
    }
}

impl State {
    /// Who settles something works.
    fn works(&mut self, settlement: Settlement) {
        if settlement != Settlement::Open {
            (self.outage, self.works) = (None, true);
        }
    }
}

const fn terms(endpoint: &DataEndpoint) -> Terms {
    Terms { standby: endpoint.standby_answer(), limit: endpoint.max_buffer_bytes() }
}
