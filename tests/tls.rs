//! The adapter towards TLS endpoints: whom it trusts, and what it says when it must not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod support;

use std::{path::PathBuf, process::Command, sync::Arc};

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use serde_json::{Value, json};
use support::{
    PROGRAM, Server, configuration,
    scripted::{Call, Endpoint},
    until,
};
use tempfile::TempDir;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, ServerConfig, pki_types::PrivateKeyDer},
};

type Certificate = CertifiedKey<KeyPair>;

fn certificate(name: &str) -> Certificate {
    generate_simple_self_signed([name.to_owned()]).unwrap()
}

async fn endpoint(certificate: &Certificate) -> Endpoint {
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    Endpoint::tls(TlsAcceptor::from(Arc::new(config))).await
}

/// An adapter on a machine that trusts this certificate and no other.
fn adapter_trusting(trusted: &Certificate) -> (Server, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let roots: PathBuf = data.path().join("roots.pem");
    std::fs::write(&roots, trusted.cert.pem()).unwrap();
    let folder = data.path().join("data");
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&folder);
    command.env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR");
    (Server::from_command(command, &folder), data)
}

fn with_password(endpoint: &Endpoint) -> Value {
    let mut wanted = configuration(&endpoint.base(), "G", "00:00:01");
    (wanted["UserName"], wanted["Password"]) = (json!("a"), json!("b"));
    wanted
}

fn warns_of_unchecked(diagnostics: &Value) -> bool {
    diagnostics["Warnings"].as_array().unwrap().iter().any(|warning| {
        warning.as_str().unwrap().starts_with("ValidateEndpointCertificate is false: the endpoint's identity")
    })
}

/// The endpoint's certificate is refused: it hears nothing.
async fn is_refused(server: &Server, endpoint: &Endpoint) {
    server.configure(&with_password(endpoint)).await;
    server.until_error("the TLS handshake failed").await;
    server.until_history("EndpointLost", "NoAnswer").await;
    assert_eq!(server.rows("EndpointFailed", "Certificate").await.len(), 1);
    assert_eq!(server.log_lines("EndpointFailed", "Certificate").len(), 1);
    assert!(endpoint.requests().is_empty(), "{:?}", endpoint.requests());
    let shown = server.diagnostics().await;
    assert_eq!(shown["Role"], "Secondary");
    assert!(!warns_of_unchecked(&shown), "{shown}");
}

#[tokio::test]
async fn a_self_signed_certificate_is_accepted_only_when_checking_is_switched_off_which_is_warned_about() {
    let endpoint = endpoint(&certificate("127.0.0.1")).await;
    let (server, _data) = adapter_trusting(&certificate("127.0.0.1"));
    is_refused(&server, &endpoint).await;
    server.until_error("certificate with --ca-file").await;
    // Switching checks off gives the secret to whoever answers there: it has to be given again.
    let changes = json!({ "ValidateEndpointCertificate": false, "UserName": "a", "Password": "b" });
    server.change(&changes).await;
    server.until_role("Primary").await;
    let shown = server.diagnostics().await;
    assert!(warns_of_unchecked(&shown), "{shown}");
    assert_eq!(shown["LastError"], Value::Null);
    assert_eq!(server.rows("EndpointFailed", "Certificate").await.len(), 1);

    // And on again: the next handshake is checked, whatever connections there were.
    server.change(&json!({ "ValidateEndpointCertificate": true, "UserName": "a", "Password": "b" })).await;
    server.until_error("the TLS handshake failed").await;
    assert!(!warns_of_unchecked(&server.diagnostics().await));
}

#[tokio::test]
async fn a_data_endpoint_that_is_not_checked_or_gets_its_password_in_clear_is_warned_about_as_long_as_it_does()
 {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let check = || {
        let mut command = Command::new(PROGRAM);
        let ran = command.args(["check", "serve", "--data-dir"]).arg(folder.path()).output().unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    let warned = async || server.diagnostics().await["Warnings"].as_array().unwrap().clone();
    let put = async |unchecked: bool, clear: &str| {
        let body = json!([
            {
                "Id": "historian", "Endpoint": "https://127.0.0.1:9", "UserName": "a", "Password": "b",
                "ValidateEndpointCertificate": !unchecked,
            },
            { "Id": "omf", "Endpoint": format!("{clear}://192.0.2.1"), "UserName": "a", "Password": "b" },
        ]);
        let path = "/api/v1/configuration/Egress/DataEndpoints";
        let put = server.send(reqwest::Method::PUT, path, Some(&body.to_string())).await;
        assert_eq!(put.status, 204, "{}", put.body);
    };
    put(false, "https").await;
    assert_eq!(warned().await, Vec::<Value>::new());
    let checked = check();
    assert!(!checked.contains("WARNING  destination"), "{checked}");

    put(true, "http").await;
    let unsafe_are = [
        "Data endpoint \"historian\": ValidateEndpointCertificate is false",
        "Data endpoint \"omf\": Password is sent over http to another host",
    ];
    until("both are warned about", async || warned().await.len() == 2).await;
    for (said, begin) in warned().await.iter().zip(unsafe_are) {
        assert!(said.as_str().unwrap().starts_with(begin), "{said}");
        until(begin, async || server.log().lines().any(|line| line.contains("WARN") && line.contains(begin)))
            .await;
        assert!(
            check().lines().any(|line| line.starts_with("WARNING") && line.contains(begin)),
            "{}",
            check()
        );
    }
    let metrics = server.get("/metrics").await.body;
    assert!(metrics.contains("client_failover_warnings 2"), "{metrics}");

    put(false, "https").await;
    until("nothing is left to warn of", async || warned().await.is_empty()).await;
}

#[tokio::test]
async fn a_certificate_that_the_machine_trusts_is_accepted() {
    let trusted = certificate("127.0.0.1");
    let endpoint = endpoint(&trusted).await;
    let (server, _data) = adapter_trusting(&trusted);
    server.configure(&with_password(&endpoint)).await;
    server.until_role("Primary").await;
    let shown = server.diagnostics().await;
    assert_eq!(shown["Warnings"], json!([]));
    assert_eq!(endpoint.calls(Call::Version)[0].header("authorization"), "Basic YTpi");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_although_the_machine_trusts_it() {
    let trusted = certificate("elsewhere.example");
    let endpoint = endpoint(&trusted).await;
    let (server, _data) = adapter_trusting(&trusted);
    is_refused(&server, &endpoint).await;
}

#[tokio::test]
async fn checks_are_on_or_off_for_the_token_endpoint_too() {
    let tokens = endpoint(&certificate("127.0.0.1")).await;
    let endpoint = Endpoint::stock().await;
    let (server, _data) = adapter_trusting(&certificate("127.0.0.1"));
    let mut wanted = configuration(&endpoint.base(), "G", "00:00:01");
    (wanted["ClientId"], wanted["ClientSecret"]) = (json!("a"), json!("secret"));
    wanted["TokenEndpoint"] = json!(format!("{}/token", tokens.origin()));
    server.configure(&wanted).await;
    let row = server.until_history("EndpointFailed", "TokenFailed").await;
    assert!(row["Explanation"].as_str().unwrap().contains("the TLS handshake failed"), "{row}");
    assert!(tokens.requests().is_empty() && endpoint.requests().is_empty());

    wanted["ValidateEndpointCertificate"] = json!(false);
    server.configure(&wanted).await;
    server.until_role("Primary").await;
    assert!(warns_of_unchecked(&server.diagnostics().await));
    assert_eq!(endpoint.calls(Call::Heartbeat)[0].header("authorization"), "Bearer a-token");
}
