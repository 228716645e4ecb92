//! The file: an SQLite database, as `sqlite3` opens it, with one line of ours after its end.
//!
//! The line says what the file is and has the SHA-256 of all before it: SQLite itself does not notice a changed
//! byte of a value.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use ring::digest::{Context, SHA256};

use crate::domain::{Epoch, Wall};

/// The first word of the line; another version would be written differently.
const WORD: &str = "client-failover-backup-1";

/// Bytes of the line, with the ends of lines around it: the word, three numbers (20 at the most), 64 of the hash, room.
const LINE: usize = 192;

/// How much is read at a time.
const CHUNK: usize = 256 * 1024;

/// Why a file is not a backup that can be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{} cannot be read", .path.display())]
    NotRead {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It has no line of ours.
    #[error("{} is not a backup of client-failover, or its end is missing; nothing was touched", .0.display())]
    Foreign(PathBuf),
    /// The hash is another.
    #[error("the backup {} is damaged: its SHA-256 is not the one it was made with; nothing was touched", .0.display())]
    Damaged(PathBuf),
    /// What is in it cannot be written.
    #[error("{} cannot be written", .path.display())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What the line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct About {
    /// When it was made.
    pub(super) made: Wall,
    /// The highest epoch of any group.
    pub(super) epoch: Option<Epoch>,
    /// The longest FailoverTimeout of any group there was.
    pub(super) longest: Duration,
}

impl About {
    fn words(&self) -> String {
        let epoch = self.epoch.map_or(0, Epoch::get);
        let longest = self.longest.as_micros().div_ceil(1_000);
        format!("\n{WORD} {} {epoch} {longest} ", self.made.micros())
    }

    /// What a line says, with its words and its hash.
    fn read(line: &str) -> Option<(Self, String)> {
        let mut words = line.strip_prefix('\n')?.split_whitespace();
        if words.next()? != WORD {
            return None;
        }
        let about = Self {
            made: Wall::from_micros(words.next()?.parse().ok()?),
            epoch: Epoch::new(words.next()?.parse().ok()?),
            longest: Duration::from_millis(words.next()?.parse().ok()?),
        };
        let hash = words.next()?.to_owned();
        words.next().is_none().then_some((about, hash))
    }
}

/// Makes an empty file for its owner alone, in place of one that an attempt before left.
pub(super) fn create(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

/// Adds the line to a database, and has all of it on disk; gives how large it is.
pub(super) fn finish(path: &Path, about: &About) -> io::Result<u64> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let size = file.metadata()?.len();
    let words = about.words();
    let hash = hash(&mut file, size, &words, |error| error, |_| Ok(()))?;
    let line = format!("{:<1$}\n", words + &hash, LINE - 1);
    file.write_all_at(line.as_bytes(), size)?;
    file.sync_all()?;
    Ok(size + LINE as u64)
}

/// What the backup says of itself, once all of it was read and its hash is right.
pub(super) fn verify(path: &Path) -> Result<About, FileError> {
    copy(path, |_| Ok(()))
}

/// Writes the database that is in the backup to `to`.
pub(super) fn extract(path: &Path, to: &Path) -> Result<(), FileError> {
    let not_written = |source| FileError::NotWritten { path: to.to_owned(), source };
    create(to).map_err(not_written)?;
    let mut file = OpenOptions::new().write(true).open(to).map_err(not_written)?;
    copy(path, |bytes| file.write_all(bytes).map_err(not_written))?;
    file.sync_all().map_err(not_written)
}

fn copy(path: &Path, to: impl FnMut(&[u8]) -> Result<(), FileError>) -> Result<About, FileError> {
    let not_read = |source| FileError::NotRead { path: path.to_owned(), source };
    let foreign = || FileError::Foreign(path.to_owned());
    let mut file = File::open(path).map_err(not_read)?;
    let whole = file.metadata().map_err(not_read)?.len();
    let size = whole.checked_sub(LINE as u64).ok_or_else(foreign)?;
    let mut line = [0; LINE];
    file.read_exact_at(&mut line, size).map_err(not_read)?;
    let line = str::from_utf8(&line).ok().and_then(About::read);
    let (about, right) = line.ok_or_else(foreign)?;
    let found = hash(&mut file, size, &about.words(), not_read, to)?;
    if found == right { Ok(about) } else { Err(FileError::Damaged(path.to_owned())) }
}

/// The SHA-256 of the first `size` bytes of `file` and of `words`; the bytes are given `to` somebody on the way.
fn hash<E>(
    file: &mut File,
    size: u64,
    words: &str,
    not_read: impl Fn(io::Error) -> E,
    mut to: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<String, E> {
    file.seek(SeekFrom::Start(0)).map_err(&not_read)?;
    let (mut context, mut chunk, mut from) = (Context::new(&SHA256), vec![0; CHUNK], file.take(size));
    loop {
        let read = from.read(&mut chunk).map_err(&not_read)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        context.update(bytes);
        to(bytes)?;
    }
    context.update(words.as_bytes());
    Ok(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Has the name of `file` on disk.
pub(super) fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About { made: Wall::from_micros(7), epoch: Epoch::new(9), longest: Duration::from_secs(60) }
    }

    #[test]
    fn what_was_written_is_read_and_one_changed_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, copied) = (folder.path().join("a"), folder.path().join("b"));
        create(&file).unwrap();
        let content = b"anything".repeat(10_000);
        std::fs::write(&file, &content).unwrap();
        assert_eq!(finish(&file, &about()).unwrap(), content.len() as u64 + LINE as u64);
        assert_eq!(verify(&file).unwrap(), about());
        extract(&file, &copied).unwrap();
        assert_eq!(std::fs::read(copied).unwrap(), content);
        let whole = std::fs::read(&file).unwrap();
        let words = whole.len() - LINE;
        for at in [0, 50_000, words - 1, words + WORD.len() + 2, words + WORD.len() + 6] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&file, damaged).unwrap();
            assert!(matches!(verify(&file), Err(FileError::Damaged(_))), "{at}");
        }
        for length in [0, 10, LINE, whole.len() - 1] {
            std::fs::write(&file, &whole[..length]).unwrap();
            assert!(matches!(verify(&file), Err(FileError::Foreign(_))), "{length}");
        }
    }
}
