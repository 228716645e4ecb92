//! A collector that does not run, or not for long.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    time::Duration,
};

use rustix::process::{Pid, Signal};

use crate::site::{Adapter, endpoint, signal};

const QUICK: [(&str, &str); 2] =
    [("CLIENT_FAILOVER_COLLECTOR_RESTART_BACKOFF", "10ms"), ("CLIENT_FAILOVER_COLLECTOR_RESTART_LIMIT", "2")];

#[test]
fn a_collector_that_ends_is_started_again() {
    let adapter = Adapter::start("", &QUICK);
    let run = adapter.until_run("it runs", |_| true);
    signal(Pid::from_raw(i32::try_from(run.pid).unwrap()).unwrap(), Signal::KILL);
    let next = adapter.until_run("the next", |next| next.pid != run.pid);
    assert!(adapter.until_ended(&run).ended.unwrap() <= next.first);
    adapter.until("its start is told", || adapter.rows() == ["Started", "Exited", "Started"]);
}

#[test]
fn a_collector_that_cannot_be_run_is_not_told_as_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, mode: u32, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let gone = folder.path().join("gone").to_str().unwrap().to_owned();
    for (program, why) in [
        ("no-such-collector".to_owned(), "there is no program no-such-collector in PATH"),
        (gone, "there is no file "),
        (file("plain", 0o644, "#!/bin/sh\n"), "may not be executed: Permission denied"),
        (file("orphan", 0o755, "#!/no/such/interpreter\n"), "the interpreter in its first line"),
    ] {
        let command = format!("['{program}']");
        let adapter =
            Adapter::start("", &[QUICK[0], QUICK[1], ("CLIENT_FAILOVER_COLLECTOR_COMMAND", &command)]);
        adapter.until_row("Ceded");
        assert_eq!(adapter.rows(), ["StartFailed", "StartFailed", "StartFailed", "Ceded"], "{program}");
        let said = adapter.explanation("StartFailed");
        assert!(said.starts_with("the collector could not be started: ") && said.contains(why), "{said}");
    }
}

#[test]
fn a_collector_whose_folder_or_user_is_not_there_is_not_told_as_started() {
    for (setting, value, why) in [
        (
            "CLIENT_FAILOVER_COLLECTOR_WORKING_DIR",
            "/no/such/folder",
            "its folder /no/such/folder cannot be entered",
        ),
        ("CLIENT_FAILOVER_COLLECTOR_USER", "no-such-user", "there is no user no-such-user"),
    ] {
        let adapter = Adapter::start("", &[QUICK[0], QUICK[1], (setting, value)]);
        adapter.until_row("Ceded");
        assert_eq!(adapter.rows(), ["StartFailed", "StartFailed", "StartFailed", "Ceded"], "{setting}");
        let said = adapter.explanation("StartFailed");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn what_a_collector_leaves_behind_when_it_ends_is_ended_too() {
    let adapter = Adapter::start("deaf forks", &QUICK);
    let run = adapter.until_run("it has forked", |run| run.speakers.len() > 1);
    signal(Pid::from_raw(i32::try_from(run.pid).unwrap()).unwrap(), Signal::KILL);
    adapter.until_ended(&run);
}

#[test]
fn a_collector_that_cannot_act_cedes_the_role_to_another() {
    let timeout = Duration::from_secs(20);
    let folder = tempfile::tempdir().unwrap();
    let endpoint = endpoint(folder.path(), timeout);
    let failing = Adapter::start("fails", &QUICK);
    failing.configure(&endpoint, "Warm", timeout);
    failing.until_shows("AdapterState", "Faulted");
    assert_eq!(failing.score(), "0");
    failing.until_row("Ceded");
    let other = Adapter::start("", &QUICK);
    other.configure(&endpoint, "Warm", timeout);
    other.until_acts();
    failing.until_shows("Role", "Secondary");
    let shown = failing.diagnostics();
    assert_eq!(shown["AdapterState"], "Faulted", "who ceded does not want the role back: {shown}");
}
