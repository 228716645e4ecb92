//! A full disk: refused clearly, nothing lost, and all well again once there is space.

use std::{fs, net::TcpListener};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    database::ask_copy,
    folder::refused_start,
    support::{
        Answer, FACET, HISTORY, STATE, Server,
        ear::Ear,
        mount::{Mount, fill},
        port::Port,
        until,
    },
};

/// Leaves this much of the file system free: some dozens of changes.
const LEFT: u64 = 512 * 1024;

fn change(number: u32, endpoint: &str) -> String {
    json!({
        "Id": "C", "FailoverGroupId": "G", "Mode": "Hot", "Endpoint": endpoint, "Name": format!("change {number}"),
        "Description": "d".repeat(1_000), "UserName": "u", "Password": format!("password {number}"),
        "FailoverTimeout": "00:00:01",
    })
    .to_string()
}

/// Changes the configuration until the disk is full; gives the number of the last change that was
/// answered, and the refusal.
async fn change_until_full(server: &Server, endpoint: &str, from: u32) -> (u32, Answer) {
    for number in from..10_000 {
        let answer = server.send(Method::PUT, FACET, Some(&change(number, endpoint))).await;
        if answer.status != StatusCode::NO_CONTENT {
            return (number - 1, answer);
        }
    }
    panic!("the disk is never full");
}

fn check_refusal(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
    assert_eq!(body["Error"], "The store cannot do this now; nothing was changed.");
    assert_eq!(body["Reason"], "The disk that holds the data folder is full.");
    assert_eq!(body["Resolution"], "Free space on that disk, then send the request again.");
}

async fn failures(server: &Server) -> Vec<Value> {
    let page = server.get(&format!("{HISTORY}?kind=EndpointFailed&limit=1000")).await.json();
    page["Items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_changes_are_refused_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::tmpfs(folder.path(), "8m") else { return };
    let data = mount.path.join("data");
    let mut server = Server::serve(&data, &[]);
    // Nobody listens there yet: the first failure is recorded.
    let nobody = Port::hold();
    let endpoint = format!("http://{}", nobody.address);
    server.send(Method::PUT, FACET, Some(&change(0, &endpoint))).await;
    until("the endpoint is not reached", async || !failures(&server).await.is_empty()).await;

    let ballast = fill(&mount.path, LEFT);
    let (last, refusal) = change_until_full(&server, &endpoint, 1).await;
    check_refusal(&refusal);
    assert!(last > 0, "some changes still fit");
    fill(&mount.path, 0);
    let shown = server.get(FACET).await;
    assert_eq!(shown.json()[0]["Name"], format!("change {last}"));
    for (method, body) in [
        (Method::PUT, Some(change(9, &endpoint))),
        (Method::PATCH, Some("{\"Name\":\"patched\"}".to_owned())),
        (Method::DELETE, None),
    ] {
        let answer = server.send(method, FACET, body.as_deref()).await;
        check_refusal(&answer);
        assert_eq!(server.get(FACET).await.body, shown.body);
    }
    for path in [STATE, "/healthz", HISTORY] {
        assert_eq!(server.get(path).await.status, StatusCode::OK, "{path} is served on");
    }

    // What happens meanwhile is kept, and written when there is space.
    let known = failures(&server).await.len();
    let _refusing = Ear::on(TcpListener::bind(nobody.address).unwrap(), |_| "{}".to_owned());
    // One row may fit where a change does not.
    let mut good = false;
    until("the history waits for space", async || {
        good = !good;
        let status = if good { "Good" } else { "DeviceInError" };
        let report = format!(r#"{{"StreamCount": 1, "DeviceStatus": "{status}"}}"#);
        server.send(Method::PUT, "/api/v1/diagnostics/Components/plc", Some(&report)).await;
        server.log().contains("it is kept in memory")
    })
    .await;
    fs::remove_file(ballast).unwrap();
    until("the history goes on", async || failures(&server).await.len() > known).await;
    let answer = server.send(Method::PUT, FACET, Some(&change(10_000, &endpoint))).await;
    assert_eq!(
        answer.status,
        StatusCode::NO_CONTENT,
        "the first change after space is free: {}",
        answer.body
    );
    assert_eq!(server.get(FACET).await.json()[0]["Name"], "change 10000");

    server.kill();
    let changes = "select count(*) from configuration_history";
    assert_eq!(ask_copy(&data, &format!("pragma integrity_check; {changes}")), format!("ok\n{}", last + 2));
    server = Server::serve(&data, &[]);
    assert_eq!(server.get(FACET).await.json()[0]["Name"], "change 10000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_on_a_full_disk_has_everything_once_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::tmpfs(folder.path(), "8m") else { return };
    let data = mount.path.join("data");
    let mut server = Server::serve(&data, &[]);
    let ballast = fill(&mount.path, LEFT);
    let (last, refusal) = change_until_full(&server, "http://localhost:1", 1).await;
    check_refusal(&refusal);
    fill(&mount.path, 0);
    server.kill();

    fs::remove_file(ballast).unwrap();
    let server = Server::serve(&data, &[]);
    assert_eq!(server.get(FACET).await.json()[0]["Name"], format!("change {last}"));
    assert_eq!(ask_copy(&data, "pragma integrity_check"), "ok");
}

#[test]
fn a_server_that_cannot_make_its_database_says_that_the_disk_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::tmpfs(folder.path(), "1m") else { return };
    fill(&mount.path, 0);
    let (code, said) = refused_start(&mount.path);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the disk that holds the data folder is full"), "{said}");
}
