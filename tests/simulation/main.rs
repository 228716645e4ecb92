//! Many short lives of a plant in which everything goes wrong that may; see `world`.

mod world;

use std::sync::atomic::{AtomicU64, Ordering};

/// How many schedules the test runs. `cargo run --release --example simulate` runs more.
const SCHEDULES: u64 = 20_000;

#[test]
fn no_schedule_breaks_a_promise() {
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let next = AtomicU64::new(1);
    let work = || {
        let mut broken = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > SCHEDULES {
                return broken;
            }
            if let Some(violation) = world::run(seed, false).violation {
                broken.push(format!("seed {seed}: {violation:?}"));
            }
        }
    };
    let broken: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a schedule panicked")).collect()
    });
    assert!(broken.is_empty(), "{} schedules broke a promise:\n{}", broken.len(), broken.join("\n"));
}
