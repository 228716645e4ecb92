//! Tells when the endpoint was away: at its start, at its stop, and after a stall.

use std::{io, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{Attention, Cell, Endpoint, StoreError, Unwritten, unpoisoned};
use crate::{
    clock::{self, Alarm},
    domain::{Now, chain},
    endpoint::{
        machine::{Away, SignOfLife},
        sign,
    },
};

/// How often a sign of life is left. Oftener would say little more, and more seldom would cost the disk no less:
/// the kernel brings a file that changes to the disk every few seconds, however often it changed.
const EVERY: Duration = Duration::from_secs(1);

impl Endpoint {
    /// Tells each group that was here before since when the endpoint was away.
    pub(super) async fn tell_absence(&self) -> Result<(), StoreError> {
        let inner = &self.inner;
        let now = Now { uptime: inner.begun.clock, wall: inner.begun.wall };
        let last = sign::read(inner.store.folder());
        let recorded = inner.store.last_group_change().await?;
        let Some(away) = Away::before(now, &inner.boot, last.as_ref(), recorded) else { return Ok(()) };
        for cell in self.cells() {
            let mut group = cell.lock();
            group.note_away(inner.begun, &away);
            self.keep_books(&cell, &mut group);
        }
        self.write_all_changes().await;
        Ok(())
    }

    /// Tells each group that the endpoint stops, and leaves its last sign of life.
    pub(super) async fn tell_stop(&self) {
        for cell in self.cells() {
            let mut group = cell.lock();
            group.note_stop(self.now());
            self.keep_books(&cell, &mut group);
        }
        // A heartbeat that came late may have changed a seat once more.
        self.inner.writers.wait().await;
        self.write_all_changes().await;
        if self.cells().iter().any(|cell| cell.has_unwritten()) {
            // That something is missing, where the store has said yes only now.
            self.write_all_changes().await;
        }
        self.leave_sign(true).await;
    }

    /// Tells of a stall that has gone unnoticed, before anything is heard that may follow from it.
    pub(super) fn notice_stall(&self) {
        self.attend_now(Attention::notice);
    }

    /// Attends, and tells where that was late.
    pub(super) fn attend_now(&self, attend: impl FnOnce(&mut Attention, Now) -> Option<Duration>) {
        let now = clock::now();
        let stall = attend(&mut unpoisoned(&self.inner.attention), now);
        if let Some(stall) = stall {
            self.tell_stall(now, stall);
        }
    }

    /// Tells of a stall where it was long: the groups, and the log if it was so for any of them.
    fn tell_stall(&self, now: Now, stall: Duration) {
        let away = Away::stalled(now, stall);
        let mut long = false;
        for cell in self.cells() {
            let mut group = cell.lock();
            if group.is_long(stall) {
                long = true;
                group.note_away(self.now(), &away);
                self.keep_books(&cell, &mut group);
            }
        }
        if long {
            tracing::warn!(?stall, "the endpoint was stalled; silence in that time is not counted");
        } else {
            tracing::debug!(?stall, "the endpoint was stalled for a moment");
        }
    }

    /// Leaves signs of life until `stop`.
    pub(super) async fn live(self, stop: CancellationToken) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        loop {
            // A disk that hangs must not keep the process from stopping.
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.leave_sign(false) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                waited = alarm.after(EVERY) => waited?,
            }
        }
    }

    async fn leave_sign(&self, stopped: bool) {
        let sign = SignOfLife { boot: self.inner.boot.clone(), at: clock::now(), stopped };
        let (signs, folder) = (Arc::clone(&self.inner.signs), self.inner.store.folder().to_owned());
        let left = tokio::task::spawn_blocking(move || signs.leave(&folder, &sign)).await;
        if let Err(error) = left.map_err(io::Error::other).flatten() {
            tracing::warn!(%error, "no sign of life could be left; the next start will not know since when nobody was here");
        }
    }

    /// Writes what happened in all groups, in one transaction; what the store refuses waits for the next time, and so
    /// does what comes after a seat that is not on disk.
    async fn write_all_changes(&self) {
        // In the order in which seats are written.
        let order = self.inner.mark.lock().await;
        let recorded = self.cells().into_iter().filter(|cell| cell.lock().is_recorded());
        let taken: Vec<(Arc<Cell>, Unwritten)> =
            recorded.map(|cell| (Arc::clone(&cell), cell.take_unwritten())).collect();
        let due: Vec<_> = taken.iter().map(|(cell, unwritten)| (&cell.key, unwritten.due())).collect();
        let written = self.inner.store.record_changes(&due).await;
        match written {
            Ok(()) => taken.iter().for_each(|(cell, _)| cell.note_loss()),
            Err(error) => {
                tracing::warn!(error = chain(&error), "what happened in the groups could not be written yet");
                for (cell, unwritten) in taken {
                    cell.keep_first(unwritten.in_doubt());
                }
            }
        }
        drop(order);
    }
}
