//! The secrets that configurations refer to, as JSON.

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Serialize;

use super::{
    members::{Content, Members, Reader, Unknown, texts},
    schema,
};
use crate::domain::{Fault, Faults, MASK, Origin, SecretDraft, SecretEntry};

/// How many secrets there can be: many more than an adapter has logins.
pub const SECRETS_LIMIT: usize = 256;

/// A secret as GET shows it: never its value.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Secret")]
pub struct SecretBody {
    /// Its Id. Compares without case.
    #[schemars(with = "schema::SecretName")]
    id: String,
    /// For people.
    #[schemars(with = "Option<schema::Text>")]
    description: Option<String>,
    /// For people: nothing ends by itself.
    expiration_date: Option<String>,
    /// A mask.
    value: &'static str,
    /// Whom it may be sent to; null until its first use decides.
    origins: Option<Vec<String>>,
    /// The members that refer to it.
    used_by: Vec<String>,
}

impl SecretBody {
    /// The secret, and the members that refer to it.
    #[must_use]
    pub fn new(entry: &SecretEntry, used_by: Vec<String>) -> Self {
        let origins = entry.audience.origins().iter().map(Origin::to_string).collect();
        Self {
            id: entry.id.to_string(),
            description: entry.description.as_ref().map(ToString::to_string),
            expiration_date: entry.expiration_date.clone(),
            value: MASK,
            origins: (!entry.audience.is_open()).then_some(origins),
            used_by,
        }
    }
}

/// Reads the body of a PUT of one secret: one object, or an array of exactly one.
///
/// # Errors
/// When the body is something else.
pub fn read_secret(content: Content) -> Result<(SecretDraft, Faults), Fault> {
    content.one_object().map(read_members)
}

/// Reads the body of a PUT of all secrets: one object, or an array of them.
///
/// # Errors
/// When the body, or an element of it, is something else, or there are too many.
pub fn read_secrets(content: Content) -> Result<Vec<(SecretDraft, Faults)>, Fault> {
    content.objects(SECRETS_LIMIT).map(|all| all.into_iter().map(read_members).collect())
}

fn read_members(members: Members) -> (SecretDraft, Faults) {
    let mut reader = Reader::new(members);
    let draft = SecretDraft {
        id: reader.text("Id"),
        description: reader.text("Description"),
        expiration_date: reader.text("ExpirationDate"),
        value: reader.text("Value").map(SecretString::from),
        origins: reader.typed("Origins", "an array of strings", texts),
    };
    // What GET shows can be PUT.
    reader.any("UsedBy");
    (draft, reader.finish(Unknown::Refuse))
}
