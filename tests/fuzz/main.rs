//! No bytes from outside make a parser panic, and none cost more than their length allows.
//! `cargo run --release --example fuzz` goes on for as long as one likes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod answers;
mod maker;
mod parsers;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use maker::Maker;
use parsers::PARSERS;
use peak_alloc::PeakAlloc;
use rustix::time::{ClockId, clock_gettime};

/// Enough for some seconds; the example goes on.
const CASES: u64 = 1_000;

/// Counts what is allocated.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// One test at a time: what is counted is the whole process's.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn no_parser_of_outside_bytes_panics() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut maker = Maker::new(1);
    for case in 0..CASES {
        let bytes = maker.bytes();
        for (what, parse) in PARSERS {
            let parsed = std::panic::catch_unwind(|| parse(&bytes));
            assert!(parsed.is_ok(), "{what}, case {case}: {:?}", String::from_utf8_lossy(&bytes));
        }
    }
}

/// What repeats, and is hard on one parser or another.
const REPEATED: [&[u8]; 14] = [
    b"[",
    b"{\"a\":",
    b"[{},",
    b"{},",
    b"\"\\u0000",
    b"data: x\n",
    b"{{",
    b"1",
    b"\"a\":1,",
    b"&a=%20",
    b"/..",
    b"te,",
    b"a = [[1]]\n",
    b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
];

/// Bodies are at most 1 MiB.
const LONGEST: usize = 1024 * 1024;

/// Bytes of memory that a byte of a body may cost while it is read: one element of an array of JSON, two bytes, is a
/// value of its own.
const MEMORY_FOR_A_BYTE: usize = 96;

/// What an operator writes himself may cost more.
const OF_OPERATORS: [&str; 4] =
    ["a settings file", "settings in the environment", "a certificate and its key", "an authority"];

/// How much more work four times as many bytes may be: four times as much if it is in proportion, sixteen times if
/// each byte costs in proportion to all the others.
const FOUR_TIMES: u32 = 9;

/// Work that is too little to be compared.
const HARDLY_ANY: Duration = Duration::from_millis(20);

/// The processor's time that this thread has had.
fn work_done() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap(), now.tv_nsec.try_into().unwrap())
}

/// How much work it is to read these bytes.
fn work(parse: fn(&[u8]), bytes: &[u8]) -> Duration {
    let before = work_done();
    parse(bytes);
    work_done() - before
}

/// Whether all of it is work in proportion to a quarter of it: at one time of three, since a machine that is busy makes
/// work look like more.
fn is_in_proportion(parse: fn(&[u8]), whole: &[u8]) -> bool {
    (0..3).any(|_| {
        let quarter = work(parse, &whole[..whole.len() / 4]);
        work(parse, whole) <= quarter.max(HARDLY_ANY) * FOUR_TIMES
    })
}

#[test]
fn what_is_read_costs_memory_and_work_in_proportion_to_its_length() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut faults = Vec::new();
    for (what, parse) in PARSERS.iter().filter(|(what, _)| !OF_OPERATORS.contains(what)) {
        // What is made once and kept is made before.
        parse(b"");
        for part in REPEATED {
            let said = String::from_utf8_lossy(part);
            let whole = part.repeat(LONGEST / part.len());
            let before = ALLOCATOR.current_usage();
            ALLOCATOR.reset_peak_usage();
            parse(&whole);
            let taken = ALLOCATOR.peak_usage().saturating_sub(before);
            if taken > MEMORY_FOR_A_BYTE * LONGEST {
                faults.push(format!("{what} takes {taken} bytes for many {said:?}"));
            }
            if !is_in_proportion(*parse, &whole) {
                faults.push(format!("{what} is more work than in proportion for many {said:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}
