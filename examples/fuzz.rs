//! Throws bytes at every parser of outside bytes, for as long as one likes: `--seconds 600 --seed 7`. It ends with the
//! first panic, after it has said which bytes; and says how much memory it took in the end.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]
#![allow(clippy::unwrap_used, reason = "what the parsers need is made, or nothing can be tried")]

#[path = "../tests/fuzz/answers.rs"]
mod answers;
#[path = "../tests/fuzz/maker.rs"]
mod maker;
#[path = "../tests/fuzz/parsers.rs"]
mod parsers;

use std::{fs, panic, process::ExitCode, time::Duration};

use client_failover::clock;
use maker::Maker;
use parsers::PARSERS;

/// Memory that a few thousand cases may leave behind.
const MOST_MIB: u64 = 256;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |flag: &str, default: u64| {
        let value = words.iter().position(|word| word == flag).and_then(|at| words.get(at + 1));
        value.and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (seconds, seed) = (number("--seconds", 60), number("--seed", 1));
    let end = clock::now().uptime + Duration::from_secs(seconds);
    let (mut maker, mut cases) = (Maker::new(seed), 0_u64);
    while clock::now().uptime < end {
        let bytes = maker.bytes();
        for (what, parse) in PARSERS {
            if panic::catch_unwind(|| parse(&bytes)).is_err() {
                eprintln!(
                    "{what} panicked at case {cases} of seed {seed}: {:?}",
                    String::from_utf8_lossy(&bytes)
                );
                return ExitCode::FAILURE;
            }
        }
        cases += 1;
    }
    let mib = peak_mib();
    println!("{cases} cases for each of {} parsers, no panic, {mib} MiB at the most", PARSERS.len());
    if mib < MOST_MIB { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The most memory that the process had, as the kernel tells it.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
