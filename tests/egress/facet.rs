//! The facet of the destinations: a collection of many.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{DESTINATIONS, support::Server};

async fn send(server: &Server, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let answer = server.send(method, &format!("{DESTINATIONS}{path}"), Some(&body.to_string())).await;
    let body = if answer.body.is_empty() { Value::Null } else { answer.json() };
    (answer.status, body)
}

async fn ids(server: &Server) -> Vec<String> {
    let all = server.get(DESTINATIONS).await.json();
    all.as_array().unwrap().iter().map(|one| one["Id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_verb_does_what_the_rules_of_a_collection_of_many_say() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    assert_eq!(server.get(DESTINATIONS).await.json(), json!([]));

    let (status, made) =
        send(&server, Method::POST, "", json!({ "Id": "a", "Endpoint": "http://h/x" })).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(
        made,
        json!({
            "Id": "a", "Endpoint": "http://h/x", "UserName": null, "Password": null, "ClientId": null,
            "ClientSecret": null, "TokenEndpoint": null, "ValidateEndpointCertificate": true,
            "ReadOnlyMethods": ["GET", "HEAD", "OPTIONS"], "MaxBufferSizeMB": 1024, "MaxRequestSizeMB": 16,
            "BufferedAnswer": 204, "StandbyAnswer": "Refuse",
        })
    );
    let (status, made) = send(
        &server,
        Method::POST,
        "",
        json!([{ "Id": "b", "Endpoint": "http://h" }, { "Endpoint": "http://i" }]),
    )
    .await;
    assert_eq!((status, made.as_array().unwrap().len()), (StatusCode::CREATED, 2));
    assert_eq!(ids(&server).await[..2], ["a", "b"]);
    let twice = json!([{ "Id": "c", "Endpoint": "http://h" }, { "Id": "b", "Endpoint": "http://h" }]);
    assert_eq!(send(&server, Method::POST, "", twice).await.0, StatusCode::CONFLICT);
    assert_eq!(ids(&server).await.len(), 3, "nothing was added");

    let patch = json!({ "BufferedAnswer": 202 });
    assert_eq!(send(&server, Method::PATCH, "/a", patch.clone()).await.0, StatusCode::NO_CONTENT);
    assert_eq!(server.get(&format!("{DESTINATIONS}/a")).await.json()["BufferedAnswer"], 202);
    assert_eq!(send(&server, Method::PATCH, "/z", patch).await.0, StatusCode::NOT_FOUND);
    let whole = json!({ "Endpoint": "http://k" });
    assert_eq!(send(&server, Method::PUT, "/a", whole.clone()).await.0, StatusCode::NO_CONTENT);
    assert_eq!(server.get(&format!("{DESTINATIONS}/a")).await.json()["BufferedAnswer"], 204);
    assert_eq!(send(&server, Method::PUT, "/z", whole).await.0, StatusCode::NOT_FOUND);
    let other = json!({ "Id": "b", "Endpoint": "http://k" });
    assert_eq!(send(&server, Method::PUT, "/a", other).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(send(&server, Method::DELETE, "/a", json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(send(&server, Method::DELETE, "/a", json!({})).await.0, StatusCode::NOT_FOUND);

    let all = json!([{ "Id": "d", "Endpoint": "http://h" }, { "Id": "b", "Endpoint": "http://h" }]);
    assert_eq!(send(&server, Method::PUT, "", all).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ids(&server).await, ["d", "b"]);
    let shown = server.get(DESTINATIONS).await.json();
    assert_eq!(
        send(&server, Method::PUT, "", shown).await.0,
        StatusCode::NO_CONTENT,
        "what GET gave can be PUT"
    );
    assert_eq!(send(&server, Method::DELETE, "", json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(send(&server, Method::DELETE, "", json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ids(&server).await, [""; 0]);
}

#[tokio::test]
async fn every_fault_of_every_element_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let body = json!([
        { "Id": "a", "Endpoint": "ftp://h", "Colour": 1 },
        { "Id": "b", "Endpoint": "https://h", "MaxBufferSizeMB": "1" },
        { "Id": "c", "Endpoint": "http://h" },
        { "Id": "c", "Endpoint": "http://h" },
    ]);
    let (status, answer) = send(&server, Method::PUT, "", body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let reason = answer["Reason"].as_str().unwrap();
    for part in [
        "[0].\"Colour\" is not a member",
        "[0].Endpoint is neither an http nor an https URL",
        "[1].MaxBufferSizeMB is a string, not a whole number",
        "[1].Endpoint is an https URL, for which credentials are missing",
        "[3].Id is that of another element",
    ] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert_eq!(answer["Error"], "5 faults were found in the request.");
}

#[tokio::test]
async fn a_secret_is_masked_sealed_and_bound_to_its_origin() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::serve(folder.path(), &[]);
    let basic =
        json!({ "Id": "a", "Endpoint": "https://h/x", "UserName": "u", "Password": "planted-secret" });
    assert_eq!(send(&server, Method::PUT, "", basic).await.0, StatusCode::NO_CONTENT);
    let shown = server.get(DESTINATIONS).await;
    assert!(!shown.body.contains("planted-secret"));
    assert_eq!(shown.json()[0]["Password"], "***************");
    assert_eq!(
        send(&server, Method::PATCH, "/a", json!({ "Endpoint": "https://h/y" })).await.0,
        StatusCode::NO_CONTENT
    );
    let (status, answer) = send(&server, Method::PATCH, "/a", json!({ "Endpoint": "https://evil/x" })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["Reason"].as_str().unwrap().contains("not passed on"), "{answer}");
    let history = server.rows("ConfigurationChanged", "ConfigurationChanged").await;
    let said: Vec<_> = history.iter().map(|row| row["Explanation"].as_str().unwrap()).collect();
    assert!(said[0].starts_with("the data endpoint \"a\" was created by "), "{said:?}");
    assert!(said[1].ends_with(": Endpoint"), "{said:?}");
    server.kill();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(14).any(|window| window == b"planted-secret"));
    }
    let server = Server::serve(folder.path(), &[]);
    assert_eq!(server.get(DESTINATIONS).await.json()[0]["UserName"], "u");
}
