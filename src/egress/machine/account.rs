//! What one lane has delivered since it was last permitted to: its part of the receipt of a hand-over.

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
