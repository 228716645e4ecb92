//! What bodies of requests may say: canonical spellings, limits and defaults, for the document of the interfaces.
//!
//! Nothing is read by these types. Readers do that, in any case and with every fault named; the tests below hold
//! the two together.

#![expect(dead_code, reason = "the fields are described, not filled")]

use std::{borrow::Cow, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    data_endpoint::DESTINATIONS_LIMIT,
    schema::{
        Address, Counter, DeviceRequest, DwellSpan, Id, Label, MethodName, ModeRequest, OverrideRequest,
        ReportSpan, RoleRequest, Run, ScoreRequest, Secret, SecretName, Span, StandbyRequest, Text, Time,
        Timeout,
    },
    secret::SECRETS_LIMIT,
};
use crate::domain::{DataEndpoint, Epoch, FailoverTimeout, Margin, ORIGINS_LIMIT, StreamCount, TimeToLive};

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

/// A failover group. Members that are not known are passed over.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", rename = "GroupRequest")]
pub struct GroupRequest {
    /// Its Id. Compares exactly.
    id: Id,
    /// For people.
    name: Option<Label>,
    /// For people.
    description: Option<Text>,
    /// How long its Primary may be silent.
    failover_timeout: Timeout,
    /// Kept as it is given. Some of its members say how the group chooses its Primary.
    additional_data: Option<AdditionalData>,
}

/// A JSON object of at most 16 KiB that is kept as it is given.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase")]
struct AdditionalData {
    /// By how many points a score must be better to cost a Primary its role.
    #[schemars(range(min = Margin::MIN, max = Margin::MAX), extend("default" = Margin::DEFAULT.get()))]
    margin: Option<i64>,
    /// For how long it must be better; if left out, half of the FailoverTimeout.
    dwell: Option<DwellSpan>,
    /// Whether a Primary that an override asks for keeps its role although it is silent. Nobody acts then.
    #[schemars(extend("default" = false))]
    keep_silent_override: Option<bool>,
}

/// A session: one adapter's membership in a group. Members that are not known are passed over.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", rename = "SessionRequest")]
pub struct SessionRequest {
    /// Its Id. Compares exactly.
    id: Id,
    /// For people.
    name: Option<Label>,
    /// Kept as it is given.
    additional_data: Option<AdditionalData>,
}

/// A role override. Members that are not known are passed over.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", rename = "RoleOverrideRequest")]
pub struct OverrideRequestBody {
    /// `Primary` (1) forces the role on this session, `Off` (0) ends that. Read in any case.
    value: OverrideRequest,
    /// For how long; above zero. If left out, until somebody ends it.
    expiration_period: Option<Span>,
    /// Who asks for it, where no login says it.
    requested_by: Option<Label>,
    /// Why.
    reason: Option<Text>,
}

/// What access control is to be: only what it is can be asked for.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", rename = "AccessControlRequest")]
#[schemars(extend("additionalProperties" = false))]
pub struct AccessControlRequest {
    /// As GET shows them, in any order.
    role_trustee_access_control_entries: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// A heartbeat. Members that are not known are passed over.
#[derive(JsonSchema)]
#[schemars(untagged, rename = "HeartbeatRequest")]
pub enum HeartbeatRequest {
    /// What stock adapters send.
    Stock(StockHeartbeat),
    /// What adapters of ours send.
    Native(NativeHeartbeat),
}

/// A heartbeat as stock adapters send it.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase", extend("not" = { "required": ["Incarnation", "Sequence"] }))]
pub struct StockHeartbeat {
    /// How well the adapter can do its work, 0 to 100. Also read under its older name, `FailoverStatus`.
    failover_score: ScoreRequest,
    /// Up to when it has processed data. What is no time means that there is none.
    last_data_processed_time: Option<String>,
}

/// A heartbeat with the extensions that make hand-over safe.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase")]
pub struct NativeHeartbeat {
    /// How well the adapter can do its work, 0 to 100.
    failover_score: ScoreRequest,
    /// Up to when it has processed data. What is no time means that there is none.
    last_data_processed_time: Option<String>,
    /// Which run of the process asks.
    incarnation: Run,
    /// The run before it, which is dead because this one holds the data folder's lock.
    replaces: Option<Run>,
    /// Which boot of its machine the process runs in.
    boot_id: Option<String>,
    /// Counts the questions of this incarnation, from 1.
    #[schemars(range(min = 1, max = Epoch::MAX))]
    sequence: i64,
    /// The highest own `Sequence` whose answer has arrived; below `Sequence`.
    #[schemars(extend("default" = 0))]
    answered: Option<Counter>,
    /// The `Echo` of the last answer that has arrived; anything else is nothing.
    echo: Option<String>,
    /// The role that it applies as it sends this.
    applied_role: RoleRequest,
    /// For how long it has applied it, in this run.
    applied_for: Option<String>,
    /// How long ago its egress gate delivered last, as a time span; anything else is nothing.
    last_delivered_age: Option<String>,
    /// The highest epoch that it has known in this group.
    #[schemars(range(min = 0, max = Epoch::PLAUSIBLE))]
    epoch: Option<i64>,
    /// What it does as Primary when it loses the endpoint: `step-down` or `keep-role`.
    endpoint_loss: Option<String>,
    /// Of a Primary with an egress gate: an array of `{Destination, CoveredFromAge, OldestUnsettledAge}`; anything else
    /// is nothing.
    egress: Option<serde_json::Value>,
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
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Map, Value, json};

    use super::*;
    use crate::{
        domain::{Faults, Place},
        wire::{
            component::read_report,
            configuration::read_draft,
            data_endpoint::read_data_endpoint,
            endpoint::{read_group, read_override, read_session},
            heartbeat::read_heartbeat,
            members::{Content, Members},
            secret::read_secret,
        },
    };

    fn content(body: &Value) -> Content {
        Content::parse(body.to_string().as_bytes()).unwrap()
    }

    fn members(body: &Value) -> Members {
        content(body).object().unwrap()
    }

    fn described<T: JsonSchema>() -> Map<String, Value> {
        schemars::schema_for!(T).get("properties").unwrap().as_object().unwrap().clone()
    }

    /// What is wrong with a body, as a reader says it.
    type Read = fn(&Value) -> Faults;

    fn configuration(body: &Value) -> Faults {
        read_draft(content(body)).unwrap().1
    }

    fn data_endpoint(body: &Value) -> Faults {
        read_data_endpoint(content(body)).unwrap().1
    }

    fn secret(body: &Value) -> Faults {
        read_secret(content(body)).unwrap().1
    }

    fn component(body: &Value) -> Faults {
        read_report(members(body), "C").err().unwrap_or_default()
    }

    fn group(body: &Value) -> Faults {
        read_group(Place::OnPremises, members(body)).err().unwrap_or_default()
    }

    fn session(body: &Value) -> Faults {
        read_session(members(body)).err().unwrap_or_default()
    }

    fn role_override(body: &Value) -> Faults {
        read_override(members(body)).err().unwrap_or_default()
    }

    fn heartbeat(body: &Value) -> Faults {
        read_heartbeat(members(body)).err().unwrap_or_default()
    }

    #[test]
    fn what_is_described_is_what_is_read_where_nothing_else_may_be_said() {
        for (what, described, read) in [
            ("configuration", described::<ConfigurationRequest>(), configuration as Read),
            ("data endpoint", described::<DataEndpointRequest>(), data_endpoint),
            ("secret", described::<SecretRequest>(), secret),
            ("component", described::<ComponentRequest>(), component),
        ] {
            let faults = read(&json!({ "colour": 1 }));
            let unknown = faults.as_slice().iter().find(|fault| fault.member == "\"colour\"").unwrap();
            let known = unknown.resolution.trim_start_matches("The members are ").trim_end_matches('.');
            let known: BTreeSet<&str> = known.split(", ").collect();
            assert_eq!(known, described.keys().map(String::as_str).collect(), "{what}");
        }
    }

    #[test]
    fn a_member_of_another_type_than_is_described_is_a_fault() {
        let native = json!({
            "FailoverScore": 1, "Incarnation": "i", "Sequence": 2, "Answered": 1, "AppliedRole": "Primary",
        });
        for (what, described, right, read) in [
            ("configuration", described::<ConfigurationRequest>(), json!({}), configuration as Read),
            ("data endpoint", described::<DataEndpointRequest>(), json!({}), data_endpoint),
            (
                "component",
                described::<ComponentRequest>(),
                json!({ "StreamCount": 1, "DeviceStatus": "Good" }),
                component,
            ),
            (
                "group",
                described::<GroupRequest>(),
                json!({ "Id": "g", "FailoverTimeout": "00:01:00" }),
                group,
            ),
            ("session", described::<SessionRequest>(), json!({ "Id": "s" }), session),
            ("override", described::<OverrideRequestBody>(), json!({ "Value": 1 }), role_override),
            ("stock heartbeat", described::<StockHeartbeat>(), json!({ "FailoverScore": 1 }), heartbeat),
            ("native heartbeat", described::<NativeHeartbeat>(), native, heartbeat),
        ] {
            assert!(read(&right).is_empty(), "{what}: {}", read(&right).reasons());
            for (name, schema) in &described {
                // What is described as anything is read as nothing where it makes no sense.
                let anything = schema.get("type").is_none() && schema.get("anyOf").is_none();
                let mut wrong = right.clone();
                wrong[name] = json!([1]);
                let faults = read(&wrong);
                let is_fault = faults.as_slice().iter().any(|fault| fault.member == *name);
                let is_list = name == "ReadOnlyMethods";
                assert_eq!(is_fault || is_list, !anything || is_list, "{what}: {name} {}", faults.reasons());
            }
        }
    }

    #[test]
    fn what_is_required_is_described_as_required() {
        let required = |schema: Schema| schema.get("required").cloned().unwrap_or_default();
        for (schema, read) in [
            (schemars::schema_for!(ComponentRequest), component as Read),
            (schemars::schema_for!(GroupRequest), group),
            (schemars::schema_for!(SessionRequest), session),
            (schemars::schema_for!(OverrideRequestBody), role_override),
            (schemars::schema_for!(StockHeartbeat), heartbeat),
        ] {
            let faults = read(&json!({}));
            let missing: Vec<_> = faults.as_slice().iter().map(|fault| fault.member.as_str()).collect();
            assert_eq!(required(schema), json!(missing));
        }
    }
}
