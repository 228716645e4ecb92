//! The egress gate beside no gate and beside nginx as a reverse proxy, in one run: requests per second, added
//! latency, requests kept per second, and how fast they are sent after a promotion.
//!
//! `cargo bench --bench egress [-- --seconds N] [--rounds N]`. All servers are processes of their own on loopback;
//! rounds alternate between them. Without nginx the peer is skipped, and that is said.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a bench stops at the first surprise")]

mod load;
mod servers;

use std::{env, time::Duration};

use client_failover::clock;
use load::{Load, Pace};
use servers::{Gate, Nginx, Sink};

/// Bodies of what is passed on, as a batch of samples has.
const PASSED_BYTES: usize = 4_096;
/// Bodies of what is kept.
const KEPT_BYTES: usize = 512;
/// Connections that pass on, and that are kept: as each commit answers all that wait, more of these show more.
const PASSING: usize = 32;
const KEEPING: usize = 256;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if arguments.iter().any(|argument| argument == "--sink") {
        return servers::sink();
    }
    let number = |name: &str, default: u64| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)?.parse().ok()).unwrap_or(default)
    };
    let (seconds, rounds) = (number("--seconds", 3), number("--rounds", 5));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let sink = Sink::start();
        passing(&sink, Duration::from_secs(seconds), rounds).await;
        keeping(&sink, Duration::from_secs(seconds), "data").await;
        // A destination that is not around the corner: what is sent at a time decides.
        keeping(&sink, Duration::from_millis(300), "slow").await;
    });
}

/// As Primary, beside going direct and nginx.
async fn passing(sink: &Sink, time: Duration, rounds: u64) {
    let (gate, nginx) = (Gate::primary(sink).await, Nginx::start(sink));
    let mut ways = vec![("direct", sink.address.clone(), "/data")];
    match &nginx {
        Some(nginx) => ways.push(("nginx", nginx.address.clone(), "/data")),
        None => println!("nginx is not installed, and is skipped"),
    }
    ways.push(("gate", gate.address.clone(), "/egress/d/data"));

    let mut speeds = vec![Vec::new(); ways.len()];
    for _ in 0..rounds {
        for (way, (_, address, path)) in ways.iter().enumerate() {
            let load = Load { address, path, bytes: PASSED_BYTES, connections: PASSING, pace: Pace::Full };
            speeds[way].push(load.run(time).await.per_second());
        }
    }
    println!("POST of {PASSED_BYTES} bytes, {PASSING} connections, {rounds} rounds of {} s:", time.as_secs());
    for ((name, ..), speeds) in ways.iter().zip(&speeds) {
        println!("  {name:6} {:>7.0}/s [{:.0}–{:.0}]", median(speeds), low(speeds), high(speeds));
    }
    if nginx.is_some() {
        let ratios: Vec<f64> =
            speeds[2].iter().zip(&speeds[1]).map(|(gate, nginx)| gate / nginx * 100.0).collect();
        println!("  gate to nginx {:.0} % [{:.0}–{:.0} %]", median(&ratios), low(&ratios), high(&ratios));
    }

    // Faster than one request in 2 ms on each connection cannot be paced.
    let half = (median(&speeds[0]) / 2.0).min(PASSING as f64 * 500.0);
    for rate in [half, 1_000.0] {
        println!("at {rate:.0}/s:");
        for (name, address, path) in &ways {
            let pace = Pace::Each(Duration::from_secs_f64(PASSING as f64 / rate));
            let load = Load { address, path, bytes: PASSED_BYTES, connections: PASSING, pace };
            let seen = load.run(time).await;
            println!(
                "  {name:6} {:>7.0}/s, p50 {:.2} ms, p99 {:.2} ms",
                seen.per_second(),
                seen.quantile_ms(0.5),
                seen.quantile_ms(0.99)
            );
        }
    }
}

/// As Hot Secondary, and then promoted; what is kept goes to this path of the destination.
async fn keeping(sink: &Sink, time: Duration, path: &str) {
    let gate = Gate::hot_secondary(sink).await;
    let load = Load {
        address: &gate.address,
        path: &format!("/egress/d/{path}"),
        bytes: KEPT_BYTES,
        connections: KEEPING,
        pace: Pace::Full,
    };
    let seen = load.run(time).await;
    println!(
        "kept on disk, {KEPT_BYTES} bytes, {KEEPING} connections: {:.0}/s, p50 {:.1} ms, p99 {:.1} ms",
        seen.per_second(),
        seen.quantile_ms(0.5),
        seen.quantile_ms(0.99)
    );
    let waiting = gate.waiting().await;
    let began = clock::now().uptime;
    gate.promote().await;
    while gate.waiting().await > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = clock::now().uptime.since(began).as_secs_f64();
    println!("sent to /{path} after a promotion: {waiting} in {took:.1} s, {:.0}/s", waiting as f64 / took);
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

fn median(values: &[f64]) -> f64 {
    sorted(values)[values.len() / 2]
}

fn low(values: &[f64]) -> f64 {
    sorted(values)[0]
}

fn high(values: &[f64]) -> f64 {
    sorted(values)[values.len() - 1]
}
