//! Whatever is sent, the server does not fail; whatever was accepted, GET shows; and who somebody says he is, what he
//! calls the server and what stands in its settings is read as it was written, or refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "support/json.rs"]
mod json;

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use client_failover::{
    audit::Trail,
    auth::{Logins, basic},
    domain::Standing,
    http::{
        Door, Hosts, Notices,
        adapter::{self, Adapter},
        kit::Interface,
    },
    settings::{self, ServePartial},
    store::{DataFolder, Store},
};
use http_body_util::BodyExt;
use proptest::{prelude::*, sample::select, test_runner::TestRunner};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tokio::{
    runtime::Runtime,
    sync::{Notify, watch},
};

use crate::json::{MASK, any_json};

const FACET: &str = "/api/v1/configuration/System/ClientFailover";
/// The facet without a socket, so that thousands of bodies take seconds.
struct Facet {
    runtime: Runtime,
    router: Interface,
    _data: tempfile::TempDir,
}

impl Facet {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let data = tempfile::tempdir().unwrap();
        let store = runtime.block_on(Store::open(DataFolder::hold(data.path()).unwrap())).unwrap();
        let standing = watch::Sender::new(Standing::default()).subscribe();
        let logins = runtime.block_on(Logins::open(store.clone(), None, false)).unwrap();
        let listen = ([127, 0, 0, 1], 5590).into();
        let notices = Notices::new(listen, None, logins.clone());
        let (trail, _) = Trail::new(store.clone());
        let door = Door::new(logins, Hosts::new("http", listen, &[]), notices, trail);
        let adapter = Adapter {
            listen: ([127, 0, 0, 1], 5590).into(),
            store,
            standing,
            wake: Arc::new(Notify::new()),
            gate_wake: Arc::new(Notify::new()),
        };
        Self { router: adapter::routes(adapter).build(door), runtime, _data: data }
    }

    fn send(&self, method: Method, path: &str, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Body::from(body));
        self.runtime.block_on(async {
            let answer = self.router.answer(request.unwrap()).await;
            let status = answer.status();
            (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
        })
    }

    fn stored(&self) -> Value {
        let (status, body) = self.send(Method::GET, FACET, Vec::new());
        assert_eq!(status, StatusCode::OK);
        serde_json::from_slice(&body).unwrap()
    }
}

fn any_method() -> impl Strategy<Value = Method> {
    select(vec![Method::PUT, Method::POST, Method::PATCH, Method::DELETE])
}

/// Cases that failed once are kept beside this file and run first.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, source_file: Some(file!()), ..ProptestConfig::default() }
}

#[test]
fn no_body_makes_the_server_fail() {
    let facet = Facet::new();
    let bytes = prop_oneof![
        3 => any_json().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => "[\\[\\]{}\",:0-9a-z\\\\ ]{0,80}".prop_map(String::into_bytes),
    ];
    let path = prop_oneof![Just(FACET.to_owned()), "[a-z%0-9.]{0,10}".prop_map(|id| format!("{FACET}/{id}"))];
    let asked = (any_method(), path, bytes);
    TestRunner::new(config(3_000))
        .run(&asked, |(method, path, body)| {
            // What is no URI never reaches a server.
            prop_assume!(path.parse::<axum::http::Uri>().is_ok());
            let (status, answer) = facet.send(method, &path, body);
            prop_assert!(!status.is_server_error(), "{status}: {}", String::from_utf8_lossy(&answer));
            if status.is_client_error() {
                let refusal: Value = serde_json::from_slice(&answer).unwrap();
                prop_assert!(
                    ["Error", "Reason", "Resolution"].iter().all(|member| refusal[member].is_string())
                );
            }
            prop_assert!(facet.stored().is_array());
            Ok(())
        })
        .unwrap();
}

/// A value of a member as it may be given, and as it is shown then.
type Shown = (Value, Value);

fn one_of(values: &[(&str, &str)]) -> BoxedStrategy<Shown> {
    let values: Vec<Shown> = values.iter().map(|(given, shown)| (json!(given), json!(shown))).collect();
    select(values).boxed()
}

/// Members of a request: each is left out, null, or a value that is right.
fn right_members() -> impl Strategy<Value = Vec<(&'static str, Option<Shown>)>> {
    let text = || "[ -~ä€]{1,30}".prop_map(|text| (json!(text), json!(text))).boxed();
    let strategies: Vec<(&'static str, BoxedStrategy<Shown>)> = vec![
        ("FailoverGroupId", one_of(&[("g", "g"), ("group two", "group two")])),
        ("Name", text()),
        ("Description", text()),
        (
            "FailoverTimeout",
            one_of(&[
                ("1:00:00", "01:00:00"),
                ("00:00:00.25", "00:00:00.2500000"),
                ("1.00:00:00", "1.00:00:00"),
            ]),
        ),
        ("Mode", one_of(&[("hot", "Hot"), ("Warn", "Warm"), ("COLD", "Cold"), ("None", "None")])),
        ("Endpoint", one_of(&[("http://h", "http://h"), ("http://h/other", "http://h/other")])),
        ("UserName", one_of(&[("u", "u"), ("Oil\\Test", "Oil\\Test")])),
        ("Password", one_of(&[("secret", MASK), (MASK, MASK)])),
        ("ValidateEndpointCertificate", any::<bool>().prop_map(|truth| (json!(truth), json!(truth))).boxed()),
    ];
    let required = |name| matches!(name, "FailoverGroupId" | "Mode" | "Endpoint");
    let optional = strategies.into_iter().map(move |(name, value)| {
        let (null, absent) = if required(name) { (1, 1) } else { (4, 8) };
        prop_oneof![
            16 => value.prop_map(move |shown| (name, Some(shown))),
            null => Just((name, Some((Value::Null, Value::Null)))),
            absent => Just((name, None)),
        ]
        .boxed()
    });
    // Credentials come and go together most of the time; else hardly anything would be accepted.
    (optional.collect::<Vec<_>>(), any::<u8>()).prop_map(|(mut members, together)| {
        if together > 32
            && let Some(user) = members.iter().position(|(name, _)| *name == "UserName")
        {
            let like = |shown: &Shown| {
                if shown.0.is_null() { shown.clone() } else { (json!("secret"), json!(MASK)) }
            };
            members[user + 1].1 = members[user].1.as_ref().map(like);
        }
        members
    })
}

fn default_of(member: &str) -> Value {
    match member {
        "FailoverTimeout" => json!("00:01:00"),
        "ValidateEndpointCertificate" => json!(true),
        _ => Value::Null,
    }
}

#[test]
fn get_shows_what_was_accepted_and_a_refusal_changes_nothing() {
    let facet = Facet::new();
    let steps = prop::collection::vec((select(vec![Method::PUT, Method::PATCH]), right_members()), 1..8);
    let accepted = std::cell::Cell::new(0_u32);
    TestRunner::new(config(200))
        .run(&steps, |steps| {
            facet.send(Method::DELETE, FACET, Vec::new());
            let mut model: Option<Map<String, Value>> = None;
            for (method, members) in steps {
                let body: Map<String, Value> = members
                    .iter()
                    .filter_map(|(name, shown)| Some(((*name).to_owned(), shown.clone()?.0)))
                    .collect();
                let before = facet.stored();
                let (status, answer) =
                    facet.send(method.clone(), FACET, json!(body).to_string().into_bytes());
                let after = facet.stored();
                if status.is_client_error() {
                    prop_assert_eq!(before, after);
                    continue;
                }
                prop_assert_eq!(status, StatusCode::NO_CONTENT, "{}", String::from_utf8_lossy(&answer));
                accepted.set(accepted.get() + 1);
                let mut next = match (&method, model.take()) {
                    (&Method::PATCH, Some(old)) => old,
                    _ => members.iter().map(|(name, _)| ((*name).to_owned(), default_of(name))).collect(),
                };
                for (name, shown) in &members {
                    if let Some((_, shown)) = shown {
                        let shown = if shown.is_null() { default_of(name) } else { shown.clone() };
                        next.insert((*name).to_owned(), shown);
                    }
                }
                for (name, value) in &next {
                    prop_assert_eq!(&after[0][name], value, "{} after {}", name, method);
                }
                model = Some(next);
            }
            Ok(())
        })
        .unwrap();
    assert!(accepted.get() > 300, "too few requests were accepted to prove anything: {}", accepted.get());
}

#[test]
fn a_name_and_a_password_are_read_as_they_were_sent() {
    TestRunner::new(config(2_000))
        .run(&("\\PC{1,40}", "\\PC{0,40}"), |(name, password)| {
            let name = name.replace(':', " ");
            let header = format!("Basic {}", STANDARD.encode(format!("{name}:{password}")));
            let claim = basic::read(header.as_bytes());
            prop_assert_eq!(claim.is_some(), name.trim() == name, "no user has spaces around his name");
            if let Some(claim) = claim {
                prop_assert_eq!(claim.name.as_str(), name);
                prop_assert_eq!(claim.password.expose_secret(), password);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn no_host_is_the_servers_own_but_those_it_was_told_of() {
    let hosts = Hosts::new("http", ([10, 0, 0, 5], 5590).into(), &["plant.example".to_owned()]);
    let label = "[a-zA-Z0-9-]{1,10}";
    let known = select(vec!["localhost", "plant.example", "10.0.0.5", "127.0.0.1", "[::1]"]);
    let host = prop_oneof![
        known.clone().prop_map(str::to_owned),
        (known.clone(), label).prop_map(|(known, more)| format!("{more}.{known}")),
        (known, label).prop_map(|(known, more)| format!("{known}.{more}")),
        prop::collection::vec(label, 1..4).prop_map(|labels| labels.join(".")),
        any::<std::net::IpAddr>().prop_map(|ip| if ip.is_ipv6() {
            format!("[{ip}]")
        } else {
            ip.to_string()
        }),
    ];
    let port = prop_oneof![Just(String::new()), any::<u16>().prop_map(|port| format!(":{port}"))];
    TestRunner::new(config(3_000))
        .run(&(host, port), |(host, port)| {
            let bare = host.trim_matches(['[', ']']).to_ascii_lowercase();
            let mine = match bare.parse::<std::net::IpAddr>() {
                Ok(ip) => ip.to_canonical().is_loopback() || bare == "10.0.0.5" || bare == "::ffff:10.0.0.5",
                Err(_) => bare == "localhost" || bare == "plant.example",
            };
            let mut headers = axum::http::HeaderMap::new();
            headers.insert("host", format!("{host}{port}").parse().unwrap());
            let answered = hosts.check(&axum::http::Uri::from_static("/"), &headers);
            prop_assert_eq!(answered.is_ok(), mine, "{:?}", answered);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_settings_file_is_read_as_it_was_written_or_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let (before, text) = (0..5_usize, "[ -~äß€\t]{1,40}");
    TestRunner::new(config(1_000))
        .run(&(before, text, any::<u32>()), |(before, text, days)| {
            let comments = "# nothing\n".repeat(before);
            let written = text.replace('\\', r"\\").replace('"', r#"\""#);
            let settings = format!("{comments}data_dir = \"{written}\"\nhistory_days = {days}\n");
            std::fs::write(&path, settings).unwrap();
            match settings::serve(ServePartial::default(), Some(&path), &|_| None) {
                Ok(read) => {
                    prop_assert_eq!(read.data_dir, std::path::PathBuf::from(text));
                    prop_assert_eq!(read.history_days.get(), days);
                }
                Err(refused) => {
                    let line = format!("settings.toml, line {}: history_days: ", before + 2);
                    let refused = refused.to_string();
                    prop_assert!(!(1..=36_500).contains(&days) && refused.contains(&line), "{}", refused);
                }
            }
            Ok(())
        })
        .unwrap();
}
