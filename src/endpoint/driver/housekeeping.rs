//! Notices what is over without a heartbeat, and removes what nobody will miss.

use std::{io, sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Cell, Endpoint, Remover, unpoisoned};
use crate::{
    clock::{self, Alarm},
    domain::{SessionId, chain},
    service::{Pulse, Rounds},
};

/// How often a tick looks for what is over, at the least.
const TICK: Duration = Duration::from_secs(1);

/// The least pause between two ticks: a thousand small groups must not make the endpoint do nothing
/// else, and a silence that is noticed 5 ms late is noticed soon enough.
const PAUSE: Duration = Duration::from_millis(5);

impl Endpoint {
    /// Attends, notices what is over, and removes sessions that were silent for too long, until `stop`.
    ///
    /// # Errors
    /// When the kernel refuses a timer.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        self.run_watched(&Rounds::default(), stop).await
    }

    /// The same, with loops that are watched.
    ///
    /// # Errors
    /// As [`Endpoint::run`].
    pub async fn run_watched(self, rounds: &Rounds, stop: CancellationToken) -> io::Result<()> {
        let (mut pulse, attending) = (rounds.watch("housekeeping"), rounds.watch("attention"));
        let mut alarm = Alarm::new()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(self.clone().attend(attending, stop.clone()));
        tasks.spawn(self.clone().live(stop.clone()));
        loop {
            // A store that hangs must not keep the process from stopping.
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.tick() => {}
                // Nor end it: what it renews, it renews from memory.
                () = pulse.answer() => {}
            }
            let next = async {
                alarm.after(PAUSE).await?;
                self.inner.lookout.wait(&mut alarm).await
            };
            tokio::select! {
                () = stop.cancelled() => break,
                waited = next => waited?,
                () = pulse.answer() => {}
            }
        }
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        self.close().await;
        Ok(())
    }

    /// Keeps attended time going, and tells where the endpoint was stalled.
    async fn attend(self, pulse: Pulse, stop: CancellationToken) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        loop {
            pulse.turn();
            let next = unpoisoned(&self.inner.attention).next_tick();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                waited = alarm.until(next) => waited?,
                () = self.inner.quickened.notified() => {}
            }
            self.attend_now(|attention, now| {
                // A heartbeat that was read first may have noticed the stall.
                if now.uptime < attention.next_tick() { None } else { attention.tick(now) }
            });
        }
    }

    /// Ends in order: what is being written is written first.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.cells().iter().for_each(|cell| self.hurry(cell));
        self.inner.writers.close();
        self.inner.writers.wait().await;
        self.tell_stop().await;
    }

    /// Looks at every group.
    async fn tick(&self) {
        let cells = self.cells();
        let smallest = cells.iter().map(|cell| cell.lock().spec().draft.timeout).min();
        unpoisoned(&self.inner.attention).keep_pace(smallest);
        self.inner.lookout.begin(clock::now().uptime + TICK);
        for cell in &cells {
            let mut group = cell.lock();
            group.tick(self.now());
            self.keep_books(cell, &mut group);
        }
        // No group waits for the disk of another: what needs it comes after all of them were looked at.
        for cell in &cells {
            let (silent, lapsed) = {
                let group = cell.lock();
                let silent = group.silent_for(self.now(), self.inner.settings.session_retention);
                (silent, group.override_to_remove())
            };
            // Where a seat is on its way, or waits for the promotion that follows, what happened is written with it.
            self.write_changes_soon(cell).await;
            for id in silent {
                self.forget(cell, &id).await;
            }
            if lapsed {
                self.remove_override(cell).await;
            }
        }
        self.settle_mark().await;
    }

    /// Removes a session that was silent for too long, unless it was heard in the meantime.
    async fn forget(&self, cell: &Arc<Cell>, id: &SessionId) {
        let _registry = self.inner.registry.lock().await;
        let limit = self.inner.settings.session_retention;
        if !cell.lock().silent_for(self.now(), limit).contains(id) {
            return;
        }
        match self.remove(cell, id, Remover::Silence, None).await {
            Ok(()) => {
                tracing::info!(group = %cell.key, session = %id, ?limit, "a session was silent for too long and was removed");
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
        match self.inner.store.replace_override(&cell.key, None, None).await {
            Ok(()) => cell.lock().override_removed(),
            Err(error) => {
                tracing::warn!(group = %cell.key, error = chain(&error), "an override that ended could not be removed");
            }
        }
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
