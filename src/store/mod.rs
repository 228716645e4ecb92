//! The store: one SQLite database in the data folder, and the key that seals its secrets.
//!
//! Promises: what was written is on disk before the call returns (WAL, `synchronous = full`); every
//! write is one `begin immediate` transaction on the one writer connection; a secret is sealed
//! before it touches the database; the data folder belongs to one server at a time. It imports `domain`, and
//! `metrics` and `clock` to measure itself.
//!
//! Does not: decide anything, or ask for the times that it keeps; those are parameters, but for a rotation of the key that
//! it ends at its start.

mod access;
mod audit;
mod buffer;
mod configuration;
mod copy;
mod data_endpoints;
mod due;
mod endpoint;
mod endpoint_rows;
mod error;
mod folder;
mod group_history;
mod history;
mod identity;
mod inspection;
mod key;
mod key_file;
mod metrics;
mod page;
mod rotation;
mod secrets;
mod space;
mod users;

use std::{
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{Mutex, MutexGuard};

pub use audit::tell_audit;
pub use buffer::{Buffer, BufferChange, BufferReader, Opened, PutAside};
pub use configuration::{Change, Requester, StoredConfiguration};
pub use copy::{Replacement, copy_database};
pub use data_endpoints::StoredDataEndpoint;
pub use due::Due;
pub use endpoint::HostedRecords;
pub use error::StoreError;
pub use folder::{DataFolder, FolderError};
pub use group_history::ChangeQuery;
pub use identity::StoredIdentity;
pub use inspection::{Inspection, inspect};
pub use key::{KeyState, Sealer};
pub use key_file::KeyPlace;
pub use metrics::{Told, Writes};
pub use page::{HistoryQuery, Page};
pub use secrets::SecretsChange;
pub use space::Space;
pub use users::{Account, Accounts, AccountsError};

use crate::{clock, domain::Uptime};
use metrics::Telling;

/// The database's name in the data folder.
pub const DATABASE: &str = "failover.db";

/// How long a write waits for another process that writes (the `sqlite3` shell, a backup).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Readers beside the one writer. Reads are short; more would cost memory and gain nothing on two cores.
const READERS: u32 = 4;

/// A handle to the open store. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writer: Mutex<SqliteConnection>,
    /// How a writer is opened.
    options: SqliteConnectOptions,
    readers: SqlitePool,
    sealer: Sealer,
    folder: DataFolder,
    writes: Writes,
    told: Told,
}

impl Store {
    /// Opens the database in `folder`, bringing it to this version's schema, and reads the key.
    ///
    /// # Errors
    /// When the database cannot be opened or migrated, or the key file is readable by others.
    pub async fn open(folder: DataFolder) -> Result<Self, StoreError> {
        let options = options(&folder.path().join(DATABASE)).create_if_missing(true);
        folder::make_private(&folder.path().join(DATABASE))?;
        let mut writer = SqliteConnection::connect_with(&options).await?;
        sqlx::migrate!().run(&mut writer).await?;
        let sealed = key::sealed_values(&mut writer).await?;
        let sealer = Sealer::open(folder.key_place(), folder.path(), &sealed)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_lazy_with(options.clone().create_if_missing(false).read_only(true));
        let writer = Mutex::new(writer);
        let (writes, told) = (Writes::default(), Told::default());
        let inner = Inner { writer, options, readers, sealer, folder, writes, told };
        let mut store = Self { inner: Arc::new(inner) };
        store.end_what_was_begun().await;
        Ok(store)
    }

    /// Ends a rotation of the key that was interrupted. Where it cannot, everything can be read all the same.
    async fn end_what_was_begun(&mut self) {
        key_file::remove_unfinished(self.inner.folder.key_place(), self.folder());
        let sealer = self.sealer();
        if !sealer.has_older_keys() || sealer.usable().is_err() {
            return;
        }
        let Some(path) = self.key_path() else { return };
        match self.end_rotation(&path, clock::now().wall).await {
            Ok(_) => tracing::info!("an interrupted rotation of the key was ended"),
            Err(error) => {
                tracing::warn!(%error, "an interrupted rotation of the key cannot be ended; rotate the key again");
            }
        }
    }

    /// The key file, if there is one.
    fn key_path(&self) -> Option<PathBuf> {
        self.inner.folder.key_place().path(self.folder())
    }

    /// The folder the store is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.inner.folder.path()
    }

    /// Whether the folder was copied, or moved to another disk, since a server ran in it last; from now on one does.
    fn folder_was_copied(&self) -> Result<bool, StoreError> {
        self.inner.folder.settle().map_err(StoreError::NotMade)
    }

    /// Whether sealed secrets can be read, and if not, why.
    #[must_use]
    pub fn key_state(&self) -> &KeyState {
        self.inner.sealer.state()
    }

    /// How its writes do.
    #[must_use]
    pub fn writes(&self) -> &Writes {
        &self.inner.writes
    }

    /// What its history tells.
    #[must_use]
    pub fn told(&self) -> &Told {
        &self.inner.told
    }

    /// Closes the database so that its WAL is folded in.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.fold_log_in().await;
    }

    async fn fold_log_in(&self) {
        let mut writer = self.inner.writer.lock().await;
        if let Err(error) = sqlx::raw_sql("pragma wal_checkpoint(truncate)").execute(&mut *writer).await {
            tracing::warn!(%error, "the write-ahead log could not be folded into the database; the next start does it");
        }
    }

    fn sealer(&self) -> &Sealer {
        &self.inner.sealer
    }

    /// The sealer, before anybody else has the store.
    fn sealer_mut(&mut self) -> Result<&mut Sealer, StoreError> {
        let shared = || StoreError::KeyUnusable("the store is in use".to_owned());
        Arc::get_mut(&mut self.inner).map(|inner| &mut inner.sealer).ok_or_else(shared)
    }

    fn readers(&self) -> &SqlitePool {
        &self.inner.readers
    }

    async fn writer(&self) -> Writer<'_> {
        let asked = clock::now().uptime;
        Writer { connection: self.inner.writer.lock().await, inner: &self.inner, asked }
    }
}

/// How every connection of ours is opened.
fn options(database: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(database)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // What was removed must not be found in the file: secrets, and what was sealed with an older key.
        .pragma("secure_delete", "on")
        .busy_timeout(BUSY_TIMEOUT)
}

/// The one connection that writes, while nobody else does.
struct Writer<'a> {
    connection: MutexGuard<'a, SqliteConnection>,
    inner: &'a Inner,
    /// Since when it was waited for.
    asked: Uptime,
}

impl Writer<'_> {
    /// Begins to write; what is not committed is rolled back.
    async fn begin(&mut self) -> Result<Write<'_>, StoreError> {
        let (Inner { writes, told, .. }, asked) = (self.inner, self.asked);
        let begun = self.begin_transaction().await;
        if begun.is_err() {
            writes.ended(asked, &begun);
        }
        Ok(Write { transaction: begun?, writes, told, asked, telling: Vec::new() })
    }

    async fn begin_transaction(&mut self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        if self.connection.is_in_transaction() {
            // The rollback of a transaction that was given up is queued, and may not be done yet.
            self.connection.ping().await?;
        }
        if self.connection.is_in_transaction() {
            // On a full disk SQLite itself ends the transaction; sqlx then fails to roll it back, and
            // would count it as open for ever.
            *self.connection = SqliteConnection::connect_with(&self.inner.options).await?;
        }
        Ok(self.connection.begin_with("begin immediate").await?)
    }
}

/// What is written at once, or not at all.
struct Write<'a> {
    transaction: Transaction<'a, Sqlite>,
    writes: &'a Writes,
    told: &'a Told,
    asked: Uptime,
    /// What history tells once it is committed.
    telling: Vec<Telling>,
}

impl Write<'_> {
    /// Commits what was `done`; a statement that failed is a write that failed.
    async fn conclude(self, done: Result<(), StoreError>) -> Result<(), StoreError> {
        if done.is_err() {
            self.writes.ended(self.asked, &done);
            return done;
        }
        self.commit().await
    }

    async fn commit(self) -> Result<(), StoreError> {
        let committed = self.transaction.commit().await.map_err(StoreError::from);
        self.writes.ended(self.asked, &committed);
        if committed.is_ok() {
            self.telling.iter().for_each(|telling| self.told.count(*telling));
        }
        committed
    }
}

impl Deref for Write<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.transaction
    }
}

impl DerefMut for Write<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }
}
