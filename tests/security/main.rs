//! Nobody is let in who should not be: TLS, logins, pages of others, hostile input.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]
#![allow(unreachable_pub, reason = "a test crate has no public interface")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/json.rs"]
mod json;

#[path = "../egress/sink.rs"]
mod sink;

mod audit;
mod bodies;
mod browsers;
mod gate;
mod guarded;
mod hostile;
mod limits;
mod listening;
mod logins;
mod ownership;
mod paths;
mod planted;
mod prompt;
mod routes;
mod tls;
mod tokens;
