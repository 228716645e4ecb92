//! The audit trail as JSON.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::schema;
use crate::domain::AuditRow;

/// A page of the audit trail, newest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Audit")]
pub struct AuditBody {
    /// Newest first.
    items: Vec<AuditRowBody>,
    /// The `cursor` of the next page; null where there is none.
    next_cursor: Option<String>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Deed")]
struct AuditRowBody {
    /// When; of refusals that repeat, first.
    #[schemars(with = "schema::Time")]
    time: String,
    /// What it is about.
    #[schemars(with = "schema::AuditWord")]
    kind: &'static str,
    /// What was done, or what was wrong with what was refused.
    #[schemars(with = "schema::ActionWord")]
    action: &'static str,
    /// What it was done to.
    subject: String,
    /// Who did it, or asked for it.
    requested_by: String,
    /// From where.
    requested_from: Option<String>,
    /// The status of the answer to what was refused.
    status: Option<u16>,
    /// How often.
    #[schemars(with = "schema::Counter")]
    times: u32,
    /// Of a change of the configuration: `{"Member", "From", "To"}` each; secrets as masks.
    changes: Option<Value>,
}

impl AuditBody {
    /// A page of `rows`, after which `next` goes on.
    #[must_use]
    pub fn new(rows: Vec<AuditRow>, next: Option<i64>) -> Self {
        let items = rows.into_iter().map(|row| AuditRowBody {
            time: row.at.to_string(),
            kind: row.kind.as_str(),
            action: row.action.as_str(),
            subject: row.subject,
            requested_by: row.by,
            requested_from: row.from,
            status: row.status,
            times: row.times,
            changes: row.changes.and_then(|text| serde_json::from_str(&text).ok()),
        });
        Self { items: items.collect(), next_cursor: next.map(|next| next.to_string()) }
    }
}
