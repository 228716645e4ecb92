//! What happened in the groups that the endpoint half hosts.

use std::time::Duration;

use super::{
    Due, Page, Store, StoreError, Write,
    endpoint_rows::{columns, text},
    page,
};
use crate::domain::{
    Epoch, FailoverScore, GroupChange, GroupChangeKind, GroupKey, GroupReason, LastAct, Name, Receipt, Seen,
    SessionId, Wall,
};
use serde_json::{Value, json};

/// Which changes of a group are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeQuery {
    /// Of this kind only.
    pub kind: Option<GroupChangeKind>,
    /// Only changes written before the one with this number.
    pub before: Option<i64>,
    /// How many at the most.
    pub limit: u16,
}

struct ChangeRow {
    sequence: i64,
    at_us: i64,
    since_us: Option<i64>,
    kind: String,
    reason: String,
    explanation: String,
    session_id: Option<String>,
    epoch: Option<i64>,
    asked_by: Option<String>,
    members: String,
    from_session_id: Option<String>,
    last_act: Option<String>,
    first_act_us: Option<i64>,
    gap_us: Option<i64>,
    last_delivered_us: Option<i64>,
}

impl Store {
    /// Writes changes that need no seat, each of its group.
    ///
    /// # Errors
    /// When the store cannot. After an error it is not known whether they are there: they are doubted.
    pub async fn record_changes(
        &self,
        groups: &[(&GroupKey, Due<'_, GroupChange>)],
    ) -> Result<(), StoreError> {
        if groups.iter().all(|(_, due)| due.rows.is_empty()) {
            return Ok(());
        }
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        for (group, due) in groups {
            insert_changes(&mut transaction, group, due).await?;
        }
        transaction.commit().await
    }

    /// When the last change of any group happened; empty where none is known.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn last_group_change(&self) -> Result<Option<Wall>, StoreError> {
        let last = sqlx::query_scalar!("select at_us from endpoint_change order by sequence desc limit 1")
            .fetch_optional(self.readers())
            .await?;
        Ok(last.map(Wall::from_micros))
    }

    /// A page of what happened in `group`, newest first. Its cursor stays good while rows are added.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn group_history(
        &self,
        group: &GroupKey,
        query: &ChangeQuery,
    ) -> Result<Page<GroupChange>, StoreError> {
        let ((tenant, namespace), group) = (columns(&group.place), group.id.as_str());
        let before = query.before.unwrap_or(i64::MAX);
        let kind = query.kind.map(GroupChangeKind::as_str);
        let limit = page::reads(query.limit);
        let found = sqlx::query_as!(
            ChangeRow,
            "select sequence, at_us, since_us, kind, reason, explanation, session_id, epoch, asked_by, members,
                    from_session_id, last_act, first_act_us, gap_us, last_delivered_us
             from endpoint_change
             where tenant = ?1 and namespace = ?2 and group_id = ?3 and sequence < ?4
                   and (?5 is null or kind = ?5)
             order by sequence desc limit ?6",
            tenant,
            namespace,
            group,
            before,
            kind,
            limit
        )
        .fetch_all(self.readers())
        .await?;
        Page::cut(found, query.limit, |row| row.sequence).read(ChangeRow::read)
    }
}

/// Writes changes of one group that are not there yet.
pub(super) async fn insert_changes(
    transaction: &mut Write<'_>,
    group: &GroupKey,
    due: &Due<'_, GroupChange>,
) -> Result<(), StoreError> {
    for change in missing_changes(transaction, group, due).await? {
        insert_change(transaction, group, change).await?;
    }
    Ok(())
}

async fn missing_changes<'a>(
    transaction: &mut Write<'_>,
    group: &GroupKey,
    due: &Due<'a, GroupChange>,
) -> Result<&'a [GroupChange], StoreError> {
    if due.doubted == 0 {
        return Ok(due.rows);
    }
    let ((tenant, namespace), group) = (columns(&group.place), group.id.as_str());
    let looks_at = due.looks_at();
    let found = sqlx::query!(
        "select at_us, kind, reason, explanation from endpoint_change
         where tenant = ? and namespace = ? and group_id = ? order by sequence desc limit ?",
        tenant,
        namespace,
        group,
        looks_at
    )
    .fetch_all(&mut **transaction)
    .await?;
    Ok(due.missing(&found, |found, change| {
        found.at_us == change.at.micros()
            && found.kind == change.kind.as_str()
            && found.reason == change.reason.as_str()
            && found.explanation == change.explanation
    }))
}

async fn insert_change(
    transaction: &mut Write<'_>,
    group: &GroupKey,
    change: &GroupChange,
) -> Result<(), StoreError> {
    let ((tenant, namespace), group) = (columns(&group.place), group.id.as_str());
    let (at, since) = (change.at.micros(), change.since.map(Wall::micros));
    let (kind, reason) = (change.kind.as_str(), change.reason.as_str());
    let session = change.session.as_ref().map(SessionId::as_str);
    let epoch = change.epoch.and_then(|epoch| i64::try_from(epoch.get()).ok());
    let asked_by = change.asked_by.as_ref().map(Name::as_str);
    let members = members_text(&change.members);
    let receipt = change.receipt.as_ref();
    let from = receipt.map(|receipt| receipt.from.as_str());
    let last_act_at = receipt.map(|receipt| change.at.minus(receipt.last_act_ago).micros());
    let last_act = receipt.map(|receipt| receipt.last_act.as_str());
    let first_act_at = receipt.map(|receipt| change.at.minus(receipt.first_act_ago).micros());
    let gap = receipt.map(Receipt::gap_us);
    let delivered_at =
        receipt.and_then(|receipt| receipt.last_delivered_ago).map(|ago| change.at.minus(ago).micros());
    sqlx::query!(
        "insert into endpoint_change (tenant, namespace, group_id, at_us, since_us, kind, reason, explanation, session_id,
            epoch, asked_by, members, from_session_id, last_act_us, last_act, first_act_us, gap_us,
            last_delivered_us)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        tenant,
        namespace,
        group,
        at,
        since,
        kind,
        reason,
        change.explanation,
        session,
        epoch,
        asked_by,
        members,
        from,
        last_act_at,
        last_act,
        first_act_at,
        gap,
        delivered_at
    )
    .execute(&mut **transaction)
    .await?;
    transaction.telling.push(change.into());
    Ok(())
}

fn members_text(members: &[Seen]) -> String {
    let member = |seen: &Seen| {
        json!({
            "Session": seen.session.as_str(),
            "Score": seen.score.map(FailoverScore::get),
            "HeardAgoMs": seen.heard_ago.and_then(|ago| u64::try_from(ago.as_millis()).ok()),
            "Acting": seen.acting,
        })
    };
    members.iter().map(member).collect::<Value>().to_string()
}

fn read_members(text: &str) -> Option<Vec<Seen>> {
    let members: Vec<Value> = serde_json::from_str(text).ok()?;
    let member = |value: &Value| {
        Some(Seen {
            session: SessionId::new(value.get("Session")?.as_str()?).ok()?,
            score: value.get("Score").and_then(Value::as_i64).and_then(FailoverScore::new),
            heard_ago: value.get("HeardAgoMs").and_then(Value::as_u64).map(Duration::from_millis),
            acting: value.get("Acting").and_then(Value::as_bool),
        })
    };
    members.iter().map(member).collect()
}

impl ChangeRow {
    fn read(self) -> Result<GroupChange, StoreError> {
        let unreadable = |what: &str| StoreError::Unreadable(format!("change {}: {what}", self.sequence));
        let session =
            |id: Option<String>| id.map(|id| text("a change's session", SessionId::new(id))).transpose();
        let at = Wall::from_micros(self.at_us);
        let mut change = GroupChange {
            at,
            since: self.since_us.map(Wall::from_micros),
            kind: GroupChangeKind::parse(&self.kind).ok_or_else(|| unreadable("kind"))?,
            reason: GroupReason::parse(&self.reason).ok_or_else(|| unreadable("reason"))?,
            members: read_members(&self.members).ok_or_else(|| unreadable("members"))?,
            session: session(self.session_id)?,
            epoch: self.epoch.and_then(|epoch| u64::try_from(epoch).ok()).and_then(Epoch::new),
            asked_by: self.asked_by.map(|by| text("who asked for a change", Name::new(by))).transpose()?,
            receipt: None,
            explanation: self.explanation,
        };
        let known = self.last_act.as_deref().and_then(LastAct::parse);
        if let (Some(from), Some(to), Some(epoch), Some(last_act), Some(first), Some(gap)) = (
            session(self.from_session_id)?,
            change.session.clone(),
            change.epoch,
            known,
            self.first_act_us,
            self.gap_us,
        ) {
            // The gap was measured by the boot clock; wall times are for people.
            let first_act_ago = at.since(Wall::from_micros(first));
            let gap_us = Duration::from_micros(gap.unsigned_abs());
            let last_act_ago =
                if gap < 0 { first_act_ago.saturating_sub(gap_us) } else { first_act_ago + gap_us };
            change.receipt = Some(Receipt {
                epoch,
                from,
                to,
                cause: change.reason,
                last_act,
                last_act_ago,
                first_act_ago,
                last_delivered_ago: self.last_delivered_us.map(|us| at.since(Wall::from_micros(us))),
            });
        }
        Ok(change)
    }
}
