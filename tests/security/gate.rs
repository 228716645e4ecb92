//! The egress gate is behind the same door as everything else.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    guarded::{add_all, answer, get, send},
    support::{Server, client, until},
};

const DESTINATIONS: &str = "/api/v1/configuration/Egress/DataEndpoints";

#[tokio::test]
async fn the_gate_asks_for_a_login_and_turns_pages_of_others_away() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let server = Server::serve(folder.path(), &[]);
    for path in ["/egress/d/x", "/EGRESS/d/x", "/egress/"] {
        let refused = send(&server, None, Method::POST, path, Some("{}")).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}: {}", refused.body);
        assert!(refused.headers.contains_key("www-authenticate") && refused.json()["Error"].is_string());
        let admitted = send(&server, Some("user"), Method::POST, path, Some("{}")).await;
        assert_eq!(admitted.status, StatusCode::NOT_FOUND, "{path}: {}", admitted.body);
    }
    let url = format!("{}/egress/d/x", server.url);
    for (name, value) in [("host", "evil.example"), ("origin", "http://evil.example")] {
        let request = client().post(&url).basic_auth("user", Some(crate::guarded::PASSWORD));
        assert_eq!(answer(request.header(name, value)).await.status, StatusCode::FORBIDDEN, "{name}");
    }
}

#[tokio::test]
async fn what_a_destination_says_is_no_page_of_this_server_and_learns_no_login() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    // The destination shows what it was sent; it is a server of ours, which refuses it.
    let (server, other) = (Server::serve(folder.path(), &[]), tempfile::tempdir().unwrap());
    let destination = Server::serve(other.path(), &[]);
    let body = json!({ "Id": "d", "Endpoint": destination.url }).to_string();
    for (who, status) in [(None, 401), (Some("user"), 403), (Some("admin"), 204)] {
        let answered = send(&server, who, Method::PUT, DESTINATIONS, Some(&body)).await;
        assert_eq!(answered.status.as_u16(), status, "{who:?}: {}", answered.body);
    }
    until("the gate knows its destination", async || {
        get(&server, Some("user"), "/api/v1/diagnostics/Egress").await.json()[0]["Id"] == "d"
    })
    .await;
    let page = get(&server, Some("user"), "/egress/d/").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let policies: Vec<_> = page.headers.get_all("content-security-policy").iter().collect();
    assert!(policies.iter().any(|policy| policy.to_str().unwrap().contains("sandbox")), "{policies:?}");
    assert_eq!(page.headers["x-frame-options"], "DENY");
}

#[tokio::test]
async fn files_of_gate_and_endpoint_are_their_owners_alone() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    until("it is ready", async || server.get("/readyz").await.status == StatusCode::OK).await;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let (path, mode) = {
            let entry = entry.unwrap();
            (entry.path(), entry.metadata().unwrap().mode())
        };
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
    assert!(folder.path().join("egress.db").exists());
}
