//! Hundreds of random faults on real processes in one bounded run, judged by what the collectors wrote.
//!
//! `cargo bench --bench chaos [-- --faults N] [--seed N] [--timeout-ms N] [--members N]`. One endpoint and
//! three adapters under step-down, each adapter behind a link of its own. Faults overlap. It ends with a
//! summary, and with exit status 1 if two were ever permitted at once or an epoch fell.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a bench stops at the first surprise")]
#![allow(unreachable_pub, reason = "a bench has no public interface")]

mod faults;
mod report;

#[path = "../../tests/plant/mod.rs"]
mod plant;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::{env, process::ExitCode, time::Duration};

use client_failover::clock;
use faults::{Chaos, Fault};
use plant::{Plan, Plant, random::Random};

/// From one fault to the next: some end before the next begins, some do not.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(900);

/// How long the run may take for each fault, at the most.
const LIMIT_FOR_EACH: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    let number = |name: &str, default: u64| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)?.parse().ok()).unwrap_or(default)
    };
    let seed = number("--seed", getrandom::u64().unwrap() % 1_000_000);
    let (count, members) = (number("--faults", 500), usize::try_from(number("--members", 3)).unwrap());
    let timeout = Duration::from_millis(number("--timeout-ms", 500));
    println!("{count} faults, seed {seed}, {members} adapters, T = {timeout:?}");

    let mut random = Random::new(seed);
    let plan = Plan { members, log: "client_failover=info", ..Plan::pair(timeout) };
    let mut chaos = Chaos::new(Plant::start(plan));
    let deadline = clock::now().uptime + LIMIT_FOR_EACH * u32::try_from(count).unwrap();
    while chaos.log.len() < usize::try_from(count).unwrap() {
        let now = clock::now().uptime;
        assert!(now < deadline, "the run takes too long");
        let fault = Fault::random(&mut random, members);
        let lasts = random.time(Duration::from_millis(10), timeout * 2);
        chaos.begin(fault, lasts);
        chaos.until(clock::now().uptime + random.time(SHORTEST_PAUSE, LONGEST_PAUSE));
    }
    chaos.heal();
    // What is healed settles: one acts, and the others know that they do not.
    let healed = chaos.plant.sink.len();
    let last = chaos.plant.until_write("somebody acts after healing", healed, |_| true);
    println!("after healing, member {} acts under epoch {}", last.member, last.epoch);
    if report::print(&chaos) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
