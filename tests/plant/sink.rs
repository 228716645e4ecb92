//! What the writers of a plant wrote. All of them and the sink share one machine, and so one boot clock.

use std::sync::{Arc, Mutex};

use client_failover::domain::Uptime;

/// One write of a collector that was permitted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// Which adapter's collector wrote.
    pub member: usize,
    /// Which run of that adapter's process gave the permission.
    pub run: u32,
    /// Rises whenever the writer was not permitted in between.
    pub tenure: u32,
    /// The epoch of the permission.
    pub epoch: u64,
    /// Rises with each write of this writer.
    pub sequence: u64,
    /// When the question was asked whose answer gave the permission.
    pub asked: Uptime,
    /// When that permission ends by itself.
    pub deadline: Uptime,
    /// Whether that question was answered just now. If not, the adapter is silent (frozen, dead, or slow)
    /// and the writer goes on until the deadline.
    pub answered: bool,
    /// When it was written.
    pub at: Uptime,
}

impl Write {
    /// The latest moment at which the permission is certain: an answer was true at some moment between
    /// question and write; without an answer nobody but the clock ends it.
    pub fn certain(&self) -> Uptime {
        if self.answered { self.asked } else { self.at }
    }
}

/// Where the writers write to.
#[derive(Debug, Clone, Default)]
pub struct Sink(Arc<Mutex<Vec<Write>>>);

impl Sink {
    /// Takes a write.
    pub fn push(&self, write: Write) {
        self.0.lock().unwrap().push(write);
    }

    /// How many writes there are.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Everything that was written from the `from`th on, in the order in which it came.
    pub fn from(&self, from: usize) -> Vec<Write> {
        self.0.lock().unwrap().get(from..).unwrap_or_default().to_vec()
    }

    /// The first write that came after the first `from` ones and fulfils `condition`.
    pub fn find(&self, from: usize, condition: impl Fn(&Write) -> bool) -> Option<Write> {
        let writes = self.0.lock().unwrap();
        writes.get(from..).unwrap_or_default().iter().copied().find(condition)
    }

    /// The newest write.
    pub fn last(&self) -> Option<Write> {
        self.0.lock().unwrap().last().copied()
    }

    /// The newest write of a member.
    pub fn newest_of(&self, member: usize) -> Option<Write> {
        let writes = self.0.lock().unwrap();
        writes.iter().rev().copied().find(|write| write.member == member)
    }
}
