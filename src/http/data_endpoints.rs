//! The facet of the egress gate: the destinations that a collector sends to through it.

use std::net::SocketAddr;

use super::{
    adapter::Adapter,
    caller::Asker,
    facet::{created, each, fresh_id, of_id, together},
    kit::{Failure, Json, JsonBody, Path, Routes},
    secrets::check_reference,
};
use crate::{
    clock,
    domain::{DataEndpoint, DataEndpointDraft, Fault, Faults, HttpUrl, SecretEntry},
    store::StoredDataEndpoint,
    wire::data_endpoint::{DESTINATIONS_LIMIT, DataEndpointBody, read_data_endpoint, read_data_endpoints},
};
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};

/// The routes of the facet.
#[must_use]
pub fn routes(adapter: Adapter) -> Routes {
    let facet = get(get_all).post(post).put(put).delete(delete);
    let by_id = get(get_one).put(put_one).patch(patch_one).delete(delete_one);
    Routes::new()
        .route("/api/v1/configuration/egress/dataendpoints", facet.with_state(adapter.clone()))
        .route("/api/v1/configuration/egress/dataendpoints/{id}", by_id.with_state(adapter))
}

async fn get_all(State(adapter): State<Adapter>) -> Result<Response, Failure> {
    let stored = adapter.store.data_endpoints().await?;
    let bodies: Vec<_> = stored.iter().map(|stored| DataEndpointBody::from(&stored.endpoint)).collect();
    Ok(Json(bodies).into_response())
}

async fn get_one(State(adapter): State<Adapter>, Path(id): Path<String>) -> Result<Response, Failure> {
    let stored = adapter.store.data_endpoints().await?;
    let found = &stored[index_of(&stored, &id)?];
    Ok(Json(DataEndpointBody::from(&found.endpoint)).into_response())
}

/// Adds one or more.
async fn post(State(adapter): State<Adapter>, by: Asker, body: JsonBody) -> Result<Response, Failure> {
    let (is_array, drafts) = read_data_endpoints(body.0)?;
    let mut added = Vec::new();
    adapter
        .change_destinations(by, |stored| {
            added = all(drafts, &[])?;
            if let Some(known) = added.iter().find(|new| index_of(stored, new.id().as_str()).is_ok()) {
                return Err(already_there(known.id().as_str()));
            }
            let all: Vec<_> =
                stored.iter().map(|stored| stored.endpoint.clone()).chain(added.clone()).collect();
            if all.len() > DESTINATIONS_LIMIT {
                return Err(too_many(all.len()));
            }
            Ok(all)
        })
        .await?;
    if let ([only], false) = (added.as_slice(), is_array) {
        return Ok(created("Egress/DataEndpoints", only.id(), DataEndpointBody::from(only)));
    }
    let bodies: Vec<_> = added.iter().map(DataEndpointBody::from).collect();
    Ok((StatusCode::CREATED, Json(bodies)).into_response())
}

/// Replaces all.
async fn put(State(adapter): State<Adapter>, by: Asker, body: JsonBody) -> Result<StatusCode, Failure> {
    let (_, drafts) = read_data_endpoints(body.0)?;
    adapter.change_destinations(by, |stored| all(drafts, stored)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(State(adapter): State<Adapter>, by: Asker) -> Result<StatusCode, Failure> {
    adapter.change_destinations(by, |_| Ok(Vec::new())).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn put_one(
    State(adapter): State<Adapter>,
    Path(id): Path<String>,
    by: Asker,
    body: JsonBody,
) -> Result<StatusCode, Failure> {
    let fresh = fresh_id()?;
    adapter.change_destination(&id, by, body, |draft, stored| draft.complete(Some(stored), fresh)).await
}

async fn patch_one(
    State(adapter): State<Adapter>,
    Path(id): Path<String>,
    by: Asker,
    body: JsonBody,
) -> Result<StatusCode, Failure> {
    adapter.change_destination(&id, by, body, |draft, stored| draft.patch(stored)).await
}

async fn delete_one(
    State(adapter): State<Adapter>,
    Path(id): Path<String>,
    by: Asker,
) -> Result<StatusCode, Failure> {
    adapter.change_destinations(by, |stored| Ok(with(stored, index_of(stored, &id)?, None))).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Adapter {
    /// Changes one destination to what `rule` makes of it and of the draft in `body`.
    async fn change_destination(
        &self,
        id: &str,
        by: Asker,
        body: JsonBody,
        rule: impl FnOnce(DataEndpointDraft, &DataEndpoint) -> Result<DataEndpoint, Faults>,
    ) -> Result<StatusCode, Failure> {
        let (draft, faults) = of_id(id, read_data_endpoint(body.0)?, |draft| &draft.id);
        self.change_destinations(by, |stored| {
            let index = index_of(stored, id)?;
            let changed = together(faults, rule(draft, &stored[index].endpoint))?;
            Ok(with(stored, index, Some(changed)))
        })
        .await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// Changes the destinations as `decide` says, and wakes the gate and the registration.
    async fn change_destinations(
        &self,
        Asker(by): Asker,
        decide: impl FnOnce(&[StoredDataEndpoint]) -> Result<Vec<DataEndpoint>, Failure>,
    ) -> Result<(), Failure> {
        let observed = self.standing.borrow().clone();
        let decide = |stored: &[StoredDataEndpoint], secrets: &[SecretEntry]| {
            let wanted = decide(stored)?;
            for endpoint in &wanted {
                let before = stored.iter().find(|before| before.endpoint.id() == endpoint.id());
                let before = before.map(|before| &before.endpoint);
                if !DataEndpoint::changes(before, Some(endpoint)).is_empty() {
                    check_reference(endpoint.access(), secrets)?;
                    check_address(endpoint.access().endpoint(), self.listen)?;
                }
            }
            Ok(wanted)
        };
        self.store.change_data_endpoints::<Failure>(&by, clock::now(), &observed, decide).await??;
        self.gate_wake.notify_one();
        self.wake.notify_one();
        Ok(())
    }
}

/// Where this server is no destination: what it is sent, it would send to itself.
fn check_address(endpoint: &HttpUrl, listen: SocketAddr) -> Result<(), Fault> {
    if !endpoint.leads_to(listen) {
        return Ok(());
    }
    let reason = format!("leads to {listen}, where this adapter itself listens");
    Err(Fault::new("Endpoint", reason, "Endpoint is the address of the destination, behind the gate."))
}

/// What a POST or PUT of the collection asks for, in the place of `stored`, with every fault of each element.
fn all(
    drafts: Vec<(DataEndpointDraft, Faults)>,
    stored: &[StoredDataEndpoint],
) -> Result<Vec<DataEndpoint>, Failure> {
    let complete = |draft: DataEndpointDraft| {
        let named = draft.id.clone().value();
        let before = stored.iter().find(|stored| named.as_deref() == Some(stored.endpoint.id().as_str()));
        Ok(draft.complete(before.map(|before| &before.endpoint), fresh_id()?))
    };
    let apart = "Give each data endpoint an Id of its own; Ids compare exactly.";
    each(drafts, complete, |one, other| one.id() == other.id(), apart)
}

/// What is stored, with the one at `index` replaced, or removed.
fn with(stored: &[StoredDataEndpoint], index: usize, by: Option<DataEndpoint>) -> Vec<DataEndpoint> {
    let mut all: Vec<_> = stored.iter().map(|stored| stored.endpoint.clone()).collect();
    all.splice(index..=index, by);
    all
}

fn index_of(stored: &[StoredDataEndpoint], id: &str) -> Result<usize, Failure> {
    stored.iter().position(|stored| stored.endpoint.id().as_str() == id).ok_or_else(|| unknown_id(id))
}

pub(super) fn unknown_id(id: &str) -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "The data endpoint does not exist.",
        format!("No data endpoint has the Id {id:?}; Ids compare exactly."),
        "GET the collection to see what is configured.",
    )
}

pub(super) fn already_there(id: &str) -> Failure {
    Failure::new(
        StatusCode::CONFLICT,
        "The data endpoint exists already.",
        format!("There is a data endpoint with the Id {id:?}; nothing was added."),
        "PUT or PATCH it under its own path, or give the new one another Id.",
    )
}

fn too_many(count: usize) -> Failure {
    Failure::new(
        StatusCode::BAD_REQUEST,
        "There would be too many data endpoints.",
        format!("There would be {count} of them."),
        format!("Keep up to {DESTINATIONS_LIMIT}."),
    )
}
