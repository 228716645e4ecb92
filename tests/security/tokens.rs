//! Tokens of a real OpenID provider: whose they are, its new keys, and its death.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    guarded::answer,
    support::{FACET, STATE, Server, client, configuration, provider::Provider, until},
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
