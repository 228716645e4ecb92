//! The audit trail as JSON.

use serde::Serialize;
use serde_json::Value;

use crate::domain::AuditRow;

/// A page of the audit trail, newest first.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AuditBody {
    items: Vec<AuditRowBody>,
    next_cursor: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AuditRowBody {
    time: String,
    kind: &'static str,
    action: &'static str,
    subject: String,
    requested_by: String,
    requested_from: Option<String>,
    status: Option<u16>,
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
