//! One destination's lane: its books, which whoever takes, writes and sends share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

pub(super) use super::machine::ledger::{News, Turned};
use super::{
    body::Unread,
    machine::{
        Settlement,
        ledger::{self, Account, Ledger, Terms},
        proof::Evidence,
    },
    ticket::{Reserved, Ticket},
};
use crate::domain::{
    Block, BootId, Coverage, DataEndpoint, DestinationKey, Now, Order, Tally, Uptime, Waiting, Wall,
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
    /// Why the destination settles nothing now; empty while it does.
    outage: Option<String>,
}

/// What becomes of a request that is taken.
#[derive(Debug)]
pub(super) enum Taken {
    /// It goes to the destination.
    Pass(Ticket),
    /// It is written down.
    Keep(Reserved),
}

impl Lane {
    pub(super) fn new(
        id: &str,
        waiting: Option<Waiting>,
        hold_back: Duration,
        boot: &BootId,
        now: Uptime,
    ) -> Self {
        let state = State { ledger: Ledger::new(waiting, hold_back, boot, now), outage: None };
        Self { id: id.to_owned(), state: Mutex::new(state), waits: Notify::new() }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether requests that carry data are refused now, so that their bodies need not be read; counts one.
    pub(super) fn refuses(&self, order: &Order, endpoint: &DataEndpoint) -> bool {
        self.state().ledger.refuses(order, terms(endpoint))
    }

    /// Takes a request that was received at `arrival`, or turns it away. `unsettled` says that the destination had
    /// its chance, and did not settle it.
    pub(super) fn take(
        self: &Arc<Self>,
        order: &Order,
        endpoint: &DataEndpoint,
        (arrival, size): (Now, u64),
        unsettled: bool,
    ) -> Result<Taken, Turned> {
        let taken = self.state().ledger.take(order, terms(endpoint), (arrival, size), unsettled)?;
        Ok(match taken {
            ledger::Taken::Pass(number) => Taken::Pass(Ticket::new(Arc::clone(self), number)),
            ledger::Taken::Keep(number, over) => {
                Taken::Keep(Reserved::new(Ticket::new(Arc::clone(self), number), size, over))
            }
        })
    }

    /// What was passed on was answered.
    pub(super) fn settled(&self, settlement: Settlement, status: u16, now: Now) {
        let mut state = self.state();
        state.ledger.settle(settlement, status, now);
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

    /// A request is no longer under way.
    pub(super) fn arrived(&self, ticket: ledger::Ticket) {
        self.state().ledger.arrived(ticket);
    }

    /// A request that was to be kept, for which so many bytes were reserved and these blocks were to be over, could
    /// not be written.
    pub(super) fn not_written(&self, reserved: u64, over: Vec<Block>) {
        let mut state = self.state();
        state.ledger.not_written(reserved);
        state.ledger.put_back(over);
    }

    /// A request was not read: what it had is missing here.
    pub(super) fn missed(&self, unread: Unread) {
        let mut state = self.state();
        state.ledger.cover_anew();
        if unread == Unread::NoMemory {
            state.ledger.count_overload();
        }
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

    /// Looks whether time passes.
    pub(super) fn look(&self, now: Uptime) {
        self.state().ledger.look(now);
    }

    /// The arrival up to which everything received is settled; empty before the first.
    pub(super) fn settled_until(&self) -> Option<Wall> {
        self.state().ledger.settled_until()
    }

    /// Sending is permitted from now on: what is delivered is counted anew.
    pub(super) fn begin_account(&self) {
        self.state().ledger.begin_account();
    }

    /// What was delivered since then, and whether all that waited then is settled.
    pub(super) fn account(&self) -> (Account, bool) {
        self.state().ledger.account()
    }

    /// How many requests wait, and how much room they take.
    pub(super) fn load(&self) -> (u64, u64) {
        self.state().ledger.load()
    }

    /// What happened in this run.
    pub(super) fn totals(&self) -> News {
        self.state().ledger.news()
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
    /// Who settles something works.
    fn works(&mut self, settlement: Settlement) {
        if settlement != Settlement::Open {
            self.outage = None;
        }
    }
}

const fn terms(endpoint: &DataEndpoint) -> Terms {
    Terms { standby: endpoint.standby_answer(), limit: endpoint.max_buffer_bytes() }
}
