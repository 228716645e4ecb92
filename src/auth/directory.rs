//! The accounts, as they were last read: logins are answered from memory, so that a disk that hangs keeps
//! nobody out.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use tokio::sync::watch;

use crate::{
    domain::UserName,
    store::{Account, Store, StoreError},
};

/// The accounts, as they were last read.
#[derive(Debug)]
pub(super) struct Directory {
    store: Store,
    read: RwLock<(i64, HashMap<UserName, Account>)>,
    /// Told whenever they changed.
    changed: watch::Sender<()>,
}

impl Directory {
    /// Reads all accounts.
    pub(super) async fn open(store: Store) -> Result<Self, StoreError> {
        let changed = watch::Sender::new(());
        let directory = Self { store, read: RwLock::new((-1, HashMap::new())), changed };
        directory.refresh().await?;
        Ok(directory)
    }

    /// Reads them again where they changed; says whether they did.
    pub(super) async fn refresh(&self) -> Result<bool, StoreError> {
        let revision = self.store.account_revision().await?;
        if revision <= self.with(|(read, _)| *read) {
            return Ok(false);
        }
        // Read after the revision: what is newer than it is read once more, and nothing is missed.
        let accounts = self.store.accounts().await?;
        let accounts = accounts.into_iter().map(|account| (account.user.name.clone(), account)).collect();
        let newer = {
            let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
            // Another may have read meanwhile, and later.
            let newer = revision > read.0;
            if newer {
                *read = (revision, accounts);
            }
            newer
        };
        if newer {
            self.changed.send_replace(());
        }
        Ok(newer)
    }

    /// What tells whenever they changed.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Whether there is nobody.
    pub(super) fn is_empty(&self) -> bool {
        self.with(|(_, accounts)| accounts.is_empty())
    }

    /// The account of this name.
    pub(super) fn account(&self, name: &UserName) -> Option<Account> {
        self.with(|(_, accounts)| accounts.get(name).cloned())
    }

    fn with<T>(&self, read: impl FnOnce(&(i64, HashMap<UserName, Account>)) -> T) -> T {
        read(&self.read.read().unwrap_or_else(PoisonError::into_inner))
    }
}
