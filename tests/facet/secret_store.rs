//! The secret store: values go in and never out, references reach whoever uses them, and nobody else.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    support::{Answer, FACET, FAILOVER, Server, ear::Ear, until},
    table::with,
};

const SECRETS: &str = "/api/v1/management/secrets";
const DESTINATIONS: &str = "/api/v1/configuration/Egress/DataEndpoints";
const MASK: &str = "***************";

async fn send(server: &Server, method: Method, path: &str, body: Value) -> Answer {
    server.send(method, path, Some(&body.to_string())).await
}

async fn give(server: &Server, id: &str, body: Value) {
    let answer = send(server, Method::PUT, &format!("{SECRETS}/{id}"), body).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
}

/// The refusal of a request that is none of the server's faults.
async fn refused(server: &Server, method: Method, path: &str, body: Value, reason: &str) {
    let answer = send(server, method, path, body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    assert!(answer.json()["Reason"].as_str().unwrap().contains(reason), "{}", answer.body);
}

/// A configuration whose Password refers to the secret `id`.
fn referring(endpoint: &str, id: &str) -> Value {
    json!({
        "Id": "C", "FailoverGroupId": "G", "Mode": "Hot", "Endpoint": endpoint, "UserName": "u",
        "Password": format!("{{{{{id}}}}}"), "FailoverTimeout": "00:00:01",
    })
}

async fn until_explained(server: &Server, text: &str) {
    let explained =
        server.until_diagnostics("Explanation", |shown| shown.as_str().unwrap().contains(text)).await;
    assert_eq!(explained["AdapterState"], "Faulted", "{explained}");
    assert_eq!(explained["Reason"], "ConfigurationUnusable", "{explained}");
}

#[tokio::test]
async fn secrets_are_given_shown_as_masks_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    assert_eq!(server.get(SECRETS).await.body, "[]");
    let two = json!([
        { "id": "OmfEgress.DataEndpoints.Endpoint1.ClientSecret", "value": "CfDJ8FK3AvrP" },
        { "id": "MyCustomSecret", "description": "This is a secret", "expirationdate": "2024-06-17", "value": "pEjrGcq7&QK6CF" },
    ]);
    assert_eq!(send(&server, Method::PUT, SECRETS, two).await.status, StatusCode::NO_CONTENT);
    let shown = server.get("/API/v1/Management/Secrets/").await;
    let custom = json!({
        "Id": "MyCustomSecret", "Description": "This is a secret", "ExpirationDate": "2024-06-17", "Value": MASK,
        "Origins": null, "UsedBy": [],
    });
    assert_eq!(shown.json()[0], custom);
    assert_eq!(shown.json().as_array().unwrap().len(), 2);
    assert!(!shown.body.contains("CfDJ8") && !shown.body.contains("pEjr"), "{}", shown.body);
    assert_eq!(server.get(&format!("{SECRETS}/mycustomSECRET")).await.json(), custom, "in any case");
    assert_eq!(send(&server, Method::PUT, SECRETS, shown.json()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.get(SECRETS).await.body, shown.body, "what GET shows can be PUT");

    give(&server, "MYCUSTOMSECRET", json!({ "Value": "other" })).await;
    let replaced = server.get(&format!("{SECRETS}/MyCustomSecret")).await.json();
    assert_eq!((&replaced["Id"], &replaced["Description"]), (&json!("MYCUSTOMSECRET"), &Value::Null));
    assert_eq!(send(&server, Method::PUT, SECRETS, json!([custom])).await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.get(SECRETS).await.json(), json!([custom]), "PUT replaces all");

    let one = format!("{SECRETS}/mycustomsecret");
    for (method, path, status) in [
        (Method::DELETE, one.as_str(), StatusCode::NO_CONTENT),
        (Method::DELETE, &one, StatusCode::NOT_FOUND),
        (Method::GET, &one, StatusCode::NOT_FOUND),
        (Method::DELETE, SECRETS, StatusCode::NO_CONTENT),
        (Method::POST, SECRETS, StatusCode::METHOD_NOT_ALLOWED),
        (Method::PATCH, &one, StatusCode::METHOD_NOT_ALLOWED),
    ] {
        assert_eq!(server.send(method.clone(), path, None).await.status, status, "{method} {path}");
    }
    assert_eq!(server.get(SECRETS).await.body, "[]");
}

#[tokio::test]
async fn what_is_no_secret_is_refused_with_every_fault() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let one = format!("{SECRETS}/a");
    for (path, body, reason) in [
        (one.as_str(), json!({ "Value": MASK }), "Value is the mask, but no secret"),
        (&one, json!({ "Value": "{{b}}" }), "Value is wrapped in {{ }}"),
        (&one, json!({ "Value": 1 }), "Value is a number"),
        (&one, json!({ "Id": "b", "Value": "v" }), "in the path"),
        (&one, json!({ "Value": "v", "Colour": "red" }), "\"Colour\" is not a member"),
        (&one, json!({ "Value": "v", "Origins": ["ftp://h"] }), "Origins is neither an http"),
        (&format!("{SECRETS}/%7Ba%7D"), json!({ "Value": "v" }), "contains a curly brace"),
        (
            SECRETS,
            json!([{ "Id": "a", "Value": "v" }, { "Id": "A", "Value": "v" }]),
            "[1].Id is that of another",
        ),
        (SECRETS, json!([{ "Value": "v" }, { "Id": "{" }]), "[0].Id is required"),
        (SECRETS, json!("text"), "is a string"),
    ] {
        refused(&server, Method::PUT, path, body, reason).await;
    }
    assert_eq!(server.get(SECRETS).await.body, "[]", "nothing was stored");
}

#[tokio::test]
async fn a_secret_reaches_the_worker_at_once_and_an_unknown_one_is_a_clear_state() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::serve(folder.path(), &[]);
    let ear = Ear::listen();
    let heard = async |password: &str| {
        let wanted = Ear::basic("u", password);
        until(&format!("{password} is sent"), async || ear.heard().contains(&wanted)).await;
    };
    server.configure(&referring(&ear.url, "PLC")).await;
    until_explained(&server, "Password refers to the secret \"PLC\", which is not in the secret store").await;
    assert_eq!(server.get(FACET).await.json()[0]["Password"], "{{PLC}}");
    until("the log warns", async || {
        let warned = "a configuration cannot be used yet: Password refers to the secret \"PLC\"";
        server.log().lines().any(|line| line.contains("WARN") && line.contains(warned))
    })
    .await;

    give(&server, "plc", json!({ "Value": "first one" })).await;
    heard("first one").await;
    let shown = server.get(&format!("{SECRETS}/plc")).await.json();
    assert_eq!(shown["UsedBy"], json!(["ClientFailover.Password"]));
    assert_eq!(
        shown["Origins"],
        json!([ear.url.trim_end_matches("/api/v1/clientfailover")]),
        "bound to its use"
    );
    give(&server, "Plc", json!({ "Value": "second one" })).await;
    heard("second one").await;

    // What was configured by GET's answer, by the mask or by what it shows, refers to it still.
    server.configure(&with(referring(&ear.url, "plc"), json!({ "Password": MASK, "Name": "n" }))).await;
    server.change(&json!({ "UserName": "v" })).await;
    until("another user", async || ear.heard().contains(&Ear::basic("v", "second one"))).await;
    server.kill();
    let server = Server::serve(folder.path(), &[]);
    let before = ear.heard().len();
    until("it is sent after a crash", async || {
        ear.heard().iter().skip(before).any(|text| *text == Ear::basic("v", "second one"))
    })
    .await;

    let gone = server.send(Method::DELETE, &format!("{SECRETS}/PLC"), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    until_explained(&server, "which is not in the secret store").await;
    server.until_log("a secret was removed that is referred to").await;
    let told = server.history().await;
    let explanations: Vec<_> = told.iter().map(|row| row["Explanation"].as_str().unwrap()).collect();
    assert!(
        explanations.iter().any(|text| text.starts_with("the secret \"Plc\" was replaced")),
        "{explanations:?}"
    );
    assert!(
        explanations.iter().any(|text| text.starts_with("the secret \"Plc\" was deleted")),
        "{explanations:?}"
    );
    let said = format!("{told:?}{}{}", server.log(), server.get(FAILOVER).await.body);
    for secret in ["first one", "second one"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[tokio::test]
async fn who_stays_out_of_failover_needs_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    server.configure(&with(referring("http://127.0.0.1:9/api", "none"), json!({ "Mode": "None" }))).await;
    server.until_diagnostics("Reason", |reason| reason == "ModeNone").await;
    assert_eq!(server.get(FAILOVER).await.json()["AdapterState"], "Running");
}

#[tokio::test]
async fn a_reference_is_no_way_around_whom_a_secret_was_given_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let (ear, thief) = (Ear::listen(), Ear::listen());
    let elsewhere = ", which was given for";
    let destination =
        |endpoint: &str| json!({ "Id": "d", "Endpoint": endpoint, "UserName": "u", "Password": "{{PLC}}" });
    give(&server, "plc", json!({ "Value": "sesame" })).await;
    server.configure(&referring(&ear.url, "plc")).await;
    until("the first use is allowed", async || ear.heard().contains(&Ear::basic("u", "sesame"))).await;

    for (method, path, body) in [
        (Method::PUT, FACET, referring(&thief.url, "PLC")),
        (Method::PUT, FACET, with(referring(&thief.url, "PLC"), json!({ "Password": MASK }))),
        (Method::PATCH, FACET, json!({ "Endpoint": thief.url })),
        (Method::PATCH, FACET, json!({ "TokenEndpoint": thief.url })),
        (Method::PATCH, FACET, json!({ "ValidateEndpointCertificate": false })),
        (Method::PUT, DESTINATIONS, destination(&thief.url)),
        (Method::POST, DESTINATIONS, destination(&thief.url)),
        // A mask keeps the value, and whom it is for.
        (
            Method::PUT,
            &format!("{SECRETS}/plc"),
            json!({ "Value": MASK, "Origins": [thief.url.replace("/api/v1/clientfailover", "")] }),
        ),
    ] {
        let reason = if path.starts_with(SECRETS) { "Origins are others" } else { elsewhere };
        refused(&server, method, path, body, reason).await;
    }
    // Neither does a configuration that is removed and put anew.
    server.send(Method::DELETE, FACET, None).await;
    refused(&server, Method::POST, FACET, referring(&thief.url, "plc"), elsewhere).await;
    give(&server, "plc", json!({ "Value": MASK, "Description": "d" })).await;
    refused(&server, Method::POST, FACET, referring(&thief.url, "plc"), elsewhere).await;

    // Who knows it may say whom it is for; beforehand, too.
    let other = Ear::listen();
    let origin = |ear: &Ear| ear.url.trim_end_matches("/api/v1/clientfailover").to_owned();
    give(&server, "plc", json!({ "Value": "sesame", "Origins": [origin(&ear), origin(&other)] })).await;
    server.configure(&referring(&other.url, "plc")).await;
    until("it is sent to whom it names", async || other.heard().contains(&Ear::basic("u", "sesame"))).await;
    let one = send(&server, Method::PUT, DESTINATIONS, destination(&ear.url)).await;
    assert_eq!(one.status, StatusCode::NO_CONTENT, "{}", one.body);
    refused(&server, Method::PUT, DESTINATIONS, destination(&thief.url), elsewhere).await;
    // Given for others, it is not sent any more to whom it was.
    give(&server, "plc", json!({ "Value": "new", "Origins": [origin(&ear)] })).await;
    until_explained(&server, "which was given for").await;
    assert!(!other.heard().contains(&Ear::basic("u", "new")));
    assert!(thief.heard().is_empty(), "{:?}", thief.heard());
}

#[tokio::test]
async fn a_destination_of_the_gate_waits_for_its_secret() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let ear = Ear::listen();
    let destination = json!({ "Id": "d", "Endpoint": ear.url, "UserName": "u", "Password": "{{gate}}" });
    assert_eq!(send(&server, Method::PUT, DESTINATIONS, destination).await.status, StatusCode::NO_CONTENT);
    let ask = async || send(&server, Method::POST, "/egress/d/x", json!({})).await;
    let outage = async || server.get("/api/v1/diagnostics/Egress").await.body;
    until("it says which secret is missing", async || {
        outage().await.contains("refers to the secret \\\"gate\\\"")
    })
    .await;
    assert_eq!(ask().await.status, StatusCode::NO_CONTENT, "it is kept until then");
    give(&server, "GATE", json!({ "Value": "sesame" })).await;
    until("it is sent", async || {
        ask().await;
        ear.heard().contains(&Ear::basic("u", "sesame"))
    })
    .await;
}
