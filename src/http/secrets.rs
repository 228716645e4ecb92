//! The secret store: what configurations refer to as `{{Id}}`. Values go in, and never come out.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    adapter::Adapter,
    caller::Asker,
    facet::{each, together},
    kit::{Failure, Json, JsonBody, Path, Routes},
};
use crate::{
    clock,
    domain::{Access, Closed, Fault, Faults, SecretDraft, SecretEntry, SecretId},
    store::SecretsChange,
    wire::secret::{SECRETS_LIMIT, SecretBody, read_secret, read_secrets},
};

/// The routes of the secret store.
#[must_use]
pub fn routes(adapter: Adapter) -> Routes {
    let all = get(get_all).put(put).delete(delete);
    let by_id = get(get_one).put(put_one).delete(delete_one);
    Routes::new()
        .route("/api/v1/management/secrets", all.with_state(adapter.clone()))
        .route("/api/v1/management/secrets/{id}", by_id.with_state(adapter))
}

async fn get_all(State(adapter): State<Adapter>) -> Result<Response, Failure> {
    Ok(Json(adapter.secrets().await?.into_iter().map(|(_, body)| body).collect::<Vec<_>>()).into_response())
}

async fn get_one(State(adapter): State<Adapter>, Path(id): Path<String>) -> Result<Response, Failure> {
    let found = adapter.secrets().await?.into_iter().find(|(entry, _)| is(entry, &id));
    found.map(|(_, body)| Json(body).into_response()).ok_or_else(|| unknown(&id))
}

/// Replaces all.
async fn put(State(adapter): State<Adapter>, by: Asker, body: JsonBody) -> Result<StatusCode, Failure> {
    let drafts = read_secrets(body.0)?;
    adapter
        .change_secrets(by, |stored| {
            let given = all(drafts, stored)?;
            let stays = |entry: &SecretEntry| given.given.iter().any(|one| one.id == entry.id);
            let removed = stored.iter().filter(|entry| !stays(entry)).map(|entry| entry.id.clone()).collect();
            Ok(SecretsChange { removed, ..given })
        })
        .await
}

async fn put_one(
    State(adapter): State<Adapter>,
    Path(id): Path<String>,
    by: Asker,
    body: JsonBody,
) -> Result<StatusCode, Failure> {
    let (draft, faults) = read_secret(body.0)?;
    let id = SecretId::new(id).map_err(|error| {
        let resolution = "An Id has 1 to 256 characters, none of them a curly brace or a control character.";
        Fault::new("The Id in the path", error.to_string(), resolution)
    })?;
    adapter
        .change_secrets(by, |stored| {
            let given = together(faults, draft.complete(stored, Some(&id)))?;
            if stored.len() >= SECRETS_LIMIT && !stored.iter().any(|entry| entry.id == id) {
                return Err(too_many());
            }
            Ok(SecretsChange { given: vec![given], removed: Vec::new() })
        })
        .await
}

async fn delete(State(adapter): State<Adapter>, by: Asker) -> Result<StatusCode, Failure> {
    let every = |stored: &[SecretEntry]| stored.iter().map(|entry| entry.id.clone()).collect();
    adapter.change_secrets(by, |stored| Ok(SecretsChange { given: Vec::new(), removed: every(stored) })).await
}

async fn delete_one(
    State(adapter): State<Adapter>,
    Path(id): Path<String>,
    by: Asker,
) -> Result<StatusCode, Failure> {
    adapter
        .change_secrets(by, |stored| {
            let entry = stored.iter().find(|entry| is(entry, &id)).ok_or_else(|| unknown(&id))?;
            Ok(SecretsChange { given: Vec::new(), removed: vec![entry.id.clone()] })
        })
        .await
}

impl Adapter {
    async fn secrets(&self) -> Result<Vec<(SecretEntry, SecretBody)>, Failure> {
        let (entries, references) = (self.store.secrets().await?, self.store.references().await?);
        let body = |entry: SecretEntry| {
            let users = references.iter().filter(|(id, _)| *id == entry.id).map(|(_, user)| user.clone());
            let body = SecretBody::new(&entry, users.collect());
            (entry, body)
        };
        Ok(entries.into_iter().map(body).collect())
    }

    /// Changes the secrets as `decide` says, and wakes whoever may use them.
    async fn change_secrets(
        &self,
        Asker(by): Asker,
        decide: impl FnOnce(&[SecretEntry]) -> Result<SecretsChange, Failure>,
    ) -> Result<StatusCode, Failure> {
        let observed = self.standing.borrow().clone();
        let change = self.store.change_secrets(&by, clock::now(), &observed, decide).await??;
        let references = self.store.references().await.unwrap_or_default();
        for (id, user) in references.iter().filter(|(id, _)| change.removed.contains(id)) {
            tracing::warn!(%id, user, "a secret was removed that is referred to");
        }
        self.wake.notify_one();
        self.gate_wake.notify_one();
        Ok(StatusCode::NO_CONTENT)
    }
}

/// Whether the secret that `access` refers to may be sent where it leads. One that is not there is only warned
/// about: it may be on its way.
///
/// # Errors
/// When it was given for others.
pub(super) fn check_reference(access: &Access, secrets: &[SecretEntry]) -> Result<(), Fault> {
    match access.closed_by(secrets) {
        Some(closed @ Closed::Elsewhere { .. }) => Err(closed.fault()),
        Some(closed @ Closed::Unknown { .. }) => {
            tracing::warn!("a configuration cannot be used yet: {closed}");
            Ok(())
        }
        None => Ok(()),
    }
}

/// What a PUT of all asks for, in the place of `stored`, with every fault of each element.
fn all(drafts: Vec<(SecretDraft, Faults)>, stored: &[SecretEntry]) -> Result<SecretsChange, Failure> {
    let complete = |draft: SecretDraft| Ok(draft.complete(stored, None));
    let apart = "Give each secret an Id of its own; upper and lower case make no difference.";
    let given = each(drafts, complete, |one, other| one.id == other.id, apart)?;
    Ok(SecretsChange { given, removed: Vec::new() })
}

fn is(entry: &SecretEntry, id: &str) -> bool {
    SecretId::new(id).is_ok_and(|id| id == entry.id)
}

pub(super) fn unknown(id: &str) -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "The secret does not exist.",
        format!("No secret has the Id {id:?}; upper and lower case make no difference."),
        "GET management/secrets to see which there are.",
    )
}

fn too_many() -> Failure {
    Failure::new(
        StatusCode::BAD_REQUEST,
        "There would be too many secrets.",
        format!("There are {SECRETS_LIMIT} of them."),
        "Remove those that nothing refers to.",
    )
}
