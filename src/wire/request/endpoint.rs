//! What bodies of requests to a failover endpoint may say.

use schemars::JsonSchema;

use crate::{
    domain::{Epoch, Margin},
    wire::schema::{
        Counter, DwellSpan, Id, Label, OverrideRequest, RoleRequest, Run, ScoreRequest, Span, Text, Timeout,
    },
};

/// A failover group. Members that are not known are passed over.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", rename = "GroupRequest")]
pub struct GroupRequest {
    /// Its Id. Compares exactly.
    id: Id,
    /// For people.
    name: Option<Label>,
    /// For people.
    description: Option<Text>,
    /// How long its Primary may be silent.
    failover_timeout: Timeout,
    /// Kept as it is given. Some of its members say how the group chooses its Primary.
    additional_data: Option<AdditionalData>,
}

/// A JSON object of at most 16 KiB that is kept as it is given.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase")]
struct AdditionalData {
    /// By how many points a score must be better to cost a Primary its role.
    #[schemars(range(min = Margin::MIN, max = Margin::MAX), extend("default" = Margin::DEFAULT.get()))]
    margin: Option<i64>,
    /// For how long it must be better; if left out, half of the FailoverTimeout.
    dwell: Option<DwellSpan>,
    /// Whether a Primary that an override asks for keeps its role although it is silent. Nobody acts then.
    #[schemars(extend("default" = false))]
    keep_silent_override: Option<bool>,
}

/// A session: one adapter's membership in a group. Members that are not known are passed over.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", rename = "SessionRequest")]
pub struct SessionRequest {
    /// Its Id. Compares exactly.
    id: Id,
    /// For people.
    name: Option<Label>,
    /// Kept as it is given.
    additional_data: Option<AdditionalData>,
}

/// A role override. Members that are not known are passed over.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", rename = "RoleOverrideRequest")]
pub struct OverrideRequestBody {
    /// `Primary` (1) forces the role on this session, `Off` (0) ends that. Read in any case.
    value: OverrideRequest,
    /// For how long; above zero. If left out, until somebody ends it.
    expiration_period: Option<Span>,
    /// Who asks for it, where no login says it.
    requested_by: Option<Label>,
    /// Why.
    reason: Option<Text>,
}

/// What access control is to be: only what it is can be asked for.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", rename = "AccessControlRequest")]
#[schemars(extend("additionalProperties" = false))]
pub struct AccessControlRequest {
    /// As GET shows them, in any order.
    role_trustee_access_control_entries: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// A heartbeat. Members that are not known are passed over.
#[derive(JsonSchema)]
#[schemars(untagged, rename = "HeartbeatRequest")]
pub enum HeartbeatRequest {
    /// What stock adapters send.
    Stock(StockHeartbeat),
    /// What adapters of ours send.
    Native(NativeHeartbeat),
}

/// A heartbeat as stock adapters send it.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", extend("not" = { "required": ["Incarnation", "Sequence"] }))]
pub struct StockHeartbeat {
    /// How well the adapter can do its work, 0 to 100. Also read under its older name, `FailoverStatus`.
    failover_score: ScoreRequest,
    /// Up to when it has processed data. What is no time means that there is none.
    last_data_processed_time: Option<String>,
}

/// A heartbeat with the extensions that make hand-over safe.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase")]
pub struct NativeHeartbeat {
    /// How well the adapter can do its work, 0 to 100.
    failover_score: ScoreRequest,
    /// Up to when it has processed data. What is no time means that there is none.
    last_data_processed_time: Option<String>,
    /// Which run of the process asks.
    incarnation: Run,
    /// The run before it, which is dead because this one holds the data folder's lock.
    replaces: Option<Run>,
    /// Which boot of its machine the process runs in.
    boot_id: Option<String>,
    /// Counts the questions of this incarnation, from 1.
    #[schemars(range(min = 1, max = Epoch::MAX))]
    sequence: i64,
    /// The highest own `Sequence` whose answer has arrived; below `Sequence`.
    #[schemars(extend("default" = 0))]
    answered: Option<Counter>,
    /// The `Echo` of the last answer that has arrived; anything else is nothing.
    echo: Option<String>,
    /// The role that it applies as it sends this.
    applied_role: RoleRequest,
    /// For how long it has applied it, in this run.
    applied_for: Option<String>,
    /// How long ago its egress gate delivered last, as a time span; anything else is nothing.
    last_delivered_age: Option<String>,
    /// Whether this is a last word before its session is given up: it is not chosen, and takes over from nobody.
    #[schemars(extend("default" = false))]
    leaving: Option<bool>,
    /// The highest epoch that it has known in this group.
    #[schemars(range(min = 0, max = Epoch::PLAUSIBLE))]
    epoch: Option<i64>,
    /// What it does as Primary when it loses the endpoint: `step-down` or `keep-role`.
    endpoint_loss: Option<String>,
    /// Of a Primary with an egress gate: an array of `{Destination, CoveredFromAge, OldestUnsettledAge}`; anything else
    /// is nothing.
    egress: Option<serde_json::Value>,
}
