//! Input that means harm: it is refused, and the server goes on.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use crate::{
    guarded::add,
    support::{FACET, LIMIT, STATE, Server},
};

/// What a server answers to these bytes before it closes, or at once after its first answer.
fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // It may have refused before everything was sent.
    stream.write_all(bytes).ok();
    let mut answer = [0; 64];
    let read = stream.read(&mut answer).unwrap_or(0);
    String::from_utf8_lossy(&answer[..read]).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn shapes_that_proxies_read_otherwise_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let put = format!("PUT {FACET} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n");
    for (what, request, status) in [
        ("two lengths", format!("{put}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}x"), "400"),
        ("no number", format!("{put}Content-Length: +2\r\n\r\n{{}}"), "400"),
        ("unknown coding", format!("{put}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), "400"),
        (
            "a chunk of no size",
            format!("{put}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n"),
            "400",
        ),
        ("a space before the colon", format!("{put}X : y\r\nContent-Length: 2\r\n\r\n{{}}"), "400"),
        ("a NUL in a header", format!("{put}X: a\0b\r\nContent-Length: 2\r\n\r\n{{}}"), "400"),
        (
            "two hosts",
            format!("GET {STATE} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"),
            "400",
        ),
        ("no host", format!("GET {STATE} HTTP/1.1\r\n\r\n"), "400"),
        (
            "another host's form",
            format!("GET http://evil.example{STATE} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            "403",
        ),
        (
            "an escaped slash",
            "GET /api%2Fv1/diagnostics/FailoverState HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
            "404",
        ),
        (
            "dots",
            "GET /healthz/../api/v1/diagnostics/FailoverState HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
            "404",
        ),
        ("a long path", format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(20_000)), "414"),
        (
            "a long header",
            format!("GET {STATE} HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(40_000)),
            "431",
        ),
        (
            "many headers",
            format!("GET {STATE} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(200)),
            "431",
        ),
        ("another protocol", "\u{16}\u{3}\u{1}\u{2}\0".into(), "400"),
    ] {
        let answered = raw(&server, request.as_bytes());
        assert!(answered.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {answered:?}");
    }
    // A length beside a coding is never a second request: it is refused, or the connection ends with it.
    let both = format!(
        "{put}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    );
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(both.as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).ok();
    assert!(answers.matches("HTTP/1.1 ").count() <= 1, "{answers}");
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn json_that_means_harm_is_a_400() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let members = (0..50_000).map(|at| format!("\"m{at}\":1")).collect::<Vec<_>>().join(",");
    for body in [
        deep("[", "]"),
        deep("{\"a\":", "}"),
        format!("{{{members}}}"),
        r#"{"Mode": "Hot", "Mode": "Cold"}"#.to_owned(),
        r#"{"Mode": "Hot", "mOdE": "Cold"}"#.to_owned(),
        format!("{{\"Name\": {}}}", "9".repeat(500_000)),
        format!("{{\"Name\": \"{}\"}}", "\\u0000".repeat(100_000)),
    ] {
        let answered = server.send(reqwest::Method::PUT, FACET, Some(&body)).await;
        assert_eq!(answered.status, 400, "{}", &body[..body.len().min(40)]);
        assert!(answered.body.len() < 4 * 1024 * 1024, "{}", answered.body.len());
    }
    assert_eq!(server.get(FACET).await.body, "[]");
}

/// Connections that say nothing, where the system allows so many files.
const IDLE: usize = 10_000;

/// How many files this process may open, once it has asked for all that it may have. The server asks for itself.
fn files_allowed() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(100_000);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_ok();
    usize::try_from(if raised { wanted } else { current.unwrap_or(wanted) }).unwrap()
}

#[tokio::test]
async fn who_opens_connections_and_is_silent_keeps_nobody_out_and_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let possible = IDLE.min(files_allowed().saturating_sub(500));
    println!("{possible} idle connections");
    let mut idle: Vec<TcpStream> = Vec::new();
    for _ in 0..possible {
        idle.push(TcpStream::connect(server.address()).unwrap());
    }
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").unwrap();
    assert_eq!(server.get("/healthz").await.status, 200, "others are served meanwhile");
    for stream in idle.iter_mut().take(3).chain([&mut slow]) {
        stream.set_read_timeout(Some(LIMIT + Duration::from_secs(10))).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).ok();
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&rest));
    }
}

#[tokio::test]
async fn a_body_that_dribbles_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let head = format!(
        "PUT {FACET} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{"
    );
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT + LIMIT)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

/// What the server answers to these bytes and nothing after them.
fn whole(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(bytes).ok();
    stream.shutdown(std::net::Shutdown::Write).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    answer
}

#[tokio::test]
async fn bytes_of_any_kind_make_no_server_error() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    add("plc-a", "user", folder.path());
    let put = format!(
        "PUT {FACET}?limit=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YTpi\r\n\
         Origin: http://localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    )
    .into_bytes();
    let change = (0..put.len(), any::<u8>(), prop_oneof![Just(0_usize), Just(1), 1..2_000_usize]);
    let changes = proptest::collection::vec(change, 1..4);
    let mut runner = TestRunner::deterministic();
    for _ in 0..300 {
        let mut bytes = put.clone();
        for (at, byte, times) in changes.new_tree(&mut runner).unwrap().current() {
            let at = at.min(bytes.len());
            let end = (at + 1).min(bytes.len());
            bytes.splice(at..end, std::iter::repeat_n(byte, times));
        }
        let answer = whole(&server, &bytes);
        let status = String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).into_owned();
        assert!(!status.starts_with('5'), "{status} to {:?}", String::from_utf8_lossy(&bytes));
    }
    assert_eq!(server.get("/healthz").await.status, 200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
