//! Runs many schedules of the simulation in `tests/simulation`.
//!
//! `cargo run --release --example simulate -- --schedules 1000000 [--seed FIRST]` runs schedules from
//! seed FIRST on (1 by default) and ends with `N schedules, E events, V violations`; its exit status is
//! 1 if there was any violation. `--seed N` alone shows what happens in that one schedule.

#[path = "../tests/simulation/world/mod.rs"]
mod world;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// How many violations of each kind are shown in full.
const SHOWN: usize = 6;

struct Asked {
    schedules: Option<u64>,
    seed: Option<u64>,
    /// Stop at the first violation.
    first: bool,
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked { schedules: None, seed: None, first: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().ok_or_else(|| format!("{word} wants a number"))?;
            value.parse::<u64>().map_err(|error| format!("{word} {value}: {error}"))
        };
        match word.as_str() {
            "--schedules" => asked.schedules = Some(number()?),
            "--seed" => asked.seed = Some(number()?),
            "--first" => asked.first = true,
            _ => return Err(format!("{word} is not known: --schedules N, --seed N, --first")),
        }
    }
    Ok(asked)
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let violations = match (asked.schedules, asked.seed) {
        (None, Some(seed)) => show(seed),
        (schedules, seed) => run_many(seed.unwrap_or(1), schedules.unwrap_or(20_000), asked.first),
    };
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(seed: u64) -> usize {
    let outcome = world::run(seed, true);
    for line in &outcome.log {
        println!("{line}");
    }
    let violations = usize::from(outcome.violation.is_some());
    println!("1 schedules, {} events, {violations} violations", outcome.events);
    violations
}

fn run_many(from: u64, schedules: u64, first: bool) -> usize {
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let (next, events) = (AtomicU64::new(from), AtomicU64::new(0));
    let broken = Mutex::new(BTreeMap::new());
    let run = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + schedules {
                        return;
                    }
                    let outcome = world::run(seed, false);
                    run.fetch_add(1, Ordering::Relaxed);
                    events.fetch_add(outcome.events, Ordering::Relaxed);
                    if let Some(violation) = outcome.violation {
                        broken
                            .lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner)
                            .insert(seed, violation);
                        if first {
                            next.store(from + schedules, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (seed, violation) in &broken {
        let count = kinds.entry(violation.kind).or_default();
        *count += 1;
        if *count <= SHOWN {
            println!("seed {seed}: {} at {} ms: {}", violation.kind, violation.at_ms, violation.what);
        }
    }
    for (kind, count) in kinds {
        println!("{kind}: {count}");
    }
    println!("{} schedules, {} events, {} violations", run.into_inner(), events.into_inner(), broken.len());
    broken.len()
}
