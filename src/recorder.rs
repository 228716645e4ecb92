//! Writes rows of the adapter's history, for every room that has something to tell.
//!
//! Promises: rows of one recorder are written in their order, once, and are not given up while the store refuses
//! them, or keeps what it says it refused; each is told to the log at once. A row that is written late says so. One that
//! the table can never hold is left out, and keeps none of the others from being written.
//!
//! Does not: keep rows over a crash that came before the store said yes. It imports domain, clock and store.

use std::{mem, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use crate::{
    clock::{self, Alarm},
    domain::{Known, Reason, Transition, TransitionKind, Uptime, chain},
    store::{Due, Store, StoreError},
};

/// A row that was written later than this after its event says so.
const LATE: Duration = Duration::from_millis(50);

/// The wait between attempts while the store refuses (a full disk, a locked database).
const RETRY: Duration = Duration::from_millis(500);

#[derive(Debug)]
enum Item {
    Row(Uptime, Box<Transition>),
    Known(Known),
    Written(oneshot::Sender<()>),
}

/// The queue of rows, and the task that writes them.
#[derive(Debug)]
pub(crate) struct Recorder {
    queue: mpsc::UnboundedSender<Item>,
    _task: JoinSet<()>,
}

impl Recorder {
    pub(crate) fn start(store: Store) -> Self {
        let (queue, items) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        task.spawn(write_items(store, items));
        Self { queue, _task: task }
    }

    /// Queues a row, and tells the log.
    pub(crate) fn record(&self, row: Transition) {
        log(&row);
        self.send(Item::Row(clock::now().uptime, Box::new(row)));
    }

    /// Queues what must outlive a crash.
    pub(crate) fn remember(&self, known: Known) {
        self.send(Item::Known(known));
    }

    /// Returns when everything queued before is on disk.
    pub(crate) async fn written(&self) {
        let (done, written) = oneshot::channel();
        self.send(Item::Written(done));
        if written.await.is_err() {
            tracing::error!("the history's writer has ended");
        }
    }

    fn send(&self, item: Item) {
        if self.queue.send(item).is_err() {
            tracing::error!("the history's writer has ended");
        }
    }
}

#[derive(Default)]
struct Batch {
    rows: Vec<(Uptime, Transition)>,
    /// How many of them were in an attempt that was said to have failed.
    doubted: usize,
    known: Option<Known>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Batch {
    fn add(&mut self, item: Item) {
        match item {
            Item::Row(queued, row) => self.rows.push((queued, *row)),
            Item::Known(known) => self.known = Some(known),
            Item::Written(done) => self.waiting.push(done),
        }
    }

    fn finish(&mut self) {
        self.rows.clear();
        self.doubted = 0;
        self.known = None;
        for done in mem::take(&mut self.waiting) {
            // Whoever waited may have given up; the row is written all the same.
            done.send(()).ok();
        }
    }
}

async fn write_items(store: Store, mut items: mpsc::UnboundedReceiver<Item>) {
    let mut batch = Batch::default();
    let mut refused = false;
    while let Some(item) = items.recv().await {
        batch.add(item);
        loop {
            while let Ok(item) = items.try_recv() {
                batch.add(item);
            }
            let Err(mut error) = write(&store, &batch).await else { break };
            batch.doubted = batch.rows.len();
            if error.is_of_a_row() {
                match write_one_by_one(&store, &mut batch).await {
                    Ok(()) => continue,
                    Err(other) => error = other,
                }
            }
            if !mem::replace(&mut refused, true) {
                tracing::error!(
                    error = chain(&error),
                    rows = batch.rows.len(),
                    "history cannot be written; it is kept in memory"
                );
            }
            wait_to_retry().await;
        }
        if mem::take(&mut refused) {
            tracing::info!("history is written again");
        }
        batch.finish();
    }
}

async fn write(store: &Store, batch: &Batch) -> Result<(), StoreError> {
    if batch.rows.is_empty() && batch.known.is_none() {
        return Ok(());
    }
    let now = clock::now().uptime;
    let rows: Vec<Transition> =
        batch.rows.iter().map(|(queued, row)| with_lateness(row, now.since(*queued))).collect();
    store.record(Due { rows: &rows, doubted: batch.doubted }, batch.known.as_ref()).await
}

/// Writes each row by itself, so that the one that the table can never hold is found, and left out.
async fn write_one_by_one(store: &Store, batch: &mut Batch) -> Result<(), StoreError> {
    let now = clock::now().uptime;
    while let Some((queued, row)) = batch.rows.first() {
        let rows = [with_lateness(row, now.since(*queued))];
        match store.record(Due { rows: &rows, doubted: 1 }, None).await {
            Err(error) if error.is_of_a_row() => {
                let error = chain(&error);
                tracing::error!(error, row = ?rows[0], "a row of history does not fit its table; it is left out");
            }
            written => written?,
        }
        batch.rows.remove(0);
        batch.doubted = batch.rows.len();
    }
    Ok(())
}

fn with_lateness(row: &Transition, late: Duration) -> Transition {
    let row = row.clone();
    if late > LATE { row.recorded_late(late) } else { row }
}

async fn wait_to_retry() {
    match Alarm::new() {
        Ok(mut alarm) => drop(alarm.after(RETRY).await),
        Err(error) => {
            tracing::error!(%error, "no timer can be had");
            tokio::time::sleep(RETRY).await;
        }
    }
}

fn log(row: &Transition) {
    let group = row.group.as_ref().map(|group| group.as_str());
    let epoch = row.epoch.map(|epoch| epoch.get());
    let (kind, reason, role) = (row.kind.as_str(), row.reason.as_str(), row.role.as_str());
    let alarming = matches!(
        row.reason,
        Reason::TookBack
            | Reason::StopTimedOut
            | Reason::Fenced
            | Reason::Exited
            | Reason::StartFailed
            | Reason::GuardLost
            | Reason::Ceded
            | Reason::BufferOverflowed
            | Reason::BufferFull
            | Reason::GateOverloaded
            | Reason::BufferDamaged
            | Reason::DestinationRefused
            | Reason::DestinationFailed
    );
    match row.kind {
        _ if alarming => tracing::warn!(kind, reason, role, group, epoch, "{}", row.explanation),
        TransitionKind::Component if matches!(row.reason, Reason::ReportExpired | Reason::ProbeFailed) => {
            tracing::warn!(kind, reason, role, group, epoch, "{}", row.explanation);
        }
        TransitionKind::ConfigurationUnusable
        | TransitionKind::EndpointFailed
        | TransitionKind::EndpointLost
        | TransitionKind::SteppedDown
        | TransitionKind::RoleKept => {
            tracing::warn!(kind, reason, role, group, epoch, "{}", row.explanation);
        }
        TransitionKind::ServerStarted
        | TransitionKind::ServerStopped
        | TransitionKind::ConfigurationChanged
        | TransitionKind::Registered
        | TransitionKind::Unregistered
        | TransitionKind::Role
        | TransitionKind::Mode
        | TransitionKind::EndpointRestored
        | TransitionKind::AdapterState
        | TransitionKind::HandOver
        | TransitionKind::Collector
        | TransitionKind::Component
        | TransitionKind::Egress
        | TransitionKind::EffectiveTimeout => {
            tracing::info!(kind, reason, role, group, epoch, "{}", row.explanation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{AdapterState, Role, Wall},
        store::{DataFolder, HistoryQuery},
    };

    #[tokio::test]
    async fn a_row_that_does_not_fit_its_table_keeps_no_other_from_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let row = |explanation: &str| Transition {
            at: Wall::default(),
            kind: TransitionKind::Egress,
            reason: Reason::DestinationFailed,
            explanation: explanation.to_owned(),
            role: Role::Secondary,
            mode: None,
            adapter_state: AdapterState::Running,
            group: None,
            session: None,
            epoch: None,
            score: None,
            last_data: None,
            round_trip: None,
            gap_us: None,
        };
        let mut batch = Batch::default();
        // Only a hand-over has a gap.
        for row in [row("first"), Transition { gap_us: Some(1), ..row("never") }, row("last")] {
            batch.add(Item::Row(clock::now().uptime, Box::new(row)));
        }
        assert!(write(&store, &batch).await.unwrap_err().is_of_a_row());
        write_one_by_one(&store, &mut batch).await.unwrap();
        assert!(batch.rows.is_empty());
        let query = HistoryQuery { from: None, to: None, kind: None, before: None, limit: 10 };
        let page = store.history(&query).await.unwrap();
        let told: Vec<_> = page.rows.iter().map(|row| row.explanation.as_str()).collect();
        assert_eq!(told, ["last", "first"]);
    }
}
