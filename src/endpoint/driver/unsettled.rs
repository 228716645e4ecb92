//! What the mark says of all groups, kept so that a seat is written without asking each of them.

use std::{collections::BTreeSet, time::Duration};

use super::{Cell, Group};

/// What is waited for, in all groups together.
#[derive(Debug)]
pub(super) struct Unsettled {
    /// The cells that wait for a Primary that acts already. By number, not by key: a group that was deleted and
    /// created anew has another one, and what a late look at the old one sees says nothing of the new.
    renewing: BTreeSet<u64>,
    /// The longest FailoverTimeout there was.
    pub(super) longest: Duration,
}

impl Unsettled {
    pub(super) const fn new(longest: Duration) -> Self {
        Self { renewing: BTreeSet::new(), longest }
    }

    pub(super) fn note(&mut self, cell: &Cell, group: &Group) {
        if group.is_renewing() {
            self.renewing.insert(cell.number);
        } else {
            self.renewing.remove(&cell.number);
        }
        self.longest = self.longest.max(group.spec().draft.timeout.get());
    }

    pub(super) fn forget(&mut self, cell: &Cell) {
        self.renewing.remove(&cell.number);
    }

    /// Whether any cell waits.
    pub(super) fn waits(&self) -> bool {
        !self.renewing.is_empty()
    }
}
