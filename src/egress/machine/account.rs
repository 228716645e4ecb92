//! What became of a lane's requests: since it was last permitted to send, which is its part of the receipt of a
//! hand-over, and in this run.

use super::Settlement;
use crate::domain::Now;

/// The account of one tenure.
#[derive(Debug, Clone, Copy, Default)]
pub struct Account {
    /// The highest number of a request that waited as it began.
    last_waiting: u64,
    /// When the destination acknowledged something first.
    pub first: Option<Now>,
    /// When it did last.
    pub last: Option<Now>,
    /// How many that waited as it began have been settled by the destination.
    pub resent: u64,
    /// Dropped for space since the account before began.
    pub dropped: u64,
}

impl Account {
    /// An account that begins with requests up to the number `last_waiting` waiting.
    pub(super) const fn new(last_waiting: u64, dropped: u64) -> Self {
        Self { last_waiting, first: None, last: None, resent: 0, dropped }
    }

    /// A request was settled; `sequence` is its number if it waited.
    pub(super) fn count(&mut self, settlement: Settlement, sequence: Option<u64>, now: Now) {
        if settlement == Settlement::Acknowledged {
            self.first.get_or_insert(now);
            self.last = Some(now);
        }
        if sequence.is_some_and(|sequence| sequence <= self.last_waiting) {
            self.resent += 1;
        }
    }

    /// Whether nothing waits any more of what waited as it began, where `next` is the number of the next that waits.
    pub(super) fn is_drained(&self, next: Option<u64>) -> bool {
        next.is_none_or(|next| next > self.last_waiting)
    }
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
