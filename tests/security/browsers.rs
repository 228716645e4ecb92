//! Pages of others, in a browser on the same machine, reach nothing.

use reqwest::{Method, StatusCode};

use crate::{
    guarded::answer,
    support::{FACET, STATE, Server, client, configuration},
};

#[tokio::test]
async fn a_name_that_was_pointed_here_is_refused_and_an_allowed_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &["--allow-host", "failover.plant.example"]);
    let url = format!("{}{STATE}", server.url);
    for (host, status) in [
        ("evil.example", StatusCode::FORBIDDEN),
        ("evil.example:5590", StatusCode::FORBIDDEN),
        ("localhost", StatusCode::OK),
        ("failover.plant.example", StatusCode::OK),
    ] {
        let answered = answer(client().get(&url).header("host", host)).await;
        assert_eq!(answered.status, status, "{host}: {}", answered.body);
        if status == StatusCode::FORBIDDEN {
            let resolution = answered.json()["Resolution"].as_str().unwrap().to_owned();
            assert!(
                resolution.starts_with("Start the server that was called with --allow-host evil.example,")
            );
        }
    }
    let probe = format!("{}/healthz", server.url);
    assert_eq!(answer(client().get(probe).header("host", "pod-7")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_page_of_somebody_else_can_neither_write_nor_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let url = format!("{}{FACET}", server.url);
    let body = configuration("http://evil.example", "G", "00:00:01").to_string();
    for origin in ["http://evil.example", "http://localhost:3000", "null"] {
        for method in [Method::PUT, Method::POST, Method::DELETE, Method::GET] {
            let request = client().request(method, &url).header("origin", origin);
            let answered =
                answer(request.header("content-type", "application/json").body(body.clone())).await;
            assert_eq!(answered.status, StatusCode::FORBIDDEN, "{origin}");
            assert!(answered.headers.get("access-control-allow-origin").is_none());
        }
        // A browser asks before it sends what a form cannot.
        let preflight = client()
            .request(Method::OPTIONS, &url)
            .header("origin", origin)
            .header("access-control-request-method", "PUT");
        let answered = answer(preflight).await;
        assert!(!answered.status.is_success());
        assert!(answered.headers.get("access-control-allow-methods").is_none());
    }
    assert_eq!(server.get(FACET).await.body, "[]");
    let own = client().put(&url).header("origin", &server.url).header("content-type", "application/json");
    let own = answer(own.body(configuration("http://127.0.0.1:9", "G", "00:00:01").to_string())).await;
    assert_eq!(own.status, StatusCode::NO_CONTENT, "its own page may: {}", own.body);
}

#[tokio::test]
async fn what_a_page_of_somebody_else_shows_or_runs_is_refused_and_a_link_to_the_page_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    let ask = async |path: &str, site: &str| {
        let request = client().get(format!("{}{path}", server.url)).header("sec-fetch-site", site);
        request.send().await.unwrap().status()
    };
    for path in [
        STATE,
        "/egress/d/x",
        "/api/v1/diagnostics/Failover/events",
        "/api/v1/clientfailover/overview/events",
        "/metrics",
        "/nowhere",
    ] {
        for site in ["cross-site", "same-site"] {
            assert_eq!(ask(path, site).await, StatusCode::FORBIDDEN, "{path}, {site}");
        }
        for site in ["same-origin", "none"] {
            assert_ne!(ask(path, site).await, StatusCode::FORBIDDEN, "{path}, {site}");
        }
    }
    for path in ["/", "/api", "/page/page.css"] {
        assert_eq!(ask(path, "cross-site").await, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn every_answer_says_to_browsers_what_they_must_not_do() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    for path in ["/healthz", STATE, "/nowhere", "/api/v1/clientfailover", "/api/v1/clientfailover/groups/x"] {
        let answered = server.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(
                answered.headers.get(name).map(|value| value.to_str().unwrap()),
                Some(value),
                "{path}"
            );
        }
        assert!(answered.headers.get("set-cookie").is_none());
        assert!(answered.headers.get("access-control-allow-origin").is_none());
    }
}
