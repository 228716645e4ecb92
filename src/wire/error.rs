//! The bodies of refusals.

use schemars::JsonSchema;
use serde::Serialize;

/// What the adapter's interface says when it refuses.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Refusal")]
pub struct AdapterError {
    /// What was refused, or how many faults were found.
    pub error: String,
    /// Why, each fault with its member.
    pub reason: String,
    /// What would be right.
    pub resolution: String,
}

/// What a failover endpoint says when it refuses.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "EndpointRefusal")]
pub struct EndpointError {
    /// Names this refusal in the endpoint's log.
    pub operation_id: String,
    /// What was refused, or how many faults were found.
    pub error: String,
    /// Why, each fault with its member.
    pub reason: String,
    /// What would be right.
    pub resolution: String,
    /// More of what a program can use; empty where there is nothing more.
    pub additional_parameters: serde_json::Map<String, serde_json::Value>,
}
