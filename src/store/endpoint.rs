//! What the failover endpoint must know after a crash: groups, sessions, overrides, seats.

use super::{
    Due, Store, StoreError, Write,
    audit::insert_audit,
    endpoint_rows::{GroupRow, OverrideRow, SeatRow, SessionRow, columns, micros},
    group_history::insert_changes,
    users::keep_owner,
};
use crate::domain::{
    AuditRow, Description, GroupChange, GroupKey, GroupSpec, Incarnation, Name, OverrideRecord,
    RegisteredSession, SeatRecord, SessionId, UserName, Wall,
};

/// Everything that an endpoint takes up at its start.
#[derive(Debug, Default)]
pub struct HostedRecords {
    /// All groups.
    pub groups: Vec<GroupSpec>,
    /// All sessions, each with its group.
    pub sessions: Vec<(GroupKey, RegisteredSession)>,
    /// All overrides, each with its group.
    pub overrides: Vec<(GroupKey, OverrideRecord)>,
    /// All seats, also those of groups that were deleted.
    pub seats: Vec<(GroupKey, SeatRecord)>,
    /// How many seat records there were ever.
    pub seat_records: u64,
}

impl Store {
    /// Everything that the endpoint keeps.
    ///
    /// # Errors
    /// When the store cannot, or holds what this version does not write.
    pub async fn hosted(&self) -> Result<HostedRecords, StoreError> {
        // The writer's connection, so that all four are of one moment.
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        let groups =
            sqlx::query_as!(GroupRow, "select * from endpoint_group").fetch_all(&mut *transaction).await?;
        let sessions = sqlx::query_as!(SessionRow, "select * from endpoint_session")
            .fetch_all(&mut *transaction)
            .await?;
        let overrides = sqlx::query_as!(OverrideRow, "select * from endpoint_override")
            .fetch_all(&mut *transaction)
            .await?;
        let seats =
            sqlx::query_as!(SeatRow, "select * from endpoint_seat").fetch_all(&mut *transaction).await?;
        let seat_records = sqlx::query_scalar!("select seat_records from endpoint_counter")
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(HostedRecords {
            groups: groups.into_iter().map(GroupSpec::try_from).collect::<Result<_, _>>()?,
            sessions: sessions.into_iter().map(SessionRow::read).collect::<Result<_, _>>()?,
            overrides: overrides.into_iter().map(OverrideRow::read).collect::<Result<_, _>>()?,
            seats: seats.into_iter().map(SeatRow::read).collect::<Result<_, _>>()?,
            seat_records: u64::try_from(seat_records).unwrap_or(0),
        })
    }

    /// Keeps a new group, and `told` in the audit trail.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn insert_group(&self, group: &GroupSpec, told: &AuditRow, at: Wall) -> Result<(), StoreError> {
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        keep_group(&mut transaction, group, at).await?;
        insert_audit(&mut transaction, told).await?;
        transaction.commit().await
    }

    /// Forgets a group with its sessions, and keeps `told` in the audit trail; its seat stays.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn delete_group(&self, group: &GroupKey, told: &AuditRow) -> Result<(), StoreError> {
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        let ((tenant, namespace), id) = (columns(&group.place), group.id.as_str());
        sqlx::query!(
            "delete from endpoint_group where tenant = ? and namespace = ? and id = ?",
            tenant,
            namespace,
            id
        )
        .execute(&mut *transaction)
        .await?;
        insert_audit(&mut transaction, told).await?;
        transaction.commit().await
    }

    /// Keeps a new session of `group` and whose it is, and the group, should it be missing: a deletion that was said to
    /// have failed may have been kept.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn insert_session(
        &self,
        group: &GroupSpec,
        session: &RegisteredSession,
        owner: Option<&UserName>,
        at: Wall,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        keep_group(&mut transaction, group, at).await?;
        let ((tenant, namespace), group) = (columns(&group.place), group.draft.id.as_str());
        let id = session.spec.id.as_str();
        let name = session.spec.name.as_ref().map(Name::as_str);
        let registration = i64::try_from(session.order).unwrap_or(i64::MAX);
        let at = at.micros();
        sqlx::query!(
            "insert into endpoint_session (tenant, namespace, group_id, id, name, additional_data,
                registration, created_us) values (?, ?, ?, ?, ?, ?, ?, ?)
             on conflict (tenant, namespace, group_id, id) do update set name = excluded.name,
                additional_data = excluded.additional_data, registration = excluded.registration",
            tenant,
            namespace,
            group,
            id,
            name,
            session.spec.additional_data,
            registration,
            at
        )
        .execute(&mut *transaction)
        .await?;
        // Nor is it still his whose registration was said to have failed.
        keep_owner(&mut transaction, (tenant, namespace, group), id, owner).await?;
        transaction.commit().await
    }

    /// Forgets a session, and an override of it if `with_override` says so, and keeps `told` in the audit trail.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn delete_session(
        &self,
        group: &GroupKey,
        session: &SessionId,
        with_override: bool,
        told: Option<&AuditRow>,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        let ((tenant, namespace), group) = (columns(&group.place), group.id.as_str());
        let id = session.as_str();
        sqlx::query!(
            "delete from endpoint_session where tenant = ? and namespace = ? and group_id = ? and id = ?",
            tenant,
            namespace,
            group,
            id
        )
        .execute(&mut *transaction)
        .await?;
        if with_override {
            sqlx::query!(
                "delete from endpoint_override
                 where tenant = ? and namespace = ? and group_id = ? and session_id = ?",
                tenant,
                namespace,
                group,
                id
            )
            .execute(&mut *transaction)
            .await?;
        }
        if let Some(told) = told {
            insert_audit(&mut transaction, told).await?;
        }
        transaction.commit().await
    }

    /// Keeps an override in place of the one before, or none, and `told` in the audit trail.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn replace_override(
        &self,
        group: &GroupKey,
        record: Option<&OverrideRecord>,
        told: Option<&AuditRow>,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        let ((tenant, namespace), group) = (columns(&group.place), group.id.as_str());
        sqlx::query!(
            "delete from endpoint_override where tenant = ? and namespace = ? and group_id = ?",
            tenant,
            namespace,
            group
        )
        .execute(&mut *transaction)
        .await?;
        if let Some(record) = record {
            let session = record.session.as_str();
            let expires = record.expires.as_ref();
            let wall = expires.map(|expires| expires.wall.micros());
            let uptime = expires.map(|expires| micros(expires.uptime.since_boot()));
            let boot = expires.map(|expires| expires.boot.as_str());
            let asked_by = record.asked.by.as_ref().map(Name::as_str);
            let reason = record.asked.reason.as_ref().map(Description::as_str);
            sqlx::query!(
                "insert into endpoint_override (tenant, namespace, group_id, session_id, expires_us,
                    expires_uptime_us, boot_id, asked_by, reason) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                tenant,
                namespace,
                group,
                session,
                wall,
                uptime,
                boot,
                asked_by,
                reason
            )
            .execute(&mut *transaction)
            .await?;
        }
        if let Some(told) = told {
            insert_audit(&mut transaction, told).await?;
        }
        transaction.commit().await
    }

    /// Keeps who holds the seat of `group`, with what happened until then, in one transaction; gives how
    /// many such records there are now.
    ///
    /// # Errors
    /// When the store cannot. After an error it is not known whether the record was kept.
    pub async fn record_seat(
        &self,
        group: &GroupKey,
        seat: &SeatRecord,
        changes: Due<'_, GroupChange>,
    ) -> Result<u64, StoreError> {
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        insert_changes(&mut transaction, group, &changes).await?;
        let ((tenant, namespace), group) = (columns(&group.place), group.id.as_str());
        let session = seat.holder.as_ref().map(|holder| holder.session.as_str());
        let incarnation = seat.holder.as_ref().and_then(|holder| holder.incarnation.as_ref());
        let incarnation = incarnation.map(Incarnation::as_str);
        let epoch = seat.epoch.and_then(|epoch| i64::try_from(epoch.get()).ok());
        let (timeout, at) = (micros(seat.timeout.get()), seat.at.micros());
        sqlx::query!(
            "insert or replace into endpoint_seat (tenant, namespace, group_id, session_id, incarnation, epoch,
                failover_timeout_us, reason, changed_us) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            tenant,
            namespace,
            group,
            session,
            incarnation,
            epoch,
            timeout,
            seat.reason,
            at
        )
        .execute(&mut *transaction)
        .await?;
        // As `SeatRecord::number_after` says it.
        let records = sqlx::query_scalar!(
            "update endpoint_counter set seat_records = max(seat_records + 1, ?) returning seat_records",
            at
        )
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(u64::try_from(records).unwrap_or(0))
    }

    /// Who holds the seat of `group`, as it is on disk, and how many seat records there are.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn seat(&self, group: &GroupKey) -> Result<(Option<SeatRecord>, u64), StoreError> {
        let ((tenant, namespace), id) = (columns(&group.place), group.id.as_str());
        // A reader, so that it works while the disk is full or read-only.
        let row = sqlx::query_as!(
            SeatRow,
            "select * from endpoint_seat where tenant = ? and namespace = ? and group_id = ?",
            tenant,
            namespace,
            id
        )
        .fetch_optional(self.readers())
        .await?;
        let records = sqlx::query_scalar!("select seat_records from endpoint_counter")
            .fetch_one(self.readers())
            .await?;
        let record = row.map(SeatRow::read).transpose()?.map(|(_, record)| record);
        Ok((record, u64::try_from(records).unwrap_or(0)))
    }
}

/// Keeps a group as it is said to be. What an earlier commit left although it was said to have failed is
/// overwritten: an endpoint that was told of a failure does not know that it is there.
async fn keep_group(transaction: &mut Write<'_>, group: &GroupSpec, at: Wall) -> Result<(), StoreError> {
    let (tenant, namespace) = columns(&group.place);
    let id = group.draft.id.as_str();
    let name = group.draft.name.as_ref().map(Name::as_str);
    let description = group.draft.description.as_ref().map(Description::as_str);
    let timeout = micros(group.draft.timeout.get());
    let margin = group.preferences.margin.map(|margin| i64::from(margin.get()));
    let dwell = group.preferences.dwell.map(micros);
    let at = at.micros();
    sqlx::query!(
        "insert into endpoint_group (tenant, namespace, id, name, description, failover_timeout_us,
            additional_data, margin, dwell_us, keep_silent_override, created_us)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         on conflict (tenant, namespace, id) do update set name = excluded.name,
            description = excluded.description, failover_timeout_us = excluded.failover_timeout_us,
            additional_data = excluded.additional_data, margin = excluded.margin,
            dwell_us = excluded.dwell_us, keep_silent_override = excluded.keep_silent_override",
        tenant,
        namespace,
        id,
        name,
        description,
        timeout,
        group.additional_data,
        margin,
        dwell,
        group.preferences.keep_silent_override,
        at
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
