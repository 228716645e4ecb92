//! Whose a session is: of whoever made it while he was logged in.

use super::{Call, CallError, Endpoint, GroupKey, SessionId, unpoisoned};
use crate::{
    domain::UserName,
    store::{Store, StoreError},
};

impl Endpoint {
    /// Whether a session is `user`'s, or nobody's. One that is not there is nobody's.
    ///
    /// # Errors
    /// When it is somebody else's.
    pub fn check_owner(&self, key: &GroupKey, id: &SessionId, user: &UserName) -> Call<()> {
        let Ok(cell) = self.cell(key) else { return Ok(()) };
        match unpoisoned(&cell.owners).get(id) {
            Some(owner) if owner != user => Err(CallError::OfAnother),
            Some(_) | None => Ok(()),
        }
    }

    /// Makes a session that is nobody's `user`'s.
    ///
    /// # Errors
    /// When it is somebody else's, is not known, or the store refuses.
    pub async fn own_session(&self, key: &GroupKey, id: &SessionId, user: &UserName) -> Call<()> {
        let _registry = self.inner.registry.lock().await;
        self.check_owner(key, id, user)?;
        let cell = self.cell(key)?;
        if !cell.lock().has(id) {
            return Err(CallError::UnknownSession);
        }
        if unpoisoned(&cell.owners).contains_key(id) {
            return Ok(());
        }
        self.inner.store.own_session(key, id, user).await?;
        unpoisoned(&cell.owners).insert(id.clone(), user.clone());
        tracing::info!(group = %key, session = %id, %user, "a session belongs to who made it");
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
