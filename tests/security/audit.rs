//! The audit trail: who changed what, from where, and what was refused; and a flood that hides nothing.

use std::path::Path;

use client_failover::store::{DataFolder, Store};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    guarded::{PASSWORD, add_all, answer, get, send, user},
    support::{FACET, Server, client, until},
};

const AUDIT: &str = "/api/v1/management/audit";
const BASE: &str = "/api/v1/clientfailover";

/// The whole trail, oldest first, as an administrator reads it.
async fn trail(server: &Server) -> Vec<Value> {
    let page = get(server, Some("admin"), &format!("{AUDIT}?limit=1000")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    page.json()["Items"].as_array().unwrap().iter().rev().cloned().collect()
}

/// Waits for a row of which all these members are so, and gives it.
async fn until_row(server: &Server, wanted: Value) -> Value {
    let mut found = None;
    until(&format!("a row {wanted}"), async || {
        let fits =
            |row: &Value| wanted.as_object().unwrap().iter().all(|(member, value)| row[member] == *value);
        found = trail(server).await.into_iter().find(fits);
        found.is_some()
    })
    .await;
    found.unwrap()
}

fn sqlite(folder: &Path, sql: &str) -> (bool, String) {
    let shell =
        std::process::Command::new("sqlite3").arg(folder.join("failover.db")).arg(sql).output().unwrap();
    (shell.status.success(), String::from_utf8_lossy(&[shell.stdout, shell.stderr].concat()).into_owned())
}

/// The whole trail, oldest first, read in pages of one.
async fn page_by_page(server: &Server) -> Vec<Value> {
    let (mut cursor, mut rows) = (String::new(), Vec::new());
    loop {
        let page = get(server, Some("admin"), &format!("{AUDIT}?limit=1{cursor}")).await.json();
        rows.extend(page["Items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["NextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    rows.reverse();
    rows
}

#[tokio::test]
async fn every_change_is_told_with_who_and_from_where() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let mut server = Server::serve(folder.path(), &["--with-endpoint"]);
    let told = trail(&server).await;
    assert_eq!(told[0]["Kind"], "User", "{told:?}");
    assert_eq!((&told[0]["Action"], &told[0]["RequestedFrom"]), (&json!("Created"), &Value::Null));
    assert!(told[0]["RequestedBy"].as_str().unwrap().contains('@'), "whoever runs the command: {}", told[0]);

    let put = async |path: &str, body: Value| {
        let done = send(&server, Some("admin"), Method::PUT, path, Some(&body.to_string())).await;
        assert!(done.status.is_success(), "{path}: {}", done.body);
    };
    put("/api/v1/management/secrets/plc", json!({ "Value": "a planted secret" })).await;
    let configuration = json!({
        "Id": "C", "FailoverGroupId": "G", "Mode": "None", "Endpoint": "http://127.0.0.1:9", "UserName": "u", "Password": "another planted secret",
    });
    put(FACET, configuration).await;
    put("/api/v1/configuration/Egress/DataEndpoints", json!({ "Id": "d", "Endpoint": "http://127.0.0.1:9" }))
        .await;
    let post = async |path: String, who: &str, body: Value| {
        let done = send(&server, Some(who), Method::POST, &path, Some(&body.to_string())).await;
        assert!(done.status.is_success(), "{path}: {}", done.body);
    };
    post(format!("{BASE}/groups"), "user", json!({ "Id": "Line 1", "FailoverTimeout": "00:01:00" })).await;
    post(format!("{BASE}/groups/Line%201/clientsessions"), "user", json!({ "Id": "plc-a" })).await;
    let session = format!("{BASE}/groups/Line%201/clientsessions/plc-a");
    post(format!("{session}/roleoverride"), "admin", json!({ "Value": "Primary" })).await;
    let delete = async |path: &str| {
        let done = send(&server, Some("admin"), Method::DELETE, path, None).await;
        assert_eq!(done.status, StatusCode::NO_CONTENT, "{path}: {}", done.body);
    };
    delete(&session).await;
    delete(&format!("{BASE}/groups/Line%201")).await;
    delete("/api/v1/management/secrets/plc").await;

    for (kind, action, subject) in [
        ("Secret", "Created", "plc"),
        ("Configuration", "Created", "ClientFailover C"),
        ("Configuration", "Created", "DataEndpoints d"),
        ("Override", "Began", "Line 1: plc-a"),
        ("Session", "Deleted", "Line 1: plc-a"),
        ("Group", "Deleted", "Line 1"),
        ("Secret", "Deleted", "plc"),
    ] {
        let row = until_row(&server, json!({ "Kind": kind, "Action": action, "Subject": subject })).await;
        assert_eq!(row["RequestedBy"], "admin", "{row}");
        assert!(row["RequestedFrom"].as_str().unwrap().starts_with("127.0.0.1:"), "{row}");
    }
    let row = until_row(&server, json!({ "Subject": "ClientFailover C" })).await;
    let changed: Vec<_> =
        row["Changes"].as_array().unwrap().iter().map(|one| one["Member"].as_str().unwrap()).collect();
    assert!(changed.contains(&"Password"), "{row}");

    let rows = page_by_page(&server).await;
    assert_eq!(rows, trail(&server).await);
    let kinds = get(&server, Some("admin"), &format!("{AUDIT}?kind=override")).await.json();
    assert_eq!(kinds["Items"].as_array().unwrap().len(), 1);
    assert_eq!(get(&server, Some("admin"), &format!("{AUDIT}?kind=x")).await.status, StatusCode::BAD_REQUEST);

    assert!(!serde_json::to_string(&rows).unwrap().contains("planted"));
    server.terminate();
    let (_, shown) = sqlite(folder.path(), "select * from audit_trail");
    assert_eq!(shown.lines().count(), rows.len(), "{shown}");
    for change in [
        "delete from audit",
        "update audit set requested_by = 'x'",
        "insert or replace into audit select * from audit",
    ] {
        let (done, said) = sqlite(folder.path(), change);
        assert!(!done && said.contains("append-only"), "{change}: {said}");
    }
}

#[tokio::test]
async fn a_secret_that_is_described_otherwise_and_a_group_that_is_made_are_told() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    // The mask keeps the value; only what else differs is a change.
    let masked = json!({
        "Value": "***************", "Description": "planted words", "ExpirationDate": "2030-01-01",
    });
    for body in [json!({ "Value": "a planted secret" }), masked.clone(), masked] {
        let path = "/api/v1/management/secrets/plc";
        let done = send(&server, Some("admin"), Method::PUT, path, Some(&body.to_string())).await;
        assert!(done.status.is_success(), "{}", done.body);
    }
    let row = until_row(&server, json!({ "Kind": "Secret", "Action": "Updated", "Subject": "plc" })).await;
    assert_eq!(row["RequestedBy"], "admin", "{row}");
    let updated = trail(&server).await.iter().filter(|row| row["Action"] == "Updated").count();
    assert_eq!(updated, 1, "what changes nothing is no change");
    let history = get(&server, Some("user"), "/api/v1/diagnostics/FailoverHistory").await.body;
    assert!(history.contains("was updated by admin") && !history.contains("planted"), "{history}");

    let group = json!({ "Id": "Line 1", "FailoverTimeout": "00:01:00" }).to_string();
    for _ in 0..2 {
        let done = send(&server, Some("user"), Method::POST, &format!("{BASE}/groups"), Some(&group)).await;
        assert!(done.status.is_success(), "{}", done.body);
    }
    let made = "Line 1: FailoverTimeout 00:01:00";
    let row = until_row(&server, json!({ "Kind": "Group", "Action": "Created", "Subject": made })).await;
    assert_eq!(row["RequestedBy"], "user", "{row}");
    assert!(row["RequestedFrom"].as_str().unwrap().starts_with("127.0.0.1:"), "{row}");
    let groups = trail(&server).await.iter().filter(|row| row["Kind"] == "Group").count();
    assert_eq!(groups, 1, "who finds one has made none");
}

#[tokio::test]
async fn what_is_refused_is_told_and_a_flood_of_it_costs_few_rows_and_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let mut server = Server::serve(folder.path(), &["--with-endpoint"]);
    // Who has logged in from there is not slowed by a neighbour who guesses.
    for known in ["user", "admin"] {
        assert_eq!(get(&server, Some(known), FACET).await.status, StatusCode::OK);
    }
    for attempt in 0..200 {
        let guess = client()
            .get(format!("{}{FACET}", server.url))
            .basic_auth(format!("user {}", attempt % 3), Some(format!("wrong password {attempt}")));
        assert!(answer(guess).await.status.is_client_error());
        let stranger =
            client().get(format!("{}{FACET}", server.url)).header("host", format!("evil{attempt}.example"));
        assert_eq!(answer(stranger).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(send(&server, Some("user"), Method::DELETE, FACET, None).await.status, StatusCode::FORBIDDEN);
    for _ in 0..100 {
        let bad = send(&server, Some("admin"), Method::PUT, FACET, Some("{}")).await;
        assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    }
    for (action, by, subject, status) in [
        ("WrongLogin", "user 0", "GET /api/v1/configuration/system/clientfailover", 401),
        ("TooManyLogins", "", "GET /api/v1/configuration/system/clientfailover", 429),
        ("WrongHost", "nobody", "GET /api/v1/configuration/system/clientfailover", 403),
        ("NotAllowed", "user", "DELETE /api/v1/configuration/system/clientfailover", 403),
        ("BadChange", "admin", "PUT /api/v1/configuration/system/clientfailover", 400),
    ] {
        let wanted = json!({ "Kind": "Refusal", "Action": action, "Subject": subject, "Status": status });
        let row = until_row(&server, wanted).await;
        let named = row["RequestedBy"].as_str().unwrap();
        assert!(named == by || (by.is_empty() && named.starts_with("user ")), "{row}");
        assert_eq!(row["RequestedFrom"], "127.0.0.1", "{row}");
    }
    let refusals = trail(&server).await.iter().filter(|row| row["Kind"] == "Refusal").count();
    assert!(refusals <= 10, "{refusals}");
    // What was counted is told at the end, at the latest.
    server.terminate();
    let (_, times) = sqlite(folder.path(), "select sum(times) from audit where kind = 'Refusal'");
    assert_eq!(times.trim(), "501");
}

#[tokio::test]
async fn the_newest_refusals_are_kept_also_when_the_clock_was_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let refusals = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100010)
        insert into audit (at_us, kind, action, subject, requested_by, status, times)
        select 1000000000 - i, 'Refusal', 'WrongLogin', 'x', i, 401, 1 from n;";
    assert_eq!(sqlite(folder.path(), refusals), (true, String::new()));
    while store.prune_refusals(7).await.unwrap() {}
    let (_, left) = sqlite(
        folder.path(),
        "select count(*), min(cast(requested_by as integer)), max(cast(requested_by as integer)) from audit",
    );
    assert_eq!(left.trim(), "100000|11|100010");
    let (done, said) = sqlite(folder.path(), "delete from audit");
    assert!(!done && said.contains("append-only"), "{said}");
}

#[tokio::test]
async fn the_trail_is_administrators_and_there_on_both_halves() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let mut command = std::process::Command::new(crate::support::PROGRAM);
    command.args(["endpoint", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
    let server = Server::from_command(command, folder.path());
    assert_eq!(get(&server, Some("user"), AUDIT).await.status, StatusCode::FORBIDDEN);
    assert!(user(&["passwd", "user"], folder.path(), &format!("{PASSWORD}\n")).status.success());
    until_row(&server, json!({ "Kind": "User", "Action": "PasswordChanged", "Subject": "user" })).await;
    assert!(user(&["remove", "user"], folder.path(), "").status.success());
    until_row(&server, json!({ "Kind": "User", "Action": "Deleted", "Subject": "user" })).await;
}
