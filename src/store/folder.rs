//! The data folder: made for its owner alone, and held by one server at a time.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::{DATABASE, KeyPlace, StoreError};

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It does not exist and could not be made.
    #[error("the data folder {} could not be made", .path.display())]
    NotMade {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("the data folder {} cannot be written", .path.display())]
    NotWritable {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server uses it.
    #[error(
        "another server uses the data folder {}; stop it, or give this one a folder of its own with --data-dir",
        .0.display()
    )]
    InUse(PathBuf),
    /// It is another user's, and what we made in it would be in that user's way.
    #[error(
        "the data folder {} belongs to the user {owner}; run this as that user: sudo -u '#{owner}' client-failover …",
        .path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
    },
    /// It is another account's, who reads and may change whatever we keep there.
    #[error(
        "{} belongs to the user {owner}, and this server runs as {us}; run it as that user, or: chown -R {us} {}",
        .path.display(), .folder.display()
    )]
    Another {
        /// The folder, or the database in it.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
        /// Its owner's number.
        owner: u32,
        /// Ours.
        us: u32,
    },
    /// Others can enter it.
    #[error("the data folder {} is open to others; run: chmod 700 {}", .0.display(), .0.display())]
    Exposed(PathBuf),
    /// Others can read or write a file in it.
    #[error("{} is open to others; run: chmod 600 {}", .0.display(), .0.display())]
    FileExposed(PathBuf),
}

/// How the names of files begin that are in it and not for others: databases with what is beside them and what they
/// replaced, keys and certificate, the endpoint's marks, locks.
const PRIVATE: [&str; 7] =
    ["failover.db", "egress.db", "key.", "tls-key.", "endpoint.", "lock", "guard.lock"];

/// The rights of anybody but the owner.
const OTHERS: u32 = 0o077;

/// A data folder that this process holds until it is dropped or the process ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    key: KeyPlace,
    /// None where it is only looked at.
    lock: Option<File>,
}

impl DataFolder {
    /// Makes the folder if it is not there (mode 0700) and takes its lock.
    ///
    /// # Errors
    /// When it cannot be made or written, it is another user's, others can enter it or read what is in it, or another
    /// server uses it.
    pub fn hold(path: &Path) -> Result<Self, FolderError> {
        let path = path.to_owned();
        if !path.is_dir() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(|source| FolderError::NotMade { path: path.clone(), source })?;
        }
        check_owner(&path)?;
        check_private(&path)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"));
        let lock = lock.map_err(|source| FolderError::NotWritable { path: path.clone(), source })?;
        match lock.try_lock() {
            Ok(()) => {
                let path = fs::canonicalize(&path).unwrap_or(path);
                Ok(Self { path, key: KeyPlace::Folder, lock: Some(lock) })
            }
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path)),
            Err(TryLockError::Error(source)) => Err(FolderError::NotWritable { path, source }),
        }
    }

    /// Whether a server has kept anything there.
    #[must_use]
    pub fn is_one(path: &Path) -> bool {
        path.join(DATABASE).is_file()
    }

    /// The same, with its key at `place`.
    #[must_use]
    pub fn with_key(mut self, place: KeyPlace) -> Self {
        self.key = place;
        self
    }

    /// Where its key is.
    pub(super) const fn key_place(&self) -> &KeyPlace {
        &self.key
    }

    /// The same for a command beside the server: what it makes must be the server's user's, too.
    ///
    /// # Errors
    /// As [`DataFolder::hold`], and when the database, or the folder where there is none yet, is another user's.
    pub fn hold_as_owner(path: &Path) -> Result<Self, FolderError> {
        let us = rustix::process::geteuid().as_raw();
        match fs::metadata(path.join(DATABASE)).or_else(|_| fs::metadata(path)) {
            Ok(found) if found.uid() != us => {
                Err(FolderError::Foreign { path: path.to_owned(), owner: found.uid() })
            }
            _ => Self::hold(path),
        }
    }

    /// Whether a server uses the folder now.
    ///
    /// # Errors
    /// When its lock cannot be opened.
    pub fn is_in_use(path: &Path) -> io::Result<bool> {
        match File::open(path.join("lock")) {
            Ok(lock) => Ok(matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the folder was copied, or moved to another disk, since its last server ran: then that server's folder
    /// may still be there, and used.
    ///
    /// A lock says in its content which file it is. A copy of it says the same, and is another file. In a clone of the whole
    /// disk it is the same file, and nothing is known: the endpoint refuses the one of two machines that it hears last.
    #[must_use]
    pub fn was_copied(path: &Path) -> bool {
        let lock = path.join("lock");
        let said = fs::read_to_string(&lock).unwrap_or_default();
        fs::metadata(&lock).is_ok_and(|found| !said.is_empty() && said != inode(&found))
    }

    /// From now on the folder is no copy: it is the one that a server runs in. Says whether it was one.
    pub(super) fn settle(&self) -> io::Result<bool> {
        let Some(mut lock) = self.lock.as_ref() else { return Ok(false) };
        let (own, mut said) = (inode(&lock.metadata()?), String::new());
        lock.rewind()?;
        // What is no text is none of ours.
        lock.read_to_string(&mut said).ok();
        if said != own {
            lock.set_len(0)?;
            lock.rewind()?;
            lock.write_all(own.as_bytes())?;
            lock.sync_all()?;
        }
        Ok(!said.is_empty() && said != own)
    }

    /// A folder that is only looked at: nothing is made, and a server may use it.
    ///
    /// # Errors
    /// When others can enter it or read what is in it.
    pub fn look(path: &Path) -> Result<Self, FolderError> {
        refuse_exposed(path)?;
        Ok(Self { path: path.to_owned(), key: KeyPlace::Folder, lock: None })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Refuses a folder, or a database in it, that is another account's: it could be read and changed behind our back.
fn check_owner(folder: &Path) -> Result<(), FolderError> {
    let us = rustix::process::geteuid().as_raw();
    for path in [folder.to_owned(), folder.join(DATABASE)] {
        match fs::metadata(&path).map(|found| found.uid()) {
            Ok(owner) if owner != us => {
                return Err(FolderError::Another { path, folder: folder.to_owned(), owner, us });
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// Refuses a folder that others than its owner can enter, and files in it that they could read. An empty
/// one has nothing to tell yet, and is made private. The key is refused where it is read.
fn check_private(path: &Path) -> Result<(), FolderError> {
    if is_open(path) && fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()) {
        // Where it cannot be made private it is refused.
        fs::set_permissions(path, Permissions::from_mode(0o700)).ok();
    }
    refuse_exposed(path)
}

/// Which file it is on its disk.
fn inode(found: &fs::Metadata) -> String {
    format!("inode {}\n", found.ino())
}

fn is_open(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.mode() & OTHERS != 0)
}

fn refuse_exposed(path: &Path) -> Result<(), FolderError> {
    if is_open(path) {
        return Err(FolderError::Exposed(path.to_owned()));
    }
    let is_private = |file: &Path| {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        PRIVATE.iter().any(|begin| name.starts_with(begin))
    };
    // One that cannot be listed is told of where it is used.
    let mut files = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    match files.find(|file| is_private(file) && file.is_file() && is_open(file)) {
        Some(file) => Err(FolderError::FileExposed(file)),
        None => Ok(()),
    }
}

/// Makes the file, if it is not there, so that only its owner can read it. SQLite gives the files beside a
/// database the same mode.
pub(super) fn make_private(file: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file);
    made.map(drop).map_err(StoreError::NotMade)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_server() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("a/b");
        let held = DataFolder::hold(&path).unwrap();
        assert!(matches!(DataFolder::hold(&path), Err(FolderError::InUse(_))));
        drop(held);
        assert!(DataFolder::hold(&path).is_ok());
    }

    #[test]
    fn a_copy_of_a_folder_is_known_until_a_server_has_run_in_it() {
        let outer = tempfile::tempdir().unwrap();
        let (original, copy) = (outer.path().join("a"), outer.path().join("b"));
        let server = DataFolder::hold(&original).unwrap();
        assert!(!server.settle().unwrap() && !server.settle().unwrap());
        fs::create_dir(&copy).unwrap();
        fs::set_permissions(&copy, Permissions::from_mode(0o700)).unwrap();
        fs::copy(original.join("lock"), copy.join("lock")).unwrap();
        assert!(DataFolder::was_copied(&copy) && !DataFolder::was_copied(&original));
        // A command that holds it is no server.
        drop(DataFolder::hold(&copy).unwrap());
        assert!(DataFolder::was_copied(&copy));
        assert!(DataFolder::hold(&copy).unwrap().settle().unwrap());
        assert!(!DataFolder::was_copied(&copy));
        // Moved within its disk it is the same.
        drop(server);
        fs::rename(&original, outer.path().join("c")).unwrap();
        assert!(!DataFolder::was_copied(&outer.path().join("c")));
    }

    #[test]
    fn what_is_another_accounts_is_refused_with_what_mends_it() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIP: only root may give a folder away");
            return;
        }
        let outer = tempfile::tempdir().unwrap();
        let (folder, database) = (outer.path().to_owned(), outer.path().join(DATABASE));
        drop(DataFolder::hold(&folder).unwrap());
        make_private(&database).unwrap();
        assert!(DataFolder::hold(&folder).is_ok());
        for path in [&database, &folder] {
            std::os::unix::fs::chown(path, Some(12_345), None).unwrap();
            let said = DataFolder::hold(&folder).unwrap_err().to_string();
            let wanted = format!("{} belongs to the user 12345", path.display());
            assert!(
                said.starts_with(&wanted) && said.ends_with(&format!("chown -R 0 {}", folder.display())),
                "{said}"
            );
        }
    }

    #[test]
    fn what_is_private_is_read_by_its_owner_alone() {
        let outer = tempfile::tempdir().unwrap();
        let folder = DataFolder::hold(outer.path()).unwrap();
        make_private(&folder.path().join("secret")).unwrap();
        assert_eq!(fs::metadata(outer.path().join("secret")).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_or_file_that_is_open_to_others_is_refused_with_what_mends_it() {
        let chmod = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let outer = tempfile::tempdir().unwrap();
        let said = || DataFolder::hold(outer.path()).map(drop).map_err(|error| error.to_string());
        chmod(outer.path(), 0o755);
        assert_eq!(said(), Ok(()), "an empty one is made private");
        assert_eq!(fs::metadata(outer.path()).unwrap().mode() & 0o777, 0o700);
        for mode in [0o701, 0o710, 0o755, 0o777] {
            chmod(outer.path(), mode);
            assert!(said().unwrap_err().ends_with(&format!("run: chmod 700 {}", outer.path().display())));
        }
        chmod(outer.path(), 0o700);
        let more = [
            "failover.db-wal",
            "failover.db.replaced",
            "egress.db-shm",
            "key.damaged",
            "key.new",
            "endpoint.mark",
        ];
        for name in PRIVATE.into_iter().chain(more) {
            let file = outer.path().join(name);
            fs::write(&file, "").unwrap();
            chmod(&file, 0o604);
            assert!(said().unwrap_err().ends_with(&format!("run: chmod 600 {}", file.display())));
            chmod(&file, 0o600);
            assert_eq!(said(), Ok(()));
        }
    }
}
