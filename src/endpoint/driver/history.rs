//! Tells what happened in a group.

use std::sync::Arc;

use tokio::time::timeout;

use super::{Call, CallError, Endpoint, GroupChange, GroupKey, PAUSE};
use crate::store::{ChangeQuery, Page};

impl Endpoint {
    /// A page of what happened in a group, newest first; also of one that was deleted.
    ///
    /// What has just happened is in it, unless the store takes longer than 100 ms to keep it.
    ///
    /// # Errors
    /// When neither the group nor any history of it is known, or the store cannot be read.
    pub async fn history(&self, key: &GroupKey, query: &ChangeQuery) -> Call<Page<GroupChange>> {
        let cell = self.cell(key);
        if let Ok(cell) = &cell
            && cell.has_unwritten()
        {
            self.hurry(cell);
            let (endpoint, cell) = (self.clone(), Arc::clone(cell));
            let writing = self.inner.writers.spawn(async move { endpoint.write_changes(&cell).await });
            // A store that cannot write must not keep the past from being read.
            drop(timeout(PAUSE, writing).await);
        }
        let page = self.inner.store.group_history(key, query).await?;
        if page.rows.is_empty() && cell.is_err() {
            let any = ChangeQuery { kind: None, before: None, limit: 1 };
            if self.inner.store.group_history(key, &any).await?.rows.is_empty() {
                return Err(CallError::UnknownGroup);
            }
        }
        Ok(page)
    }
}
