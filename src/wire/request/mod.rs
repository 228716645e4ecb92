//! What bodies of requests may say: canonical spellings, limits and defaults, for the document of the interfaces.
//!
//! Nothing is read by these types. Readers do that, in any case and with every fault named; `tests.rs` holds
//! the two together.

#![expect(dead_code, reason = "the fields are described, not filled")]

mod endpoint;

use std::{borrow::Cow, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

pub use endpoint::{
    AccessControlRequest, GroupRequest, HeartbeatRequest, NativeHeartbeat, OverrideRequestBody,
    SessionRequest, StockHeartbeat,
};

use super::{
    data_endpoint::DESTINATIONS_LIMIT,
    schema::{
        Address, DeviceRequest, Id, Label, MethodName, ModeRequest, ReportSpan, Secret, SecretName,
        StandbyRequest, Text, Time, Timeout,
    },
    secret::SECRETS_LIMIT,
};
use crate::domain::{DataEndpoint, FailoverTimeout, ORIGINS_LIMIT, StreamCount, TimeToLive};

/// A client failover configuration. Null is as if left out. An https `Endpoint` needs one pair of credentials.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", rename = "ClientFailoverRequest")]
#[schemars(extend("additionalProperties" = false))]
pub struct ConfigurationRequest {
    /// Names the configuration. Compares exactly. If left out, the one that is stored, or else a new GUID.
    id: Option<Id>,
    /// The failover group to register in. Compares exactly.
    failover_group_id: Id,
    /// For people.
    name: Option<Label>,
    /// For people.
    description: Option<Text>,
    /// How long to wait for the endpoint. The group's own, set by its first member, decides how long a Primary may
    /// be silent.
    #[schemars(extend("default" = FailoverTimeout::DEFAULT.to_string()))]
    failover_timeout: Option<Timeout>,
    /// What a Secondary does: `Hot` collects, `Warm` (or `Warn`) is connected, `Cold` is not started; `None` stays
    /// out of failover. Read in any case.
    mode: ModeRequest,
    #[schemars(flatten)]
    access: AccessRequest,
}

/// How a server is reached and logged in to.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase")]
struct AccessRequest {
    /// The server's base address, absolute, without user name, password and fragment. Of a failover endpoint with
    /// its path, such as `http://host:5591/api/v1/clientfailover`; of a data endpoint without a query.
    endpoint: Address,
    /// Who logs in with HTTP Basic; goes with `Password`.
    user_name: Option<Label>,
    /// 15 asterisks keep the one that is stored; `{{Id}}` refers to a secret of `management/secrets`.
    password: Option<Secret>,
    /// Who gets a bearer token by the client-credentials grant; goes with `ClientSecret`, in the place of `UserName`.
    client_id: Option<Label>,
    /// 15 asterisks keep the one that is stored; `{{Id}}` refers to a secret of `management/secrets`.
    client_secret: Option<Secret>,
    /// Where tokens come from; if left out, it is discovered on the endpoint's host.
    token_endpoint: Option<Address>,
    /// `false` accepts any certificate; only for testing.
    #[schemars(extend("default" = true))]
    validate_endpoint_certificate: Option<bool>,
}

/// A destination of the egress gate. Null is as if left out.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", rename = "DataEndpointRequest")]
#[schemars(extend("additionalProperties" = false))]
pub struct DataEndpointRequest {
    /// Names it in the gate's path. Compares exactly. If left out, a new GUID.
    id: Option<Id>,
    #[schemars(flatten)]
    access: AccessRequest,
    /// Methods that only ask: they pass in every role, and are never kept.
    #[schemars(length(max = DataEndpoint::METHODS_LIMIT), extend("default" = DataEndpoint::READ_ONLY))]
    read_only_methods: Option<Vec<MethodName>>,
    /// How much may wait, in MiB; at least `MaxRequestSizeMB`.
    #[schemars(rename = "MaxBufferSizeMB", range(min = 1, max = DataEndpoint::LARGEST_BUFFER_MB))]
    #[schemars(extend("default" = DataEndpoint::DEFAULT_BUFFER_MB))]
    max_buffer_size_mb: Option<i64>,
    /// The largest body, in MiB; it is held in memory until it is settled or on disk.
    #[schemars(rename = "MaxRequestSizeMB", range(min = 1, max = DataEndpoint::LARGEST_REQUEST_MB))]
    #[schemars(extend("default" = DataEndpoint::DEFAULT_REQUEST_MB))]
    max_request_size_mb: Option<i64>,
    /// The status of the answer to what is kept.
    #[schemars(range(min = *DataEndpoint::ANSWERS.start(), max = *DataEndpoint::ANSWERS.end()))]
    #[schemars(extend("default" = DataEndpoint::DEFAULT_ANSWER))]
    buffered_answer: Option<i64>,
    /// What a Warm or Cold Secondary answers: 503 (`Refuse`), or as if it had taken what it drops (`Swallow`).
    #[schemars(extend("default" = "Refuse"))]
    standby_answer: Option<StandbyRequest>,
}

/// A secret that configurations refer to. Null is as if left out.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", rename = "SecretRequest")]
#[schemars(extend("additionalProperties" = false))]
pub struct SecretRequest {
    /// Its Id. Compares without case. Where the path has it, it may be left out.
    id: Option<SecretName>,
    /// For people.
    description: Option<Text>,
    /// For people, such as `2027-06-17`: nothing ends by itself.
    #[schemars(length(max = 64))]
    expiration_date: Option<String>,
    /// The secret; without control characters, and not wrapped in `{{ }}`. 15 asterisks keep the one that is stored.
    value: Secret,
    /// Whom it may be sent to: scheme, host and port. If left out, its first use decides.
    #[schemars(length(min = 1, max = ORIGINS_LIMIT))]
    origins: Option<Vec<Address>>,
    /// As GET shows it; it changes nothing.
    used_by: Option<serde_json::Value>,
}

/// What a component reports of itself.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", rename = "ComponentReport")]
#[schemars(extend("additionalProperties" = false))]
pub struct ComponentRequest {
    /// The Id of the path once more, or left out.
    id: Option<String>,
    /// How many streams it has: what it weighs in the score.
    #[schemars(range(min = 0, max = StreamCount::MOST))]
    stream_count: i64,
    /// How it stands to its source. `Good` and `ConnectedNoData` count as connected, `Removed` does not count.
    /// Read in any case.
    device_status: DeviceRequest,
    /// Up to when it has processed data; null, or `0001-01-01T00:00:00`, where nothing yet.
    last_data_processed_time: Option<Time>,
    /// For how long this report counts; after that the component counts as `DeviceInError`.
    #[schemars(extend("default" = TimeToLive::DEFAULT.to_string()))]
    time_to_live: Option<ReportSpan>,
}

/// The members of `T` that change. Null resets a member that is not required.
#[derive(Debug)]
pub struct Patch<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name().replace("Request", "Patch").into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        schema.remove("required");
        let says = "What is to change: members that are left out stay; null resets one that is not required.";
        schema.insert("description".to_owned(), says.into());
        schema
    }
}

/// One `T`, or an array of exactly one.
#[derive(Debug)]
pub struct One<T>(PhantomData<T>);

/// One `T`, or an array of them.
#[derive(Debug)]
pub struct Several<T>(PhantomData<T>);

/// One secret `T`, or an array of them.
#[derive(Debug)]
pub struct Secrets<T>(PhantomData<T>);

fn or_array<T: JsonSchema>(generator: &mut SchemaGenerator, least: usize, most: usize) -> Schema {
    let one = generator.subschema_for::<T>();
    json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": least, "maxItems": most }] })
}

macro_rules! or_array {
    ($($name:ident: $least:expr, $most:expr;)+) => {$(
        impl<T: JsonSchema> JsonSchema for $name<T> {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                format!("{}{}", stringify!($name), T::schema_name()).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                or_array::<T>(generator, $least, $most)
            }
        }
    )+};
}

or_array! {
    One: 1, 1;
    Several: 0, DESTINATIONS_LIMIT;
    Secrets: 0, SECRETS_LIMIT;
}

#[cfg(test)]
mod tests;
