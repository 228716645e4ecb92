//! No body makes any interface of either half fail: nearly right, or not at all.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use client_failover::http::kit::Interface;
use http_body_util::BodyExt;
use proptest::{prelude::*, sample::Index, test_runner::TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{
    json::{any_json, member_name},
    support::routes::{concrete, methods, router_in},
};

/// Both halves without a socket, so that thousands of bodies take seconds.
struct Served {
    runtime: Runtime,
    interface: Interface,
}

impl Served {
    fn send(&self, method: &Method, path: &str, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
        self.runtime.block_on(async {
            let answer = self.interface.answer(request).await;
            let status = answer.status();
            (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
        })
    }

    /// The group and the session that paths name are there.
    fn make_session(&self, base: &str) {
        let group = json!({ "Id": "G", "FailoverTimeout": "01:00:00" }).to_string();
        for (path, body) in
            [("/groups", group), ("/groups/G/clientsessions", json!({ "Id": "S" }).to_string())]
        {
            let (status, said) = self.send(&Method::POST, &format!("{base}{path}"), body.into_bytes());
            // A group of that name may be there that is another.
            let is_there = status.is_success() || status == StatusCode::CONFLICT;
            assert!(is_there, "{}", String::from_utf8_lossy(&said));
        }
    }
}

/// What is right for a path.
fn right(path: &str) -> Value {
    let facet = json!({ "Id": "C", "FailoverGroupId": "g", "Mode": "Hot", "Endpoint": "http://h", "FailoverTimeout": "00:00:10" });
    let data_endpoint = json!({ "Id": "C", "Endpoint": "http://h", "ReadOnlyMethods": ["GET"] });
    let secret = json!({ "Id": "C", "Value": "v", "Origins": ["https://h"] });
    match path.rsplit('/').next().unwrap() {
        "groups" => json!({ "Id": "G", "FailoverTimeout": "01:00:00" }),
        "clientsessions" => json!({ "Id": "S" }),
        "heartbeat" => json!({ "FailoverScore": 100, "LastDataProcessedTime": "2026-01-31T08:00:00Z" }),
        "roleoverride" => json!({ "Value": "Primary", "ExpirationPeriod": "08:00:00" }),
        "secrets" => json!([secret]),
        "dataendpoints" => json!([data_endpoint]),
        _ if path.contains("/secrets/") => secret,
        _ if path.contains("/dataendpoints/") => data_endpoint,
        _ if path.contains("/components/") => json!({ "DeviceStatus": "Good", "StreamCount": 1 }),
        _ => facet,
    }
}

/// A change of a body: a member becomes something else, is left out, or is new.
#[derive(Debug, Clone)]
enum Edit {
    Set(String, Value),
    Become(Index, Value),
    Leave(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (member_name(), any_json()).prop_map(|(name, value)| Edit::Set(name, value)),
        (any::<Index>(), any_json()).prop_map(|(at, value)| Edit::Become(at, value)),
        any::<Index>().prop_map(Edit::Leave),
    ]
}

/// What is sent: what is right, with these changes, or something else.
#[derive(Debug, Clone)]
enum Sent {
    Edited(Vec<Edit>),
    Bytes(Vec<u8>),
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        6 => prop::collection::vec(edit(), 0..4).prop_map(Sent::Edited),
        2 => any_json().prop_map(|value| Sent::Bytes(value.to_string().into_bytes())),
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Sent::Bytes),
    ]
}

fn edited(mut body: Value, edits: Vec<Edit>) -> Value {
    for edit in edits {
        let one = if body.is_array() { body.get_mut(0) } else { Some(&mut body) };
        let inner = one.and_then(Value::as_object_mut);
        let Some(members) = inner else { return body };
        let at = |at: Index, members: &serde_json::Map<String, Value>| {
            members.keys().nth(at.index(members.len().max(1))).cloned()
        };
        match edit {
            Edit::Set(name, value) => drop(members.insert(name, value)),
            Edit::Become(index, value) => {
                if let Some(name) = at(index, members) {
                    members.insert(name, value);
                }
            }
            Edit::Leave(index) => {
                if let Some(name) = at(index, members) {
                    members.remove(&name);
                }
            }
        }
    }
    body
}

#[test]
fn no_body_makes_any_interface_fail() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    rustls::crypto::ring::default_provider().install_default().ok();
    let (interface, _) = runtime.block_on(router_in(folder.path()));
    let served = runtime.block_on(methods());
    // Every route that takes a body or removes something, as the router knows them.
    let routes: Vec<(Method, String)> = served
        .into_iter()
        .filter(|(method, _)| *method != Method::GET)
        .map(|(method, pattern)| (method, concrete(pattern)))
        .collect();
    let served = Served { runtime, interface };
    let send = |which: usize, body: Vec<u8>| {
        let (method, path) = &routes[which];
        if let Some((base, _)) =
            path.split_once("/groups").filter(|(base, _)| !base.contains("/accesscontrol"))
        {
            served.make_session(base);
        }
        if *method == Method::DELETE && path.ends_with("/groups/G") {
            served.send(method, &format!("{path}/clientsessions/S"), Vec::new());
        }
        served.send(method, path, body)
    };
    // What is sent below is made of what each of them takes. Access control is not changed by calls: it is refused whatever
    // is said.
    let send_right = |which: usize| send(which, right(&routes[which].1).to_string().into_bytes());
    for (which, (method, path)) in
        routes.iter().enumerate().filter(|(_, (_, path))| !path.contains("accesscontrol"))
    {
        // What it changes or removes is there, or what it makes is not.
        let mut answers = [Method::PUT, Method::DELETE].into_iter().map(|before| {
            for (other, _) in routes.iter().enumerate().filter(|(_, (method, _))| *method == before) {
                send_right(other);
            }
            send_right(which)
        });
        assert!(answers.any(|(status, _)| status.is_success()), "{method} {path} never does anything");
    }
    let config = ProptestConfig { cases: 4_000, source_file: Some(file!()), ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&(0..routes.len(), sent()), |(which, body)| {
            let (method, path) = &routes[which];
            let body = match body {
                Sent::Edited(edits) => edited(right(path), edits).to_string().into_bytes(),
                Sent::Bytes(bytes) => bytes,
            };
            let (status, answer) = send(which, body);
            prop_assert!(!status.is_server_error(), "{method} {path}: {}", String::from_utf8_lossy(&answer));
            if status.is_client_error() {
                let refusal: Value = serde_json::from_slice(&answer).unwrap();
                prop_assert!(refusal["Error"].is_string() || refusal["Message"].is_string(), "{refusal}");
            }
            Ok(())
        })
        .unwrap();
}
