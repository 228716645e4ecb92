//! History is append-only, is pruned by age, and reads well in the sqlite3 shell.

use std::time::Duration;

use client_failover::{
    clock,
    domain::{
        AdapterState, Epoch, FailoverScore, GroupId, Mode, Now, Reason, Role, SessionId, Standing,
        Transition, TransitionKind, Uptime, Wall,
    },
    store::{Change, DataFolder, Due, HistoryQuery, Requester, Store},
};
use serde_json::json;

use crate::{
    database::{ask, sqlite},
    support::{HISTORY, Server, until},
};

fn row(at: Wall, explanation: &str) -> Transition {
    Transition {
        at,
        kind: TransitionKind::Role,
        reason: Reason::ToldPrimary,
        explanation: explanation.to_owned(),
        role: Role::Primary,
        mode: Some(Mode::Hot),
        adapter_state: AdapterState::Running,
        group: Some(GroupId::new("G").unwrap()),
        session: Some(SessionId::new("host-1").unwrap()),
        epoch: Epoch::new(7),
        score: Some(FailoverScore::FULL),
        last_data: Wall::parse("2026-01-31T07:59:59.5Z"),
        round_trip: Some(Duration::from_micros(2_345)),
        gap_us: None,
    }
}

async fn change(store: &Store, at: Wall) {
    let by = Requester { user: "somebody".to_owned(), from: None };
    let now = Now { uptime: Uptime::default(), wall: at };
    let nothing: Result<_, ()> = store
        .change_configuration(&by, now, &Standing::default(), |stored, _| {
            Ok(match stored {
                Some(stored) => Change::Replace(stored.config.clone()),
                None => Change::Create(configuration()),
            })
        })
        .await
        .unwrap();
    nothing.unwrap();
}

fn configuration() -> client_failover::domain::FailoverConfig {
    use client_failover::domain::{AccessDraft, ConfigurationId, Draft, Field};
    let text = |text: &str| Field::Value(text.to_owned());
    let access = AccessDraft { endpoint: text("http://h"), ..AccessDraft::default() };
    let draft = Draft { group: text("G"), mode: text("None"), access, ..Draft::default() };
    draft.complete(None, ConfigurationId::new("C").unwrap()).unwrap()
}

const EVERYTHING: HistoryQuery<TransitionKind> =
    HistoryQuery { from: None, to: None, kind: None, before: None, limit: 10_000 };

#[tokio::test]
async fn history_cannot_be_changed_or_removed_through_the_sqlite3_shell() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    server.configure(&json!({ "FailoverGroupId": "G", "Mode": "None", "Endpoint": "http://h" })).await;
    let database = folder.path().join("failover.db");
    let all = "select * from configuration_history; select * from failover_transition";
    server.until_history("ConfigurationChanged", "ConfigurationChanged").await;
    drop(server);
    let before = ask(folder.path(), all);
    for table in ["configuration_history", "failover_transition"] {
        for statement in [
            format!("update {table} set at_us = 0"),
            format!("update {table} set sequence = sequence + 1000"),
            format!("delete from {table}"),
            format!("delete from {table} where sequence = (select max(sequence) from {table})"),
            format!("replace into {table} select * from {table}"),
            format!("insert or replace into {table} select * from {table} where sequence = 1"),
            format!(
                "insert into {table} select * from {table} where true on conflict do update set at_us = 0"
            ),
        ] {
            let refused = sqlite(&database, &[], &statement);
            let why = refused.expect_err(&statement);
            assert!(why.contains("append-only"), "{statement}: {why}");
        }
    }
    assert_eq!(ask(folder.path(), all), before);
}

#[tokio::test]
async fn pruning_removes_what_is_old_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let now = clock::now().wall;
    let days = |days: u64| now.minus(Duration::from_secs(days * 86_400));
    let old: Vec<_> = (0..1_203).map(|number| row(days(40), &format!("old {number}"))).collect();
    store.record(Due::new(&old), None).await.unwrap();
    change(&store, days(40)).await;
    let young = [row(days(29), "young"), row(now, "now")];
    store.record(Due::new(&young), None).await.unwrap();
    change(&store, days(1)).await;
    // A clock that was set back wrote an old time after young ones: it waits until those are old, too.
    store.record(Due::new(&[row(days(40), "set back")]), None).await.unwrap();

    let mut batches = 0;
    while store.prune_history(days(30)).await.unwrap() {
        batches += 1;
        assert!(batches < 10, "pruning ends");
    }
    assert!(batches >= 2, "in batches, so that others can write in between");
    let rows = store.history(&EVERYTHING).await.unwrap().rows;
    let explanations: Vec<_> = rows.iter().rev().map(|row| row.explanation.as_str()).collect();
    let [young, now_row, changed, rest @ ..] = explanations.as_slice() else { panic!("{explanations:?}") };
    assert_eq!((*young, *now_row), ("young", "now"));
    assert!(changed.starts_with("the configuration was replaced"), "{changed}");
    assert!(matches!(rest, [] | ["set back"]), "{rest:?}");
    assert!(!store.prune_history(days(30)).await.unwrap(), "nothing more to remove");
    store.close().await;
    drop(store);
    assert_eq!(ask(folder.path(), "select count(*) from configuration_history"), "1");
    assert_eq!(ask(folder.path(), "select removable_before_us from history_retention"), "0");
    let refused = sqlite(&folder.path().join("failover.db"), &[], "delete from failover_transition");
    assert!(refused.unwrap_err().contains("append-only"), "after pruning it is append-only again");
}

#[tokio::test]
async fn rows_of_a_commit_that_was_said_to_have_failed_and_was_kept_come_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let at = clock::now().wall;
    let rows = [row(at, "a"), row(at, "b").recorded_late(Duration::from_secs(1)), row(at, "c")];
    store.record(Due::new(&rows[..2]), None).await.unwrap();
    change(&store, at).await;
    // The writer was told otherwise, and b is later still by now.
    let again = [row(at, "a"), row(at, "b").recorded_late(Duration::from_secs(2)), row(at, "c")];
    store.record(Due { rows: &again, doubted: 2 }, None).await.unwrap();
    store.record(Due { rows: &[row(at, "d")], doubted: 1 }, None).await.unwrap();
    let kept = store.history(&EVERYTHING).await.unwrap().rows;
    let kept: Vec<_> = kept.iter().rev().map(|row| row.explanation.as_str()).collect();
    let [a, b, changed, c, d] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!([*a, *b, *c, *d], ["a", "b (recorded 1.0 s later)", "c", "d"]);
    assert!(changed.starts_with("the configuration was created"), "{changed}");
}

#[tokio::test]
async fn history_days_says_how_long_history_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let hours = |hours: u64| clock::now().wall.minus(Duration::from_secs(hours * 3_600));
    let many: Vec<_> = (0..600).map(|_| row(hours(49), "before")).collect();
    store.record(Due::new(&many), None).await.unwrap();
    store.record(Due::new(&[row(hours(47), "within")]), None).await.unwrap();
    store.close().await;
    drop(store);
    let server = Server::serve(folder.path(), &["--history-days", "2"]);
    let explanations = async || {
        let page = server.get(&format!("{HISTORY}?limit=1000&kind=Role")).await.json();
        let items = page["Items"].as_array().unwrap().clone();
        items.iter().map(|item| item["Explanation"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    until("what is older than two days is gone", async || {
        !explanations().await.contains(&"before".to_owned())
    })
    .await;
    assert!(explanations().await.contains(&"within".to_owned()));
}

#[tokio::test]
async fn the_view_reads_well_in_the_sqlite3_shell() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let at = Wall::parse("2026-01-31T08:00:00.25Z").unwrap();
    let sparse = Transition {
        mode: None,
        group: None,
        session: None,
        epoch: None,
        score: None,
        last_data: None,
        round_trip: None,
        role: Role::None,
        kind: TransitionKind::ServerStarted,
        reason: Reason::Started,
        ..row(at, "the server started")
    };
    store
        .record(Due::new(&[sparse, row(at, "the endpoint answered Primary, \"so\" it is")]), None)
        .await
        .unwrap();
    store.close().await;
    drop(store);
    let database = folder.path().join("failover.db");
    let shown = sqlite(&database, &["-header", "-column"], "select * from failover_history").unwrap();
    // Without the padding at the ends of the lines, which editors remove.
    let shown: Vec<_> = shown.lines().map(str::trim_end).collect();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("failover_history_view", shown.join("\n")));
    assert_eq!(shown.len(), 4, "a header, a rule, one line for each event: {shown:?}");
}
