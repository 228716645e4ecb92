//! Every route, every method, and everybody who may call it or not; and that each is documented.

use std::collections::BTreeSet;

use client_failover::http::access::{self, Need};
use reqwest::{Method, StatusCode};

use crate::{
    guarded::{PASSWORD, add_all, get, send},
    support::{
        Server, client,
        routes::{concrete, document_of_both, is_gate, methods, operations},
    },
};

#[tokio::test]
async fn every_route_says_whom_it_serves() {
    for (method, pattern) in methods().await {
        assert!(access::row(&method, pattern).is_some(), "http/access.rs says nothing of {method} {pattern}");
    }
}

/// What people look at: it is no interface.
fn is_page(pattern: &str) -> bool {
    matches!(pattern, "/" | "/api") || pattern.starts_with("/page/")
}

#[tokio::test]
async fn every_route_and_method_is_documented_and_no_other() {
    let (_, document) = document_of_both().await;
    let documented: BTreeSet<(String, String)> = operations(&document)
        .into_iter()
        .filter(|(_, path, _)| !is_gate(path))
        .map(|(method, path, _)| (path, method.to_string()))
        .collect();
    let served: BTreeSet<(String, String)> = methods()
        .await
        .into_iter()
        .filter(|(_, pattern)| !is_page(pattern))
        .map(|(method, pattern)| (pattern.to_owned(), method.to_string()))
        .collect();
    let lacking: Vec<_> = served.difference(&documented).collect();
    assert!(lacking.is_empty(), "src/http/openapi says nothing of {lacking:?}");
    let invented: Vec<_> = documented.difference(&served).collect();
    assert!(invented.is_empty(), "src/http/openapi says something of what is not served: {invented:?}");
}

/// What a request that may pass is answered with is its handler's affair; what it is not, is ours.
fn passed(status: StatusCode) -> bool {
    !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// What a request of `who` is answered with. Its body is not read: a stream goes on for ever.
async fn status(server: &Server, who: Option<&str>, method: &Method, path: &str, body: &str) -> StatusCode {
    let mut request = client().request(method.clone(), format!("{}{path}", server.url));
    if let Some(user) = who {
        request = request.basic_auth(user, Some(PASSWORD));
    }
    let request = request.header("content-type", "application/json").body(body.to_owned());
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn everybody_may_do_what_he_may_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    let posted = [("user", "S")];
    let mut rows = 0;
    for (method, pattern) in methods().await {
        let path = concrete(pattern);
        let base = path.split("/groups").next().unwrap().to_owned();
        for who in [None, Some("user"), Some("other"), Some("admin")] {
            // The session is there and the user's before each call about it.
            if pattern.contains("{group}") {
                let group = r#"{"Id": "G", "FailoverTimeout": "00:01:00"}"#;
                let made =
                    send(&server, Some("user"), Method::POST, &format!("{base}/groups"), Some(group)).await;
                assert!(made.status.is_success(), "{}", made.body);
                for (owner, session) in posted {
                    let body = format!(r#"{{"Id": "{session}"}}"#);
                    let sessions = format!("{base}/groups/G/clientsessions");
                    let made = send(&server, Some(owner), Method::POST, &sessions, Some(&body)).await;
                    assert!(made.status.is_success(), "{}", made.body);
                }
            }
            let body = if path.ends_with("/clientsessions") { r#"{"Id": "S"}"# } else { "{}" };
            let status = status(&server, who, &method, &path, body).await;
            let need = access::row(&method, pattern).unwrap();
            let of_session = path.ends_with("/clientsessions/S") && method == Method::DELETE;
            let heartbeat = path.ends_with("/heartbeat");
            let takes = path.ends_with("/clientsessions") && method == Method::POST;
            let may = match (need, who) {
                (Need::Nobody, _) => true,
                (_, None) => false,
                (Need::Administrator, Some(who)) => who == "admin",
                (Need::User, Some("other")) => !(of_session || heartbeat || takes),
                (Need::User, Some("admin")) => !(heartbeat || takes),
                (Need::User, Some(_)) => true,
            };
            assert_eq!(passed(status), may, "{method} {path} by {who:?}: {status}");
            if who.is_none() && !may {
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}");
            }
            rows += 1;
        }
    }
    assert!(rows > 100, "{rows}");
    for who in [None, Some("user")] {
        let status = get(&server, who, "/api/v1/nowhere").await.status;
        let expected = if who.is_none() { StatusCode::UNAUTHORIZED } else { StatusCode::NOT_FOUND };
        assert_eq!(status, expected, "what is not there is no secret of those who may ask");
    }
}
