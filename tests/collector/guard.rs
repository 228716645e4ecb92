//! A guard by itself: what it does is told by what its agent says, and by nothing else.

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader, Write},
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt, net::UnixStream, process::CommandExt},
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use client_failover::clock;
use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::support::{LIMIT, PROGRAM};

/// Nobody.
const NOBODY: u32 = 65534;

/// A guard, spoken to as its agent does.
struct Guard {
    process: Child,
    says: UnixStream,
    news: BufReader<UnixStream>,
}

impl Guard {
    fn start(program: &Path, user: Option<u32>, lock: &Path, collector: &[&str]) -> Self {
        let (ours, guards) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(LIMIT)).unwrap();
        let mut command = Command::new(program);
        command.args(["guard", "--stop-signal", "SIGTERM", "--lock"]).arg(lock).arg("--").args(collector);
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let process = command.stdin(OwnedFd::from(guards)).stdout(Stdio::null()).spawn().unwrap();
        let news = BufReader::new(ours.try_clone().unwrap());
        Self { process, says: ours, news }
    }

    fn hears(&mut self, word: &str) {
        writeln!(self.says, "{word}").unwrap();
    }

    /// The next thing it says.
    fn says(&mut self) -> String {
        let mut line = String::new();
        self.news.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

#[test]
fn a_guard_stays_at_its_post_where_it_may_not_signal_its_collector() {
    if !geteuid().is_root() {
        eprintln!("SKIP: only root can make a program that runs as another user");
        return;
    }
    // Whatever leads to where this was built, nobody else may be let in there.
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let (program, collector) = (folder.path().join("client-failover"), folder.path().join("as-root"));
    // It becomes root whole, as a set-uid program may, so that nobody else may signal it.
    for (from, to, mode) in
        [(Path::new(PROGRAM), &program, 0o755), (Path::new("/usr/bin/setpriv"), &collector, 0o4755)]
    {
        fs::copy(from, to).unwrap();
        fs::set_permissions(to, Permissions::from_mode(mode)).unwrap();
    }
    let mut guard = Guard::start(
        &program,
        Some(NOBODY),
        &folder.path().join("guard.lock"),
        &[collector.to_str().unwrap(), "--reuid=0", "sleep", "600"],
    );
    guard.hears("until never");
    assert_eq!(guard.says(), "heard");
    guard.hears("start");
    assert_eq!(guard.says(), "heard");
    let started = guard.says();
    let collector: u32 =
        started.strip_prefix("started ").unwrap_or_else(|| panic!("{started}")).parse().unwrap();
    let limit = clock::now().uptime + LIMIT;
    while !fs::read_to_string(format!("/proc/{collector}/status")).unwrap().contains("Uid:\t0\t0\t0\t0") {
        assert!(clock::now().uptime < limit, "it does not become root");
    }
    guard.hears("signal SIGHUP");
    assert_eq!(guard.says(), "heard");
    guard.hears("until never");
    assert_eq!(guard.says(), "heard", "and what it is told afterwards");
    let pid = Pid::from_raw(i32::try_from(collector).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    assert_eq!(guard.says(), "ended itself signal 9");
    assert!(guard.process.wait().unwrap().success());
}

#[test]
fn a_guard_that_cannot_have_its_lock_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut guard = Guard::start(Path::new(PROGRAM), None, folder.path(), &["sleep", "600"]);
    guard.hears("start");
    let said = guard.says();
    assert!(said.starts_with("not-started its lock ") && said.contains("directory"), "{said}");
    assert!(guard.process.wait().unwrap().success());
}
