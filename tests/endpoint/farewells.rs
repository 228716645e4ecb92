//! What the end of a session leaves behind: its override, and its seat.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use client_failover::{
    clock,
    domain::{AuditAction, AuditKind, AuditRow, Deed, GroupKey, Place, SessionId, UserName},
    endpoint::{Endpoint, Settings},
    store::{DataFolder, Store},
    wire::{
        endpoint::{read_group, read_session},
        members::{Content, Members},
    },
};
use serde_json::json;

use crate::{App, ON_PREMISES, native, refused, support};

fn members(text: &str) -> Members {
    Content::parse(text.as_bytes()).unwrap().object().unwrap()
}

fn told(kind: AuditKind) -> AuditRow {
    let deed = Deed { kind, action: AuditAction::Deleted, subject: "g: a".to_owned() };
    AuditRow::of_deed(deed, clock::now().wall, "admin".to_owned(), None)
}

/// An endpoint with a group of T = 60 s, in which there is the session `a` of `owner`.
async fn hosted(store: &Store, owner: Option<UserName>) -> (Endpoint, GroupKey, SessionId) {
    let endpoint = Endpoint::open(store.clone(), Settings::default()).await.unwrap();
    let group = read_group(Place::OnPremises, members(r#"{"Id": "g", "FailoverTimeout": "00:01:00"}"#));
    let group = group.unwrap();
    let key = group.key();
    endpoint.create_group(group, &told(AuditKind::Group)).await.unwrap();
    let session = read_session(members(r#"{"Id": "a"}"#)).unwrap();
    endpoint.create_session(&key, session, owner.as_ref()).await.unwrap();
    (endpoint, key, SessionId::new("a").unwrap())
}

#[tokio::test]
async fn last_words_are_never_answered_with_the_role_that_they_give_up() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:01:00").await;
    app.member(ON_PREMISES, "g", "a").await;
    app.member(ON_PREMISES, "g", "b").await;
    let beat =
        async |id: &str, heartbeat| app.beat(ON_PREMISES, "g", id, heartbeat).await.body["Role"].clone();
    assert_eq!(beat("a", native("a", 1, 0, false)).await, 1);
    assert_eq!(beat("a", native("a", 2, 1, true)).await, 1);
    assert_eq!(beat("b", native("b", 1, 0, false)).await, 0);
    let path = format!("{ON_PREMISES}/groups/g/clientsessions/a/roleoverride");
    assert_eq!(app.post(&path, json!({"Value": "Primary"})).await.status, StatusCode::OK);
    // The answer to its second heartbeat is on its way yet.
    for (sequence, answered) in [(3, 1), (4, 3)] {
        let mut word = native("a", sequence, answered, false);
        (word["FailoverScore"], word["Leaving"]) = (json!(0), json!(true));
        assert_eq!(beat("a", word).await, 0);
    }
    assert_eq!(beat("b", native("b", 2, 1, false)).await, 1);
    app.close().await;
}

#[tokio::test]
async fn an_override_waits_for_its_target_over_its_farewell_and_a_restart_and_can_be_ended_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:01:00").await;
    app.member(ON_PREMISES, "g", "a").await;
    let session = format!("{ON_PREMISES}/groups/g/clientsessions/a");
    let path = format!("{session}/roleoverride");
    app.post(&path, json!({"Value": "Primary", "ExpirationPeriod": "08:00:00"})).await;
    assert_eq!(app.delete(&session).await.status, StatusCode::NO_CONTENT);
    let forced = async |app: &App| {
        let status = app.get(&format!("{ON_PREMISES}/groups/g/status")).await.body;
        status["RoleOverride"]["SessionId"].clone()
    };
    assert_eq!(forced(&app).await, "a");
    refused(&app.post(&path, json!({"Value": "Primary"})).await, StatusCode::NOT_FOUND);
    app.close().await;

    let app = App::open(folder.path()).await;
    assert_eq!(forced(&app).await, "a");
    app.member(ON_PREMISES, "g", "a").await;
    let shown = app.get(&session).await.body;
    assert_eq!(shown["RoleOverride"], 1, "{shown}");
    app.delete(&session).await;
    let ended = app.send(Method::POST, &path, Some(json!({"Value": "Off"}))).await;
    assert_eq!((ended.status, &ended.body["Value"]), (StatusCode::OK, &json!(0)));
    assert_eq!(forced(&app).await, json!(null));
    refused(&app.post(&path, json!({"Value": "Off"})).await, StatusCode::NOT_FOUND);
    app.close().await;
}

#[tokio::test]
async fn who_removes_another_users_session_ends_its_override_and_leaves_a_stock_primary_its_seat() {
    for owner in [UserName::new("adapter").ok(), None] {
        removed_by_another(owner).await;
    }
}

async fn removed_by_another(owner: Option<UserName>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let (endpoint, key, id) = hosted(&store, owner).await;
    let app = App::attend(endpoint.clone(), store).await;
    let stock = json!({"FailoverScore": 100});
    assert_eq!(app.beat(ON_PREMISES, "g", "a", stock.clone()).await.body["Role"], 1);
    app.member(ON_PREMISES, "g", "b").await;
    let session = format!("{ON_PREMISES}/groups/g/clientsessions/a");
    app.post(&format!("{session}/roleoverride"), json!({"Value": "Primary"})).await;
    let admin = UserName::new("admin").unwrap();
    endpoint.delete_session(&key, &id, Some(&admin), Some(&told(AuditKind::Session))).await.unwrap();
    assert_eq!(app.beat(ON_PREMISES, "g", "b", stock.clone()).await.body["Role"], 0, "a may act still");
    let status = app.get(&format!("{ON_PREMISES}/groups/g/status")).await.body;
    assert_eq!((&status["Primary"], &status["RoleOverride"]), (&json!("a"), &json!(null)));
    drop(endpoint);
    app.close().await;

    // Removed by its own adapter, it has stopped.
    let app = App::open(folder.path()).await;
    app.member(ON_PREMISES, "g", "a").await;
    assert_eq!(app.beat(ON_PREMISES, "g", "a", stock.clone()).await.body["Role"], 1);
    app.delete(&session).await;
    assert_eq!(app.beat(ON_PREMISES, "g", "b", stock).await.body["Role"], 1);
    app.close().await;
}

#[tokio::test]
async fn a_retention_below_the_pace_of_heartbeats_removes_nobody_that_lives() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let settings = Settings { session_retention: Duration::from_millis(1), ..Settings::default() };
    let endpoint = Endpoint::open(store.clone(), settings).await.unwrap();
    let app = App::attend(endpoint, store).await;
    for (group, timeout) in [("slow", "00:05:00"), ("fast", "00:00:00.25")] {
        app.group(ON_PREMISES, group, timeout).await;
        app.member(ON_PREMISES, group, "a").await;
        assert_eq!(app.beat(ON_PREMISES, group, "a", json!({"FailoverScore": 100})).await.body["Role"], 1);
    }
    let gone = async |group: &str| {
        app.get(&format!("{ON_PREMISES}/groups/{group}/clientsessions/a")).await.status != StatusCode::OK
    };
    // Whoever looks after one group looks after the other in the same round, in the order of their names.
    support::until("the session of the fast group is gone", async || gone("fast").await).await;
    app.member(ON_PREMISES, "fast", "a").await;
    support::until("it is gone again", async || gone("fast").await).await;
    assert!(!gone("slow").await);
    let status = app.get(&format!("{ON_PREMISES}/groups/slow/status")).await.body;
    assert_eq!(status["Primary"], "a");
    app.close().await;
}
