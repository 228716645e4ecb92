//! The document of the interfaces: that it is whole, that it says what is so, and that nobody who takes it at its word
//! is surprised.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(unreachable_pub, reason = "a test crate has no public interface")]

#[path = "../support/mod.rs"]
mod support;

mod document;
mod word;
