//! Never two, someone soon: real processes over a real network that is broken on purpose, judged by a sink.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(unreachable_pub, reason = "a test crate has no public interface")]

#[path = "../plant/mod.rs"]
mod plant;
#[path = "../support/mod.rs"]
mod support;

mod chaos;
mod clocks;
mod disk;
mod endpoint;
mod judging;
mod members;
mod network;
mod partitions;
