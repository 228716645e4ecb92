//! Why the store could not do what it was asked.

use std::path::PathBuf;

/// Why the store could not do what it was asked. Nothing was changed unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full.
    #[error("the disk that holds the data folder is full")]
    DiskFull(#[source] sqlx::Error),
    /// The data folder cannot be written.
    #[error("the data folder is read-only")]
    ReadOnly(#[source] sqlx::Error),
    /// Another process kept the database locked for too long.
    #[error("another process keeps the database locked")]
    Busy(#[source] sqlx::Error),
    /// SQLite refused for another reason.
    #[error("the database refused")]
    Database(#[source] sqlx::Error),
    /// The schema could not be brought to this version.
    #[error("the database's schema could not be brought to this version")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// A newer version of this program has changed the schema.
    #[error(
        "the database was written by a newer version of client-failover (its schema has change {0}, which this \
         version does not know); install that version again, or restore a backup that was made before the upgrade"
    )]
    Newer(i64),
    /// The database's pages do not fit together.
    #[error("the database is damaged ({0}); restore a backup")]
    Damaged(String),
    /// The key file is readable by others.
    #[error("the key file {} can be read by others; run: chmod 600 {}", .0.display(), .0.display())]
    KeyExposed(PathBuf),
    /// The key file could not be made.
    #[error("the key file {} could not be made", .path.display())]
    KeyNotMade {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database could not be made.
    #[error("the database could not be made")]
    NotMade(#[source] std::io::Error),
    /// The key that sealed the stored secrets is missing or another one.
    #[error("the stored secrets cannot be read: {0}")]
    KeyUnusable(String),
    /// A stored row is not what this version writes.
    #[error("a stored value cannot be read: {0}")]
    Unreadable(String),
}

impl StoreError {
    /// Whether it is a row that the database refused, for what it says: it would refuse it again.
    #[must_use]
    pub fn is_of_a_row(&self) -> bool {
        matches!(self, Self::Database(error) if code(error) == Some(CONSTRAINT))
    }

    /// Whether the database is not what this version makes: damaged, or somebody else's.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Database(error) => matches!(code(error), Some(ERROR | CORRUPT | NOT_A_DATABASE)),
            Self::Migration(_) | Self::Damaged(_) | Self::Unreadable(_) => true,
            // What a newer version wrote is whole.
            Self::Newer(_)
            | Self::DiskFull(_)
            | Self::ReadOnly(_)
            | Self::Busy(_)
            | Self::KeyExposed(_)
            | Self::KeyNotMade { .. }
            | Self::NotMade(_)
            | Self::KeyUnusable(_) => false,
        }
    }
}

/// SQLite's result code of a row that breaks a rule of its table.
const CONSTRAINT: i32 = 19;

/// SQLite's result codes of a statement that does not fit the schema, of damage, and of a file that is no database.
const ERROR: i32 = 1;
const CORRUPT: i32 = 11;
const NOT_A_DATABASE: i32 = 26;

/// SQLite's primary result code: the low byte of an extended one.
fn code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match code(&error) {
            Some(5 | 6) => Self::Busy(error),
            Some(8) => Self::ReadOnly(error),
            Some(13) => Self::DiskFull(error),
            _ => Self::Database(error),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError::{Execute, ExecuteMigration, VersionMissing};
        #[expect(clippy::wildcard_enum_match_arm, reason = "every other refusal means the same here")]
        match error {
            Execute(error) | ExecuteMigration(error, _) => Self::from(error),
            VersionMissing(change) => Self::Newer(change),
            other => Self::Migration(other),
        }
    }
}
