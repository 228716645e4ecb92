//! Backups: one file that has everything but the key and what waits at the gate.
//!
//! Promises: a backup is of one moment, made beside a running server, read again before it gets its name, and for
//! its owner alone. A file that is damaged or no backup changes nothing. What is restored takes its place at one
//! stroke, with a row in its audit trail that says so; no epoch goes back below what the backup and the folder's mark
//! say, the endpoint believes none of its records until T is over, and no two adapters get one session.
//!
//! Does not: hold the key (with it a backup would be a secret, without it its secrets stay sealed), the server's
//! certificate, or `egress.db`: what waited then has been sent since, or waits in the folder still.
//!
//! It may import `domain`, `clock`, `store` and `endpoint`.

mod file;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

pub use crate::store::KeyState;
pub use file::FileError;

use crate::{
    clock,
    domain::{AuditAction, AuditKind, AuditRow, Deed, Wall},
    endpoint::Mark,
    store::{self, DATABASE, DataFolder, FolderError, KeyPlace, Replacement, StoreError},
};
use file::About;

/// Why no backup was made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error("there is no database in {}; name the server's data folder with --data-dir", .0.display())]
    NoDatabase(PathBuf),
    /// A backup replaces nothing.
    #[error("{} exists already; a backup replaces nothing, so name another file", .0.display())]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("{} cannot be written", .path.display())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database cannot be copied.
    #[error("the database cannot be copied")]
    Store(#[from] StoreError),
    /// What was written is not what was to be.
    #[error("the backup was not written well")]
    NotVerified(#[from] FileError),
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It is not a whole backup.
    #[error(transparent)]
    File(#[from] FileError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The database in it cannot be used.
    #[error("the database in the backup cannot be put in place")]
    Store(#[from] StoreError),
    /// The system refused.
    #[error("the data folder cannot be written")]
    System(#[from] io::Error),
}

/// A backup that was made.
#[derive(Debug)]
pub struct Made {
    /// How large it is.
    pub bytes: u64,
    /// Whether the audit trail of the data folder tells of it. A folder that cannot be written is saved all the same.
    pub told: Result<(), StoreError>,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made.
    pub made: Wall,
    /// Whether the folder keeps the session it had, else it gets a new one; empty where the backup is of no adapter.
    pub keeps_session: Option<bool>,
    /// For how long a failover endpoint will wait for whoever acts already; empty where the backup is of none.
    pub waits: Option<Duration>,
    /// Whether the server's key opens the secrets in it.
    pub key: KeyState,
    /// The users who may log in again, with the passwords that they had then.
    pub users: Vec<String>,
    /// Where the database is that was there before.
    pub replaced: Option<PathBuf>,
}

/// Makes a backup of the data folder for `by`, as the audit trail names him, whether a server uses it now or not.
///
/// # Errors
/// When there is no database, `file` exists or cannot be written, or the copy is not whole. Nothing is left then.
pub async fn back_up(folder: &Path, file: &Path, by: String) -> Result<Made, BackupError> {
    if !folder.join(DATABASE).is_file() {
        return Err(BackupError::NoDatabase(folder.to_owned()));
    }
    if fs::symlink_metadata(file).is_ok() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let written = write(folder, &new, file).await;
    if written.is_err() {
        // The error that is told matters more than one about what is left.
        fs::remove_file(&new).ok();
    }
    let bytes = written?;
    let row = told(AuditAction::BackedUp, format!("to {}", file.display()), by);
    Ok(Made { bytes, told: store::tell_audit(folder, &row).await })
}

/// The row of the audit trail about the database.
fn told(action: AuditAction, subject: String, by: String) -> AuditRow {
    AuditRow::of_deed(Deed { kind: AuditKind::Database, action, subject }, clock::now().wall, by, None)
}

async fn write(folder: &Path, new: &Path, file: &Path) -> Result<u64, BackupError> {
    let not_written = |source| BackupError::NotWritten { path: file.to_owned(), source };
    file::create(new).map_err(not_written)?;
    store::copy_database(folder, new).await?;
    // Read after the database: a mark that says more than the database is never wrong.
    let mark = Mark::read(folder);
    let about = About {
        made: clock::now().wall,
        epoch: mark.as_ref().and_then(|mark| mark.epoch),
        longest: mark.map(|mark| mark.longest).unwrap_or_default(),
    };
    let bytes = file::finish(new, &about).map_err(not_written)?;
    file::verify(new)?;
    fs::rename(new, file).and_then(|()| file::sync_folder(file)).map_err(not_written)?;
    Ok(bytes)
}

/// Puts what is in the backup in the place of what is in the data folder, for `by` as the audit trail names him. A folder
/// that is not there is made. `key` is where the server's key is, if not in the folder.
///
/// # Errors
/// When the file is not a whole backup, a server uses the folder, or the folder cannot be written. What is in the
/// folder is as it was then.
pub async fn restore(
    file: &Path,
    folder: &Path,
    key: Option<&Path>,
    by: String,
) -> Result<Restored, RestoreError> {
    let about = file::verify(file)?;
    let key = key.map_or(KeyPlace::Folder, |key| KeyPlace::File(key.to_owned()));
    let held = DataFolder::hold_as_owner(folder)?.with_key(key);
    let new = Replacement::place(&held);
    let row = told(AuditAction::Restored, format!("from {} of {}", file.display(), about.made), by);
    let restored = replace(file, &about, &held, &new, &row).await;
    if restored.is_err() {
        fs::remove_file(&new).ok();
    }
    restored
}

async fn replace(
    file: &Path,
    about: &About,
    held: &DataFolder,
    new: &Path,
    told: &AuditRow,
) -> Result<Restored, RestoreError> {
    file::extract(file, new)?;
    let replacement = Replacement::prepare(held, told).await?;
    let keeps_session = replacement.is_adapter.then_some(replacement.keeps_session);
    let (key, longest) = (replacement.key.clone(), replacement.longest.unwrap_or_default());
    let users = replacement.users.clone();
    // Before the database: should this end in between, the old one is not believed either, which costs T.
    let longest = doubt(held.path(), about)?.max(longest);
    let replaced = replacement.commit().await?;
    let waits = Some(longest).filter(|longest| !longest.is_zero());
    Ok(Restored { made: about.made, keeps_session, waits, key, users, replaced })
}

/// Leaves a mark that proves nothing, so that the next start waits, and that has the highest of what is known; gives for
/// how long.
fn doubt(folder: &Path, about: &About) -> io::Result<Duration> {
    let found = Mark::read(folder);
    let mark = Mark {
        boot: clock::boot_id()?,
        seat_records: 0,
        epoch: found.as_ref().and_then(|mark| mark.epoch).max(about.epoch),
        longest: found.map(|mark| mark.longest).unwrap_or_default().max(about.longest),
        settled: false,
    };
    mark.write(folder)?;
    Ok(mark.longest)
}
