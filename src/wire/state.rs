//! What the adapter says about itself: FailoverState, Failover, FailoverHistory.

use serde::Serialize;

use crate::domain::{HandOver, Now, Standing, Transition, format_span};

/// `diagnostics/FailoverState`: exactly the four members of the documents.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FailoverStateBody {
    role: &'static str,
    last_data_processed_time: Option<String>,
    failover_status: String,
    adapter_state: &'static str,
}

impl FailoverStateBody {
    /// The state at `now`.
    #[must_use]
    pub fn new(standing: &Standing, now: Now) -> Self {
        Self {
            role: standing.role_at(now.uptime).as_str(),
            last_data_processed_time: standing.last_data.map(|at| at.to_string()),
            failover_status: standing.score.to_string(),
            adapter_state: standing.adapter_state.as_str(),
        }
    }
}

/// `diagnostics/Failover`: everything known, null where it is not.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FailoverBody {
    configuration_id: Option<String>,
    mode: Option<&'static str>,
    applied_mode: Option<&'static str>,
    failover_group_id: Option<String>,
    session_id: Option<String>,
    role: &'static str,
    role_since: Option<String>,
    reason: Option<&'static str>,
    explanation: String,
    epoch: Option<u64>,
    lease_remaining: Option<String>,
    acting_until: Option<f64>,
    group_timeout: Option<String>,
    last_heartbeat: Option<String>,
    round_trip: Option<String>,
    last_error: Option<String>,
    endpoint_version: Option<String>,
    endpoint_native: Option<bool>,
    endpoint_loss: &'static str,
    failover_score: u8,
    last_data_processed_time: Option<String>,
    adapter_state: &'static str,
    hand_over: Option<HandOverBody>,
    warnings: Vec<String>,
}

/// The last hand-over from or to this adapter, in this run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HandOverBody {
    epoch: u64,
    from: String,
    to: String,
    cause: &'static str,
    gap_milliseconds: f64,
    last_delivered: Option<String>,
    first_delivered: Option<String>,
    resent: Option<u64>,
    dropped: Option<u64>,
}

impl From<&HandOver> for HandOverBody {
    fn from(of: &HandOver) -> Self {
        Self {
            epoch: of.epoch.get(),
            from: of.from.to_string(),
            to: of.to.to_string(),
            cause: of.cause.as_str(),
            gap_milliseconds: milliseconds(of.gap_us),
            last_delivered: of.last_delivered.map(|at| at.wall.to_string()),
            first_delivered: of.deliveries.and_then(|gate| gate.first).map(|at| at.wall.to_string()),
            resent: of.deliveries.map(|gate| gate.resent),
            dropped: of.deliveries.map(|gate| gate.dropped),
        }
    }
}

impl FailoverBody {
    /// Everything known at `now`; `more` are warnings of others than the registration.
    #[must_use]
    pub fn new(standing: &Standing, now: Now, more: Vec<String>) -> Self {
        Self {
            configuration_id: standing.configuration.as_ref().map(ToString::to_string),
            mode: standing.mode.map(|mode| mode.as_str()),
            applied_mode: standing.applied_mode.map(|mode| mode.as_str()),
            failover_group_id: standing.group.as_ref().map(ToString::to_string),
            session_id: standing.session.as_ref().map(ToString::to_string),
            role: standing.role_at(now.uptime).as_str(),
            role_since: standing.role_since.map(|at| at.to_string()),
            reason: standing.reason.map(|reason| reason.as_str()),
            explanation: standing.explanation.clone(),
            epoch: standing.epoch.map(|epoch| epoch.get()),
            lease_remaining: standing.lease_remaining(now.uptime).map(format_span),
            acting_until: standing.acting_until().map(|until| until.since_boot().as_secs_f64()),
            group_timeout: standing.group_timeout.map(|timeout| timeout.to_string()),
            last_heartbeat: standing.last_heartbeat.map(|at| at.to_string()),
            round_trip: standing.round_trip.map(format_span),
            last_error: standing.last_error.clone(),
            endpoint_version: standing.endpoint_version.clone(),
            endpoint_native: standing.endpoint_native,
            endpoint_loss: standing.endpoint_loss.as_str(),
            failover_score: standing.score.get(),
            last_data_processed_time: standing.last_data.map(|at| at.to_string()),
            adapter_state: standing.adapter_state.as_str(),
            hand_over: standing.hand_over.as_deref().map(HandOverBody::from),
            warnings: standing.warnings.iter().cloned().chain(more).collect(),
        }
    }
}

/// A page of `diagnostics/FailoverHistory`, newest first.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct HistoryBody {
    items: Vec<TransitionBody>,
    next_cursor: Option<String>,
}

impl HistoryBody {
    /// A page of `items`, after which `next` goes on.
    #[must_use]
    pub fn new(items: &[Transition], next: Option<i64>) -> Self {
        Self {
            items: items.iter().map(TransitionBody::from).collect(),
            next_cursor: next.map(|next| next.to_string()),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TransitionBody {
    time: String,
    kind: &'static str,
    role: &'static str,
    mode: Option<&'static str>,
    reason: &'static str,
    explanation: String,
    adapter_state: &'static str,
    failover_group_id: Option<String>,
    session_id: Option<String>,
    epoch: Option<u64>,
    failover_score: Option<u8>,
    last_data_processed_time: Option<String>,
    round_trip: Option<String>,
    gap_milliseconds: Option<f64>,
}

impl From<&Transition> for TransitionBody {
    fn from(row: &Transition) -> Self {
        Self {
            time: row.at.to_string(),
            kind: row.kind.as_str(),
            role: row.role.as_str(),
            mode: row.mode.map(|mode| mode.as_str()),
            reason: row.reason.as_str(),
            explanation: row.explanation.clone(),
            adapter_state: row.adapter_state.as_str(),
            failover_group_id: row.group.as_ref().map(ToString::to_string),
            session_id: row.session.as_ref().map(ToString::to_string),
            epoch: row.epoch.map(|epoch| epoch.get()),
            failover_score: row.score.map(|score| score.get()),
            last_data_processed_time: row.last_data.map(|at| at.to_string()),
            round_trip: row.round_trip.map(format_span),
            gap_milliseconds: row.gap_us.map(milliseconds),
        }
    }
}

/// Milliseconds with three decimals; below zero where two acted.
pub(super) fn milliseconds(micros: i64) -> f64 {
    let magnitude = std::time::Duration::from_micros(micros.unsigned_abs()).as_secs_f64() * 1e3;
    if micros < 0 { -magnitude } else { magnitude }
}
