//! The destinations of the egress gate as JSON.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    access::{AccessBody, read_access},
    members::{Content, Members, Reader, Unknown, texts},
    schema,
};
use crate::domain::{DataEndpoint, DataEndpointDraft, Fault, Faults};

/// How many destinations a body may name: more than one adapter can feed.
pub const DESTINATIONS_LIMIT: usize = 64;

/// A destination as GET shows it: the documents' order, absent values as null, secrets masked.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "DataEndpoint")]
pub struct DataEndpointBody {
    /// Names it in the gate's path. Compares exactly.
    #[schemars(with = "schema::Id")]
    id: String,
    #[serde(flatten)]
    access: AccessBody,
    /// Methods that only ask: they pass in every role, and are never kept.
    read_only_methods: Vec<String>,
    /// How much may wait, in MiB.
    #[serde(rename = "MaxBufferSizeMB")]
    max_buffer_size_mb: u32,
    /// The largest body, in MiB.
    #[serde(rename = "MaxRequestSizeMB")]
    max_request_size_mb: u32,
    /// The status of the answer to what is kept.
    buffered_answer: u16,
    /// What a Warm or Cold Secondary answers.
    #[schemars(with = "schema::StandbyWord")]
    standby_answer: &'static str,
}

impl From<&DataEndpoint> for DataEndpointBody {
    fn from(endpoint: &DataEndpoint) -> Self {
        Self {
            id: endpoint.id().to_string(),
            access: AccessBody::from(endpoint.access()),
            read_only_methods: endpoint.read_only_methods().to_vec(),
            max_buffer_size_mb: endpoint.max_buffer_mb(),
            max_request_size_mb: endpoint.max_request_mb(),
            buffered_answer: endpoint.buffered_answer(),
            standby_answer: endpoint.standby_answer().as_str(),
        }
    }
}

/// Reads the body of a PUT or PATCH of one destination: one object, or an array of exactly one.
///
/// Gives what could be read beside the faults that were found on the way.
///
/// # Errors
/// When the body is something else.
pub fn read_data_endpoint(content: Content) -> Result<(DataEndpointDraft, Faults), Fault> {
    content.one_object().map(read_members)
}

/// Reads the body of a POST or PUT of the collection: one object, or an array of them. Tells whether it is an
/// array.
///
/// # Errors
/// When the body, or an element of it, is something else, or there are too many.
pub fn read_data_endpoints(content: Content) -> Result<(bool, Vec<(DataEndpointDraft, Faults)>), Fault> {
    let is_array = matches!(content, Content::Array(_));
    let all = content.objects(DESTINATIONS_LIMIT)?;
    Ok((is_array, all.into_iter().map(read_members).collect()))
}

fn read_members(members: Members) -> (DataEndpointDraft, Faults) {
    let mut reader = Reader::new(members);
    let draft = DataEndpointDraft {
        id: reader.text("Id"),
        access: read_access(&mut reader),
        read_only_methods: reader.typed("ReadOnlyMethods", "an array of strings", texts),
        max_buffer_mb: reader.typed("MaxBufferSizeMB", "a whole number", whole),
        max_request_mb: reader.typed("MaxRequestSizeMB", "a whole number", whole),
        buffered_answer: reader.typed("BufferedAnswer", "a whole number", whole),
        standby_answer: reader.text("StandbyAnswer"),
    };
    (draft, reader.finish(Unknown::Refuse))
}

fn whole(value: Value) -> Result<i64, Value> {
    value.as_i64().ok_or(value)
}
