//! Who this adapter is towards every endpoint.

use super::{Store, StoreError};
use crate::domain::{Epoch, GroupId, Incarnation, Known, SessionId};

/// What is stored about this adapter's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIdentity {
    /// The session's Id: made at the first start, and kept.
    pub session: SessionId,
    /// The run of the process before this one, which is dead; empty in a copy of its folder, beside which it may live.
    pub replaces: Option<Incarnation>,
    /// Whether the data folder was copied, or moved to another disk, since that run.
    pub copied: bool,
    /// What was last known of the group.
    pub known: Option<Known>,
}

impl Store {
    /// The stored identity, with `fresh` as the session's Id if this is the first start. From then on
    /// `incarnation` is the run that the next one replaces.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn begin_incarnation(
        &self,
        fresh: &SessionId,
        incarnation: &Incarnation,
    ) -> Result<StoredIdentity, StoreError> {
        let copied = self.folder_was_copied()?;
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        let (fresh, incarnation) = (fresh.as_str(), incarnation.as_str());
        sqlx::query!("insert or ignore into session_identity (singleton, session_id) values (1, ?)", fresh)
            .execute(&mut *transaction)
            .await?;
        let row = sqlx::query!(
            "select session_id, incarnation, endpoint, failover_group_id, epoch, was_primary from session_identity"
        )
        .fetch_one(&mut *transaction)
        .await?;
        sqlx::query!("update session_identity set incarnation = ?", incarnation)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let known = row.endpoint.zip(row.failover_group_id.and_then(|group| GroupId::new(group).ok()));
        Ok(StoredIdentity {
            session: SessionId::new(row.session_id)
                .map_err(|error| StoreError::Unreadable(format!("the session id {error}")))?,
            replaces: row.incarnation.filter(|_| !copied).and_then(|run| Incarnation::new(run).ok()),
            copied,
            known: known.map(|(endpoint, group)| Known {
                endpoint,
                group,
                epoch: row.epoch.and_then(|epoch| u64::try_from(epoch).ok()).and_then(Epoch::new),
                was_primary: row.was_primary != 0,
            }),
        })
    }
}
