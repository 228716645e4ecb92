//! The adapter's own interface: the ClientFailover facet and its diagnostics.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::sync::{Notify, watch};

use super::{
    caller::{Asker, Warnings},
    facet::{created, fresh_id, of_id, together},
    kit::{Failure, Json, JsonBody, Path, Query, Routes, internal},
    live,
    paging::{Asked, OF_HISTORY},
    secrets::check_reference,
};
use crate::{
    clock,
    crowd::Who,
    domain::{Draft, FailoverConfig, Faults, SecretEntry, Standing, TransitionKind},
    store::{Change, KeyState, Store, StoreError, StoredConfiguration},
    wire::{
        configuration::{ConfigurationBody, read_draft},
        state::{FailoverBody, FailoverStateBody, HistoryBody},
    },
};

/// What the handlers of the adapter half need.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// Where this server listens.
    pub listen: SocketAddr,
    /// The truth about configuration and history.
    pub store: Store,
    /// Where the adapter stands, as it is published.
    pub standing: watch::Receiver<Standing>,
    /// Tells the registration that the stored configuration changed.
    pub wake: Arc<Notify>,
    /// Tells the gate that its destinations changed.
    pub gate_wake: Arc<Notify>,
}

/// All routes of the adapter half.
#[must_use]
pub fn routes(adapter: Adapter) -> Routes {
    let facet = get(get_all).post(post).put(put).patch(patch).delete(delete);
    let by_id = get(get_one).put(put_one).patch(patch_one).delete(delete_one);
    let watched = (adapter.clone(), live::Places::new());
    Routes::new()
        .route("/api/v1/configuration/system/clientfailover", facet.with_state(adapter.clone()))
        .route("/api/v1/configuration/system/clientfailover/{id}", by_id.with_state(adapter.clone()))
        .route("/api/v1/diagnostics/failoverstate", get(failover_state).with_state(adapter.clone()))
        .route("/api/v1/diagnostics/failover", get(failover).with_state(adapter.clone()))
        .route("/api/v1/diagnostics/failover/events", get(watch_failover).with_state(watched))
        .route("/api/v1/diagnostics/failoverhistory", get(history).with_state(adapter))
}

async fn get_all(State(adapter): State<Adapter>) -> Result<Response, Failure> {
    let stored = adapter.store.configuration().await?;
    let bodies: Vec<_> = stored.iter().map(|stored| ConfigurationBody::from(&stored.config)).collect();
    Ok(Json(bodies).into_response())
}

async fn get_one(State(adapter): State<Adapter>, Path(id): Path<String>) -> Result<Response, Failure> {
    match adapter.store.configuration().await? {
        Some(stored) if stored.config.id().as_str() == id => {
            Ok(Json(ConfigurationBody::from(&stored.config)).into_response())
        }
        Some(_) | None => Err(unknown_id(&id)),
    }
}

async fn post(State(adapter): State<Adapter>, by: Asker, body: JsonBody) -> Result<Response, Failure> {
    let (draft, faults) = read_draft(body.0)?;
    let change = adapter
        .change(by, |stored| match stored {
            Some(stored) => Err(already_configured(stored.config.id().as_str())),
            None => whole(draft, faults, None).map(Change::Create),
        })
        .await?;
    let Change::Create(config) = change else { return Err(internal("a POST that did not create")) };
    Ok(created("System/ClientFailover", config.id(), ConfigurationBody::from(&config)))
}

async fn put(State(adapter): State<Adapter>, by: Asker, body: JsonBody) -> Result<StatusCode, Failure> {
    let (draft, faults) = read_draft(body.0)?;
    adapter
        .change(by, |stored| match stored {
            Some(stored) => whole(draft, faults, Some(&stored.config)).map(Change::Replace),
            None => whole(draft, faults, None).map(Change::Create),
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn put_one(
    State(adapter): State<Adapter>,
    Path(id): Path<String>,
    by: Asker,
    body: JsonBody,
) -> Result<StatusCode, Failure> {
    let (draft, faults) = of_id(&id, read_draft(body.0)?, |draft| &draft.id);
    adapter
        .change(by, |stored| {
            let config = with_id(stored, &id)?;
            whole(draft, faults, Some(config)).map(Change::Replace)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn patch(State(adapter): State<Adapter>, by: Asker, body: JsonBody) -> Result<StatusCode, Failure> {
    let (draft, faults) = read_draft(body.0)?;
    adapter
        .change(by, |stored| match stored {
            Some(stored) => patched(draft, faults, &stored.config).map(Change::Update),
            None => Err(nothing_configured()),
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn patch_one(
    State(adapter): State<Adapter>,
    Path(id): Path<String>,
    by: Asker,
    body: JsonBody,
) -> Result<StatusCode, Failure> {
    let (draft, faults) = of_id(&id, read_draft(body.0)?, |draft| &draft.id);
    adapter
        .change(by, |stored| {
            let config = with_id(stored, &id)?;
            patched(draft, faults, config).map(Change::Update)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(State(adapter): State<Adapter>, by: Asker) -> Result<StatusCode, Failure> {
    adapter.change(by, |stored| Ok(if stored.is_some() { Change::Delete } else { Change::Nothing })).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_one(
    State(adapter): State<Adapter>,
    Path(id): Path<String>,
    by: Asker,
) -> Result<StatusCode, Failure> {
    adapter.change(by, |stored| with_id(stored, &id).map(|_| Change::Delete)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn failover_state(State(adapter): State<Adapter>) -> Response {
    let body = FailoverStateBody::new(&adapter.standing.borrow(), clock::now());
    Json(body).into_response()
}

async fn failover(State(adapter): State<Adapter>, warnings: Warnings) -> Response {
    Json(adapter.failover_body(&warnings)).into_response()
}

async fn watch_failover(
    State((adapter, places)): State<(Adapter, live::Places)>,
    warnings: Warnings,
    who: Who,
) -> Result<Response, Failure> {
    live::of_failover(adapter, warnings, who, &places)
}

async fn history(State(adapter): State<Adapter>, query: Query) -> Result<Response, Failure> {
    let mut asked = Asked::new(&query, &OF_HISTORY);
    let rows = asked.page(TransitionKind::ALL, TransitionKind::as_str);
    let page = adapter.store.history(&asked.finish(rows)?).await?;
    Ok(Json(HistoryBody::new(&page.rows, page.next)).into_response())
}

impl Adapter {
    /// Everything that is known now.
    pub(super) fn failover_body(&self, of_server: &Warnings) -> FailoverBody {
        let mut warnings = of_server.now();
        if let KeyState::Unusable(why) = self.store.key_state() {
            warnings.push(format!("Secrets cannot be read or stored: {why}."));
        }
        FailoverBody::new(&self.standing.borrow(), clock::now(), warnings)
    }

    /// Changes the stored configuration as `decide` says, and wakes the registration.
    async fn change(
        &self,
        Asker(by): Asker,
        decide: impl FnOnce(Option<&StoredConfiguration>) -> Result<Change, Failure>,
    ) -> Result<Change, Failure> {
        let observed = self.standing.borrow().clone();
        let decide = |stored: Option<&StoredConfiguration>, secrets: &[SecretEntry]| {
            let change = decide(stored)?;
            if let Some(config) = change.outcome() {
                check_reference(config.access(), secrets)?;
            }
            Ok(change)
        };
        let change =
            self.store.change_configuration::<Failure>(&by, clock::now(), &observed, decide).await??;
        self.wake.notify_one();
        Ok(change)
    }
}

/// The configuration that a POST or PUT asks for, with every fault of the body and of the rules.
fn whole(draft: Draft, faults: Faults, stored: Option<&FailoverConfig>) -> Result<FailoverConfig, Failure> {
    together(faults, draft.complete(stored, fresh_id()?))
}

/// The same for a PATCH.
fn patched(draft: Draft, faults: Faults, stored: &FailoverConfig) -> Result<FailoverConfig, Failure> {
    together(faults, draft.patch(stored))
}

fn with_id<'a>(stored: Option<&'a StoredConfiguration>, id: &str) -> Result<&'a FailoverConfig, Failure> {
    stored
        .map(|stored| &stored.config)
        .filter(|config| config.id().as_str() == id)
        .ok_or_else(|| unknown_id(id))
}

pub(super) fn unknown_id(id: &str) -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "The client failover configuration does not exist.",
        format!("No configuration has the Id {id:?}; Ids compare exactly."),
        "GET the collection to see what is configured.",
    )
}

pub(super) fn nothing_configured() -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "Client failover is not configured.",
        "There is no configuration to change.",
        "PUT or POST a whole configuration first.",
    )
}

pub(super) fn already_configured(id: &str) -> Failure {
    Failure::new(
        StatusCode::CONFLICT,
        "Client failover is already configured.",
        format!("The configuration {id:?} exists, and there can be only one."),
        "DELETE the existing configuration first, or PUT to replace it.",
    )
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let reason = sentence(&error.to_string());
        let unavailable = |resolution: &str| {
            Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The store cannot do this now; nothing was changed.",
                reason,
                resolution,
            )
        };
        match error {
            StoreError::DiskFull(_) => unavailable("Free space on that disk, then send the request again."),
            StoreError::ReadOnly(_) => {
                unavailable("Make the data folder writable, then send the request again.")
            }
            StoreError::Busy(_) => unavailable("End the process that uses the database, or try again later."),
            StoreError::KeyUnusable(_) => unavailable(
                "Put the right key file back and start the server again; what it cannot read is neither deleted nor \
                 overwritten. Without that key, start with an empty data folder and configure the adapter again.",
            ),
            StoreError::Database(source) => internal(format!("the database refused: {source}")),
            StoreError::Migration(source) => internal(source),
            StoreError::KeyExposed(_)
            | StoreError::KeyNotMade { .. }
            | StoreError::NotMade(_)
            | StoreError::Unreadable(_)
            | StoreError::Newer(_)
            | StoreError::Damaged(_) => internal(error),
        }
    }
}

/// An error's text as a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), rest.as_str()))
}

impl From<Infallible> for Failure {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
