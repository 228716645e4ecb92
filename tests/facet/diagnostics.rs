//! The history: newest first, filtered, page by page.

use serde_json::{Value, json};

use crate::{
    support::{FACET, HISTORY, Server},
    table::{plain, refusal, with},
};

const CHANGES: &str = "kind=ConfigurationChanged";

async fn page(server: &Server, query: &str) -> (Vec<Value>, Option<String>) {
    let answer = server.get(&format!("{HISTORY}?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    let body = answer.json();
    let items = body["Items"].as_array().unwrap().clone();
    (items, body["NextCursor"].as_str().map(str::to_owned))
}

/// A server whose configuration was changed `count` times, always with another name.
async fn changed(folder: &std::path::Path, count: usize) -> Server {
    let server = Server::serve(folder, &[]);
    // What is changed as soon as the server answers may be on record before its start is.
    server.until_history("ServerStarted", "Started").await;
    for number in 0..count {
        server.configure(&with(plain(), json!({ "Name": number.to_string() }))).await;
    }
    server
}

fn times(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["Time"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn history_is_newest_first_and_says_who_changed_what() {
    let folder = tempfile::tempdir().unwrap();
    let server = changed(folder.path(), 3).await;
    server.send(reqwest::Method::PATCH, FACET, Some(r#"{"Description":"d"}"#)).await;
    server.send(reqwest::Method::DELETE, FACET, None).await;
    let (items, cursor) = page(&server, CHANGES).await;
    let explanations: Vec<_> = items.iter().map(|item| item["Explanation"].as_str().unwrap()).collect();
    let beginnings = ["deleted", "updated", "replaced", "replaced", "created"];
    assert_eq!((explanations.len(), cursor), (5, None));
    for (explanation, verb) in explanations.iter().zip(beginnings) {
        let beginning = format!("the configuration was {verb} by anonymous from 127.0.0.1:");
        assert!(explanation.starts_with(&beginning), "{explanation}");
    }
    assert!(explanations[1].ends_with(": Description"), "{}", explanations[1]);
    assert!(explanations[2].ends_with(": Name"), "{}", explanations[2]);
    let times = times(&items);
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    let (all, _) = page(&server, "limit=1000").await;
    assert_eq!(all.last().unwrap()["Kind"], "ServerStarted");
}

#[tokio::test]
async fn a_cursor_stays_good_while_rows_are_added() {
    let folder = tempfile::tempdir().unwrap();
    let server = changed(folder.path(), 7).await;
    let (whole, _) = page(&server, CHANGES).await;
    assert_eq!(whole.len(), 7);
    let (mut seen, mut cursor) = page(&server, &format!("{CHANGES}&limit=2")).await;
    let mut pages = 1;
    while let Some(next) = cursor {
        server.configure(&with(plain(), json!({ "Name": "added" }))).await;
        let (items, after) = page(&server, &format!("{CHANGES}&limit=2&cursor={next}")).await;
        assert!(!items.is_empty() && items.len() <= 2, "{items:?}");
        seen.extend(items);
        (cursor, pages) = (after, pages + 1);
    }
    assert_eq!((seen, pages), (whole, 4), "each row once, none of the added ones");
}

#[tokio::test]
async fn limits_bound_a_page_and_tell_whether_there_is_more() {
    let folder = tempfile::tempdir().unwrap();
    let server = changed(folder.path(), 3).await;
    for (limit, rows, more) in
        [("1", 1, true), ("2", 2, true), ("3", 3, false), ("4", 3, false), ("1000", 3, false)]
    {
        let (items, cursor) = page(&server, &format!("{CHANGES}&limit={limit}")).await;
        assert_eq!((items.len(), cursor.is_some()), (rows, more), "limit {limit}");
    }
    let (beyond, cursor) = page(&server, &format!("{CHANGES}&cursor=1")).await;
    assert_eq!((beyond.len(), cursor), (0, None));
}

#[tokio::test]
async fn from_is_included_to_is_not_and_kind_is_read_in_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let server = changed(folder.path(), 4).await;
    let (items, _) = page(&server, CHANGES).await;
    let times = times(&items);
    let (from, to) = (times[2], times[0]);
    assert!(from < times[1] && times[1] < to, "each change has its own microsecond: {times:?}");
    let between = page(&server, &format!("{CHANGES}&from={from}&to={to}")).await.0;
    assert_eq!(between, items[1..=2]);
    assert_eq!(page(&server, &format!("KIND=configurationchanged&FROM={from}")).await.0, items[..=2]);
    assert_eq!(page(&server, &format!("{CHANGES}&from={to}&to={from}")).await.0.len(), 0);
    assert_eq!(page(&server, &format!("{CHANGES}&from=&limit=&cursor=")).await.0, items, "empty is left out");
    let local = "2001-01-01T00:00:00%2B02:00";
    assert_eq!(page(&server, &format!("{CHANGES}&from={local}")).await.0, items);
    let (started, _) = page(&server, "kind=ServerStarted").await;
    assert_eq!(started.len(), 1);
}

#[tokio::test]
async fn every_wrong_parameter_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = changed(folder.path(), 1).await;
    for (query, parts) in [
        ("from=yesterday", ["from cannot be read"].as_slice()),
        ("to=2026-13-01T00:00:00Z", &["to cannot be read"]),
        ("kind=Colour", &["kind is not a kind of event"]),
        ("limit=0", &["limit cannot be read"]),
        ("limit=1001", &["limit cannot be read"]),
        ("limit=-1", &["limit cannot be read"]),
        ("limit=1.5", &["limit cannot be read"]),
        ("limit=99999999999999999999", &["limit cannot be read"]),
        ("cursor=x", &["cursor cannot be read"]),
        ("colour=red", &["\"colour\" is not a parameter that is known here"]),
        (
            "from=x&to=y&kind=z&limit=0&cursor=c&other=1",
            &["from", "to", "kind", "limit", "cursor", "\"other\""],
        ),
    ] {
        let answer = server.get(&format!("{HISTORY}?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        let [error, reason, _] = refusal(&answer).unwrap();
        assert!(error.starts_with(&format!("{} fault", parts.len())), "{query}: {error}");
        for part in parts {
            assert!(reason.contains(part), "{query}: {reason}");
        }
    }
}
