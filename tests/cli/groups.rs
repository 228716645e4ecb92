//! The commands that ask a failover endpoint, against a real one.

use std::time::Duration;

use client_failover::clock;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    Outcome, Ran, run, run_words,
    support::{Server, port::Port},
};

const GROUPS: &str = "/api/v1/clientfailover/groups";

/// An endpoint as a process, with its folder.
struct Plant {
    server: Server,
    _folder: tempfile::TempDir,
}

impl Plant {
    fn start() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        Ok(Self { server: Server::endpoint(folder.path(), &[]), _folder: folder })
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let answer =
            self.server.send(Method::POST, &format!("{GROUPS}{path}"), Some(&body.to_string())).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    async fn group(&self, id: &str, timeout: &str) {
        self.post("", &json!({"Id": id, "FailoverTimeout": timeout})).await;
    }

    async fn member(&self, group: &str, id: &str, name: &str) {
        self.post(&format!("/{group}/clientsessions"), &json!({"Id": id, "Name": name})).await;
    }

    async fn beat(&self, group: &str, id: &str, sequence: u64, score: u8, acting: bool) -> Value {
        let beat = json!({
            "FailoverScore": score, "Incarnation": id, "BootId": "b", "Sequence": sequence, "Answered": sequence - 1,
            "AppliedRole": if acting { "Primary" } else { "Secondary" }, "AppliedFor": "00:00:00",
        });
        self.post(&format!("/{group}/clientsessions/{id}/heartbeat"), &beat).await
    }

    /// Runs the command against it, as a person sees it.
    fn ask(&self, words: &[&str]) -> std::io::Result<Ran> {
        let more = ["--output", "table", "--endpoint", &self.server.url];
        run_words(&[words, &more].concat(), "", &[("USER", "shift")])
    }

    /// A group in which `b` took over from `a` when `a` stopped.
    async fn handed_over(&self) {
        self.group("Line 1", "00:01:00").await;
        self.member("Line%201", "a", "a").await;
        self.member("Line%201", "b", "Adapter South").await;
        assert_eq!(self.beat("Line%201", "a", 1, 100, false).await["Role"], 1);
        self.beat("Line%201", "a", 2, 100, true).await;
        self.beat("Line%201", "b", 1, 75, false).await;
        self.beat("Line%201", "a", 3, 0, false).await;
        assert_eq!(self.beat("Line%201", "b", 2, 75, false).await["Role"], 1);
        self.beat("Line%201", "b", 3, 75, true).await;
    }
}

/// Digits of times, epochs and spans as `0`, so that one run reads like another.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    for line in text.lines() {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for at in 0..words.len() {
            let time = words[at].contains(':') && words[at].starts_with(|c: char| c.is_ascii_digit());
            let epoch = at > 0 && words[at - 1] == "epoch";
            let span = words.get(at + 1).is_some_and(|unit| unit.starts_with("ms") || unit == "s");
            if time || epoch || span {
                words[at] = words[at].replace(|c: char| c.is_ascii_digit(), "0");
            }
        }
        let line = words.join(" ").replace("heard just now", "heard 0.0 s ago");
        masked.push_str(line.trim_end());
        masked.push('\n');
    }
    masked
}

/// Spans of one digit and more as one digit.
fn short(text: &str) -> String {
    let mut text = masked(text);
    while text.contains("00.0 ") {
        text = text.replace("00.0 ", "0.0 ");
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn why_tells_a_hand_over_with_its_heartbeats_scores_and_receipt() -> Outcome {
    let plant = Plant::start()?;
    plant.handed_over().await;
    let ran = plant.ask(&["why", "--group", "Line 1"])?;
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("why", short(&ran.out)));

    let one = plant.ask(&["why", "--group", "Line 1", "--limit", "1"])?;
    assert!(one.out.contains("b (Adapter South) acts as Primary, epoch "), "{}", one.out);
    assert!(one.err.contains("--limit"), "{}", one.err);
    let json = run_words(&["why", "--group", "Line 1", "--endpoint", &plant.server.url], "", &[])?;
    let served = plant.server.get(&format!("{GROUPS}/Line%201/history?limit=10")).await.body;
    assert_eq!(json.out.trim_end(), served, "JSON is what the server wrote");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_sessions_show_who_is_primary_who_is_heard_and_what_is_forced() -> Outcome {
    let plant = Plant::start()?;
    assert_eq!(plant.ask(&["groups"])?.out, "There is no failover group.\n");
    plant.handed_over().await;
    plant.group("Empty", "00:00:10").await;
    plant.member("Line%201", "c", "c").await;
    let status = plant.server.get(&format!("{GROUPS}/Line%201/status")).await.json();
    let ran = plant.ask(&["groups"])?;
    let epoch = status["Epoch"].to_string();
    let dash = "-";
    let lines = format!(
        "GROUP   NAME  TIMEOUT   PRIMARY  PENDING  SESSIONS     OVERRIDE  EPOCH\n\
         Empty   -     00:00:10  -        -        0 of 0 live  -         -\n\
         Line 1  -     00:01:00  b        {dash}        2 of 3 live  {dash}         {epoch}\n"
    );
    assert_eq!((ran.out, ran.err.as_str()), (lines, ""));

    let ran = plant.ask(&["override", "--group", "Line 1", "--session", "b"])?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = plant.ask(&["sessions", "--group", "Line 1"])?;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let shown: Vec<Vec<&str>> = ran
        .out
        .lines()
        .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect())
        .collect();
    assert_eq!(shown[0], ["SESSION", "NAME", "ROLE", "SCORE", "HEARD", "HEARTBEAT", "OVERRIDE"]);
    assert_eq!(shown[1][..4], ["a", "-", "Secondary", "0"]);
    assert_eq!(shown[2][..4], ["b", "Adapter South", "Primary", "75"]);
    assert_eq!(shown[2][6], "Primary, until somebody ends it");
    assert_eq!(shown[3], ["c", "-", "Secondary", "-", "-", "-", "-"]);
    assert!(ran.out.ends_with("\n\na stopped acting; b had the best score, 75.\n"), "{}", ran.out);
    let json = run_words(&["groups", "--endpoint", &plant.server.url], "", &[])?;
    let groups: Value = serde_json::from_str(&json.out)?;
    assert_eq!((&groups[1]["Group"]["Id"], &groups[1]["Status"]["Primary"]), (&json!("Line 1"), &json!("b")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_found_by_a_name_that_it_alone_has() -> Outcome {
    let plant = Plant::start()?;
    plant.handed_over().await;
    let target = ["override", "--group", "Line 1", "--session", "Adapter South"];
    let ran = plant.ask(&target)?;
    assert!(ran.out.starts_with("b is to be Primary, until somebody ends it"), "{ran:?}");
    plant.member("Line%201", "c", "Adapter South").await;
    let ran = plant.ask(&[&target[..], &["--off"]].concat())?;
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("Adapter South is the Name of 2 sessions."), "{}", ran.err);
    assert!(ran.err.contains("Give the Id of one: b, c."), "{}", ran.err);
    plant.member("Line%201", "Adapter South", "d").await;
    let ran = plant.ask(&target)?;
    assert!(ran.out.starts_with("Adapter South is to be Primary"), "an Id comes first: {ran:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_says_until_when_and_the_history_who_asked_and_why() -> Outcome {
    let plant = Plant::start()?;
    plant.handed_over().await;
    let target = ["override", "--group", "Line 1", "--session", "b"];
    let more = ["--for", "08:00:00", "--reason", "patching a"];
    let before = clock::now().wall;
    let ran = plant.ask(&[&target[..], &more].concat())?;
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let until = ran.out.strip_prefix("b is to be Primary, until ").ok_or("it says until when")?;
    let (until, by) = until.split_once(", asked for by ").ok_or("it says who asked")?;
    assert_eq!(by, format!("shift@{host}.\n"));
    let until = client_failover::domain::Wall::parse(until).ok_or("it is a time")?;
    let lasts = until.since(before);
    assert!(
        lasts >= Duration::from_secs(8 * 3_600) && lasts < Duration::from_secs(8 * 3_600 + 60),
        "{lasts:?}"
    );

    let wrong = plant.ask(&["override", "--group", "Line 1", "--session", "a", "--off"])?;
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(1), ""));
    assert!(wrong.err.contains("a has none; the one in force is of b."), "{}", wrong.err);

    let ran = plant.ask(&[&target[..], &["--off", "--by", "night watch", "--reason", "patched"]].concat())?;
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "No role override is in force.\n"));
    let page = plant.server.get(&format!("{GROUPS}/Line%201/history?limit=2")).await.json();
    let said = |at: usize, member: &str| page["Items"][at][member].as_str().map(str::to_owned);
    assert_eq!(said(1, "RequestedBy"), Some(format!("shift@{host}")));
    assert_eq!(
        said(1, "Explanation").as_deref(),
        Some("an operator asks for b, whose score is 75 (patching a)")
    );
    assert_eq!(said(0, "RequestedBy").as_deref(), Some("night watch"));
    assert_eq!(said(0, "Explanation").as_deref(), Some("an operator ended it (patched)"));
    let told = plant.ask(&["why", "--group", "Line 1", "--limit", "2"])?.out;
    assert!(
        told.contains("the role override of b (Adapter South) ended, asked for by night watch\n"),
        "{told}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_of_an_adapter_that_is_away_is_ended_like_any_other() -> Outcome {
    let plant = Plant::start()?;
    plant.group("Line 1", "00:01:00").await;
    plant.member("Line%201", "a", "a").await;
    let target = ["override", "--group", "Line 1", "--session", "a"];
    assert_eq!(plant.ask(&target)?.code, Some(0));
    let session = format!("{GROUPS}/Line%201/clientsessions/a");
    let removed = plant.server.send(Method::DELETE, &session, None).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let ran = plant.ask(&[&target[..], &["--off"]].concat())?;
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "No role override is in force.\n"), "{}", ran.err);
    let ran = plant.ask(&[&target[..], &["--off"]].concat())?;
    assert!(ran.err.starts_with("Error:       The client session is not known."), "{}", ran.err);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_of_who_can_do_nothing_or_is_silent_is_said_loudly() -> Outcome {
    let plant = Plant::start()?;
    plant.handed_over().await;
    let ran = plant.ask(&["override", "--group", "Line 1", "--session", "a"])?;
    assert_eq!(ran.code, Some(0));
    assert_eq!(
        ran.err,
        "WARNING: the score of a is 0: it says that it cannot do its work, and is made Primary all the same.\n"
    );
    plant.member("Line%201", "c", "c").await;
    let ran = plant.ask(&["override", "--group", "Line 1", "--session", "c"])?;
    assert_eq!(
        ran.err,
        "WARNING: c has not been heard since the endpoint started. The override waits for it, and ends when it stays \
         silent for 00:01:00.\n"
    );
    plant.group("Fast", "00:00:00.25").await;
    plant.member("Fast", "a", "a").await;
    plant.beat("Fast", "a", 1, 100, false).await;
    crate::support::until("a is silent for longer than its timeout", async || {
        let status = plant.server.get(&format!("{GROUPS}/Fast/status")).await.json();
        status["Primary"].is_null()
    })
    .await;
    let ran = plant.ask(&["override", "--group", "Fast", "--session", "a", "--for", "01:00:00"])?;
    assert!(ran.err.starts_with("WARNING: a was heard "), "{}", ran.err);
    assert!(ran.err.contains(" s ago, longer than the FailoverTimeout (00:00:00.2500000). "), "{}", ran.err);
    let groups = plant.ask(&["groups"])?;
    assert!(
        groups.err.contains("WARNING: Line 1: A role override asks for c, which is silent."),
        "{}",
        groups.err
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_endpoint_refuses_and_where_none_is_end_like_the_other_commands() -> Outcome {
    let plant = Plant::start()?;
    for words in [
        &["sessions", "--group", "nowhere"][..],
        &["why", "--group", "nowhere"],
        &["override", "--group", "nowhere", "--session", "a"],
    ] {
        let ran = plant.ask(words)?;
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{words:?}");
        assert!(ran.err.starts_with("Error:       The failover group is not known.\nReason:"), "{}", ran.err);
        assert!(ran.err.contains("client-failover groups") && !ran.err.contains("POST"), "{}", ran.err);
        assert_eq!(ran.err.lines().count(), 3);
    }
    plant.group("g", "00:01:00").await;
    let ran = plant.ask(&["override", "--group", "g", "--session", "x", "--off"])?;
    assert!(ran.err.starts_with("Error:       The client session is not known."), "{}", ran.err);
    assert!(ran.err.contains("client-failover sessions") && !ran.err.contains("POST"), "{}", ran.err);
    assert_eq!(plant.ask(&["why", "--group", "g"])?.out, "Nothing happened.\n");
    assert_eq!(plant.ask(&["sessions", "--group", "g"])?.out, "The group has no session.\n");

    let nobody = Port::hold();
    let nowhere = nobody.address;
    let ran = run(&format!("groups --endpoint http://{nowhere}"))?;
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.err.starts_with(&format!("Error:       http://{nowhere}/api/v1/clientfailover was not reached."))
    );
    assert!(ran.err.contains("--endpoint"), "{}", ran.err);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_may_be_named_by_its_whole_base_by_its_address_or_by_the_environment() -> Outcome {
    let plant = Plant::start()?;
    plant.group("premises", "00:01:00").await;
    let cloud = "/api/v1/Tenants/t/Namespaces/n/ClientFailover";
    let body = json!({"Id": "in the cloud", "FailoverTimeout": "00:01:00"}).to_string();
    let created = plant.server.send(Method::POST, &format!("{cloud}/groups"), Some(&body)).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let url = &plant.server.url;
    for (base, group) in [
        (url.clone(), "premises"),
        (format!("{url}/api/v1/clientfailover"), "premises"),
        (format!("{url}{cloud}/"), "in the cloud"),
    ] {
        let ran = run_words(&["groups"], "", &[("CLIENT_FAILOVER_ENDPOINT", &base)])?;
        let groups: Value = serde_json::from_str(&ran.out)?;
        assert_eq!(groups[0]["Group"]["Id"], group, "{base}");
        assert_eq!(groups.as_array().map(Vec::len), Some(1));
    }
    Ok(())
}

#[tokio::test]
async fn a_group_is_deleted_once_nobody_is_in_it() -> Outcome {
    let plant = Plant::start()?;
    plant.group("Line 1", "00:00:00.5").await;
    plant.member("Line%201", "a", "a").await;
    plant.member("Line%201", "never", "never").await;
    plant.beat("Line%201", "a", 1, 100, false).await;
    let refused = plant.ask(&["delete", "--group", "Line 1", "--with-silent"])?;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("sessions that are heard: a."), "{refused:?}");
    let mut refused = plant.ask(&["delete", "--group", "Line 1"])?;
    let deadline = clock::now().uptime + Duration::from_secs(30);
    while refused.err.contains("are heard") && clock::now().uptime < deadline {
        refused = plant.ask(&["delete", "--group", "Line 1"])?;
    }
    assert!(refused.err.contains("sessions that are silent: a, never."), "{refused:?}");
    assert!(refused.err.contains("--with-silent"), "{refused:?}");
    let deleted = plant.ask(&["delete", "--group", "Line 1", "--with-silent"])?;
    assert_eq!((deleted.code, deleted.err.as_str()), (Some(0), ""), "{deleted:?}");
    assert_eq!(deleted.out, "The group \"Line 1\" is deleted; `why` still tells its history.\n");
    assert!(plant.ask(&["groups"])?.out.contains("There is no failover group."));
    let gone = plant.ask(&["delete", "--group", "Line 1"])?;
    assert!(gone.err.contains("The failover group is not known."), "{gone:?}");
    plant.group("empty", "00:01:00").await;
    assert_eq!(plant.ask(&["delete", "--group", "empty"])?.code, Some(0));
    Ok(())
}

#[tokio::test]
async fn whoever_asks_the_wrong_half_is_told_which_one_it_is() -> Outcome {
    let plant = Plant::start()?;
    let folder = tempfile::tempdir()?;
    let adapter = Server::serve(folder.path(), &[]);
    for words in [["get", "failover"], ["get", "clientfailover"], ["history", "--all"]] {
        let said = run_words(&[&words, ["--url", &plant.server.url].as_slice()].concat(), "", &[])?;
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.err.contains("this server is a failover endpoint, and no adapter"), "{said:?}");
        assert!(said.err.contains("Say with --url where the adapter listens"), "{said:?}");
    }
    for words in [["groups"].as_slice(), &["sessions", "--group", "G"], &["why", "--group", "G"]] {
        let said = run_words(&[words, &["--endpoint", &adapter.url]].concat(), "", &[])?;
        assert!(said.err.contains("this server is an adapter, and hosts no failover endpoint"), "{said:?}");
        assert!(said.err.contains("Say with --endpoint where the failover endpoint is"), "{said:?}");
    }
    Ok(())
}

#[tokio::test]
async fn who_cannot_be_reached_by_tls_or_without_a_login_is_told_what_to_do() -> Outcome {
    let folder = tempfile::tempdir()?;
    let program = env!("CARGO_BIN_EXE_client-failover");
    let added =
        format!("echo a long password | {program} user add chief --role administrator --data-dir \"$0\"");
    assert!(std::process::Command::new("sh").args(["-c", &added]).arg(folder.path()).status()?.success());
    let server = Server::endpoint(folder.path(), &["--tls-self-signed"]);
    let (https, http) = (server.url.clone(), server.url.replace("https:", "http:"));
    let authority = folder.path().join("tls-cert.pem").display().to_string();
    let other = tempfile::tempdir()?;
    let in_clear = Server::endpoint(other.path(), &[]);
    let plain = in_clear.url.replace("http:", "https:");
    for (url, more, code, said) in [
        (&https, [].as_slice(), 3, "Name the authority of its certificate with --ca-file"),
        (&http, &[], 3, "If its port speaks TLS, write https in --endpoint"),
        (&https, &["--ca-file", &authority], 1, "Log in with --user NAME: the password is asked for"),
        (&plain, &[], 3, "It speaks no TLS: write http in its address"),
    ] {
        let ran = run_words(&[&["groups", "--endpoint", url], more].concat(), "", &[])?;
        assert_eq!(ran.code, Some(code), "{ran:?}");
        let (_, resolution) = ran.err.split_once("Resolution:").ok_or("there is no resolution")?;
        assert!(resolution.contains(said) && !resolution.contains("client-failover endpoint`"), "{ran:?}");
    }
    for url in ["127.0.0.1:5591", "localhost:5591", "ftp://127.0.0.1:5591"] {
        let ran = run_words(&["groups", "--endpoint", url], "", &[])?;
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains("it does not begin with http:// or https://"), "{ran:?}");
    }
    Ok(())
}
