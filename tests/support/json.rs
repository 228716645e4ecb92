//! JSON of every kind: near to what is right, and far from it.

#![allow(unreachable_pub, reason = "each test file is a crate that uses its own part of this")]

use proptest::{prelude::*, sample::select};
use serde_json::Value;

/// What stands for a secret that is kept.
pub const MASK: &str = "***************";

/// Members of bodies beside those of the facet.
const MORE_MEMBERS: [&str; 24] = [
    "FailoverScore",
    "LastDataProcessedTime",
    "Incarnation",
    "BootId",
    "Sequence",
    "Answered",
    "AppliedRole",
    "Epoch",
    "AdditionalData",
    "Margin",
    "Dwell",
    "Value",
    "ExpirationPeriod",
    "RequestedBy",
    "Reason",
    "Origins",
    "ExpirationDate",
    "StreamCount",
    "DeviceStatus",
    "TimeToLive",
    "ReadOnlyMethods",
    "MaxBufferSizeMB",
    "BufferedAnswer",
    "StandbyAnswer",
];

/// Any JSON value, of a few levels.
pub fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..300_u32).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        select(vec![
            MASK,
            "hot",
            "00:00:01",
            "http://h",
            "Primary",
            "Good",
            "2026-01-31T08:00:00Z",
            "{{plc}}"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((member_name(), inner), 0..14)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A member that is known, in some case, or any text.
pub fn member_name() -> impl Strategy<Value = String> {
    let known = select([&client_failover::domain::MEMBERS[..], &MORE_MEMBERS[..]].concat());
    prop_oneof![
        8 => known.clone().prop_map(str::to_owned),
        2 => known.prop_map(str::to_lowercase),
        1 => ".{0,12}",
    ]
}
