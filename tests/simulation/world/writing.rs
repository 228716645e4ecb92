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
    endpoint::not_recorded,
    event::{AtEndpoint, Event},
    store::Transaction,
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
}

impl Job {
    fn is_late(&self, now: Instant) -> bool {
        now - self.since > LATE
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
    /// What happened and needs no seat is committed.
    Changes,
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
}

impl Writer {
    pub(crate) const fn new(mark: Mark) -> Self {
        Self { mark, running: None, waiting: VecDeque::new() }
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
        self.endpoint.writer.waiting.push_back(Job { key, cell, record, since: self.now });
        self.begin_writing();
    }

    fn begin_writing(&mut self) {
        if self.endpoint.writer.running.is_none()
            && let Some(job) = self.endpoint.writer.waiting.pop_front()
        {
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
        let cell = self.endpoint.cells.get_mut(key).filter(|cell| free && cell.unwritten);
        if let Some(cell) = cell {
            cell.unwritten = false;
            self.enter(None, Stage::Changes);
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
        match (&running.stage, &running.job) {
            (Stage::Both { mark, mark_keeps }, Some(job)) => {
                if keeps {
                    let transaction = Transaction::RecordSeat(job.key.clone(), job.record.seat.clone());
                    running.says_yes &= folder.store.commit(&transaction).is_ok();
                }
                if *mark_keeps {
                    folder.mark = Some(mark.clone());
                    self.endpoint.writer.mark = mark.clone();
                }
            }
            (Stage::Mark(mark) | Stage::MarkReadBack(mark) | Stage::Settle(mark), _) => {
                if keeps {
                    folder.mark = Some(mark.clone());
                }
            }
            (Stage::Both { .. } | Stage::ReadBack | Stage::Pause | Stage::Changes, _) => {}
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
        let Some(Running { job, stage, says_yes, .. }) = self.endpoint.writer.running.take() else { return };
        let Some(job) = job else {
            if let (Stage::Settle(mark), true) = (stage, says_yes) {
                self.endpoint.writer.mark = mark;
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
            Stage::Settle(_) | Stage::Changes => {}
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
        if let Some(cell) = cell
            && cell.group.read_back(now, stored)
        {
            if let Some(promotion) = &job.record.promotion {
                self.say(&job.key, promotion);
            }
            self.keep_books(&job.key);
        }
        self.begin_writing();
    }
}
