//! Writes seats down: the record, then the high-water mark, then whoever waits is answered. After a
//! doubt, what the store holds is read back. As `endpoint::driver::recording` does it.

use std::collections::VecDeque;

use client_failover::{
    domain::{Epoch, GroupId, GroupKey},
    endpoint::{Mark, machine::Record},
};

use super::{
    World,
    clock::{Instant, MILLISECOND, Span},
    endpoint::{Cell, not_recorded},
    event::{AtEndpoint, Event},
    store::Transaction,
    told::RowId,
};

/// Before a store that failed is asked again.
const PAUSE: u64 = 100 * MILLISECOND;

/// A record and all those before it in the queue are on disk within this, if the disk is well.
pub(crate) const LATE: Span = 100 * MILLISECOND;

/// A seat that is to be written, and for which cell.
#[derive(Debug)]
struct Job {
    key: GroupKey,
    cell: u32,
    record: Record,
    /// When the machine wanted it written.
    since: Instant,
    /// The row that was told next: what happened since is no part of what the seat says.
    until: RowId,
    promotion: Option<RowId>,
    /// What happened until then, and last the promotion, if it is one; how many of the first are doubted.
    rows: Vec<RowId>,
    doubted: usize,
}

impl Job {
    fn is_late(&self, now: Instant) -> bool {
        now - self.since > LATE
    }

    /// Takes what is to be written with it, if `cell` is its cell.
    fn take_rows(&mut self, cell: &mut Cell) {
        if cell.id == self.cell {
            (self.rows, self.doubted) = cell.take_unwritten(self.until);
        }
    }
}

#[derive(Debug, Clone)]
enum Stage {
    /// The record is committed and the mark written, side by side.
    Both { mark: Mark, mark_keeps: bool },
    /// The mark is brought to the number that the store gave the record.
    Mark(Mark),
    /// What the store holds is read back.
    ReadBack,
    /// The mark is brought to the store's number, after reading back.
    MarkReadBack(Mark),
    /// The store failed again.
    Pause,
    /// The mark says that no group waits any more.
    Settle(Mark),
    /// What happened in a group, of this cell, and needs no seat is committed; how much of it is doubted.
    Changes(GroupKey, u32, Vec<RowId>, usize),
}

/// What is under way.
#[derive(Debug)]
struct Running {
    /// None while the mark alone is settled, or changes are written.
    job: Option<Job>,
    stage: Stage,
    keeps: bool,
    says_yes: bool,
    reached: bool,
    /// When the store answers.
    ends: Instant,
}

/// Whoever writes seats: it holds the mark's lock, so that one is written after the other.
#[derive(Debug)]
pub(crate) struct Writer {
    /// What the process believes to be on disk.
    pub(crate) mark: Mark,
    running: Option<Running>,
    waiting: VecDeque<Job>,
    /// What happened in groups that were deleted, and waits for what is to be written of their cells.
    left: Vec<(GroupKey, u32, Vec<RowId>, usize)>,
}

impl Writer {
    pub(crate) const fn new(mark: Mark) -> Self {
        Self { mark, running: None, waiting: VecDeque::new(), left: Vec::new() }
    }

    /// Whether anything is being written, or waits for that.
    pub(crate) fn is_at_work(&self) -> bool {
        self.running.is_some() || !self.waiting.is_empty()
    }

    /// A group was deleted. Gives the promotions that are on their way to the disk: nobody will hear what becomes of them.
    pub(crate) fn leave_rows(&mut self, key: &GroupKey, cell: &mut Cell) -> Vec<RowId> {
        self.waiting.iter_mut().for_each(|job| job.take_rows(cell));
        let (rows, doubted) = cell.take_unwritten(RowId::MAX);
        // What follows from a seat that is not on disk is lost with it.
        let lost = if cell.group.is_recorded() {
            self.left.push((key.clone(), cell.id, rows, doubted));
            Vec::new()
        } else {
            rows
        };
        let running = self.running.iter().filter_map(|running| running.job.as_ref());
        running
            .chain(&self.waiting)
            .filter(|job| job.cell == cell.id)
            .filter_map(|job| job.promotion)
            .chain(lost)
            .collect()
    }

    /// When the store answers what is under way.
    pub(crate) fn ends(&self) -> Instant {
        self.running.as_ref().map_or(0, |running| running.ends)
    }

    /// Whether a seat of this group has waited for the store for longer than one that is well takes.
    pub(crate) fn holds_up(&self, now: Instant, group: &GroupId) -> bool {
        let running = self.running.iter().filter_map(|running| running.job.as_ref());
        running.chain(&self.waiting).any(|job| job.key.id == *group && job.is_late(now))
    }
}

impl World {
    pub(crate) fn write_seat(&mut self, key: GroupKey, cell: u32, record: Record) {
        let until = self.judge.told.next();
        let promotion = record.promotion.as_ref();
        let promotion = promotion.map(|row| self.judge.told.tell(self.endpoint.run, &key, row));
        let (since, rows, doubted) = (self.now, Vec::new(), 0);
        self.endpoint.writer.waiting.push_back(Job {
            key,
            cell,
            record,
            since,
            until,
            promotion,
            rows,
            doubted,
        });
        self.begin_writing();
    }

    fn begin_writing(&mut self) {
        self.write_what_is_left();
        if self.endpoint.writer.running.is_none()
            && let Some(mut job) = self.endpoint.writer.waiting.pop_front()
        {
            if let Some(cell) = self.endpoint.cells.get_mut(&job.key) {
                job.take_rows(cell);
            }
            job.rows.extend(job.promotion);
            let next = job.record.seat.number_after(self.endpoint.writer.mark.seat_records);
            let mark = Mark { seat_records: next, ..self.next_mark(job.record.seat.epoch) };
            let (_, mark_keeps, mark_says_yes) = self.store_outcome();
            self.enter(Some(job), Stage::Both { mark, mark_keeps });
            if let Some(running) = self.endpoint.writer.running.as_mut() {
                running.says_yes &= mark_says_yes;
            }
        }
    }

    /// Once no group waits any more, the mark says so; unless a seat is being written.
    pub(crate) fn settle_mark(&mut self) {
        let now = self.endpoint_now();
        let writer = &self.endpoint.writer;
        if writer.running.is_some() || writer.mark.settled || self.endpoint.is_renewing(now) {
            return;
        }
        let mark = Mark { settled: true, boot: self.endpoint.boot.clone(), ..writer.mark.clone() };
        self.enter(None, Stage::Settle(mark));
    }

    /// Writes what happened and needs no seat, in the order in which seats are written.
    pub(crate) fn write_changes(&mut self, key: &GroupKey) {
        let free = self.endpoint.writer.running.is_none();
        let may = |cell: &&mut Cell| free && cell.due && cell.group.is_recorded();
        if let Some(cell) = self.endpoint.cells.get_mut(key).filter(may) {
            let id = cell.id;
            let (rows, doubted) = cell.take_unwritten(RowId::MAX);
            self.enter(None, Stage::Changes(key.clone(), id, rows, doubted));
        }
    }

    /// Writes what happened in groups that were deleted, after what is under way; who deleted them waits for that, and does
    /// not try again.
    pub(crate) fn write_what_is_left(&mut self) {
        if self.endpoint.writer.running.is_some() {
            return;
        }
        let Writer { left, waiting, .. } = &mut self.endpoint.writer;
        let waits = |left: &(_, u32, _, _)| waiting.iter().any(|job| job.cell == left.1);
        let (later, now): (Vec<_>, Vec<_>) = std::mem::take(left).into_iter().partition(waits);
        *left = later;
        for (key, _, rows, doubted) in now {
            if self.fate().keeps {
                self.keep_rows(&key, &rows, doubted);
            } else {
                self.judge.told.lose(&rows);
            }
        }
    }

    /// Lets what is under way, and what waits for it, come to its end now.
    pub(crate) fn finish_writing(&mut self) {
        while self.endpoint.writer.is_at_work() {
            self.reach_seat_disk();
            self.seat_store_answered();
        }
    }

    fn enter(&mut self, job: Option<Job>, stage: Stage) {
        let (latency, keeps, says_yes) =
            if matches!(stage, Stage::Pause) { (PAUSE, false, true) } else { self.store_outcome() };
        let ends = self.now + latency;
        self.endpoint.writer.running = Some(Running { job, stage, keeps, says_yes, reached: false, ends });
        self.push(latency, Event::Endpoint(self.endpoint.run, AtEndpoint::Seat));
    }

    /// How long the store takes, whether it keeps what it is given, and whether it says so.
    pub(crate) fn store_outcome(&mut self) -> (u64, bool, bool) {
        let mood = self.endpoint.mood;
        let latency = if self.dice.percent(mood.late) {
            self.judge.endpoint_was_disturbed(self.now);
            self.dice.between(0, 2 * self.plan.timeout)
        } else {
            self.dice.between(MILLISECOND, 8 * MILLISECOND)
        };
        let roll = self.dice.below(100);
        if roll < mood.fails {
            (latency, false, false)
        } else if roll < mood.fails + mood.fails_but_keeps {
            (latency, true, false)
        } else {
            (latency, true, true)
        }
    }

    /// What is under way reaches the disk, or does not.
    pub(crate) fn reach_seat_disk(&mut self) {
        let Some(running) = self.endpoint.writer.running.as_mut().filter(|running| !running.reached) else {
            return;
        };
        running.reached = true;
        let (keeps, folder) = (running.keeps, &mut self.endpoint.folder);
        let mut kept = None;
        match (&running.stage, &running.job) {
            (Stage::Both { mark, mark_keeps }, Some(job)) => {
                if keeps {
                    let transaction = Transaction::RecordSeat(job.key.clone(), job.record.seat.clone());
                    let committed = folder.store.commit(&transaction).is_ok();
                    running.says_yes &= committed;
                    kept = committed.then(|| (job.key.clone(), job.rows.clone(), job.doubted, true));
                }
                if *mark_keeps {
                    folder.mark = Some(mark.clone());
                    self.endpoint.writer.mark = mark.clone();
                }
            }
            (Stage::Changes(key, _, rows, doubted), _) => {
                kept = keeps.then(|| (key.clone(), rows.clone(), *doubted, false));
            }
            (Stage::Mark(mark) | Stage::MarkReadBack(mark) | Stage::Settle(mark), _) => {
                if keeps {
                    folder.mark = Some(mark.clone());
                }
            }
            (Stage::Both { .. } | Stage::ReadBack | Stage::Pause, _) => {}
        }
        if let Some((key, rows, doubted, with_seat)) = kept {
            self.keep_rows(&key, &rows, doubted);
            if with_seat {
                self.judge_seat(&key);
            }
        }
    }

    /// The process is killed while the store works: what was under way is kept or not.
    pub(crate) fn abandon_writes(&mut self) {
        let (record, mark) = (self.dice.percent(50), self.dice.percent(50));
        if let Some(running) = self.endpoint.writer.running.as_mut() {
            running.keeps &= record;
            if let Stage::Both { mark_keeps, .. } = &mut running.stage {
                *mark_keeps &= mark;
            }
        }
        self.reach_seat_disk();
        self.abandon_operation();
    }

    pub(crate) fn seat_store_answered(&mut self) {
        // Whoever deletes a group lets a record come to its end before its time: what was to end it then finds the next one.
        let answered = self.endpoint.writer.running.take_if(|running| running.reached);
        let Some(Running { job, stage, says_yes, .. }) = answered else { return };
        let Some(job) = job else {
            match (stage, says_yes) {
                (Stage::Settle(mark), true) => self.endpoint.writer.mark = mark,
                (Stage::Changes(key, cell, rows, _), false) => self.keep_trying(&key, cell, rows),
                _ => {}
            }
            return self.begin_writing();
        };
        match stage {
            Stage::Both { mark, .. } if says_yes => {
                let number = self.endpoint.folder.store.seat_records;
                let differs = mark.seat_records != number;
                self.endpoint.writer.mark = mark;
                if differs {
                    let mark = Mark { seat_records: number, ..self.endpoint.writer.mark.clone() };
                    return self.enter(Some(job), Stage::Mark(mark));
                }
                self.recorded(&job);
            }
            Stage::Mark(mark) if says_yes => {
                self.endpoint.writer.mark = mark;
                self.recorded(&job);
            }
            Stage::Both { .. } | Stage::Mark(_) => self.doubt(job),
            Stage::ReadBack if says_yes => self.read_back(job),
            Stage::MarkReadBack(mark) if says_yes => {
                self.endpoint.writer.mark = mark;
                self.finish_reading_back(&job);
            }
            Stage::ReadBack | Stage::MarkReadBack(_) => self.enter(Some(job), Stage::Pause),
            Stage::Pause => self.enter(Some(job), Stage::ReadBack),
            Stage::Settle(_) | Stage::Changes(..) => {}
        }
    }

    /// The store did not say yes to what happened in a group, which may be there all the same.
    fn keep_trying(&mut self, key: &GroupKey, cell: u32, mut rows: Vec<RowId>) {
        let doubted = rows.len();
        if let Some(cell) = self.endpoint.cells.get_mut(key).filter(|known| known.id == cell) {
            return cell.keep_first(rows, doubted);
        }
        // Its group was deleted: what is to be written of it is written with the seat that waits, if one does.
        match self.endpoint.writer.waiting.iter_mut().find(|job| job.cell == cell) {
            Some(job) => {
                rows.append(&mut job.rows);
                (job.rows, job.doubted) = (rows, doubted);
            }
            None => self.judge.told.lose(&rows),
        }
    }

    fn next_mark(&mut self, epoch: Option<Epoch>) -> Mark {
        let now = self.endpoint_now();
        Mark {
            boot: self.endpoint.boot.clone(),
            seat_records: self.endpoint.folder.store.seat_records,
            epoch: self.endpoint.writer.mark.epoch.max(epoch),
            longest: self.endpoint.longest_now(),
            settled: !self.endpoint.is_renewing(now),
        }
    }

    fn recorded(&mut self, job: &Job) {
        if job.is_late(self.now) {
            self.judge.lively.excuse(self.now, &job.key.id);
        }
        let now = self.endpoint_now();
        let cell = self.endpoint.cells.get_mut(&job.key).filter(|cell| cell.id == job.cell);
        if let Some(cell) = cell {
            cell.group.recorded(now);
            let mut waiting = std::mem::take(&mut cell.waiting);
            if let Some(promotion) = &job.record.promotion {
                self.say(&job.key, promotion);
            }
            self.keep_books(&job.key);
            if !waiting.is_empty() {
                let turn = self.dice.index(waiting.len());
                waiting.rotate_left(turn);
            }
            for (question, back) in waiting {
                self.answer(&job.key, question, back);
            }
        }
        self.begin_writing();
    }

    /// The store did not say yes: whoever waits is answered 503.
    fn doubt(&mut self, job: Job) {
        self.judge.endpoint_was_disturbed(self.now);
        self.judge.lively.excuse(self.now, &job.key.id);
        let cell = self.endpoint.cells.get_mut(&job.key).filter(|cell| cell.id == job.cell);
        if let Some(cell) = cell {
            cell.group.doubt();
            for (_, back) in std::mem::take(&mut cell.waiting) {
                self.send_down(back, Err(not_recorded()));
            }
        }
        self.enter(Some(job), Stage::ReadBack);
    }

    fn read_back(&mut self, job: Job) {
        let store = &self.endpoint.folder.store;
        let epoch = store.seats.get(&job.key).and_then(|stored| stored.epoch);
        let mark = &self.endpoint.writer.mark;
        if mark.seat_records != store.seat_records || epoch > mark.epoch {
            let mark = self.next_mark(epoch);
            return self.enter(Some(job), Stage::MarkReadBack(mark));
        }
        self.finish_reading_back(&job);
    }

    fn finish_reading_back(&mut self, job: &Job) {
        self.judge.endpoint_was_disturbed(self.now);
        self.judge.lively.excuse(self.now, &job.key.id);
        let now = self.endpoint_now();
        let stored = self.endpoint.folder.store.seats.get(&job.key);
        let cell = self.endpoint.cells.get_mut(&job.key).filter(|cell| cell.id == job.cell);
        let is_there = cell.is_some();
        let kept = match cell {
            Some(cell) => cell.group.read_back(now, stored),
            None => stored == Some(&job.record.seat),
        };
        if !kept {
            self.take_back(job);
        } else if is_there {
            if let Some(promotion) = &job.record.promotion {
                self.say(&job.key, promotion);
            }
            self.keep_books(&job.key);
        }
        self.begin_writing();
    }

    /// A record was not kept: its promotion did not happen, and what else was written with it is written later.
    fn take_back(&mut self, job: &Job) {
        let before = job.rows.len() - usize::from(job.promotion.is_some());
        let (before, promotion) = job.rows.split_at(before);
        self.judge.told.undo(promotion);
        match self.endpoint.cells.get_mut(&job.key).filter(|cell| cell.id == job.cell) {
            Some(cell) => cell.keep_first(before.to_vec(), job.doubted),
            None => self.judge.told.lose(before),
        }
    }
}
