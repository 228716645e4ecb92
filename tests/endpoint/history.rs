//! What happened in a group, page by page, and what its status says beside the documented members.

use axum::http::StatusCode;
use client_failover::{domain::AuditKind, store::HistoryQuery};
use serde_json::{Value, json};

use crate::{App, CLOUD, ON_PREMISES, native, refused};

impl App {
    /// A page of the history of `group`.
    pub(crate) async fn history(&self, base: &str, group: &str, query: &str) -> Value {
        let answer = self.get(&format!("{base}/groups/{group}/history{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }
}

pub(crate) fn items(page: &Value) -> &[Value] {
    page["Items"].as_array().unwrap()
}

/// A group with an acting Primary `a`, and `b`, whom an operator asked for and let go again.
async fn with_some_history(app: &App, base: &str) {
    app.group(base, "g", "00:01:00").await;
    app.member(base, "g", "a").await;
    app.beat(base, "g", "a", native("a", 1, 0, false)).await;
    app.beat(base, "g", "a", native("a", 2, 1, true)).await;
    app.member(base, "g", "b").await;
    let path = format!("{base}/groups/g/clientsessions/b/roleoverride");
    let asked = json!({
        "Value": "Primary", "ExpirationPeriod": "08:00:00", "RequestedBy": "shift-lead@hall-2",
        "Reason": "patching a",
    });
    assert_eq!(app.post(&path, asked).await.status, StatusCode::OK);
    let off = json!({"Value": "Off", "RequestedBy": "klaus", "Reason": "done"});
    assert_eq!(app.post(&path, off).await.status, StatusCode::OK);
}

#[tokio::test]
async fn history_says_what_happened_why_who_asked_and_what_was_known_of_the_members() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    for base in [ON_PREMISES, CLOUD] {
        with_some_history(&app, base).await;
        let mut page = app.history(base, "g", "").await;
        assert_eq!(page["NextCursor"], Value::Null);
        for item in page["Items"].as_array_mut().unwrap() {
            assert!(item["Time"].take().is_string());
            assert!(item["Epoch"].take().as_u64().is_some_and(|epoch| epoch > 100_000_000));
            for member in item["Members"].as_array_mut().unwrap() {
                let heard = member["HeardAgo"].take();
                assert_eq!(heard.is_string(), member["SessionId"] == "a", "{heard}");
            }
        }
        let seen = |id: &str, score: Value, acting: Value| json!({"SessionId": id, "FailoverScore": score, "HeardAgo": null, "Acting": acting});
        let both = json!([seen("a", json!(100), json!(true)), seen("b", Value::Null, Value::Null)]);
        let item = |kind: &str, session: &str, reason: &str, why: &str, by: Value, members: &Value| {
            json!({
                "Time": null, "Since": null, "Kind": kind, "SessionId": session, "Reason": reason, "Explanation": why, "Epoch": null,
                "RequestedBy": by, "Members": members, "HandOver": null,
            })
        };
        let asked = "an operator asks for b, whose score is 0 (patching a)";
        let alone = "nobody was Primary; a is the only adapter that is heard";
        let first = json!([seen("a", json!(100), json!(false))]);
        let expected = [
            item("OverrideEnded", "b", "OperatorEnded", "an operator ended it (done)", json!("klaus"), &both),
            item("OverrideBegan", "b", "OperatorAsked", asked, json!("shift-lead@hall-2"), &both),
            item("Promoted", "a", "NobodyWasPrimary", alone, Value::Null, &first),
        ];
        assert_eq!(items(&page), expected);
    }
}

#[tokio::test]
async fn a_status_says_why_since_which_epoch_what_is_forced_and_what_to_look_at() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    with_some_history(&app, ON_PREMISES).await;
    let path = format!("{ON_PREMISES}/groups/g/status");
    let before = app.get(&path).await.body;
    assert_eq!(before["Reason"], "nobody was Primary; a is the only adapter that is heard");
    assert_eq!((&before["RoleOverride"], &before["Warnings"]), (&Value::Null, &json!([])));
    assert!(before["Epoch"].is_u64());
    let session = format!("{ON_PREMISES}/groups/g/clientsessions/b");
    let asked = json!({"Value": 1, "RequestedBy": "klaus", "Reason": "patching a"});
    app.post(&format!("{session}/roleoverride"), asked).await;
    let forced = app.get(&path).await.body;
    let expected = json!({
        "SessionId": "b", "ExpirationTime": null, "RequestedBy": "klaus", "Reason": "patching a",
    });
    assert_eq!(forced["RoleOverride"], expected);
    let silent = "A role override asks for b, which is silent. End the override, or start the adapter.";
    assert_eq!(forced["Warnings"], json!([silent]));
    assert_eq!(forced["Members"][1]["HeardAgo"], Value::Null);
    let mut beat = native("b", 1, 0, false);
    beat["FailoverScore"] = json!(0);
    app.beat(ON_PREMISES, "g", "b", beat).await;
    let zero = app.get(&path).await.body;
    let warning = zero["Warnings"][0].as_str().unwrap();
    assert!(warning.contains("although its score is 0"), "{warning}");
    let reason = zero["Reason"].as_str().unwrap();
    assert!(
        reason.ends_with("b is to take over: an operator asks for b, whose score is 0 (klaus: patching a)"),
        "{reason}"
    );
    assert_eq!(zero["PendingPrimary"], "b");
}

#[tokio::test]
async fn an_override_keeps_who_asked_and_why_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    with_some_history(&app, ON_PREMISES).await;
    let path = format!("{ON_PREMISES}/groups/g/clientsessions/b/roleoverride");
    app.post(&path, json!({"Value": 1, "RequestedBy": "klaus", "Reason": "patching a"})).await;
    let before = app.history(ON_PREMISES, "g", "").await;
    let newest =
        HistoryQuery { from: None, to: None, kind: Some(AuditKind::Override), before: None, limit: 1 };
    assert_eq!(app.store.audit(&newest).await.unwrap().rows[0].by, "anonymous (klaus)", "nobody logs in");
    app.close().await;
    let app = App::open(folder.path()).await;
    let status = app.get(&format!("{ON_PREMISES}/groups/g/status")).await.body;
    let forced = &status["RoleOverride"];
    assert_eq!((&forced["RequestedBy"], &forced["Reason"]), (&json!("klaus"), &json!("patching a")));
    let after = app.history(ON_PREMISES, "g", "").await;
    assert!(items(&after).ends_with(items(&before)), "what was written stays as it was: {after}");
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    with_some_history(&app, ON_PREMISES).await;
    let whole = app.history(ON_PREMISES, "g", "").await;
    let (mut paged, mut query) = (Vec::new(), "?LIMIT=1".to_owned());
    loop {
        let page = app.history(ON_PREMISES, "g", &query).await;
        assert_eq!(items(&page).len(), 1);
        paged.extend(items(&page).to_vec());
        // Rows that are added later do not shift what the cursor says.
        let path = format!("{ON_PREMISES}/groups/g/clientsessions/b/roleoverride");
        app.post(&path, json!({"Value": 1})).await;
        match page["NextCursor"].as_str() {
            Some(cursor) => query = format!("?limit=1&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(paged, items(&whole));
    let promoted = app.history(ON_PREMISES, "g", "?kind=promoted").await;
    assert_eq!((items(&promoted).len(), &items(&promoted)[0]["Kind"]), (1, &json!("Promoted")));
    assert!(items(&app.history(ON_PREMISES, "g", "?kind=HandOver").await).is_empty());
}

#[tokio::test]
async fn every_fault_of_a_history_query_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:01:00").await;
    let path = format!("{ON_PREMISES}/groups/g/history");
    let answer = app.get(&format!("{path}?from=x&limit=0&cursor=y&kind=Role")).await;
    assert_eq!(
        refused(&answer, StatusCode::BAD_REQUEST),
        "\"from\" is not a parameter that is known here. limit cannot be read. cursor cannot be read. kind is not a \
         kind of event."
    );
    let right = answer.body["Resolution"].as_str().unwrap();
    for part in ["kind, limit, cursor", "1 to 1000", "NextCursor", "Promoted, ToldToStop"] {
        assert!(right.contains(part), "{right}");
    }
    for query in ["limit=1001", "limit=-1", "limit=many"] {
        refused(&app.get(&format!("{path}?{query}")).await, StatusCode::BAD_REQUEST);
    }
    assert!(items(&app.history(ON_PREMISES, "g", "?limit=1000&cursor=").await).is_empty());
}

#[tokio::test]
async fn a_deleted_group_keeps_its_history_and_one_that_never_was_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:01:00").await;
    app.member(ON_PREMISES, "g", "stock").await;
    app.beat(ON_PREMISES, "g", "stock", json!({"FailoverScore": 100})).await;
    let group = format!("{ON_PREMISES}/groups/g");
    assert_eq!(app.delete(&format!("{group}/clientsessions/stock")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.delete(&group).await.status, StatusCode::NO_CONTENT);
    refused(&app.get(&format!("{group}/status")).await, StatusCode::NOT_FOUND);
    let page = app.history(ON_PREMISES, "g", "").await;
    let kinds: Vec<_> = items(&page).iter().map(|item| item["Kind"].clone()).collect();
    assert_eq!(kinds, ["SeatFreed", "Promoted"]);
    assert!(items(&app.history(ON_PREMISES, "g", "?kind=OverrideBegan").await).is_empty());
    // Another place, another group, and a group that nothing ever happened in.
    app.group(ON_PREMISES, "quiet", "00:01:00").await;
    app.delete(&format!("{ON_PREMISES}/groups/quiet")).await;
    for path in [
        format!("{CLOUD}/groups/g"),
        format!("{ON_PREMISES}/groups/h"),
        format!("{ON_PREMISES}/groups/quiet"),
    ] {
        refused(&app.get(&format!("{path}/history")).await, StatusCode::NOT_FOUND);
    }
}
