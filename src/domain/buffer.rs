//! What waits at the egress gate, and what became of the rest.

use super::{BootId, GroupId, Now, Uptime};

/// Requests that were written together: all but what they carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its row.
    pub id: i64,
    /// The number of its first request; the others follow.
    pub first_sequence: u64,
    /// How many requests it has.
    pub entries: u32,
    /// How many of them, from the first on, are settled; fewer than there are.
    pub settled: u32,
    /// How large it is.
    pub bytes: u64,
    /// In which boot they were received.
    pub boot: BootId,
    /// When its first request was received.
    pub first: Now,
    /// When its last request was received.
    pub last: Now,
}

impl Block {
    /// How many of its requests are not settled.
    #[must_use]
    pub fn left(&self) -> u64 {
        u64::from(self.entries.saturating_sub(self.settled))
    }

    /// The number of the first that is not settled.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.first_sequence + u64::from(self.settled)
    }
}

/// How many requests of a destination were settled, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// The highest number that was given to a request that waits.
    pub last_sequence: u64,
    /// Acknowledged by the destination.
    pub acknowledged: u64,
    /// Refused by the destination.
    pub refused: u64,
    /// Dropped because the buffer was full.
    pub dropped: u64,
    /// Left the buffer because the Primary was proved to have settled the same.
    pub proved: u64,
    /// How many of the dropped were told in the receipt of a hand-over.
    pub dropped_told: u64,
}

/// One destination as its buffer knew it when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The destination.
    pub destination: String,
    /// Its counts.
    pub tally: Tally,
    /// What waits for it, oldest first.
    pub blocks: Vec<Block>,
    /// When something arrived last, if that was written.
    pub arrival: Option<Arrival>,
}

/// When something arrived last for a destination: the break before a run that begins later is as long as that is ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// In which boot.
    pub boot: BootId,
    /// As how old it counted, or something that was under way or missed beside it.
    pub since: Uptime,
    /// When.
    pub last: Uptime,
}

/// The group whose source is read, and since when: what was received before may be another source's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The group.
    pub group: GroupId,
    /// In which boot this adapter was first seen in it.
    pub boot: BootId,
    /// When it came from another group; empty where it belonged to none before.
    pub moved: Option<Uptime>,
}
