//! All groups at a glance, for whoever watches them.

use std::sync::Arc;

use super::Endpoint;
use crate::{
    clock,
    domain::{GroupHealth, GroupOverview, Place, Uptime},
};

/// How many groups are looked at before others get their turn: some tenths of a millisecond.
const AT_A_TIME: usize = 256;

/// The last look at all groups; many who watch share it.
#[derive(Debug, Default)]
pub(super) struct Overviews(tokio::sync::Mutex<Look>);

#[derive(Debug, Default)]
struct Look {
    begun: Option<Uptime>,
    /// In the order of their keys.
    groups: Arc<Vec<(Place, GroupOverview)>>,
}

impl Endpoint {
    /// The groups of `place` at a glance, in the order of their Ids, as they were at `since` or later.
    pub async fn overview(&self, place: &Place, since: Uptime) -> Vec<GroupOverview> {
        let groups = self.overview_everywhere(since).await;
        groups.iter().filter(|(of, _)| of == place).map(|(_, group)| group.clone()).collect()
    }

    /// The groups of all places at a glance, in the order of their keys, as they were at `since` or later.
    pub async fn overview_everywhere(&self, since: Uptime) -> Arc<Vec<(Place, GroupOverview)>> {
        let mut last = self.inner.overviews.0.lock().await;
        if last.begun.is_none_or(|begun| begun < since) {
            let (begun, mut groups) = (clock::now().uptime, Vec::new());
            for cells in self.cells().chunks(AT_A_TIME) {
                let now = self.now();
                groups.extend(cells.iter().map(|cell| (cell.key.place.clone(), cell.lock().overview(now))));
                tokio::task::yield_now().await;
            }
            *last = Look { begun: Some(begun), groups: Arc::new(groups) };
        }
        Arc::clone(&last.groups)
    }

    /// How many groups there are, and how many of them have no Primary.
    #[must_use]
    pub fn tally(&self) -> (usize, usize) {
        let (cells, now) = (self.cells(), self.now());
        let alone = cells.iter().filter(|cell| cell.lock().overview(now).health == GroupHealth::NoPrimary);
        (cells.len(), alone.count())
    }

    /// Waits until the endpoint ends.
    pub async fn closed(&self) {
        self.inner.closing.cancelled().await;
    }
}
