//! The audit trail, for administrators.

use axum::{extract::State, routing::get};

use super::{
    kit::{Failure, Json, Query, Routes},
    paging::{Asked, OF_HISTORY},
};
use crate::{domain::AuditKind, store::Store, wire::audit::AuditBody};

/// The route of the audit trail.
#[must_use]
pub fn routes(store: Store) -> Routes {
    Routes::new().route("/api/v1/management/audit", get(audit).with_state(store))
}

async fn audit(State(store): State<Store>, query: Query) -> Result<Json<AuditBody>, Failure> {
    let mut asked = Asked::new(&query, &OF_HISTORY);
    let rows = asked.page(AuditKind::ALL, AuditKind::as_str);
    let page = store.audit(&asked.finish(rows)?).await?;
    Ok(Json(AuditBody::new(page.rows, page.next)))
}
