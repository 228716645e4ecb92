//! The egress gate is behind the same door as everything else.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    guarded::{add_all, answer, get, send},
    sink::{self, Sink},
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

/// What a destination may say to a browser about itself, and what this server says instead, if anything.
const SAID: [(&str, &str, Option<&str>); 12] = [
    ("set-cookie", "a=b; Path=/", None),
    ("clear-site-data", "\"*\"", None),
    ("strict-transport-security", "max-age=31536000", None),
    ("alt-svc", "h3=\":443\"", None),
    ("access-control-allow-origin", "*", None),
    ("access-control-allow-credentials", "true", None),
    ("cross-origin-resource-policy", "cross-origin", Some("same-origin")),
    ("x-frame-options", "ALLOWALL", Some("DENY")),
    ("x-content-type-options", "sniff", Some("nosniff")),
    ("referrer-policy", "unsafe-url", Some("no-referrer")),
    ("cache-control", "public, max-age=31536000", Some("no-store")),
    ("content-security-policy", "default-src *", Some("default-src 'none'; frame-ancestors 'none'; sandbox")),
];

#[tokio::test]
async fn what_a_destination_says_to_browsers_is_not_said_for_this_server_and_it_learns_no_login() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let (server, sink) = (Server::serve(folder.path(), &[]), Sink::start().await);
    let said: String = SAID.iter().map(|(name, value, _)| format!("{name}: {value}\r\n")).collect();
    sink.answer(sink::Answer::With(200, format!("{said}x-kept: 1\r\n").leak(), "well"));
    let login = json!({ "UserName": "gate", "Password": "its own password" });
    let with_login = [("d", json!({})), ("e", login)].map(|(id, login)| {
        let mut body = json!({ "Id": id, "Endpoint": sink.origin() });
        body.as_object_mut().unwrap().extend(login.as_object().unwrap().clone());
        body
    });
    let body = json!(with_login).to_string();
    for (who, status) in [(None, 401), (Some("user"), 403), (Some("admin"), 204)] {
        let answered = send(&server, who, Method::PUT, DESTINATIONS, Some(&body)).await;
        assert_eq!(answered.status.as_u16(), status, "{who:?}: {}", answered.body);
    }
    until("the gate knows its destinations", async || {
        let report = get(&server, Some("user"), "/api/v1/diagnostics/Egress").await.json();
        report.as_array().is_some_and(|lanes| lanes.len() == 2)
    })
    .await;
    for id in ["d", "e"] {
        let request = client().get(format!("{}/egress/{id}/x", server.url));
        let request = request.basic_auth("user", Some(crate::guarded::PASSWORD)).header("cookie", "a=b");
        let passed = answer(request).await;
        assert_eq!((passed.status, passed.body.as_str()), (StatusCode::OK, "well"));
        assert_eq!(passed.headers["x-kept"], "1");
        for (name, _, instead) in SAID {
            let told: Vec<_> =
                passed.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(told, instead.into_iter().collect::<Vec<_>>(), "{name}");
        }
    }
    let seen = sink.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|request| request.header("cookie").is_empty()));
    assert!(seen[0].header("authorization").is_empty(), "{:?}", seen[0]);
    let own = format!("Basic {}", STANDARD.encode("gate:its own password"));
    assert_eq!(seen[1].header("authorization"), [own.as_str()], "its own login, and no other");
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
