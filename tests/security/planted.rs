//! A user's password, private keys and tokens are searched for everywhere: files, log, answers, process list, backups, and
//! what a panic prints.

use std::{
    fs,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use client_failover::{
    http::kit::{JsonBody, Routes},
    store::{DataFolder, Store},
    wire::configuration::read_draft,
};
use http_body_util::BodyExt;
use serde_json::json;

use crate::{
    guarded::{PASSWORD, add, answer, client_trusting, user},
    support::{
        FACET, FAILOVER, HISTORY, PROGRAM, STATE, Server, client, door, provider::Provider, search::Planted,
        until,
    },
    tokens::{AUDIENCE, token},
};

/// Another password, which is refused.
const WRONG: &str = "wrong planted password";

/// Everything that answers a user.
const ANSWERS: [&str; 11] = [
    STATE,
    FAILOVER,
    HISTORY,
    FACET,
    "/readyz",
    "/metrics",
    "/api/openapi.json",
    "/api/v1/management/audit",
    "/api/v1/clientfailover/overview",
    "/",
    "/nowhere",
];

#[tokio::test]
async fn a_password_and_a_private_key_are_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    add("plc-a", "administrator", folder.path());
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--tls-self-signed", "--with-endpoint", "--data-dir"]);
    command.arg(folder.path()).env("CLIENT_FAILOVER_LOG", "trace,sqlx=trace");
    let server = Server::from_command(command, folder.path());
    let trusting = client_trusting(&folder.path().join("tls-cert.pem"));
    let mut planted = Planted::texts([PASSWORD, WRONG]);
    for password in [PASSWORD, WRONG] {
        let escaped = url::form_urlencoded::byte_serialize(password.as_bytes()).collect::<String>();
        planted = planted.and(Planted::texts([STANDARD.encode(format!("plc-a:{password}")), escaped]));
    }
    planted = planted.and(Planted::key_of(folder.path()));
    let key = fs::read_to_string(folder.path().join("tls-key.pem")).unwrap();
    planted = planted.and(Planted::texts([key.lines().nth(1).unwrap()]));
    for password in [PASSWORD, WRONG] {
        for path in ANSWERS {
            let request = trusting.get(format!("{}{path}", server.url)).basic_auth("plc-a", Some(password));
            planted.none_in(path, answer(request).await.body.as_bytes());
        }
    }
    assert!(user(&["passwd", "plc-a"], folder.path(), &format!("{PASSWORD}\n")).status.success());
    planted.none_in_process(&server);
    assert!(server.log().contains("DEBUG"), "everything is logged");
    planted.none_in("the log", server.log().as_bytes());
    planted.none_in_backup(folder.path());
    planted.none_in_folder(folder.path(), &["tls-key.pem", "key"]);
}

#[tokio::test]
async fn a_token_that_is_sent_as_a_login_is_nowhere() {
    let (provider, folder) = (Provider::of_tokens_for(AUDIENCE), tempfile::tempdir().unwrap());
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--with-endpoint", "--data-dir"]).arg(folder.path());
    command.args(["--oidc-issuer", &provider.origin, "--oidc-audience", AUDIENCE]);
    command.env("CLIENT_FAILOVER_LOG", "trace,sqlx=trace");
    let mut server = Server::from_command(command, folder.path());
    let good = token(&provider, "chief", "chief").await;
    // One that nobody signed, one of somebody without a role, one that is none.
    let (said, signature) = good.rsplit_once('.').unwrap();
    let forged = format!("{said}.{}", signature.chars().rev().collect::<String>());
    let guest = token(&provider, "guest", "guest").await;
    let none = "planted.words.that-are-no-token".to_owned();
    until("its keys are known", async || {
        let request = client().get(format!("{}{STATE}", server.url)).bearer_auth(&good);
        answer(request).await.status == StatusCode::OK
    })
    .await;
    let tokens = [good, forged, guest, none];
    // A part of one would do: what is said, and the signature.
    let parts = tokens.iter().flat_map(|token| token.split('.')).filter(|part| part.len() > 12);
    let planted = Planted::texts(tokens.iter().map(String::as_str).chain(parts));
    for token in &tokens {
        for path in ANSWERS {
            let request = client().get(format!("{}{path}", server.url)).bearer_auth(token);
            planted.none_in(path, answer(request).await.body.as_bytes());
            // Where a page could put it, it is no login, and is not said back.
            let request = client().get(format!("{}{path}", server.url)).header("x-access-token", token);
            planted.none_in(path, answer(request).await.body.as_bytes());
        }
        let group = client().post(format!("{}/api/v1/clientfailover/groups", server.url)).bearer_auth(token);
        let group = group.header("content-type", "application/json");
        let made = answer(group.body(r#"{"Id": "G", "FailoverTimeout": "00:01:00"}"#)).await;
        planted.none_in("a change", made.body.as_bytes());
    }
    planted.none_in_process(&server);
    planted.none_in_backup(folder.path());
    planted.none_in_folder(folder.path(), &[]);
    server.terminate();
    planted.none_in_folder(folder.path(), &[]);
    let log = server.log();
    assert!(log.contains("TRACE") && log.contains("a token was refused"), "everything is logged");
    planted.none_in("the log", log.as_bytes());
}

/// A handler that reads a configuration and secrets, and panics with all that it has.
async fn panics(body: JsonBody) -> StatusCode {
    panic!("{:?}", read_draft(body.0));
}

#[tokio::test]
async fn a_panic_prints_and_answers_no_secret() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let routes = Routes::new().route("/panics", axum::routing::post(panics));
    let interface = routes.build(door(&store).await);
    // What a panic prints is what its hook is given.
    let (printed, before) = (Arc::new(Mutex::new(String::new())), std::panic::take_hook());
    let noted = Arc::clone(&printed);
    std::panic::set_hook(Box::new(move |panic| {
        noted.lock().unwrap_or_else(PoisonError::into_inner).push_str(&panic.to_string());
        before(panic);
    }));
    let body = json!({ "UserName": "plc-a", "Password": PASSWORD, "ClientSecret": WRONG }).to_string();
    let login = STANDARD.encode(format!("plc-a:{PASSWORD}"));
    let request =
        Request::post("/panics").header("host", "localhost").header("content-type", "application/json");
    let request = request.header("authorization", format!("Basic {login}")).body(Body::from(body)).unwrap();
    let answered = interface.answer(request).await;
    assert_eq!(answered.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let said = answered.into_body().collect().await.unwrap().to_bytes();
    let printed = printed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(printed.contains("UserName") || printed.contains("user_name"), "it panicked with it: {printed}");
    let planted = Planted::texts([PASSWORD, WRONG, &format!("{PASSWORD:?}"), &login]);
    planted.none_in("what a panic prints", printed.as_bytes());
    planted.none_in("what a panic answers", &said);
}
