//! A protected collector: real adapters, guards and collectors, a real endpoint, and what is done to them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(unreachable_pub, reason = "a test crate has no public interface")]

mod ear;
#[path = "../plant/mod.rs"]
mod plant;
mod site;
#[path = "../support/mod.rs"]
mod support;

mod ending;
mod failing;
mod fencing;
mod guard;
mod orders;
