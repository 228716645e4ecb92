//! Writes what is told.

use std::{
    io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

use super::machine::Refusals;
use crate::{
    clock::{self, Alarm},
    domain::{AuditRow, Refusal},
    store::Store,
};

/// How often it is looked for refusals that were counted long enough, and for a store that takes rows again.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Rows that are kept while the store refuses them.
const MOST: usize = 10_000;

/// How long the last rows may take to be written.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Where everybody tells what was refused. Clones share it.
#[derive(Debug, Clone)]
pub struct Trail(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    refusals: Mutex<Refusals>,
    queue: mpsc::UnboundedSender<AuditRow>,
}

/// Writes what is told to a [`Trail`].
#[derive(Debug)]
pub struct Keeper {
    trail: Trail,
    rows: mpsc::UnboundedReceiver<AuditRow>,
    store: Store,
}

impl Trail {
    /// A trail in `store`, and who writes it once he runs.
    #[must_use]
    pub fn new(store: Store) -> (Self, Keeper) {
        let (queue, rows) = mpsc::unbounded_channel();
        let trail = Self(Arc::new(Inner { refusals: Mutex::default(), queue }));
        (trail.clone(), Keeper { trail, rows, store })
    }

    /// Something was refused.
    pub fn refused(&self, refusal: Refusal) {
        if let Some(row) = self.refusals().refused(refusal, clock::now()) {
            // Nobody writes any more at the very end, when nobody is answered either.
            self.0.queue.send(row).ok();
        }
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.0.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper {
    /// Writes what is told until `stop`, then what is still to be written.
    ///
    /// # Errors
    /// When the system refuses a timer.
    pub async fn run(mut self, stop: CancellationToken) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        let mut unwritten = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(row) = self.rows.recv() => unwritten.push(row),
                waited = alarm.after(LOOK_EVERY) => {
                    waited?;
                    unwritten.extend(self.trail.refusals().due(clock::now(), false));
                }
            }
            self.write(&mut unwritten).await;
        }
        unwritten.extend(self.trail.refusals().due(clock::now(), true));
        if timeout(LAST_WAIT, self.write(&mut unwritten)).await.is_err() {
            tracing::error!("the last rows of the audit trail could not be written");
        }
        Ok(())
    }

    async fn write(&mut self, unwritten: &mut Vec<AuditRow>) {
        while let Ok(row) = self.rows.try_recv() {
            unwritten.push(row);
        }
        if unwritten.is_empty() {
            return;
        }
        match self.store.record_audit(unwritten).await {
            Ok(()) => drop(mem::take(unwritten)),
            Err(error) => {
                tracing::error!(%error, "the audit trail cannot be written; it is tried again");
                let over = unwritten.len().saturating_sub(MOST);
                unwritten.drain(..over);
            }
        }
    }
}
