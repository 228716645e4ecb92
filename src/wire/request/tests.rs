//! What is described is what is read.

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
        ("group", described::<GroupRequest>(), json!({ "Id": "g", "FailoverTimeout": "00:01:00" }), group),
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
