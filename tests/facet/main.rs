//! Every rule of the ClientFailover facet, each a row of a table against a real server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod bodies;
mod case;
mod members;
mod secrets;
