//! No bytes from outside make a parser panic. `cargo run --release --example fuzz` goes on for as long as one likes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod parsers;

use parsers::{Maker, PARSERS};

/// Enough for some seconds; the example goes on.
const CASES: u64 = 5_000;

#[test]
fn no_parser_of_outside_bytes_panics() {
    let mut maker = Maker::new(1);
    for case in 0..CASES {
        let bytes = maker.bytes();
        for (what, parse) in PARSERS {
            let parsed = std::panic::catch_unwind(|| parse(&bytes));
            assert!(parsed.is_ok(), "{what}, case {case}: {:?}", String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn what_is_read_costs_no_more_than_its_length_allows() {
    // Bodies are at most 1 MiB; what is nested deeper than 128 is refused at once.
    for (what, parse) in PARSERS {
        for bytes in [&b"["[..], b"{\"a\":", b"[{},", b"\"\\u0000", b"data: x\n", b"{{", b"1", b"\"a\":1,"] {
            let whole = bytes.repeat(1024 * 1024 / bytes.len());
            let parsed = std::panic::catch_unwind(|| parse(&whole));
            assert!(parsed.is_ok(), "{what} of {:?}", String::from_utf8_lossy(bytes));
        }
    }
}
