//! What is still there after a restart, and who waits for whom.

use std::{fs, time::Duration};

use axum::http::StatusCode;
use client_failover::{
    backup, clock,
    endpoint::{Endpoint, Settings},
    store::{DataFolder, Store},
};
use serde_json::json;

use crate::{App, CLOUD, ON_PREMISES, native, refused, support};

/// Beats until `role` is answered; how long that took.
async fn until(app: &App, session: &str, role: u64) -> Duration {
    let begun = clock::now().uptime;
    let mut sequence = 1_000;
    support::until(&format!("the role {role}"), async || {
        sequence += 1;
        let beat = native(session, sequence, sequence - 1, false);
        app.beat(ON_PREMISES, "g", session, beat).await.body["Role"] == role
    })
    .await;
    clock::now().uptime.since(begun)
}

#[tokio::test]
async fn everything_is_still_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:01:00").await;
    app.group(CLOUD, "g", "00:00:30").await;
    app.member(ON_PREMISES, "g", "a").await;
    app.member(ON_PREMISES, "g", "b").await;
    let first = app.beat(ON_PREMISES, "g", "a", native("a", 1, 0, false)).await;
    let path = format!("{ON_PREMISES}/groups/g/clientsessions/b/roleoverride");
    let forced = app.post(&path, json!({"Value": 1, "ExpirationPeriod": "01:00:00"})).await;
    let groups = (
        app.get(&format!("{ON_PREMISES}/groups")).await.body,
        app.get(&format!("{CLOUD}/groups")).await.body,
    );
    app.close().await;

    let app = App::open(folder.path()).await;
    assert_eq!(groups.0, app.get(&format!("{ON_PREMISES}/groups")).await.body);
    assert_eq!(groups.1, app.get(&format!("{CLOUD}/groups")).await.body);
    let sessions = app.get(&format!("{ON_PREMISES}/groups/g/clientsessions")).await.body;
    assert_eq!((&sessions[0]["Id"], &sessions[0]["Role"]), (&json!("a"), &json!(1)));
    assert_eq!(sessions[1]["RoleOverrideExpirationTime"], forced.body["RoleOverrideExpirationTime"]);
    let renewed = app.beat(ON_PREMISES, "g", "a", native("a", 2, 1, true)).await;
    assert_eq!((&renewed.body["Role"], &renewed.body["Epoch"]), (&json!(1), &first.body["Epoch"]));
}

#[tokio::test]
async fn a_restart_without_its_high_water_mark_waits_for_t_and_one_with_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:00:02").await;
    app.member(ON_PREMISES, "g", "a").await;
    assert_eq!(app.beat(ON_PREMISES, "g", "a", native("a", 1, 0, false)).await.body["Role"], 1);
    assert_ne!(app.beat(ON_PREMISES, "g", "a", native("a", 2, 1, false)).await.body["Role"], 1);
    app.close().await;

    // The seat is free, and the mark proves it.
    let app = App::open(folder.path()).await;
    let answer = app.beat(ON_PREMISES, "g", "a", native("a", 3, 2, false)).await;
    assert_eq!(answer.body["Role"], 1, "{}", answer.body);
    assert_ne!(app.beat(ON_PREMISES, "g", "a", native("a", 4, 3, false)).await.body["Role"], 1);
    app.close().await;

    fs::remove_file(folder.path().join("endpoint.mark")).unwrap();
    let app = App::open(folder.path()).await;
    let waited = until(&app, "a", 1).await;
    assert!(waited >= Duration::from_millis(1_900), "{waited:?}");
}

#[tokio::test]
async fn a_database_that_was_set_back_waits_for_t() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("failover.db");
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:00:02").await;
    app.member(ON_PREMISES, "g", "a").await;
    app.close().await;
    let backup = fs::read(&database).unwrap();
    let app = App::open(folder.path()).await;
    let acting = app.beat(ON_PREMISES, "g", "a", native("a", 1, 0, false)).await.body;
    assert_eq!(acting["Role"], 1, "a group that never had a Primary and whose mark is new waits for nobody");
    app.close().await;

    fs::write(&database, backup).unwrap();
    let app = App::open(folder.path()).await;
    app.member(ON_PREMISES, "g", "b").await;
    assert_eq!(app.beat(ON_PREMISES, "g", "b", native("b", 1, 0, false)).await.body["Role"], 0);
    let mut beat = native("a", 2, 1, true);
    beat["Epoch"] = acting["Epoch"].clone();
    let renewed = app.beat(ON_PREMISES, "g", "a", beat).await.body;
    assert_eq!((&renewed["Role"], &renewed["Epoch"]), (&json!(1), &acting["Epoch"]));
}

#[tokio::test]
async fn a_restored_endpoint_believes_no_record_and_no_epoch_goes_back() {
    // In place, where the mark knows what came after the backup; elsewhere, where nothing but the backup does; and in
    // place when nothing came after it, so that the records look exact.
    for (elsewhere, later) in [(false, true), (true, true), (false, false)] {
        let outer = tempfile::tempdir().unwrap();
        let (data, file) = (outer.path().join("data"), outer.path().join("backup"));
        let app = App::open(&data).await;
        app.group(ON_PREMISES, "g", "00:00:02").await;
        app.member(ON_PREMISES, "g", "a").await;
        let mut last = app.beat(ON_PREMISES, "g", "a", native("a", 1, 0, false)).await.body;
        assert_eq!(last["Role"], 1);
        // It never acted: the seat is free again.
        assert_ne!(app.beat(ON_PREMISES, "g", "a", native("a", 2, 1, false)).await.body["Role"], 1);
        backup::back_up(&data, &file, "test".to_owned()).await.unwrap();
        if later {
            last = app.beat(ON_PREMISES, "g", "a", native("a", 3, 2, false)).await.body;
            assert_eq!(last["Role"], 1, "{last}");
        }
        let highest = last["Epoch"].as_u64().unwrap();
        app.close().await;

        let data = if elsewhere { outer.path().join("elsewhere") } else { data };
        backup::restore(&file, &data, None, "test".to_owned()).await.unwrap();
        let app = App::open(&data).await;
        let waited = until(&app, "a", 1).await;
        assert!(waited >= Duration::from_millis(1_900), "{elsewhere} {later}: {waited:?}");
        let status = app.get(&format!("{ON_PREMISES}/groups/g/status")).await.body;
        assert!(status["Epoch"].as_u64().unwrap() > highest, "{elsewhere} {later}: {status} {highest}");
        app.close().await;
    }
}

#[tokio::test]
async fn a_group_that_was_deleted_and_comes_back_still_holds_the_seat() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:00:02").await;
    app.member(ON_PREMISES, "g", "a").await;
    assert_eq!(app.beat(ON_PREMISES, "g", "a", native("a", 1, 0, false)).await.body["Role"], 1);
    let begun = clock::now().uptime;
    app.delete(&format!("{ON_PREMISES}/groups/g/clientsessions/a")).await;
    app.delete(&format!("{ON_PREMISES}/groups/g")).await;
    app.group(ON_PREMISES, "g", "00:00:02").await;
    app.member(ON_PREMISES, "g", "b").await;
    until(&app, "b", 1).await;
    let waited = clock::now().uptime.since(begun);
    assert!(waited >= Duration::from_millis(1_900), "{waited:?}");
}

#[tokio::test]
async fn a_silent_session_stays_until_the_retention_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let settings = Settings { session_retention: Duration::from_secs(1), ..Settings::default() };
    let endpoint = Endpoint::open(store.clone(), settings).await.unwrap();
    let app = App::attend(endpoint, store).await;
    app.group(ON_PREMISES, "g", "00:00:00.25").await;
    app.member(ON_PREMISES, "g", "a").await;
    let begun = clock::now().uptime;
    support::until("the session is gone", async || {
        app.get(&format!("{ON_PREMISES}/groups/g/clientsessions/a")).await.status != StatusCode::OK
    })
    .await;
    assert!(clock::now().uptime.since(begun) >= Duration::from_secs(1));
    app.close().await;
}

#[tokio::test]
async fn a_store_that_refuses_makes_nobody_primary_and_renews() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    for group in ["g", "h"] {
        app.group(ON_PREMISES, group, "00:01:00").await;
        app.member(ON_PREMISES, group, "a").await;
    }
    assert_eq!(app.beat(ON_PREMISES, "g", "a", native("a", 1, 0, false)).await.body["Role"], 1);
    // The mark cannot be written: a folder has its name.
    let mark = folder.path().join("endpoint.mark");
    fs::remove_file(&mark).unwrap();
    fs::create_dir(&mark).unwrap();
    let answer = app.beat(ON_PREMISES, "h", "a", native("a", 1, 0, false)).await;
    refused(&answer, StatusCode::SERVICE_UNAVAILABLE);
    // Neither is it in the heartbeats that follow, whatever the database holds by then.
    for sequence in 2..5 {
        let answer = app.beat(ON_PREMISES, "h", "a", native("a", sequence, 0, false)).await;
        assert_ne!(answer.body["Role"], 1, "{sequence}");
    }
    assert_eq!(app.beat(ON_PREMISES, "g", "a", native("a", 2, 1, true)).await.body["Role"], 1);
    fs::remove_dir(&mark).unwrap();
    let mut sequence = 5;
    support::until("the group goes on", async || {
        sequence += 1;
        app.beat(ON_PREMISES, "h", "a", native("a", sequence, 0, false)).await.body["Role"] == 1
    })
    .await;
}

#[tokio::test]
async fn after_a_start_that_proved_nothing_the_next_one_is_trusted_only_once_every_lease_there_was_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "long", "00:01:00").await;
    app.member(ON_PREMISES, "long", "b").await;
    assert_eq!(app.beat(ON_PREMISES, "long", "b", native("b", 1, 0, false)).await.body["Role"], 1);
    app.close().await;

    // The database is lost, the mark is not; and a group with a small T comes first.
    for file in ["failover.db", "failover.db-wal", "failover.db-shm"] {
        fs::remove_file(folder.path().join(file)).ok();
    }
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "short", "00:00:00.25").await;
    app.member(ON_PREMISES, "short", "a").await;
    // For more than twice the small T.
    let begun = clock::now().uptime;
    for sequence in 1..=10 {
        let answer = app.beat(ON_PREMISES, "short", "a", native("a", sequence, sequence - 1, false)).await;
        assert_eq!(answer.body["Role"], 0, "{}", answer.body);
        let due = begun + Duration::from_millis(62) * u32::try_from(sequence).unwrap();
        support::until("the next heartbeat is due", async || clock::now().uptime >= due).await;
    }
    app.close().await;

    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "long", "00:00:00.25").await;
    app.member(ON_PREMISES, "long", "c").await;
    let answer = app.beat(ON_PREMISES, "long", "c", native("c", 1, 0, false)).await;
    assert_eq!(answer.body["Role"], 0, "B may still act: {}", answer.body);
}
