//! Every route, every method, and everybody who may call it or not; and that each is documented.

use std::collections::BTreeSet;

use client_failover::http::access;
use reqwest::{Method, StatusCode};

use crate::{
    guarded::{PASSWORD, add_all, get, send},
    support::{
        Server, client,
        routes::{concrete, document_of_both, endpoint_methods, is_gate, methods, operations},
    },
};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    /// Without a login, too.
    Anybody,
    /// Whoever logs in.
    User,
    /// Whoever made the session.
    Maker,
    /// He, or an administrator.
    MakerOrAdministrator,
    Administrator,
}

use May::{Administrator, Anybody, Maker, MakerOrAdministrator, User};

/// What a route's methods need.
type Row = (&'static str, &'static [(&'static str, May)]);

/// Of both halves. It is written out here, so that what the program says of itself is compared to something.
const OF_BOTH: &[Row] = &[
    ("/healthz", &[("GET", Anybody)]),
    ("/readyz", &[("GET", Anybody)]),
    ("/", &[("GET", Anybody)]),
    ("/api", &[("GET", Anybody)]),
    ("/metrics", &[("GET", User)]),
    ("/api/openapi.json", &[("GET", User)]),
    ("/api/v1/management/audit", &[("GET", Administrator)]),
];

/// Of the adapter half.
const OF_ADAPTERS: &[Row] = &[
    (
        "/api/v1/configuration/system/clientfailover",
        &[
            ("GET", User),
            ("POST", Administrator),
            ("PUT", Administrator),
            ("PATCH", Administrator),
            ("DELETE", Administrator),
        ],
    ),
    (
        "/api/v1/configuration/system/clientfailover/{id}",
        &[("GET", User), ("PUT", Administrator), ("PATCH", Administrator), ("DELETE", Administrator)],
    ),
    (
        "/api/v1/configuration/egress/dataendpoints",
        &[("GET", User), ("POST", Administrator), ("PUT", Administrator), ("DELETE", Administrator)],
    ),
    (
        "/api/v1/configuration/egress/dataendpoints/{id}",
        &[("GET", User), ("PUT", Administrator), ("PATCH", Administrator), ("DELETE", Administrator)],
    ),
    (
        "/api/v1/management/secrets",
        &[("GET", Administrator), ("PUT", Administrator), ("DELETE", Administrator)],
    ),
    (
        "/api/v1/management/secrets/{id}",
        &[("GET", Administrator), ("PUT", Administrator), ("DELETE", Administrator)],
    ),
    ("/api/v1/diagnostics/failoverstate", &[("GET", User)]),
    ("/api/v1/diagnostics/failover", &[("GET", User)]),
    ("/api/v1/diagnostics/failover/events", &[("GET", User)]),
    ("/api/v1/diagnostics/failoverhistory", &[("GET", User)]),
    ("/api/v1/diagnostics/egress", &[("GET", User)]),
    ("/api/v1/diagnostics/order", &[("GET", User)]),
    ("/api/v1/diagnostics/order/events", &[("GET", User)]),
    ("/api/v1/diagnostics/components", &[("GET", User)]),
    ("/api/v1/diagnostics/components/{id}", &[("GET", User), ("PUT", User), ("DELETE", User)]),
];

/// Of the failover endpoint, below each of its bases.
const OF_ENDPOINTS: &[Row] = &[
    ("", &[("GET", User)]),
    ("/overview", &[("GET", User)]),
    ("/overview/events", &[("GET", User)]),
    ("/groups", &[("GET", User), ("POST", User)]),
    ("/groups/{group}", &[("GET", User), ("DELETE", Administrator)]),
    ("/groups/{group}/accesscontrol", &[("GET", User), ("PUT", Administrator)]),
    ("/groups/{group}/status", &[("GET", User)]),
    ("/groups/{group}/status/events", &[("GET", User)]),
    ("/groups/{group}/history", &[("GET", User)]),
    ("/groups/{group}/events", &[("GET", User)]),
    ("/groups/{group}/clientsessions", &[("GET", User), ("POST", Maker)]),
    ("/groups/{group}/clientsessions/{session}", &[("GET", User), ("DELETE", MakerOrAdministrator)]),
    ("/groups/{group}/clientsessions/{session}/heartbeat", &[("POST", Maker)]),
    ("/groups/{group}/clientsessions/{session}/roleoverride", &[("POST", Administrator)]),
];

/// The failover endpoint's bases.
const BASES: [&str; 2] =
    ["/api/v1/clientfailover", "/api/v1/tenants/{tenant}/namespaces/{namespace}/clientfailover"];

/// What else it has.
const BESIDE_BASES: &[Row] = &[(
    "/api/v1/tenants/{tenant}/namespaces/{namespace}/accesscontrol/clientfailover/groups",
    &[("GET", User), ("PUT", Administrator)],
)];

/// Every route and method that may be there: of which `half`, and who may.
fn table(adapter: bool) -> Vec<(String, &'static str, May)> {
    let of_adapters: &[Row] = if adapter { OF_ADAPTERS } else { &[] };
    let alone = [OF_BOTH, of_adapters, BESIDE_BASES].concat().into_iter();
    let rows = alone.map(|(pattern, methods)| (pattern.to_owned(), methods));
    let below = BASES.into_iter().flat_map(|base| {
        OF_ENDPOINTS.iter().map(move |(pattern, methods)| (format!("{base}{pattern}"), *methods))
    });
    let each = |(pattern, methods): (String, &'static [(&'static str, May)])| {
        methods.iter().map(move |(method, may)| (pattern.clone(), *method, *may)).collect::<Vec<_>>()
    };
    rows.chain(below).flat_map(each).collect()
}

/// Who may call `method` on `pattern`; a file of the page is anybody's.
fn may(table: &[(String, &'static str, May)], method: &Method, pattern: &str) -> May {
    if pattern.starts_with("/page/") && *method == Method::GET {
        return Anybody;
    }
    let row = table.iter().find(|(of, called, _)| of == pattern && *called == method.as_str());
    row.unwrap_or_else(|| panic!("{method} {pattern} has no row here: who may call it?")).2
}

#[tokio::test]
async fn every_route_says_whom_it_serves_and_has_its_row_here() {
    for (adapter, served) in [(true, methods().await), (false, endpoint_methods().await)] {
        let table = table(adapter);
        for (method, pattern) in &served {
            assert!(
                access::row(method, pattern).is_some(),
                "http/access.rs says nothing of {method} {pattern}"
            );
            may(&table, method, pattern);
        }
        for (pattern, method, _) in &table {
            let is_served = served.iter().any(|(served, of)| of == pattern && served.as_str() == *method);
            assert!(is_served, "{method} {pattern} is not served");
        }
    }
}

#[test]
fn nothing_but_the_gate_answers_beside_the_router() {
    let http = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let sources = std::fs::read_dir(http).unwrap().map(|entry| entry.unwrap().path());
    let raw: Vec<_> = sources
        .filter(|path| path.is_file() && std::fs::read_to_string(path).unwrap().contains(".raw("))
        .map(|path| path.file_name().unwrap().to_owned())
        .collect();
    assert_eq!(raw, ["gate.rs"], "what has no row in the table needs a test of its own, as the gate has");
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

/// The session is there and the user's before each call about it.
async fn make_session(server: &Server, base: &str) {
    let group = r#"{"Id": "G", "FailoverTimeout": "00:01:00"}"#;
    let made = send(server, Some("user"), Method::POST, &format!("{base}/groups"), Some(group)).await;
    assert!(made.status.is_success(), "{}", made.body);
    let sessions = format!("{base}/groups/G/clientsessions");
    let made = send(server, Some("user"), Method::POST, &sessions, Some(r#"{"Id": "S"}"#)).await;
    assert!(made.status.is_success(), "{}", made.body);
}

/// Calls every route that is `served` as everybody, and looks who is let in.
async fn hold_to_table(server: &Server, served: Vec<(Method, &'static str)>, adapter: bool) {
    let table = table(adapter);
    let mut calls = 0;
    for (method, pattern) in served {
        let path = concrete(pattern);
        let may = may(&table, &method, pattern);
        for who in [None, Some("user"), Some("other"), Some("admin")] {
            if pattern.contains("{group}") {
                make_session(server, path.split("/groups").next().unwrap()).await;
            }
            let body = match path.rsplit('/').next() {
                Some("clientsessions") => r#"{"Id": "S"}"#,
                Some("heartbeat") => r#"{"FailoverScore": 1}"#,
                _ => "{}",
            };
            let status = status(server, who, &method, &path, body).await;
            let is_let_in = match (may, who) {
                (Anybody, _) => true,
                (_, None) => false,
                (User, Some(_)) => true,
                (Maker, Some(who)) => who == "user",
                (MakerOrAdministrator, Some(who)) => who != "other",
                (Administrator, Some(who)) => who == "admin",
            };
            assert_eq!(passed(status), is_let_in, "{method} {path} by {who:?}: {status}");
            if who.is_none() && !is_let_in {
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}");
            }
            calls += 1;
        }
    }
    assert!(calls > 100, "{calls}");
    for (who, expected) in [(None, StatusCode::UNAUTHORIZED), (Some("user"), StatusCode::NOT_FOUND)] {
        let status = get(server, who, "/api/v1/nowhere").await.status;
        assert_eq!(status, expected, "what is not there is no secret of those who may ask");
    }
}

#[tokio::test]
async fn everybody_may_do_what_he_may_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    hold_to_table(&server, methods().await, true).await;
}

#[tokio::test]
async fn everybody_may_do_what_he_may_at_an_endpoint_alone() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let server = Server::endpoint(folder.path(), &[]);
    hold_to_table(&server, endpoint_methods().await, false).await;
}
