//! The data folder: made for its owner alone, and held by one server at a time.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::StoreError;

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
}

/// A data folder that this process holds until it is dropped or the process ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if it is not there (mode 0700) and takes its lock.
    ///
    /// # Errors
    /// When it cannot be made or written, or another server uses it.
    pub fn hold(path: &Path) -> Result<Self, FolderError> {
        let path = path.to_owned();
        if !path.is_dir() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(|source| FolderError::NotMade { path: path.clone(), source })?;
        }
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path.join("lock"));
        let lock = lock.map_err(|source| FolderError::NotWritable { path: path.clone(), source })?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: fs::canonicalize(&path).unwrap_or(path), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path)),
            Err(TryLockError::Error(source)) => Err(FolderError::NotWritable { path, source }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
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
    fn what_is_private_is_read_by_its_owner_alone() {
        use std::os::unix::fs::MetadataExt;
        let outer = tempfile::tempdir().unwrap();
        let folder = DataFolder::hold(outer.path()).unwrap();
        make_private(&folder.path().join("secret")).unwrap();
        assert_eq!(fs::metadata(outer.path().join("secret")).unwrap().mode() & 0o777, 0o600);
    }
}
