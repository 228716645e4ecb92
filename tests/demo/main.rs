//! The demo as a user runs it: real processes, what it says, and what it leaves behind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod walked;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use client_failover::clock;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_client-failover");

/// How long anything may take, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(180);

/// A demo under way. It is killed when it is dropped.
struct Demo {
    child: Child,
    words: Option<ChildStdin>,
    said: Arc<Mutex<String>>,
    /// The only place for temporary files that it knows; all of its processes have the variable.
    folder: TempDir,
}

impl Demo {
    /// Starts `command`, whose words are given one by one, and waits until the pair is at work.
    fn start(mut command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        command.env("TMPDIR", folder.path()).env("TERM", "xterm");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let (said, mut out) = (Arc::new(Mutex::new(String::new())), child.stdout.take().unwrap());
        let written = Arc::clone(&said);
        thread::spawn(move || {
            let mut piece = [0; 1024];
            while let Ok(length @ 1..) = out.read(&mut piece) {
                written.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..length]));
            }
        });
        let words = child.stdin.take();
        let demo = Self { child, words, said, folder };
        demo.until("A is Primary. B stands by");
        demo
    }

    fn scripted(arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["demo", "--script", "-"]).args(arguments);
        Self::start(command)
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it has said `text`.
    fn until(&self, text: &str) {
        until(|| self.said().contains(text), || format!("`{text}` is not said: {}", self.said()));
    }

    fn say(&mut self, words: &str) {
        self.words.as_mut().unwrap().write_all(words.as_bytes()).unwrap();
    }

    /// The addresses that it told: of the group's page, and of each adapter's.
    fn addresses(&self) -> Vec<String> {
        let said = self.said();
        let told = said.lines().filter_map(|line| Some(line.split_once("http://")?.1));
        told.map(|address| format!("http://{address}")).collect()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended, with its words at an end.
    fn ended(&mut self) -> ExitStatus {
        self.words = None;
        let mut status = None;
        let child = &mut self.child;
        until(
            || {
                status = child.try_wait().unwrap();
                status.is_some()
            },
            || "the demo does not end".to_owned(),
        );
        status.unwrap()
    }

    /// The processes that it started, at any depth.
    fn processes(&self) -> Vec<String> {
        let place = format!("TMPDIR={}\0", self.folder.path().display());
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            // It may have ended since, or be nobody's business.
            let read = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
            let is_self = entry.file_name().to_str() == Some(&self.child.id().to_string());
            if !is_self && String::from_utf8_lossy(&read("environ")).contains(&place) {
                found.push(String::from_utf8_lossy(&read("cmdline")).replace('\0', " "));
            }
        }
        found
    }

    fn is_gone(&self) {
        until(|| self.processes().is_empty(), || format!("it leaves behind {:?}", self.processes()));
    }

    fn has_no_folder(&self) {
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 0, "its folder is removed");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What is at an address, as a user's curl sees it.
fn get(url: &str) -> String {
    let got =
        Command::new("curl").args(["--silent", "--show-error", "--fail", "--noproxy", "*", url]).output();
    let got = got.unwrap();
    assert!(got.status.success(), "{url}: {}", String::from_utf8_lossy(&got.stderr));
    String::from_utf8(got.stdout).unwrap()
}

fn json(url: &str) -> Value {
    serde_json::from_str(&get(url)).unwrap()
}

fn until(mut condition: impl FnMut() -> bool, otherwise: impl FnOnce() -> String) {
    let limit = clock::now().uptime + LIMIT;
    while !condition() {
        if clock::now().uptime >= limit {
            panic!("{}", otherwise());
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// What was said after `began`, up to the next empty line.
fn part<'a>(said: &'a str, began: &str) -> &'a str {
    let (_, rest) = said.split_once(began).unwrap_or_else(|| panic!("no `{began}` in {said}"));
    rest.split("\n\n").next().unwrap()
}

#[test]
fn each_fault_of_a_hot_pair_has_its_receipt_and_loses_no_sample() {
    let mut demo = Demo::scripted(&["--timeout", "2s"]);
    demo.say("# all of them\nstop\nback\nkill\nback\nfreeze\nback\ncut\nback\nback\nquit\n");
    assert!(demo.ended().success(), "{}", demo.said());
    let said = demo.said();
    for (fault, gap) in [
        ("is stopped gently (SIGTERM)", "nobody acted for"),
        ("is killed (SIGKILL)", "after the last heartbeat of"),
        ("is frozen (SIGSTOP)", "after the last heartbeat of"),
        ("is cut off from the endpoint", "after the last heartbeat of"),
    ] {
        let receipt = part(&said, fault);
        assert!(receipt.contains("\n  why   ") && receipt.contains("\n  gap   "), "{fault}: {receipt}");
        assert!(receipt.contains(gap), "{fault}: {receipt}");
        assert!(receipt.contains("\n  sink  ") && receipt.contains("none is missing"), "{fault}: {receipt}");
    }
    let cut = part(&said, "is cut off from the endpoint");
    assert!(cut.contains("is Secondary: "), "a Hot pair steps down: {cut}");
    assert_eq!(said.matches(" is back: ").count(), 4, "{said}");
    assert!(said.contains("\nNothing is down.\n"), "{said}");
    assert!(part(&said, "The demo is over").contains("none is missing"), "{said}");
    demo.is_gone();
    demo.has_no_folder();
}

#[test]
fn a_warm_pair_that_keeps_its_role_may_lose_samples_and_may_send_twice() {
    let mut demo = Demo::scripted(&["--mode", "warm", "--timeout", "1s", "--endpoint-loss", "keep-role"]);
    demo.say("kill\nkill\nback\ncut\n");
    assert!(demo.ended().success(), "{}", demo.said());
    let said = demo.said();
    assert!(part(&said, "A is killed (SIGKILL)").contains("missing"), "{said}");
    assert!(!part(&said, "A is killed (SIGKILL)").contains("none is missing"), "{said}");
    assert!(part(&said, "B is killed (SIGKILL)").contains("nobody can take over"), "{said}");
    let cut = part(&said, "is cut off from the endpoint");
    assert!(
        cut.contains("sent side by side") && cut.contains("goes on as Primary without the endpoint"),
        "{cut}"
    );
}

#[test]
fn a_cold_standby_starts_its_collector_when_it_takes_over() {
    let mut demo = Demo::scripted(&["--mode", "Cold", "--timeout", "1s"]);
    demo.say("kill\nback\nstop\n");
    assert!(demo.ended().success(), "{}", demo.said());
    let said = demo.said();
    assert!(said.contains("has no collector running"), "{said}");
    for fault in ["A is killed (SIGKILL)", "B is stopped gently"] {
        assert!(part(&said, fault).contains("\n  sink  "), "{said}");
    }
}

#[test]
fn whatever_ends_the_demo_ends_all_of_its_processes() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        let demo = &mut Demo::scripted(&[]);
        // The endpoint, two adapters, and for each a guard and a collector.
        until(|| demo.processes().len() == 7, || format!("{:?}", demo.processes()));
        demo.signal(signal);
        assert_eq!(demo.ended().success(), signal != Signal::KILL);
        demo.is_gone();
        if signal != Signal::KILL {
            demo.has_no_folder();
        }
    }
}

#[test]
fn two_at_once_tell_where_their_pages_are_and_each_shows_a_pair_of_its_own() {
    let mut demos = [Demo::scripted(&[]), Demo::scripted(&[])];
    let mut told = Vec::new();
    for demo in &demos {
        let addresses = demo.addresses();
        let [group, a, b] = &addresses[..] else { panic!("{addresses:?}") };
        let (endpoint, group) = group.split_once("/#groups/").unwrap();
        for page in [&format!("{endpoint}/"), a, b] {
            assert!(get(page).contains("<script type=\"module\""), "{page}");
        }
        let member = |of: &Value| of["SessionId"].as_str().unwrap().to_owned();
        let status = json(&format!("{endpoint}/api/v1/clientfailover/groups/{group}/status"));
        let members: Vec<_> = status["Members"].as_array().unwrap().iter().map(member).collect();
        let adapters = [a, b].map(|adapter| member(&json(&format!("{adapter}api/v1/diagnostics/Failover"))));
        assert_eq!(members, adapters, "{status}");
        told.extend([endpoint.to_owned(), a.clone(), b.clone()]);
    }
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 6, "each has its own: {told:?}");
    for demo in &mut demos {
        demo.say("quit\n");
        assert!(demo.ended().success());
        demo.is_gone();
        demo.has_no_folder();
    }
}

#[test]
fn one_that_is_told_to_stop_while_it_waits_for_a_hand_over_does_so_at_once() {
    let mut demo = Demo::scripted(&["--timeout", "1h"]);
    demo.say("freeze\n");
    demo.until("A is frozen");
    demo.signal(Signal::TERM);
    assert!(demo.ended().success());
    demo.is_gone();
    demo.has_no_folder();
}

#[test]
fn on_a_terminal_keys_do_it_and_the_bottom_follows() {
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{PROGRAM} demo"), "/dev/null"]);
    let mut demo = Demo::start(command);
    demo.until("k kill");
    demo.until("A Primary");
    demo.say("s");
    demo.until("  sink  ");
    demo.until("A stopped");
    // A key that is pressed before the demo is ready for the next is forgotten.
    until(
        || {
            demo.say("b");
            demo.said().contains("A is back")
        },
        || "A is not brought back".to_owned(),
    );
    demo.say("q");
    demo.until("The demo is over");
    assert!(demo.ended().success());
    demo.is_gone();
    demo.has_no_folder();
}

#[test]
fn a_terminal_that_is_closed_ends_the_demo() {
    let mut command = Command::new("script");
    command.args(["-qec", &format!("exec {PROGRAM} demo"), "/dev/null"]);
    let mut demo = Demo::start(command);
    demo.signal(Signal::KILL);
    demo.ended();
    demo.is_gone();
    demo.has_no_folder();
}

#[test]
fn what_cannot_be_played_is_said() {
    let run = |arguments: &[&str], script: &str| {
        let mut command = Command::new(PROGRAM);
        command
            .arg("demo")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Who reads no words may be gone already.
        child.stdin.take().unwrap().write_all(script.as_bytes()).ok();
        let output = child.wait_with_output().unwrap();
        let said: Vec<_> = BufReader::new(&output.stderr[..]).lines().map(Result::unwrap).collect();
        (output.status.code(), said.join("\n"))
    };
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script").to_str().unwrap().to_owned();
    fs::write(&script, "kill\nkil\n").unwrap();
    for (arguments, words, said) in [
        (&["--script", &script][..], "", "line 2 of the script is `kil`"),
        (&[][..], "", "standard input is no terminal"),
        (&["--script", "/nowhere/script"], "", "/nowhere/script"),
        (&["--mode", "None"], "", "Hot, Warm or Cold"),
        (&["--timeout", "100ms"], "", "between 250ms and 24h"),
        (&["--endpoint-loss", "never"], "", "auto, step-down or keep-role"),
        (&["--script", "-"], "kil\n", "line 1 of the script is `kil`"),
    ] {
        let (code, error) = run(arguments, words);
        assert_eq!(code, Some(2), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}
