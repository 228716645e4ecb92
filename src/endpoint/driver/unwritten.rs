//! What happened in a group and waits for the store: all of it, or a number in its place.

use super::{Cell, GroupChange, unpoisoned};
use crate::{
    domain::{GroupChangeKind, GroupReason, Wall},
    store::Due,
};

/// More changes of one group that wait for a store that refuses are not kept; the log has them, and the history says that
/// they are missing.
const MOST_UNWRITTEN: usize = 1_000;

/// What happened in a group and is not known to be on disk, in order.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    pub(super) changes: Vec<GroupChange>,
    /// How many of the first ones the store was given and did not say yes to.
    pub(super) doubted: usize,
    /// How many came before the first.
    before: usize,
    /// What came after the last, and was not kept.
    lost: Option<Lost>,
}

/// Changes that were not kept: from the first of them on all, until the store says yes again.
#[derive(Debug)]
struct Lost {
    count: usize,
    since: Wall,
    /// The last of them.
    last: GroupChange,
}

impl Lost {
    /// What the history says in place of them.
    fn row(self) -> GroupChange {
        let Self { count, since, last } = self;
        GroupChange {
            since: Some(since),
            kind: GroupChangeKind::EndpointAway,
            reason: GroupReason::NotWritten,
            explanation: format!("the store refused what happened; {count} changes are in the log alone"),
            session: None,
            asked_by: None,
            members: Vec::new(),
            receipt: None,
            ..last
        }
    }
}

impl Unwritten {
    /// As the store is given them.
    pub(super) fn due(&self) -> Due<'_, GroupChange> {
        Due { rows: &self.changes, doubted: self.doubted }
    }

    /// Keeps what happened, as far as there is room.
    pub(super) fn keep(&mut self, changes: Vec<GroupChange>) {
        let room = if self.lost.is_some() { 0 } else { MOST_UNWRITTEN.saturating_sub(self.changes.len()) };
        let mut changes = changes.into_iter();
        self.changes.extend(changes.by_ref().take(room));
        for last in changes {
            let (count, since) = self.lost.as_ref().map_or((0, last.at), |lost| (lost.count, lost.since));
            self.lost = Some(Lost { count: count + 1, since, last });
        }
    }

    /// Puts back what was taken and is not known to have been written, before what happened since.
    fn keep_first(&mut self, mut taken: Self) {
        if self.doubted > 0 {
            taken.doubted = taken.changes.len() + self.doubted;
        }
        let (since, lost) = (std::mem::take(&mut self.changes), self.lost.take());
        *self = taken;
        self.keep(since);
        self.doubted = self.doubted.min(self.changes.len());
        self.lost = match (self.lost.take(), lost) {
            (Some(first), Some(then)) => {
                Some(Lost { count: first.count + then.count, since: first.since, last: then.last })
            }
            (first, then) => first.or(then),
        };
    }

    /// The store writes again: what was not kept is told as such.
    fn note_loss(&mut self) {
        let lost = self.lost.take().map(Lost::row);
        self.changes.extend(lost);
    }

    /// How many there were ever.
    pub(super) fn told(&self) -> usize {
        self.before + self.changes.len()
    }

    /// Those among the first `until` that there were ever.
    pub(super) fn take(&mut self, until: usize) -> Self {
        let count = until.saturating_sub(self.before).min(self.changes.len());
        let later = self.changes.split_off(count);
        let (changes, doubted) = (std::mem::replace(&mut self.changes, later), self.doubted.min(count));
        let before = self.before;
        self.doubted -= doubted;
        self.before += count;
        Self { changes, doubted, before, lost: None }
    }

    /// The same, all of which the store was given and did not say yes to.
    pub(super) fn in_doubt(self) -> Self {
        Self { doubted: self.changes.len(), ..self }
    }
}

impl Cell {
    /// Puts back what was taken and is not known to have been written.
    pub(super) fn keep_first(&self, taken: Unwritten) {
        unpoisoned(&self.unwritten).keep_first(taken);
    }

    /// What was taken is written: the store says yes again.
    pub(super) fn note_loss(&self) {
        unpoisoned(&self.unwritten).note_loss();
    }

    pub(super) fn take_unwritten(&self) -> Unwritten {
        unpoisoned(&self.unwritten).take(usize::MAX)
    }

    pub(super) fn has_unwritten(&self) -> bool {
        !unpoisoned(&self.unwritten).changes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn changes(numbers: std::ops::Range<usize>) -> Vec<GroupChange> {
        let change = |number: usize| GroupChange {
            at: Wall::from_micros(0).plus(Duration::from_secs(u64::try_from(number).unwrap_or_default())),
            since: None,
            kind: GroupChangeKind::ChallengeBegan,
            reason: GroupReason::BetterScore,
            explanation: number.to_string(),
            session: None,
            epoch: None,
            asked_by: None,
            members: Vec::new(),
            receipt: None,
        };
        numbers.map(change).collect()
    }

    fn said(unwritten: &Unwritten) -> Vec<String> {
        unwritten.changes.iter().map(|change| change.explanation.clone()).collect()
    }

    #[test]
    fn what_is_not_kept_is_told_once_the_store_writes_again_and_nothing_after_it_is_kept_before() {
        let mut unwritten = Unwritten::default();
        unwritten.keep(changes(0..MOST_UNWRITTEN + 3));
        // Those that were kept are on their way to a store that refuses them.
        let taken = unwritten.take(usize::MAX);
        unwritten.keep(changes(MOST_UNWRITTEN + 3..MOST_UNWRITTEN + 5));
        unwritten.keep_first(taken.in_doubt());
        let taken = unwritten.take(usize::MAX);
        assert_eq!((taken.changes.len(), taken.doubted), (MOST_UNWRITTEN, MOST_UNWRITTEN));
        unwritten.note_loss();
        unwritten.keep(changes(2_000..2_001));
        assert_eq!(
            said(&unwritten),
            ["the store refused what happened; 5 changes are in the log alone", "2000"]
        );
        let lost = &unwritten.changes[0];
        assert_eq!((lost.kind, lost.reason), (GroupChangeKind::EndpointAway, GroupReason::NotWritten));
        let [first, last] = [0, 4].map(|number| changes(0..MOST_UNWRITTEN + 5)[MOST_UNWRITTEN + number].at);
        assert_eq!((lost.since, lost.at), (Some(first), last));
    }

    #[test]
    fn what_happened_while_the_store_refused_comes_after_what_it_refused_as_far_as_there_is_room() {
        let mut unwritten = Unwritten::default();
        unwritten.keep(changes(0..MOST_UNWRITTEN - 1));
        let taken = unwritten.take(usize::MAX);
        unwritten.keep(changes(MOST_UNWRITTEN - 1..MOST_UNWRITTEN + 2));
        unwritten.keep_first(taken.in_doubt());
        assert_eq!(unwritten.changes, changes(0..MOST_UNWRITTEN));
        assert_eq!(unwritten.doubted, MOST_UNWRITTEN - 1);
        unwritten.note_loss();
        let told = said(&unwritten).pop();
        assert_eq!(told.as_deref(), Some("the store refused what happened; 2 changes are in the log alone"));
    }
}
