//! What whoever installs and keeps a server uses: the check, and what a service manager hears.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(unreachable_pub, reason = "a test crate has no public interface")]

#[path = "../support/mod.rs"]
mod support;

mod check;
mod packaging;
mod service;
