//! What each call answers, and what it refuses.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    App, CLOUD, ON_PREMISES, native, refused,
    support::{self, Server},
};

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
                (&answer.body["Primary"], &answer.body["PendingPrimary"]),
                (&json!("s"), &json!(null))
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
async fn whoever_leaves_out_the_base_path_is_told_it() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    let answer = app.post("/groups/", json!({"Id": "g", "FailoverTimeout": "00:01:00"})).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let reason = answer.body["Reason"].as_str().unwrap();
    assert!(
        reason.ends_with("the base of the failover endpoint here is /api/v1/clientfailover."),
        "{reason}"
    );
    app.close().await;
}

#[tokio::test]
async fn what_is_not_there_is_looked_for_by_people_and_made_by_members() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:01:00").await;
    let group = |id: &str| format!("{ON_PREMISES}/groups/{id}");
    for path in [group("x"), format!("{}/status", group("x")), format!("{}/clientsessions/a", group("g"))] {
        let answer = app.get(&path).await;
        refused(&answer, StatusCode::NOT_FOUND);
        let resolution = answer.body["Resolution"].as_str().unwrap();
        assert!(resolution.starts_with("GET ") && !resolution.contains("POST"), "{resolution}");
    }
    for (path, made_by) in [
        (format!("{}/clientsessions", group("x")), "POST groups"),
        (format!("{}/clientsessions/a/heartbeat", group("x")), "POST groups"),
        (format!("{}/clientsessions/a/heartbeat", group("g")), "POST clientsessions"),
    ] {
        let answer = app.post(&path, json!({"Id": "a", "FailoverScore": 100})).await;
        refused(&answer, StatusCode::NOT_FOUND);
        let resolution = answer.body["Resolution"].as_str().unwrap();
        assert!(resolution.contains(made_by), "{resolution}");
    }
    app.close().await;
}

#[tokio::test]
async fn groups_whose_ids_differ_in_case_alone_are_warned_about_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    let warned = async |app: &App, id: &str| {
        let status = app.get(&format!("{ON_PREMISES}/groups/{id}/status")).await.body;
        status["Warnings"].as_array().unwrap().iter().map(|said| said.as_str().unwrap().to_owned()).collect()
    };
    let of = |id: &str, other: &str| {
        vec![format!(
            "There is another group, {other}, whose Id differs from {id} in case alone: their members do not back each \
             other up. Write one FailoverGroupId in all of them; then the other group is empty, and can be deleted \
             (client-failover delete)."
        )]
    };
    for (place, id) in [(ON_PREMISES, "Line-1"), (ON_PREMISES, "line-2"), (CLOUD, "LINE-2")] {
        app.group(place, id, "00:01:00").await;
        app.member(place, id, "first").await;
    }
    app.group(ON_PREMISES, "line-1", "00:01:00").await;
    let alone: Vec<String> = warned(&app, "Line-1").await;
    assert_eq!(alone, Vec::<String>::new(), "an empty group is nobody's");
    app.member(ON_PREMISES, "line-1", "first").await;
    let (first, second, third): (Vec<String>, Vec<String>, Vec<String>) =
        (warned(&app, "Line-1").await, warned(&app, "line-1").await, warned(&app, "line-2").await);
    assert_eq!((first, second), (of("Line-1", "line-1"), of("line-1", "Line-1")));
    assert_eq!(third, Vec::<String>::new(), "another place is another plant");
    app.member(ON_PREMISES, "Line-1", "a").await;
    let answer = app.beat(ON_PREMISES, "Line-1", "a", native("a", 1, 0, false)).await;
    assert_eq!(answer.body["Warnings"], json!(of("Line-1", "line-1")), "the adapter is told, too");
    app.close().await;

    let app = App::open(folder.path()).await;
    let again: Vec<String> = warned(&app, "Line-1").await;
    assert_eq!(again, of("Line-1", "line-1"));
    app.delete(&format!("{ON_PREMISES}/groups/line-1/clientsessions/first")).await;
    let over: Vec<String> = warned(&app, "Line-1").await;
    assert_eq!(over, Vec::<String>::new());
    app.close().await;
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
async fn what_is_not_known_is_404() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(CLOUD, "g", "00:01:00").await;
    for path in ["groups/x", "groups/x/status", "groups/x/clientsessions", "groups/g/clientsessions/x"] {
        refused(&app.get(&format!("{CLOUD}/{path}")).await, StatusCode::NOT_FOUND);
    }
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

#[tokio::test]
async fn access_control_tells_the_roles_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    let of_all = "/api/v1/Tenants/t-1/Namespaces/n-1/AccessControl/ClientFailover/Groups";
    let entry = |role: &str, tenant: serde_json::Value, rights: u8| json!({ "Trustee": { "Type": 3, "ObjectId": role, "TenantId": tenant }, "AccessType": 0, "AccessRights": rights });
    let shown = |tenant: serde_json::Value| {
        let entries = [entry("user", tenant.clone(), 3), entry("administrator", tenant, 15)];
        json!({ "RoleTrusteeAccessControlEntries": entries })
    };
    for (base, tenant) in [(ON_PREMISES, json!(null)), (CLOUD, json!("t-1"))] {
        let path = format!("{base}/groups/G/accesscontrol");
        refused(&app.get(&path).await, StatusCode::NOT_FOUND);
        app.group(base, "G", "00:01:00").await;
        assert_eq!(app.get(&path).await.body, shown(tenant));
    }
    assert_eq!(app.get(of_all).await.body, shown(json!("t-1")));

    let group = format!("{ON_PREMISES}/groups/G/accesscontrol");
    let with_words = json!({ "roleTrusteeAccessControlEntries": [
        { "accessRights": 15, "accessType": "Allowed", "trustee": { "type": "Role", "objectId": "administrator" } },
        { "accessRights": 3, "accessType": 0, "trustee": { "type": 3, "objectId": "user", "tenantId": null } },
    ] });
    let another = json!({ "RoleTrusteeAccessControlEntries": [entry("user", json!(null), 15), entry("administrator", json!(null), 15)] });
    for (path, body, status) in [
        (group.as_str(), shown(json!(null)), StatusCode::NO_CONTENT),
        (&group, with_words, StatusCode::NO_CONTENT),
        (of_all, shown(json!("t-1")), StatusCode::NO_CONTENT),
        (of_all, shown(json!("t-2")), StatusCode::BAD_REQUEST),
        (&group, another, StatusCode::BAD_REQUEST),
        (&group, json!({}), StatusCode::BAD_REQUEST),
        (&group, json!({ "RoleTrusteeAccessControlEntries": [], "Other": 1 }), StatusCode::BAD_REQUEST),
    ] {
        let answer = app.send(Method::PUT, path, Some(body.clone())).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.body);
        if status == StatusCode::BAD_REQUEST {
            assert!(refused(&answer, status).contains("grants rights by the roles of its users"));
        }
    }
}

#[tokio::test]
async fn the_servers_margin_and_dwell_hold_where_a_group_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::endpoint(folder.path(), &["--margin", "2", "--dwell", "50ms"]);
    let group = format!("{ON_PREMISES}/groups/g");
    let post = async |path: String, body: Value| {
        let answer = server.send(Method::POST, &path, Some(&body.to_string())).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        answer.json()
    };
    post(format!("{ON_PREMISES}/groups"), json!({"Id": "g", "FailoverTimeout": "00:10:00"})).await;
    let beat = async |id: &str, score: u8| {
        let body = json!({"FailoverScore": score, "LastDataProcessedTime": "0001-01-01T00:00:00"});
        post(format!("{group}/clientsessions/{id}/heartbeat"), body).await["Role"].clone()
    };
    for id in ["a", "b"] {
        post(format!("{group}/clientsessions"), json!({"Id": id, "Name": id})).await;
    }
    assert_eq!(beat("a", 100).await, 1);
    // Two points for less than the five minutes that are usual.
    support::until("b is to become Primary", async || {
        beat("a", 98).await;
        beat("b", 100).await == 2
    })
    .await;
}

#[tokio::test]
async fn heartbeats_are_limited_but_not_those_of_a_primary_or_of_whom_the_group_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "G", "01:00:00").await;
    for id in ["a", "b"] {
        app.member(ON_PREMISES, "G", id).await;
    }
    let beat = async |id: &str| app.beat(ON_PREMISES, "G", id, json!({"FailoverScore": 100})).await;
    let many = async |id: &str, role: u64| {
        for _ in 0..200 {
            let answer = beat(id).await;
            assert_eq!((answer.status, &answer.body["Role"]), (StatusCode::OK, &json!(role)), "{id}");
        }
    };
    many("a", 1).await;
    let mut told_to_wait = None;
    support::until("a Secondary is told to wait", async || {
        let at_once = futures_util::future::join_all((0..100).map(|_| beat("b"))).await;
        told_to_wait = at_once.into_iter().find(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS);
        told_to_wait.is_some()
    })
    .await;
    assert_eq!(told_to_wait.unwrap().headers["retry-after"], "1");
    // Once its heartbeat is waited for, it counts no more: neither the one that a nudge asks for, nor those after it.
    let forced = json!({"Value": "Primary"});
    let forced = app.post(&format!("{ON_PREMISES}/groups/G/clientsessions/b/roleoverride"), forced).await;
    assert_eq!(forced.status, StatusCode::OK, "{}", forced.body);
    many("b", 2).await;
}
