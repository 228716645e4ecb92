//! What happened in the groups of an endpoint: on disk before the answer, append-only, kept as long as
//! history is, and still there after an upgrade.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use client_failover::{
    clock,
    domain::{
        Epoch, FailoverTimeout, GroupChange, GroupChangeKind, GroupId, GroupKey, GroupReason, Name, Place,
        SeatRecord, Seen, SessionId, Wall,
    },
    store::{ChangeQuery, DataFolder, Due, HistoryQuery, Store},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection, migrate::Migrator, sqlite::SqliteConnectOptions};

use crate::{
    database::{ask, ask_copy, sqlite},
    support::{Server, until},
};

const GROUPS: &str = "/api/v1/clientfailover/groups";

fn key() -> GroupKey {
    GroupKey { place: Place::OnPremises, id: GroupId::new("g").unwrap() }
}

fn change(at: Wall, explanation: &str) -> GroupChange {
    GroupChange {
        at,
        since: None,
        kind: GroupChangeKind::OverrideBegan,
        reason: GroupReason::OperatorAsked,
        explanation: explanation.to_owned(),
        session: Some(SessionId::new("a").unwrap()),
        epoch: Epoch::new(7),
        asked_by: Some(Name::new("klaus").unwrap()),
        members: vec![Seen {
            session: SessionId::new("a").unwrap(),
            score: None,
            heard_ago: Some(Duration::from_millis(1_234)),
            acting: Some(true),
        }],
        receipt: None,
    }
}

async fn record(store: &Store, changes: &[GroupChange]) {
    let key = key();
    store.record_changes(&[(&key, Due::new(changes))]).await.unwrap();
}

async fn explanations(store: &Store) -> Vec<String> {
    let all = ChangeQuery { kind: None, before: None, limit: 10_000 };
    let page = store.group_history(&key(), &all).await.unwrap();
    page.rows.into_iter().rev().map(|change| change.explanation).collect()
}

async fn post(server: &Server, path: &str, body: &Value) -> Value {
    let answer = server.send(Method::POST, &format!("{GROUPS}{path}"), Some(&body.to_string())).await;
    assert!(answer.status.is_success(), "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn a_promotion_that_was_answered_keeps_its_row_through_kill_9() {
    for round in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::endpoint(folder.path(), &[]);
        post(&server, "", &json!({"Id": "g", "FailoverTimeout": "00:01:00"})).await;
        post(&server, "/g/clientsessions", &json!({"Id": "a", "Name": "a"})).await;
        let beat = json!({
            "FailoverScore": 100, "Incarnation": "i", "BootId": "b", "Sequence": 1, "Answered": 0,
            "AppliedRole": "Secondary",
        });
        let answer = post(&server, "/g/clientsessions/a/heartbeat", &beat).await;
        server.kill();
        assert_eq!(answer["Role"], 1);
        let row = "select kind || ' ' || reason || ' ' || session_id || ' ' || epoch from endpoint_change";
        let expected = format!("Promoted NobodyWasPrimary a {}", answer["Epoch"]);
        assert_eq!(ask_copy(folder.path(), row), expected, "round {round}");
        let server = Server::endpoint(folder.path(), &[]);
        let page = server.get(&format!("{GROUPS}/g/history")).await.json();
        let promoted = &page["Items"].as_array().unwrap().last().unwrap();
        assert_eq!((&promoted["Kind"], &promoted["Epoch"]), (&json!("Promoted"), &answer["Epoch"]));
    }
}

#[tokio::test]
async fn changes_of_a_commit_that_was_said_to_have_failed_and_was_kept_come_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let rows = ["a", "b", "c"].map(|name| change(Wall::from_micros(7), name));
    record(&store, &rows[..2]).await;
    let seat = SeatRecord {
        holder: None,
        epoch: None,
        timeout: FailoverTimeout::DEFAULT,
        reason: "nobody was Primary".to_owned(),
        at: Wall::from_micros(8),
    };
    store.record_seat(&key(), &seat, Due { rows: &rows, doubted: 2 }).await.unwrap();
    store.record_changes(&[(&key(), Due { rows: &rows, doubted: 3 })]).await.unwrap();
    assert_eq!(explanations(&store).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_groups_history_cannot_be_changed_or_removed_through_the_sqlite3_shell() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let now = clock::now().wall;
    record(&store, &[change(now, "one"), change(now, "two")]).await;
    store.close().await;
    drop(store);
    let database = folder.path().join("failover.db");
    let before = ask(folder.path(), "select * from endpoint_change");
    let table = "endpoint_change";
    for statement in [
        format!("update {table} set at_us = 0"),
        format!("update {table} set sequence = sequence + 1000"),
        format!("delete from {table}"),
        format!("delete from {table} where sequence = (select max(sequence) from {table})"),
        format!("replace into {table} select * from {table}"),
        format!("insert or replace into {table} select * from {table} where sequence = 1"),
        format!("insert into {table} select * from {table} where true on conflict do update set at_us = 0"),
    ] {
        let why = sqlite(&database, &[], &statement).expect_err(&statement);
        assert!(why.contains("append-only"), "{statement}: {why}");
    }
    assert_eq!(ask(folder.path(), "select * from endpoint_change"), before);
    let view = ask(folder.path(), "select failover_group, event, explanation, asked_by from group_history");
    assert_eq!(view, "g|OverrideBegan|one|klaus\ng|OverrideBegan|two|klaus");
}

#[tokio::test]
async fn a_groups_history_is_pruned_by_age_and_by_the_endpoints_own_setting() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let hours = |hours: u64| clock::now().wall.minus(Duration::from_secs(hours * 3_600));
    let old: Vec<_> = (0..1_203).map(|number| change(hours(100), &format!("old {number}"))).collect();
    record(&store, &old).await;
    let young: Vec<_> = (0..3).map(|number| change(hours(49), &format!("young {number}"))).collect();
    record(&store, &young).await;
    record(&store, &[change(hours(47), "within")]).await;
    let mut batches = 0;
    while store.prune_history(hours(72)).await.unwrap() {
        batches += 1;
        assert!(batches < 10, "pruning ends");
    }
    assert!(batches >= 2, "in batches, so that others can write in between");
    assert_eq!(explanations(&store).await, ["young 0", "young 1", "young 2", "within"]);
    store.close().await;
    drop(store);
    // A process that another test starts at this moment has the lock too, until it becomes its program.
    until("the folder is free", async || DataFolder::hold(folder.path()).is_ok()).await;

    let server = Server::endpoint(folder.path(), &["--history-days", "2"]);
    until("what is older than two days is gone", async || {
        let page = server.get(&format!("{GROUPS}/g/history")).await.json();
        let items = page["Items"].as_array().unwrap();
        items.len() == 1 && items[0]["Explanation"] == "within"
    })
    .await;
    drop(server);
    let refused = sqlite(&folder.path().join("failover.db"), &[], "delete from endpoint_change");
    assert!(refused.unwrap_err().contains("append-only"), "after pruning it is append-only again");
}

/// A database as an earlier version left it: the migrations before `version`, and some rows.
async fn database_before(folder: &Path, version: i64, rows: &str) {
    let migrations = tempfile::tempdir().unwrap();
    let all = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    for entry in std::fs::read_dir(all).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.split('_').next().unwrap().parse::<i64>().unwrap() < version {
            std::fs::copy(&path, migrations.path().join(name)).unwrap();
        }
    }
    let options = SqliteConnectOptions::new().filename(folder.join("failover.db")).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    Migrator::new(migrations.path()).await.unwrap().run(&mut connection).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(rows.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    for (path, mode) in [(folder, 0o700), (&folder.join("failover.db"), 0o600)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[tokio::test]
async fn an_upgrade_keeps_the_history_of_a_database_without_receipts() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "
        insert into failover_transition (sequence, at_us, kind, reason, explanation, role, mode, adapter_state,
            failover_group_id, session_id, epoch, failover_score, last_data_processed_us, round_trip_us)
        values (3, 1000000, 'ServerStarted', 'Started', 'the server started', 'None', null, 'Starting',
                null, null, null, null, null, null),
               (7, 2000000, 'Role', 'ToldPrimary', 'the endpoint answered Primary', 'Primary', 'Hot', 'Running',
                'G', 'host-1', 7, 100, 1500000, 2345)";
    database_before(folder.path(), 3, rows).await;
    let columns = "sequence, at_us, kind, reason, explanation, role, mode, adapter_state, failover_group_id, session_id,
        epoch, failover_score, last_data_processed_us, round_trip_us";
    let all = format!("select {columns} from failover_transition order by sequence");
    let before = ask(folder.path(), &all);
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let query = HistoryQuery { from: None, to: None, kind: None, before: None, limit: 100 };
    let read = store.history(&query).await.unwrap().rows;
    assert_eq!(read.len(), 2);
    assert_eq!((read[0].explanation.as_str(), read[0].gap_us), ("the endpoint answered Primary", None));
    assert!(explanations(&store).await.is_empty());
    store.close().await;
    drop(store);
    assert_eq!(ask(folder.path(), &all), before);
    let shown = ask(folder.path(), "select event, explanation, gap from failover_history");
    assert_eq!(shown, "ServerStarted|the server started|\nRole|the endpoint answered Primary|");

    let mut server = Server::serve(folder.path(), &[]);
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
    server.terminate();
    let next = ask(folder.path(), "select min(sequence) from failover_transition where sequence > 7");
    assert_eq!(next, "8", "numbers go on where they were, so that cursors stay good");
    let refused = sqlite(&folder.path().join("failover.db"), &[], "delete from failover_transition");
    assert!(refused.unwrap_err().contains("append-only"));
}
