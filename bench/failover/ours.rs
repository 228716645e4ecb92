//! Our side: a pair and its endpoint. All times end with the first write of the collector that takes over.

use std::time::Duration;

use client_failover::clock;

use crate::{
    figures::Times,
    plant::{Plan, Plant},
};

/// How often a collector asks and writes: the grain of all figures.
const PACE: Duration = Duration::from_micros(500);

/// Between two overrides: members heed no more than 20 nudges in a second for long, and a bench that asks
/// faster than any operator would measure that.
const BETWEEN_OVERRIDES: Duration = Duration::from_millis(200);

fn plan(timeout: Duration) -> Plan {
    // On disk, as the peer is: a promotion waits for it.
    Plan {
        pace: PACE,
        in_memory: false,
        log: "client_failover=warn,client_failover::app=info",
        ..Plan::pair(timeout)
    }
}

/// A pair that reaches its endpoint without a link in between: nothing is cut, and nothing is added.
pub fn direct(timeout: Duration) -> Plant {
    Plant::start(Plan { direct: true, ..plan(timeout) })
}

/// A pair whose heartbeats are overheard.
pub fn linked(timeout: Duration) -> Plant {
    Plant::start(plan(timeout))
}

fn acting(plant: &Plant) -> usize {
    plant.until_write("somebody acts", plant.sink.len(), |_| true).member
}

/// From SIGTERM of the Primary until the other acts. The stopped one is started again afterwards.
pub fn planned_stop(plant: &mut Plant) -> Duration {
    let stopped = acting(plant);
    let (from, begun) = (plant.sink.len(), clock::now().uptime);
    plant.signal(stopped, rustix::process::Signal::TERM);
    let after = plant.until_acts(from, 1 - stopped);
    plant.members[stopped].process.wait();
    plant.members[stopped].start();
    plant.until_told(stopped, "ToldSecondary");
    after.at.since(begun)
}

/// From the request of an override until the other acts.
pub fn forced(plant: &Plant) -> Duration {
    let other = 1 - acting(plant);
    plant.until_moment(clock::now().uptime + BETWEEN_OVERRIDES);
    let (from, begun) = (plant.sink.len(), clock::now().uptime);
    assert_eq!(plant.override_role(other, "Primary").status, 200);
    let after = plant.until_acts(from, other);
    plant.until_told(1 - other, "ToldSecondary");
    after.at.since(begun)
}

/// From a report that the Primary's source is lost until the other acts.
pub fn score_lost(plant: &Plant) -> Duration {
    let acting = acting(plant);
    for member in [acting, 1 - acting] {
        assert_eq!(plant.report(member, "Good").status, 204);
    }
    // Scores move the role twice in ten T at the most.
    plant.until_moment(clock::now().uptime + plant.timeout() * 6);
    let (from, begun) = (plant.sink.len(), clock::now().uptime);
    assert_eq!(plant.report(acting, "DeviceInError").status, 204);
    let after = plant.until_acts(from, 1 - acting);
    plant.until_told(acting, "ToldSecondary");
    after.at.since(begun)
}

/// From the last heartbeat of a Primary that is killed until the other acts, and from the kill.
pub fn killed(plant: &mut Plant) -> (Duration, Duration) {
    let dead = acting(plant);
    let from = plant.sink.len();
    plant.members[dead].process.kill();
    let killed = clock::now().uptime;
    let last = plant.members[dead].link.said().last().unwrap().at;
    let after = plant.until_acts(from, 1 - dead);
    plant.members[dead].start();
    plant.until_told(dead, "ToldSecondary");
    (after.at.since(last), after.at.since(killed))
}

/// The same for a Primary whose agent is frozen; it thaws afterwards.
pub fn frozen(plant: &Plant) -> (Duration, Duration) {
    let cold = acting(plant);
    let from = plant.sink.len();
    plant.members[cold].process.freeze();
    let frozen = clock::now().uptime;
    let last = plant.members[cold].link.said().last().unwrap().at;
    let after = plant.until_acts(from, 1 - cold);
    plant.members[cold].process.thaw();
    plant.until_told(cold, "ToldSecondary");
    (after.at.since(last), after.at.since(frozen))
}

/// Trials until there are enough of them or the time for them is over.
pub fn trials(count: usize, limit: Duration, mut trial: impl FnMut() -> Duration) -> Times {
    let (end, mut times) = (clock::now().uptime + limit, Times::default());
    while times.len() < count && clock::now().uptime < end {
        times.push(trial());
    }
    times
}
