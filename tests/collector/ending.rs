//! The end of an adapter is the end of its collector, and is said to the endpoint only then.

use std::time::Duration;

use rustix::process::Signal;

use crate::site::{Adapter, Pair, guard_of, signal};

/// Long enough that nothing here happens because a lease ends.
const LONG: Duration = Duration::from_secs(30);

#[test]
fn a_planned_stop_hands_over_when_the_collector_has_stopped() {
    for (mischief, reason) in [("forks", "Stopped"), ("deaf forks", "StopTimedOut")] {
        let mut pair =
            Pair::start("Warm", LONG, mischief, &[("CLIENT_FAILOVER_COLLECTOR_STOP_TIMEOUT", "300ms")]);
        let acts = pair.first.until_acts();
        pair.first.process.terminate();
        let ended = pair.first.until_ended(&acts).ended.unwrap();
        let after = pair.second.until_acts();
        assert!(ended <= after.first, "{mischief}: {ended:?} {after:?}");
        assert!(after.first < ended + LONG / 2, "{mischief}: long before the lease ends");
        let log = pair.first.process.log();
        let said = log.lines().any(|line| {
            line.contains("kind=\"Collector\"") && line.contains(&format!("reason=\"{reason}\""))
        });
        assert!(said, "{mischief}: {log}");
    }
}

#[test]
fn a_stop_ends_even_where_the_guard_is_frozen() {
    let mut adapter = Adapter::start("deaf forks", &[("CLIENT_FAILOVER_COLLECTOR_STOP_TIMEOUT", "200ms")]);
    let run = adapter.until_run("it has forked", |run| run.speakers.len() > 1);
    signal(guard_of(&run), Signal::STOP);
    adapter.process.terminate();
    adapter.until_ended(&run);
}

#[test]
fn signals_that_are_not_for_them_stop_neither_guard_nor_collector() {
    let adapter = Adapter::start("", &[]);
    let run = adapter.until_run("it runs", |_| true);
    for ignored in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR1] {
        signal(guard_of(&run), ignored);
    }
    let heard = adapter.ear.runs()[0].last;
    adapter.until("it goes on", || adapter.ear.runs()[0].last > heard + Duration::from_millis(200));
    assert_eq!(adapter.rows(), ["Started"]);
}
