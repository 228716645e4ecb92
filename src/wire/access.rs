//! How a server is reached, as JSON: the members that every configuration of one shares.

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Serialize;

use super::{
    members::{Field, Reader},
    schema,
};
use crate::domain::{Access, AccessDraft, Credentials, Fault, is_nearly_reference};

/// The members as GET shows them: the documents' order, absent values as null, secrets masked.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Access")]
pub(super) struct AccessBody {
    /// The server's base address.
    #[schemars(with = "schema::Address")]
    endpoint: String,
    /// Who logs in with HTTP Basic.
    #[schemars(with = "Option<schema::Label>")]
    user_name: Option<String>,
    /// A mask where there is one, or `{{Id}}`: the secret that it refers to.
    #[schemars(with = "Option<schema::Sentence>")]
    password: Option<String>,
    /// Who gets a bearer token by the client-credentials grant.
    #[schemars(with = "Option<schema::Label>")]
    client_id: Option<String>,
    /// A mask where there is one, or `{{Id}}`: the secret that it refers to.
    #[schemars(with = "Option<schema::Sentence>")]
    client_secret: Option<String>,
    /// Where tokens come from; found by discovery where it is null.
    #[schemars(with = "Option<schema::Address>")]
    token_endpoint: Option<String>,
    /// Whether the certificate must be valid.
    validate_endpoint_certificate: bool,
}

impl From<&Access> for AccessBody {
    fn from(access: &Access) -> Self {
        let (mut user_name, mut password, mut client_id, mut client_secret) = (None, None, None, None);
        match access.credentials() {
            Some(Credentials::Basic { user, password: held }) => {
                (user_name, password) = (Some(user.to_string()), Some(held.shown()))
            }
            Some(Credentials::Client { id, secret: held }) => {
                (client_id, client_secret) = (Some(id.to_string()), Some(held.shown()))
            }
            None => {}
        }
        Self {
            endpoint: access.endpoint().to_string(),
            user_name,
            password,
            client_id,
            client_secret,
            token_endpoint: access.token_endpoint().map(ToString::to_string),
            validate_endpoint_certificate: access.validate_certificate(),
        }
    }
}

/// Reads a secret, or a reference to one. What was surely meant to be a reference is not taken for the secret itself.
fn secret(reader: &mut Reader, member: &'static str) -> Field<SecretString> {
    let text = reader.text(member);
    if let Field::Value(text) = &text
        && is_nearly_reference(text)
    {
        reader.fault(Fault::new(
            member,
            "has double braces at one end alone; a reference to a secret has them at both",
            format!("Give {member} as {{{{Id}}}}. If it is a secret that is like that, put it in the secret store, and its Id here."),
        ));
    }
    text.map(SecretString::from)
}

/// Reads the members from a body.
pub(super) fn read_access(reader: &mut Reader) -> AccessDraft {
    AccessDraft {
        endpoint: reader.text("Endpoint"),
        user_name: reader.text("UserName"),
        password: secret(reader, "Password"),
        client_id: reader.text("ClientId"),
        client_secret: secret(reader, "ClientSecret"),
        token_endpoint: reader.text("TokenEndpoint"),
        validate_certificate: reader.boolean("ValidateEndpointCertificate"),
    }
}
