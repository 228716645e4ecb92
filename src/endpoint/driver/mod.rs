//! Holds the machines, writes down what they decide, and answers.
//!
//! Nothing is decided here: a heartbeat is handed to its group's machine, what the machine wants
//! written is written, and what it answers is answered.

mod history;
mod housekeeping;
mod listening;
mod lookout;
mod recording;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use listening::{Audience, Places};
pub use listening::{GroupEvent, Listener};
use lookout::Lookout;

use super::{
    machine::{Attention, Choosing, Estate, Group, Moment, Question, Record, Refusal, Registered, Reply},
    mark::Mark,
};
use crate::{
    clock,
    domain::{
        Asked, BootId, Epoch, Expiry, FailoverTimeout, GroupChange, GroupKey, GroupSpec, GroupStatus,
        Heartbeat, HeartbeatAnswer, OverrideRecord, Place, RegisteredSession, RoleOverride, SeatRecord,
        SessionId, SessionSpec, SessionView, Wall,
    },
    store::{Store, StoreError},
};

/// How long to wait before a store that failed is asked again.
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
    /// As many listen to events as there are places.
    #[error("too many listen to events")]
    TooManyListeners,
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
    /// The highest epoch that the high-water mark knew at the start.
    known_epoch: Option<Epoch>,
    /// When it began to answer.
    begun: Moment,
    /// Whether it knew then of every group that may have a Primary.
    knows_all: bool,
    /// The longest FailoverTimeout that it knew of then, in groups it may have forgotten, too.
    longest: Duration,
    attention: Mutex<Attention>,
    hosted: Mutex<Hosted>,
    /// Held while groups, sessions or overrides are changed: the store first, then the machine.
    registry: tokio::sync::Mutex<()>,
    /// Held while a seat is written, so that the mark's number is the database's.
    mark: tokio::sync::Mutex<Mark>,
    lookout: Lookout,
    places: Places,
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
    /// What happened and is not on disk yet, in order.
    unwritten: Mutex<Vec<GroupChange>>,
    /// Whether the last record was kept; sent once it is known.
    kept: watch::Sender<bool>,
    audience: Audience,
}

impl Cell {
    fn new(key: GroupKey, group: Group, closing: &CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            key,
            machine: Mutex::new(group),
            unwritten: Mutex::default(),
            kept: watch::Sender::new(true),
            audience: Audience::new(closing.child_token()),
        })
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
        let exact = found.as_ref().is_some_and(|mark| mark.proves(&boot, records.seat_records));
        // Without a group, a seat or a mark the folder is a new one, and nothing was before it.
        let knows_all = exact || (found.is_none() && records.groups.is_empty() && records.seat_records == 0);
        let epoch = found.as_ref().and_then(|mark| mark.epoch);
        // No lease that the run before may have given lasts longer.
        let timeouts = records.groups.iter().map(|group| group.draft.timeout.get());
        let held = records.seats.iter().map(|(_, seat)| seat.timeout.get());
        let marked = found.as_ref().map(|mark| mark.longest);
        let longest = timeouts.chain(held).chain(marked).max().unwrap_or_default();
        let (groups, seats) = (records.groups.len(), records.seats.len());
        tracing::info!(groups, seats, exact, "the failover endpoint begins");
        let begun = clock::now();
        let now = Moment::attended(begun);
        let closing = CancellationToken::new();
        let mut hosted = Hosted::default();
        for (key, record) in records.seats {
            let timeout = record.timeout;
            hosted.estates.insert(key, Estate::restore(Some(record), timeout, exact, now));
        }
        for spec in records.groups {
            let (key, timeout) = (spec.key(), spec.draft.timeout);
            let estate =
                hosted.estates.remove(&key).unwrap_or_else(|| Estate::restore(None, timeout, exact, now));
            let group = Group::create(spec, settings.choosing, epoch, Some(estate));
            hosted.groups.insert(key.clone(), Cell::new(key, group, &closing));
        }
        for (key, session) in records.sessions {
            if let Some(cell) = hosted.groups.get(&key) {
                cell.lock().remember(now, vec![session]);
            }
        }
        for (key, record) in records.overrides {
            if let Some(cell) = hosted.groups.get(&key) {
                cell.lock().remember_override(now, record, &boot);
            }
        }
        let seat_records = records.seat_records;
        let mark = Mark { boot: boot.clone(), seat_records, epoch, longest, settled: exact };
        let inner = Inner {
            store,
            settings,
            boot,
            known_epoch: epoch,
            begun: now,
            knows_all,
            longest,
            attention: Mutex::new(Attention::new(begun)),
            hosted: Mutex::new(hosted),
            registry: tokio::sync::Mutex::default(),
            mark: tokio::sync::Mutex::new(mark),
            lookout: Lookout::default(),
            places: Places::default(),
            writers: TaskTracker::new(),
            closing,
        };
        let endpoint = Self { inner: Arc::new(inner) };
        endpoint.settle_mark().await;
        Ok(endpoint)
    }

    /// The present moment, as silence is judged by.
    fn now(&self) -> Moment {
        let attention = unpoisoned(&self.inner.attention);
        attention.moment(clock::now())
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
        let mut hosted = unpoisoned(&self.inner.hosted);
        // Who acts in it may do so by the T that it had.
        let longest = FailoverTimeout::new(self.inner.longest).unwrap_or(spec.draft.timeout);
        let waits = spec.draft.timeout.max(longest);
        let new = || Estate::restore(None, waits, self.inner.knows_all, self.inner.begun);
        let estate = hosted.estates.remove(&key).unwrap_or_else(new);
        let (choosing, epoch) = (self.inner.settings.choosing, self.inner.known_epoch);
        let group = Group::create(spec.clone(), choosing, epoch, Some(estate));
        tracing::info!(group = %key, timeout = %spec.draft.timeout, "a group was created");
        let cell = Cell::new(key.clone(), group, &self.inner.closing);
        self.keep_books(&cell, &mut cell.lock());
        hosted.groups.insert(key, cell);
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
        // Nobody writes what happened in a group that is gone.
        self.write_changes(&cell).await;
        let mut hosted = unpoisoned(&self.inner.hosted);
        hosted.groups.remove(key);
        cell.audience.dismiss();
        let estate = cell.lock().clone().into_estate();
        if estate.matters() {
            hosted.estates.insert(key.clone(), estate);
        }
        tracing::info!(group = %key, "a group was deleted");
        Ok(())
    }

    /// The state of a group.
    ///
    /// # Errors
    /// When it is not known.
    pub fn status(&self, key: &GroupKey) -> Call<GroupStatus> {
        Ok(self.cell(key)?.lock().status(self.now()))
    }

    /// The sessions of a group, in the order of their registration.
    ///
    /// # Errors
    /// When it is not known.
    pub fn sessions(&self, key: &GroupKey) -> Call<Vec<SessionView>> {
        Ok(self.cell(key)?.lock().sessions(self.now()))
    }

    /// One session.
    ///
    /// # Errors
    /// When group or session is not known.
    pub fn session(&self, key: &GroupKey, id: &SessionId) -> Call<SessionView> {
        let view = self.cell(key)?.lock().session(self.now(), id);
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
                let group = cell.lock().spec().clone();
                self.inner.store.insert_session(&group, &session, clock::now().wall).await?;
                cell.lock().register(self.now(), session);
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
        self.remove(&cell, id).await?;
        tracing::info!(group = %key, session = %id, "a session was removed");
        Ok(())
    }

    /// Removes a session that is known, while the registry is held.
    async fn remove(&self, cell: &Arc<Cell>, id: &SessionId) -> Result<(), StoreError> {
        self.inner.store.delete_session(&cell.key, id).await?;
        let mut group = cell.lock();
        group.unregister(self.now(), id);
        self.keep_books(cell, &mut group);
        Ok(())
    }

    /// Makes a session Primary by order of an operator, or ends that; gives when it will end.
    ///
    /// # Errors
    /// When group or session is not known, or the store refuses.
    pub async fn override_role(
        &self,
        key: &GroupKey,
        id: &SessionId,
        value: RoleOverride,
        asked: Asked,
    ) -> Call<Option<Wall>> {
        let _registry = self.inner.registry.lock().await;
        let cell = self.cell(key)?;
        let now = self.now();
        let forced = match cell.lock().session(now, id) {
            None => return Err(CallError::UnknownSession),
            Some(view) => view.forced,
        };
        match value {
            RoleOverride::Off if forced => {
                self.inner.store.replace_override(key, None).await?;
                cell.lock().unforce(now, id, &asked);
            }
            RoleOverride::Off => {}
            RoleOverride::Primary(period) => {
                let expires = period.map(|period| Expiry {
                    uptime: now.clock + period,
                    wall: now.wall.plus(period),
                    boot: self.inner.boot.clone(),
                });
                let record = OverrideRecord { session: id.clone(), expires, asked };
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
        let question = cell.lock().hear(self.now(), id, heartbeat, connection)?;
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
        let reply = group.answer(self.now(), question);
        self.keep_books(cell, &mut group);
        reply
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
