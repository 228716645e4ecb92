//! Rows of groups, sessions, overrides and seats, and what they mean.

use std::time::Duration;

use super::StoreError;
use crate::domain::{
    Asked, BootId, Description, Epoch, Expiry, FailoverTimeout, GroupDraft, GroupId, GroupKey, GroupSpec,
    Holder, Incarnation, Margin, Name, OverrideRecord, Place, Preferences, RegisteredSession, SeatRecord,
    SessionId, SessionSpec, TextError, Uptime, Wall,
};

/// A group.
pub(super) struct GroupRow {
    pub(super) tenant: String,
    pub(super) namespace: String,
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) failover_timeout_us: i64,
    pub(super) additional_data: Option<String>,
    pub(super) margin: Option<i64>,
    pub(super) dwell_us: Option<i64>,
    pub(super) keep_silent_override: i64,
    #[expect(dead_code, reason = "for people in the sqlite3 shell")]
    pub(super) created_us: i64,
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

/// A session, with its group.
pub(super) struct SessionRow {
    pub(super) tenant: String,
    pub(super) namespace: String,
    pub(super) group_id: String,
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) additional_data: Option<String>,
    pub(super) registration: i64,
    #[expect(dead_code, reason = "for people in the sqlite3 shell")]
    pub(super) created_us: i64,
}

impl SessionRow {
    pub(super) fn read(self) -> Result<(GroupKey, RegisteredSession), StoreError> {
        let spec = SessionSpec {
            id: text("a session's id", SessionId::new(self.id))?,
            name: self.name.map(|name| text("a session's name", Name::new(name))).transpose()?,
            additional_data: self.additional_data,
        };
        let order = u64::try_from(self.registration).unwrap_or(0);
        Ok((key(self.tenant, self.namespace, self.group_id)?, RegisteredSession { spec, order }))
    }
}

/// An override, with its group.
pub(super) struct OverrideRow {
    pub(super) tenant: String,
    pub(super) namespace: String,
    pub(super) group_id: String,
    pub(super) session_id: String,
    pub(super) expires_us: Option<i64>,
    pub(super) expires_uptime_us: Option<i64>,
    pub(super) boot_id: Option<String>,
    pub(super) asked_by: Option<String>,
    pub(super) reason: Option<String>,
}

impl OverrideRow {
    pub(super) fn read(self) -> Result<(GroupKey, OverrideRecord), StoreError> {
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

/// A seat, with its group.
pub(super) struct SeatRow {
    pub(super) tenant: String,
    pub(super) namespace: String,
    pub(super) group_id: String,
    pub(super) session_id: Option<String>,
    pub(super) incarnation: Option<String>,
    pub(super) epoch: Option<i64>,
    pub(super) failover_timeout_us: i64,
    pub(super) reason: String,
    pub(super) changed_us: i64,
}

impl SeatRow {
    pub(super) fn read(self) -> Result<(GroupKey, SeatRecord), StoreError> {
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

/// Where a group is, in its two columns: empty on premises.
pub(super) fn columns(place: &Place) -> (&str, &str) {
    match place {
        Place::OnPremises => ("", ""),
        Place::Cloud { tenant, namespace } => (tenant.as_str(), namespace.as_str()),
    }
}

/// The same, and its Id, as they are read.
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

/// What was read; `what` names it where it cannot be.
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

/// A span as it is kept.
pub(super) fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
