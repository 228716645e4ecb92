//! Hundreds of random faults on real processes in one bounded run, judged by what the collectors wrote.
//!
//! `cargo bench --bench chaos [-- --faults N] [--seed N] [--timeout-ms N] [--members N]`. One endpoint and
//! three adapters under step-down, each adapter behind a link of its own. Faults overlap. It ends with a
//! summary, and with exit status 1 if two were ever permitted at once, an epoch fell, or nobody acted although nothing was wrong.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a bench stops at the first surprise")]
#![allow(unreachable_pub, reason = "a bench has no public interface")]

mod report;

#[path = "../../tests/plant/mod.rs"]
mod plant;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::{env, process::ExitCode, time::Duration};

use plant::{faults::Chaos, random::Random};

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

    let count = usize::try_from(count).unwrap();
    let chaos = Chaos::run(count, members, timeout, &mut Random::new(seed));
    if report::print(&chaos) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
