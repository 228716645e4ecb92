//! Holds the machines, writes down what they decide, and answers.
//!
//! Nothing is decided here: a heartbeat is handed to its group's machine, what the machine wants
//! written is written, and what it answers is answered.

mod away;
mod census;
mod history;
mod housekeeping;
mod listening;
mod lookout;
mod opening;
mod overview;
mod owners;
mod pacing;
mod recording;
mod registry;
#[cfg(test)]
mod tests;
mod tidying;
mod unsettled;
mod unwritten;

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use census::Full;
use census::Turns;
use listening::{Audience, Places};
pub use listening::{GroupEvent, Listener};
use lookout::Lookout;
pub use opening::OpenError;
use overview::Overviews;
use pacing::Paces;
use unsettled::Unsettled;
use unwritten::Unwritten;

use super::{
    machine::{
        Attention, Choosing, Estate, Group, Moment, Question, Record, Refusal, Registered, Remover, Reply,
    },
    mark::Mark,
    metrics::Heard,
    sign::Signs,
};
use crate::{
    clock,
    domain::{
        BootId, Epoch, GroupChange, GroupKey, GroupSpec, GroupStatus, Heartbeat, HeartbeatAnswer, Place,
        SeatRecord, SessionId, SessionSpec, SessionView, Uptime, UserName,
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
    /// The session sends more heartbeats than any pace asks for.
    #[error("too many heartbeats")]
    TooManyHeartbeats,
    /// The session belongs to another user.
    #[error("the session belongs to another user")]
    OfAnother,
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
    /// There are as many as there may be.
    #[error("{0}")]
    Full(Full),
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
    /// The next tick may come sooner than it was waited for.
    quickened: tokio::sync::Notify,
    hosted: Mutex<Hosted>,
    /// What the mark says of all groups, kept so that a seat is written without asking each of them.
    unsettled: Mutex<Unsettled>,
    /// Taken before the registry is waited for.
    turns: Turns,
    /// Held while groups, sessions or overrides are changed: the store first, then the machine.
    registry: tokio::sync::Mutex<()>,
    /// Held while a seat is written, so that the mark's number is the database's.
    mark: tokio::sync::Mutex<Mark>,
    lookout: Lookout,
    places: Places,
    overviews: Overviews,
    heard: Heard,
    signs: Arc<Signs>,
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
    /// Tells it from other cells, of the same key too.
    number: u64,
    machine: Mutex<Group>,
    /// What happened and is not known to be on disk, in order.
    unwritten: Mutex<Unwritten>,
    /// Whether the last record was kept; sent once it is known.
    kept: watch::Sender<bool>,
    audience: Audience,
    /// Whose its sessions are, of those that belong to somebody. Changed while the registry is held; of a session that
    /// is there, while the machine is, too.
    owners: Mutex<HashMap<SessionId, UserName>>,
    paces: Mutex<Paces>,
}

impl Cell {
    fn new(key: GroupKey, group: Group, closing: &CancellationToken) -> Arc<Self> {
        static CELLS: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            key,
            number: CELLS.fetch_add(1, Ordering::Relaxed),
            machine: Mutex::new(group),
            unwritten: Mutex::default(),
            kept: watch::Sender::new(true),
            audience: Audience::new(closing.child_token()),
            owners: Mutex::default(),
            paces: Mutex::default(),
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

    /// Answers a heartbeat of `user`, or of whoever calls where nobody logs in. One that makes its member Primary is
    /// answered once that is on disk.
    ///
    /// # Errors
    /// When group or session is not known, the session is another user's, another process uses it, it sends too many,
    /// or a promotion could not be recorded.
    pub async fn heartbeat(
        &self,
        key: &GroupKey,
        id: &SessionId,
        user: Option<&UserName>,
        heartbeat: &Heartbeat,
        connection: Option<SocketAddr>,
    ) -> Call<HeartbeatAnswer> {
        let arrived = clock::now().uptime;
        let outcome = self.hear(key, id, user, heartbeat, connection).await;
        self.inner.heard.heartbeat(clock::now().uptime.since(arrived), &outcome);
        outcome
    }

    /// How heartbeats are answered.
    #[must_use]
    pub fn heard(&self) -> &Heard {
        &self.inner.heard
    }

    async fn hear(
        &self,
        key: &GroupKey,
        id: &SessionId,
        user: Option<&UserName>,
        heartbeat: &Heartbeat,
        connection: Option<SocketAddr>,
    ) -> Call<HeartbeatAnswer> {
        self.notice_stall();
        let cell = self.cell(key)?;
        let question = {
            let mut group = cell.lock();
            cell.check_owner(id, user)?;
            if group.has(id) && !group.waits_for(id) {
                unpoisoned(&cell.paces).count(id, clock::now().uptime)?;
            }
            group.hear(self.now(), id, heartbeat, connection)?
        };
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

impl From<Refusal> for CallError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::UnknownSession,
            Refusal::InUse { heard_ago, free_in } => Self::SessionInUse { heard_ago, free_in },
        }
    }
}
