//! All groups at a glance: how each is, in one word, and which are asked for.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{App, CLOUD, ON_PREMISES, native, refused};

impl App {
    async fn overview(&self, base: &str, query: &str) -> Value {
        let answer = self.get(&format!("{base}/overview{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    async fn health(&self, group: &str) -> Value {
        let all = self.overview(ON_PREMISES, "").await;
        let found = all.as_array().unwrap().iter().find(|one| one["Id"] == group);
        let health = found.unwrap_or_else(|| panic!("{group} in {all}"))["Health"].clone();
        let status = self.get(&format!("{ON_PREMISES}/groups/{group}/status")).await.body;
        assert_eq!(status["Health"], health, "the group's own page says the same");
        health
    }

    /// A group of `a`, which acts, and `b`.
    async fn pair(&self, group: &str) {
        self.group(ON_PREMISES, group, "00:01:00").await;
        for member in ["a", "b"] {
            self.member(ON_PREMISES, group, member).await;
        }
        self.beat(ON_PREMISES, group, "a", native("a", 1, 0, false)).await;
        self.beat(ON_PREMISES, group, "a", native("a", 2, 1, true)).await;
        self.beat(ON_PREMISES, group, "b", native("b", 1, 0, false)).await;
    }

    async fn force(&self, group: &str, member: &str) {
        let path = format!("{ON_PREMISES}/groups/{group}/clientsessions/{member}/roleoverride");
        assert_eq!(self.post(&path, json!({"Value": "Primary"})).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_overview_says_of_each_group_who_is_primary_how_well_and_who_could_take_over() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.pair("pair").await;
    app.post(
        &format!("{ON_PREMISES}/groups"),
        json!({"Id": "empty", "Name": "Hall 2", "FailoverTimeout": "00:00:10"}),
    )
    .await;
    app.group(CLOUD, "elsewhere", "00:01:00").await;
    let mut all = app.overview(ON_PREMISES, "").await;
    assert!(all[1]["Epoch"].take().as_u64().is_some_and(|epoch| epoch > 100_000_000));
    let expected = json!([
        {
            "Id": "empty", "Name": "Hall 2", "FailoverTimeout": "00:00:10", "Health": "NoMembers", "Primary": null,
            "PrimaryName": null, "PrimaryScore": null, "PendingPrimary": null, "PendingPrimaryName": null, "RoleOverride": null, "Epoch": null, "Members": 0,
            "Heard": 0, "Warnings": [],
        },
        {
            "Id": "pair", "Name": null, "FailoverTimeout": "00:01:00", "Health": "Protected", "Primary": "a",
            "PrimaryName": "a", "PrimaryScore": 100, "PendingPrimary": null, "PendingPrimaryName": null, "RoleOverride": null, "Epoch": null, "Members": 2,
            "Heard": 2, "Warnings": [],
        },
    ]);
    assert_eq!(all, expected);
    assert_eq!(app.overview(CLOUD, "").await[0]["Id"], "elsewhere");
}

#[tokio::test]
async fn health_is_the_first_word_that_is_true_of_a_group() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    app.group(ON_PREMISES, "g", "00:01:00").await;
    assert_eq!(app.health("g").await, "NoMembers");
    app.member(ON_PREMISES, "g", "a").await;
    assert_eq!(app.health("g").await, "NoPrimary");
    app.beat(ON_PREMISES, "g", "a", native("a", 1, 0, false)).await;
    assert_eq!(app.health("g").await, "OneMember");
    // Who is registered and not heard could not take over.
    app.member(ON_PREMISES, "g", "b").await;
    assert_eq!(app.health("g").await, "OneMember");
    app.beat(ON_PREMISES, "g", "b", native("b", 1, 0, false)).await;
    assert_eq!(app.health("g").await, "Protected");
    app.force("g", "a").await;
    assert_eq!(app.health("g").await, "Forced");
    app.force("g", "b").await;
    assert_eq!(app.health("g").await, "HandOver");
    let mut faulty = native("a", 2, 1, true);
    faulty["FailoverScore"] = json!(0);
    app.beat(ON_PREMISES, "g", "a", faulty).await;
    assert_eq!(app.health("g").await, "CannotWork");
}

#[tokio::test]
async fn an_overview_is_asked_for_page_by_page_and_by_health() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    for group in ["a", "b", "c", "d"] {
        app.group(ON_PREMISES, group, "00:01:00").await;
    }
    app.member(ON_PREMISES, "b", "m").await;
    app.member(ON_PREMISES, "d", "m").await;
    for (query, ids, total) in [
        ("", "abcd", "4"),
        ("?skip=1&count=2", "bc", "4"),
        ("?skip=9", "", "4"),
        ("?health=noprimary", "bd", "2"),
        ("?health=NoPrimary&skip=1", "d", "2"),
        ("?health=HandOver", "", "0"),
    ] {
        let answer = app.get(&format!("{ON_PREMISES}/overview{query}")).await;
        let shown: String =
            answer.body.as_array().unwrap().iter().map(|group| group["Id"].as_str().unwrap()).collect();
        assert_eq!(
            (shown.as_str(), answer.headers["total-count"].to_str().unwrap()),
            (ids, total),
            "{query}"
        );
    }
    let answer = app.get(&format!("{ON_PREMISES}/overview?health=ill&skip=-1&colour=red")).await;
    let reason = refused(&answer, StatusCode::BAD_REQUEST);
    for part in ["\"colour\" is not a parameter", "health cannot be read", "skip cannot be read"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(answer.body["Resolution"].as_str().unwrap().contains("NoMembers, NoPrimary, CannotWork"));
}
