//! How much room the store takes, and how much its disk has left.

use std::fs;

use super::{DATABASE, Store, buffer::BUFFER};

/// What is looked at: a database, and what is written ahead of it.
const SUFFIXES: [&str; 2] = ["", "-wal"];

/// How much room there is, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Space {
    /// What each file of a database takes; without those that are not there.
    pub files: Vec<(String, u64)>,
    /// What the disk has left for this process; empty where it does not say.
    pub free: Option<u64>,
}

impl Store {
    /// Looks how much room there is. It waits for the disk: call it where waiting harms nobody.
    #[must_use]
    pub fn space(&self) -> Space {
        let names =
            [DATABASE, BUFFER].into_iter().flat_map(|name| SUFFIXES.map(|suffix| format!("{name}{suffix}")));
        let size =
            |name: String| fs::metadata(self.folder().join(&name)).ok().map(|found| (name, found.len()));
        let disk = rustix::fs::statvfs(self.folder()).ok();
        Space {
            files: names.filter_map(size).collect(),
            free: disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        }
    }
}
