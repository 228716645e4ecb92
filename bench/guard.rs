//! Freezes the agent whose collector acts, a hundred times: is the collector gone before the lease ends, and how long
//! after its deadline?
//!
//! The collectors ignore polite signals and have forked into sessions of their own. `GUARD_ROUNDS` is another number
//! of rounds.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench stops at the first surprise")]
#![allow(
    unreachable_pub,
    dead_code,
    reason = "a bench has no public interface, and uses a part of the tests'"
)]

#[path = "../tests/collector/ear.rs"]
mod ear;
#[path = "../tests/plant/mod.rs"]
mod plant;
#[path = "../tests/collector/site.rs"]
mod site;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use client_failover::{clock, domain::Uptime};
use site::{Adapter, Pair};

const T: Duration = Duration::from_secs(1);

/// The end of acting comes so long before the end of the lease.
const STOP_BUDGET: Duration = client_failover::registration::machine::STOP_BUDGET;

fn main() {
    let rounds: u32 =
        std::env::var("GUARD_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(100);
    let pair = Pair::start("Cold", T, "deaf forks", &[]);
    let mut adapters = [&pair.first, &pair.second];
    let (mut late, mut in_time, mut never_two) = (Vec::new(), 0, 0);
    for _ in 0..rounds {
        let [acting, other] = adapters;
        let run = acting.until_run("it acts, and has forked", |run| {
            run.value("role") == "Primary" && run.ended.is_none() && run.speakers.len() > 1
        });
        let deadline = just_renewed(acting);
        acting.process.freeze();
        let after = other
            .until_run("the other acts", |next| next.value("role") == "Primary" && next.first > run.first);
        let ended = acting.until_ended(&run).ended.unwrap();
        in_time += u32::from(ended <= deadline + STOP_BUDGET);
        never_two += u32::from(ended <= after.first);
        late.push(ended.since(deadline));
        acting.process.thaw();
        acting.until_shows("Reason", "ToldSecondary");
        adapters.reverse();
    }
    late.sort();
    let at = |share: usize| late[(late.len() - 1) * share / 100].as_secs_f64() * 1_000.0;
    println!(
        "agent frozen, collector deaf and forked, T = {T:?}, lease ends {STOP_BUDGET:?} after the deadline"
    );
    println!(
        "gone before the lease ended: {in_time} of {rounds}; before the other acted: {never_two} of {rounds}"
    );
    println!("gone after the deadline: p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms", at(50), at(99), at(100));
}

/// Waits until the lease was renewed, and gives its new deadline: the next renewal is T/4 away.
fn just_renewed(adapter: &Adapter) -> Uptime {
    let deadline = || {
        let until = adapter.diagnostics()["ActingUntil"].as_f64();
        until.map(|seconds| Uptime::new(Duration::from_secs_f64(seconds)))
    };
    let before = deadline();
    let mut renewed = None;
    adapter.until("the lease is renewed", || {
        renewed = deadline().filter(|now| Some(*now) != before && *now > clock::now().uptime);
        renewed.is_some()
    });
    renewed.unwrap()
}
