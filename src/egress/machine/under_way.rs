//! What is under way: neither settled nor on disk.

use std::collections::BTreeMap;

use crate::domain::{Uptime, Wall};

/// A request that is under way, from its head until it is settled or on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    since: Uptime,
    number: u64,
}

impl Ticket {
    /// When it arrived, or would have, had there been no break before.
    #[must_use]
    pub const fn since(self) -> Uptime {
        self.since
    }
}

/// The requests of one destination that are under way.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// When each was received, for people.
    received: BTreeMap<Ticket, Wall>,
    /// How many there have been.
    tickets: u64,
}

impl UnderWay {
    /// One begins that counts as received at `since`.
    pub(super) fn begin(&mut self, since: Uptime, received: Wall) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket { since, number: self.tickets };
        self.received.insert(ticket, received);
        ticket
    }

    /// One ends.
    pub(super) fn end(&mut self, ticket: Ticket) {
        self.received.remove(&ticket);
    }

    /// When the oldest was received.
    pub(super) fn oldest(&self) -> Option<Uptime> {
        self.received.keys().next().map(|ticket| ticket.since)
    }

    /// The same, for people.
    pub(super) fn oldest_wall(&self) -> Option<Wall> {
        self.received.values().next().copied()
    }
}
