//! Another key for everything that is sealed.
//!
//! Whatever ends the process in between, everything can be read with the key file as it then is: first the new key is
//! written into it, before the old one; then everything is sealed anew, in one transaction; then the old key leaves
//! the file. Each step is on disk before the next one. What was begun is ended when the store is opened next.

use std::path::Path;

use super::{
    DataFolder, Sealer, Store, StoreError, Write,
    access::Places,
    audit::insert_audit,
    key_file::{self, Key},
    secrets,
};
use crate::domain::{AuditAction, AuditKind, AuditRow, Deed, Wall};

impl Store {
    /// Seals everything in `folder` with a new key, for `by` as the audit trail names him; gives the number of sealed
    /// values.
    ///
    /// # Errors
    /// When what is sealed cannot be opened, or file or database cannot be written. Then everything is as it was, or a
    /// rotation is left under way: the next one, or the next start of a server, ends it.
    pub async fn rotate_key(folder: DataFolder, by: String, at: Wall) -> Result<u64, StoreError> {
        let mut store = Self::open(folder).await?;
        store.sealer().usable()?;
        let path = store.key_path().ok_or_else(|| StoreError::KeyUnusable("there is no key".to_owned()))?;
        let not_made = |source| StoreError::KeyNotMade { path: path.clone(), source };
        let new = Key::fresh().map_err(not_made)?;
        let sealer = store.sealer_mut()?;
        sealer.begin_with(new);
        // Before anything changes: whoever ends the rotation learns from it who began it.
        store.record_audit(&[told(AuditAction::Began, &path, at, by)]).await?;
        key_file::write(&path, store.sealer().keys()).map_err(not_made)?;
        let sealed = store.end_rotation(&path, at).await?;
        store.close().await;
        Ok(sealed)
    }

    /// Seals everything with the first key, and removes the others from the file.
    pub(super) async fn end_rotation(&mut self, path: &Path, at: Wall) -> Result<u64, StoreError> {
        let sealed = {
            let mut writer = self.writer().await;
            let mut transaction = writer.begin().await?;
            let sealed = seal_anew(self.sealer(), &mut transaction).await?;
            if let Some(by) = who_began(&mut transaction).await? {
                insert_audit(&mut transaction, &told(AuditAction::Rotated, path, at, by)).await?;
            }
            transaction.commit().await?;
            sealed
        };
        // What was sealed with the old key is overwritten in the database, and leaves its log.
        self.fold_log_in().await;
        let sealer = self.sealer_mut()?;
        key_file::write(path, sealer.keys().first())
            .map_err(|source| StoreError::KeyNotMade { path: path.to_owned(), source })?;
        sealer.keep_first();
        Ok(sealed)
    }
}

/// The row of the audit trail about the key in `path`.
fn told(action: AuditAction, path: &Path, at: Wall, by: String) -> AuditRow {
    let deed = Deed { kind: AuditKind::Key, action, subject: path.display().to_string() };
    AuditRow::of_deed(deed, at, by, None)
}

/// Who began the rotation that is under way, as the audit trail names him; nobody where the trail has its end already,
/// because the process was killed after that.
async fn who_began(transaction: &mut Write<'_>) -> Result<Option<String>, StoreError> {
    let last = sqlx::query!(
        r#"select action as "action!", requested_by as "by!" from audit
           where kind = 'Key' and action in ('Began', 'Rotated') order by sequence desc limit 1"#
    );
    Ok(match last.fetch_optional(&mut **transaction).await? {
        Some(last) if last.action == AuditAction::Rotated.as_str() => None,
        Some(last) => Some(last.by),
        // It may have been removed meanwhile, as old rows are.
        None => Some("unknown".to_owned()),
    })
}

/// Opens and seals again everything that is sealed.
async fn seal_anew(sealer: &Sealer, transaction: &mut Write<'_>) -> Result<u64, StoreError> {
    let mut sealed = 0;
    let mut anew = |place: &str, value: Option<Vec<u8>>| {
        value
            .map(|value| {
                sealed += 1;
                sealer.seal(place, &sealer.open_sealed(place, &value)?)
            })
            .transpose()
    };
    let row = sqlx::query!("select password, client_secret from client_failover_configuration");
    if let Some(row) = row.fetch_optional(&mut **transaction).await? {
        let places = Places::client_failover();
        let password = anew(&places.password, row.password)?;
        let client_secret = anew(&places.client_secret, row.client_secret)?;
        sqlx::query!(
            "update client_failover_configuration set password = ?, client_secret = ?",
            password,
            client_secret
        )
        .execute(&mut **transaction)
        .await?;
    }
    let rows = sqlx::query!("select id, password, client_secret from egress_data_endpoint");
    for row in rows.fetch_all(&mut **transaction).await? {
        let places = Places::data_endpoint(&row.id);
        let password = anew(&places.password, row.password)?;
        let client_secret = anew(&places.client_secret, row.client_secret)?;
        sqlx::query!(
            "update egress_data_endpoint set password = ?, client_secret = ? where id = ?",
            password,
            client_secret,
            row.id
        )
        .execute(&mut **transaction)
        .await?;
    }
    for row in sqlx::query!("select folded, value from secret").fetch_all(&mut **transaction).await? {
        let value = anew(&secrets::place(&row.folded), Some(row.value))?;
        sqlx::query!("update secret set value = ? where folded = ?", value, row.folded)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(sealed)
}
