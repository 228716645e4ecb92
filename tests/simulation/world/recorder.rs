//! The writer of an adapter's history, and of what must outlive a crash: one batch at a time.

use super::{
    World,
    clock::MILLISECOND,
    event::{AtSite, Event, SiteId},
    site::{Disk, Item},
};

/// The wait before a store that refused is asked again.
const RETRY: u64 = 500 * MILLISECOND;

impl Disk {
    /// A commit is durable. The first `doubted` items were given to the disk before: of those rows, none is written that is
    /// there already.
    fn keep(&mut self, items: Vec<Item>, doubted: usize) {
        let is_there = |item: &Item| matches!(item, Item::Row(row) if self.rows.contains(row));
        let there = items[..doubted].iter().rposition(is_there).map_or(0, |last| last + 1);
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Item::Row(_) if index < there => {}
                Item::Row(row) => self.rows.push(row),
                Item::Known(known) => self.known = Some(known),
            }
        }
    }
}

impl World {
    /// Hands the history's queue to the disk, one batch at a time.
    pub(crate) fn write_history(&mut self, site: SiteId) {
        let slow = self.now < self.sites[site].disk_trouble_until;
        let latency = self.dice.between(0, if slow { 60 } else { 6 }) * MILLISECOND;
        let pid = self.sites[site].pid().unwrap_or(0);
        let Some(native) = self.sites[site].native() else { return };
        if !native.recorder.busy && !native.recorder.queue.is_empty() {
            native.recorder.busy = true;
            let batch = std::mem::take(&mut native.recorder.queue);
            native.recorder.writing.extend(batch);
            self.push(latency, Event::Site(site, pid, AtSite::Written));
        }
    }

    /// The disk has answered the history's writer. While the process cannot look, it looks later.
    pub(crate) fn history_written(&mut self, site: SiteId) {
        let place = &self.sites[site];
        let pid = place.pid().unwrap_or(0);
        if self.now < place.disk_trouble_until && self.dice.percent(place.disk_fails) {
            // A commit that is said to have failed may be durable.
            let keeps = self.disk_dice.percent(30);
            let Some(native) = self.sites[site].native() else { return };
            let (given, doubted) = (native.recorder.writing.clone(), native.recorder.doubted);
            native.recorder.doubted = given.len();
            if keeps {
                self.sites[site].disk.keep(given, doubted);
            }
            self.push(RETRY, Event::Site(site, pid, AtSite::Written));
            return;
        }
        let Some(native) = self.sites[site].native() else { return };
        let written = std::mem::take(&mut native.recorder.writing);
        let doubted = std::mem::take(&mut native.recorder.doubted);
        native.recorder.busy = false;
        let done = native.recorder.queue.is_empty();
        if done && native.awaits_record {
            (native.awaits_record, native.waited) = (false, true);
        }
        self.sites[site].disk.keep(written, doubted);
        self.write_history(site);
        self.work(site);
        self.leave_if_done(site);
    }

    pub(crate) fn waited_for_record(&mut self, site: SiteId, waits: u32) {
        let Some(native) = self.sites[site].native() else { return };
        if native.awaits_record && native.waits == waits {
            (native.awaits_record, native.waited) = (false, true);
            self.work(site);
        }
    }
}
