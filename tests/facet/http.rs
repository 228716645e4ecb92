//! Paths, methods, content types, sizes, and text that is no JSON.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use reqwest::{Client, Method, StatusCode};
use serde_json::json;

use crate::{
    support::{Answer, COMPONENTS, FACET, FAILOVER, HISTORY, ORDER, STATE, Server, client},
    table::{by_id, plain, refusal, with},
};

#[tokio::test]
async fn paths_match_in_any_case_with_or_without_a_trailing_slash() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    server.configure(&plain()).await;
    for path in [
        FACET,
        "/api/v1/configuration/System/ClientFailover/",
        "/api/v1/configuration/system/clientfailover",
        "/API/V1/CONFIGURATION/SYSTEM/CLIENTFAILOVER/",
        "/api/v1/configuration/System/ClientFailover?x=y",
        "/api/v1/configuration/System/ClientFailover/C",
        "/API/V1/CONFIGURATION/SYSTEM/CLIENTFAILOVER/C/",
        STATE,
        "/Api/V1/Diagnostics/failoverstate/",
        FAILOVER,
        "/api/v1/DIAGNOSTICS/failover/",
        HISTORY,
        "/api/v1/diagnostics/FAILOVERHISTORY/?limit=1",
        ORDER,
        "/API/v1/diagnostics/order/",
        COMPONENTS,
        "/api/v1/diagnostics/COMPONENTS/",
        "/healthz",
        "/READYZ/",
        "/",
        "/PAGE/Main.js",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    }
    for path in [
        "/x",
        "/page",
        "/api/v1",
        "/api/v1/configuration",
        "/api/v1/configuration/System",
        "/api/v1/configuration/System/ClientFailover//",
        "/api/v1/configuration/System/ClientFailover/C/D",
        "/api/v1//configuration/System/ClientFailover",
        "/api/v1/configuration/System/ClientFailovers",
        "/api/v2/configuration/System/ClientFailover",
        "/api/v1/configuration/System/ClientFailover%2FC",
        "/api/v1/diagnostics/FailoverState/x",
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = server.send(method, path, None).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(refusal(&answer).unwrap()[0], "The path is unknown.", "{path}");
        }
    }
    let answer = server.get("/api/v1/configuration/System/ClientFailover/%FF").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    refusal(&answer).unwrap();
}

#[tokio::test]
async fn a_method_that_is_not_served_is_405_with_the_ones_that_are() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let read_only = ["GET", "HEAD"].as_slice();
    for (path, allowed) in [
        (FACET, ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"].as_slice()),
        (&by_id("C"), &["DELETE", "GET", "HEAD", "PATCH", "PUT"]),
        (STATE, read_only),
        (FAILOVER, read_only),
        (HISTORY, read_only),
        (ORDER, read_only),
        (COMPONENTS, read_only),
        (&format!("{COMPONENTS}/C"), &["DELETE", "GET", "HEAD", "PUT"]),
        ("/healthz", read_only),
        ("/readyz", read_only),
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
            if allowed.contains(&method) {
                continue;
            }
            let answer = server.send(method.parse().unwrap(), path, Some("{}")).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            let mut named: Vec<_> =
                answer.headers["allow"].to_str().unwrap().split(',').map(str::trim).collect();
            named.sort_unstable();
            assert_eq!(named, allowed, "{method} {path}");
            refusal(&answer).unwrap();
        }
    }
    let head = server.send(Method::HEAD, FACET, None).await;
    assert_eq!((head.status, head.body.as_str()), (StatusCode::OK, ""));
}

async fn send_as(
    client: &Client,
    server: &Server,
    method: Method,
    kind: Option<&str>,
    body: Vec<u8>,
) -> Answer {
    let mut request = client.request(method, format!("{}{FACET}", server.url)).body(body);
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, body: response.text().await.unwrap() }
}

#[tokio::test]
async fn a_body_that_is_not_called_json_is_415() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let client = client();
    let body = || plain().to_string().into_bytes();
    for kind in [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "application/merge-patch+json",
    ] {
        let answer = send_as(&client, &server, Method::PUT, Some(kind), body()).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{kind}: {}", answer.body);
    }
    for kind in [
        None,
        Some(""),
        Some("text/plain"),
        Some("text/json"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonp"),
        Some("application/xml; a=application/json"),
        Some("json"),
    ] {
        for method in [Method::PUT, Method::POST, Method::PATCH] {
            let answer = send_as(&client, &server, method, kind, body()).await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
            refusal(&answer).unwrap();
        }
    }
}

#[tokio::test]
async fn a_body_over_a_mebibyte_is_413() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let most = 1024 * 1024;
    let fill = |length: usize| {
        let text = plain().to_string();
        format!("{text}{}", " ".repeat(length - text.len())).into_bytes()
    };
    let kind = Some("application/json");
    let whole = send_as(&client(), &server, Method::PUT, kind, fill(most)).await;
    assert_eq!(whole.status, StatusCode::NO_CONTENT, "a mebibyte is read: {}", whole.body);
    let over = send_as(&client(), &server, Method::PUT, kind, fill(most + 1)).await;
    assert_eq!(over.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refusal(&over).unwrap()[1].contains("1048576"), "{}", over.body);

    // One that never says how long it is, and never ends, is answered all the same.
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head = format!(
        "PUT {FACET} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..17 {
        // The server may close its side as soon as it has seen too much.
        if stream.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert_eq!(server.get(FACET).await.json()[0]["Id"], "C", "what was stored is still there");
}

#[tokio::test]
async fn text_that_is_no_json_is_refused_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let client = client();
    let deep = "[".repeat(5_000);
    for (body, place) in [
        (b"".as_slice(), "line 1, column 0"),
        (b"{", "line 1, column 1"),
        (b"{\n  \"Mode\": what\n}", "line 2, column 11"),
        (b"{\"a\": 1,}", "line 1, column 9"),
        (b"{} {}", "line 1, column 4"),
        (b"{'a': 1}", "line 1, column 2"),
        (b"{\"a\": 01}", "line 1, column 8"),
        (b"{\"a\": 1e999}", "line 1, column"),
        (b"{\"a\": NaN}", "line 1, column 7"),
        (b"\xef\xbb\xbf{}", "line 1, column 1"),
        (b"{\"a\": \"\xff\"}", "line 1, column"),
        (b"{\"a\": \"\\ud800\"}", "line 1, column"),
        (b"{\"a\": \"\n\"}", "line 2, column 0"),
        (deep.as_bytes(), "line 1, column"),
    ] {
        for method in [Method::PUT, Method::POST, Method::PATCH] {
            let answer = send_as(&client, &server, method, Some("application/json"), body.to_vec()).await;
            let shown = String::from_utf8_lossy(body).chars().take(40).collect::<String>();
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{shown}: {}", answer.body);
            let [error, reason, _] = refusal(&answer).unwrap();
            assert_eq!(error, "The body is not well-formed JSON.", "{shown}");
            assert!(reason.contains(place), "{shown}: {reason}");
        }
    }
}

/// The document's own example, character by character.
const EXAMPLE: &str = r#"[
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
]
"#;

#[tokio::test]
async fn the_documented_example_is_accepted_from_curl_and_shown_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(&folder.path().join("data"), &[]);
    std::fs::write(folder.path().join("ConfigureClientFailover.json"), EXAMPLE).unwrap();
    let curl = |arguments: &[&str]| {
        let mut command = std::process::Command::new("curl");
        command.current_dir(&folder).args(["--silent", "--show-error", "--fail", "--noproxy", "*"]);
        let ran = command.args(arguments).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    let url = format!("{}/api/v1/configuration/System/ClientFailover", server.url);
    let header = "Content-Type: application/json";
    let out = curl(&["-d", "@ConfigureClientFailover.json", "-H", header, "-X", "PUT", &url]);
    assert_eq!(out, "");

    let example: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
    let shown: serde_json::Value = serde_json::from_str(&curl(&[&url])).unwrap();
    let differs = json!({
        "Mode": "Hot", "Password": "***************", "ClientId": null, "ClientSecret": null,
    });
    assert_eq!(shown, json!([with(example[0].clone(), differs)]));
    // What GET gave can be PUT.
    server.configure(&shown).await;
    assert_eq!(server.get(FACET).await.json(), shown);
}
