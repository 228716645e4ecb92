//! How the adapter signs in at its failover endpoint: tokens of a real OpenID provider, and Basic.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod support;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use client_failover::clock;
use serde_json::{Value, json};
use support::{
    Server, configuration,
    provider::Provider,
    scripted::{Call, Endpoint, Reply},
    search::Planted,
    until,
};
use tempfile::TempDir;

/// The secret that the provider knows at first; every character of it has a meaning in a form.
const SECRET: &str = "first+secret &=%";

/// An endpoint that lets only active tokens of `provider` in.
async fn guarded(provider: &Provider) -> Endpoint {
    let endpoint = Endpoint::native().await;
    endpoint.guard(format!("{}/token/introspection", provider.origin));
    endpoint
}

/// An adapter that logs everything that can be logged.
fn adapter() -> (Server, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(support::PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data.path());
    command.env("CLIENT_FAILOVER_LOG", "trace,client_failover=trace");
    (Server::from_command(command, data.path()), data)
}

fn with_client(endpoint: &Endpoint, provider: &Provider, timeout: &str) -> Value {
    let mut wanted = configuration(&endpoint.base(), "G", timeout);
    (wanted["ClientId"], wanted["ClientSecret"]) = (json!("adapter"), json!(SECRET));
    wanted["TokenEndpoint"] = json!(provider.token_endpoint());
    wanted
}

/// The tokens that heartbeats showed, each once.
fn tokens(endpoint: &Endpoint) -> Vec<String> {
    let mut tokens: Vec<_> =
        endpoint.calls(Call::Heartbeat).iter().map(|beat| beat.header("authorization").to_owned()).collect();
    tokens.dedup();
    tokens
}

async fn nothing_leaked(server: &Server, endpoint: &Endpoint) {
    let tokens = tokens(endpoint);
    let tokens: Vec<_> = tokens.iter().map(|token| token.trim_start_matches("Bearer ")).collect();
    assert!(!tokens.is_empty());
    let planted = Planted::texts(tokens.into_iter().chain([SECRET]));
    planted.none_in("the log", server.log().as_bytes());
    for path in [
        support::FAILOVER,
        support::HISTORY,
        support::FACET,
        "/metrics",
        "/api/openapi.json",
        "/api/v1/management/audit",
    ] {
        planted.none_in(path, server.get(path).await.body.as_bytes());
    }
    planted.none_in_process(server);
    planted.none_in_backup(&server.data);
    planted.none_in_folder(&server.data, &[]);
}

#[tokio::test]
async fn the_token_endpoint_is_discovered_on_the_endpoints_host() {
    let provider = Provider::start(60);
    let paths = [
        "/Identity/.well-known/openid-configuration",
        "/identity/.well-known/openid-configuration",
        "/.well-known/openid-configuration",
    ];
    for (index, path) in paths.into_iter().enumerate() {
        let endpoint = guarded(&provider).await;
        endpoint.discover(path, provider.token_endpoint());
        let (server, _data) = adapter();
        let mut wanted = with_client(&endpoint, &provider, "00:00:04");
        wanted["TokenEndpoint"] = Value::Null;
        server.configure(&wanted).await;
        server.until_role("Primary").await;
        let asked: Vec<_> = endpoint.calls(Call::Discovery).into_iter().map(|call| call.path).collect();
        assert_eq!(asked, paths[..=index]);
        assert_eq!(endpoint.refused(), 0);
        // Nobody who serves the document is told a secret.
        assert!(endpoint.calls(Call::Discovery).iter().all(|call| call.header("authorization").is_empty()));
    }
}

#[tokio::test]
async fn a_discovered_token_endpoint_elsewhere_is_refused_and_told_nothing() {
    let provider = Provider::start(60);
    let elsewhere = provider.token_endpoint().replace("127.0.0.1", "localhost");
    for (named, why) in [
        (elsewhere, "is on another host"),
        ("http://192.0.2.1/token".to_owned(), "is not https"),
        ("/token".to_owned(), "is no URL that can be used"),
    ] {
        let endpoint = guarded(&provider).await;
        endpoint.discover("/identity/.well-known/openid-configuration", named);
        let (server, _data) = adapter();
        let mut wanted = with_client(&endpoint, &provider, "00:00:01");
        wanted["TokenEndpoint"] = Value::Null;
        server.configure(&wanted).await;
        let row = server.until_history("EndpointFailed", "TokenFailed").await;
        assert!(row["Explanation"].as_str().unwrap().contains(why), "{row}");
        assert_eq!(server.role().await, "Secondary");
    }
    assert!(provider.requests().await.is_empty());
}

#[tokio::test]
async fn a_token_is_asked_for_by_a_form_with_three_members() {
    let provider = Provider::start(60);
    let endpoint = guarded(&provider).await;
    let (server, _data) = adapter();
    server.configure(&with_client(&endpoint, &provider, "00:00:01")).await;
    server.until_role("Primary").await;
    let request = &provider.requests().await[0];
    assert_eq!(request["contentType"], "application/x-www-form-urlencoded");
    assert_eq!((&request["authorization"], &request["status"]), (&Value::Null, &json!(200)));
    let body = request["body"].as_str().unwrap();
    let members: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let wanted = [("grant_type", "client_credentials"), ("client_id", "adapter"), ("client_secret", SECRET)];
    assert_eq!(members, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // What is configured is not looked for.
    assert!(endpoint.calls(Call::Discovery).is_empty());
    nothing_leaked(&server, &endpoint).await;
}

#[tokio::test]
async fn a_token_serves_many_heartbeats_and_is_renewed_before_it_expires() {
    let provider = Provider::start(4);
    let endpoint = guarded(&provider).await;
    let (server, _data) = adapter();
    server.configure(&with_client(&endpoint, &provider, "00:00:01")).await;
    until("three tokens were used", async || tokens(&endpoint).len() >= 3).await;
    let (asked, beats) = (provider.requests().await.len(), endpoint.calls(Call::Heartbeat).len());
    assert!((3..=4).contains(&asked) && beats >= 3 * asked, "{asked} tokens for {beats} heartbeats");
    assert_eq!(endpoint.refused(), 0, "no token was shown after its end");
    assert!(server.rows("EndpointFailed", "Unauthorized").await.is_empty());
    assert_eq!(server.rows("Role", "ToldPrimary").await.len(), 1);
    nothing_leaked(&server, &endpoint).await;
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_and_the_request_sent_again() {
    let provider = Provider::start(600);
    let endpoint = guarded(&provider).await;
    let (server, _data) = adapter();
    server.configure(&with_client(&endpoint, &provider, "00:00:04")).await;
    server.until_role("Primary").await;
    assert_eq!(provider.requests().await.len(), 1);
    provider.put("revoke", "").await;
    until("another token is used", async || tokens(&endpoint).len() == 2).await;
    endpoint.until_more(Call::Heartbeat, 3).await;
    assert_eq!((endpoint.refused(), provider.requests().await.len()), (1, 2));
    let beats = endpoint.heartbeats();
    let twice = beats.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert_eq!(twice, 1, "{beats:?}");
    assert!(server.history().await.iter().all(|row| row["Kind"] != "EndpointFailed"));
}

#[tokio::test]
async fn a_request_that_is_refused_with_a_fresh_token_too_is_not_sent_a_third_time() {
    let provider = Provider::start(600);
    let endpoint = guarded(&provider).await;
    let (server, _data) = adapter();
    server.configure(&with_client(&endpoint, &provider, "00:00:04")).await;
    server.until_role("Primary").await;
    endpoint.answer(Call::Heartbeat, Reply::error(401, "Whoever you are."));
    endpoint.until_more(Call::Heartbeat, 6).await;
    // The second says at once that a new Primary acts, and may have been answered before.
    let sequences: Vec<_> = endpoint.heartbeats().iter().map(|beat| beat["Sequence"].as_u64()).collect();
    let sequences: Vec<_> = sequences.into_iter().filter(|sequence| *sequence > Some(2)).collect();
    assert!(sequences.chunks_exact(2).all(|pair| pair[0] == pair[1]), "{sequences:?}");
    assert!(sequences.windows(3).all(|three| three[0] != three[2]), "{sequences:?}");
    let row = server.until_history("EndpointFailed", "Unauthorized").await;
    assert!(row["Explanation"].as_str().unwrap().contains("Whoever you are"), "{row}");
    assert_eq!(server.rows("EndpointFailed", "Unauthorized").await.len(), 1);
}

#[tokio::test]
async fn a_wrong_secret_is_told_and_over_when_the_right_one_is_given() {
    let provider = Provider::start(2);
    let endpoint = guarded(&provider).await;
    let (server, _data) = adapter();
    let mut wanted = with_client(&endpoint, &provider, "00:00:01");
    wanted["ClientSecret"] = json!("wrong");
    server.configure(&wanted).await;
    server.until_error("no token: the token endpoint answered 401 Unauthorized").await;
    server.until_history("EndpointFailed", "TokenFailed").await;
    until("it is tried again", async || provider.requests().await.len() >= 3).await;
    assert_eq!(server.rows("EndpointFailed", "TokenFailed").await.len(), 1);
    assert_eq!(server.log_lines("EndpointFailed", "TokenFailed").len(), 1);
    assert!(endpoint.requests().is_empty(), "without a token nothing is asked");
    server.change(&json!({ "ClientSecret": SECRET })).await;
    server.until_role("Primary").await;

    // Later the secret is changed at the provider alone, and then here, too.
    provider.put("secret", "second secret").await;
    server.until_error("no token: ").await;
    server.change(&json!({ "ClientSecret": "second secret" })).await;
    server.until_diagnostics("LastError", Value::is_null).await;
    server.until_diagnostics("LeaseRemaining", Value::is_string).await;
    nothing_leaked(&server, &endpoint).await;
}

#[tokio::test]
async fn a_secret_that_is_refused_is_not_tried_more_often_than_heartbeats_need_it() {
    let provider = Provider::start(2);
    let endpoint = guarded(&provider).await;
    let (server, _data) = adapter();
    server.configure(&with_client(&endpoint, &provider, "00:01:00")).await;
    server.until_role("Primary").await;
    provider.put("secret", "another").await;
    let refused =
        async || provider.requests().await.iter().filter(|request| request["status"] == 401).count();
    until("a renewal is refused", async || refused().await > 0).await;
    // Heartbeats are 15 s apart: within 6 s one of them at the most asks, beside the renewals of the
    // 2 s in which the old token was still good.
    let since = clock::now().uptime;
    until("6 s are over", async || clock::now().uptime >= since + Duration::from_secs(6)).await;
    let refused = refused().await;
    assert!(refused <= 3, "{refused}");
    server.until_log("the token could not be renewed").await;
}

#[tokio::test]
async fn user_and_password_arrive_as_utf_8() {
    for (user, password) in [
        ("a", "b"),
        ("Jürgen", "pässwörd€ 漢字"),
        ("PLANT\\operator", "back\\slash"),
        ("operator@plant.example", "with:colon"),
    ] {
        let endpoint = Endpoint::stock().await;
        let (server, _data) = adapter();
        let mut wanted = configuration(&endpoint.base(), "G", "00:00:01");
        (wanted["UserName"], wanted["Password"]) = (json!(user), json!(password));
        server.configure(&wanted).await;
        server.until_role("Primary").await;
        for request in endpoint.requests() {
            let encoded = request.header("authorization").strip_prefix("Basic ").unwrap().to_owned();
            let decoded = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
            assert_eq!(decoded, format!("{user}:{password}"));
        }
    }
}
