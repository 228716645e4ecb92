//! The client failover configuration as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    access::{AccessBody, read_access},
    members::{Content, Members, Reader, Unknown},
    schema,
};
use crate::domain::{Draft, FailoverConfig, Fault, Faults};

/// The configuration as GET shows it: the documents' order, absent values as null, secrets masked.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "ClientFailover")]
pub struct ConfigurationBody {
    /// Names the configuration. Compares exactly.
    #[schemars(with = "schema::Id")]
    id: String,
    /// The failover group to register in. Compares exactly.
    #[schemars(with = "schema::Id")]
    failover_group_id: String,
    /// For people.
    #[schemars(with = "Option<schema::Label>")]
    name: Option<String>,
    /// For people.
    #[schemars(with = "Option<schema::Text>")]
    description: Option<String>,
    /// How long to wait for the endpoint. The group's own decides how long a Primary may be silent.
    #[schemars(with = "schema::Span")]
    failover_timeout: String,
    /// What a Secondary does.
    #[schemars(with = "schema::ModeWord")]
    mode: &'static str,
    #[serde(flatten)]
    access: AccessBody,
}

impl From<&FailoverConfig> for ConfigurationBody {
    fn from(config: &FailoverConfig) -> Self {
        Self {
            id: config.id().to_string(),
            failover_group_id: config.group().to_string(),
            name: config.name().map(ToString::to_string),
            description: config.description().map(ToString::to_string),
            failover_timeout: config.timeout().to_string(),
            mode: config.mode().as_str(),
            access: AccessBody::from(config.access()),
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
        access: read_access(&mut reader),
    };
    (draft, reader.finish(Unknown::Refuse))
}
