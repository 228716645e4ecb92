//! Users, passwords, and whose a session is.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    guarded::{PASSWORD, add, add_all, answer, get, send, user},
    hostile,
    support::{FACET, PROGRAM, STATE, Server, client, configuration, until},
};

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn users_are_kept_in_the_data_folder_whether_a_server_runs_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let none = user(&["list"], &data, "");
    assert!(!none.status.success() && said(&none).contains("is not there"), "{}", said(&none));
    assert!(!data.exists());
    add("plc-a", "user", &data);
    let server = Server::serve(&data, &[]);
    add("chief", "administrator", &data);
    let listed = user(&["list"], &data, "");
    assert_eq!(String::from_utf8(listed.stdout).unwrap(), "administrator  chief\nuser           plc-a\n");
    for (arguments, input, reason) in [
        (vec!["add", "plc-a", "--role", "user"], "another password\n", "exists"),
        (vec!["add", "b", "--role", "user"], "short\n", "less than 8 characters"),
        (vec!["add", "b", "--role", "user"], "", "less than 8 characters"),
        (vec!["passwd", "b"], "another password\n", "no user b"),
        (vec!["remove", "b"], "", "no user b"),
    ] {
        let refused = user(&arguments, &data, input);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(said(&refused).contains(reason), "{arguments:?}: {}", said(&refused));
    }
    for arguments in
        [vec!["add", "b", "--role", "boss"], vec!["add", "a:b", "--role", "user"], vec!["add", "b"]]
    {
        assert_eq!(user(&arguments, &data, "a password\n").status.code(), Some(2), "{arguments:?}");
    }
    assert!(user(&["remove", "plc-a"], &data, "").status.success());
    let last = user(&["remove", "chief"], &data, "");
    assert!(last.status.success() && said(&last).contains("No user is left"), "{}", said(&last));
    drop(server);
}

#[tokio::test]
async fn as_soon_as_there_is_a_user_everything_but_the_probes_needs_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    assert_eq!(get(&server, None, STATE).await.status, StatusCode::OK);
    add("plc-a", "user", folder.path());
    until("a login is needed", async || get(&server, None, STATE).await.status == StatusCode::UNAUTHORIZED)
        .await;
    let refused = get(&server, None, STATE).await;
    assert_eq!(refused.headers["www-authenticate"], r#"Basic realm="client-failover", charset="UTF-8""#);
    assert!(refused.json()["Resolution"].as_str().unwrap().contains("user add"));
    for probe in ["/healthz", "/readyz"] {
        assert_eq!(get(&server, None, probe).await.status, StatusCode::OK);
    }
    assert_eq!(get(&server, Some("plc-a"), STATE).await.status, StatusCode::OK);
    assert!(user(&["passwd", "plc-a"], folder.path(), "another password\n").status.success());
    until("the old password is no login any more", async || {
        get(&server, Some("plc-a"), STATE).await.status == StatusCode::UNAUTHORIZED
    })
    .await;
}

#[tokio::test]
async fn what_is_no_login_is_refused_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    add("plc-a", "user", folder.path());
    let url = format!("{}{STATE}", server.url);
    until("a login is needed", async || get(&server, None, STATE).await.status == StatusCode::UNAUTHORIZED)
        .await;
    for header in [
        "",
        "Basic",
        "Basic !!!",
        "Basic cGxjLWE=",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJwbGMtYSJ9.",
        "Digest username=\"plc-a\"",
        &format!("Basic {}", "A".repeat(20_000)),
    ] {
        let answered = answer(client().get(&url).header("authorization", header)).await;
        assert_eq!(answered.status, StatusCode::UNAUTHORIZED, "{}", &header[..header.len().min(20)]);
    }
    // It is refused before all of it is sent, and a client that sends on loses the answer.
    let huge = format!(
        "GET {STATE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n",
        "A".repeat(1024 * 1024)
    );
    assert_eq!(hostile::raw(&server, huge.as_bytes()), "HTTP/1.1 431 Request Header Fields Too Large");
    assert_eq!(get(&server, Some("plc-a"), STATE).await.status, StatusCode::OK, "nobody was locked out");
}

#[tokio::test]
async fn who_guesses_is_told_to_wait_and_who_is_logged_in_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    add("plc-a", "user", folder.path());
    until("the login counts", async || get(&server, None, STATE).await.status == StatusCode::UNAUTHORIZED)
        .await;
    assert_eq!(get(&server, Some("plc-a"), STATE).await.status, StatusCode::OK);
    let url = format!("{}{STATE}", server.url);
    let mut last = None;
    for guess in 0..40 {
        let answered = answer(client().get(&url).basic_auth("chief", Some(format!("guess {guess}")))).await;
        if answered.status == StatusCode::TOO_MANY_REQUESTS {
            last = Some(answered);
            break;
        }
        assert_eq!(answered.status, StatusCode::UNAUTHORIZED);
    }
    let waits = last.expect("guessing was never slowed");
    assert!(waits.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(get(&server, Some("plc-a"), STATE).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_change_is_recorded_with_who_made_it() {
    let folder = tempfile::tempdir().unwrap();
    add("chief", "administrator", folder.path());
    let server = Server::serve(folder.path(), &[]);
    let body = configuration("http://127.0.0.1:9", "G", "00:00:01").to_string();
    let put = send(&server, Some("chief"), Method::PUT, FACET, Some(&body)).await;
    assert_eq!(put.status, StatusCode::NO_CONTENT, "{}", put.body);
    let database = folder.path().join("failover.db");
    let output = std::process::Command::new("sqlite3")
        .arg(database)
        .arg("select requested_by from configuration_history")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "chief\n");
}

#[tokio::test]
async fn a_session_is_its_makers_until_it_is_removed_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let mut server = Server::endpoint(folder.path(), &[]);
    let base = "/api/v1/clientfailover/groups";
    let group = json!({ "Id": "G", "FailoverTimeout": "00:01:00" }).to_string();
    assert_eq!(
        send(&server, Some("user"), Method::POST, base, Some(&group)).await.status,
        StatusCode::CREATED
    );
    let sessions = format!("{base}/G/clientsessions");
    let make = json!({ "Id": "S" }).to_string();
    let made = send(&server, Some("user"), Method::POST, &sessions, Some(&make)).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let beat = format!("{sessions}/S/heartbeat");
    let score = json!({ "FailoverScore": 100 }).to_string();
    for restarted in [false, true] {
        if restarted {
            server.kill();
            server = Server::endpoint(folder.path(), &[]);
        }
        for (who, status) in
            [("user", StatusCode::OK), ("other", StatusCode::FORBIDDEN), ("admin", StatusCode::FORBIDDEN)]
        {
            let answered = send(&server, Some(who), Method::POST, &beat, Some(&score)).await;
            assert_eq!(answered.status, status, "{who}: {}", answered.body);
        }
    }
    let removed = send(&server, Some("admin"), Method::DELETE, &format!("{sessions}/S"), None).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT, "an administrator clears away");
    let made = send(&server, Some("other"), Method::POST, &sessions, Some(&make)).await;
    assert_eq!(made.status, StatusCode::CREATED, "it is the next one's");
    assert_eq!(
        send(&server, Some("user"), Method::POST, &beat, Some(&score)).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn an_adapter_with_a_password_is_a_member_of_a_guarded_group() {
    let (there, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    add("plc-a", "user", there.path());
    let endpoint = Server::endpoint(there.path(), &[]);
    let adapter = Server::serve(here.path(), &[]);
    let mut wanted = configuration(&format!("{}/api/v1/clientfailover", endpoint.url), "G", "00:00:01");
    adapter.configure(&wanted).await;
    adapter.until_error("401").await;
    (wanted["UserName"], wanted["Password"]) = (json!("plc-a"), json!(PASSWORD));
    adapter.configure(&wanted).await;
    adapter.until_role("Primary").await;
}

#[test]
fn the_command_line_logs_in_with_a_password_from_a_file_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    add("plc-a", "user", folder.path());
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(PROGRAM);
        command.args(arguments).stdin(std::process::Stdio::null());
        command.output().unwrap()
    };
    let file = file.to_str().unwrap();
    let get = ["get", "failoverstate", "--url", &server.url];
    let groups = ["groups", "--endpoint", &server.url];
    for command in [get.as_slice(), &groups] {
        let refused = run(command);
        assert_eq!(refused.status.code(), Some(1));
        assert!(said(&refused).contains("A login is needed"), "{}", said(&refused));
        let logged_in = run(&[command, &["--user", "plc-a", "--password-file", file]].concat());
        assert!(logged_in.status.success(), "{}", said(&logged_in));
    }
    let without = run(&[get.as_slice(), &["--user", "plc-a"]].concat());
    assert!(said(&without).contains("--password-file"), "{}", said(&without));
}

#[tokio::test]
async fn a_user_with_as_many_streams_as_he_can_have_leaves_some_for_others() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    let group = json!({ "Id": "G", "FailoverTimeout": "00:01:00" }).to_string();
    let groups = "/api/v1/clientfailover/groups";
    assert_eq!(send(&server, Some("user"), Method::POST, groups, Some(&group)).await.status, 201);
    let client = client();
    for path in [
        "/api/v1/diagnostics/Order/Events",
        "/api/v1/diagnostics/Failover/Events",
        "/api/v1/clientfailover/groups/G/status/events",
    ] {
        let open = async |user: &str| {
            let request = client.get(format!("{}{path}", server.url)).basic_auth(user, Some(PASSWORD));
            request.send().await.unwrap()
        };
        let mut streams = Vec::new();
        for _ in 0..64 {
            let stream = open("user").await;
            assert_eq!(stream.status(), StatusCode::OK, "{path}: {}", streams.len());
            streams.push(stream);
        }
        let refused = open("user").await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(refused.headers().contains_key("retry-after"));
        assert_eq!(open("other").await.status(), StatusCode::OK, "{path}: others have places");
    }
}

#[tokio::test]
async fn a_stream_of_events_ends_with_the_login_that_opened_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::endpoint(folder.path(), &[]);
    let base = "/api/v1/clientfailover/groups";
    let group = json!({ "Id": "G", "FailoverTimeout": "00:01:00" }).to_string();
    assert_eq!(send(&server, None, Method::POST, base, Some(&group)).await.status, StatusCode::CREATED);
    let open = async |user: Option<&str>| {
        let mut request = client().get(format!("{}{base}/G/events", server.url));
        if let Some(user) = user {
            request = request.basic_auth(user, Some(PASSWORD));
        }
        request.send().await.unwrap()
    };
    let ends = async |mut stream: reqwest::Response| while stream.chunk().await.unwrap().is_some() {};
    let nobodys = open(None).await;
    add("plc-a", "user", folder.path());
    ends(nobodys).await;
    let own = open(Some("plc-a")).await;
    assert_eq!(own.status(), StatusCode::OK);
    add("plc-b", "user", folder.path());
    let others = open(Some("plc-b")).await;
    assert!(user(&["remove", "plc-a"], folder.path(), "").status.success());
    ends(own).await;
    assert_eq!(get(&server, Some("plc-b"), base).await.status, StatusCode::OK);
    drop(others);
}
