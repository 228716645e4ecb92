//! Writes down and removes what no answer waits for: a task of its own, because it waits for the store. A disk that hangs
//! holds up nothing but this.

use std::{io, sync::Arc};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Cell, Endpoint, Remover, StoreError};
use crate::domain::{SessionId, chain};

/// How many sessions are removed after one tick: a plant that was switched off makes thousands of sessions silent at once, and each
/// costs the disk a write, for which rows of history and whoever registers would wait.
pub(super) const MOST_REMOVED: usize = 10;

/// What nobody will miss.
enum Over {
    /// A session that was silent for too long.
    Session(SessionId),
    /// An override that ended.
    Override,
}

impl Endpoint {
    /// Tidies up after each tick, until `stop`. What was begun is done first: a row that was taken to be written is in
    /// nobody's hands but these.
    pub(super) async fn tidy(self, ticked: Arc<Notify>, stop: CancellationToken) -> io::Result<()> {
        while stop.run_until_cancelled(ticked.notified()).await.is_some() {
            self.tidy_up(&stop).await;
        }
        Ok(())
    }

    pub(super) async fn tidy_up(&self, stop: &CancellationToken) {
        let cells = self.cells();
        for cell in cells.iter().take_while(|_| !stop.is_cancelled()) {
            // Where a seat is on its way, or waits for the promotion that follows, what happened is written with it.
            self.write_changes_soon(cell).await;
        }
        self.settle_mark().await;
        // A restart would take up an override that is still there; a session that is there some ticks longer harms nobody.
        let lapsed = cells.iter().filter(|cell| cell.lock().override_to_remove());
        let overrides = lapsed.map(|cell| (cell, Over::Override));
        let silent = cells.iter().flat_map(|cell| self.silent_in(cell).into_iter().map(move |id| (cell, id)));
        let sessions = silent.map(|(cell, id)| (cell, Over::Session(id))).take(MOST_REMOVED);
        for (cell, what) in overrides.chain(sessions) {
            // Who has the registry may wait for a store that gives way only once the endpoint ends.
            let registry = self.inner.registry.lock();
            let Some(_registry) = stop.run_until_cancelled(registry).await else { return };
            if let Err(error) = self.remove_what_is_over(cell, &what).await {
                let error = chain(&error);
                match what {
                    Over::Session(session) => {
                        tracing::warn!(group = %cell.key, %session, error, "a silent session could not be removed");
                    }
                    Over::Override => {
                        tracing::warn!(group = %cell.key, error, "an override that ended could not be removed");
                    }
                }
                // The store would refuse the others, too.
                return;
            }
        }
    }

    /// The sessions of a group that were silent for too long.
    fn silent_in(&self, cell: &Cell) -> Vec<SessionId> {
        cell.lock().silent_for(self.now(), self.inner.settings.session_retention)
    }

    /// Removes it, while the registry is held, unless it is over no more.
    async fn remove_what_is_over(&self, cell: &Arc<Cell>, what: &Over) -> Result<(), StoreError> {
        match what {
            Over::Session(id) => {
                let limit = self.inner.settings.session_retention;
                if self.silent_in(cell).contains(id) {
                    self.remove(cell, id, Remover::Silence, None).await?;
                    tracing::info!(group = %cell.key, session = %id, ?limit, "a session was silent for too long and was removed");
                }
            }
            Over::Override => {
                if cell.lock().override_to_remove() {
                    self.inner.store.replace_override(&cell.key, None, None).await?;
                    cell.lock().override_removed();
                }
            }
        }
        Ok(())
    }

    /// Once no group waits any more, the mark says so, and the next start may trust it.
    pub(super) async fn settle_mark(&self) {
        // While a seat is being written, that write brings the mark up to date.
        let Ok(mut mark) = self.inner.mark.try_lock() else { return };
        if mark.settled || self.is_renewing() {
            return;
        }
        let (seat_records, epoch) = (mark.seat_records, mark.epoch);
        if let Err(error) = self.write_mark(&mut mark, seat_records, epoch).await {
            tracing::warn!(%error, "the high-water mark could not be written; the next start waits for T");
        }
    }
}
