//! The access-control calls of a failover endpoint: they tell the roles of this server, and change nothing.

use axum::{extract::State, http::StatusCode, routing::get};

use super::{
    endpoint::{Base, OfGroup},
    kit::{Failure, Json, JsonBody, Routes},
};
use crate::{domain::Place, endpoint::Endpoint, wire::access_control::AccessControlBody};

/// The routes of one group's access control, under both bases, and of all groups' of a namespace.
#[must_use]
pub(super) fn routes(endpoint: Endpoint) -> Routes {
    let of_group = || get(read_of_group).put(write_of_group).with_state(endpoint.clone());
    Routes::new()
        .route("/api/v1/clientfailover/groups/{group}/accesscontrol", of_group())
        .route(
            "/api/v1/tenants/{tenant}/namespaces/{namespace}/clientfailover/groups/{group}/accesscontrol",
            of_group(),
        )
        .route(
            "/api/v1/tenants/{tenant}/namespaces/{namespace}/accesscontrol/clientfailover/groups",
            get(read_of_all).put(write_of_all),
        )
}

async fn read_of_group(
    State(endpoint): State<Endpoint>,
    OfGroup(key): OfGroup,
) -> Result<Json<AccessControlBody>, Failure> {
    endpoint.group(&key)?;
    Ok(Json(of_place(&key.place)))
}

async fn write_of_group(
    State(endpoint): State<Endpoint>,
    OfGroup(key): OfGroup,
    body: JsonBody,
) -> Result<StatusCode, Failure> {
    endpoint.group(&key)?;
    of_place(&key.place).check(body.object()?)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn read_of_all(Base(place): Base) -> Json<AccessControlBody> {
    Json(of_place(&place))
}

async fn write_of_all(Base(place): Base, body: JsonBody) -> Result<StatusCode, Failure> {
    of_place(&place).check(body.object()?)?;
    Ok(StatusCode::NO_CONTENT)
}

fn of_place(place: &Place) -> AccessControlBody {
    match place {
        Place::OnPremises => AccessControlBody::new(None),
        Place::Cloud { tenant, .. } => AccessControlBody::new(Some(tenant.as_str())),
    }
}
