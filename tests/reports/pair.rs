//! A real pair whose Primary loses a part of its source.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::{
    serve,
    support::{COMPONENTS, FAILOVER, Server, configuration, until},
};

async fn report(server: &Server, component: u32, status: &str) {
    let body = json!({ "StreamCount": 1000, "DeviceStatus": status, "TimeToLive": "1.00:00:00" });
    let path = format!("{COMPONENTS}/PLC%20{component}");
    let answer = server.send(Method::PUT, &path, Some(&body.to_string())).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
}

/// The score of a member as its endpoint knows it.
async fn score(endpoint: &Server, member: &Server) -> Value {
    let session = member.get(FAILOVER).await.json()["SessionId"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/clientfailover/groups/Line/clientsessions/{session}");
    endpoint.get(&path).await.json()["Heartbeat"]["FailoverScore"].clone()
}

#[tokio::test]
async fn one_of_four_components_down_is_75_at_the_endpoint_and_the_other_takes_over() {
    let folders = [tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap()];
    let endpoint = Server::endpoint(folders[0].path(), &[]);
    let start = |folder: usize| serve(folders[folder].path(), "", &["--endpoint-loss", "step-down"]);
    let (a, b) = (start(1), start(2));
    for component in 1..=4 {
        report(&a, component, "Good").await;
        report(&b, component, "ConnectedNoData").await;
    }
    let configuration = configuration(&format!("{}/api/v1/clientfailover", endpoint.url), "Line", "00:00:02");
    a.configure(&configuration).await;
    a.until_role("Primary").await;
    b.configure(&configuration).await;
    b.until_history("Registered", "RegistrationAccepted").await;
    until("all is good", async || score(&endpoint, &a).await == 100 && score(&endpoint, &b).await == 100)
        .await;
    assert_eq!((a.role().await, b.role().await), ("Primary".to_owned(), "Secondary".to_owned()));

    report(&a, 3, "DeviceInError").await;
    until("the endpoint knows", async || score(&endpoint, &a).await == 75).await;
    b.until_role("Primary").await;
    a.until_role("Secondary").await;
    let why = endpoint.get("/api/v1/clientfailover/groups/Line/history?kind=ChallengeBegan").await.json();
    let because: Vec<_> =
        why["Items"].as_array().unwrap().iter().map(|item| item["Reason"].clone()).collect();
    assert_eq!(because, ["BetterScore"], "{why}");
    let row = a.rows("Component", "Reported").await;
    assert!(row.last().unwrap()["Explanation"] == "component \"PLC 3\" reports DeviceInError", "{row:?}");
    assert_eq!(score(&endpoint, &b).await, 100);

    report(&a, 3, "Good").await;
    until("all is good again", async || score(&endpoint, &a).await == 100).await;
    assert_eq!(b.role().await, "Primary", "equal scores keep whoever acts");
}
