//! Whether the server lives, and whether it can do its work. Never behind a login.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use super::kit::{Json, Routes};
use crate::store::{KeyState, Store};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HealthBody {
    status: &'static str,
    reasons: Vec<String>,
}

/// The routes of both halves.
#[must_use]
pub fn routes(store: Store) -> Routes {
    Routes::new().route("/healthz", get(healthz)).route("/readyz", get(readyz).with_state(store))
}

async fn healthz() -> Response {
    Json(HealthBody { status: "Alive", reasons: Vec::new() }).into_response()
}

/// Ready is: the store is open, migrated and answers, and what is configured can be read, with its secrets.
async fn readyz(State(store): State<Store>) -> Response {
    let mut reasons = Vec::new();
    if let Err(error) = store.probe().await {
        reasons.push(format!("{error}"));
    }
    match (store.key_state(), store.configuration().await) {
        (KeyState::Unusable(why), _) => reasons.push(why.clone()),
        (KeyState::Usable, Ok(stored)) => reasons.extend(stored.and_then(|stored| stored.unreadable)),
        (KeyState::Usable, Err(error)) if reasons.is_empty() => reasons.push(error.to_string()),
        (KeyState::Usable, Err(_the_probe_said_so)) => {}
    }
    if reasons.is_empty() {
        Json(HealthBody { status: "Ready", reasons }).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(HealthBody { status: "NotReady", reasons })).into_response()
    }
}
