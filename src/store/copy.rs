//! The database as a whole: a copy of it beside whoever writes, and a copy that takes its place.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};

use super::{
    BUSY_TIMEOUT, DATABASE, DataFolder, KeyState, Sealer, StoreError, audit::insert_audit, key, options,
};
use crate::domain::AuditRow;

/// Copies the database in `folder` to `to`, an empty file, as it is at one moment; whoever writes to it goes on.
///
/// # Errors
/// When the database cannot be read or is damaged, or the copy cannot be written.
pub async fn copy_database(folder: &Path, to: &Path) -> Result<(), StoreError> {
    let source = options(&folder.join(DATABASE)).create_if_missing(false).read_only(true);
    let mut source = SqliteConnection::connect_with(&source).await?;
    let to_name = to.to_string_lossy();
    // A full disk here is the copy's, which is not the data folder's as a rule.
    let copied = sqlx::query("vacuum into ?").bind(to_name.as_ref()).execute(&mut source).await;
    copied.map_err(StoreError::Database)?;
    let mut copy = SqliteConnection::connect_with(&alone(to).read_only(true)).await?;
    check(&mut copy).await?;
    Ok(copy.close().await?)
}

/// A database that nobody else uses.
fn alone(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
}

/// Refuses a database whose pages do not fit together.
///
/// # Errors
/// When they do not, or cannot be read.
pub(super) async fn check(database: &mut SqliteConnection) -> Result<(), StoreError> {
    let said: Vec<String> = sqlx::query_scalar("pragma integrity_check(1)").fetch_all(&mut *database).await?;
    match said.as_slice() {
        [ok] if ok == "ok" => Ok(()),
        faults => Err(StoreError::Damaged(faults.join("; "))),
    }
}

/// A database that is to take the place of the one in a data folder, which no server uses.
#[derive(Debug)]
pub struct Replacement<'a> {
    folder: &'a DataFolder,
    /// Whether the folder keeps the session it has.
    pub keeps_session: bool,
    /// Whether it is of an adapter.
    pub is_adapter: bool,
    /// The longest FailoverTimeout of its groups; empty where it has none.
    pub longest: Option<Duration>,
    /// Whether the folder's key opens the secrets in it.
    pub key: KeyState,
    /// The users in it, by name.
    pub users: Vec<String>,
}

impl<'a> Replacement<'a> {
    /// Where the new database must be, in `folder`.
    #[must_use]
    pub fn place(folder: &DataFolder) -> PathBuf {
        folder.path().join("failover.db.restored")
    }

    /// Brings the database at [`Replacement::place`] to this version's schema, and gives it the session of the
    /// database that it replaces, or none: a copy's session may still be another adapter's. Its audit trail goes on with
    /// `told`. Nothing else in the folder changes.
    ///
    /// # Errors
    /// When it is damaged, or a newer version wrote it.
    pub async fn prepare(folder: &'a DataFolder, told: &AuditRow) -> Result<Self, StoreError> {
        let mut new = SqliteConnection::connect_with(
            &alone(&Self::place(folder)).journal_mode(SqliteJournalMode::Delete),
        )
        .await?;
        check(&mut new).await?;
        sqlx::migrate!().run(&mut new).await?;
        let sessions = sqlx::query!("delete from session_identity").execute(&mut new).await?;
        let is_adapter = sessions.rows_affected() > 0;
        let longest =
            sqlx::query_scalar!(r#"select max(failover_timeout_us) as "longest: i64" from endpoint_group"#)
                .fetch_one(&mut new)
                .await?;
        let longest = longest.and_then(|longest| u64::try_from(longest).ok()).map(Duration::from_micros);
        // One that cannot be read is kept nowhere.
        let keeps_session = folder.path().join(DATABASE).exists()
            && keep_session(folder.path(), &mut new).await.unwrap_or(false);
        insert_audit(&mut new, told).await?;
        let users =
            sqlx::query_scalar!("select name from user_account order by name").fetch_all(&mut new).await?;
        let sealed = key::sealed_values(&mut new).await?;
        let key = match sealed.as_slice() {
            [] => KeyState::Usable,
            sealed => Sealer::open(folder.key_place(), folder.path(), sealed)?.state().clone(),
        };
        new.close().await?;
        fs::File::open(Self::place(folder)).and_then(|file| file.sync_all()).map_err(StoreError::NotMade)?;
        Ok(Self { folder, keeps_session, is_adapter, longest, key, users })
    }

    /// Puts it in its place at one stroke; gives where the database that was there is now.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub async fn commit(self) -> Result<Option<PathBuf>, StoreError> {
        let (database, new) = (self.folder.path().join(DATABASE), Self::place(self.folder));
        let aside = beside(&database, ".replaced");
        let was = database.exists();
        if was {
            // Its write-ahead log must not be there for the new one. What is too damaged to be folded in is put aside.
            fold(&database).await.ok();
        }
        let put = || -> io::Result<()> {
            for suffix in ["", "-wal", "-shm"] {
                remove(&beside(&aside, suffix))?;
            }
            if was {
                fs::hard_link(&database, &aside)?;
            }
            if beside(&database, "-wal").exists() {
                fs::rename(beside(&database, "-wal"), beside(&aside, "-wal"))?;
            }
            remove(&beside(&database, "-shm"))?;
            fs::rename(&new, &database)?;
            fs::File::open(self.folder.path())?.sync_all()
        };
        put().map_err(StoreError::NotMade)?;
        Ok(was.then_some(aside))
    }
}

/// Gives `new` the session of the database in `folder`; false where it has none.
async fn keep_session(folder: &Path, new: &mut SqliteConnection) -> Result<bool, StoreError> {
    let mut old =
        SqliteConnection::connect_with(&options(&folder.join(DATABASE)).create_if_missing(false)).await?;
    let row = sqlx::query!(
        "select session_id, incarnation, endpoint, failover_group_id, epoch, was_primary from session_identity"
    )
    .fetch_optional(&mut old)
    .await?;
    old.close().await?;
    let Some(row) = row else { return Ok(false) };
    sqlx::query!(
        "insert into session_identity (singleton, session_id, incarnation, endpoint, failover_group_id, epoch,
            was_primary) values (1, ?, ?, ?, ?, ?, ?)",
        row.session_id,
        row.incarnation,
        row.endpoint,
        row.failover_group_id,
        row.epoch,
        row.was_primary
    )
    .execute(new)
    .await?;
    Ok(true)
}

/// Folds the write-ahead log into a database, and ends it.
async fn fold(database: &Path) -> Result<(), StoreError> {
    let mut old =
        SqliteConnection::connect_with(&alone(database).journal_mode(SqliteJournalMode::Delete)).await?;
    sqlx::raw_sql("pragma user_version").execute(&mut old).await?;
    Ok(old.close().await?)
}

/// The path with `suffix` after its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
