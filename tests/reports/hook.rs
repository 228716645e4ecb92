//! The hook of a real adapter, whose roles a scripted endpoint decides.

use std::{fs, path::Path};

use serde_json::json;

use crate::{
    serve,
    support::{
        Server, configuration,
        scripted::{Call, Endpoint, Reply},
        until,
    },
};

/// The settings of a hook that runs this script with `$0` as the folder.
fn hook(folder: &Path, script: &str, limit: &str) -> String {
    let folder = folder.to_str().unwrap();
    format!("[order]\nhook = [\"sh\", \"-c\", '''{script}''', \"{folder}\"]\nhook_timeout = \"{limit}\"\n")
}

fn lines(folder: &Path) -> Vec<String> {
    fs::read_to_string(folder.join("told")).unwrap_or_default().lines().map(str::to_owned).collect()
}

async fn until_line(folder: &Path, line: &str) {
    until(line, async || lines(folder).last().is_some_and(|last| last == line)).await;
}

async fn register(server: &Server, endpoint: &Endpoint, timeout: &str) {
    server.configure(&configuration(&endpoint.base(), "G", timeout)).await;
}

/// Writes a line; the epoch only where there is one.
const TELL: &str = "echo $CLIENT_FAILOVER_ROLE $CLIENT_FAILOVER_MODE $CLIENT_FAILOVER_STARTED \
                    $CLIENT_FAILOVER_COLLECTING $CLIENT_FAILOVER_BUFFERING $CLIENT_FAILOVER_EGRESS \
                    $CLIENT_FAILOVER_EPOCH >> $0/told";

#[tokio::test]
async fn the_hook_is_told_each_change_once_in_order_and_the_stop_as_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::native().await;
    let answers = |role: &str, epoch: u64| Reply::Json(200, json!({ "Role": role, "Epoch": epoch }));
    endpoint.answer(Call::Heartbeat, answers("Secondary", 6));
    let mut server =
        serve(folder.path(), &hook(folder.path(), TELL, "10s"), &["--endpoint-loss", "step-down"]);
    until_line(folder.path(), "None None true true false true").await;
    register(&server, &endpoint, "00:00:01").await;
    until_line(folder.path(), "Secondary Hot true true true false").await;
    endpoint.answer(Call::Heartbeat, answers("Primary", 7));
    until_line(folder.path(), "Primary Hot true true false true 7").await;
    endpoint.until_more(Call::Heartbeat, 8).await;
    endpoint.answer(Call::Heartbeat, answers("Secondary", 8));
    until("it is Secondary", async || {
        lines(folder.path()).last().is_some_and(|line| line.starts_with("Secondary"))
    })
    .await;
    endpoint.answer(Call::Heartbeat, answers("Primary", 9));
    until_line(folder.path(), "Primary Hot true true false true 9").await;
    assert!(server.terminate().success());
    let told: Vec<_> = lines(folder.path())
        .iter()
        .map(|line| line.split(' ').take(6).collect::<Vec<_>>().join(" "))
        .collect();
    let (acts, stands_by) = ("Primary Hot true true false true", "Secondary Hot true true true false");
    assert_eq!(told, ["None None true true false true", stands_by, acts, stands_by, acts, stands_by]);
}

#[tokio::test]
async fn the_hook_can_ask_the_adapter_that_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let script = "curl -s --noproxy '*' $CLIENT_FAILOVER_URL/api/v1/diagnostics/Order > $0/told";
    let server = serve(folder.path(), &hook(folder.path(), script, "10s"), &[]);
    until("it has asked", async || !lines(folder.path()).is_empty()).await;
    assert!(
        lines(folder.path())[0].starts_with("{\"Started\":true"),
        "{:?} {}",
        lines(folder.path()),
        server.log()
    );
}

#[tokio::test]
async fn a_hook_that_hangs_is_killed_past_its_limit_and_the_next_change_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::native().await;
    let script = format!("{TELL}; exec sleep 600");
    let server = serve(folder.path(), &hook(folder.path(), &script, "300ms"), &[]);
    register(&server, &endpoint, "00:00:10").await;
    until("the hook was told Primary", async || {
        lines(folder.path()).last().is_some_and(|line| line.starts_with("Primary"))
    })
    .await;
    assert_eq!(lines(folder.path()).len(), 3, "{:?}", lines(folder.path()));
    until("each run was killed", async || {
        server.log().matches(": it took longer than 300ms and was killed").count() == 3
    })
    .await;
}

#[tokio::test]
async fn a_hook_that_hangs_keeps_no_heartbeat_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::native().await;
    let script = format!("{TELL}; test $CLIENT_FAILOVER_ROLE = Primary && exec sleep 600");
    let server =
        serve(folder.path(), &hook(folder.path(), &script, "60s"), &["--endpoint-loss", "step-down"]);
    register(&server, &endpoint, "00:00:02").await;
    until("the hook hangs", async || {
        lines(folder.path()).last().is_some_and(|line| line.starts_with("Primary"))
    })
    .await;
    // The lease would end four times meanwhile.
    endpoint.until_more(Call::Heartbeat, 16).await;
    assert!(endpoint.heartbeats().iter().rev().take(15).all(|beat| beat["AppliedRole"] == "Primary"));
    assert_eq!(server.rows("SteppedDown", "LeaseExpired").await.len(), 0);
}

#[tokio::test]
async fn the_seat_is_given_back_once_the_hook_has_been_told_to_stop_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::native().await;
    // It takes as long to stop as the test wants.
    let script = format!(
        "{TELL}; test $CLIENT_FAILOVER_ROLE = Secondary && test -e $0/acted && \
         while test ! -e $0/stopped; do sleep 0.05; done; true"
    );
    let server =
        serve(folder.path(), &hook(folder.path(), &script, "60s"), &["--endpoint-loss", "step-down"]);
    register(&server, &endpoint, "00:00:20").await;
    until("it acts", async || lines(folder.path()).last().is_some_and(|line| line.starts_with("Primary")))
        .await;
    fs::write(folder.path().join("acted"), "").unwrap();
    endpoint.answer_role("Secondary");
    let acting = lines(folder.path()).len();
    until("it is told to stop", async || lines(folder.path()).len() > acting).await;
    let said = |beats: Vec<serde_json::Value>| beats.last().unwrap()["AppliedRole"].clone();
    endpoint.until_more(Call::Heartbeat, 1).await;
    assert_eq!(said(endpoint.heartbeats()), "Primary", "something may still act");
    assert_eq!(server.role().await, "Secondary");
    fs::write(folder.path().join("stopped"), "").unwrap();
    until("it says that it has stopped", async || said(endpoint.heartbeats()) == "Secondary").await;
}
