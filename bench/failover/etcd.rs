//! The peer: etcd's own election and lock, as its command line offers them.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use client_failover::{clock, domain::Uptime};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use crate::{figures::Times, plant::http::ask};

/// How long anything of the peer's may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How often the command under the lock writes.
const PACE: Duration = Duration::from_millis(5);

/// How long a candidate waits in its queue before it is its turn. etcd catches up with new watchers every
/// 100 ms; a hand-over right after the candidate came would measure that.
const SETTLED: Duration = Duration::from_millis(200);

/// How long such a command lives at the most, whoever forgets it.
const LONGEST_LIFE: Duration = Duration::from_secs(120);

/// The argument that makes this program such a command.
pub const WRITER: &str = "--write-as-etcd-does";

/// Writes until nobody reads any more.
pub fn write_lines() {
    let end = clock::now().uptime + LONGEST_LIFE;
    let mut out = std::io::stdout();
    let pid = std::process::id();
    while clock::now().uptime < end {
        if writeln!(out, "{pid}").and_then(|()| out.flush()).is_err() {
            return;
        }
        thread::sleep(PACE);
    }
}

/// An etcd of one member on loopback.
pub struct Etcd {
    child: Child,
    address: String,
    _data: TempDir,
}

impl Etcd {
    /// Starts it; `None`, loudly, where it is not installed.
    pub fn start() -> Option<Self> {
        for program in ["etcd", "etcdctl"] {
            if Command::new(program)
                .arg("--help")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_err()
            {
                println!(
                    "SKIPPED: {program} is not installed (Debian: etcd-server, etcd-client; no peer figures)"
                );
                return None;
            }
        }
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let (address, peers, data) = (free(), free(), tempfile::tempdir().unwrap());
        let child = Command::new("etcd")
            .args(["--name", "peer", "--log-level", "error", "--data-dir"])
            .arg(data.path())
            .args(["--listen-client-urls", &format!("http://{address}")])
            .args(["--advertise-client-urls", &format!("http://{address}")])
            .args(["--listen-peer-urls", &format!("http://{peers}")])
            .args(["--initial-advertise-peer-urls", &format!("http://{peers}")])
            .args(["--initial-cluster", &format!("peer=http://{peers}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let etcd = Self { child, address, _data: data };
        wait("etcd answers", || {
            ask(&etcd.address, "GET", "/health", "").is_ok_and(|reply| reply.status == 200)
        });
        Some(etcd)
    }

    fn ctl(&self, arguments: &[&str]) -> Watched {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").arg(format!("--endpoints=http://{}", self.address)).args(arguments);
        Watched::start(command)
    }

    /// How many wait for or have the election or lock of this name.
    fn queue(&self, name: &str) -> u64 {
        let (key, end) = (STANDARD.encode(format!("{name}/")), STANDARD.encode(format!("{name}0")));
        let body = json!({ "key": key, "range_end": end, "count_only": true }).to_string();
        let reply = ask(&self.address, "POST", "/v3/kv/range", &body).unwrap();
        reply.body["count"].as_str().and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A process whose lines are kept, with the moment at which each was read.
struct Watched {
    child: Child,
    lines: Arc<Mutex<Vec<(Uptime, String)>>>,
}

impl Watched {
    fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines: Arc<Mutex<Vec<_>>> = Arc::default();
        let (out, kept) = (BufReader::new(child.stdout.take().unwrap()), Arc::clone(&lines));
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                kept.lock().unwrap().push((clock::now().uptime, line));
            }
        });
        Self { child, lines }
    }

    /// The first line after this moment.
    fn since(&self, moment: Uptime) -> Option<(Uptime, String)> {
        self.lines.lock().unwrap().iter().find(|(at, _)| *at > moment).cloned()
    }

    fn until_line(&self, moment: Uptime) -> (Uptime, String) {
        let mut found = None;
        wait("etcdctl prints", || {
            found = self.since(moment);
            found.is_some()
        });
        found.unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it, and the command under its lock, which outlives it.
    fn end(mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        let writer = self.lines.lock().unwrap().first().and_then(|(_, pid)| pid.parse().ok());
        if let Some(pid) = writer.and_then(Pid::from_raw) {
            kill_process(pid, Signal::KILL).ok();
        }
    }
}

fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let end = clock::now().uptime + LIMIT;
    while !condition() {
        assert!(clock::now().uptime < end, "{what}: not within {LIMIT:?}");
        thread::sleep(Duration::from_micros(500));
    }
}

/// Planned hand-overs of `etcdctl elect`: from SIGTERM of the leader until the other prints that it leads.
pub fn elections(etcd: &Etcd, name: &str, count: usize, limit: Duration) -> Times {
    let end = clock::now().uptime + limit;
    let candidate = || etcd.ctl(&["elect", name, "value"]);
    let mut leader = candidate();
    leader.until_line(Uptime::default());
    let mut times = Times::default();
    while times.len() < count && clock::now().uptime < end {
        let next = candidate();
        wait("the next is in the queue", || etcd.queue(name) == 2);
        thread::sleep(SETTLED);
        let begun = clock::now().uptime;
        leader.signal(Signal::TERM);
        times.push(next.until_line(begun).0.since(begun));
        leader.child.wait().unwrap();
        leader = next;
    }
    leader.end();
    times
}

fn locked(etcd: &Etcd, name: &str, ttl: u64) -> Watched {
    let writer = std::env::current_exe().unwrap();
    etcd.ctl(&["lock", &format!("--ttl={ttl}"), name, "--", writer.to_str().unwrap(), WRITER])
}

/// Sudden deaths under `etcdctl lock`: from SIGKILL of the holder until the other's command writes.
pub fn deaths(etcd: &Etcd, ttl: u64, count: usize) -> Times {
    let mut times = Times::default();
    for number in 0..count {
        let name = format!("death-{ttl}-{number}");
        let holder = locked(etcd, &name, ttl);
        holder.until_line(Uptime::default());
        let next = locked(etcd, &name, ttl);
        wait("the next is in the queue", || etcd.queue(&name) == 2);
        let begun = clock::now().uptime;
        holder.signal(Signal::KILL);
        times.push(next.until_line(begun).0.since(begun));
        holder.end();
        next.end();
    }
    times
}

/// What SIGSTOP of `etcdctl lock` alone leads to.
pub struct Frozen {
    /// From SIGSTOP until a second command writes.
    pub second_after: Duration,
    /// How long both wrote while it was frozen.
    pub both_frozen: Duration,
    /// How long both wrote after it went on.
    pub both_thawed: Duration,
}

/// Freezes the holder for a while and thaws it.
pub fn freeze(etcd: &Etcd, ttl: u64, watch: Duration) -> Frozen {
    let name = format!("freeze-{ttl}");
    let holder = locked(etcd, &name, ttl);
    holder.until_line(Uptime::default());
    let next = locked(etcd, &name, ttl);
    wait("the next is in the queue", || etcd.queue(&name) == 2);
    let frozen = clock::now().uptime;
    holder.signal(Signal::STOP);
    let second = next.until_line(frozen).0;
    let newest = |watched: &Watched| watched.lines.lock().unwrap().last().map_or(second, |(at, _)| *at);
    wait("both are watched", || clock::now().uptime.since(second) > watch);
    let both_frozen = newest(&holder).min(newest(&next)).since(second);
    let thawed = clock::now().uptime;
    holder.signal(Signal::CONT);
    wait("both are watched", || clock::now().uptime.since(thawed) > watch);
    let both_thawed = newest(&holder).min(newest(&next)).since(thawed);
    holder.end();
    next.end();
    Frozen { second_after: second.since(frozen), both_frozen, both_thawed }
}
