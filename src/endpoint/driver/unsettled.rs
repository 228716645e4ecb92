//! What the mark says of all groups, kept so that a seat is written without asking each of them.

use std::{collections::BTreeSet, time::Duration};

use super::{Group, GroupKey};

/// What is waited for, in all groups together.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    /// The groups that wait for a Primary that acts already.
    pub(super) renewing: BTreeSet<GroupKey>,
    /// The longest FailoverTimeout there was.
    pub(super) longest: Duration,
}

impl Unsettled {
    pub(super) fn note(&mut self, key: &GroupKey, group: &Group) {
        if group.is_renewing() {
            self.renewing.insert(key.clone());
        } else {
            self.renewing.remove(key);
        }
        self.longest = self.longest.max(group.spec().draft.timeout.get());
    }
}
