//! The endpoint's process around its machines: what `endpoint::driver` does, over a virtual store.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use client_failover::{
    domain::{
        BootId, CallFailure, Epoch, FailoverTimeout, FailureKind, GroupDraft, GroupId, GroupKey, GroupSpec,
        Now, Place, Preferences,
    },
    endpoint::{
        Mark,
        machine::{Attention, Estate, Group, Moment, Question, SignOfLife},
    },
};

use super::{
    World,
    clock::{Instant, MILLISECOND, SECOND, Span},
    event::{AtEndpoint, Event, Request, Return},
    registry::{Operation, Registry},
    store::Folder,
    told::RowId,
    writing::Writer,
};

/// How often a tick looks for what is over, at the least, and the least pause between two.
const TICK: u64 = SECOND;
const PAUSE: u64 = 5 * MILLISECOND;

/// One group, and whoever waits for what becomes of its record.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) id: u32,
    pub(crate) group: Group,
    pub(crate) waiting: Vec<(Question, Return)>,
    /// What happened and is not known to be on disk, in order; how many of the first the store was given and did not
    /// say yes to.
    pub(crate) unwritten: Vec<RowId>,
    pub(crate) doubted: usize,
    /// Whether a write is to be drawn for it.
    pub(crate) due: bool,
}

impl Cell {
    pub(crate) const fn new(id: u32, group: Group) -> Self {
        Self { id, group, waiting: Vec::new(), unwritten: Vec::new(), doubted: 0, due: false }
    }

    /// What is to be written of what was told before row `until`, and how many of the first are doubted.
    pub(crate) fn take_unwritten(&mut self, until: RowId) -> (Vec<RowId>, usize) {
        let later = self.unwritten.split_off(self.unwritten.partition_point(|id| *id < until));
        self.due &= !later.is_empty();
        (std::mem::replace(&mut self.unwritten, later), std::mem::take(&mut self.doubted))
    }

    /// Puts back what could not be written, before what happened since.
    pub(crate) fn keep_first(&mut self, mut rows: Vec<RowId>, doubted: usize) {
        rows.append(&mut self.unwritten);
        (self.unwritten, self.doubted) = (rows, doubted);
    }
}

/// Whether the endpoint's process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    Up,
    /// Stopped in the middle of whatever it did; it goes on later.
    Frozen,
    /// Gone; whether the machine says so to whoever connects.
    Down {
        refuses: bool,
    },
}

/// What a frozen process finds when it goes on.
#[derive(Debug)]
pub(crate) enum Arrived {
    Request(Box<Request>),
    Store(AtEndpoint),
}

/// How the store behaves: in percent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mood {
    pub(crate) fails: u64,
    pub(crate) fails_but_keeps: u64,
    pub(crate) late: u64,
}

impl Mood {
    pub(crate) const fn is_bad(&self) -> bool {
        self.fails + self.fails_but_keeps + self.late > 0
    }
}

/// The endpoint: its disk, which lasts, and its process, which does not.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) power: Power,
    pub(crate) run: u32,
    pub(crate) folder: Folder,
    pub(crate) snapshots: Vec<Folder>,
    /// The last sign of life of the run before, and when the present one froze last.
    pub(crate) sign: Option<SignOfLife>,
    pub(crate) frozen_at: Instant,
    pub(crate) mood: Mood,
    pub(crate) cells: BTreeMap<GroupKey, Cell>,
    pub(crate) estates: BTreeMap<GroupKey, Estate>,
    pub(crate) boot: BootId,
    pub(crate) known_epoch: Option<Epoch>,
    pub(crate) begun: Moment,
    pub(crate) knows_all: bool,
    pub(crate) longest: Duration,
    /// A folder that is empty is not started upon before this.
    pub(crate) not_before: Instant,
    pub(crate) attention: Attention,
    /// The process has just gone on, and its tick is yet to come.
    pub(crate) catching_up: bool,
    pub(crate) writer: Writer,
    pub(crate) registry: Registry,
    pub(crate) cells_made: u32,
    pub(crate) inbox: VecDeque<Arrived>,
    ticks: u32,
    /// When the next tick is wanted, and when the last one was.
    pub(crate) look_at: Instant,
    pub(crate) looked_at: Instant,
}

pub(crate) fn group_id(index: usize) -> GroupId {
    GroupId::new(format!("group-{index}")).expect("a short id is one")
}

pub(crate) fn group_key(id: &GroupId) -> GroupKey {
    GroupKey { place: Place::OnPremises, id: id.clone() }
}

pub(crate) fn group_spec(id: &GroupId, timeout: FailoverTimeout, keep_silent_override: bool) -> GroupSpec {
    GroupSpec {
        place: Place::OnPremises,
        draft: GroupDraft { id: id.clone(), name: None, description: None, timeout },
        additional_data: None,
        preferences: Preferences { keep_silent_override, ..Preferences::default() },
    }
}

/// A FailoverTimeout in microseconds.
pub(crate) fn span(timeout: FailoverTimeout) -> Span {
    Span::try_from(timeout.get().as_micros()).unwrap_or(Span::MAX)
}

pub(crate) fn failure(kind: FailureKind) -> CallFailure {
    CallFailure::new(kind, "")
}

/// The answer 503 of an endpoint that could not record a promotion.
pub(crate) fn not_recorded() -> CallFailure {
    CallFailure {
        retry_after: Some(std::time::Duration::from_secs(1)),
        ..CallFailure::new(FailureKind::ServerError, "")
    }
}

impl Endpoint {
    pub(crate) fn new(boot: BootId) -> Self {
        Self {
            power: Power::Down { refuses: true },
            run: 0,
            folder: Folder::default(),
            snapshots: Vec::new(),
            sign: None,
            frozen_at: 0,
            mood: Mood::default(),
            cells: BTreeMap::new(),
            estates: BTreeMap::new(),
            known_epoch: None,
            begun: Moment::default(),
            knows_all: true,
            longest: Duration::ZERO,
            not_before: 0,
            attention: Attention::new(Now::default()),
            catching_up: false,
            writer: Writer::new(Mark {
                boot: boot.clone(),
                seat_records: 0,
                epoch: None,
                longest: Duration::ZERO,
                settled: false,
            }),
            boot,
            registry: Registry::default(),
            cells_made: 0,
            inbox: VecDeque::new(),
            ticks: 0,
            look_at: 0,
            looked_at: 0,
        }
    }

    /// Whether any group still waits for a Primary that acts already; also one that was deleted, or that
    /// this run of the endpoint does not know yet.
    pub(crate) fn is_renewing(&self, now: Moment) -> bool {
        let nothing = self.longest.is_zero() && self.cells.is_empty();
        self.cells.values().any(|cell| cell.group.is_renewing())
            || (!self.knows_all && (now.uptime < self.begun.uptime + self.longest || nothing))
            || self.estates.values().any(|estate| estate.is_renewing(now))
    }

    /// The longest T of any group there was, as far as it knows.
    pub(crate) fn longest_now(&self) -> Duration {
        let timeouts = self.cells.values().map(|cell| cell.group.spec().draft.timeout.get());
        timeouts.chain([self.writer.mark.longest]).max().unwrap_or_default()
    }

    pub(crate) const fn is_up(&self) -> bool {
        matches!(self.power, Power::Up)
    }
}

impl World {
    /// The present moment, as silence is judged by.
    pub(crate) fn endpoint_now(&mut self) -> Moment {
        self.attend();
        self.endpoint.attention.moment(self.endpoint_clock.now(self.now))
    }

    /// While the process runs it ticks at its pace; what a tick would have done is done when it matters.
    pub(crate) fn attend(&mut self) {
        if !self.endpoint.is_up() || self.endpoint.catching_up {
            return;
        }
        loop {
            let at = self.endpoint_clock.when(self.endpoint.attention.next_tick());
            if at > self.now {
                return;
            }
            self.endpoint.attention.tick(self.endpoint_clock.now(at));
        }
    }

    pub(crate) fn at_endpoint(&mut self, run: u32, event: AtEndpoint) {
        if run != self.endpoint.run {
            return;
        }
        match event {
            AtEndpoint::Thaw => self.thaw_endpoint(),
            AtEndpoint::Tick(tick) => {
                if self.endpoint.is_up() && tick == self.endpoint.ticks {
                    self.tick();
                }
            }
            AtEndpoint::Seat | AtEndpoint::Registry => {
                // The disk does its work whether or not the process looks.
                if matches!(event, AtEndpoint::Seat) {
                    self.reach_seat_disk()
                } else {
                    self.reach_registry_disk()
                }
                self.meet(Arrived::Store(event));
            }
        }
    }

    pub(crate) fn request_arrives(&mut self, request: Box<Request>) {
        match self.endpoint.power {
            Power::Down { refuses: true } => {
                self.send_down(request.back, Err(failure(FailureKind::Unreachable)));
            }
            Power::Down { refuses: false } => {}
            Power::Up | Power::Frozen => self.meet(Arrived::Request(request)),
        }
    }

    pub(crate) fn meet(&mut self, arrived: Arrived) {
        if !self.endpoint.is_up() {
            self.endpoint.inbox.push_back(arrived);
            return;
        }
        match arrived {
            Arrived::Request(request) => self.serve(*request),
            Arrived::Store(AtEndpoint::Seat) => self.seat_store_answered(),
            Arrived::Store(_) => self.registry_store_answered(),
        }
    }

    /// `Endpoint::tick`: notices what is over without a heartbeat.
    pub(crate) fn tick(&mut self) {
        let keys: Vec<GroupKey> = self.endpoint.cells.keys().cloned().collect();
        let smallest = self.endpoint.cells.values().map(|cell| cell.group.spec().draft.timeout).min();
        self.endpoint.attention.keep_pace(smallest);
        let now = self.endpoint_now();
        self.endpoint.looked_at = self.now;
        self.endpoint.look_at = Instant::MAX;
        self.look_by(self.now + self.endpoint_clock.true_span(std::time::Duration::from_micros(TICK)));
        for key in keys {
            let Some(cell) = self.endpoint.cells.get_mut(&key) else { continue };
            cell.group.tick(now);
            let lapsed = cell.group.override_to_remove();
            self.keep_books(&key);
            self.write_changes(&key);
            self.write_quietly(&key);
            if lapsed {
                self.operate(Operation::RemoveOverride(key), None);
            }
        }
        self.settle_mark();
    }

    /// The next tick comes at `at`, or before.
    pub(crate) fn look_by(&mut self, at: Instant) {
        if at < self.endpoint.look_at {
            self.endpoint.look_at = at;
            self.endpoint.ticks = self.endpoint.ticks.wrapping_add(1);
            let at = at.max(self.endpoint.looked_at + PAUSE).max(self.now);
            let event = Event::Endpoint(self.endpoint.run, AtEndpoint::Tick(self.endpoint.ticks));
            self.queue.push(at, event);
        }
    }
}
