//! What was observed, and the questions that are asked about it.

use std::time::Duration;

use super::{Due, HistoryQuery, Page, Store, StoreError, Write, page};
use crate::domain::{
    AdapterState, Epoch, FailoverScore, GroupId, Known, Mode, Reason, Role, SessionId, Transition as Row,
    TransitionKind, Wall,
};

/// Rows that are pruned in one transaction: few enough that a configuration never waits long for it.
const PRUNE_BATCH: i64 = 500;

struct TransitionRow {
    sequence: i64,
    at_us: i64,
    kind: String,
    reason: String,
    explanation: String,
    role: String,
    mode: Option<String>,
    adapter_state: String,
    failover_group_id: Option<String>,
    session_id: Option<String>,
    epoch: Option<i64>,
    failover_score: Option<i64>,
    last_data_processed_us: Option<i64>,
    round_trip_us: Option<i64>,
    gap_us: Option<i64>,
}

impl Store {
    /// Writes rows of history, and what must outlive a crash, in one transaction.
    ///
    /// # Errors
    /// When the store cannot. After an error it is not known whether the rows are there: they are doubted.
    pub async fn record(&self, due: Due<'_, Row>, known: Option<&Known>) -> Result<(), StoreError> {
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        let done = keep_transitions(&mut transaction, &due, known).await;
        transaction.conclude(done).await
    }

    /// A page of the history, newest first. Its cursor stays good while rows are added.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn history(&self, query: &HistoryQuery<TransitionKind>) -> Result<Page<Row>, StoreError> {
        let (before, from, to) = query.bounds();
        let kind = query.kind.map(|kind| kind.as_str());
        let limit = page::reads(query.limit);
        let found = sqlx::query_as!(
            TransitionRow,
            "select sequence, at_us, kind, reason, explanation, role, mode, adapter_state, failover_group_id,
                    session_id, epoch, failover_score, last_data_processed_us, round_trip_us, gap_us
             from failover_transition
             where sequence < ?1 and at_us >= ?2 and at_us < ?3 and (?4 is null or kind = ?4)
             order by sequence desc limit ?5",
            before,
            from,
            to,
            kind,
            limit
        )
        .fetch_all(self.readers())
        .await?;
        Page::cut(found, query.limit, |row| row.sequence).read(Row::try_from)
    }

    /// Removes the oldest rows of both halves' history and of the audit trail if they were written before `cutoff`, one batch
    /// of each table; tells whether there may be more to remove.
    ///
    /// # Errors
    /// When the store cannot; then nothing was removed.
    pub async fn prune_history(&self, cutoff: Wall) -> Result<bool, StoreError> {
        let cutoff = cutoff.micros();
        let mut writer = self.writer().await;
        let mut transaction = writer.begin().await?;
        sqlx::query!("update history_retention set removable_before_us = ?", cutoff)
            .execute(&mut *transaction)
            .await?;
        let observed = sqlx::query!(
            "delete from failover_transition where at_us < ?1 and sequence in
                (select sequence from failover_transition order by sequence limit ?2)",
            cutoff,
            PRUNE_BATCH
        )
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        let changed = sqlx::query!(
            "delete from configuration_history where at_us < ?1 and sequence in
                (select sequence from configuration_history order by sequence limit ?2)",
            cutoff,
            PRUNE_BATCH
        )
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        let hosted = sqlx::query!(
            "delete from endpoint_change where at_us < ?1 and sequence in
                (select sequence from endpoint_change order by sequence limit ?2)",
            cutoff,
            PRUNE_BATCH
        )
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        let audited = sqlx::query!(
            "delete from audit where at_us < ?1 and sequence in
                (select sequence from audit order by sequence limit ?2)",
            cutoff,
            PRUNE_BATCH
        )
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        sqlx::query!("update history_retention set removable_before_us = 0")
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        drop(writer);
        let refused = self.prune_refusals(PRUNE_BATCH).await?;
        Ok(refused || observed.max(changed).max(hosted).max(audited) == PRUNE_BATCH.unsigned_abs())
    }
}

/// Writes the rows that are not there yet, and what must outlive a crash.
async fn keep_transitions(
    transaction: &mut Write<'_>,
    due: &Due<'_, Row>,
    known: Option<&Known>,
) -> Result<(), StoreError> {
    for row in missing_transitions(transaction, due).await? {
        insert_transition(transaction, row).await?;
    }
    if let Some(known) = known {
        let group = known.group.as_str();
        let epoch = known.epoch.and_then(|epoch| i64::try_from(epoch.get()).ok());
        sqlx::query!(
            "update session_identity set endpoint = ?, failover_group_id = ?, epoch = ?, was_primary = ?",
            known.endpoint,
            group,
            epoch,
            known.was_primary
        )
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// The rows that are not there yet.
async fn missing_transitions<'a>(
    transaction: &mut Write<'_>,
    due: &Due<'a, Row>,
) -> Result<&'a [Row], StoreError> {
    if due.doubted == 0 {
        return Ok(due.rows);
    }
    let looks_at = due.looks_at();
    let found = sqlx::query!(
        "select at_us, kind, reason, explanation from failover_transition order by sequence desc limit ?",
        looks_at
    )
    .fetch_all(&mut **transaction)
    .await?;
    Ok(due.missing(&found, |found, row| {
        found.at_us == row.at.micros()
            && found.kind == row.kind.as_str()
            && found.reason == row.reason.as_str()
            && row.explains(&found.explanation)
    }))
}

/// Writes one row of history.
pub(super) async fn insert_transition(transaction: &mut Write<'_>, row: &Row) -> Result<(), StoreError> {
    let at_us = row.at.micros();
    let (kind, reason, role) = (row.kind.as_str(), row.reason.as_str(), row.role.as_str());
    let (mode, state) = (row.mode.map(|mode| mode.as_str()), row.adapter_state.as_str());
    let (group, session) =
        (row.group.as_ref().map(GroupId::as_str), row.session.as_ref().map(SessionId::as_str));
    let epoch = row.epoch.and_then(|epoch| i64::try_from(epoch.get()).ok());
    let score = row.score.map(|score| i64::from(score.get()));
    let last_data = row.last_data.map(Wall::micros);
    let round_trip = row.round_trip.and_then(|time| i64::try_from(time.as_micros()).ok());
    sqlx::query!(
        "insert into failover_transition
            (at_us, kind, reason, explanation, role, mode, adapter_state, failover_group_id, session_id, epoch,
             failover_score, last_data_processed_us, round_trip_us, gap_us)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        at_us,
        kind,
        reason,
        row.explanation,
        role,
        mode,
        state,
        group,
        session,
        epoch,
        score,
        last_data,
        round_trip,
        row.gap_us
    )
    .execute(&mut **transaction)
    .await?;
    transaction.telling.push(row.into());
    Ok(())
}

impl TryFrom<TransitionRow> for Row {
    type Error = StoreError;

    fn try_from(row: TransitionRow) -> Result<Self, StoreError> {
        let unreadable = |what: &str| StoreError::Unreadable(format!("history row {}: {what}", row.sequence));
        let role = [Role::None, Role::Secondary, Role::Primary];
        let states =
            [AdapterState::Starting, AdapterState::Running, AdapterState::Stopped, AdapterState::Faulted];
        Ok(Self {
            at: Wall::from_micros(row.at_us),
            kind: TransitionKind::parse(&row.kind).ok_or_else(|| unreadable("kind"))?,
            reason: Reason::parse(&row.reason).ok_or_else(|| unreadable("reason"))?,
            role: role
                .into_iter()
                .find(|role| role.as_str() == row.role)
                .ok_or_else(|| unreadable("role"))?,
            mode: row.mode.as_deref().and_then(Mode::parse),
            adapter_state: states
                .into_iter()
                .find(|state| state.as_str() == row.adapter_state)
                .ok_or_else(|| unreadable("adapter_state"))?,
            group: row.failover_group_id.and_then(|group| GroupId::new(group).ok()),
            session: row.session_id.and_then(|session| SessionId::new(session).ok()),
            epoch: row.epoch.and_then(|epoch| u64::try_from(epoch).ok()).and_then(Epoch::new),
            score: row.failover_score.and_then(FailoverScore::new),
            last_data: row.last_data_processed_us.map(Wall::from_micros),
            round_trip: row
                .round_trip_us
                .and_then(|time| u64::try_from(time).ok())
                .map(Duration::from_micros),
            gap_us: row.gap_us,
            explanation: row.explanation,
        })
    }
}
