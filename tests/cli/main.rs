//! The command itself: what it sends, what it shows, and how it ends.

#[path = "../support/mod.rs"]
mod support;

mod groups;

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use support::{LIMIT, port::Port};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const CONFIGURATION: &str = r#"[{"Id":"a/b","FailoverGroupId":"G","Name":null,"Password":"masked"}]"#;

/// What a run of the command left behind.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the command, with words separated by spaces, in an environment without our variables.
fn run(words: &str) -> io::Result<Ran> {
    run_with(words, "", &[])
}

fn run_with(words: &str, input: &str, variables: &[(&str, &str)]) -> io::Result<Ran> {
    run_words(&words.split(' ').collect::<Vec<_>>(), input, variables)
}

fn run_words(words: &[&str], input: &str, variables: &[(&str, &str)]) -> io::Result<Ran> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_client-failover"));
    for name in ["URL", "ENDPOINT", "CONFIG", "LISTEN", "DATA_DIR", "LOG", "LOG_FORMAT"] {
        command.env_remove(format!("CLIENT_FAILOVER_{name}"));
    }
    let mut child = command
        .args(words)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that refuses its arguments reads nothing.
        drop(stdin.write_all(input.as_bytes()));
    }
    let output = child.wait_with_output()?;
    Ok(Ran {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// A request as the server got it.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    line: String,
    body: String,
}

/// A server that gives one answer to each request, in order, and remembers the requests.
struct Server {
    url: String,
    requests: Receiver<Request>,
}

impl Server {
    fn answering(answers: Vec<(u16, String)>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let (heard, requests) = mpsc::channel();
        thread::spawn(move || -> io::Result<()> {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept()?;
                let request = read_request(&stream)?;
                // The test may have seen enough.
                drop(heard.send(request));
                write!(
                    stream,
                    "HTTP/1.1 {status} -\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                )?;
            }
            Ok(())
        });
        Ok(Self { url, requests })
    }

    fn one(status: u16, body: &str) -> io::Result<Self> {
        Self::answering(vec![(status, body.to_owned())])
    }

    /// The requests so far, without the protocol's version.
    fn heard(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }
}

fn read_request(stream: &TcpStream) -> io::Result<Request> {
    stream.set_read_timeout(Some(LIMIT))?;
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        lines.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    lines.read_exact(&mut body)?;
    let line = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
    Ok(Request { line, body: String::from_utf8_lossy(&body).into_owned() })
}

#[test]
fn each_command_sends_its_request() -> Outcome {
    let path = "/api/v1/configuration/System/ClientFailover";
    for (words, line) in [
        ("get", format!("GET {path}")),
        ("get ClientFailover --id a/b", format!("GET {path}/a%2Fb")),
        ("get failoverstate", "GET /api/v1/diagnostics/FailoverState".to_owned()),
        ("get failover", "GET /api/v1/diagnostics/Failover".to_owned()),
        ("get order", "GET /api/v1/diagnostics/Order".to_owned()),
        ("get Components", "GET /api/v1/diagnostics/Components".to_owned()),
        ("set --file -", format!("PUT {path}")),
        ("set clientfailover --id x --file -", format!("PUT {path}/x")),
        ("add --file -", format!("POST {path}")),
        ("edit --id x --file -", format!("PATCH {path}/x")),
        ("remove", format!("DELETE {path}")),
        ("remove clientfailover --id x", format!("DELETE {path}/x")),
    ] {
        let server = Server::one(200, "{}")?;
        let ran = run_with(&format!("{words} --url {}", server.url), "{\"Mode\":\"Hot\"}", &[])?;
        assert_eq!(ran.code, Some(0), "{words}: {ran:?}");
        let body = if words.contains("--file") { "{\"Mode\":\"Hot\"}" } else { "" };
        assert_eq!(server.heard(), [Request { line, body: body.to_owned() }], "{words}");
    }
    Ok(())
}

#[test]
fn edit_without_an_id_changes_the_configuration_there_is() -> Outcome {
    let server = Server::answering(vec![(200, CONFIGURATION.to_owned()), (204, String::new())])?;
    let ran = run_with(&format!("edit --file - --output table --url {}", server.url), "{}", &[])?;
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "The client failover configuration is changed.\n"));
    let lines: Vec<_> = server.heard().into_iter().map(|request| request.line).collect();
    let path = "/api/v1/configuration/System/ClientFailover";
    assert_eq!(lines, [format!("GET {path}"), format!("PATCH {path}/a%2Fb")]);

    let server = Server::one(200, "[]")?;
    let ran = run_with(&format!("edit --file - --url {}", server.url), "{}", &[])?;
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("Reason:      Client failover is not configured.\n"), "{}", ran.err);
    Ok(())
}

#[test]
fn json_is_what_the_server_wrote_and_a_table_is_for_people() -> Outcome {
    let server = Server::answering(vec![(200, CONFIGURATION.to_owned()), (200, CONFIGURATION.to_owned())])?;
    let ran = run(&format!("get --url {}", server.url))?;
    assert_eq!(ran.out, format!("{CONFIGURATION}\n"));
    let ran = run(&format!("get --output table --url {}", server.url))?;
    assert_eq!(
        ran.out,
        "Id               a/b\nFailoverGroupId  G\nName             -\nPassword         (set)\n"
    );
    Ok(())
}

#[test]
fn components_and_destinations_are_a_line_each_and_an_order_a_member_a_line() -> Outcome {
    let destination = r#"{"Id":"metrics","Waiting":2,"WaitingBytes":300,"SettledUntil":null,"Acknowledged":7,"Refused":0,"Proved":0,"Dropped":0,"Outage":"it is down"}"#;
    let component = r#"{"Id":"PLC","Source":"Report","StreamCount":3,"DeviceStatus":"Good","CountsAs":"DeviceInError","Heard":"08:00","Explanation":"late"}"#;
    let order = r#"{"Role":"Primary","Egress":true,"LeaseRemaining":null,"Started":true}"#;
    for (words, answer, shown) in [
        (
            "get components",
            format!("[{component}]"),
            "ID   STREAMCOUNT  COUNTSAS       HEARD  EXPLANATION\nPLC  3            DeviceInError  08:00  late\n",
        ),
        ("get components", "[]".to_owned(), "Nothing is reported.\n"),
        (
            "get egress",
            format!("[{destination}]"),
            "ID       WAITING  WAITINGBYTES  ACKNOWLEDGED  REFUSED  PROVED  DROPPED  OUTAGE\n\
             metrics  2        300           7             0        0       0        it is down\n",
        ),
        ("get egress", "[]".to_owned(), "No data endpoint is configured.\n"),
        (
            "get order",
            order.to_owned(),
            "Started         true\nEgress          true\nRole            Primary\nLeaseRemaining  -\n",
        ),
    ] {
        let server = Server::one(200, &answer)?;
        let ran = run(&format!("{words} --output table --url {}", server.url))?;
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), shown), "{words}");
    }
    Ok(())
}

#[test]
fn history_is_shown_page_by_page_or_whole() -> Outcome {
    let item = |time: &str| {
        format!(
            r#"{{"Time":"{time}","Kind":"Promoted","Role":"Primary","Mode":"Hot","Explanation":"Because of {time}."}}"#
        )
    };
    let first = format!(r#"{{"Items":[{}],"NextCursor":"a&b"}}"#, item("09:00"));
    let last = format!(r#"{{"Items":[{}],"NextCursor":null}}"#, item("08:00"));

    let server = Server::answering(vec![(200, first.clone()), (200, last.clone())])?;
    let ran = run(&format!("history --all --kind Promoted --url {}", server.url))?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out, format!("{{\"Items\":[{},{}],\"NextCursor\":null}}\n", item("09:00"), item("08:00")));
    let lines: Vec<_> = server.heard().into_iter().map(|request| request.line).collect();
    let path = "GET /api/v1/diagnostics/FailoverHistory?kind=Promoted";
    assert_eq!(lines, [path.to_owned(), format!("{path}&cursor=a%26b")]);

    let server = Server::answering(vec![(200, first.clone())])?;
    let ran = run(&format!("history --limit 1 --output table --url {}", server.url))?;
    assert_eq!(
        ran.out,
        "TIME   KIND      ROLE     MODE  EXPLANATION\n09:00  Promoted  Primary  Hot   Because of 09:00.\n"
    );
    assert!(ran.err.contains("--all"), "{}", ran.err);

    let server = Server::answering(vec![(200, first.clone()), (200, first)])?;
    assert_eq!(run(&format!("history --all --url {}", server.url))?.code, Some(1), "a page follows itself");
    Ok(())
}

#[test]
fn a_refusal_is_three_lines_and_ends_with_1() -> Outcome {
    let refusal =
        r#"{"Error":"1 fault was found.","Reason":"Mode is \u001b[31mtepid.","Resolution":"Use Hot."}"#;
    let server = Server::one(400, refusal)?;
    let ran = run_with(&format!("set --file - --url {}", server.url), "{}", &[])?;
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.out, "");
    assert_eq!(
        ran.err,
        "Error:       1 fault was found.\nReason:      Mode is \u{fffd}[31mtepid.\nResolution:  Use Hot.\n"
    );

    for (status, body, reason) in
        [(502, "<html>", "It is 502"), (302, "", "It is 302"), (200, "no JSON", "It is of another shape")]
    {
        let server = Server::one(status, body)?;
        let ran = run(&format!("get --output table --url {}", server.url))?;
        assert_eq!(ran.code, Some(1), "{status}");
        assert!(ran.err.contains(&format!("Reason:      {reason}")), "{}", ran.err);
        assert_eq!(ran.err.lines().count(), 3, "{}", ran.err);
    }
    Ok(())
}

#[test]
fn a_server_that_is_not_reached_ends_with_3() -> Outcome {
    let nobody = Port::hold();
    let url = format!("http://{}", nobody.address);
    // The variable names the server; a machine without certificates can still ask over http.
    let nowhere = ("SSL_CERT_FILE", "/nowhere");
    let ran = run_with("get", "", &[("CLIENT_FAILOVER_URL", &url), nowhere, ("SSL_CERT_DIR", "/nowhere")])?;
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.err.starts_with(&format!("Error:       {url}/ was not reached.\nReason:      ")),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("refused"), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 3);
    Ok(())
}

#[test]
fn wrong_usage_and_wrong_settings_end_with_2() -> Outcome {
    for words in ["", "start", "set", "get role", "serve --listen localhost", "history --all --limit 3"] {
        let ran = run(words)?;
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{words}");
        assert!(!ran.err.is_empty());
    }
    let mut file = tempfile::NamedTempFile::new()?;
    writeln!(file, "# ours\nhistory_days = 0\nlisten = \"127.0.0.1:x\"")?;
    let name = file.path().display();
    let ran = run(&format!("serve --config {name}"))?;
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.starts_with(&format!("{name}, line 2: history_days: `0` is not ")), "{}", ran.err);
    assert!(ran.err.contains(&format!("{name}, line 3: listen: `127.0.0.1:x` is not ")), "{}", ran.err);

    let ran = run_with("endpoint", "", &[("CLIENT_FAILOVER_LISTEN", "5591")])?;
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.starts_with("CLIENT_FAILOVER_LISTEN: `5591` is not an IP address"), "{}", ran.err);

    let ran = run_with("endpoint", "", &[("CLIENT_FAILOVER_LOG", "sqlx=loud")])?;
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.starts_with("CLIENT_FAILOVER_LOG is neither a level"), "{}", ran.err);
    Ok(())
}

#[test]
fn a_file_that_cannot_be_read_ends_with_1() -> Outcome {
    let ran = run("set --file /nowhere/a.json")?;
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.starts_with("Error:       /nowhere/a.json cannot be read: "), "{}", ran.err);
    Ok(())
}

#[test]
fn help_and_version_end_with_0() -> Outcome {
    for words in [
        "--help",
        "serve --help",
        "endpoint --help",
        "history --help",
        "override --help",
        "why --help",
        "--version",
    ] {
        let ran = run(words)?;
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{words}");
    }
    Ok(())
}
