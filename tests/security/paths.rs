//! Requests whose address is written so that somebody could take it for another: none of them passes the door.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    guarded::{PASSWORD, add_all, get},
    support::{FACET, LIMIT, Server, until},
};

/// The status of what is answered to a request with this first line, and these headers.
fn status(server: &Server, line: &str, headers: &str) -> u16 {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let body = "[]";
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Type: application/json\r\n");
    write!(stream, "{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    let answer = String::from_utf8_lossy(&answer);
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("{line}: {answer}"))
}

#[tokio::test]
async fn no_spelling_of_a_path_is_a_way_around_the_login() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    let host = server.address();
    for (path, expected) in [
        // What needs no login, to see that the others could have come as far.
        ("/healthz", 200),
        ("/HealthZ/", 200),
        (&*format!("http://{host}/healthz"), 200),
        ("/API/V1/Diagnostics/FAILOVERSTATE/", 401),
        (&format!("http://{host}/api/v1/diagnostics/failoverstate"), 401),
        ("http://localhost/api/v1/diagnostics/failoverstate", 401),
        (&format!("http://user:{}@localhost/api/v1/diagnostics/failoverstate", "planted"), 403),
        ("http://evil.example/api/v1/diagnostics/failoverstate", 403),
        ("//api/v1/diagnostics/failoverstate", 401),
        ("/api/v1//diagnostics/failoverstate", 401),
        ("/api/v1/diagnostics/./failoverstate", 401),
        ("/healthz/../api/v1/diagnostics/failoverstate", 401),
        ("/healthz%2f..%2fapi/v1/diagnostics/failoverstate", 401),
        ("/healthz/%2e%2e/api/v1/diagnostics/failoverstate", 401),
        ("/healthz;/api/v1/diagnostics/failoverstate", 401),
        ("/healthz%00/api/v1/diagnostics/failoverstate", 401),
        ("/healthz%252f..%252fapi/v1/diagnostics/failoverstate", 401),
        ("/page/../api/v1/diagnostics/failoverstate", 401),
        ("/page/%2e%2e/api/v1/diagnostics/failoverstate", 401),
        ("/page/..%5capi/v1/diagnostics/failoverstate", 401),
        ("/%61pi/v1/diagnostics/failoverstate", 401),
        ("/api/v1/diagnostics/failoverstate?/healthz", 401),
        ("/api/v1/diagnostics/failoverstate;.css", 401),
        ("/api/v1/diagnostics/failoverstate%20", 401),
        ("/api/v1/clientfailover/groups/..%2f..%2f..%2f..%2fhealthz", 401),
        ("/egress/../healthz", 401),
        ("/egress/%2e%2e/healthz", 401),
    ] {
        assert_eq!(status(&server, &format!("GET {path}"), ""), expected, "{path}");
    }
    for line in
        ["CONNECT localhost:80", "OPTIONS *", "TRACE /healthz", "GET api/v1/diagnostics/failoverstate"]
    {
        assert!((400..500).contains(&status(&server, line, "")), "{line}");
    }
}

#[tokio::test]
async fn no_spelling_of_a_request_makes_an_administrator_of_a_user() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    let login = format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("user:{PASSWORD}")));
    until("the user is let in", async || get(&server, Some("user"), FACET).await.status == 200).await;
    for path in [
        "/api/v1/configuration/system/clientfailover",
        "/API/v1/Configuration/SYSTEM/ClientFailover/",
        "http://localhost/api/v1/configuration/system/clientfailover",
        "/api/v1/management/secrets",
        "/api/v1/management/secrets/",
        "/api/v1/clientfailover/groups/g/accesscontrol",
    ] {
        for method in ["PUT", "DELETE"].into_iter().filter(|method| *method == "PUT" || !path.ends_with("l"))
        {
            assert_eq!(status(&server, &format!("{method} {path}"), &login), 403, "{method} {path}");
        }
    }
    for path in [
        "/api/v1/configuration//system/clientfailover",
        "/api/v1/configuration/system/clientfailover//",
        "/api/v1/configuration/system%2fclientfailover",
        "/api/v1/diagnostics/../configuration/system/clientfailover",
        "/api/v1/configuration/system/clientfailove%72",
        "/egress/../api/v1/configuration/system/clientfailover",
    ] {
        for method in ["PUT", "DELETE"] {
            assert_eq!(status(&server, &format!("{method} {path}"), &login), 404, "{method} {path}");
        }
    }
    // Headers that proxies obey are no method and no path here.
    for header in ["X-HTTP-Method-Override: DELETE", "X-Method-Override: PUT", "X-Original-URL: /healthz"] {
        let with = format!("{login}{header}\r\n");
        assert_eq!(status(&server, &format!("GET {FACET}"), &with), 200, "{header}");
        assert_eq!(status(&server, &format!("PUT {FACET}"), &with), 403, "{header}");
    }
    assert_eq!(get(&server, Some("admin"), FACET).await.body, "[]");
}
