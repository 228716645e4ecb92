//! Holds the machines, writes down what they decide, and answers.
//!
//! Nothing is decided here: a heartbeat is handed to its group's machine, what the machine wants
//! written is written, and what it answers is answered.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    machine::{Choosing, Estate, Group, Question, Refusal, Registered, Reply},
    mark::Mark,
};
use crate::{
    clock::{self, Alarm},
    domain::{
        BootId, Epoch, Expiry, GroupKey, GroupSpec, GroupStatus, Heartbeat, HeartbeatAnswer, OverrideRecord,
        Place, RegisteredSession, RoleOverride, SeatRecord, SessionId, SessionSpec, SessionView, Wall,
    },
    store::{Store, StoreError},
};

/// How often a tick looks for what is over, at the least.
const TICK: Duration = Duration::from_secs(1);

/// The least pause between two ticks, and before a store that failed is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// How an endpoint runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a session may be silent before it is removed.
    pub session_retention: Duration,
    /// How Primaries are chosen where a group says nothing else.
    pub choosing: Choosing,
}

impl Default for Settings {
    /// A day of silence.
    fn default() -> Self {
        Self { session_retention: Duration::from_secs(86_400), choosing: Choosing::default() }
    }
}

/// Why the endpoint does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no such group.
    #[error("the group is not known")]
    UnknownGroup,
    /// There is no such session in the group.
    #[error("the session is not known")]
    UnknownSession,
    /// There is a group of this Id that differs.
    #[error("the group exists and differs")]
    GroupDiffers(Box<GroupSpec>),
    /// There is a session of this Id that differs.
    #[error("the session exists and differs")]
    SessionDiffers(Box<SessionSpec>),
    /// The group has sessions.
    #[error("the group has sessions")]
    GroupInUse,
    /// Another process uses the session.
    #[error("another process uses the session")]
    SessionInUse {
        /// How long ago it was heard.
        heard_ago: Duration,
        /// When it will have been silent for T.
        free_in: Duration,
    },
    /// The store refused.
    #[error("the store cannot do this now")]
    Store(#[from] StoreError),
    /// The store refused a promotion, or did not say what it holds.
    #[error("the promotion could not be recorded")]
    NotRecorded,
}

/// The result of a call.
pub type Call<T> = Result<T, CallError>;

/// What was asked for, and whether it is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created<T> {
    /// As it is kept.
    pub kept: T,
    /// Whether this call made it.
    pub new: bool,
}

/// The failover endpoint. Clones share it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    settings: Settings,
    boot: BootId,
    hosted: Mutex<Hosted>,
    /// Held while groups, sessions or overrides are changed: the store first, then the machine.
    registry: tokio::sync::Mutex<()>,
    /// Held while a seat is written, so that the mark's number is the database's.
    mark: tokio::sync::Mutex<Mark>,
    writers: TaskTracker,
    closing: CancellationToken,
}

#[derive(Debug, Default)]
struct Hosted {
    groups: BTreeMap<GroupKey, Arc<Cell>>,
    /// What deleted groups left behind.
    estates: BTreeMap<GroupKey, Estate>,
}

/// One group, and the news of what became of its last record.
#[derive(Debug)]
struct Cell {
    key: GroupKey,
    machine: Mutex<Group>,
    /// Whether the last record was kept; sent once it is known.
    kept: watch::Sender<bool>,
}

impl Cell {
    fn new(key: GroupKey, group: Group) -> Arc<Self> {
        Arc::new(Self { key, machine: Mutex::new(group), kept: watch::Sender::new(true) })
    }

    fn lock(&self) -> MutexGuard<'_, Group> {
        unpoisoned(&self.machine)
    }
}

/// A machine is a value: a panic elsewhere leaves it as it was before or after a step.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Endpoint {
    /// Takes up what the store remembers. The first T begins now.
    ///
    /// # Errors
    /// When the store cannot be read, or the kernel does not say which boot it is.
    pub async fn open(store: Store, settings: Settings) -> Result<Self, OpenError> {
        let boot = clock::boot_id()?;
        let records = store.hosted().await?;
        let found = Mark::read(store.folder());
        let exact = found.as_ref().is_some_and(|mark| {
            mark.boot == boot && mark.settled && mark.seat_records == records.seat_records
        });
        let epoch = found.and_then(|mark| mark.epoch);
        let (groups, seats) = (records.groups.len(), records.seats.len());
        tracing::info!(groups, seats, exact, "the failover endpoint begins");
        let now = clock::now();
        let mut hosted = Hosted::default();
        for (key, record) in records.seats {
            let timeout = record.timeout;
            hosted.estates.insert(key, Estate::restore(Some(record), timeout, exact, now));
        }
        for spec in records.groups {
            let (key, timeout) = (spec.key(), spec.draft.timeout);
            let estate =
                hosted.estates.remove(&key).unwrap_or_else(|| Estate::restore(None, timeout, exact, now));
            hosted.groups.insert(
                key.clone(),
                Cell::new(key, Group::create(spec, settings.choosing, epoch, Some(estate))),
            );
        }
        for (key, session) in records.sessions {
            if let Some(cell) = hosted.groups.get(&key) {
                cell.lock().remember(now, vec![session]);
            }
        }
        for (key, record) in records.overrides {
            if let Some(cell) = hosted.groups.get(&key) {
                cell.lock().force(now, record, &boot);
            }
        }
        let mark = Mark { boot: boot.clone(), seat_records: records.seat_records, epoch, settled: exact };
        let inner = Inner {
            store,
            settings,
            boot,
            hosted: Mutex::new(hosted),
            registry: tokio::sync::Mutex::default(),
            mark: tokio::sync::Mutex::new(mark),
            writers: TaskTracker::new(),
            closing: CancellationToken::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn cell(&self, key: &GroupKey) -> Call<Arc<Cell>> {
        let hosted = unpoisoned(&self.inner.hosted);
        hosted.groups.get(key).cloned().ok_or(CallError::UnknownGroup)
    }

    /// All cells, in the order of their keys.
    fn cells(&self) -> Vec<Arc<Cell>> {
        unpoisoned(&self.inner.hosted).groups.values().cloned().collect()
    }

    /// The groups of `place` after the first `skip`, `count` at the most; and how many there are.
    #[must_use]
    pub fn groups(&self, place: &Place, skip: usize, count: usize) -> (Vec<GroupSpec>, usize) {
        let hosted = unpoisoned(&self.inner.hosted);
        let mine = || hosted.groups.iter().filter(|(key, _)| key.place == *place);
        let page = mine().skip(skip).take(count).map(|(_, cell)| cell.lock().spec().clone()).collect();
        (page, mine().count())
    }

    /// One group.
    ///
    /// # Errors
    /// When it is not known.
    pub fn group(&self, key: &GroupKey) -> Call<GroupSpec> {
        Ok(self.cell(key)?.lock().spec().clone())
    }

    /// Creates a group, or finds it as it was asked for.
    ///
    /// # Errors
    /// When it exists and differs, or the store refuses.
    pub async fn create_group(&self, spec: GroupSpec) -> Call<Created<GroupSpec>> {
        let _registry = self.inner.registry.lock().await;
        let key = spec.key();
        if let Ok(cell) = self.cell(&key) {
            let kept = cell.lock().spec().clone();
            return if kept.agrees_with(&spec) {
                Ok(Created { kept, new: false })
            } else {
                Err(CallError::GroupDiffers(Box::new(kept)))
            };
        }
        self.inner.store.insert_group(&spec, clock::now().wall).await?;
        let epoch = self.inner.mark.lock().await.epoch;
        let mut hosted = unpoisoned(&self.inner.hosted);
        let estate = hosted.estates.remove(&key);
        let group = Group::create(spec.clone(), self.inner.settings.choosing, epoch, estate);
        tracing::info!(group = %key, timeout = %spec.draft.timeout, "a group was created");
        hosted.groups.insert(key.clone(), Cell::new(key, group));
        Ok(Created { kept: spec, new: true })
    }

    /// Deletes a group that has no session. Its seat is kept.
    ///
    /// # Errors
    /// When it is not known, has a session, or the store refuses.
    pub async fn delete_group(&self, key: &GroupKey) -> Call<()> {
        let _registry = self.inner.registry.lock().await;
        let cell = self.cell(key)?;
        if !cell.lock().is_empty() {
            return Err(CallError::GroupInUse);
        }
        self.inner.store.delete_group(key).await?;
        let mut hosted = unpoisoned(&self.inner.hosted);
        hosted.groups.remove(key);
        hosted.estates.insert(key.clone(), cell.lock().clone().into_estate());
        tracing::info!(group = %key, "a group was deleted");
        Ok(())
    }

    /// The state of a group.
    ///
    /// # Errors
    /// When it is not known.
    pub fn status(&self, key: &GroupKey) -> Call<GroupStatus> {
        Ok(self.cell(key)?.lock().status(clock::now()))
    }

    /// The sessions of a group, in the order of their registration.
    ///
    /// # Errors
    /// When it is not known.
    pub fn sessions(&self, key: &GroupKey) -> Call<Vec<SessionView>> {
        Ok(self.cell(key)?.lock().sessions(clock::now()))
    }

    /// One session.
    ///
    /// # Errors
    /// When group or session is not known.
    pub fn session(&self, key: &GroupKey, id: &SessionId) -> Call<SessionView> {
        let view = self.cell(key)?.lock().session(clock::now(), id);
        view.ok_or(CallError::UnknownSession)
    }

    /// Registers a session, or finds it as it was asked for.
    ///
    /// # Errors
    /// When the group is not known, the session has another name, or the store refuses.
    pub async fn create_session(&self, key: &GroupKey, spec: SessionSpec) -> Call<Created<SessionView>> {
        let _registry = self.inner.registry.lock().await;
        let cell = self.cell(key)?;
        let (outcome, order) = cell.lock().would_register(&spec.id, spec.name.as_ref());
        let id = spec.id.clone();
        let new = match outcome {
            Registered::Same => false,
            Registered::Differs => {
                let kept = self.session(key, &id)?.spec;
                return Err(CallError::SessionDiffers(Box::new(kept)));
            }
            Registered::New => {
                let session = RegisteredSession { spec, order };
                self.inner.store.insert_session(key, &session, clock::now().wall).await?;
                cell.lock().register(clock::now(), session);
                tracing::info!(group = %key, session = %id, "a session was registered");
                true
            }
        };
        Ok(Created { kept: self.session(key, &id)?, new })
    }

    /// Removes a session. A native Primary that has not said that it stopped keeps the seat for T.
    ///
    /// # Errors
    /// When group or session is not known, or the store refuses.
    pub async fn delete_session(&self, key: &GroupKey, id: &SessionId) -> Call<()> {
        let _registry = self.inner.registry.lock().await;
        let cell = self.cell(key)?;
        if !cell.lock().has(id) {
            return Err(CallError::UnknownSession);
        }
        self.inner.store.delete_session(key, id).await?;
        let mut group = cell.lock();
        group.unregister(clock::now(), id);
        tracing::info!(group = %key, session = %id, "a session was removed");
        self.keep_books(&cell, &mut group);
        Ok(())
    }

    /// Makes a session Primary by order of an operator, or ends that.
    ///
    /// # Errors
    /// When group or session is not known, or the store refuses.
    pub async fn override_role(
        &self,
        key: &GroupKey,
        id: &SessionId,
        asked: RoleOverride,
    ) -> Call<Option<Wall>> {
        let _registry = self.inner.registry.lock().await;
        let cell = self.cell(key)?;
        let now = clock::now();
        let forced = match cell.lock().session(now, id) {
            None => return Err(CallError::UnknownSession),
            Some(view) => view.forced,
        };
        match asked {
            RoleOverride::Off if forced => {
                self.inner.store.replace_override(key, None).await?;
                cell.lock().unforce(now, id);
            }
            RoleOverride::Off => {}
            RoleOverride::Primary(period) => {
                let expires = period.map(|period| Expiry {
                    uptime: now.uptime + period,
                    wall: now.wall.plus(period),
                    boot: self.inner.boot.clone(),
                });
                let record = OverrideRecord { session: id.clone(), expires };
                self.inner.store.replace_override(key, Some(&record)).await?;
                cell.lock().force(now, record, &self.inner.boot);
            }
        }
        self.keep_books(&cell, &mut cell.lock());
        Ok(self.session(key, id)?.forced_until)
    }

    /// Answers a heartbeat. One that makes its member Primary is answered once that is on disk.
    ///
    /// # Errors
    /// When group or session is not known, another process uses the session, or a promotion could not
    /// be recorded.
    pub async fn heartbeat(
        &self,
        key: &GroupKey,
        id: &SessionId,
        heartbeat: &Heartbeat,
        connection: Option<SocketAddr>,
    ) -> Call<HeartbeatAnswer> {
        let cell = self.cell(key)?;
        let question = cell.lock().hear(clock::now(), id, heartbeat, connection)?;
        loop {
            let mut kept = cell.kept.subscribe();
            match self.ask(&cell, &question)? {
                Reply::Answer(answer) => return Ok(answer),
                Reply::Unsure => return Err(CallError::NotRecorded),
                Reply::Wait => {}
            }
            let known = kept.changed().await.is_ok() && *kept.borrow();
            if !known {
                return Err(CallError::NotRecorded);
            }
        }
    }

    fn ask(&self, cell: &Arc<Cell>, question: &Question) -> Result<Reply, Refusal> {
        let mut group = cell.lock();
        let reply = group.answer(clock::now(), question);
        self.keep_books(cell, &mut group);
        reply
    }

    /// Says what happened, and has written down what the machine wants written. The writing goes on
    /// when the caller goes away.
    fn keep_books(&self, cell: &Arc<Cell>, group: &mut Group) {
        for change in group.take_changes() {
            let (session, epoch) =
                (change.session.as_ref().map(SessionId::as_str), change.epoch.map(Epoch::get));
            tracing::info!(group = %cell.key, session, epoch, change = change.kind.as_str(), "{}", change.reason);
        }
        if let Some(record) = group.take_record(clock::now()) {
            self.inner.writers.spawn(self.clone().write(Arc::clone(cell), record));
        }
    }

    /// Writes a seat, then the mark; then whoever waits may be answered.
    async fn write(self, cell: Arc<Cell>, record: SeatRecord) {
        let mut mark = self.inner.mark.lock().await;
        let kept = match self.write_once(&mut mark, &cell.key, &record).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(group = %cell.key, error = chain(&error), "a change of the seat could not be recorded");
                cell.lock().doubt();
                cell.kept.send_replace(false);
                self.read_back(&mut mark, &cell).await;
                return;
            }
        };
        drop(mark);
        let mut group = cell.lock();
        group.recorded();
        self.keep_books(&cell, &mut group);
        drop(group);
        cell.kept.send_replace(kept);
    }

    async fn write_once(
        &self,
        mark: &mut Mark,
        key: &GroupKey,
        record: &SeatRecord,
    ) -> Result<(), WriteError> {
        mark.seat_records = self.inner.store.record_seat(key, record).await?;
        mark.epoch = mark.epoch.max(record.epoch);
        Ok(self.write_mark(mark).await?)
    }

    async fn write_mark(&self, mark: &mut Mark) -> io::Result<()> {
        mark.settled = !self.is_renewing();
        let (mark, folder) = (mark.clone(), self.inner.store.folder().to_owned());
        tokio::task::spawn_blocking(move || mark.write(&folder)).await?
    }

    fn is_renewing(&self) -> bool {
        self.cells().iter().any(|cell| cell.lock().is_renewing())
    }

    /// Reads what the store holds until it says so, with the mark brought to its number.
    async fn read_back(&self, mark: &mut Mark, cell: &Arc<Cell>) {
        loop {
            match self.read_back_once(mark, &cell.key).await {
                Ok(stored) => {
                    cell.lock().read_back(stored.as_ref());
                    return;
                }
                Err(error) => {
                    tracing::warn!(group = %cell.key, error = chain(&error), "what the store holds is not known");
                }
            }
            tokio::select! {
                () = self.inner.closing.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn read_back_once(
        &self,
        mark: &mut Mark,
        key: &GroupKey,
    ) -> Result<Option<SeatRecord>, WriteError> {
        let (stored, seat_records) = self.inner.store.seat(key).await?;
        if mark.seat_records != seat_records
            || stored.as_ref().is_some_and(|stored| stored.epoch > mark.epoch)
        {
            mark.seat_records = seat_records;
            mark.epoch = mark.epoch.max(stored.as_ref().and_then(|stored| stored.epoch));
            self.write_mark(mark).await?;
        }
        Ok(stored)
    }

    /// Notices what is over, and removes sessions that were silent for too long, until `stop`.
    ///
    /// # Errors
    /// When the kernel refuses a timer.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        loop {
            let at = self.tick().await;
            tokio::select! {
                () = stop.cancelled() => break,
                waited = alarm.until(at) => waited?,
            }
        }
        self.close().await;
        Ok(())
    }

    /// Ends in order: what is being written is written first.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.inner.writers.close();
        self.inner.writers.wait().await;
    }

    /// Looks at every group; when to look again.
    async fn tick(&self) -> crate::domain::Uptime {
        let mut next = clock::now().uptime + TICK;
        for cell in self.cells() {
            let (wake, silent, lapsed) = {
                let now = clock::now();
                let mut group = cell.lock();
                group.tick(now);
                self.keep_books(&cell, &mut group);
                let silent = group.silent_for(now, self.inner.settings.session_retention);
                (group.next_wake(), silent, group.override_to_remove())
            };
            next = wake.map_or(next, |wake| wake.min(next));
            for id in silent {
                self.forget(&cell, &id).await;
            }
            if lapsed {
                self.remove_override(&cell).await;
            }
        }
        self.settle_mark().await;
        next.max(clock::now().uptime + PAUSE)
    }

    /// Removes a session that was silent for too long, unless it was heard in the meantime.
    async fn forget(&self, cell: &Arc<Cell>, id: &SessionId) {
        let _registry = self.inner.registry.lock().await;
        let limit = self.inner.settings.session_retention;
        if !cell.lock().silent_for(clock::now(), limit).contains(id) {
            return;
        }
        match self.inner.store.delete_session(&cell.key, id).await {
            Ok(()) => {
                let mut group = cell.lock();
                group.unregister(clock::now(), id);
                tracing::info!(group = %cell.key, session = %id, ?limit, "a session was silent for too long and was removed");
                self.keep_books(cell, &mut group);
            }
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(group = %cell.key, session = %id, error, "a silent session could not be removed");
            }
        }
    }

    async fn remove_override(&self, cell: &Arc<Cell>) {
        let _registry = self.inner.registry.lock().await;
        if !cell.lock().override_to_remove() {
            return;
        }
        match self.inner.store.replace_override(&cell.key, None).await {
            Ok(()) => cell.lock().override_removed(),
            Err(error) => {
                tracing::warn!(group = %cell.key, error = chain(&error), "an override that ended could not be removed");
            }
        }
    }

    /// Once no group waits any more, the mark says so, and the next start may trust it.
    async fn settle_mark(&self) {
        let mut mark = self.inner.mark.lock().await;
        if mark.settled || self.is_renewing() {
            return;
        }
        if let Err(error) = self.write_mark(&mut mark).await {
            mark.settled = false;
            tracing::warn!(%error, "the high-water mark could not be written; the next start waits for T");
        }
    }
}

/// Why an endpoint could not begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store cannot be read.
    #[error("what the endpoint keeps cannot be read")]
    Store(#[from] StoreError),
    /// The kernel does not say which boot it is.
    #[error("the system does not say which boot it is")]
    System(#[from] io::Error),
}

/// Why a seat could not be written.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the high-water mark could not be written")]
    Mark(#[from] io::Error),
}

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::UnknownSession,
            Refusal::InUse { heard_ago, free_in } => Self::SessionInUse { heard_ago, free_in },
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(&format!(": {source}"));
        next = source.source();
    }
    text
}
