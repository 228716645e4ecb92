//! Paths, headers, and the shape of every answer.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    case::{explains, least, with},
    support::{FACET, FAILOVER, HISTORY, STATE, Server, client, until},
};

fn members(body: &Value) -> Vec<&str> {
    body.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_documents_own_example_is_accepted_and_shown_in_their_order() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    // The documents' example, to the letter.
    let example = r#"[
  {
    "Id": "FailoverConfiguration1",
    "FailoverGroupId": "FailoverGroup1",
    "Name": "NameExample",
    "Description": "DescriptionExample",
    "FailoverTimeout": "00:01:00",
    "Mode": "hot",
    "Endpoint": "http://test-endpoint.com",
    "UserName": "UserName1",
    "Password": "Password1",
    "TokenEndpoint": "http://token.com",
    "ValidateEndpointCertificate": false
  }
]"#;
    assert_eq!(server.send(Method::PUT, FACET, Some(example)).await.status, StatusCode::NO_CONTENT);
    let shown = server.get(FACET).await;
    insta::assert_snapshot!("configuration", shown.body);
    let one = server.get(&format!("{FACET}/FailoverConfiguration1")).await;
    assert_eq!(json!([one.json()]), shown.json());
    // What GET gave can be PUT.
    assert_eq!(server.send(Method::PUT, FACET, Some(&shown.body)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.get(FACET).await.body, shown.body);
    let warnings = server.get(FAILOVER).await.json()["Warnings"].clone();
    assert!(
        warnings[0].as_str().unwrap().contains("Password is sent over http to another host"),
        "{warnings}"
    );
}

#[tokio::test]
async fn a_created_configuration_has_a_location() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let body = with(least(), json!({ "Id": "a/b" })).to_string();
    let answer = server.send(Method::POST, FACET, Some(&body)).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let location = answer.headers[header::LOCATION].to_str().unwrap();
    assert_eq!(location, format!("{FACET}/a%2Fb"));
    assert_eq!(server.get(location).await.json(), answer.json());
    assert_eq!(server.send(Method::DELETE, location, None).await.status, StatusCode::NO_CONTENT);

    let fresh =
        server.send(Method::POST, FACET, Some(&with(least(), json!({ "Id": null })).to_string())).await;
    let id = fresh.json()["Id"].as_str().unwrap().to_owned();
    assert!(id.parse::<uuid::Uuid>().is_ok(), "{id} is no GUID");
}

#[tokio::test]
async fn paths_match_in_any_case_with_or_without_a_trailing_slash() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    server.configure(&with(least(), json!({ "Id": "Cc" }))).await;
    for path in [
        "/api/v1/configuration/System/ClientFailover/",
        "/API/V1/CONFIGURATION/SYSTEM/CLIENTFAILOVER",
        "/api/v1/configuration/system/clientfailover/Cc/",
        "/api/v1/Diagnostics/failoverSTATE",
        "/api/v1/diagnostics/failover/",
        "/HealthZ",
        "/readyz/",
    ] {
        assert_eq!(server.get(path).await.status, StatusCode::OK, "{path}");
    }
    for path in [
        "/",
        "/api",
        "/api/v1/configuration/System/ClientFailover/Cc/x",
        "/api/v1//diagnostics/FailoverState",
        "/x",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        explains(path, &answer);
    }
    let answer = server.send(Method::DELETE, STATE, None).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.headers[header::ALLOW], "GET,HEAD");
    explains("405", &answer);
}

#[tokio::test]
async fn only_json_is_read() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    let send = async |content_type: Option<&str>| {
        let mut request = client().put(format!("{}{FACET}", server.url)).body(least().to_string());
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        request.send().await.unwrap().status()
    };
    for wrong in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("json")] {
        assert_eq!(send(wrong).await, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{wrong:?}");
    }
    for right in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
        assert_eq!(send(Some(right)).await, StatusCode::NO_CONTENT, "{right}");
    }
}

#[tokio::test]
async fn the_state_has_exactly_four_members_and_failover_always_the_same() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::serve(data.path(), &["--with-endpoint"]);
    let alone = server.get(FAILOVER).await.json();
    assert_eq!(
        server.get(STATE).await.body,
        r#"{"Role":"None","LastDataProcessedTime":null,"FailoverStatus":"100","AdapterState":"Running"}"#
    );
    let base = format!("{}/api/v1/clientfailover", server.url);
    server.configure(&with(least(), json!({ "Endpoint": base }))).await;
    server.until_role("Primary").await;
    let state = server.get(STATE).await;
    assert_eq!(
        state.body,
        r#"{"Role":"Primary","LastDataProcessedTime":null,"FailoverStatus":"100","AdapterState":"Running"}"#
    );
    let primary = server.get(FAILOVER).await.json();
    assert_eq!(members(&alone), members(&primary));
    insta::assert_snapshot!("failover_members", members(&primary).join("\n"));
    for member in [
        "SessionId",
        "Epoch",
        "LeaseRemaining",
        "GroupTimeout",
        "LastHeartbeat",
        "RoundTrip",
        "EndpointVersion",
    ] {
        assert!(alone[member].is_null(), "{member}");
        assert!(!primary[member].is_null(), "{member}");
    }
    server.configure(&with(least(), json!({ "Mode": "Cold", "Endpoint": "http://127.0.0.1:9" }))).await;
    until("a Cold standby scores 1 and does not run", async || {
        let state = server.get(STATE).await.json();
        state["Role"] == "Secondary" && state["FailoverStatus"] == "1" && state["AdapterState"] == "Stopped"
    })
    .await;
}

#[tokio::test]
async fn history_is_newest_first_and_its_cursor_stays_good() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::serve(data.path(), &[]);
    for count in 0..5 {
        server.configure(&with(least(), json!({ "Mode": "None", "Name": format!("n{count}") }))).await;
    }
    let path = format!("{HISTORY}?kind=configurationchanged&limit=2");
    let first = server.get(&path).await.json();
    insta::assert_snapshot!("history_members", members(&first["Items"][0]).join("\n"));
    server.configure(&with(least(), json!({ "Mode": "None", "Name": "later" }))).await;
    let (mut seen, mut page) = (first["Items"].as_array().unwrap().clone(), first);
    while let Some(cursor) = page["NextCursor"].as_str() {
        page = server.get(&format!("{path}&cursor={cursor}")).await.json();
        assert!(page["Items"].as_array().unwrap().len() <= 2);
        seen.extend(page["Items"].as_array().unwrap().clone());
    }
    assert_eq!(seen.len(), 5, "none doubled, none missing, none that came later");
    let times: Vec<_> = seen.iter().map(|row| row["Time"].as_str().unwrap().to_owned()).collect();
    let mut sorted = times.clone();
    sorted.sort_by(|one, other| other.cmp(one));
    assert_eq!(times, sorted);

    let (newest, oldest) = (&times[0], &times[4]);
    let between =
        server.get(&format!("{HISTORY}?kind=ConfigurationChanged&from={oldest}&to={newest}")).await.json();
    assert_eq!(between["Items"].as_array().unwrap().len(), 4, "from is included, to is not");
    let answer = server.get(&format!("{HISTORY}?from=yesterday&limit=0&kind=Nothing&cursor=x&form=1")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    for named in ["5 faults", "from cannot", "limit cannot", "kind is not", "cursor cannot", "form"] {
        assert!(answer.body.contains(named), "{named}: {}", answer.body);
    }
}

#[tokio::test]
async fn health_is_told_without_doubt() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for server in [Server::serve(folders[0].path(), &[]), Server::endpoint(folders[1].path(), &[])] {
        assert_eq!(server.get("/healthz").await.body, r#"{"Status":"Alive","Reasons":[]}"#);
        assert_eq!(server.get("/readyz").await.body, r#"{"Status":"Ready","Reasons":[]}"#);
    }
}
