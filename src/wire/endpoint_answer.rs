//! What a failover endpoint answers about its groups and sessions. Enums are written as numbers.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::schema;
use crate::domain::{GroupSpec, RoleOverride, SessionView, Wall};

/// The answer to GET of the base. `Native` tells our adapters that the extensions are known.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Version")]
pub struct VersionBody {
    /// The program's version.
    version: &'static str,
    /// 1: the extensions are known.
    native: u8,
}

impl VersionBody {
    /// What this version answers.
    #[must_use]
    pub const fn new() -> Self {
        Self { version: env!("CARGO_PKG_VERSION"), native: 1 }
    }
}

impl Default for VersionBody {
    fn default() -> Self {
        Self::new()
    }
}

/// A group.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Group")]
pub struct GroupBody {
    /// Its Id. Compares exactly.
    #[schemars(with = "schema::Id")]
    id: String,
    /// For people.
    #[schemars(with = "Option<schema::Label>")]
    name: Option<String>,
    /// For people.
    #[schemars(with = "Option<schema::Text>")]
    description: Option<String>,
    /// How long its Primary may be silent.
    #[schemars(with = "schema::Span")]
    failover_timeout: String,
    /// Kept as it was given.
    #[schemars(with = "Option<schema::Anything>")]
    additional_data: Option<Map<String, Value>>,
}

impl From<&GroupSpec> for GroupBody {
    fn from(group: &GroupSpec) -> Self {
        let draft = &group.draft;
        Self {
            id: draft.id.to_string(),
            name: draft.name.as_ref().map(ToString::to_string),
            description: draft.description.as_ref().map(ToString::to_string),
            failover_timeout: draft.timeout.to_string(),
            additional_data: additional_data(group.additional_data.as_deref()),
        }
    }
}

fn additional_data(kept: Option<&str>) -> Option<Map<String, Value>> {
    kept.and_then(|text| serde_json::from_str(text).ok())
}

/// A session.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Session")]
pub struct SessionBody {
    /// Its Id. Compares exactly.
    #[schemars(with = "schema::Id")]
    id: String,
    /// For people.
    #[schemars(with = "Option<schema::Label>")]
    name: Option<String>,
    /// The last heartbeat; null before the first.
    heartbeat: Option<HeardBody>,
    /// The role that the last heartbeat was answered with.
    #[schemars(with = "schema::RoleNumber")]
    role: u8,
    /// Whether there was a heartbeat.
    heartbeat_posted: bool,
    /// What an operator asks for.
    #[schemars(with = "schema::OverrideNumber")]
    role_override: u8,
    /// When that ends; null where it does not, or nothing is asked for.
    #[schemars(with = "Option<schema::Time>")]
    role_override_expiration_time: Option<String>,
    /// Kept as it was given.
    #[schemars(with = "Option<schema::Anything>")]
    additional_data: Option<Map<String, Value>>,
}

/// A session's last heartbeat.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Heard")]
struct HeardBody {
    /// How well the adapter can do its work.
    #[schemars(with = "schema::Score")]
    failover_score: u8,
    /// Up to when it has processed data.
    #[schemars(with = "Option<schema::Time>")]
    last_data_processed_time: Option<String>,
    /// When it arrived.
    #[schemars(with = "schema::Time")]
    heartbeat_time: String,
}

impl From<SessionView> for SessionBody {
    fn from(session: SessionView) -> Self {
        let heartbeat = session.heartbeat.map(|(score, last_data, at)| HeardBody {
            failover_score: score.get(),
            last_data_processed_time: last_data.map(|at| at.to_string()),
            heartbeat_time: at.to_string(),
        });
        Self {
            id: session.spec.id.to_string(),
            name: session.spec.name.map(|name| name.to_string()),
            heartbeat_posted: heartbeat.is_some(),
            heartbeat,
            role: session.role.number(),
            role_override: u8::from(session.forced),
            role_override_expiration_time: session.forced_until.map(|at| at.to_string()),
            additional_data: additional_data(session.spec.additional_data.as_deref()),
        }
    }
}

/// The answer to a role override.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "RoleOverride")]
pub struct OverrideBody {
    /// What is in force now.
    #[schemars(with = "schema::OverrideNumber")]
    value: u8,
    /// When it ends; null where it does not.
    #[schemars(with = "Option<schema::Time>")]
    role_override_expiration_time: Option<String>,
}

impl OverrideBody {
    /// What is in force now.
    #[must_use]
    pub fn new(asked: RoleOverride, until: Option<Wall>) -> Self {
        let value = match asked {
            RoleOverride::Off => 0,
            RoleOverride::Primary(_) => 1,
        };
        Self { value, role_override_expiration_time: until.map(|at| at.to_string()) }
    }
}
