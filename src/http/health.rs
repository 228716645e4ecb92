//! Whether the server lives, and whether it can do its work. Never behind a login.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::kit::{Json, Routes};
use crate::store::{KeyState, Store};

/// How the process is.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Health")]
pub(super) struct HealthBody {
    /// How it is, in a word.
    #[schemars(extend("enum" = ["Alive", "Ready", "NotReady"]))]
    status: &'static str,
    /// Why it is not ready, each a sentence.
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
    let stored = store.configuration().await;
    if let Err(error) = &stored {
        reasons.push(error.to_string());
    }
    match store.key_state() {
        KeyState::Unusable(why) => reasons.push(why.clone()),
        KeyState::Usable => reasons.extend(stored.ok().flatten().and_then(|stored| stored.unreadable)),
    }
    if reasons.is_empty() {
        Json(HealthBody { status: "Ready", reasons }).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(HealthBody { status: "NotReady", reasons })).into_response()
    }
}
