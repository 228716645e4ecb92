//! The audit trail, as it is kept.

use std::path::Path;

use sqlx::{Connection, SqliteConnection};

use super::{DATABASE, HistoryQuery, Page, Store, StoreError, options, page};
use crate::domain::{AuditAction, AuditKind, AuditRow, Wall};

/// The most refusals that are kept, the newest: what strangers cause must not fill a disk, however long they go on.
const MOST_REFUSALS: i64 = 100_000;

impl Store {
    /// Writes rows of the audit trail in one transaction.
    ///
    /// # Errors
    /// When the store cannot; then nothing was written.
    pub async fn record_audit(&self, rows: &[AuditRow]) -> Result<(), StoreError> {
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        for row in rows {
            insert_audit(&mut transaction, row).await?;
        }
        transaction.commit().await
    }

    /// A page of the audit trail, newest first. Its cursor stays good while rows are added.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit(&self, query: &HistoryQuery<AuditKind>) -> Result<Page<AuditRow>, StoreError> {
        let (before, from, to) = query.bounds();
        let kind = query.kind.map(AuditKind::as_str);
        let limit = page::reads(query.limit);
        let found = sqlx::query!(
            r#"select audit.sequence as "sequence!", audit.at_us as "at_us!", audit.kind as "kind!",
                    coalesce(audit.action, change.action) as "action?: String",
                    coalesce(audit.subject, change.facet || ' ' || change.configuration_id) as "subject?: String",
                    coalesce(audit.requested_by, change.requested_by) as "requested_by?: String",
                    coalesce(audit.requested_from, change.requested_from) as "requested_from?: String",
                    audit.status, audit.times as "times!", change.changes as "changes?: String"
             from audit left join configuration_history as change on change.sequence = audit.configuration_change
             where audit.sequence < ?1 and audit.at_us >= ?2 and audit.at_us < ?3 and (?4 is null or audit.kind = ?4)
             order by audit.sequence desc limit ?5"#,
            before,
            from,
            to,
            kind,
            limit
        )
        .fetch_all(self.readers())
        .await?;
        let read =
            |number: i64, kind: &str, action: Option<&str>| -> Result<(AuditKind, AuditAction), StoreError> {
                let unreadable = |what: &str| StoreError::Unreadable(format!("audit row {number}: {what}"));
                let kind = AuditKind::parse(kind).ok_or_else(|| unreadable("kind"))?;
                // What a change of the configuration did may have been pruned an instant ago.
                let action = action.map_or(Some(AuditAction::Updated), AuditAction::parse);
                Ok((kind, action.ok_or_else(|| unreadable("action"))?))
            };
        Page::cut(found, query.limit, |row| row.sequence).read(|row| {
            let (kind, action) = read(row.sequence, &row.kind, row.action.as_deref())?;
            Ok(AuditRow {
                at: Wall::from_micros(row.at_us),
                kind,
                action,
                subject: row.subject.unwrap_or_default(),
                by: row.requested_by.unwrap_or_default(),
                from: row.requested_from,
                status: row.status.and_then(|status| u16::try_from(status).ok()),
                times: u32::try_from(row.times).unwrap_or(u32::MAX),
                changes: row.changes,
            })
        })
    }

    /// Removes the oldest refusals beyond the most that are kept, one batch of `at_most`; tells whether it was full.
    ///
    /// # Errors
    /// When the store cannot; then nothing was removed.
    pub async fn prune_refusals(&self, at_most: i64) -> Result<bool, StoreError> {
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        let newest_over = sqlx::query_scalar!(
            r#"select sequence as "sequence!" from audit where kind = 'Refusal' order by sequence desc limit 1 offset ?"#,
            MOST_REFUSALS
        );
        let Some(newest_over) = newest_over.fetch_optional(&mut *transaction).await? else {
            return Ok(false);
        };
        // Old is what was written first: the clock may have been set back since.
        sqlx::query!("update history_retention set removable_before_us = ?", i64::MAX)
            .execute(&mut *transaction)
            .await?;
        let removed = sqlx::query!(
            "delete from audit where sequence in
                (select sequence from audit where kind = 'Refusal' and sequence <= ? order by sequence limit ?)",
            newest_over,
            at_most
        )
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        sqlx::query!("update history_retention set removable_before_us = 0")
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(removed == at_most.unsigned_abs())
    }
}

/// Writes one row into the database in `folder`, whether a server uses it now or not.
///
/// # Errors
/// When it cannot be written, or is of a version that does not know of such rows.
pub async fn tell_audit(folder: &Path, row: &AuditRow) -> Result<(), StoreError> {
    let database = options(&folder.join(DATABASE)).create_if_missing(false);
    let mut connection = SqliteConnection::connect_with(&database).await?;
    insert_audit(&mut connection, row).await?;
    Ok(connection.close().await?)
}

/// Writes one row. Those about the configuration are written by the database itself.
pub(super) async fn insert_audit(
    connection: &mut SqliteConnection,
    row: &AuditRow,
) -> Result<(), StoreError> {
    let at_us = row.at.micros();
    let (kind, action) = (row.kind.as_str(), row.action.as_str());
    sqlx::query!(
        "insert into audit (at_us, kind, action, subject, requested_by, requested_from, status, times)
         values (?, ?, ?, ?, ?, ?, ?, ?)",
        at_us,
        kind,
        action,
        row.subject,
        row.by,
        row.from,
        row.status,
        row.times
    )
    .execute(connection)
    .await?;
    Ok(())
}
