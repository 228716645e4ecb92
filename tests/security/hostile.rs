//! Input that means harm: it is refused, and the server goes on.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use serde_json::json;

use crate::{
    guarded::{PASSWORD, add, add_all, answer},
    sink::Sink,
    support::{FACET, LIMIT, STATE, Server, client, configuration, until},
};

/// What a server answers to these bytes before it closes, or at once after its first answer.
pub fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // It may have refused before everything was sent.
    stream.write_all(bytes).ok();
    let mut answer = Vec::new();
    stream.take(64).read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
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

/// Waits until the server has ended a connection, and gives what it had said before.
fn until_cut_off(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it is still open: {error}"),
    }
    said
}

#[tokio::test]
async fn who_opens_connections_and_is_silent_keeps_nobody_out_and_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    // One source has three quarters of all places, and the server needs files for other things.
    let (allowed, needed) = (files_allowed(), IDLE / 3 * 4 + 500);
    assert!(allowed >= needed, "this test needs {needed} open files, and may have {allowed}: see ulimit -Hn");
    let server = Server::serve(folder.path(), &[]);
    let mut idle: Vec<TcpStream> = Vec::new();
    for _ in 0..IDLE {
        idle.push(TcpStream::connect(server.address()).unwrap());
    }
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").unwrap();
    assert_eq!(server.get("/healthz").await.status, 200, "others are served meanwhile");
    for stream in idle.iter_mut().chain([&mut slow]) {
        let said = until_cut_off(stream);
        assert!(!said.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&said));
    }
}

/// How many connections ended without an answer for this reason, as the server counts them.
async fn unheard(server: &Server, reason: &str) -> String {
    let sample = format!("client_failover_http_connections_refused_total{{reason=\"{reason}\"}} ");
    let told = server.get("/metrics").await.body;
    told.lines().find_map(|line| line.strip_prefix(&sample)).unwrap_or_default().to_owned()
}

/// Waits until the log warns of this, with from where.
async fn until_warned(server: &Server, what: &str, of: &str) {
    let all = ["WARN", what, "from=127.0.0.1", of];
    until(&format!("a warning: {what} {of}"), async || {
        server.log().lines().any(|line| all.iter().all(|part| line.contains(part)))
    })
    .await;
}

#[tokio::test]
async fn who_goes_beyond_a_limit_is_counted_and_logged_with_who_and_from_where() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    let _silent = TcpStream::connect(server.address()).unwrap();
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").unwrap();
    // Answers that fill every buffer, to who takes none.
    let mut deaf = TcpStream::connect(server.address()).unwrap();
    deaf.set_nonblocking(true).unwrap();
    let page = b"GET /page/page.css HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2_000);
    assert!(deaf.write(&page).unwrap() > 0);
    raw(&server, b"\x16\x03\x01\x02\0");
    raw(
        &server,
        format!("GET {STATE} HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(40_000)).as_bytes(),
    );
    let large = server.send(reqwest::Method::PUT, FACET, Some(&" ".repeat(1024 * 1024 + 1))).await;
    assert_eq!(large.status, 413);
    let groups = "/api/v1/clientfailover/groups";
    let large = server.send(reqwest::Method::POST, groups, Some(&" ".repeat(1024 * 1024 + 1))).await;
    assert_eq!(large.status, 413);
    assert_eq!(server.get(&format!("/{}", "a".repeat(20_000))).await.status, 414);
    until("the slow one is cut off", async || unheard(&server, "SlowHead").await == "1").await;
    until("and so is the silent one", async || unheard(&server, "Silent").await == "1").await;
    until("and so is the deaf one", async || unheard(&server, "NotTaken").await == "1").await;
    assert_eq!(unheard(&server, "Malformed").await, "2");
    for (what, of) in [
        ("a connection was ended: what it sent is no HTTP, or its head is too large", ""),
        ("a connection was ended: the head of a request was not complete in time", ""),
        ("a connection was ended: nothing was said on it", ""),
        ("a connection was ended: an answer was not taken in time", ""),
        ("a request was refused: BadChange", "PUT /api/v1/configuration/system/clientfailover"),
        ("a request was refused: it goes beyond a limit", "POST /api/v1/clientfailover/groups"),
        ("a request was refused: it goes beyond a limit", "GET another path"),
    ] {
        until_warned(&server, what, of).await;
    }
}

#[tokio::test]
async fn a_connection_on_which_nobody_was_let_in_rests_a_minute_and_one_of_a_user_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let server = Server::serve(folder.path(), &[]);
    let login = STANDARD.encode(format!("user:{PASSWORD}"));
    let ask = |stream: &mut TcpStream, path: &str, login: &str| {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {login}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        // The rest of the answer has come when nothing follows for a moment.
        stream.set_read_timeout(Some(PAUSE)).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap_err();
        String::from_utf8_lossy(&answer[9..]).into_owned()
    };
    let open = || TcpStream::connect(server.address()).unwrap();
    let (mut knocks, mut guesses, mut works) = (open(), open(), open());
    let wrong = STANDARD.encode("user:wrong");
    assert_eq!(ask(&mut works, STATE, &login), "200");
    assert_eq!(
        (ask(&mut knocks, "/healthz", &login), ask(&mut guesses, STATE, &wrong)),
        ("200".into(), "401".into())
    );
    for stream in [&mut knocks, &mut guesses] {
        stream.set_read_timeout(Some(4 * LIMIT)).unwrap();
        assert_eq!(stream.read(&mut [0; 64]).unwrap(), 0, "it is ended");
    }
    assert_eq!(ask(&mut works, STATE, &login), "200");
}

#[tokio::test]
async fn who_hangs_up_at_the_gate_is_refused_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let server = Server::serve(folder.path(), &[]);
    // `user:wrong`; that it is wrong is known some time after the connection is gone.
    let head = "POST /egress/d/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic dXNlcjp3cm9uZw==\r\n";
    // Where the end of the connection comes together with the request, nothing is begun.
    until("a request that is begun", async || {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(format!("{head}Content-Length: 0\r\n\r\n").as_bytes()).unwrap();
        drop(stream);
        server.log().contains("a login was refused")
    })
    .await;
    until_warned(&server, "a login was refused", "user=user").await;
}

#[tokio::test]
async fn what_strangers_write_makes_no_long_line_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let server = Server::serve(folder.path(), &[]);
    let long = "A".repeat(20_000);
    for (request, status) in [
        (format!("{long} {STATE} HTTP/1.1\r\nHost: localhost\r\n\r\n"), "401"),
        (format!("GET {STATE} HTTP/1.1\r\nHost: {long}\r\n\r\n"), "403"),
        (format!("GET {STATE} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://{long}\r\n\r\n"), "403"),
        (format!("GET {STATE} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: {long}\r\n\r\n"), "403"),
    ] {
        let answered = raw(&server, request.as_bytes());
        assert!(answered.starts_with(&format!("HTTP/1.1 {status}")), "{answered:?}");
    }
    until_warned(&server, "a request without a login was refused", "another method").await;
    let longest = server.log().lines().map(str::len).max().unwrap();
    assert!(longest < 1_000, "{longest}");
}

#[tokio::test]
async fn who_has_no_login_or_sends_too_many_heartbeats_is_logged_with_who_and_from_where() {
    let folder = tempfile::tempdir().unwrap();
    add_all(folder.path());
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    assert_eq!(server.get(STATE).await.status, 401);
    let groups = format!("{}/api/v1/clientfailover/groups", server.url);
    // One for all: to make many takes longer than a connection waits for its first request.
    let client = client();
    let post = async |path: &str, body: &str| {
        let request = client.post(format!("{groups}{path}")).basic_auth("user", Some(PASSWORD));
        answer(request.header("content-type", "application/json").body(body.to_owned())).await.status
    };
    assert_eq!(post("", r#"{"Id": "G", "FailoverTimeout": "01:00:00"}"#).await, 201);
    assert_eq!(post("", r#"{"Id": "G", "FailoverTimeout": "02:00:00"}"#).await, 409);
    assert_eq!(post("", "[]").await, 400);
    assert_eq!(post("/other/clientsessions", r#"{"Id": "a"}"#).await, 404);
    for path in [format!("{groups}/other"), format!("{}/nowhere", server.url)] {
        assert_eq!(answer(client.get(path).basic_auth("user", Some(PASSWORD))).await.status, 404);
    }
    for id in ["a", "b"] {
        assert_eq!(post("/G/clientsessions", &format!(r#"{{"Id": "{id}"}}"#)).await, 201);
    }
    until("it is Primary", async || {
        post("/G/clientsessions/a/heartbeat", r#"{"FailoverScore": 100}"#).await == 200
    })
    .await;
    let beat = || post("/G/clientsessions/b/heartbeat", r#"{"FailoverScore": 1}"#);
    until("it is told to wait", async || {
        futures_util::future::join_all((0..100).map(|_| beat())).await.into_iter().any(|status| status == 429)
    })
    .await;
    for (what, of) in [
        ("a request without a login was refused", "GET /api/v1/diagnostics/failoverstate"),
        ("a request was refused: it cannot be carried out", "status=409"),
        ("a request was refused: it cannot be carried out", "status=400"),
        (
            "a request was refused: it cannot be carried out",
            "asked=\"POST /api/v1/clientfailover/groups/{group}/clientsessions\" status=404",
        ),
        ("a request was refused: it cannot be carried out", "asked=\"GET another path\" status=404"),
        ("a request was refused: it goes beyond a limit", "user=\"user\""),
    ] {
        until_warned(&server, what, of).await;
    }
    let only_looked = "asked=\"GET /api/v1/clientfailover/groups/{group}\"";
    assert!(!server.log().contains(only_looked), "who only looks is refused nothing");
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

/// How long an answer to bytes that are no whole request, perhaps, is waited for before they are said to be all.
const PAUSE: Duration = Duration::from_millis(200);

/// What the server answers to these bytes and nothing after them. What `is_whole` ends the connection by itself.
fn all_of_it(server: &Server, bytes: &[u8], is_whole: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // It may have refused before everything was sent.
    stream.write_all(bytes).ok();
    stream.set_read_timeout(Some(PAUSE)).unwrap();
    if !is_whole {
        // Either it answers now, or it waits for more.
        stream.peek(&mut [0]).ok();
        stream.shutdown(std::net::Shutdown::Write).ok();
    }
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    assert!(!is_whole || read.is_ok(), "{read:?}");
    answer
}

/// A request that is right, as an administrator sends it.
fn right(method: &str, path: &str, body: &str) -> Vec<u8> {
    let login = STANDARD.encode(format!("plc-a:{PASSWORD}"));
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Basic {login}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A request to each interface: what is in its paths and bodies is there.
fn right_of_every_kind() -> Vec<Vec<u8>> {
    let (groups, session) =
        ("/api/v1/clientfailover/groups", "/api/v1/clientfailover/groups/G/clientsessions/S");
    vec![
        right("PATCH", FACET, r#"{"Name": "a"}"#),
        right("POST", groups, r#"{"Id": "G", "FailoverTimeout": "00:01:00"}"#),
        right("POST", &format!("{groups}/G/clientsessions"), r#"{"Id": "S"}"#),
        right("POST", &format!("{session}/heartbeat"), r#"{"FailoverScore": 100}"#),
        right("POST", &format!("{session}/roleoverride"), r#"{"Value": "Primary"}"#),
        right("GET", &format!("{groups}/G/history?kind=Promoted&limit=1&cursor=9"), ""),
        right("GET", "/api/v1/management/audit?from=2026-01-31T08:00:00Z&kind=Group&limit=1", ""),
        right("PUT", "/api/v1/management/secrets/plc", r#"{"Value": "v", "Origins": ["https://h"]}"#),
        right("PUT", "/api/v1/configuration/Egress/DataEndpoints/e", r#"{"Endpoint": "http://127.0.0.1:9"}"#),
        right(
            "PUT",
            "/api/v1/diagnostics/Components/C",
            r#"{"DeviceStatus": "Good", "TimeToLive": "01:00:00"}"#,
        ),
        right("POST", "/egress/d/data?x=y", "some data"),
        right("GET", "/egress/d/%64ata;a=b/../c", ""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_any_kind_make_no_server_error() {
    let folder = tempfile::tempdir().unwrap();
    add("plc-a", "administrator", folder.path());
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    let sink = Sink::start().await;
    for request in [
        right(
            "PUT",
            FACET,
            &configuration(&format!("{}/api/v1/clientfailover", server.url), "P", "01:00:00").to_string(),
        ),
        right(
            "PUT",
            "/api/v1/configuration/Egress/DataEndpoints",
            &json!([{ "Id": "d", "Endpoint": sink.origin() }]).to_string(),
        ),
    ] {
        let answer = all_of_it(&server, &request, true);
        assert!(answer.starts_with(b"HTTP/1.1 204"), "{}", String::from_utf8_lossy(&answer));
    }
    until("the gate knows its destination", async || {
        let asked = all_of_it(&server, &right("GET", "/egress/d/x", ""), true);
        asked.starts_with(b"HTTP/1.1 200")
    })
    .await;
    let templates = right_of_every_kind();
    let change =
        (any::<prop::sample::Index>(), any::<u8>(), prop_oneof![Just(0_usize), Just(1), 1..2_000_usize]);
    let changes = (0..templates.len(), proptest::collection::vec(change, 0..4));
    let mut runner = TestRunner::deterministic();
    let (mut inside, mut done) = (vec![0; templates.len()], 0);
    for _ in 0..800 {
        let (which, changes) = changes.new_tree(&mut runner).unwrap().current();
        let mut bytes = templates[which].clone();
        for (at, byte, times) in changes {
            let at = at.index(bytes.len());
            bytes.splice(at..at + 1, std::iter::repeat_n(byte, times));
        }
        let answer = all_of_it(&server, &bytes, bytes == templates[which]);
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.get(9..12).unwrap_or_default();
        // The gate may have nobody to send to, or not be the one to send, and says so.
        let not_now = (status == "503" || status == "502") && which + 2 >= templates.len();
        assert!(!status.starts_with('5') || not_now, "{answer} to {:?}", String::from_utf8_lossy(&bytes));
        // What the door let in has an answer of its own interface.
        inside[which] += u32::from(!matches!(status, "" | "401" | "403" | "408" | "429" | "431"));
        done += u32::from(status.starts_with('2'));
    }
    assert!(
        inside.iter().all(|times| *times > 5) && done > 100,
        "most stopped at the door: {inside:?}, {done}"
    );
    assert_eq!(server.get("/healthz").await.status, 200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
