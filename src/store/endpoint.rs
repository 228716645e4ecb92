//! What the failover endpoint must know after a crash: groups, sessions, overrides, seats.

use std::time::Duration;

use super::{
    Due, Store, StoreError, Write, audit::insert_audit, group_history::insert_changes, users::keep_owner,
};
use crate::domain::{
    Asked, AuditRow, BootId, Description, Epoch, Expiry, FailoverTimeout, GroupChange, GroupDraft, GroupId,
    GroupKey, GroupSpec, Holder, Incarnation, Margin, Name, OverrideRecord, Place, Preferences,
    RegisteredSession, SeatRecord, SessionId, SessionSpec, TextError, Uptime, UserName, Wall,
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

    /// Forgets a session, and an override of it, and keeps `told` in the audit trail.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn delete_session(
        &self,
        group: &GroupKey,
        session: &SessionId,
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

struct GroupRow {
    tenant: String,
    namespace: String,
    id: String,
    name: Option<String>,
    description: Option<String>,
    failover_timeout_us: i64,
    additional_data: Option<String>,
    margin: Option<i64>,
    dwell_us: Option<i64>,
    keep_silent_override: i64,
    #[expect(dead_code, reason = "for people in the sqlite3 shell")]
    created_us: i64,
}

impl TryFrom<GroupRow> for GroupSpec {
    type Error = StoreError;

    fn try_from(row: GroupRow) -> Result<Self, StoreError> {
        let GroupKey { place, id } = key(row.tenant, row.namespace, row.id)?;
        Ok(Self {
            place,
            draft: GroupDraft {
                id,
                name: row.name.map(|name| text("a group's name", Name::new(name))).transpose()?,
                description: row
                    .description
                    .map(|words| text("a group's description", Description::new(words)))
                    .transpose()?,
                timeout: timeout(row.failover_timeout_us)?,
            },
            additional_data: row.additional_data,
            preferences: Preferences {
                margin: row.margin.and_then(Margin::new),
                dwell: row.dwell_us.map(duration),
                keep_silent_override: row.keep_silent_override != 0,
            },
        })
    }
}

struct SessionRow {
    tenant: String,
    namespace: String,
    group_id: String,
    id: String,
    name: Option<String>,
    additional_data: Option<String>,
    registration: i64,
    #[expect(dead_code, reason = "for people in the sqlite3 shell")]
    created_us: i64,
}

impl SessionRow {
    fn read(self) -> Result<(GroupKey, RegisteredSession), StoreError> {
        let spec = SessionSpec {
            id: text("a session's id", SessionId::new(self.id))?,
            name: self.name.map(|name| text("a session's name", Name::new(name))).transpose()?,
            additional_data: self.additional_data,
        };
        let order = u64::try_from(self.registration).unwrap_or(0);
        Ok((key(self.tenant, self.namespace, self.group_id)?, RegisteredSession { spec, order }))
    }
}

struct OverrideRow {
    tenant: String,
    namespace: String,
    group_id: String,
    session_id: String,
    expires_us: Option<i64>,
    expires_uptime_us: Option<i64>,
    boot_id: Option<String>,
    asked_by: Option<String>,
    reason: Option<String>,
}

impl OverrideRow {
    fn read(self) -> Result<(GroupKey, OverrideRecord), StoreError> {
        let expires = self.expires_us.zip(self.expires_uptime_us).zip(self.boot_id);
        let expires = expires.map(|((wall, uptime), boot)| Expiry {
            uptime: Uptime::new(duration(uptime)),
            wall: Wall::from_micros(wall),
            boot: BootId::new(&boot),
        });
        let session = text("an override's session", SessionId::new(self.session_id))?;
        let by = self.asked_by.map(|by| text("who asked for an override", Name::new(by))).transpose()?;
        let reason =
            self.reason.map(|why| text("an override's reason", Description::new(why))).transpose()?;
        let record = OverrideRecord { session, expires, asked: Asked { by, reason } };
        Ok((key(self.tenant, self.namespace, self.group_id)?, record))
    }
}

struct SeatRow {
    tenant: String,
    namespace: String,
    group_id: String,
    session_id: Option<String>,
    incarnation: Option<String>,
    epoch: Option<i64>,
    failover_timeout_us: i64,
    reason: String,
    changed_us: i64,
}

impl SeatRow {
    fn read(self) -> Result<(GroupKey, SeatRecord), StoreError> {
        let incarnation =
            self.incarnation.map(|run| text("a seat's incarnation", Incarnation::new(run))).transpose()?;
        let holder = self
            .session_id
            .map(|session| text("a seat's session", SessionId::new(session)))
            .transpose()?
            .map(|session| Holder { session, incarnation });
        let record = SeatRecord {
            holder,
            epoch: self.epoch.and_then(|epoch| u64::try_from(epoch).ok()).and_then(Epoch::new),
            timeout: timeout(self.failover_timeout_us)?,
            reason: self.reason,
            at: Wall::from_micros(self.changed_us),
        };
        Ok((key(self.tenant, self.namespace, self.group_id)?, record))
    }
}

pub(super) fn columns(place: &Place) -> (&str, &str) {
    match place {
        Place::OnPremises => ("", ""),
        Place::Cloud { tenant, namespace } => (tenant.as_str(), namespace.as_str()),
    }
}

pub(super) fn key(tenant: String, namespace: String, id: String) -> Result<GroupKey, StoreError> {
    let place = if tenant.is_empty() {
        Place::OnPremises
    } else {
        Place::Cloud {
            tenant: text("a tenant", Name::new(tenant))?,
            namespace: text("a namespace", Name::new(namespace))?,
        }
    };
    Ok(GroupKey { place, id: text("a group's id", GroupId::new(id))? })
}

pub(super) fn text<T>(what: &str, read: Result<T, TextError>) -> Result<T, StoreError> {
    read.map_err(|error| StoreError::Unreadable(format!("{what} {error}")))
}

fn timeout(micros: i64) -> Result<FailoverTimeout, StoreError> {
    FailoverTimeout::new(duration(micros))
        .map_err(|error| StoreError::Unreadable(format!("a group's timeout {error}")))
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
