//! The data folder: who may enter it, the room in it, its databases and its key.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{super::key_place, Finding};
use crate::{
    domain::{Wall, chain},
    settings::KeyFile,
    store::{DataFolder, KeyState, Store, StoreError, inspect},
};

/// With less room than this the disk is soon full: a write-ahead log and an hour of the gate's buffer.
const LITTLE_ROOM: u64 = 256 * 1024 * 1024;

/// With less than this it is full.
const NO_ROOM: u64 = 4 * 1024 * 1024;

const MIB: u64 = 1024 * 1024;

/// What may be looked at by the server's user alone.
const AS_WHOM: &str = "run this as the server's user (sudo -u …), or as root";

/// What was found that others need.
#[derive(Default)]
pub(super) struct Looked {
    /// Whether a server uses the folder.
    pub(super) in_use: bool,
    /// The newest row of history.
    pub(super) newest: Option<Wall>,
    /// What is recorded there.
    pub(super) database: Database,
}

/// The database of a folder.
#[derive(Default)]
pub(super) enum Database {
    /// There is none yet.
    #[default]
    NotMade,
    /// It cannot be read.
    NotRead,
    /// It is of this version, and can be read.
    Read(Store),
}

impl Looked {
    fn unread() -> Self {
        Self { database: Database::NotRead, ..Self::default() }
    }
}

pub(super) async fn all(path: &Path, key_file: Option<&KeyFile>) -> (Vec<Finding>, Looked) {
    let shown = path.display();
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => return (vec![to_be_made(path)], Looked::default()),
        Err(error) => {
            let finding = Finding::bad("folder", format!("{shown} cannot be looked at: {error}"), AS_WHOM);
            return (vec![finding], Looked::unread());
        }
    }
    let folder = match DataFolder::look(path) {
        Ok(folder) => folder.with_key(key_place(key_file.cloned())),
        Err(error) => {
            let finding = Finding::bad("folder", error.to_string(), "run that command");
            return (vec![finding], Looked::unread());
        }
    };
    let in_use = match DataFolder::is_in_use(path) {
        Ok(in_use) => in_use,
        Err(error) => {
            let finding = Finding::bad("folder", format!("{shown} cannot be read: {error}"), AS_WHOM);
            return (vec![finding], Looked::unread());
        }
    };
    let mut findings = vec![room(path, in_use)];
    if DataFolder::was_copied(path) {
        findings.push(Finding::doubtful(
            "folder",
            "it was copied, or moved to another disk, since its server ran last",
            "if the original is still used, begin with an empty folder here: two adapters must not share a session",
        ));
    }
    let mut looked = Looked { in_use, ..Looked::default() };
    match inspect(folder).await {
        Ok(None) => findings.push(Finding::good("database", "there is none; the first start makes it")),
        Ok(Some(found)) => {
            let size = format!("whole, {} KiB", found.bytes.div_ceil(1_024));
            findings.push(match found.pending {
                0 => Finding::good("database", size),
                pending => Finding::doubtful(
                    "database",
                    format!(
                        "{size}; of an older version: the next start makes {pending} changes of its schema"
                    ),
                    "make a backup first: an older version does not read what a newer one wrote",
                ),
            });
            if let Some(store) = &found.store {
                findings.push(key(&key_path(path, key_file), store.key_state(), found.sealed));
            }
            looked.newest = found.newest;
            looked.database = found.store.map_or(Database::NotRead, Database::Read);
        }
        Err(error) => {
            findings.push(unreadable(&error));
            looked.database = Database::NotRead;
        }
    }
    (findings, looked)
}

/// A folder that is not there: whether whoever asks could make it.
fn to_be_made(path: &Path) -> Finding {
    let shown = path.display();
    let here = Path::new(".");
    let parents = path.ancestors().skip(1).map(|parent| if parent == Path::new("") { here } else { parent });
    let nearest = parents.into_iter().find(|parent| parent.exists()).unwrap_or(here);
    match rustix::fs::access(nearest, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK) {
        Ok(()) => Finding::good("folder", format!("{shown} is not there; the first start makes it")),
        Err(error) => Finding::bad(
            "folder",
            format!("{shown} is not there and cannot be made in {}: {error}", nearest.display()),
            format!(
                "run this as the server's user (sudo -u …), or as root: install -d -m 700 -o USER {shown}"
            ),
        ),
    }
}

/// Whether there is room for what is to be written.
fn room(path: &Path, in_use: bool) -> Finding {
    let user = if in_use { "a server uses it now" } else { "no server uses it now" };
    let writable = rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    let free = rustix::fs::statvfs(path).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    let shown = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let found = format!("{}: {user}; {} MiB are free", shown.display(), free / MIB);
    if !writable {
        Finding::bad(
            "folder",
            format!("{} cannot be written", shown.display()),
            "give it to the server's user",
        )
    } else if free < NO_ROOM {
        Finding::bad("folder", found, "make room: nothing can be recorded, and nobody becomes Primary")
    } else if free < LITTLE_ROOM {
        Finding::doubtful("folder", found, "make room, or choose another disk with --data-dir")
    } else {
        Finding::good("folder", found)
    }
}

/// Where the key is to be.
fn key_path(folder: &Path, key_file: Option<&KeyFile>) -> PathBuf {
    match key_file {
        None => folder.join("key"),
        Some(KeyFile::Named(path) | KeyFile::Credential(path)) => path.clone(),
    }
}

fn key(path: &Path, state: &KeyState, sealed: usize) -> Finding {
    match state {
        KeyState::Usable if sealed == 0 => Finding::good("key", "nothing is sealed yet"),
        KeyState::Usable => Finding::good("key", format!("it opens all {sealed} sealed secrets")),
        KeyState::Unusable(why) => Finding::bad(
            "key",
            why.clone(),
            format!("put the right key at {} and start the server again", path.display()),
        ),
    }
}

fn unreadable(error: &StoreError) -> Finding {
    let remedy = match error {
        StoreError::KeyExposed(_) => "run that command",
        StoreError::Newer(_) => "use the newer version",
        StoreError::Damaged(_)
        | StoreError::Database(_)
        | StoreError::Migration(_)
        | StoreError::Unreadable(_) => "restore a backup (client-failover restore)",
        StoreError::Busy(_) => "end the program that uses it, or try again later",
        StoreError::DiskFull(_)
        | StoreError::ReadOnly(_)
        | StoreError::KeyNotMade { .. }
        | StoreError::NotMade(_)
        | StoreError::KeyUnusable(_) => "see to it that the server's user can read and write the folder",
    };
    Finding::bad("database", chain(error), remedy)
}
