//! Many short lives of a plant in which everything goes wrong that may; see `world`.

mod world;

use std::sync::atomic::{AtomicU64, Ordering};

/// How many schedules the test runs. `cargo run --release --example simulate` runs more.
const SCHEDULES: u64 = 20_000;

/// How much of a broken schedule's log is shown.
const SHOWN: usize = 40;

#[test]
fn no_schedule_breaks_a_promise() {
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let (next, events) = (AtomicU64::new(1), AtomicU64::new(0));
    let work = || {
        let mut broken = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > SCHEDULES {
                return broken;
            }
            let outcome = world::run(seed, false);
            events.fetch_add(outcome.events, Ordering::Relaxed);
            if let Some(violation) = outcome.violation {
                let (kind, at, what) = (violation.kind, violation.at_ms, violation.what);
                broken.push((seed, format!("seed {seed}: {kind} at {at} ms: {what}")));
            }
        }
    };
    let mut broken: Vec<(u64, String)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("panics are caught")).collect()
    });
    broken.sort();
    let log = broken.first().map(|(seed, _)| world::run(*seed, true).log).unwrap_or_default();
    let last = log[log.len().saturating_sub(SHOWN)..].join("\n");
    let lines: Vec<String> = broken.into_iter().map(|(_, line)| line).collect();
    assert!(lines.is_empty(), "{} schedules broke a promise:\n{}\n\n{last}", lines.len(), lines.join("\n"));
    assert!(events.into_inner() > 100 * SCHEDULES, "so few events prove nothing");
}

#[test]
fn a_schedule_that_panics_is_a_violation_like_any_other() {
    let outcome = world::observe(7, true, |_| panic!("by {} rules", 0));
    let violation = outcome.violation.expect("it is told");
    assert_eq!((violation.kind, violation.what.as_str()), ("Panic", "by 0 rules"));
    assert!(!outcome.log.is_empty(), "what happened before is shown");
}
