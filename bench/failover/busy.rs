//! The smallest T with every core busy: does a Primary lose its role although it lives?

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use client_failover::{clock, domain::Uptime};

use crate::plant::{Plan, Plant, sink::Write};

const T: Duration = Duration::from_millis(250);

/// How long a thread that only sleeps and wakes may be late before the machine itself counts as stalled.
const STALL: Duration = Duration::from_micros(62_500);

/// How often the control thread wakes.
const BEAT: Duration = Duration::from_millis(1);

/// How near a stall explains a failover.
const NEAR: Duration = Duration::from_millis(500);

/// Works and is ended with the run.
struct Threads {
    stop: Arc<AtomicBool>,
    burners: Vec<thread::JoinHandle<()>>,
    control: thread::JoinHandle<(Vec<(Uptime, Duration)>, Duration)>,
}

impl Threads {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let cores = thread::available_parallelism().unwrap().get();
        let burn = |stop: Arc<AtomicBool>| {
            move || {
                let mut number = 1_u64;
                while !stop.load(Ordering::Relaxed) {
                    for _ in 0..10_000 {
                        number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005) + 1);
                    }
                }
            }
        };
        let burners = (0..cores).map(|_| thread::spawn(burn(Arc::clone(&stop)))).collect();
        let told = Arc::clone(&stop);
        let control = thread::spawn(move || {
            let (mut stalls, mut longest, mut before) = (Vec::new(), Duration::ZERO, clock::now().uptime);
            while !told.load(Ordering::Relaxed) {
                thread::sleep(BEAT);
                let now = clock::now().uptime;
                longest = longest.max(now.since(before));
                if now.since(before) >= STALL {
                    stalls.push((now, now.since(before)));
                }
                before = now;
            }
            (stalls, longest)
        });
        Self { stop, burners, control }
    }

    fn end(self) -> (Vec<(Uptime, Duration)>, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        for burner in self.burners {
            burner.join().unwrap();
        }
        self.control.join().unwrap()
    }
}

/// Runs for this long; prints what was lost, and whether the machine itself explains it. Stops the bench where it does not.
pub fn run(minutes: Duration) {
    let plant = Plant::start(Plan { log: "client_failover=info", ..Plan::pair(T) });
    let from = plant.sink.len();
    let threads = Threads::start();
    plant.until_long(clock::now().uptime + minutes);
    let (stalls, longest) = threads.end();
    let writes = plant.sink.from(from);
    let changes: Vec<(Write, Write)> =
        writes.windows(2).filter(|two| two[0].epoch < two[1].epoch).map(|two| (two[0], two[1])).collect();
    let explained = |change: &(Write, Write)| {
        stalls.iter().any(|(at, _)| change.1.at.since(*at) < NEAR && at.since(change.0.at) < NEAR)
    };
    let unexplained = changes.iter().filter(|change| !explained(change)).count();
    println!(
        "T = 250 ms, every core busy, {:.0} s: {} false failovers, {unexplained} of them without a stall of the \
         control thread; it stalled {} times for T/4 or longer, {:.1} ms at the longest",
        minutes.as_secs_f64(),
        changes.len(),
        stalls.len(),
        longest.as_secs_f64() * 1_000.0
    );
    for (at, length) in &stalls {
        println!("  control thread stalled for {length:?} until {:?}", at.since_boot());
    }
    for (before, after) in &changes {
        println!(
            "  failover at {:?}, {:?} after the last write",
            after.at.since_boot(),
            after.at.since(before.at)
        );
    }
    let found = plant.verdict(T / 4);
    println!(
        "  {} gaps of T/4 or longer, the longest {:?}; {} overlaps",
        found.gaps.len(),
        found.gaps.iter().map(|gap| gap.length()).max().unwrap_or_default(),
        found.overlaps.len()
    );
    found.assert_sound();
    assert_eq!(unexplained, 0, "failovers that nothing called for");
}
