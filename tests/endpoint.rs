//! Every call of the failover endpoint, under both bases, through the router and a real store.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use client_failover::{
    clock,
    endpoint::{Endpoint, Settings},
    http::endpoint::routes,
    store::{DataFolder, Store},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const ON_PREMISES: &str = "/api/v1/clientfailover";
const CLOUD: &str = "/api/v1/Tenants/t-1/Namespaces/n-1/ClientFailover";

/// How long any awaited condition may take.
const LIMIT: Duration = Duration::from_secs(20);

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

/// An endpoint with its store, and the user's verbs.
struct App {
    router: Router,
    store: Store,
    stop: CancellationToken,
    worker: JoinSet<std::io::Result<()>>,
}

impl App {
    async fn open(folder: &Path) -> Self {
        let store = Store::open(DataFolder::hold(folder).unwrap()).await.unwrap();
        let endpoint = Endpoint::open(store.clone(), Settings::default()).await.unwrap();
        Self::attend(endpoint, store)
    }

    /// The endpoint at work: it notices what is over, and time goes on for it.
    fn attend(endpoint: Endpoint, store: Store) -> Self {
        let (stop, mut worker) = (CancellationToken::new(), JoinSet::new());
        worker.spawn(endpoint.clone().run(stop.clone()));
        Self { router: routes(endpoint).build(), store, stop, worker }
    }

    /// Ends as a process that stops does, so that the folder can be opened again.
    async fn close(self) {
        self.stop.cancel();
        for ended in self.worker.join_all().await {
            ended.unwrap();
        }
        self.store.close().await;
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = match body {
            Some(body) => {
                request.header("content-type", "application/json").body(Body::from(body.to_string()))
            }
            None => request.body(Body::empty()),
        };
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status, headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    async fn group(&self, base: &str, id: &str, timeout: &str) {
        let answer =
            self.post(&format!("{base}/groups"), json!({"Id": id, "FailoverTimeout": timeout})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    }

    async fn member(&self, base: &str, group: &str, id: &str) {
        let path = format!("{base}/groups/{group}/clientsessions");
        let answer = self.post(&path, json!({"Id": id, "Name": id})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    }

    async fn beat(&self, base: &str, group: &str, id: &str, body: Value) -> Answer {
        self.post(&format!("{base}/groups/{group}/clientsessions/{id}/heartbeat"), body).await
    }
}

fn native(run: &str, sequence: u64, answered: u64, acting: bool) -> Value {
    let role = if acting { "Primary" } else { "Secondary" };
    json!({
        "FailoverScore": 100, "LastDataProcessedTime": "0001-01-01T00:00:00", "Incarnation": run, "BootId": "b",
        "Sequence": sequence, "Answered": answered, "AppliedRole": role,
    })
}

#[track_caller]
fn refused(answer: &Answer, status: StatusCode) -> String {
    assert_eq!(answer.status, status, "{}", answer.body);
    for member in ["OperationId", "Error", "Reason", "Resolution"] {
        assert!(
            answer.body[member].as_str().is_some_and(|text| !text.is_empty()),
            "{member}: {}",
            answer.body
        );
    }
    assert!(answer.body["AdditionalParameters"].is_object());
    answer.body["Reason"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn both_bases_answer_every_call_in_any_case_with_and_without_a_slash() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    for base in
        [ON_PREMISES, CLOUD, "/API/V1/ClientFailover", "/api/v1/tenants/t-2/namespaces/n-1/CLIENTFAILOVER"]
    {
        let group = format!("g-{}", base.len());
        for slash in ["", "/"] {
            let version = app.get(&format!("{base}{slash}")).await;
            assert_eq!(version.body, json!({"Version": env!("CARGO_PKG_VERSION"), "Native": 1}));
            let body = json!({"id": group, "failovertimeout": "00:01:00"});
            let created = app.post(&format!("{base}/GROUPS{slash}"), body).await;
            let expected = if slash.is_empty() { StatusCode::CREATED } else { StatusCode::OK };
            assert_eq!(created.status, expected);
            assert_eq!(app.get(&format!("{base}/groups/{group}{slash}")).await.body, created.body);
            let path = format!("{base}/Groups/{group}/ClientSessions{slash}");
            assert_eq!(app.post(&path, json!({"Id": "s", "Name": "n"})).await.status, expected);
            let path = format!("{base}/groups/{group}/CLIENTSESSIONS/s/HeartBeat{slash}");
            let answer = app.post(&path, json!({"FailoverScore": 100})).await;
            assert_eq!(answer.body, json!({"Role": 1}), "{base}{slash}");
            let answer = app.get(&format!("{base}/groups/{group}/STATUS{slash}")).await;
            assert_eq!(
                answer.body,
                json!({"Primary": "s", "PendingPrimary": null, "LastDataProcessedTime": null})
            );
            let path = format!("{base}/groups/{group}/clientsessions/s/RoleOverride{slash}");
            let answer = app.post(&path, json!({"Value": "Primary"})).await;
            assert_eq!(answer.body, json!({"Value": 1, "RoleOverrideExpirationTime": null}));
        }
        for path in [format!("{base}/groups/{group}/clientsessions/s/"), format!("{base}/groups/{group}/")] {
            assert_eq!(app.delete(&path).await.status, StatusCode::NO_CONTENT);
            refused(&app.get(&path).await, StatusCode::NOT_FOUND);
        }
    }
}

#[tokio::test]
async fn a_group_is_created_once_and_answers_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    let groups = format!("{ON_PREMISES}/groups");
    let whole = json!({
        "Id": "Line 1/ä", "Name": "Line", "Description": "", "FailoverTimeout": "0:01:00",
        "AdditionalData": {"Margin": 5, "Note": [1, null]}, "Later": true,
    });
    let created = app.post(&groups, whole.clone()).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let location = created.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(location, "/api/v1/clientfailover/groups/Line%201%2F%C3%A4");
    let kept = json!({
        "Id": "Line 1/ä", "Name": "Line", "Description": "", "FailoverTimeout": "00:01:00",
        "AdditionalData": {"Margin": 5, "Note": [1, null]},
    });
    assert_eq!(created.body, kept);
    assert_eq!(app.get(&location).await.body, kept);
    // A stock adapter says only Id and FailoverTimeout.
    let stock = json!({"Id": "Line 1/ä", "FailoverTimeout": "00:01:00"});
    let again = app.post(&groups, stock).await;
    assert_eq!((again.status, again.body), (StatusCode::OK, kept));
    for other in [
        json!({"Id": "Line 1/ä", "FailoverTimeout": "00:00:30"}),
        json!({"Id": "Line 1/ä", "FailoverTimeout": "00:01:00", "Name": "Other"}),
        json!({"Id": "Line 1/ä", "FailoverTimeout": "00:01:00", "Description": "Other"}),
    ] {
        let reason = refused(&app.post(&groups, other).await, StatusCode::CONFLICT);
        assert!(reason.contains("00:01:00"), "{reason}");
    }
}

#[tokio::test]
async fn tenants_and_namespaces_do_not_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    let other = "/api/v1/Tenants/t-1/Namespaces/n-2/ClientFailover";
    for base in [ON_PREMISES, CLOUD, other] {
        app.group(base, "g", "00:01:00").await;
        app.member(base, "g", base.rsplit('/').next().unwrap()).await;
    }
    app.member(CLOUD, "g", "only-here").await;
    assert_eq!(
        app.get(&format!("{CLOUD}/groups/g/clientsessions")).await.body.as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(
        app.get(&format!("{other}/groups/g/clientsessions")).await.body.as_array().map(Vec::len),
        Some(1)
    );
    refused(
        &app.get(&format!("{ON_PREMISES}/groups/g/clientsessions/only-here")).await,
        StatusCode::NOT_FOUND,
    );
}

#[tokio::test]
async fn groups_are_listed_in_pages_with_their_total() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    for id in ["a", "b", "c"] {
        app.group(ON_PREMISES, id, "00:01:00").await;
    }
    app.group(CLOUD, "d", "00:01:00").await;
    for (query, expected) in
        [("", vec!["a", "b", "c"]), ("?skip=1&count=1", vec!["b"]), ("?SKIP=3", vec![]), ("?count=0", vec![])]
    {
        let answer = app.get(&format!("{ON_PREMISES}/groups{query}")).await;
        assert_eq!(answer.headers["total-count"], "3");
        let ids: Vec<_> = answer.body.as_array().unwrap().iter().map(|group| group["Id"].clone()).collect();
        assert_eq!(ids, expected, "{query}");
    }
    for query in ["?skip=-1", "?count=many", "?count=1.5"] {
        refused(&app.get(&format!("{ON_PREMISES}/groups{query}")).await, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn bad_values_are_refused_with_every_fault_and_an_operation_id_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:01:00").await;
    app.member(ON_PREMISES, "g", "s").await;
    let session = format!("{ON_PREMISES}/groups/g/clientsessions/s");
    let bad = StatusCode::BAD_REQUEST;
    let first = app.post(&format!("{ON_PREMISES}/groups"), json!({})).await;
    assert_eq!(refused(&first, bad), "Id is missing. FailoverTimeout is missing.");
    let second = app.post(&format!("{ON_PREMISES}/groups"), json!({})).await;
    assert_ne!(first.body["OperationId"], second.body["OperationId"]);
    for (path, body) in [
        (format!("{ON_PREMISES}/groups"), json!({"Id": "x".repeat(257), "FailoverTimeout": "00:01:00"})),
        (format!("{ON_PREMISES}/groups"), json!({"Id": "x", "FailoverTimeout": "00:00:00.2"})),
        (format!("{ON_PREMISES}/groups"), json!({"Id": "x", "FailoverTimeout": "-00:01:00"})),
        (format!("{ON_PREMISES}/groups"), json!([{"Id": "x", "FailoverTimeout": "00:01:00"}])),
        (format!("{ON_PREMISES}/groups/g/clientsessions"), json!({"Name": "n"})),
        (format!("{session}/heartbeat"), json!({})),
        (format!("{session}/heartbeat"), json!({"FailoverScore": 101})),
        (format!("{session}/heartbeat"), json!({"FailoverScore": -0.5})),
        (format!("{session}/heartbeat"), json!({"FailoverScore": 1, "failoverscore": 2})),
        (format!("{session}/heartbeat"), native("i", 0, 0, false)),
        (format!("{session}/heartbeat"), native("", 1, 0, false)),
        (format!("{session}/roleoverride"), json!({"Value": "Secondary"})),
        (format!("{session}/roleoverride"), json!({"Value": 1, "ExpirationPeriod": "-00:00:01"})),
    ] {
        refused(&app.post(&path, body).await, bad);
    }
    let answer = app.get(&format!("{ON_PREMISES}/groups/a%0Ab")).await;
    assert!(refused(&answer, bad).contains("control character"));
}

#[tokio::test]
async fn what_is_not_known_is_404_and_access_control_is_not_known_yet() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(CLOUD, "g", "00:01:00").await;
    for path in ["groups/x", "groups/x/status", "groups/x/clientsessions", "groups/g/clientsessions/x"] {
        refused(&app.get(&format!("{CLOUD}/{path}")).await, StatusCode::NOT_FOUND);
    }
    refused(&app.get(&format!("{CLOUD}/groups/g/accesscontrol")).await, StatusCode::NOT_FOUND);
    let path = "/api/v1/Tenants/t-1/Namespaces/n-1/accesscontrol/clientfailover/groups";
    refused(&app.get(path).await, StatusCode::NOT_FOUND);
    refused(&app.beat(CLOUD, "g", "x", json!({"FailoverScore": 1})).await, StatusCode::NOT_FOUND);
    let answer = app.send(Method::PUT, &format!("{CLOUD}/groups/g"), None).await;
    refused(&answer, StatusCode::METHOD_NOT_ALLOWED);
    assert!(answer.headers["allow"].to_str().unwrap().contains("DELETE"));
}

#[tokio::test]
async fn a_session_shows_its_heartbeat_role_and_override_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:01:00").await;
    let sessions = format!("{ON_PREMISES}/groups/g/clientsessions");
    let session = format!("{sessions}/a%20b");
    let created = app.post(&sessions, json!({"Id": "a b", "Name": "n", "AdditionalData": {"k": 1}})).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.headers["location"], session);
    let fresh = json!({
        "Id": "a b", "Name": "n", "Heartbeat": null, "Role": 0, "HeartbeatPosted": false, "RoleOverride": 0,
        "RoleOverrideExpirationTime": null, "AdditionalData": {"k": 1},
    });
    assert_eq!(created.body, fresh);
    assert_eq!(app.post(&sessions, json!({"Id": "a b", "Name": "n"})).await.status, StatusCode::OK);
    refused(&app.post(&sessions, json!({"Id": "a b", "Name": "m"})).await, StatusCode::CONFLICT);
    let beat =
        json!({"FailoverStatus": 75, "LastDataProcessedTime": "2021-01-01T00:00:00", "HeartbeatTime": "x"});
    let answer = app.beat(ON_PREMISES, "g", "a%20b", beat).await;
    assert_eq!(answer.body, json!({"Role": 1, "LastDataProcessedTime": "2021-01-01T00:00:00Z"}));
    let forced = app
        .post(&format!("{session}/roleoverride"), json!({"Value": 1, "ExpirationPeriod": "1.00:00:00"}))
        .await;
    assert_eq!(forced.body["Value"], 1);
    let mut shown = app.get(&session).await.body;
    assert_eq!(shown["RoleOverrideExpirationTime"], forced.body["RoleOverrideExpirationTime"]);
    assert!(shown["RoleOverrideExpirationTime"].is_string());
    assert!(shown["Heartbeat"]["HeartbeatTime"].take().is_string());
    shown["RoleOverrideExpirationTime"].take();
    let expected = json!({
        "Id": "a b", "Name": "n", "Role": 1, "HeartbeatPosted": true, "RoleOverride": 1,
        "Heartbeat": {"FailoverScore": 75, "LastDataProcessedTime": "2021-01-01T00:00:00Z", "HeartbeatTime": null},
        "RoleOverrideExpirationTime": null, "AdditionalData": {"k": 1},
    });
    assert_eq!(shown, expected);
    let off = app.post(&format!("{session}/roleoverride"), json!({"Value": "Off"})).await;
    assert_eq!(off.body, json!({"Value": 0, "RoleOverrideExpirationTime": null}));
}

#[tokio::test]
async fn a_group_with_a_session_is_not_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:01:00").await;
    app.member(ON_PREMISES, "g", "s").await;
    let group = format!("{ON_PREMISES}/groups/g");
    refused(&app.delete(&group).await, StatusCode::CONFLICT);
    assert_eq!(app.delete(&format!("{group}/clientsessions/s")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.delete(&group).await.status, StatusCode::NO_CONTENT);
    refused(&app.delete(&group).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_native_member_is_told_epoch_and_reason_and_a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:01:00").await;
    app.member(ON_PREMISES, "g", "s").await;
    let answer = app.beat(ON_PREMISES, "g", "s", native("one", 1, 0, false)).await;
    assert_eq!(answer.body["Role"], 1);
    assert!(answer.body["Epoch"].as_u64().is_some_and(|epoch| epoch > 100_000_000));
    assert_eq!(answer.body["Reason"], "nobody was Primary; s is the only adapter that is heard");
    let other = app.beat(ON_PREMISES, "g", "s", native("two", 1, 0, false)).await;
    refused(&other, StatusCode::CONFLICT);
    assert!(other.body["Error"].as_str().unwrap().starts_with("SessionInUse"));
}

#[tokio::test]
async fn many_heartbeats_at_once_make_one_primary() {
    let folder = tempfile::tempdir().unwrap();
    let app = Arc::new(App::open(folder.path()).await);
    app.group(ON_PREMISES, "g", "00:01:00").await;
    let mut beats = JoinSet::new();
    for number in 0..20 {
        let id = format!("s{number}");
        app.member(ON_PREMISES, "g", &id).await;
        let app = Arc::clone(&app);
        beats.spawn(async move {
            app.beat(ON_PREMISES, "g", &id, native("i", 1, 0, false)).await.body["Role"].clone()
        });
    }
    let roles = beats.join_all().await;
    assert_eq!(roles.iter().filter(|role| **role == 1).count(), 1, "{roles:?}");
}

/// Beats until `role` is answered; how long that took.
async fn until(app: &App, session: &str, role: u64) -> Duration {
    let begun = clock::now().uptime;
    let mut sequence = 1_000;
    loop {
        let answer = app.beat(ON_PREMISES, "g", session, native(session, sequence, 0, false)).await;
        let waited = clock::now().uptime.since(begun);
        if answer.body["Role"] == role {
            return waited;
        }
        assert!(waited < LIMIT, "{}", answer.body);
        sequence += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
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
    let app = App::attend(endpoint, store);
    app.group(ON_PREMISES, "g", "00:00:00.25").await;
    app.member(ON_PREMISES, "g", "a").await;
    let begun = clock::now().uptime;
    while app.get(&format!("{ON_PREMISES}/groups/g/clientsessions/a")).await.status == StatusCode::OK {
        assert!(clock::now().uptime.since(begun) < LIMIT);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
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
    let begun = clock::now().uptime;
    let mut sequence = 5;
    while app.beat(ON_PREMISES, "h", "a", native("a", sequence, 0, false)).await.body["Role"] != 1 {
        assert!(clock::now().uptime.since(begun) < LIMIT);
        sequence += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
