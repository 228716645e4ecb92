//! The high-water mark: a small file beside the database that tells whether the database was set back.
//!
//! It is written beside each commit of a seat and before anybody is answered on it. A database that
//! was restored from a backup has another number than the mark; so has a mark that was restored.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::domain::{BootId, Epoch};

/// The file's name in the data folder.
const NAME: &str = "endpoint.mark";

/// Bytes of a mark: a boot id (36), three numbers (20 at the most), two words and room. It fits into one sector.
const SIZE: usize = 127;

/// What the mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// In which boot it was written.
    pub boot: BootId,
    /// How many seat records the database had then.
    pub seat_records: u64,
    /// The highest epoch of any group.
    pub epoch: Option<Epoch>,
    /// The longest FailoverTimeout of any group there was: no lease of a group that this endpoint has
    /// forgotten lasts longer.
    pub longest: Duration,
    /// Whether no group waited any more for a Primary that acts already. A mark that was written
    /// while one did proves nothing to the next start.
    pub settled: bool,
}

impl Mark {
    /// Whether it proves to an endpoint that begins in `boot`, with a database of `seat_records`
    /// records, that the database is the last word.
    #[must_use]
    pub fn proves(&self, boot: &BootId, seat_records: u64) -> bool {
        self.boot == *boot && self.settled && self.seat_records == seat_records
    }

    /// The mark in `folder`; none when there is none, or none that can be read.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join(NAME)).ok()?;
        let mut words = text.split_ascii_whitespace();
        let mark = Self {
            boot: BootId::new(words.next()?),
            seat_records: words.next()?.parse().ok()?,
            epoch: Epoch::new(words.next()?.parse().ok()?),
            longest: Duration::from_millis(words.next()?.parse().ok()?),
            settled: words.next()? == "settled",
        };
        // The last word proves that the file is whole.
        (words.next() == Some("end")).then_some(mark)
    }

    /// Puts the mark on disk: in place, with one wait for the disk. A power cut meanwhile may tear it, and
    /// a torn mark is none: the next start waits.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let text = format!("{:<SIZE$}\n", self.text());
        let path = folder.join(NAME);
        match File::options().write(true).open(&path) {
            Ok(file) if file.metadata()?.len() == text.len() as u64 => {
                file.write_all_at(text.as_bytes(), 0)?;
                file.sync_data()
            }
            Ok(_) => create(folder, &path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(folder, &path, &text),
            Err(error) => Err(error),
        }
    }

    fn text(&self) -> String {
        let settled = if self.settled { "settled" } else { "waiting" };
        let epoch = self.epoch.map_or(0, Epoch::get);
        // A part of a millisecond counts as a whole one.
        let longest = self.longest.as_micros().div_ceil(1_000);
        format!("{} {} {epoch} {longest} {settled} end", self.boot.as_str(), self.seat_records)
    }
}

/// The first mark of a folder, whole or not at all.
fn create(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    let new: PathBuf = folder.join(format!("{NAME}.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_a_torn_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Mark::read(folder.path()), None);
        let mark = Mark {
            boot: BootId::new("b-1"),
            seat_records: 7,
            epoch: Epoch::new(9),
            longest: Duration::from_secs(60),
            settled: true,
        };
        mark.write(folder.path()).unwrap();
        assert_eq!(Mark::read(folder.path()), Some(mark.clone()));
        let none = Mark { epoch: None, settled: false, ..mark.clone() };
        none.write(folder.path()).unwrap();
        assert_eq!(Mark::read(folder.path()), Some(none));
        fs::write(folder.path().join(NAME), "b-1 7 9 60000 settled").unwrap();
        assert_eq!(Mark::read(folder.path()), None);
        mark.write(folder.path()).unwrap();
        assert_eq!(Mark::read(folder.path()), Some(mark), "a torn one is written anew");
    }
}
