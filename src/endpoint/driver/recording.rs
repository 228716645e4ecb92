//! Writes down what the machines want written: the seat, then the mark, then whoever waits is answered.

use std::{io, sync::Arc};

use super::{Cell, Endpoint, Group, GroupKey, Mark, PAUSE, SeatRecord, StoreError, chain};
use crate::{
    clock,
    domain::{Epoch, SessionId},
};

impl Endpoint {
    /// Says what happened and whose heartbeat is waited for, and has written down what the machine wants
    /// written. The writing goes on when the caller goes away.
    pub(super) fn keep_books(&self, cell: &Arc<Cell>, group: &mut Group) {
        for change in group.take_changes() {
            let (session, epoch) =
                (change.session.as_ref().map(SessionId::as_str), change.epoch.map(Epoch::get));
            tracing::info!(group = %cell.key, session, epoch, change = change.kind.as_str(), "{}", change.reason);
        }
        let now = clock::now();
        if let Some(session) = group.take_nudge(now) {
            tracing::debug!(group = %cell.key, %session, "a heartbeat is waited for");
            cell.audience.nudge(session);
        }
        if let Some(moment) = group.next_wake(now) {
            self.inner.lookout.look_by(moment);
        }
        if let Some(record) = group.take_record(now) {
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
        let seat_records = self.inner.store.record_seat(key, record).await?;
        let epoch = mark.epoch.max(record.epoch);
        Ok(self.write_mark(mark, seat_records, epoch).await?)
    }

    /// Puts the mark on disk; `mark` says what is there, so it changes only once it is.
    pub(super) async fn write_mark(
        &self,
        mark: &mut Mark,
        seat_records: u64,
        epoch: Option<Epoch>,
    ) -> io::Result<()> {
        let new = Mark { boot: self.inner.boot.clone(), seat_records, epoch, settled: !self.is_renewing() };
        let (written, folder) = (new.clone(), self.inner.store.folder().to_owned());
        tokio::task::spawn_blocking(move || written.write(&folder)).await??;
        *mark = new;
        Ok(())
    }

    pub(super) fn is_renewing(&self) -> bool {
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
            let epoch = mark.epoch.max(stored.as_ref().and_then(|stored| stored.epoch));
            self.write_mark(mark, seat_records, epoch).await?;
        }
        Ok(stored)
    }
}

/// Why a seat could not be written.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the high-water mark could not be written")]
    Mark(#[from] io::Error),
}
