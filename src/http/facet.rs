//! What all facets of the configuration have in common: what a body and the rules say together, and how what was added
//! is answered.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use uuid::Uuid;

use super::kit::{Failure, Json, internal};
use crate::domain::{ConfigurationId, Fault, Faults, Field};

/// An Id for what was given none.
pub(super) fn fresh_id() -> Result<ConfigurationId, Failure> {
    ConfigurationId::new(Uuid::new_v4().to_string()).map_err(internal)
}

/// A draft that was read from a body, for the path of `id`: an Id in the body must be the same.
pub(super) fn of_id<D>(
    id: &str,
    (draft, mut faults): (D, Faults),
    given: impl Fn(&D) -> &Field<String>,
) -> (D, Faults) {
    if let Field::Value(given) = given(&draft)
        && given != id
    {
        let reason = format!("is {given:?} in the body but {id:?} in the path");
        let resolution = "Give the same Id in both places, or leave it out of the body.";
        faults.push(Fault::new("Id", reason, resolution));
    }
    (draft, faults)
}

/// What the rules say of a draft, with the faults that were found in its body.
pub(super) fn together<T>(mut faults: Faults, ruled: Result<T, Faults>) -> Result<T, Failure> {
    match ruled {
        Ok(value) => Ok(faults.or(value)?),
        Err(others) => {
            faults.merge(others);
            Err(faults.into())
        }
    }
}

/// What a body with any number of drafts asks for, by `rule`, with every fault of each element. Two that are the `same`
/// are one too many; `apart` says what would be right.
pub(super) fn each<D, T>(
    drafts: Vec<(D, Faults)>,
    mut rule: impl FnMut(D) -> Result<Result<T, Faults>, Failure>,
    same: impl Fn(&T, &T) -> bool,
    apart: &str,
) -> Result<Vec<T>, Failure> {
    let several = drafts.len() > 1;
    let (mut made, mut all_faults) = (Vec::<T>::new(), Faults::none());
    for (index, (draft, mut faults)) in drafts.into_iter().enumerate() {
        match rule(draft)? {
            Ok(one) if made.iter().any(|other| same(other, &one)) => {
                faults.push(Fault::new("Id", "is that of another element", apart));
            }
            Ok(one) => made.push(one),
            Err(others) => faults.merge(others),
        }
        faults.into_elements(several.then_some(index), &mut all_faults);
    }
    Ok(all_faults.or(made)?)
}

/// The answer to whoever added `body` to `facet`.
pub(super) fn created(facet: &str, id: &ConfigurationId, body: impl Serialize) -> Response {
    let id = utf8_percent_encode(id.as_str(), NON_ALPHANUMERIC);
    let location = format!("/api/v1/configuration/{facet}/{id}");
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(body)).into_response()
}
