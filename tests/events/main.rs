//! The stream of a group's events: what it tells, when it ends, and that nothing but speed depends on it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "../support/mod.rs"]
mod support;

mod handover;
mod misbehaving;
mod streams;
mod watching;
