//! The endpoint's process around its machines: what `endpoint::driver` does, over a virtual store.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::Duration,
};

use client_failover::{
    domain::{
        BootId, CallFailure, Epoch, FailoverTimeout, FailureKind, GroupChange, GroupDraft, GroupId, GroupKey,
        GroupSpec, Heartbeat, Now, Place, Preferences, SessionId,
    },
    endpoint::{
        Mark,
        machine::{Attention, Choosing, Estate, Group, Moment, Question, Refusal, Reply as Decision},
    },
    registration::machine::{Answer, Call, GroupTimeout},
};

use super::{
    World,
    clock::{Instant, MILLISECOND, SECOND, Span},
    event::{Ask, AtEndpoint, Event, Request, Return},
    registry::{Operation, Registry},
    store::Folder,
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
    /// Whether something happened that is not on disk yet.
    pub(crate) unwritten: bool,
}

impl Cell {
    pub(crate) const fn new(id: u32, group: Group) -> Self {
        Self { id, group, waiting: Vec::new(), unwritten: false }
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
enum Arrived {
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
    attention: Attention,
    /// The process has just gone on, and its tick is yet to come.
    catching_up: bool,
    pub(crate) writer: Writer,
    pub(crate) registry: Registry,
    pub(crate) cells_made: u32,
    inbox: VecDeque<Arrived>,
    ticks: u32,
    /// When the next tick is wanted, and when the last one was.
    look_at: Instant,
    looked_at: Instant,
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
    CallFailure { kind, detail: String::new(), retry_after: None }
}

/// The answer 503 of an endpoint that could not record a promotion.
pub(crate) fn not_recorded() -> CallFailure {
    CallFailure {
        kind: FailureKind::ServerError,
        detail: String::new(),
        retry_after: Some(std::time::Duration::from_secs(1)),
    }
}

impl Endpoint {
    pub(crate) fn new(boot: BootId) -> Self {
        Self {
            power: Power::Down { refuses: true },
            run: 0,
            folder: Folder::default(),
            snapshots: Vec::new(),
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
    fn attend(&mut self) {
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

    /// Takes up what the store remembers: `Endpoint::open`.
    pub(crate) fn start_endpoint(&mut self) {
        let begun = self.endpoint_clock.now(self.now);
        let now = Moment::attended(begun);
        let endpoint = &mut self.endpoint;
        endpoint.attention = Attention::new(begun);
        endpoint.catching_up = false;
        endpoint.power = Power::Up;
        endpoint.run += 1;
        endpoint.boot = self.endpoint_clock.boot_id();
        endpoint.inbox.clear();
        endpoint.registry = Registry::default();
        (endpoint.cells, endpoint.estates) = (BTreeMap::new(), BTreeMap::new());
        let records = endpoint.folder.store.clone();
        let found = endpoint.folder.mark.clone();
        let exact = found.as_ref().is_some_and(|mark| mark.proves(&endpoint.boot, records.seat_records));
        endpoint.knows_all =
            exact || (found.is_none() && records.groups.is_empty() && records.seat_records == 0);
        endpoint.begun = now;
        let timeouts = records.groups.values().map(|group| group.draft.timeout.get());
        let held = records.seats.values().map(|seat| seat.timeout.get());
        let marked = found.as_ref().map(|mark| mark.longest);
        let longest = timeouts.chain(held).chain(marked).max().unwrap_or_default();
        endpoint.longest = longest;
        let epoch = found.and_then(|mark| mark.epoch);
        for (key, mut record) in records.seats {
            let group = records.groups.get(&key).map(|group| group.draft.timeout);
            record.timeout = record.timeout.max(group.unwrap_or(record.timeout));
            let timeout = record.timeout;
            endpoint.estates.insert(key, Estate::restore(Some(record), timeout, exact, now));
        }
        for (key, spec) in records.groups {
            let timeout = spec.draft.timeout;
            let estate =
                endpoint.estates.remove(&key).unwrap_or_else(|| Estate::restore(None, timeout, exact, now));
            let group = Group::create(spec, Choosing::default(), epoch, Some(estate));
            endpoint.cells_made += 1;
            self.judge.lively.group_has(self.now, &key.id, span(timeout));
            endpoint.cells.insert(key, Cell::new(endpoint.cells_made, group));
        }
        for ((key, _), session) in records.sessions {
            if let Some(cell) = endpoint.cells.get_mut(&key) {
                cell.group.remember(now, vec![session]);
            }
        }
        for (key, record) in records.overrides {
            if let Some(cell) = endpoint.cells.get_mut(&key) {
                cell.group.remember_override(now, record, &endpoint.boot);
            }
        }
        endpoint.known_epoch = epoch;
        let seat_records = records.seat_records;
        let mark = Mark { boot: endpoint.boot.clone(), seat_records, epoch, longest, settled: exact };
        endpoint.writer = Writer::new(mark);
        self.judge.lively.endpoint_begins(self.now);
        self.judge.tenures.endpoint_begins();
        self.judge.endpoint_was_disturbed(self.now);
        self.log(|world| {
            format!("the endpoint begins, run {}, exact {exact}, mark {epoch:?}", world.endpoint.run)
        });
        self.replay_after_start();
        self.tick();
    }

    /// Whoever starts the endpoint does so, unless it runs, or its folder is empty and new.
    pub(crate) fn let_endpoint_start(&mut self) {
        if !matches!(self.endpoint.power, Power::Down { .. }) {
            return;
        }
        if self.now < self.endpoint.not_before {
            return self.queue.push(self.endpoint.not_before, Event::EndpointStart);
        }
        self.start_endpoint();
    }

    /// The process is gone; what its store had been handed may be durable or not.
    pub(crate) fn end_endpoint(&mut self, refuses: bool) {
        if matches!(self.endpoint.power, Power::Down { .. }) {
            return;
        }
        self.abandon_writes();
        self.endpoint.power = Power::Down { refuses };
        self.endpoint.run += 1;
        self.judge.endpoint_was_disturbed(self.now);
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

    fn meet(&mut self, arrived: Arrived) {
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

    pub(crate) fn freeze_endpoint(&mut self, span: u64) {
        if self.endpoint.is_up() {
            self.attend();
            self.endpoint.power = Power::Frozen;
            self.judge.lively.endpoint_stops(self.now);
            self.log(|_| format!("the endpoint freezes for {} ms", span / MILLISECOND));
            self.push(span, Event::Endpoint(self.endpoint.run, AtEndpoint::Thaw));
        }
    }

    /// What waits in sockets and timers is found in any order.
    pub(crate) fn thaw_endpoint(&mut self) {
        if self.endpoint.power != Power::Frozen {
            return;
        }
        self.endpoint.power = Power::Up;
        let shortest = self.endpoint.cells.values().map(|cell| cell.group.spec().draft.timeout).min();
        let shortest = shortest.map_or(Span::MAX, |timeout| self.endpoint_clock.true_span(timeout.get()));
        self.judge.lively.endpoint_goes_on(self.now, shortest);
        self.log(|_| "the endpoint goes on".to_owned());
        let mut found: Vec<Arrived> = std::mem::take(&mut self.endpoint.inbox).into();
        let tick_at = self.dice.index(found.len() + 1);
        let turn = self.dice.index(found.len() + 1);
        found.rotate_left(turn);
        self.endpoint.catching_up = true;
        if self.dice.percent(50) {
            self.attend_late();
        }
        for (index, arrived) in found.into_iter().enumerate() {
            if index == tick_at {
                self.tick();
            }
            self.meet(arrived);
        }
        if self.endpoint.catching_up {
            self.attend_late();
        }
        self.tick();
    }

    /// The tick that comes late because the process did not run.
    fn attend_late(&mut self) {
        self.endpoint.catching_up = false;
        let now = self.endpoint_clock.now(self.now);
        if now.uptime >= self.endpoint.attention.next_tick() {
            self.endpoint.attention.tick(now);
        }
    }

    /// `Endpoint::tick`: notices what is over without a heartbeat.
    fn tick(&mut self) {
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
            let waits = self.endpoint.cells.get(&key).is_some_and(|cell| cell.group.waits_for_successor());
            if !waits {
                self.write_changes(&key);
            }
            if lapsed {
                self.operate(Operation::RemoveOverride(key), None);
            }
        }
        self.settle_mark();
    }

    /// The next tick comes at `at`, or before.
    fn look_by(&mut self, at: Instant) {
        if at < self.endpoint.look_at {
            self.endpoint.look_at = at;
            self.endpoint.ticks = self.endpoint.ticks.wrapping_add(1);
            let at = at.max(self.endpoint.looked_at + PAUSE).max(self.now);
            let event = Event::Endpoint(self.endpoint.run, AtEndpoint::Tick(self.endpoint.ticks));
            self.queue.push(at, event);
        }
    }

    fn serve(&mut self, request: Request) {
        let Request { back, port, ask, .. } = request;
        match ask {
            Ask::Call(Call::Version) => {
                self.send_down(back, Ok(Answer::Version { version: None, native: true }));
            }
            Ask::Call(Call::CreateGroup(group, timeout)) => {
                let keeps_silent = self.plan.group(&group).keeps_silent;
                self.operate(Operation::CreateGroup(group_spec(&group, timeout, keeps_silent)), Some(back));
            }
            Ask::Call(Call::ReadGroup(group)) => {
                let cell = self.endpoint.cells.get(&group_key(&group));
                let found = cell.map(|cell| cell.group.spec().draft.timeout);
                let outcome = found.ok_or_else(|| failure(FailureKind::NotFound));
                self.send_down(back, outcome.map(|timeout| Answer::Group(GroupTimeout::Usable(timeout))));
            }
            Ask::Call(Call::CreateSession(group, session)) => {
                self.operate(Operation::CreateSession(group_key(&group), session), Some(back));
            }
            Ask::Call(Call::ReadSession(group, session)) => {
                let cell = self.endpoint.cells.get(&group_key(&group));
                let known = cell.is_some_and(|cell| cell.group.has(&session));
                let outcome = if known { Ok(Answer::Session) } else { Err(failure(FailureKind::NotFound)) };
                self.send_down(back, outcome);
            }
            Ask::Call(Call::Heartbeat(group, session, heartbeat)) => {
                self.heartbeat(group_key(&group), &session, &heartbeat, port, back);
            }
            Ask::Delete(group, session) => {
                self.operate(Operation::DeleteSession(group_key(&group), session), Some(back));
            }
        }
    }

    fn heartbeat(&mut self, key: GroupKey, id: &SessionId, heartbeat: &Heartbeat, port: u16, back: Return) {
        let now = self.endpoint_now();
        let Some(cell) = self.endpoint.cells.get_mut(&key) else {
            return self.send_down(back, Err(failure(FailureKind::NotFound)));
        };
        let connection = SocketAddr::from(([127, 0, 0, 1], port));
        match cell.group.hear(now, id, heartbeat, Some(connection)) {
            Ok(question) => self.answer(&key, question, back),
            Err(refusal) => self.send_down(back, Err(refused(&refusal))),
        }
    }

    /// Answers, or lets the question wait until its group's record is on disk.
    pub(crate) fn answer(&mut self, key: &GroupKey, question: Question, back: Return) {
        let now = self.endpoint_now();
        let Some(cell) = self.endpoint.cells.get_mut(key) else {
            return self.send_down(back, Err(failure(FailureKind::NotFound)));
        };
        let decision = cell.group.answer(now, &question);
        if decision == Ok(Decision::Wait) {
            cell.waiting.push((question, back));
        }
        self.keep_books(key);
        match decision {
            Ok(Decision::Answer(answer)) => self.send_down(back, Ok(Answer::Heartbeat(answer))),
            Ok(Decision::Unsure) => self.send_down(back, Err(not_recorded())),
            Ok(Decision::Wait) => {}
            Err(refusal) => self.send_down(back, Err(refused(&refusal))),
        }
    }

    /// Says what happened, and has written down what the machine wants written.
    pub(crate) fn keep_books(&mut self, key: &GroupKey) {
        let now = self.endpoint_now();
        let Some(cell) = self.endpoint.cells.get_mut(key) else { return };
        let changes = cell.group.take_changes();
        let nudge = cell.group.take_nudge(now);
        let wake = cell.group.next_wake(now);
        let record = cell.group.take_record(now);
        let id = cell.id;
        cell.unwritten |= !changes.is_empty();
        for change in changes {
            self.say(key, &change);
        }
        if let Some(session) = nudge {
            self.nudge(&key.id, &session);
        }
        if let Some(wake) = wake {
            let wake = self.endpoint.attention.clock_at(wake);
            self.look_by(self.endpoint_clock.when(wake));
        }
        if let Some(record) = record {
            self.write_seat(key.clone(), id, record);
        }
    }

    /// Something happened in a group.
    pub(crate) fn say(&mut self, key: &GroupKey, change: &GroupChange) {
        self.log(|_| {
            let session = change.session.as_ref().map_or("", SessionId::as_str);
            let (kind, reason) = (change.kind, change.reason);
            format!("{}: {kind} {reason} {session} {:?}: {}", key.id, change.epoch, change.explanation)
        });
        self.judge.group_changed(self.now, key, change);
        self.note_tenure(key, change);
    }
}

fn refused(refusal: &Refusal) -> CallFailure {
    match refusal {
        Refusal::Unknown => failure(FailureKind::NotFound),
        Refusal::InUse { .. } => failure(FailureKind::Conflict),
    }
}
