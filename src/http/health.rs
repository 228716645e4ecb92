//! Whether the server lives, and whether it can do its work. Never behind a login.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Mutex;

use super::kit::{Json, Routes};
use crate::{
    clock,
    domain::Uptime,
    store::{KeyState, Store},
};

/// How old what is said of the store may be: anybody may ask, and must not keep it from those who work.
const FRESH_FOR: Duration = Duration::from_secs(1);

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
    Routes::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz).with_state(Readiness::of(store)))
}

async fn healthz() -> Response {
    Json(HealthBody { status: "Alive", reasons: Vec::new() }).into_response()
}

/// Why the store cannot be worked with, each a sentence, and when that was found.
type Found = (Uptime, Vec<String>);

/// Whether the store can be worked with, as it was found last. Clones share it.
#[derive(Clone)]
struct Readiness {
    store: Store,
    found: Arc<Mutex<Option<Found>>>,
}

impl Readiness {
    fn of(store: Store) -> Self {
        Self { store, found: Arc::default() }
    }

    /// Why it cannot, each a sentence. One looks, and all who ask meanwhile hear the same.
    async fn reasons(&self) -> Vec<String> {
        let mut found = self.found.lock().await;
        if let Some((at, reasons)) = found.as_ref()
            && clock::now().uptime < *at + FRESH_FOR
        {
            return reasons.clone();
        }
        let reasons = self.look().await;
        *found = Some((clock::now().uptime, reasons.clone()));
        reasons
    }

    /// Ready is: the store is open, migrated and answers, and what is configured can be read, with its secrets.
    async fn look(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let stored = self.store.configuration().await;
        if let Err(error) = &stored {
            reasons.push(error.to_string());
        }
        match self.store.key_state() {
            KeyState::Unusable(why) => reasons.push(why.clone()),
            KeyState::Usable => reasons.extend(stored.ok().flatten().and_then(|stored| stored.unreadable)),
        }
        reasons
    }
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let reasons = readiness.reasons().await;
    if reasons.is_empty() {
        Json(HealthBody { status: "Ready", reasons }).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(HealthBody { status: "NotReady", reasons })).into_response()
    }
}
