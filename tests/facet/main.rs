//! Every rule of the facet, through a real socket: one row a rule.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(unreachable_pub, reason = "a test crate has no public interface")]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod components;
mod diagnostics;
mod http;
mod rest;
mod secret_store;
mod secrets;
mod shapes;
mod table;
mod values;
