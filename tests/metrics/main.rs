//! What Prometheus is told, and what `contrib/` makes of it: with real servers, promtool and a real Prometheus.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod contrib;
mod plant;
mod prometheus;
mod promtool;
mod told;

#[path = "../support/mod.rs"]
mod support;
