//! Beginning: what the store and the mark say, and how far it is believed.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Attention, Cell, Endpoint, Estate, Group, Heard, Hosted, Inner, Mark, Moment, Settings, Store,
    StoreError, census::Turns, listening::Places, lookout::Lookout, overview::Overviews,
    unsettled::Unsettled,
};
use crate::clock;

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
        let (groups, seats, seat_records) = (records.groups.len(), records.seats.len(), records.seat_records);
        tracing::info!(groups, seats, exact, "the failover endpoint begins");
        let begun = clock::now();
        let (now, closing) = (Moment::attended(begun), CancellationToken::new());
        let mut hosted = Hosted::default();
        let timeouts: BTreeMap<_, _> =
            records.groups.iter().map(|group| (group.key(), group.draft.timeout)).collect();
        for (key, mut record) in records.seats {
            // A group that was created anew with a larger T may have renewed its Primary by that, although the
            // write of the seat that says so failed.
            record.timeout =
                timeouts.get(&key).map_or(record.timeout, |timeout| record.timeout.max(*timeout));
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
        hosted.look_for_all_namesakes();
        let mut unsettled = Unsettled::new(longest);
        hosted.groups.values().for_each(|cell| unsettled.note(cell, &cell.lock()));
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
            quickened: tokio::sync::Notify::new(),
            hosted: Mutex::new(hosted),
            unsettled: Mutex::new(unsettled),
            turns: Turns::default(),
            registry: tokio::sync::Mutex::default(),
            mark: tokio::sync::Mutex::new(mark),
            lookout: Lookout::default(),
            places: Places::default(),
            overviews: Overviews::default(),
            heard: Heard::default(),
            signs: Arc::default(),
            writers: TaskTracker::new(),
            closing,
        };
        Self { inner: Arc::new(inner) }.begin().await
    }

    /// The last of it, once everything else is there.
    async fn begin(self) -> Result<Self, OpenError> {
        self.restore_owners(&self.inner.store).await?;
        self.tell_absence().await?;
        self.settle_mark().await;
        Ok(self)
    }
}
