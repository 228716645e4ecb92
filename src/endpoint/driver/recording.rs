//! Writes down what the machines want written: the seat, then the mark, then whoever waits is answered.

use std::{io, sync::Arc};

use tokio::sync::MutexGuard;

use super::{
    Cell, Endpoint, Group, GroupChange, GroupEvent, GroupKey, Mark, PAUSE, Record, SeatRecord, StoreError,
    unpoisoned,
};
use crate::{
    clock,
    domain::{Epoch, GroupChangeKind, SessionId, chain},
    store::Due,
};

impl Endpoint {
    /// Says what happened and whose heartbeat is waited for, and has written down what the machine wants
    /// written. The writing goes on when the caller goes away. What needs no seat waits for the next seat
    /// or the next tick: a hand-over must not wait for it.
    pub(super) fn keep_books(&self, cell: &Arc<Cell>, group: &mut Group) {
        let changes = group.take_changes();
        for change in &changes {
            say(cell, change);
        }
        unpoisoned(&cell.unwritten).keep(changes);
        unpoisoned(&self.inner.unsettled).note(cell, group);
        let now = self.now();
        if let Some(session) = group.take_nudge(now) {
            tracing::debug!(group = %cell.key, %session, "a heartbeat is waited for");
            cell.audience.tell(GroupEvent::Nudge(Some(session)));
        }
        if let Some(moment) = group.next_wake(now) {
            let moment = unpoisoned(&self.inner.attention).clock_at(moment);
            self.inner.lookout.look_by(moment);
        }
        if let Some(record) = group.take_record(now) {
            // What happens from now on is no part of what the seat says.
            let until = unpoisoned(&cell.unwritten).told();
            self.inner.writers.spawn(self.clone().write(Arc::clone(cell), record, until));
        }
    }

    /// Writes a seat with what had happened `until` then, then the mark; then whoever waits may be answered.
    async fn write(self, cell: Arc<Cell>, record: Record, until: usize) {
        let mut mark = self.inner.mark.lock().await;
        let before = unpoisoned(&cell.unwritten).take(until);
        let changes: Vec<_> = before.changes.iter().chain(&record.promotion).cloned().collect();
        let due = Due { rows: &changes, doubted: before.doubted };
        let written = self.write_once(&mut mark, &cell.key, &record.seat, due).await;
        let kept = match &written {
            Ok(()) => {
                cell.lock().recorded(self.now());
                Some(true)
            }
            Err(error) => {
                tracing::error!(group = %cell.key, error = chain(error), "a change of the seat could not be recorded");
                cell.lock().doubt();
                cell.kept.send_replace(false);
                self.read_back(&mut mark, &cell).await
            }
        };
        match kept {
            Some(true) => cell.note_loss(),
            Some(false) => return cell.keep_first(before),
            None => return cell.keep_first(before.in_doubt()),
        }
        if let Some(promotion) = &record.promotion {
            say(&cell, promotion);
        }
        // The next seat is taken before anybody may write what happened without one.
        self.keep_books(&cell, &mut cell.lock());
        drop(mark);
        if written.is_ok() {
            cell.kept.send_replace(true);
        }
    }

    /// Has a free seat written that could wait for the promotion that follows: the history must not be ahead of it.
    pub(super) fn hurry(&self, cell: &Arc<Cell>) {
        let mut group = cell.lock();
        group.hurry();
        self.keep_books(cell, &mut group);
    }

    /// Writes what happened and needs no seat, after the seat that is on its way to the disk. It waits for the next time
    /// where the store refuses, or a seat that it followed from could not be written.
    pub(super) async fn write_changes(&self, cell: &Cell) {
        let order = self.after_its_seat(cell).await;
        if cell.lock().is_recorded() {
            self.write_changes_in(&order, cell).await;
        }
    }

    /// The same, unless any seat is being written, or this group's is to be: then it waits for the next time, too.
    pub(super) async fn write_changes_soon(&self, cell: &Cell) {
        if !cell.has_unwritten() {
            return;
        }
        if let Ok(order) = self.inner.mark.try_lock()
            && cell.lock().is_recorded()
        {
            self.write_changes_in(&order, cell).await;
        }
    }

    /// The order in which seats are written, once that of this group which was taken to be written is.
    async fn after_its_seat(&self, cell: &Cell) -> MutexGuard<'_, Mark> {
        loop {
            let order = self.inner.mark.lock().await;
            {
                let group = cell.lock();
                // Its writer gave up, because the endpoint stops; or there is none.
                if group.is_in_doubt() || !group.is_recording() {
                    return order;
                }
            }
            // Its writer has not come to the lock yet.
            drop(order);
            tokio::task::yield_now().await;
        }
    }

    async fn write_changes_in(&self, _order: &Mark, cell: &Cell) {
        let unwritten = cell.take_unwritten();
        match self.inner.store.record_changes(&[(&cell.key, unwritten.due())]).await {
            Ok(()) => cell.note_loss(),
            Err(error) => {
                tracing::warn!(group = %cell.key, error = chain(&error), "what happened in the group could not be written yet");
                cell.keep_first(unwritten.in_doubt());
            }
        }
    }

    async fn write_once(
        &self,
        mark: &mut Mark,
        key: &GroupKey,
        seat: &SeatRecord,
        changes: Due<'_, GroupChange>,
    ) -> Result<(), WriteError> {
        // Side by side, so that an answer waits for one disk's delay and not for two. Whichever is lost in
        // a crash, the numbers differ, and the next start waits for T.
        let asked = clock::now().uptime;
        let (next, epoch) = (seat.number_after(mark.seat_records), mark.epoch.max(seat.epoch));
        let (recorded, marked) = tokio::join!(
            self.inner.store.record_seat(key, seat, changes),
            self.write_mark(mark, next, epoch)
        );
        let seat_records = recorded?;
        marked?;
        if seat_records != next {
            self.write_mark(mark, seat_records, epoch).await?;
        }
        self.inner.heard.seat(clock::now().uptime.since(asked));
        Ok(())
    }

    /// Puts the mark on disk; `mark` says what is there, so it changes only once it is.
    pub(super) async fn write_mark(
        &self,
        mark: &mut Mark,
        seat_records: u64,
        epoch: Option<Epoch>,
    ) -> io::Result<()> {
        let longest = unpoisoned(&self.inner.unsettled).longest;
        let new = Mark {
            boot: self.inner.boot.clone(),
            seat_records,
            epoch,
            longest: mark.longest.max(longest),
            settled: !self.is_renewing(),
        };
        let (written, folder) = (new.clone(), self.inner.store.folder().to_owned());
        tokio::task::spawn_blocking(move || written.write(&folder)).await??;
        *mark = new;
        Ok(())
    }

    /// Whether any group still waits for a Primary that acts already; also one that was deleted, or that
    /// this run of the endpoint does not know yet.
    pub(super) fn is_renewing(&self) -> bool {
        let now = self.now();
        let hosted = unpoisoned(&self.inner.hosted);
        let longest = self.inner.longest;
        // Where no T is known at all, nothing is known until a group is.
        let nothing = longest.is_zero() && hosted.groups.is_empty();
        let unknown = !self.inner.knows_all && (now.uptime < self.inner.begun.uptime + longest || nothing);
        unknown
            || unpoisoned(&self.inner.unsettled).waits()
            || hosted.estates.values().any(|estate| estate.is_renewing(now))
    }

    /// Reads what the store holds until it says so, with the mark brought to its number; whether the last
    /// record is on disk after all, which nobody knows where the endpoint ends first.
    async fn read_back(&self, mark: &mut Mark, cell: &Arc<Cell>) -> Option<bool> {
        loop {
            match self.read_back_once(mark, &cell.key).await {
                Ok(stored) => {
                    return Some(cell.lock().read_back(self.now(), stored.as_ref()));
                }
                Err(error) => {
                    tracing::warn!(group = %cell.key, error = chain(&error), "what the store holds is not known");
                }
            }
            tokio::select! {
                () = self.inner.closing.cancelled() => return None,
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

/// One line of log for each change, and an event for whoever listens.
fn say(cell: &Cell, change: &GroupChange) {
    cell.audience.tell(GroupEvent::Change(Arc::new(change.clone())));
    let group = &cell.key;
    let (session, epoch) = (change.session.as_ref().map(SessionId::as_str), change.epoch.map(Epoch::get));
    let (kind, reason) = (change.kind.as_str(), change.reason.as_str());
    match change.kind {
        // The endpoint says it of itself, once for all groups.
        GroupChangeKind::EndpointStopped | GroupChangeKind::EndpointAway => {
            tracing::debug!(%group, kind, reason, "{}", change.explanation);
        }
        GroupChangeKind::StoreWasSetBack
        | GroupChangeKind::SessionContested
        | GroupChangeKind::PoliciesDiffer => {
            tracing::warn!(%group, session, epoch, kind, reason, "{}", change.explanation);
        }
        GroupChangeKind::Promoted
        | GroupChangeKind::ToldToStop
        | GroupChangeKind::SeatFreed
        | GroupChangeKind::ChallengeBegan
        | GroupChangeKind::ChallengeDropped
        | GroupChangeKind::HandOver
        | GroupChangeKind::OverrideBegan
        | GroupChangeKind::OverrideEnded => {
            tracing::info!(%group, session, epoch, kind, reason, "{}", change.explanation);
        }
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
