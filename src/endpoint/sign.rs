//! The endpoint's sign of life: a small file that says when it last ran, so that the next start can say since when
//! nobody was here.
//!
//! It is left once a second, and not waited for: the kernel brings it to the disk when it does so anyway. A
//! process that is killed has left it; a power cut may take back the last half minute of signs, and the time in which
//! the endpoint was away is then told as that much longer. Nothing is decided by it.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::machine::SignOfLife;
use crate::domain::{BootId, Now, Uptime, Wall};

/// The file's name in the data folder.
const NAME: &str = "endpoint.alive";

/// Bytes of a sign: a boot id (36), two numbers (20 at the most), two words and room.
const SIZE: usize = 95;

/// The sign in `folder`; none when there is none, or none that can be read.
pub(super) fn read(folder: &Path) -> Option<SignOfLife> {
    let text = fs::read_to_string(folder.join(NAME)).ok()?;
    let mut words = text.split_ascii_whitespace();
    let boot = BootId::new(words.next()?);
    let uptime = Uptime::new(Duration::from_micros(words.next()?.parse().ok()?));
    let wall = Wall::from_micros(words.next()?.parse().ok()?);
    let stopped = words.next()? == "stopped";
    // The last word proves that the file is whole.
    (words.next() == Some("end")).then_some(SignOfLife { boot, at: Now { uptime, wall }, stopped })
}

/// The signs of one run of the endpoint.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// Whether the last one was left. Held while one is written: a write that nobody waits for any more may still be
    /// under way.
    ended: Mutex<bool>,
}

impl Signs {
    /// Leaves a sign in `folder`, unless the run has said that it stopped: none comes after that.
    pub(super) fn leave(&self, folder: &Path, sign: &SignOfLife) -> io::Result<()> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if *ended {
            return Ok(());
        }
        *ended = sign.stopped;
        leave(folder, sign)
    }
}

fn leave(folder: &Path, sign: &SignOfLife) -> io::Result<()> {
    let (uptime, wall) = (sign.at.uptime.since_boot().as_micros(), sign.at.wall.micros());
    let word = if sign.stopped { "stopped" } else { "alive" };
    let text = format!("{} {uptime} {wall} {word} end", sign.boot.as_str());
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(folder.join(NAME))?;
    file.write_all_at(format!("{text:<SIZE$}\n").as_bytes(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_read_as_it_was_left_and_a_torn_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()), None);
        let at = Now { uptime: Uptime::new(Duration::from_micros(7)), wall: Wall::from_micros(-8) };
        let sign = SignOfLife { boot: BootId::new("b-1"), at, stopped: false };
        for stopped in [false, true, false] {
            let sign = SignOfLife { stopped, ..sign.clone() };
            Signs::default().leave(folder.path(), &sign).unwrap();
            assert_eq!(read(folder.path()), Some(sign));
        }
        fs::write(folder.path().join(NAME), "b-1 7 -8 alive").unwrap();
        assert_eq!(read(folder.path()), None);
    }
    #[test]
    fn a_run_leaves_no_sign_after_its_last() {
        let folder = tempfile::tempdir().unwrap();
        let signs = Signs::default();
        let at = |secs| Now { uptime: Uptime::new(Duration::from_secs(secs)), wall: Wall::default() };
        let sign = |secs, stopped| SignOfLife { boot: BootId::new("b-1"), at: at(secs), stopped };
        for (secs, stopped) in [(1, false), (2, true), (3, false)] {
            signs.leave(folder.path(), &sign(secs, stopped)).unwrap();
        }
        assert_eq!(read(folder.path()), Some(sign(2, true)));
    }
}
