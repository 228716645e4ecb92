//! A planted secret is searched for everywhere: files, log, answers, process list, backups, and what the program prints.

use std::{path::Path, process::Command};

use base64::{Engine, engine::general_purpose::STANDARD};
use client_failover::{
    auth::basic,
    wire::{configuration::read_draft, members::Content, secret::read_secrets},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    database::ask,
    support::{FACET, FAILOVER, HISTORY, PROGRAM, STATE, Server, ear::Ear, search::Planted, until},
};

const PASSWORD: &str = "Zwölf+Boxkämpfer/jagen%20Viktor";
const SECRETS: &str = "/api/v1/management/secrets";
const DESTINATIONS: &str = "/api/v1/configuration/Egress/DataEndpoints";
const CLIENT_SECRET: &str = "quer\"über\\den großen & Sylter=Deich";

/// The secrets in the forms in which they could show themselves.
fn planted() -> Planted {
    let mut forms = Vec::new();
    for secret in [PASSWORD, CLIENT_SECRET] {
        let escaped: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let json = json!(secret).to_string();
        forms.extend([
            secret.to_owned(),
            escaped,
            json[1..json.len() - 1].to_owned(),
            format!("{secret:?}")[1..].trim_end_matches('"').to_owned(),
            STANDARD.encode(secret),
            STANDARD.encode(format!("user:{secret}")),
            STANDARD.encode(format!("stored:{secret}")),
            STANDARD.encode(format!("gate:{secret}")),
        ]);
    }
    Planted::texts(forms)
}

async fn check_answers(planted: &Planted, server: &Server) {
    let one = format!("{FACET}/C");
    let (stored, history) = (format!("{SECRETS}/planted"), format!("{HISTORY}?limit=1000"));
    for path in [
        FACET,
        &one,
        DESTINATIONS,
        STATE,
        FAILOVER,
        &history,
        SECRETS,
        &stored,
        "/api/v1/management/audit?limit=1000",
        "/api/v1/diagnostics/Egress",
        "/readyz",
        "/healthz",
        "/metrics",
        "/api/openapi.json",
        "/api",
        "/",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        planted.none_in(path, answer.body.as_bytes());
    }
}

/// What `check` says of the folder, whether its server runs or not.
fn check_check(planted: &Planted, data: &Path) {
    let mut command = Command::new(PROGRAM);
    let said = command.args(["check", "serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
    let said = said.env_clear_and_trace().output().unwrap();
    assert!(String::from_utf8_lossy(&said.stdout).contains("database"), "{said:?}");
    planted.none_in("check", &[said.stdout, said.stderr].concat());
}

#[test]
fn what_a_panic_could_print_has_no_secret() {
    for secret in [PASSWORD, CLIENT_SECRET] {
        let content = |body: Value| Content::parse(body.to_string().as_bytes()).unwrap();
        let whole = json!({ "UserName": "u", "Password": secret, "ClientSecret": secret });
        let header = format!("Basic {}", STANDARD.encode(format!("user:{secret}")));
        for printed in [
            format!("{:?}", read_draft(content(whole)).unwrap()),
            format!("{:?}", read_secrets(content(json!([{ "Id": "a", "Value": secret }]))).unwrap()),
            format!("{:?}", basic::read(header.as_bytes()).unwrap()),
        ] {
            planted().none_in("what is printed for a panic", printed.as_bytes());
        }
    }
}

/// Requests that are refused, each with a secret in it.
fn faulty_requests() -> Vec<(Method, String)> {
    let mut requests = Vec::new();
    for secret in [PASSWORD, CLIENT_SECRET] {
        let text = json!(secret).to_string();
        for body in [
            json!({ "Password": secret, "Mode": 1 }).to_string(),
            json!({ "ClientSecret": secret, "UserName": "u" }).to_string(),
            json!({ "Password": [secret], "ClientSecret": { "x": secret } }).to_string(),
            json!({ "Password": format!("{secret}\n") , "UserName": "u" }).to_string(),
            json!({ "Password": secret.repeat(200), "UserName": "u" }).to_string(),
            json!({ "Unknown": secret, "Mode": secret, "FailoverTimeout": secret }).to_string(),
            json!({ "Endpoint": secret, "TokenEndpoint": format!("http://u:{secret}@h") }).to_string(),
            json!({ "Name": secret, "ValidateEndpointCertificate": secret }).to_string(),
            json!([{ "Password": secret }, { "Password": secret }]).to_string(),
            json!([secret]).to_string(),
            text.clone(),
            format!("{{\"Password\":{text},\"password\":{text}}}"),
            format!("{{\"Password\":{text}"),
            format!("{{\"Password\":{text}}} {text}"),
            format!("{{\"Password\":{text} {text}}}"),
            format!("{{\"Password\":{}}}", text.trim_matches('"')),
            format!("{{\"Password\":{text}{}}}", " ".repeat(1024 * 1024)),
        ] {
            requests.extend([Method::PUT, Method::POST, Method::PATCH].map(|method| (method, body.clone())));
        }
    }
    requests
}

/// Secrets that are refused.
fn faulty_secrets() -> Vec<String> {
    let bodies = |secret: &str| {
        [
            json!({ "Value": format!("{{{{{secret}}}}}") }),
            json!({ "Value": format!("{secret}\n") }),
            json!({ "Value": secret.repeat(200) }),
            json!({ "Value": [secret] }),
            json!({ "Value": secret, "Origins": [secret], "ExpirationDate": secret }),
            json!({ "Value": secret, "Unknown": secret }),
            json!([{ "Value": secret }, { "Value": secret }]),
        ]
    };
    [PASSWORD, CLIENT_SECRET].iter().flat_map(|secret| bodies(secret)).map(|body| body.to_string()).collect()
}

/// What is refused is not said back.
async fn check_refusals(planted: &Planted, server: &Server) {
    for (method, body) in faulty_requests() {
        let answer = server.send(method.clone(), FACET, Some(&body)).await;
        assert!(answer.status.is_client_error(), "{method} {body}: {}", answer.status);
        planted.none_in(&format!("the refusal of {method} {body}"), answer.body.as_bytes());
    }
    for body in faulty_secrets() {
        let answer = server.send(Method::PUT, &format!("{SECRETS}/planted"), Some(&body)).await;
        assert!(answer.status.is_client_error(), "{body}: {}", answer.status);
        planted.none_in(&format!("the refusal of {body}"), answer.body.as_bytes());
    }
}

/// The gate sends the same secrets, and keeps what its destination does not take in a database of its own.
async fn send_through_gate(server: &Server, destination: &str) {
    let destination = json!({ "Id": "d", "Endpoint": destination, "UserName": "gate", "Password": PASSWORD });
    let given = server.send(Method::PUT, DESTINATIONS, Some(&destination.to_string())).await;
    assert_eq!(given.status, 204, "{}", given.body);
    server.send(Method::POST, "/egress/d/x", Some("{}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_nowhere_but_sealed_in_the_database_and_on_its_way_to_the_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data);
    // Everything that can be logged, of everybody.
    command.env_clear_and_trace();
    let mut server = Server::from_command(command, &data);
    let planted = planted().and(Planted::key_of(&data));

    // Endpoints that say back what they were told, as debugging proxies and frameworks do.
    let said_back = |request: &str| {
        let login = request.lines().find(|line| line.to_lowercase().starts_with("authorization"));
        let form = request.lines().last().unwrap_or_default();
        let decoded = url::form_urlencoded::parse(form.as_bytes()).find(|(name, _)| name == "client_secret");
        let secret = decoded.map_or(PASSWORD.to_owned(), |(_, secret)| secret.into_owned());
        json!({ "Reason": format!("no: {secret} {} {form}", login.unwrap_or_default()), "error": form })
            .to_string()
    };
    let (endpoint, tokens) = (Ear::answering(said_back), Ear::answering(said_back));
    let shared = json!({
        "Id": "C", "FailoverGroupId": "G", "Mode": "Hot", "Endpoint": endpoint.url, "FailoverTimeout": "00:00:01",
    });
    let with = |more: Value| {
        let mut whole = shared.clone();
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        whole
    };
    for (configuration, ear, wanted) in [
        (
            with(json!({ "ClientId": "i", "ClientSecret": CLIENT_SECRET, "TokenEndpoint": tokens.url })),
            &tokens,
            url::form_urlencoded::byte_serialize(CLIENT_SECRET.as_bytes()).collect::<String>(),
        ),
        (with(json!({ "UserName": "user", "Password": PASSWORD })), &endpoint, Ear::basic("user", PASSWORD)),
        (
            with(json!({ "UserName": "stored", "Password": "{{planted}}" })),
            &endpoint,
            Ear::basic("stored", PASSWORD),
        ),
    ] {
        let given = json!({ "Value": PASSWORD, "Description": "d" }).to_string();
        let given = server.send(Method::PUT, &format!("{SECRETS}/planted"), Some(&given)).await;
        assert_eq!(given.status, 204, "{}", given.body);
        server.configure(&configuration).await;
        send_through_gate(&server, &endpoint.url).await;
        until("the secret reaches the endpoint", async || {
            ear.heard().iter().any(|heard| heard.contains(&wanted))
        })
        .await;
        until("the refusal is known", async || server.get(FAILOVER).await.json()["LastError"].is_string())
            .await;
        check_answers(&planted, &server).await;
        check_refusals(&planted, &server).await;
        server.send(Method::PATCH, FACET, Some("{\"Name\":\"n\"}")).await;
        check_answers(&planted, &server).await;
        planted.none_in_folder(&data, &["key"]);
        planted.none_in_process(&server);
        check_check(&planted, &data);
    }
    planted.none_in("the dump", ask(&data, ".dump").as_bytes());
    planted.none_in_backup(&data);
    assert_eq!(server.terminate().code(), Some(0));
    check_check(&planted, &data);
    planted.none_in_folder(&data, &["key"]);
    for file in ["a backup", "egress.db"] {
        assert!(data.join(file).exists(), "{file} was searched");
    }
    assert!(server.log().contains("TRACE"), "everything is logged");
    planted.none_in("the log", server.log().as_bytes());
}

/// A command in an environment of its own.
trait Traced {
    fn env_clear_and_trace(&mut self) -> &mut Self;
}

impl Traced for Command {
    fn env_clear_and_trace(&mut self) -> &mut Self {
        self.env_clear().env("CLIENT_FAILOVER_LOG", "trace,client_failover=trace")
    }
}
