//! One endpoint and some adapters, each with a collector that is heard.

use std::{fs, path::Path, thread, time::Duration};

use client_failover::{clock, domain::format_span};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    ear::{Ear, Run},
    plant::{BASE, GROUP, Plan, http::ask, process::Process},
    support::{FACET, FAILOVER, HISTORY, LIMIT, STATE},
};

/// The collector of the tests.
const COLLECTOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/collector/collector.sh");

/// An adapter whose collector is heard.
pub struct Adapter {
    pub process: Process,
    pub ear: Ear,
    _folder: TempDir,
}

impl Adapter {
    /// Starts one; its collector knows no failover until it is configured.
    pub fn start(mischief: &str, settings: &[(&'static str, &str)]) -> Self {
        let (ear, folder) = (Ear::open(), folder());
        let mut environment = vec![
            ("EAR", ear.port()),
            ("MISCHIEF", mischief.to_owned()),
            ("CLIENT_FAILOVER_COLLECTOR_STOP_TIMEOUT", "200ms".to_owned()),
            ("CLIENT_FAILOVER_COLLECTOR_COMMAND", format!("['{COLLECTOR}']")),
        ];
        environment.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let plan = Plan { environment, ..Plan::pair(Duration::from_secs(1)) };
        let process =
            Process::begin("serve", folder.path().join("data"), &plan, &["--endpoint-loss", "step-down"]);
        Self { process, ear, _folder: folder }
    }

    /// PUTs a configuration.
    pub fn configure(&self, endpoint: &Process, mode: &str, timeout: Duration) {
        let configuration = json!({
            "FailoverGroupId": GROUP, "Mode": mode, "FailoverTimeout": format_span(timeout),
            "Endpoint": format!("http://{}{BASE}", endpoint.address()),
        });
        let reply = ask(&self.process.address(), "PUT", FACET, &configuration.to_string()).unwrap();
        assert_eq!(reply.status, 204, "{reply:?}");
    }

    /// What the adapter shows of itself.
    pub fn diagnostics(&self) -> Value {
        ask(&self.process.address(), "GET", FAILOVER, "").unwrap().body
    }

    /// Its score, as FailoverState shows it.
    pub fn score(&self) -> String {
        let state = ask(&self.process.address(), "GET", STATE, "").unwrap().body;
        state["FailoverStatus"].as_str().unwrap().to_owned()
    }

    /// Waits until the adapter shows this.
    pub fn until_shows(&self, member: &str, value: &str) -> Value {
        let mut shown = Value::Null;
        self.until(&format!("{member} is {value}"), || {
            shown = self.diagnostics();
            shown[member] == value
        });
        shown
    }

    /// Its rows about the collector, oldest first: reason and explanation.
    fn told(&self) -> Vec<(String, String)> {
        let path = format!("{HISTORY}?kind=Collector&limit=1000");
        let page = ask(&self.process.address(), "GET", &path, "").unwrap().body;
        let text = |row: &Value, member: &str| row[member].as_str().unwrap().to_owned();
        let rows = page["Items"].as_array().unwrap().iter().rev();
        rows.map(|row| (text(row, "Reason"), text(row, "Explanation"))).collect()
    }

    /// The reasons of its rows about the collector, oldest first.
    pub fn rows(&self) -> Vec<String> {
        self.told().into_iter().map(|(reason, _)| reason).collect()
    }

    /// What the first row about the collector with this reason says.
    pub fn explanation(&self, reason: &str) -> String {
        self.told().into_iter().find(|(of, _)| of == reason).unwrap().1
    }

    /// Waits until its history has a row about the collector with this reason.
    pub fn until_row(&self, reason: &str) {
        self.until(&format!("a row {reason}"), || self.rows().iter().any(|row| row == reason));
    }

    /// Waits for a run of the collector that fulfils a condition.
    pub fn until_run(&self, what: &str, condition: impl Fn(&Run) -> bool) -> Run {
        let mut found = None;
        self.until(what, || {
            found = self.ear.runs().into_iter().find(|run| condition(run));
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until the newest run acts, and is heard.
    pub fn until_acts(&self) -> Run {
        self.until_run("a collector acts", |run| {
            run.acts() && run.ended.is_none() && run.value("role") == "Primary"
        })
    }

    /// Waits until nothing is left of this run.
    pub fn until_ended(&self, run: &Run) -> Run {
        self.until_run("the collector has ended", |known| known.pid == run.pid && known.ended.is_some())
    }

    /// Waits for a condition, and fails with the story when it takes too long.
    pub fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = clock::now().uptime + LIMIT;
        while !condition() {
            assert!(
                clock::now().uptime < deadline,
                "{what}: not within {LIMIT:?}\n{:#?}\n{}",
                self.ear.runs(),
                self.process.log()
            );
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A pair of adapters with their endpoint; the first acts, the second stands by.
pub struct Pair {
    pub endpoint: Process,
    pub first: Adapter,
    pub second: Adapter,
    _folder: TempDir,
}

impl Pair {
    pub fn start(mode: &str, timeout: Duration, mischief: &str, settings: &[(&'static str, &str)]) -> Self {
        let folder = folder();
        let endpoint = endpoint(folder.path(), timeout);
        let [first, second] = [(); 2].map(|()| Adapter::start(mischief, settings));
        first.configure(&endpoint, mode, timeout);
        first.until_shows("Role", "Primary");
        second.configure(&endpoint, mode, timeout);
        second.until_shows("Reason", "ToldSecondary");
        Self { endpoint, first, second, _folder: folder }
    }

    /// An operator makes the second Primary.
    pub fn override_second(&self) {
        let shown = self.second.diagnostics();
        let session = shown["SessionId"].as_str().unwrap();
        let path = format!("{BASE}/groups/{GROUP}/clientsessions/{session}/roleoverride");
        let reply = ask(&self.endpoint.address(), "POST", &path, r#"{"Value": "Primary"}"#).unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

/// An endpoint with its data in this folder.
pub fn endpoint(folder: &Path, timeout: Duration) -> Process {
    Process::begin("endpoint", folder.join("data"), &Plan::pair(timeout), &[])
}

fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The guard of a run: the parent of its process.
pub fn guard_of(run: &Run) -> Pid {
    let stat = fs::read_to_string(format!("/proc/{}/stat", run.pid)).unwrap();
    let parent = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap();
    let name = fs::read(format!("/proc/{parent}/cmdline")).unwrap();
    assert!(String::from_utf8_lossy(&name).contains("guard"), "{}", String::from_utf8_lossy(&name));
    Pid::from_raw(parent).unwrap()
}

/// Sends a signal to a guard.
pub fn signal(guard: Pid, signal: Signal) {
    kill_process(guard, signal).unwrap();
}
