//! The key: missing, another one, damaged, or readable by others.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    database::{ask, sqlite},
    folder::refused_start,
    support::{FACET, FAILOVER, STATE, Server, ear::Ear, until},
};

fn configuration(endpoint: &str) -> Value {
    json!({
        "Id": "C", "FailoverGroupId": "G", "Mode": "Hot", "Endpoint": endpoint, "UserName": "u", "Password": "p",
        "FailoverTimeout": "00:00:01",
    })
}

fn write_key(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The key of another server.
fn foreign_key() -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::serve(folder.path(), &[]);
    server.terminate();
    fs::read_to_string(folder.path().join("key")).unwrap()
}

/// Everything that is stored, but the history.
fn stored(data: &Path) -> String {
    let both = "select * from client_failover_configuration; select * from configuration_history";
    sqlite(&data.join("failover.db"), &["-quote"], both).unwrap()
}

/// What is served and what is refused while the stored secret cannot be read.
async fn check_faulted(server: &Server, why: &str) {
    until("the fault is published", async || server.get(STATE).await.json()["AdapterState"] == "Faulted")
        .await;
    assert_eq!(server.get(STATE).await.json()["Role"], "Secondary");
    let failover = server.get(FAILOVER).await.json();
    assert_eq!(failover["Reason"], "ConfigurationUnusable", "{failover}");
    let explanation = failover["Explanation"].as_str().unwrap();
    assert!(explanation.contains(why), "{failover}");
    // What it says to do works (every other way is refused below), and no table is named.
    assert!(
        explanation.contains("start with an empty data folder") && !explanation.contains("PUT"),
        "{failover}"
    );
    assert!(!explanation.contains("client_failover_configuration"), "{failover}");
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.json()["Reasons"][0].as_str().unwrap().contains(why), "{}", ready.body);
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);

    let shown = server.get(FACET).await;
    assert_eq!(shown.json()[0]["Password"], "***************");
    let one = format!("{FACET}/C");
    let whole = configuration("http://localhost:1").to_string();
    for (method, path, body) in [
        (Method::PUT, FACET, Some(whole.as_str())),
        (Method::PUT, &one, Some(&whole)),
        (Method::PATCH, FACET, Some("{\"Name\":\"n\"}")),
        (Method::PATCH, &one, Some("{\"UserName\":null,\"Password\":null}")),
        (Method::DELETE, FACET, None),
        (Method::DELETE, &one, None),
        (Method::POST, FACET, Some(&whole)),
    ] {
        let answer = server.send(method.clone(), path, body).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{method} {path}: {}", answer.body);
        let refusal = answer.json();
        assert!(refusal["Reason"].as_str().unwrap().contains(why), "{method} {path}: {refusal}");
        assert!(refusal["Resolution"].as_str().unwrap().contains("right key"), "{method} {path}: {refusal}");
        assert!(refusal["Resolution"].as_str().unwrap().contains("an empty data folder"), "{refusal}");
        assert_eq!(server.get(FACET).await.body, shown.body);
    }
}

/// What is done to a key.
type Sabotage = fn(&Path);

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_key_everything_else_is_served_and_nothing_is_lost() {
    let sabotages: [(&str, Sabotage); 4] = [
        ("cannot be read", |key| fs::remove_file(key).unwrap()),
        ("sealed with another key", |key| write_key(key, &foreign_key())),
        ("is damaged", |key| write_key(key, "client-failover-key-1 00 00\n")),
        ("is damaged", |key| write_key(key, "")),
    ];
    for (why, sabotage) in sabotages {
        let folder = tempfile::tempdir().unwrap();
        let (data, key) = (folder.path(), folder.path().join("key"));
        let ear = Ear::listen();
        let wanted = Ear::basic("u", "p");
        let mut server = Server::serve(data, &[]);
        server.configure(&configuration(&ear.url)).await;
        until("the secret is sent", async || ear.heard().contains(&wanted)).await;
        server.terminate();
        let (right_key, before, heard) = (fs::read_to_string(&key).unwrap(), stored(data), ear.heard().len());

        sabotage(&key);
        let wrong_key = fs::read_to_string(&key).ok();
        server = Server::serve(data, &[]);
        check_faulted(&server, why).await;
        server.until_log(why).await;
        server.terminate();
        assert_eq!(stored(data), before, "{why}: nothing is deleted or overwritten");
        assert_eq!(fs::read_to_string(&key).ok(), wrong_key, "{why}: no key is made over the wrong one");
        assert_eq!(ear.heard().len(), heard, "{why}: the endpoint is never asked without the secret");

        write_key(&key, &right_key);
        server = Server::serve(data, &[]);
        until("the secret is sent again", async || ear.heard()[heard..].contains(&wanted)).await;
        assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
        assert_ne!(server.get(STATE).await.json()["AdapterState"], "Faulted");
        server.configure(&configuration("http://localhost:1")).await;
    }
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    Server::serve(folder.path(), &[]).terminate();
    for mode in [0o644, 0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let (code, said) = refused_start(folder.path());
        assert_eq!(code, Some(1), "{mode:o}: {said}");
        assert!(said.contains(&format!("chmod 600 {}", key.display())), "{mode:o}: {said}");
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(Server::serve(folder.path(), &[]).get("/readyz").await.status, StatusCode::OK, "{mode:o}");
    }
}

#[tokio::test]
async fn a_key_is_made_anew_only_while_nothing_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    let bare = json!({ "FailoverGroupId": "G", "Mode": "None", "Endpoint": "http://localhost:1" });
    let mut server = Server::serve(folder.path(), &[]);
    server.configure(&bare).await;
    server.terminate();
    fs::remove_file(&key).unwrap();
    server = Server::serve(folder.path(), &[]);
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
    server.configure(&configuration("http://localhost:1")).await;
    server.send(Method::DELETE, FACET, None).await;
    server.terminate();

    // A damaged one is put aside, not lost: it may have sealed what is only in a backup now.
    write_key(&key, "nonsense");
    server = Server::serve(folder.path(), &[]);
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
    server.until_log("a new one is made").await;
    server.configure(&configuration("http://localhost:1")).await;
    assert_eq!(fs::read_to_string(folder.path().join("key.damaged")).unwrap(), "nonsense");
}

#[tokio::test]
async fn a_stored_row_that_was_damaged_is_faulted_and_kept() {
    for (damage, why) in [
        ("password = x'01'", "is damaged"),
        ("password = x''", "is damaged"),
        ("password = zeroblob(80)", "sealed by a newer version"),
        ("endpoint = 'nonsense'", "Endpoint is not a well-formed absolute URL"),
        ("endpoint = 'https://h', user_name = null, password = null", "Endpoint is an https URL"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let data: PathBuf = folder.path().to_owned();
        let ear = Ear::listen();
        let mut server = Server::serve(&data, &[]);
        server.configure(&configuration(&ear.url)).await;
        server.terminate();
        ask(&data, &format!("update client_failover_configuration set {damage}"));
        let (before, heard) = (stored(&data), ear.heard().len());
        server = Server::serve(&data, &[]);
        until("the fault is published", async || server.get(STATE).await.json()["AdapterState"] == "Faulted")
            .await;
        assert_eq!(server.get(STATE).await.json()["Role"], "Secondary", "{damage}");
        let ready = server.get("/readyz").await;
        assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE, "{damage}: {}", ready.body);
        assert!(ready.body.contains(why), "{damage}: {}", ready.body);
        let whole = configuration("http://localhost:1").to_string();
        for (method, body) in [(Method::PUT, Some(whole.as_str())), (Method::DELETE, None)] {
            let answer = server.send(method, FACET, body).await;
            assert!(answer.status.is_server_error(), "{damage}: {}", answer.body);
            assert!(answer.json()["Resolution"].is_string(), "{damage}: {}", answer.body);
        }
        server.terminate();
        assert_eq!(stored(&data), before, "{damage}");
        assert_eq!(ear.heard().len(), heard, "{damage}: the endpoint is not asked");
    }
}
