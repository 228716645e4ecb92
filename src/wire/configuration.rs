//! The client failover configuration as JSON.

use secrecy::SecretString;
use serde::Serialize;

use super::members::{Content, Members, Reader, Unknown};
use crate::domain::{Credentials, Draft, FailoverConfig, Fault, Faults, MASK};

/// The configuration as GET shows it: the documents' order, absent values as null, secrets masked.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ConfigurationBody {
    id: String,
    failover_group_id: String,
    name: Option<String>,
    description: Option<String>,
    failover_timeout: String,
    mode: &'static str,
    endpoint: String,
    user_name: Option<String>,
    password: Option<&'static str>,
    client_id: Option<String>,
    client_secret: Option<&'static str>,
    token_endpoint: Option<String>,
    validate_endpoint_certificate: bool,
}

impl From<&FailoverConfig> for ConfigurationBody {
    fn from(config: &FailoverConfig) -> Self {
        let (mut user_name, mut password, mut client_id, mut client_secret) = (None, None, None, None);
        match config.credentials() {
            Some(Credentials::Basic { user, .. }) => {
                (user_name, password) = (Some(user.to_string()), Some(MASK))
            }
            Some(Credentials::Client { id, .. }) => {
                (client_id, client_secret) = (Some(id.to_string()), Some(MASK))
            }
            None => {}
        }
        Self {
            id: config.id().to_string(),
            failover_group_id: config.group().to_string(),
            name: config.name().map(ToString::to_string),
            description: config.description().map(ToString::to_string),
            failover_timeout: config.timeout().to_string(),
            mode: config.mode().as_str(),
            endpoint: config.endpoint().to_string(),
            user_name,
            password,
            client_id,
            client_secret,
            token_endpoint: config.token_endpoint().map(ToString::to_string),
            validate_endpoint_certificate: config.validate_certificate(),
        }
    }
}

/// Reads the body of a POST, PUT or PATCH: one object, or an array of exactly one.
///
/// Gives what could be read beside the faults that were found on the way (unknown, doubled and
/// wrongly typed members), so that whoever applies the rules can report all faults together.
///
/// # Errors
/// When the body is something else.
pub fn read_draft(content: Content) -> Result<(Draft, Faults), Fault> {
    content.one_object().map(read_members)
}

fn read_members(members: Members) -> (Draft, Faults) {
    let mut reader = Reader::new(members);
    let draft = Draft {
        id: reader.text("Id"),
        group: reader.text("FailoverGroupId"),
        name: reader.text("Name"),
        description: reader.text("Description"),
        timeout: reader.text("FailoverTimeout"),
        mode: reader.text("Mode"),
        endpoint: reader.text("Endpoint"),
        user_name: reader.text("UserName"),
        password: reader.text("Password").map(SecretString::from),
        client_id: reader.text("ClientId"),
        client_secret: reader.text("ClientSecret").map(SecretString::from),
        token_endpoint: reader.text("TokenEndpoint"),
        validate_certificate: reader.boolean("ValidateEndpointCertificate"),
    };
    (draft, reader.finish(Unknown::Refuse))
}
