//! What was answered is still there: after kill -9, on a full disk, with the wrong key, years later.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(unreachable_pub, reason = "a test crate has no public interface")]

#[path = "../support/mod.rs"]
mod support;

mod backup;
mod crash;
mod database;
mod disk;
mod folder;
mod groups;
mod history;
mod key;
mod planted;
mod rotation;
mod stop;
