//! Never two: whatever is frozen or killed, the old collector is gone before the new one acts.

use std::{fs::File, time::Duration};

use client_failover::clock;
use rustix::process::{Signal, geteuid};

use crate::site::{Adapter, Pair, guard_of, signal};

const T: Duration = Duration::from_secs(2);

/// It ignores every polite signal, and has forked into a session of its own.
const WORST: &str = "deaf forks";

/// The first's collector was gone before the second's acted.
fn assert_never_two(pair: &Pair, what: &str) {
    let after = pair.second.until_acts();
    let runs = pair.first.ear.runs();
    for run in runs.iter().filter(|run| run.acts()) {
        let ended = run.ended.unwrap_or_else(|| panic!("{what}: it still acts: {run:?}"));
        assert!(ended <= after.first, "{what}: {run:?} {after:?}");
    }
}

#[test]
fn a_frozen_agents_collector_is_gone_before_another_acts() {
    for round in 0..3 {
        let pair = Pair::start("Cold", T, WORST, &[]);
        let acts = pair
            .first
            .until_run("it has forked", |run| run.value("role") == "Primary" && run.speakers.len() > 1);
        pair.first.process.freeze();
        assert_never_two(&pair, &format!("round {round}"));
        pair.first.process.thaw();
        pair.first.until_row("Fenced");
        pair.first.until_shows("Reason", "ToldSecondary");
        let later = pair.first.ear.runs().into_iter().find(|run| run.first > acts.first);
        assert!(later.is_none(), "it does not act again: {later:?}");
    }
}

#[test]
fn a_killed_agents_collector_does_not_survive_it() {
    for mischief in ["", WORST] {
        let mut pair = Pair::start("Warm", T, mischief, &[]);
        let acts = pair.first.until_acts();
        pair.first.process.kill();
        pair.first.until_ended(&acts);
        assert_never_two(&pair, mischief);
    }
}

#[test]
fn a_killed_guards_collector_does_not_survive_it_and_another_is_started() {
    let backoff = [("CLIENT_FAILOVER_COLLECTOR_RESTART_BACKOFF", "10ms")];
    let adapter = Adapter::start("deaf", &backoff);
    let run = adapter.until_run("it runs", |_| true);
    signal(guard_of(&run), Signal::KILL);
    adapter.until_ended(&run);
    adapter.until_row("GuardLost");
    let next = adapter.until_run("the next", |next| next.pid != run.pid);
    assert!(adapter.until_ended(&run).ended.unwrap() <= next.first);
}

#[test]
fn a_collector_does_not_outlive_its_guard_even_if_the_agent_does_not_see_it() {
    let adapter = Adapter::start("deaf", &[]);
    let run = adapter.until_run("it runs", |_| true);
    let guard = guard_of(&run);
    adapter.process.freeze();
    signal(guard, Signal::KILL);
    adapter.until_ended(&run);
}

#[test]
fn while_a_guard_from_before_is_there_no_other_collector_is_started() {
    let mut adapter = Adapter::start("", &[]);
    let run = adapter.until_run("it runs", |_| true);
    adapter.process.terminate();
    adapter.until_ended(&run);
    let guard = File::open(adapter.process.data.join("guard.lock")).unwrap();
    guard.lock().unwrap();
    adapter.process.start();
    adapter.until_shows("AdapterState", "Starting");
    // Long enough to start one ten times.
    let waited = clock::now().uptime + Duration::from_millis(300);
    adapter.until("time passes", || clock::now().uptime >= waited);
    assert_eq!(adapter.ear.runs().len(), 1, "{:?}", adapter.ear.runs());
    drop(guard);
    adapter.until_run("the next", |next| next.pid != run.pid);
}

#[test]
fn with_a_cgroup_nothing_that_a_collector_forked_survives_its_guard_either() {
    let adapter = Adapter::start(WORST, &[]);
    let run = adapter.until_run("it has forked", |run| run.speakers.len() > 1);
    if adapter.process.log().contains("there is no cgroup v2") {
        // Nothing is promised here, and the adapter says so.
        return;
    }
    signal(guard_of(&run), Signal::KILL);
    adapter.until_ended(&run);
}

#[test]
fn a_frozen_guard_is_noticed_and_its_collector_is_killed_whole() {
    let pair = Pair::start("Warm", T, WORST, &[("CLIENT_FAILOVER_COLLECTOR_RESTART_BACKOFF", "10ms")]);
    let acts =
        pair.first.until_run("it has forked", |run| run.value("role") == "Primary" && run.speakers.len() > 1);
    // Its agent tells it of each new deadline, and hears no answer.
    signal(guard_of(&acts), Signal::STOP);
    pair.first.until_ended(&acts);
    pair.first.until_row("GuardLost");
}

#[test]
fn a_frozen_guard_does_not_keep_a_collector_past_its_lease() {
    let mut pair = Pair::start("Warm", T, WORST, &[]);
    let acts =
        pair.first.until_run("it has forked", |run| run.value("role") == "Primary" && run.speakers.len() > 1);
    pair.endpoint.kill();
    let killed = clock::now().uptime;
    signal(guard_of(&acts), Signal::STOP);
    let ended = pair.first.until_ended(&acts).ended.unwrap();
    // Nobody extends the lease after the endpoint's death.
    pair.first.until_row("GuardLost");
    assert!(ended < killed + T, "{ended:?} {killed:?}");
}

#[test]
fn a_collector_whose_agent_loses_the_endpoint_is_gone_by_its_deadline() {
    let mut pair = Pair::start("Cold", T, WORST, &[]);
    let acts = pair.first.until_acts();
    pair.endpoint.kill();
    let killed = clock::now().uptime;
    let ended = pair.first.until_ended(&acts).ended.unwrap();
    assert!(ended < killed + T, "{ended:?} {killed:?}");
    // Where the guard gets no processor in half of the time to fence, its agent does it.
    pair.first.until("it is told who did it", || {
        pair.first.rows().iter().any(|row| row == "Fenced" || row == "GuardLost")
    });
    pair.first.until_shows("Role", "Secondary");
}

#[test]
fn a_collector_of_another_user_does_not_outlive_its_guard_either() {
    if !geteuid().is_root() {
        eprintln!("SKIP: only root may become another user");
        return;
    }
    let adapter = Adapter::start("deaf", &[("CLIENT_FAILOVER_COLLECTOR_USER", "65534")]);
    let run = adapter.until_run("it runs", |run| run.value("user") == "65534");
    // With its agent frozen only the signal is left that it gets at its parent's death, and that a change of user takes away.
    adapter.process.freeze();
    signal(guard_of(&run), Signal::KILL);
    adapter.until_ended(&run);
}

#[test]
fn a_collector_that_obeys_by_itself_is_gone_by_its_deadline_if_its_agent_is_frozen_and_else_goes_on() {
    for mode in ["Hot", "Warm"] {
        let keep = [("CLIENT_FAILOVER_COLLECTOR_ON_ORDER", "keep")];
        let mut pair = Pair::start(mode, T, WORST, &keep);
        let run = pair.first.until_run("it has forked", |run| run.ended.is_none() && run.speakers.len() > 1);
        pair.first.process.freeze();
        pair.second.until_shows("Role", "Primary");
        let taken = clock::now().uptime;
        let ended = pair.first.until_ended(&run).ended.unwrap();
        assert!(ended < taken, "{mode}: {ended:?} {taken:?}");

        let acts = pair.second.until_run("it runs", |run| run.ended.is_none());
        pair.endpoint.kill();
        pair.second.until_shows("Role", "Secondary");
        // Its lease was over when that was shown; its guard would have killed it 25 ms after.
        let waited = clock::now().uptime + Duration::from_millis(300);
        pair.second.until("time passes", || clock::now().uptime >= waited);
        let runs = pair.second.ear.runs();
        assert_eq!(runs.last().map(|run| (run.pid, run.ended)), Some((acts.pid, None)), "{mode}: {runs:?}");
    }
}
