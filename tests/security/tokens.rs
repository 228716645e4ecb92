//! Tokens of a real OpenID provider: whose they are, its new keys, and its death.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use client_failover::clock;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    guarded::answer,
    support::{FACET, PROGRAM, STATE, Server, client, configuration, provider::Provider, until},
};

pub const AUDIENCE: &str = "https://failover.plant.example";

fn serve(provider: &Provider, data: &std::path::Path, audience: &str) -> Server {
    Server::serve(data, &["--with-endpoint", "--oidc-issuer", &provider.origin, "--oidc-audience", audience])
}

/// A fresh token of a client of the provider.
pub async fn token(provider: &Provider, id: &str, secret: &str) -> String {
    let form: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)])
        .finish();
    let request = client().post(provider.token_endpoint());
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    let answered = answer(request).await;
    let body: Value = answered.json();
    body["access_token"].as_str().unwrap_or_else(|| panic!("{answered:?}")).to_owned()
}

async fn adapters(provider: &Provider) -> String {
    token(provider, "adapter", "first+secret &=%").await
}

async fn call(server: &Server, token: &str, method: Method, path: &str) -> StatusCode {
    answer(client().request(method, format!("{}{path}", server.url)).bearer_auth(token)).await.status
}

async fn get(server: &Server, token: &str) -> StatusCode {
    call(server, token, Method::GET, STATE).await
}

#[tokio::test]
async fn a_token_is_a_login_with_the_roles_that_it_carries() {
    let (provider, folder) = (Provider::of_tokens_for(AUDIENCE), tempfile::tempdir().unwrap());
    let server = serve(&provider, folder.path(), AUDIENCE);
    let none = server.get(STATE).await;
    assert_eq!(none.status, StatusCode::UNAUTHORIZED, "an issuer alone makes logins needed");
    let (user, chief) = (adapters(&provider).await, token(&provider, "chief", "chief").await);
    assert_eq!(get(&server, &user).await, StatusCode::OK);
    assert_eq!(call(&server, &user, Method::DELETE, FACET).await, StatusCode::FORBIDDEN);
    assert_eq!(call(&server, &chief, Method::DELETE, FACET).await, StatusCode::NO_CONTENT);
    assert_eq!(get(&server, &token(&provider, "guest", "guest").await).await, StatusCode::UNAUTHORIZED);

    let elsewhere = tempfile::tempdir().unwrap();
    let other = serve(&provider, elsewhere.path(), "https://another.example");
    assert_eq!(get(&other, &user).await, StatusCode::UNAUTHORIZED, "it is for another audience");
}

#[tokio::test]
async fn an_adapter_with_a_client_secret_is_a_member_of_a_group_that_only_tokens_enter() {
    let (provider, there) = (Provider::of_tokens_for(AUDIENCE), tempfile::tempdir().unwrap());
    let here = tempfile::tempdir().unwrap();
    let (endpoint, adapter) = (serve(&provider, there.path(), AUDIENCE), Server::serve(here.path(), &[]));
    let mut wanted = configuration(&format!("{}/api/v1/clientfailover", endpoint.url), "G", "00:00:01");
    (wanted["ClientId"], wanted["ClientSecret"]) = (json!("adapter"), json!("first+secret &=%"));
    wanted["TokenEndpoint"] = json!(provider.token_endpoint());
    adapter.configure(&wanted).await;
    adapter.until_role("Primary").await;
}

#[tokio::test]
async fn new_keys_of_the_provider_are_found_and_its_death_keeps_nobody_out() {
    let (provider, folder) = (Provider::of_tokens_for(AUDIENCE), tempfile::tempdir().unwrap());
    let server = serve(&provider, folder.path(), AUDIENCE);
    let old = adapters(&provider).await;
    until("its keys are known", async || get(&server, &old).await == StatusCode::OK).await;
    provider.put("rotate", "").await;
    let new = adapters(&provider).await;
    // Who sends tokens of unknown keys must not make us ask the provider each time: it takes some seconds.
    until("its new key is known", async || get(&server, &new).await == StatusCode::OK).await;
    assert_eq!(get(&server, &old).await, StatusCode::UNAUTHORIZED, "what it withdrew counts no more");
    drop(provider);
    assert_eq!(get(&server, &new).await, StatusCode::OK);
    assert_eq!(get(&server, &old).await, StatusCode::UNAUTHORIZED);
    assert_eq!(get(&server, &new).await, StatusCode::OK, "a failed fetch takes nothing away");
}

/// A token that names a key which nobody has.
fn of_no_key(number: usize) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "alg": "RS256", "kid": format!("made up {number}") });
    format!("{}.{}.{}", part(header), part(json!({ "sub": "a" })), URL_SAFE_NO_PAD.encode([0; 256]))
}

/// Waits until the provider was asked for its keys once more, as tokens of unknown keys make the server do.
async fn until_asked_again(provider: &Provider, server: &Server) {
    let before = provider.asked().await;
    until("the keys are asked for", async || {
        get(server, &of_no_key(0)).await;
        provider.asked().await > before
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_shows_no_key_lets_nobody_in_and_one_that_shows_nonsense_keeps_nobody_out() {
    let (provider, folder) = (Provider::of_tokens_for(AUDIENCE), tempfile::tempdir().unwrap());
    let server = serve(&provider, folder.path(), AUDIENCE);
    let user = adapters(&provider).await;
    until("its keys are known", async || get(&server, &user).await == StatusCode::OK).await;
    for nonsense in ["nonsense", "{}", r#"{"keys": 1}"#, &format!("[\"{}\"]", "x".repeat(300_000))] {
        provider.put("jwks", nonsense).await;
        until_asked_again(&provider, &server).await;
        assert_eq!(get(&server, &user).await, StatusCode::OK, "{}", &nonsense[..nonsense.len().min(20)]);
    }
    server.until_log("its answer is larger than 262144 bytes").await;
    server.until_log("what its jwks_uri answers is no set of keys").await;

    for withdrawn in [r#"{"keys": []}"#, r#"{"keys": [{"kty": "AKP", "alg": "ML-DSA-44", "kid": "new"}]}"#] {
        provider.put("jwks", withdrawn).await;
        until_asked_again(&provider, &server).await;
        until("what it withdrew counts no more", async || {
            get(&server, &user).await == StatusCode::UNAUTHORIZED
        })
        .await;
        provider.put("jwks", "").await;
        until_asked_again(&provider, &server).await;
        until("and counts again", async || get(&server, &user).await == StatusCode::OK).await;
    }
    server.until_log("the OpenID provider shows no key that can be used").await;
}

#[tokio::test]
async fn keys_are_asked_for_seldom_and_only_where_it_is_safe() {
    let (provider, folder) = (Provider::of_tokens_for(AUDIENCE), tempfile::tempdir().unwrap());
    let server = serve(&provider, folder.path(), AUDIENCE);
    let user = adapters(&provider).await;
    until("its keys are known", async || get(&server, &user).await == StatusCode::OK).await;
    let (begun, before) = (clock::now().uptime, provider.asked().await);
    for number in 0..200 {
        assert_eq!(get(&server, &of_no_key(number)).await, StatusCode::UNAUTHORIZED);
    }
    let (asked, took) = (provider.asked().await - before, clock::now().uptime.since(begun).as_secs());
    assert!(u64::from(asked) <= took / 5 + 1, "{asked} in {took} s");

    let elsewhere = json!({ "issuer": provider.origin, "jwks_uri": "http://192.0.2.1/jwks" }).to_string();
    for (discovery, said) in [
        (elsewhere, "its jwks_uri is no https address"),
        (json!({ "issuer": "https://another.example" }).to_string(), "is of the issuer"),
        (format!("{}/control/requests", provider.origin), "it answered 302"),
    ] {
        provider.put("discovery", &discovery).await;
        until(said, async || {
            get(&server, &of_no_key(0)).await;
            server.log().contains(said)
        })
        .await;
        assert_eq!(get(&server, &user).await, StatusCode::OK, "a failed fetch takes nothing away");
    }
}

#[tokio::test]
async fn the_command_line_logs_in_with_a_token() {
    let (provider, folder) = (Provider::of_tokens_for(AUDIENCE), tempfile::tempdir().unwrap());
    let server = serve(&provider, folder.path(), AUDIENCE);
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{}\n", adapters(&provider).await)).unwrap();
    let run = |more: &[&str]| {
        let mut command = std::process::Command::new(PROGRAM);
        command.args(["groups", "--endpoint", &server.url]).args(more).stdin(std::process::Stdio::null());
        let ran = command.output().unwrap();
        (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let (code, said) = run(&[]);
    assert!(code == Some(1) && said.contains("--token-file"), "{said}");
    let token = ["--token-file", file.to_str().unwrap()];
    until("its keys are known", async || run(&token).0 == Some(0)).await;
    assert_eq!(run(&[&token, ["--user", "a"].as_slice()].concat()).0, Some(2), "it is one or the other");
}
