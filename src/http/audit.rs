//! The audit trail, for administrators.

use axum::{extract::State, routing::get};

use super::{
    kit::{Failure, Json, Query, Routes},
    paging::{Asked, Page},
};
use crate::{
    domain::AuditKind,
    store::{AuditQuery, Store},
    wire::audit::AuditBody,
};

/// The route of the audit trail.
#[must_use]
pub fn routes(store: Store) -> Routes {
    Routes::new().route("/api/v1/management/audit", get(audit).with_state(store))
}

async fn audit(State(store): State<Store>, query: Query) -> Result<Json<AuditBody>, Failure> {
    let mut asked = Asked::new(&query, &["from", "to", "kind", "limit", "cursor"]);
    let (from, to) = (asked.time("from"), asked.time("to"));
    let Page { kind, before, limit } = asked.page(AuditKind::ALL, AuditKind::as_str);
    let page = store.audit(&asked.finish(AuditQuery { from, to, kind, before, limit })?).await?;
    Ok(Json(AuditBody::new(page.rows, page.next)))
}
