//! Whose a session is: of whoever made it while he was logged in.

use super::{Call, CallError, Cell, Endpoint, SessionId, unpoisoned};
use crate::{
    domain::UserName,
    store::{Store, StoreError},
};

impl Cell {
    /// Whether a session is `user`'s, or nobody's. One that is not there is nobody's, and who has no login may all.
    ///
    /// # Errors
    /// When it is somebody else's.
    pub(super) fn check_owner(&self, id: &SessionId, user: Option<&UserName>) -> Call<()> {
        match (unpoisoned(&self.owners).get(id), user) {
            (Some(owner), Some(user)) if owner != user => Err(CallError::OfAnother),
            _ => Ok(()),
        }
    }

    /// Whether `user` is known to be the one whose session this is; where nobody logs in, everybody is.
    pub(super) fn is_owner(&self, id: &SessionId, user: Option<&UserName>) -> bool {
        user.is_none_or(|user| unpoisoned(&self.owners).get(id) == Some(user))
    }

    /// A session that is kept as `user`'s is his from now on.
    pub(super) fn belongs_to(&self, id: &SessionId, user: &UserName) {
        unpoisoned(&self.owners).insert(id.clone(), user.clone());
        tracing::info!(group = %self.key, session = %id, %user, "a session belongs to who made it");
    }
}

impl Endpoint {
    /// Makes a session that was made without a login `user`'s, while the registry is held.
    pub(super) async fn adopt(&self, cell: &Cell, id: &SessionId, user: &UserName) -> Result<(), StoreError> {
        if unpoisoned(&cell.owners).contains_key(id) {
            return Ok(());
        }
        self.inner.store.own_session(&cell.key, id, user).await?;
        cell.belongs_to(id, user);
        Ok(())
    }

    /// Takes up whose sessions were.
    pub(super) async fn restore_owners(&self, store: &Store) -> Result<(), StoreError> {
        for (key, session, owner) in store.session_owners().await? {
            if let Ok(cell) = self.cell(&key) {
                unpoisoned(&cell.owners).insert(session, owner);
            }
        }
        Ok(())
    }
}
