//! What the adapter says about itself: FailoverState, Failover, FailoverHistory.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    receipt::{LastHandOverBody, milliseconds},
    schema,
};
use crate::domain::{Now, Standing, Transition, format_span};

/// `diagnostics/FailoverState`: exactly the four members of the documents.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "FailoverState")]
pub struct FailoverStateBody {
    /// The role that is applied.
    #[schemars(with = "schema::RoleWord")]
    role: &'static str,
    /// Up to when data was processed.
    #[schemars(with = "Option<schema::Time>")]
    last_data_processed_time: Option<String>,
    /// The score as text: how well the adapter can do its work, 0 to 100.
    failover_status: String,
    /// Whether it works.
    #[schemars(with = "schema::StateWord")]
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
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Failover")]
pub struct FailoverBody {
    /// The stored configuration.
    #[schemars(with = "Option<schema::Id>")]
    configuration_id: Option<String>,
    /// The mode that is configured.
    #[schemars(with = "Option<schema::ModeWord>")]
    mode: Option<&'static str>,
    /// The mode that is applied: a change while Primary waits for the next demotion.
    #[schemars(with = "Option<schema::ModeWord>")]
    applied_mode: Option<&'static str>,
    /// The group.
    #[schemars(with = "Option<schema::Id>")]
    failover_group_id: Option<String>,
    /// Who this adapter is in it.
    #[schemars(with = "Option<schema::Id>")]
    session_id: Option<String>,
    /// The role that is applied.
    #[schemars(with = "schema::RoleWord")]
    role: &'static str,
    /// Since when.
    #[schemars(with = "Option<schema::Time>")]
    role_since: Option<String>,
    /// Why, in a word.
    #[schemars(with = "Option<schema::ReasonWord>")]
    reason: Option<&'static str>,
    /// Why, as a sentence.
    explanation: String,
    /// The group's epoch.
    #[schemars(with = "Option<schema::EpochNumber>")]
    epoch: Option<u64>,
    /// For how long a Primary may act without another answer.
    #[schemars(with = "Option<schema::Span>")]
    lease_remaining: Option<String>,
    /// When that ends, in seconds of the boot clock (CLOCK_BOOTTIME).
    acting_until: Option<f64>,
    /// The group's FailoverTimeout.
    #[schemars(with = "Option<schema::Span>")]
    group_timeout: Option<String>,
    /// When a heartbeat was answered last.
    #[schemars(with = "Option<schema::Time>")]
    last_heartbeat: Option<String>,
    /// How long its answer took.
    #[schemars(with = "Option<schema::Span>")]
    round_trip: Option<String>,
    /// What the last call that failed said.
    last_error: Option<String>,
    /// What the endpoint calls itself.
    endpoint_version: Option<String>,
    /// Whether it knows our extensions.
    endpoint_native: Option<bool>,
    /// What a Primary does that loses its endpoint.
    #[schemars(with = "schema::LossWord")]
    endpoint_loss: &'static str,
    /// How well the adapter can do its work.
    #[schemars(with = "schema::Score")]
    failover_score: u8,
    /// Up to when data was processed.
    #[schemars(with = "Option<schema::Time>")]
    last_data_processed_time: Option<String>,
    /// Whether it works.
    #[schemars(with = "schema::StateWord")]
    adapter_state: &'static str,
    /// The last hand-over from or to this adapter, in this run.
    hand_over: Option<LastHandOverBody>,
    /// What an operator should know, each a sentence.
    warnings: Vec<String>,
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
            hand_over: standing.hand_over.as_deref().map(LastHandOverBody::from),
            warnings: standing.warnings.iter().cloned().chain(more).collect(),
        }
    }
}

/// A page of `diagnostics/FailoverHistory`, newest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "FailoverHistory")]
pub struct HistoryBody {
    /// Newest first.
    items: Vec<TransitionBody>,
    /// The `cursor` of the next page; null where there is none.
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

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Transition")]
struct TransitionBody {
    /// When.
    #[schemars(with = "schema::Time")]
    time: String,
    /// What.
    #[schemars(with = "schema::TransitionWord")]
    kind: &'static str,
    /// The role from then on.
    #[schemars(with = "schema::RoleWord")]
    role: &'static str,
    /// The mode that was applied.
    #[schemars(with = "Option<schema::ModeWord>")]
    mode: Option<&'static str>,
    /// Why, in a word.
    #[schemars(with = "schema::ReasonWord")]
    reason: &'static str,
    /// Why, as a sentence.
    explanation: String,
    /// Whether the adapter worked.
    #[schemars(with = "schema::StateWord")]
    adapter_state: &'static str,
    /// The group.
    #[schemars(with = "Option<schema::Id>")]
    failover_group_id: Option<String>,
    /// Who this adapter was in it.
    #[schemars(with = "Option<schema::Id>")]
    session_id: Option<String>,
    /// The group's epoch.
    #[schemars(with = "Option<schema::EpochNumber>")]
    epoch: Option<u64>,
    /// The score.
    #[schemars(with = "Option<schema::Score>")]
    failover_score: Option<u8>,
    /// Up to when data was processed.
    #[schemars(with = "Option<schema::Time>")]
    last_data_processed_time: Option<String>,
    /// How long the endpoint's answer took.
    #[schemars(with = "Option<schema::Span>")]
    round_trip: Option<String>,
    /// Of a hand-over: how long nobody acted; below zero where both did.
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
