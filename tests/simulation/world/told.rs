//! What the endpoint said that happened in its groups, and whether its history says the same: in order, once, and
//! whole, unless the process was killed or the disk failed.

use std::{collections::BTreeMap, time::Duration};

use client_failover::{
    domain::{GroupChange, GroupChangeKind, GroupKey, Now, SessionId, Wall},
    endpoint::machine::{Away, SignOfLife},
};

use super::{World, clock::SECOND, endpoint::Cell, sink::Accusation};

/// A row of the endpoint's history, by its place among all that were ever told.
pub(crate) type RowId = usize;

/// Somebody else's rows that are looked at beside those that are doubted; as the product has it.
const OF_OTHERS: usize = 100;

/// What a row says, as far as it is compared.
#[derive(Debug)]
struct Row {
    run: u32,
    at: Wall,
    kind: GroupChangeKind,
    session: Option<SessionId>,
    /// It did not happen after all.
    undone: bool,
    /// The disk failed when nobody could try again.
    lost: bool,
}

impl Row {
    const fn is_to_be_kept(&self) -> bool {
        !self.undone && !self.lost
    }

    const fn changes_the_seat(&self) -> bool {
        matches!(self.kind, GroupChangeKind::Promoted | GroupChangeKind::SeatFreed)
    }
}

/// What becomes of a write: whether it is durable, and whether that is said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    pub(crate) keeps: bool,
    pub(crate) says_yes: bool,
}

/// All rows that were told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    rows: Vec<Row>,
    groups: BTreeMap<GroupKey, Vec<RowId>>,
}

impl Told {
    /// Run `run` of the endpoint says that this happens in a group.
    pub(crate) fn tell(&mut self, run: u32, key: &GroupKey, change: &GroupChange) -> RowId {
        let id = self.rows.len();
        let (at, kind, session) = (change.at, change.kind, change.session.clone());
        self.rows.push(Row { run, at, kind, session, undone: false, lost: false });
        self.groups.entry(key.clone()).or_default().push(id);
        id
    }

    /// The place of the row that will be told next.
    pub(crate) fn next(&self) -> RowId {
        self.rows.len()
    }

    /// A promotion did not happen after all: it did not reach the disk.
    pub(crate) fn undo(&mut self, rows: &[RowId]) {
        rows.iter().for_each(|id| self.rows[*id].undone = true);
    }

    /// The disk failed when these were to be written, and nobody can try again.
    pub(crate) fn lose(&mut self, rows: &[RowId]) {
        rows.iter().for_each(|id| self.rows[*id].lost = true);
    }

    /// What of `rows` is not on `disk` yet. The first `doubted` may be: a commit is kept whole or not at all.
    fn missing<'a>(rows: &'a [RowId], doubted: usize, disk: &[RowId]) -> &'a [RowId] {
        let newest = &disk[disk.len().saturating_sub(doubted + OF_OTHERS)..];
        let last = rows[..doubted].iter().rposition(|id| newest.contains(id));
        &rows[last.map_or(0, |last| last + 1)..]
    }

    /// Whether row `id` may be written after what is on `disk`: each row of its run that was told before is there.
    fn accuses(&self, key: &GroupKey, disk: &[RowId], id: RowId) -> Option<Accusation> {
        let last = disk.last().copied();
        if last.is_some_and(|last| last >= id) {
            return Some(("History", format!("{}: row {id} is written after row {last:?}", key.id)));
        }
        let of_run = |other: &&RowId| {
            self.rows[**other].run == self.rows[id].run && self.rows[**other].is_to_be_kept()
        };
        let before = self.groups.get(key)?.iter().rev().filter(of_run).find(|other| **other < id);
        let is_there = before.is_none_or(|before| last.is_some_and(|last| last >= *before));
        (!is_there).then(|| ("History", format!("{}: row {id} is written, row {before:?} is not", key.id)))
    }

    /// Whether all that `run` told of a group is on `disk`.
    fn lacks(&self, run: u32, key: &GroupKey, disk: &[RowId]) -> Option<Accusation> {
        let of_run = |id: &&RowId| self.rows[**id].run == run && self.rows[**id].is_to_be_kept();
        let told = self.groups.get(key).into_iter().flatten().filter(of_run);
        let kept = disk.iter().filter(of_run);
        (!told.clone().eq(kept.clone())).then(|| {
            (
                "History",
                format!(
                    "{}: told {:?}, on disk {:?}",
                    key.id,
                    told.collect::<Vec<_>>(),
                    kept.collect::<Vec<_>>()
                ),
            )
        })
    }

    /// Whether somebody else than `holder` is Primary by the rows on `disk`, unless the disk failed when it was to keep the
    /// last of them.
    fn contradicts(&self, key: &GroupKey, disk: &[RowId], holder: Option<&SessionId>) -> Option<String> {
        let seat = |id: &&RowId| self.rows[**id].changes_the_seat();
        let last = disk.iter().rev().find(seat);
        let lost = |id: &&RowId| self.rows[**id].lost && Some(*id) >= last;
        let is_known = !self.groups.get(key).into_iter().flatten().filter(seat).any(|id| lost(&id));
        let last = last.map(|id| &self.rows[*id]).filter(|row| row.kind == GroupChangeKind::Promoted);
        let told = last.and_then(|row| row.session.as_ref());
        (is_known && told != holder)
            .then(|| format!("{}: {holder:?} has the seat, by the history {told:?} has", key.id))
    }
}

impl World {
    /// A commit is durable: these rows of a group are on disk from now on. The first `doubted` of them may have been.
    pub(crate) fn keep_rows(&mut self, key: &GroupKey, rows: &[RowId], doubted: usize) {
        let disk = self.endpoint.folder.store.changes.entry(key.clone()).or_default();
        let mut accused = None;
        for id in Told::missing(rows, doubted, disk) {
            accused = accused.or_else(|| self.judge.told.accuses(key, disk, *id));
            disk.push(*id);
            self.endpoint.folder.store.changed_at = Some(self.judge.told.rows[*id].at);
        }
        self.accuse_if(accused);
    }

    /// A seat is on disk: so is whatever made it what it is.
    pub(crate) fn judge_seat(&mut self, key: &GroupKey) {
        let holder = self.endpoint.folder.store.seats.get(key).and_then(|seat| seat.holder.clone());
        self.judge_holder(key, holder.map(|holder| holder.session).as_ref());
    }

    /// `holder` has the seat, or nobody: the row that says so is on disk.
    pub(crate) fn judge_holder(&mut self, key: &GroupKey, holder: Option<&SessionId>) {
        let disk = self.endpoint.folder.store.changes.get(key).map_or(&[][..], Vec::as_slice);
        if let Some(what) = self.judge.told.contradicts(key, disk, holder) {
            self.accuse("History", what);
        }
    }

    /// What happened and is not on disk is written, in no time, or the disk fails; unless it may follow from a seat that is
    /// not on disk.
    fn write_at_once(&mut self, key: &GroupKey) {
        let fate = self.fate();
        let Some(cell) = self.endpoint.cells.get_mut(key).filter(|cell| cell.group.is_recorded()) else {
            return;
        };
        let (rows, doubted) = (std::mem::take(&mut cell.unwritten), std::mem::take(&mut cell.doubted));
        if !fate.says_yes {
            (cell.unwritten, cell.doubted) = (rows.clone(), rows.len());
        }
        if fate.keeps {
            self.keep_rows(key, &rows, doubted);
        }
    }

    /// What the disk does with what it is given, by dice of its own.
    pub(crate) fn fate(&mut self) -> Fate {
        let (mood, roll) = (self.endpoint.mood, self.disk_dice.below(100));
        let (fails, keeps) = (roll < mood.fails + mood.fails_but_keeps, roll >= mood.fails);
        Fate { keeps, says_yes: !fails }
    }

    /// Writes rows that came with no write that the schedule draws for: what an earlier one failed to keep, and what the
    /// endpoint tells of itself. They take no time, so that whatever else happens stays as it was without them.
    pub(crate) fn write_quietly(&mut self, key: &GroupKey) {
        let is_due = |cell: &&Cell| !cell.unwritten.is_empty() && !cell.due;
        if !self.endpoint.writer.is_at_work() && self.endpoint.cells.get(key).filter(is_due).is_some() {
            self.write_at_once(key);
        }
    }

    /// Takes what a group's machine says of the endpoint itself.
    fn take_quietly(&mut self, key: &GroupKey) {
        let Some(cell) = self.endpoint.cells.get_mut(key) else { return };
        let changes = cell.group.take_changes();
        self.hear_changes(key, changes);
    }

    /// `Endpoint::tell_absence`.
    pub(crate) fn tell_absence(&mut self) {
        let begun = self.endpoint.begun;
        let now = Now { uptime: begun.clock, wall: begun.wall };
        let recorded = self.endpoint.folder.store.changed_at;
        let Some(away) = Away::before(now, &self.endpoint.boot, self.endpoint.sign.as_ref(), recorded) else {
            return;
        };
        for key in self.keys() {
            if let Some(cell) = self.endpoint.cells.get_mut(&key) {
                cell.group.note_away(begun, &away);
            }
            self.take_quietly(&key);
            self.write_quietly(&key);
        }
    }

    /// `Endpoint::tell_stall`.
    pub(crate) fn tell_stall(&mut self, stall: Duration) {
        let now = self.endpoint_clock.now(self.now);
        let away = Away::stalled(now, stall);
        let moment = self.endpoint.attention.moment(now);
        for key in self.keys() {
            if let Some(cell) = self.endpoint.cells.get_mut(&key).filter(|cell| cell.group.is_long(stall)) {
                cell.group.note_away(moment, &away);
                self.take_quietly(&key);
            }
        }
    }

    /// The endpoint is told to stop, if it runs and nothing is on its way to the disk; it has told its groups so before it
    /// ends, and whatever happened is on disk, unless the disk fails.
    pub(crate) fn stop_endpoint(&mut self) {
        // Where the store is well, what may wait is written in a moment; else the endpoint stops without it.
        let well = !self.endpoint.mood.is_bad();
        let waits = well && self.endpoint.cells.values().any(|cell| !cell.group.is_recorded());
        if !self.endpoint.is_up() || self.endpoint.writer.is_at_work() || waits {
            return;
        }
        let now = self.endpoint_now();
        for key in self.keys() {
            if let Some(cell) = self.endpoint.cells.get_mut(&key) {
                cell.group.note_stop(now);
            }
            self.take_quietly(&key);
            self.write_at_once(&key);
            if self.endpoint.mood.is_bad() {
                continue;
            }
            let nothing = Vec::new();
            let disk = self.endpoint.folder.store.changes.get(&key).unwrap_or(&nothing);
            let accused = self.judge.told.lacks(self.endpoint.run, &key, disk);
            self.accuse_if(accused);
        }
        self.leave_sign(true);
        self.log(|_| "the endpoint is told to stop".to_owned());
    }

    /// The last sign of life: of the end if it was told to stop, else of up to a second before it, or before it froze.
    pub(crate) fn leave_sign(&mut self, stopped: bool) {
        let lived = if self.endpoint.is_up() { self.now } else { self.endpoint.frozen_at };
        let ago = if stopped { 0 } else { self.disk_dice.below(SECOND) };
        let at = self.endpoint_clock.now(lived.saturating_sub(ago).max(self.endpoint_clock.booted()));
        let at = if at.uptime < self.endpoint.begun.clock { self.endpoint_clock.now(lived) } else { at };
        self.endpoint.sign = Some(SignOfLife { boot: self.endpoint.boot.clone(), at, stopped });
    }

    /// The schedule ends: the endpoint, if it runs, ends what it is at, is stopped in order, and begins once more.
    pub(crate) fn judge_endpoint_end(&mut self) {
        if self.endpoint.is_up() {
            self.finish_writing();
            self.stop_endpoint();
            self.end_endpoint(true);
            self.start_endpoint();
        }
    }

    fn keys(&self) -> Vec<GroupKey> {
        self.endpoint.cells.keys().cloned().collect()
    }
}
