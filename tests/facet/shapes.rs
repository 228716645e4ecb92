//! A snapshot of every shape that the adapter answers with.

use reqwest::Method;
use serde_json::json;

use crate::{
    support::{
        FACET, FAILOVER, HISTORY, ORDER, STATE, Server,
        shape::{members, snapshot},
        until,
    },
    table::{basic, by_id, cloud, plain, with},
};

const MEMBERS: [&str; 13] = [
    "Id",
    "FailoverGroupId",
    "Name",
    "Description",
    "FailoverTimeout",
    "Mode",
    "Endpoint",
    "UserName",
    "Password",
    "ClientId",
    "ClientSecret",
    "TokenEndpoint",
    "ValidateEndpointCertificate",
];

#[tokio::test]
async fn a_configuration_has_the_documented_members_in_their_order_with_nulls() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    snapshot("configuration_none", &server.get(FACET).await);
    for (name, body) in [("plain", plain()), ("basic", basic()), ("cloud", cloud())] {
        server.configure(&body).await;
        let one = server.get(&by_id("C")).await;
        assert_eq!(members(&one.body), MEMBERS, "{name}");
        assert_eq!(server.get(FACET).await.body, format!("[{}]", one.body));
        snapshot(&format!("configuration_{name}"), &one);
    }
    snapshot("put", &server.send(Method::PUT, FACET, Some(&basic().to_string())).await);
    snapshot("delete", &server.send(Method::DELETE, FACET, None).await);
    let body = with(basic(), json!({ "Id": "a/b" })).to_string();
    snapshot("post", &server.send(Method::POST, FACET, Some(&body)).await);
}

#[tokio::test]
async fn refusals_have_one_shape() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    snapshot("refused_by_id", &server.get(&by_id("C")).await);
    snapshot("refused_patch_of_nothing", &server.send(Method::PATCH, FACET, Some("{}")).await);
    server.configure(&basic()).await;
    snapshot("refused_second", &server.send(Method::POST, FACET, Some(&plain().to_string())).await);
    let faulty = json!({
        "Id": "", "Mode": "Tepid", "Endpoint": "h", "UserName": "u", "Password": "***************", "Colour": 1,
        "FailoverTimeout": "1", "Name": 1,
    });
    snapshot("refused_faults", &server.send(Method::PUT, FACET, Some(&faulty.to_string())).await);
    snapshot("refused_json", &server.send(Method::PUT, FACET, Some("{\"Mode\": Hot}")).await);
    snapshot("refused_array", &server.send(Method::PUT, FACET, Some("[{},{}]")).await);
    let moved = r#"{"Endpoint":"http://elsewhere"}"#;
    snapshot("refused_secret", &server.send(Method::PATCH, FACET, Some(moved)).await);
    snapshot("refused_path", &server.get("/api/v1/nothing").await);
    snapshot("refused_method", &server.send(Method::POST, STATE, Some("{}")).await);
    snapshot("refused_history", &server.get(&format!("{HISTORY}?limit=0&kind=x&colour=1")).await);
    let large = " ".repeat(1024 * 1024 + 1);
    snapshot("refused_large", &server.send(Method::PUT, FACET, Some(&large)).await);
}

#[tokio::test]
async fn states_have_the_same_members_whether_configured_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let running = async |state: &str| {
        until("the registration has begun", async || server.get(STATE).await.json()["AdapterState"] == state)
            .await;
    };
    let reason = async |reason: &str| {
        until(reason, async || server.get(FAILOVER).await.json()["Reason"] == reason).await;
    };
    running("Running").await;
    reason("NotConfigured").await;
    let (state, failover) = (server.get(STATE).await, server.get(FAILOVER).await);
    assert_eq!(members(&state.body), ["Role", "LastDataProcessedTime", "FailoverStatus", "AdapterState"]);
    snapshot("state_unconfigured", &state);
    snapshot("failover_unconfigured", &failover);
    snapshot("order_unconfigured", &server.get(ORDER).await);

    server.configure(&plain()).await;
    reason("ModeNone").await;
    snapshot("state_mode_none", &server.get(STATE).await);
    snapshot("failover_mode_none", &server.get(FAILOVER).await);

    // Port 1 refuses at once; the first failure is shown until the endpoint answers.
    let hot = json!({ "Mode": "Hot", "Endpoint": "http://127.0.0.1:1/api", "FailoverTimeout": "00:05:00" });
    server.configure(&with(plain(), hot)).await;
    until("the endpoint is not reached", async || !server.get(FAILOVER).await.json()["LastError"].is_null())
        .await;
    let (alone, registering) = (failover, server.get(FAILOVER).await);
    snapshot("state_registering", &server.get(STATE).await);
    snapshot("order_registering", &server.get(ORDER).await);
    snapshot("failover_registering", &registering);
    assert_eq!(members(&alone.body), members(&registering.body));
    assert_eq!(members(&state.body), members(&server.get(STATE).await.body));

    let page = server.get(&format!("{HISTORY}?kind=ConfigurationChanged")).await;
    snapshot("history", &page);
    snapshot("history_empty", &server.get(&format!("{HISTORY}?kind=RoleKept")).await);
    snapshot("healthz", &server.get("/healthz").await);
    snapshot("readyz", &server.get("/readyz").await);
}
