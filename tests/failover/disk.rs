//! The endpoint's disk: heartbeats cost it nothing, and a full or slow one keeps nobody from acting on.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, SystemTime},
};

use client_failover::clock;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::{
    plant::{Plan, Plant, http::ask},
    support::{
        FACET, LIMIT,
        mount::{Mount, fill},
    },
};

const T: Duration = Duration::from_secs(1);

/// What the endpoint's sign of life, left once a second, dirties at the most: a page.
const SIGN: u64 = 4096;

/// Length and time of change of what is in a folder, but for the endpoint's sign of life.
fn files(folder: &Path) -> Vec<(String, u64, SystemTime)> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut files: Vec<_> = entries
        // An index in shared memory: readers change it too, and it never reaches the disk by itself.
        .filter(|entry| !entry.file_name().to_string_lossy().ends_with("-shm"))
        .filter(|entry| entry.file_name() != "endpoint.alive")
        .map(|entry| {
            let known = entry.metadata().unwrap();
            (entry.file_name().to_string_lossy().into_owned(), known.len(), known.modified().unwrap())
        })
        .collect();
    files.sort();
    files
}

/// What the kernel counted as written to disk by a process.
fn written_bytes(pid: u32) -> u64 {
    let counters = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    let line = counters.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
    line.parse().unwrap()
}

#[test]
fn heartbeats_cost_no_disk_write() {
    let plant = Plant::start(Plan { in_memory: false, ..Plan::pair(T) });
    let data = &plant.endpoint.data;
    // After its first start an endpoint waits for T, and writes once that this is over.
    plant.until("the endpoint has settled", || {
        fs::read_to_string(data.join("endpoint.mark")).is_ok_and(|mark| mark.contains("settled"))
    });
    // A Primary and a Secondary of a group of their own, by hand: as fast as they are answered.
    let group = json!({ "Id": "Quiet", "FailoverTimeout": "00:01:00" });
    assert_eq!(plant.ask_endpoint("POST", "groups", &group).status, 201);
    let sessions = "groups/Quiet/clientsessions";
    for session in ["a", "b"] {
        plant.ask_endpoint("POST", sessions, &json!({ "Id": session, "Name": session }));
    }
    let beat = |session: &str, sequence: u64, acting: bool| {
        let heartbeat = json!({
            "FailoverScore": 100, "LastDataProcessedTime": "2026-01-01T00:00:00", "Incarnation": session,
            "BootId": "boot", "Sequence": sequence, "Answered": sequence - 1,
            "AppliedRole": if acting { "Primary" } else { "Secondary" },
        });
        plant.ask_endpoint("POST", &format!("{sessions}/{session}/heartbeat"), &heartbeat).body["Role"]
            .clone()
    };
    assert_eq!((beat("a", 1, false), beat("b", 1, false)), (json!(1), json!(0)));
    let mut sequence = 1;
    let mut both = || {
        // As fast as a session may be heard for long: 20 a second.
        plant.until_moment(clock::now().uptime + Duration::from_millis(60));
        sequence += 1;
        assert_eq!((beat("a", sequence, true), beat("b", sequence, false)), (json!(1), json!(0)));
    };
    // What there was to write about the beginning of these roles is written within a second.
    let (mut before, mut since) = (files(data), clock::now().uptime);
    plant.until("all that happened is written", || {
        both();
        let now = (files(data), clock::now().uptime);
        if now.0 != before {
            (before, since) = now;
        }
        now.1.since(since) > T * 2
    });
    let (bytes, begin) = (written_bytes(plant.endpoint.pid()), clock::now().uptime);
    for _ in 0..200 {
        both();
    }
    assert_eq!(files(data), before);
    let written = written_bytes(plant.endpoint.pid()) - bytes;
    let signs = clock::now().uptime.since(begin).as_secs() + 1;
    assert!(written <= signs * SIGN, "400 heartbeats cost {written} bytes, {signs} signs of life");
    plant.assert_sound();
}

#[test]
fn on_a_full_disk_the_primary_is_renewed_and_nobody_becomes_primary_unrecorded() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::tmpfs(folder.path(), "8m") else { return };
    let data = Some(mount.path.join("data"));
    let mut plant = Plant::start(Plan { endpoint_data: data, ..Plan::pair(T) });
    let epoch = plant.acts().epoch;
    let ballast = fill(&mount.path, 0);
    let full = plant.sink.len();
    let since = clock::now().uptime;
    let renewed = plant.until_write("it is renewed again and again", full, |write| {
        write.answered && write.deadline > since + T * 3
    });
    assert_eq!((renewed.member, renewed.epoch), (0, epoch));

    plant.members[0].process.kill();
    plant.until("the promotion is refused", || {
        let error = plant.members[1].diagnostics()["LastError"].as_str().map(str::to_owned);
        error.is_some_and(|error| error.contains("503"))
    });
    assert_eq!(plant.sink.find(full, |write| write.member == 1), None);
    fs::remove_file(ballast).unwrap();
    assert!(plant.until_acts(full, 1).epoch > epoch);
    plant.assert_sound();
}

/// What a process asks of its disk, to be made slow: syncs, and reads.
const SYNCS: &str = "fsync,fdatasync";
const READS: &str = "pread64";

/// Makes what a process asks of its disk take this much longer, until it is dropped.
struct Slowed(Child);

impl Slowed {
    /// None where no process may look into another.
    fn down(pid: u32, what: &str, by: Duration) -> Option<Self> {
        let mut strace = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={what}"), "-e"])
            .arg(format!("inject={what}:delay_enter={}", by.as_micros()))
            .args(["-p", &pid.to_string()])
            .spawn()
            .expect("strace runs; scripts/test installs it");
        let tasks = format!("/proc/{pid}/task");
        let is_traced = |task: fs::DirEntry| {
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            !status.contains("TracerPid:\t0\n")
        };
        let limit = clock::now().uptime + LIMIT;
        while !fs::read_dir(&tasks).unwrap().map(Result::unwrap).all(is_traced) {
            if strace.try_wait().unwrap().is_some() {
                return None;
            }
            assert!(clock::now().uptime < limit, "strace does not come to every thread within {LIMIT:?}");
            thread::sleep(Duration::from_millis(1));
        }
        Some(Self(strace))
    }
}

impl Drop for Slowed {
    fn drop(&mut self) {
        // It lets go of the process in order.
        let pid = Pid::from_raw(self.0.id().cast_signed()).unwrap();
        kill_process(pid, Signal::TERM).ok();
        self.0.wait().ok();
    }
}

#[test]
fn an_endpoint_whose_disk_syncs_for_longer_than_t_takes_the_role_from_nobody_that_lives() {
    let plant = Plant::start(Plan::pair(T));
    let (from, epoch) = (plant.sink.len(), plant.acts().epoch);
    let by = T * 3 / 2;
    let Some(slow) = Slowed::down(plant.endpoint.pid(), SYNCS, by) else {
        eprintln!("SKIPPED, NOT PROVEN: strace may not attach to a process");
        return;
    };
    for number in 0..3 {
        let begun = clock::now().uptime;
        let group = json!({ "Id": format!("Other {number}"), "FailoverTimeout": "00:01:00" });
        assert_eq!(plant.ask_endpoint("POST", "groups", &group).status, 201);
        assert!(clock::now().uptime.since(begun) >= by, "its disk is slow");
    }
    let other = plant.sink.find(from, |write| write.member != 0 || write.epoch != epoch);
    assert_eq!(other, None, "{}", plant.story());
    plant.assert_unbroken(T / 2);
    // A planned change waits for the disk, and comes to its end.
    let asked = plant.sink.len();
    assert_eq!(plant.override_role(1, "Primary").status, 200);
    assert!(plant.until_acts(asked, 1).epoch > epoch);
    drop(slow);
    plant.assert_sound();
}

#[test]
fn an_adapter_that_reads_its_configuration_for_longer_than_t_is_renewed_meanwhile() {
    let plant = Plant::start(Plan::pair(T));
    let member = &plant.members[0];
    let configuration = ask(&member.process.address(), "GET", FACET, "").unwrap().body[0].clone();
    let by = T * 3 / 2;
    let Some(slow) = Slowed::down(member.process.pid(), READS, by) else {
        eprintln!("SKIPPED, NOT PROVEN: strace may not attach to a process");
        return;
    };
    let begun = clock::now().uptime;
    let mut changed = configuration;
    changed["Mode"] = json!("Warm");
    assert_eq!(ask(&member.process.address(), "PUT", FACET, &changed.to_string()).unwrap().status, 204);
    plant.until("the new configuration has been read", || member.diagnostics()["Mode"] == "Warm");
    assert!(clock::now().uptime.since(begun) >= by, "its disk is slow");
    assert_eq!(plant.sink.find(0, |write| write.member != 0), None, "{}", plant.story());
    drop(slow);
    plant.assert_unbroken(T / 2);
}
