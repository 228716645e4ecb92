//! The documented requests: the collection, the configuration by its Id, and what they answer.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    support::{FACET, Server},
    table::{by_id, delete, get, hold, patch, plain, post, put, with, without},
};

#[tokio::test]
async fn the_documented_requests_do_what_the_document_says() {
    let new = with(plain(), json!({ "Name": "new" }));
    let get_one = |rule: &'static str| get(rule).on(plain()).at(by_id("C"));
    hold(vec![
        get("GET of the collection where nothing is stored").leaves_nothing(),
        get("GET of the collection").on(plain()).shows(plain()),
        get_one("GET by Id").shows(plain()),
        get("GET by Id where nothing is stored").at(by_id("C")).refused(404, &["\"C\""]),
        get("GET by another Id").on(plain()).at(by_id("D")).refused(404, &["\"D\""]),
        get("GET by the Id in other letters").on(plain()).at(by_id("c")).refused(404, &["compare exactly"]),
        post("POST adds", plain()).shows(plain()),
        post("POST fails where one is stored", &new).on(plain()).refused(409, &["\"C\" exists"]),
        post("POST fails on the same one", plain()).on(plain()).refused(409, &["\"C\" exists"]),
        put("PUT of the collection creates", plain()).shows(plain()),
        put("PUT of the collection replaces", &new).on(plain()).shows(new.clone()),
        put("PUT of the collection may change the Id", with(plain(), json!({ "Id": "D" })))
            .on(plain())
            .shows(json!({ "Id": "D" })),
        put("PUT by Id replaces", &new).on(plain()).at(by_id("C")).shows(new.clone()),
        put("PUT by Id fails where nothing is stored", &new).at(by_id("C")).refused(404, &["\"C\""]),
        put("PUT by another Id fails", without(new.clone(), "Id"))
            .on(plain())
            .at(by_id("D"))
            .refused(404, &["\"D\""]),
        patch("PATCH by Id changes", r#"{"Name":"new"}"#).at(by_id("C")).shows(new.clone()),
        patch("PATCH by another Id fails", r#"{"Name":"new"}"#).at(by_id("D")).refused(404, &["\"D\""]),
        patch("PATCH of the collection changes", r#"{"Name":"new"}"#).shows(new.clone()),
        delete("DELETE of the collection").on(plain()).leaves_nothing(),
        delete("DELETE of the collection where nothing is stored").leaves_nothing(),
        delete("DELETE by Id").on(plain()).at(by_id("C")).leaves_nothing(),
        delete("DELETE by another Id").on(plain()).at(by_id("D")).refused(404, &["\"D\""]),
        delete("DELETE by Id where nothing is stored").at(by_id("C")).refused(404, &["\"C\""]),
        get("GET of FailoverState").at("/api/v1/diagnostics/FailoverState"),
    ])
    .await;
}

#[tokio::test]
async fn a_patch_of_nothing_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    for path in [FACET, &by_id("C")] {
        let answer = server.send(Method::PATCH, path, Some(r#"{"Name":"new"}"#)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn an_id_in_the_path_and_one_in_the_body_are_the_same() {
    let differs = |method: &str| {
        let body = with(plain(), json!({ "Id": "D" }));
        let case = if method == "PUT" { put(method, body) } else { patch(method, r#"{"Id":"D"}"#) };
        case.on(plain()).at(by_id("C")).faults(&["Id is \"D\" in the body but \"C\" in the path"])
    };
    hold(vec![
        differs("PUT"),
        differs("PATCH"),
        patch("letters count", r#"{"Id":"c"}"#).at(by_id("C")).faults(&["Id is \"c\""]),
        patch("the same is fine", r#"{"Id":"C","Name":"n"}"#).at(by_id("C")).shows(json!({ "Name": "n" })),
        put("null is as if left out", with(plain(), json!({ "Id": null })))
            .on(plain())
            .at(by_id("C"))
            .shows(plain()),
        patch("PATCH of the collection may change the Id", r#"{"Id":"D"}"#).shows(json!({ "Id": "D" })),
        patch("null keeps the Id, which is never empty", r#"{"Id":null}"#).shows(json!({ "Id": "C" })),
        put("the fault is reported with the others", r#"{"Id":"D","Mode":"x","Endpoint":"http://h"}"#)
            .on(plain())
            .at(by_id("C"))
            .faults(&["Id is \"D\"", "Mode is not", "FailoverGroupId is required"]),
    ])
    .await;
}

#[tokio::test]
async fn an_id_is_a_guid_when_nobody_names_one_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let unnamed = without(plain(), "Id").to_string();
    let shown_id = async || server.get(FACET).await.json()[0]["Id"].as_str().unwrap().to_owned();

    server.send(Method::PUT, FACET, Some(&unnamed)).await;
    let first = shown_id().await;
    assert_eq!(first.parse::<uuid::Uuid>().unwrap().get_version_num(), 4, "{first}");
    server.send(Method::PUT, FACET, Some(&unnamed)).await;
    assert_eq!(shown_id().await, first, "a replacement keeps the Id");
    server.send(Method::PATCH, FACET, Some(r#"{"Name":"n"}"#)).await;
    assert_eq!(shown_id().await, first);

    server.send(Method::DELETE, FACET, None).await;
    let posted = server.send(Method::POST, FACET, Some(&unnamed)).await;
    let second = shown_id().await;
    assert_ne!(second, first, "another configuration has another Id");
    assert_eq!(posted.json()["Id"], second);
}

#[tokio::test]
async fn any_id_can_be_reached_by_the_location_that_post_gives() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let long = "ä".repeat(256);
    for id in ["a b", "a/b", "/", "äß€𝄞", "a%2Fb", "a+b", "a?b#c", "\"", "..a", "%", "~._-", "C;d=1&e", &long]
    {
        let body = with(plain(), json!({ "Id": id })).to_string();
        let posted = server.send(Method::POST, FACET, Some(&body)).await;
        assert_eq!(posted.status, StatusCode::CREATED, "{id}: {}", posted.body);
        let location = posted.headers["location"].to_str().unwrap().to_owned();
        assert!(location.starts_with(&format!("{FACET}/")), "{location}");

        let found = server.get(&location).await;
        assert_eq!((found.status, &found.body), (StatusCode::OK, &posted.body), "{id}");
        assert_eq!(found.json()["Id"], id);
        for (method, body) in
            [(Method::PUT, Some(body.as_str())), (Method::PATCH, Some("{}")), (Method::DELETE, None)]
        {
            let answer = server.send(method.clone(), &location, body).await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{method} {id}: {}", answer.body);
        }
        assert_eq!(server.get(&location).await.status, StatusCode::NOT_FOUND, "{id}");
    }
}

#[tokio::test]
async fn of_posts_at_the_same_time_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let post = async |name: &str| {
        let body = with(plain(), json!({ "Name": name })).to_string();
        let answer = server.send(Method::POST, FACET, Some(&body)).await;
        (answer.status, name.to_owned())
    };
    for _ in 0..10 {
        let (a, b, c, d) = tokio::join!(post("a"), post("b"), post("c"), post("d"));
        let outcomes = [a, b, c, d];
        let won: Vec<_> = outcomes
            .iter()
            .filter(|(status, _)| *status == StatusCode::CREATED)
            .map(|(_, name)| name)
            .collect();
        let lost = outcomes.iter().filter(|(status, _)| *status == StatusCode::CONFLICT).count();
        assert_eq!((won.len(), lost), (1, 3), "{outcomes:?}");
        assert_eq!(server.get(FACET).await.json()[0]["Name"], *won[0]);
        server.send(Method::DELETE, FACET, None).await;
    }
}
