//! How long a change of the Primary takes, beside etcd's election and lock in the same run.
//!
//! `cargo bench --bench failover [-- --trials N] [--stage-s N] [--busy-s N] [--only planned,override,…]`.
//! Stages are bounded: each says how many trials fitted into its time.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a bench stops at the first surprise")]
#![allow(unreachable_pub, reason = "a bench has no public interface")]

mod busy;
mod etcd;
mod figures;
mod ours;

#[path = "../../tests/plant/mod.rs"]
mod plant;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::{env, time::Duration};

use etcd::Etcd;
use figures::{Times, ratios};
use ours::trials;
use plant::Plant;

/// Ours and the peer's trials alternate in this many rounds, so that whatever else the machine does hits both.
const ROUNDS: usize = 10;

/// An override and an election of the peer's wait before each trial, so that there are fewer of them.
const PAUSED: usize = 4;

/// Times to die are as long as T: few of them.
const DEATHS: usize = 40;
const PEER_DEATHS: usize = 5;

/// A score moves the role only so often: few of them, too.
const SCORES: usize = 40;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if arguments.iter().any(|argument| argument == etcd::WRITER) {
        return etcd::write_lines();
    }
    let value = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1).cloned())
    };
    let number = |name: &str, default: u64| value(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let run = Run {
        trials: usize::try_from(number("--trials", 1_000)).unwrap(),
        stage: Duration::from_secs(number("--stage-s", 180)),
        busy: Duration::from_secs(number("--busy-s", 600)),
        etcd: Etcd::start(),
    };
    let only = value("--only");
    for (name, stage) in STAGES {
        if only.as_ref().is_none_or(|only| only.split(',').any(|wanted| wanted == *name)) {
            stage(&run);
        }
    }
}

/// A part of the run, by its name.
type Stage = (&'static str, fn(&Run));

const STAGES: &[Stage] = &[
    ("planned", Run::planned),
    ("override", Run::overrides),
    ("score", Run::scores),
    ("kill", Run::kills),
    ("freeze", Run::freezes),
    ("busy", |run| busy::run(run.busy)),
];

struct Run {
    trials: usize,
    stage: Duration,
    busy: Duration,
    etcd: Option<Etcd>,
}

impl Run {
    /// SIGTERM of the Primary: ours at three timeouts, the first beside `etcdctl elect`.
    fn planned(&self) {
        let (each, limit) = (self.trials.div_ceil(ROUNDS), self.stage / u32::try_from(ROUNDS).unwrap());
        let mut plant = ours::direct(Duration::from_secs(1));
        let rounds = (0..ROUNDS).map(|round| {
            let ours = trials(each, limit, || ours::planned_stop(&mut plant));
            let elect =
                |etcd| etcd::elections(etcd, &format!("election-{round}"), each.div_ceil(PAUSED), limit);
            (ours, self.etcd.as_ref().map(elect).unwrap_or_default())
        });
        let rounds: Vec<(Times, Times)> = rounds.collect();
        let (mut ours, mut peer) = (Times::default(), Times::default());
        for (our_round, peer_round) in &rounds {
            ours.extend(our_round);
            peer.extend(peer_round);
        }
        drop(plant);
        println!("planned stop, T = 1 s: {}", ours.line());
        if self.etcd.is_some() {
            println!("  etcdctl elect: {}; ratio of medians {}", peer.line(), ratios(&rounds));
        }
        for seconds in [10, 60] {
            let mut plant = ours::direct(Duration::from_secs(seconds));
            let times = trials(self.trials, self.stage, || ours::planned_stop(&mut plant));
            println!("planned stop, T = {seconds} s: {}", times.line());
        }
    }

    /// An operator's override.
    fn overrides(&self) {
        for seconds in [1, 10, 60] {
            let plant = ours::direct(Duration::from_secs(seconds));
            let times = trials(self.trials.div_ceil(PAUSED), self.stage, || ours::forced(&plant));
            println!("override, T = {seconds} s: {}", times.line());
        }
    }

    /// A source that is lost.
    fn scores(&self) {
        let plant = ours::direct(Duration::from_millis(500));
        let times = trials(SCORES, self.stage, || ours::score_lost(&plant));
        println!("score loss, T = 0.5 s: {}", times.line());
    }

    /// SIGKILL of the Primary, beside `etcdctl lock`.
    fn kills(&self) {
        for seconds in [1, 2, 5] {
            let timeout = Duration::from_secs(seconds);
            let mut plant = ours::linked(timeout);
            let count = if seconds == 1 { DEATHS } else { PEER_DEATHS };
            deaths(&format!("SIGKILL of the Primary, T = {seconds} s"), &plant.timeout(), count, || {
                ours::killed(&mut plant)
            });
            check(&plant);
            if let Some(etcd) = self.etcd.as_ref().filter(|_| seconds > 1) {
                let times = etcd::deaths(etcd, seconds, PEER_DEATHS);
                println!("  etcdctl lock, TTL {seconds} s, from SIGKILL: {}", times.line());
            }
        }
    }

    /// SIGSTOP of the Primary's agent, beside SIGSTOP of `etcdctl lock`.
    fn freezes(&self) {
        let plant = ours::linked(Duration::from_secs(1));
        deaths("SIGSTOP of the Primary's agent, T = 1 s", &plant.timeout(), DEATHS, || ours::frozen(&plant));
        check(&plant);
        let Some(etcd) = &self.etcd else { return };
        for seconds in [2, 5] {
            let found = etcd::freeze(etcd, seconds, Duration::from_secs(3));
            println!(
                "  etcdctl lock, TTL {seconds} s: a second writer {:?} after SIGSTOP; both wrote for {:?} of 3 s while \
                 it was frozen, and for {:?} of 3 s after SIGCONT",
                found.second_after, found.both_frozen, found.both_thawed
            );
        }
    }
}

/// Prints times since the last heartbeat, less T, and since the fault.
fn deaths(what: &str, timeout: &Duration, count: usize, mut trial: impl FnMut() -> (Duration, Duration)) {
    let (mut late, mut since_fault) = (Times::default(), Times::default());
    for _ in 0..count {
        let (heard, fault) = trial();
        late.push(heard.saturating_sub(*timeout));
        since_fault.push(fault);
    }
    println!("{what}: beyond T after the last heartbeat {}", late.line());
    println!("  from the fault: {}", since_fault.line());
}

fn check(plant: &Plant) {
    let found = plant.verdict(plant.timeout());
    println!("  {} writes, {} overlaps", found.writes, found.overlaps.len());
    found.assert_sound();
}
