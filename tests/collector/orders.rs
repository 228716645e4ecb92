//! Role and mode, as a collector that knows nothing of failover finds them.

use std::time::Duration;

use client_failover::clock;
use rustix::process::geteuid;

use crate::site::{Adapter, Pair};

const T: Duration = Duration::from_secs(1);

#[test]
fn without_failover_the_collector_simply_runs_and_its_output_is_in_the_log() {
    let adapter = Adapter::start("", &[("ZONE", "north")]);
    let run = adapter.until_run("it runs", |_| true);
    assert_eq!((run.value("role"), run.value("mode"), run.value("epoch")), ("None", "None", "none"));
    assert_eq!(run.value("url"), format!("http://{}", adapter.process.address()));
    assert_eq!(run.value("zone"), "north", "the adapter's own environment is the collector's, too");
    adapter.until_shows("AdapterState", "Running");
    adapter.until("its output is logged", || {
        let log = adapter.process.log();
        log.lines().any(|line| line.contains("collector: a line of the collector") && line.contains("stdout"))
    });
    assert_eq!(adapter.rows(), ["Started"]);
}

#[test]
fn a_collector_finds_its_order_in_its_environment_and_another_with_each_change() {
    let pair =
        Pair::start("Hot", T, "", &[("CLIENT_FAILOVER_COLLECTOR_ENV", "{ ZONE = 'set' }"), ("ZONE", "own")]);
    let acts = pair.first.until_acts();
    assert_eq!((acts.value("mode"), acts.value("zone")), ("Hot", "set"));
    let epoch = pair.first.diagnostics()["Epoch"].to_string();
    assert_eq!(acts.value("epoch"), epoch);
    let stands_by =
        pair.second.until_run("it stands by", |run| run.value("role") == "Secondary" && run.ended.is_none());
    assert_eq!(stands_by.value("epoch"), "none");

    pair.override_second();
    let after = pair.second.until_acts();
    assert!(after.value("epoch").parse::<u64>().unwrap() > epoch.parse().unwrap());
    let before = pair.first.until_ended(&acts);
    assert!(before.ended.unwrap() <= after.first, "{before:?} {after:?}");
    assert!(pair.second.until_ended(&stands_by).ended.unwrap() <= after.first, "one after the other");
    pair.first
        .until_run("it stands by now", |run| run.value("role") == "Secondary" && run.first > acts.first);
}

#[test]
fn a_cold_standby_is_not_started_until_it_takes_over() {
    let mut pair = Pair::start("Cold", T, "", &[]);
    let acts = pair.first.until_acts();
    pair.second.until("its run from before it was configured has ended", || {
        pair.second.ear.runs().iter().all(|run| run.ended.is_some())
    });
    pair.second.until_shows("AdapterState", "Stopped");
    assert!(pair.second.ear.runs().iter().all(|run| run.value("role") == "None"));
    pair.first.process.terminate();
    let after = pair.second.until_acts();
    let before = pair.first.until_ended(&acts);
    assert!(before.ended.unwrap() <= after.first, "{before:?} {after:?}");
    assert_eq!(after.value("mode"), "Cold");
}

#[test]
fn a_collector_that_is_kept_runs_through_every_change_of_role() {
    let pair = Pair::start("Warm", T, "", &[("CLIENT_FAILOVER_COLLECTOR_ON_ORDER", "keep")]);
    let [acts, stands_by] =
        [&pair.first, &pair.second].map(|adapter| adapter.until_run("it runs", |run| run.ended.is_none()));
    pair.override_second();
    pair.second.until_shows("Role", "Primary");
    pair.first.until_shows("Role", "Secondary");
    // Longer than any lease from before.
    let waited = clock::now().uptime + T * 2;
    pair.first.until("time passes", || clock::now().uptime >= waited);
    for (adapter, run) in [(&pair.first, acts), (&pair.second, stands_by)] {
        let runs = adapter.ear.runs();
        assert_eq!(runs.last().map(|run| (run.pid, run.ended)), Some((run.pid, None)), "{runs:?}");
    }
}

#[test]
fn a_collector_runs_in_its_folder_and_as_its_user() {
    let own = geteuid().as_raw().to_string();
    // Only root may become somebody else.
    let user = if own == "0" { "65534".to_owned() } else { own };
    let adapter = Adapter::start(
        "",
        &[("CLIENT_FAILOVER_COLLECTOR_WORKING_DIR", "/"), ("CLIENT_FAILOVER_COLLECTOR_USER", &user)],
    );
    let run = adapter.until_run("it runs", |_| true);
    assert_eq!((run.value("user"), run.value("in")), (user.as_str(), "/"));
}
