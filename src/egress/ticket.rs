//! What a request holds while it is under way: its place among those that are not settled, and room in the buffer.

use std::sync::Arc;

use super::{
    lane::Lane,
    machine::{Settlement, ledger},
};
use crate::domain::{Block, Now, Uptime};

/// A request that is under way, from its head until it is settled or on disk. One that is dropped before is lost.
#[derive(Debug)]
pub(super) struct Ticket {
    lane: Arc<Lane>,
    ticket: ledger::Ticket,
    ended: bool,
}

impl Ticket {
    pub(super) const fn new(lane: Arc<Lane>, ticket: ledger::Ticket) -> Self {
        Self { lane, ticket, ended: false }
    }

    /// The destination has settled it.
    pub(super) fn settled(mut self, settlement: Settlement, status: u16, now: Now) {
        self.ended = true;
        self.lane.settled(self.ticket, settlement, status, now);
    }

    /// It is on disk, or nobody could ever deliver it.
    pub(super) fn arrived(mut self) {
        self.ended = true;
        self.lane.arrived(self.ticket);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.ended {
            self.lane.lose(self.ticket);
        }
    }
}

/// Room in the buffer for one request. Given back when it is dropped, unless the request was written.
#[derive(Debug)]
pub(super) struct Reserved {
    ticket: Ticket,
    bytes: u64,
    /// The blocks that make room for it: over once it is written, else they wait on.
    over: Vec<Block>,
}

impl Reserved {
    pub(super) const fn new(ticket: Ticket, bytes: u64, over: Vec<Block>) -> Self {
        Self { ticket, bytes, over }
    }

    /// The blocks that are over once it is written.
    pub(super) fn over(&self) -> impl Iterator<Item = i64> {
        self.over.iter().map(|block| block.id)
    }

    pub(super) const fn lane(&self) -> &Arc<Lane> {
        &self.ticket.lane
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// As how old it counts.
    pub(super) const fn since(&self) -> Uptime {
        self.ticket.ticket.since()
    }

    /// The request is on disk: the room is the block's.
    pub(super) fn written(mut self) {
        self.ticket.ended = true;
        self.ticket.lane.arrived(self.ticket.ticket);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if !std::mem::replace(&mut self.ticket.ended, true) {
            let over = std::mem::take(&mut self.over);
            self.ticket.lane.not_written(self.ticket.ticket, self.bytes, over);
        }
    }
}
