//! A plant: one endpoint and some adapters as real processes on loopback, a network between them that can be
//! broken one way, collectors that write to a sink while they are permitted, and a judge of what they wrote.
//!
//! Everything here blocks: a test is one thread that does one thing after the other to the plant. Shared by
//! the tests and the benches.

#![allow(dead_code, unreachable_pub, reason = "each user is a crate that uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

pub mod calm;
pub mod control;
pub mod faults;
pub mod http;
pub mod judge;
pub mod link;
pub mod process;
pub mod random;
pub mod sink;
pub mod writer;

use std::{thread, time::Duration};

use client_failover::{
    clock,
    domain::{Uptime, format_span},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
};

use crate::support::{FACET, FAILOVER, LIMIT};
use control::Control;
use http::{Reply, ask};
use judge::{Verdict, judge};
use link::{Link, Ways};
use process::Process;
use sink::{Sink, Write};
use writer::{Place, Writer};

/// The group of every plant.
pub const GROUP: &str = "Line-1";

/// The endpoint's base path.
pub const BASE: &str = "/api/v1/clientfailover";

/// How often a collector writes.
pub const PACE: Duration = Duration::from_millis(5);

/// How much of its logs, and of what adapters said, a failure shows.
const LAST_LINES: usize = 100;
const LAST_SAID: usize = 20;

/// How a plant is built.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many adapters there are.
    pub members: usize,
    /// The group's FailoverTimeout.
    pub timeout: Duration,
    /// How often a collector writes.
    pub pace: Duration,
    /// What the processes log.
    pub log: &'static str,
    /// Variables of all processes' environment.
    pub environment: Vec<(&'static str, String)>,
    /// Whether data folders are in memory, where there is such a file system: a disk that others keep busy
    /// can hold up a write for half a minute, and says nothing about us. No test here cuts the power.
    pub in_memory: bool,
    /// Whether adapters reach the endpoint without their links, which then hear nothing.
    pub direct: bool,
    /// A folder for the endpoint's data other than one of its own.
    pub endpoint_data: Option<std::path::PathBuf>,
}

impl Plan {
    /// A pair with this FailoverTimeout.
    pub fn pair(timeout: Duration) -> Self {
        let log = "client_failover=debug";
        Self {
            members: 2,
            timeout,
            pace: PACE,
            log,
            environment: Vec::new(),
            in_memory: true,
            direct: false,
            endpoint_data: None,
        }
    }
}

/// A plant at work. Its processes are killed when it is dropped.
pub struct Plant {
    /// What it was built like.
    pub plan: Plan,
    /// The endpoint.
    pub endpoint: Process,
    /// The adapters; at first the first of them is Primary.
    pub members: Vec<Member>,
    /// What was written.
    pub sink: Sink,
    /// Knows when the machine stood still.
    pub control: Control,
    endpoint_place: watch::Sender<String>,
    _net: Runtime,
    _folders: Vec<TempDir>,
}

/// An adapter, its collector, and its link to the endpoint.
pub struct Member {
    /// The adapter's process.
    pub process: Process,
    /// Its way to the endpoint.
    pub link: Link,
    /// Its session at the endpoint.
    pub session: String,
    place: Place,
    _writer: Writer,
}

impl Member {
    /// What the adapter shows of itself.
    pub fn diagnostics(&self) -> Value {
        ask(&self.process.address(), "GET", FAILOVER, "").unwrap().body
    }

    /// Starts the adapter again, on a port of its own.
    pub fn start(&mut self) {
        let run = self.place.lock().unwrap().1 + 1;
        self.link.begin_run(run);
        self.process.start();
        *self.place.lock().unwrap() = (self.process.address(), run);
    }
}

impl Plant {
    /// Builds one and waits until the first member acts and all others are Secondary.
    pub fn start(plan: Plan) -> Self {
        let net = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut folders = Vec::new();
        let mut folder = || {
            let memory = plan.in_memory.then(|| tempfile::tempdir_in("/dev/shm").ok()).flatten();
            let folder = memory.unwrap_or_else(|| tempfile::tempdir().unwrap());
            let path = folder.path().join("data");
            folders.push(folder);
            path
        };
        let data = plan.endpoint_data.clone().unwrap_or_else(&mut folder);
        let endpoint = Process::begin("endpoint", data, &plan, &[]);
        let endpoint_place = watch::Sender::new(endpoint.address());
        let sink = Sink::default();
        let members = (0..plan.members).map(|member| {
            let process = Process::begin("serve", folder(), &plan, &["--endpoint-loss", "step-down"]);
            let link = Link::open(&net, endpoint_place.subscribe());
            let place = Place::new((process.address(), 0).into());
            let writer = Writer::start(member, Place::clone(&place), sink.clone(), plan.pace);
            Member { process, link, session: String::new(), place, _writer: writer }
        });
        let members = members.collect();
        let control = Control::start();
        let mut plant =
            Self { plan, endpoint, members, sink, control, endpoint_place, _net: net, _folders: folders };
        for member in 0..plant.members.len() {
            plant.configure(member);
            if member == 0 {
                plant.until_acts(0, 0);
            } else {
                plant.until_told(member, "ToldSecondary");
            }
            let shown = plant.members[member].diagnostics();
            plant.members[member].session = shown["SessionId"].as_str().unwrap().to_owned();
        }
        plant
    }

    fn configure(&self, member: usize) {
        let member = &self.members[member];
        let endpoint = if self.plan.direct { self.endpoint.address() } else { member.link.address.clone() };
        let configuration = json!({
            "FailoverGroupId": GROUP, "Mode": "Hot", "FailoverTimeout": format_span(self.plan.timeout),
            "Endpoint": format!("http://{endpoint}{BASE}"),
        });
        let reply = ask(&member.process.address(), "PUT", FACET, &configuration.to_string()).unwrap();
        assert_eq!(reply.status, 204, "{reply:?}");
    }

    /// T.
    pub fn timeout(&self) -> Duration {
        self.plan.timeout
    }

    /// Starts the endpoint again, on a port of its own; the links lead there from now on.
    pub fn start_endpoint(&mut self) {
        self.endpoint.start();
        self.endpoint_place.send_replace(self.endpoint.address());
    }

    /// Asks the endpoint for something below its base, directly.
    pub fn ask_endpoint(&self, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        ask(&self.endpoint.address(), method, &format!("{BASE}/{path}"), &body).unwrap()
    }

    /// Forces a role, as an operator does.
    pub fn override_role(&self, member: usize, value: &str) -> Reply {
        let path = format!("groups/{GROUP}/clientsessions/{}/roleoverride", self.members[member].session);
        self.ask_endpoint("POST", &path, &json!({ "Value": value }))
    }

    /// Reports how the source of a member does, as its collector would.
    pub fn report(&self, member: usize, status: &str) -> Reply {
        let report = json!({ "StreamCount": 100, "DeviceStatus": status, "TimeToLive": "01:00:00" });
        let path = "/api/v1/diagnostics/Components/source";
        ask(&self.members[member].process.address(), "PUT", path, &report.to_string()).unwrap()
    }

    /// Takes a member's session away, as an operator does.
    pub fn delete_session(&self, member: usize) -> Reply {
        let path = format!("groups/{GROUP}/clientsessions/{}", self.members[member].session);
        self.ask_endpoint("DELETE", &path, &Value::Null)
    }

    /// Breaks or heals a link.
    pub fn set_link(&self, member: usize, ways: Ways) {
        self.members[member].link.set(ways);
    }

    /// Who acts, by the next write.
    pub fn acts(&self) -> Write {
        self.until_write("somebody acts", self.sink.len(), |_| true)
    }

    /// Waits until whatever permission there was is over, and nobody acts.
    pub fn until_nobody_acts(&self) {
        self.until("nobody acts", || {
            self.sink.last().is_none_or(|last| last.deadline <= clock::now().uptime)
        });
    }

    /// Waits until this member has written after the first `from` writes; gives its first such write.
    pub fn until_acts(&self, from: usize, member: usize) -> Write {
        self.until_write(&format!("member {member} acts"), from, |write| write.member == member)
    }

    /// Waits for a write after the first `from` ones.
    pub fn until_write(&self, what: &str, from: usize, condition: impl Fn(&Write) -> bool) -> Write {
        let mut found = None;
        self.until(what, || {
            found = self.sink.find(from, &condition);
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until an adapter shows this reason for its role.
    pub fn until_told(&self, member: usize, reason: &str) -> Value {
        let mut shown = Value::Null;
        self.until(&format!("member {member} shows {reason}"), || {
            shown = self.members[member].diagnostics();
            shown["Reason"] == reason
        });
        shown
    }

    /// Waits until this moment of uptime, and lets the plant work.
    pub fn until_moment(&self, moment: Uptime) {
        self.until("time passes", || clock::now().uptime >= moment);
    }

    /// The same for a long time.
    pub fn until_long(&self, moment: Uptime) {
        while clock::now().uptime < moment {
            self.until_moment(moment.min(clock::now().uptime + LIMIT / 2));
        }
    }

    /// Waits for a condition, and fails with the whole story when it takes too long.
    pub fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let limit = LIMIT + self.plan.timeout * 2;
        let deadline = clock::now().uptime + limit;
        while !condition() {
            if clock::now().uptime >= deadline {
                panic!("{what}: not within {limit:?}\n{}", self.story());
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// What the judge says about everything so far; gaps from `least` on.
    pub fn verdict(&self, least: Duration) -> Verdict {
        let said: Vec<_> = self.members.iter().map(|member| member.link.said()).collect();
        judge(&self.sink.from(0), &said, least)
    }

    /// Fails if there was a gap of this length, or a violation. What the machine itself stood still is no gap.
    pub fn assert_unbroken(&self, least: Duration) {
        let found = self.verdict(least);
        found.assert_sound();
        for gap in &found.gaps {
            let still = self.control.late_in(gap.before.at, gap.after.at);
            assert!(gap.length() < least + still, "{gap:?}, {still:?} of it still\n{}", self.story());
        }
    }

    /// The ends of all logs, and of what the adapters said.
    pub fn story(&self) -> String {
        let members = self.members.iter().enumerate();
        let logs = members.map(|(number, member)| {
            let said = member.link.said();
            let said = &said[said.len().saturating_sub(LAST_SAID)..];
            (format!("member {number}, {}, said {said:?}", member.session), member.process.log())
        });
        let logs = logs.chain([("endpoint".to_owned(), self.endpoint.log())]);
        let ends = logs.map(|(who, log)| {
            let lines: Vec<_> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
            format!("== {who}\n{end}\n")
        });
        ends.collect()
    }

    /// Sends a signal to a member's adapter.
    pub fn signal(&self, member: usize, signal: Signal) {
        self.members[member].process.signal(signal);
    }
}
