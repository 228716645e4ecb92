//! The HTTP interfaces: adapter, failover endpoint, health, and the page for people.
//!
//! Promises: every answer that refuses has a body that says why, in the shape of the interface it
//! belongs to; paths match in any case, with or without a trailing slash. Handlers read the
//! published Standing or the store; they never ask a worker a question.
//!
//! It may import every room but `settings`, `app` and `cli`.

pub mod access;
mod access_control;
pub mod adapter;
pub mod audit;
mod caller;
pub mod components;
mod crowd;
pub mod data_endpoints;
mod door;
pub mod endpoint;
mod events;
mod facet;
pub mod gate;
pub mod health;
mod hosts;
mod interfaces;
pub mod kit;
mod live;
pub mod metrics;
mod notices;
pub mod openapi;
pub mod order;
pub mod page;
mod paging;
mod patience;
mod refusals;
mod routes;
pub mod secrets;
mod serve;
mod told;
mod traffic;

pub use caller::Caller;
pub use door::Door;
pub use hosts::{Hosts, Stranger};
pub use interfaces::{AdapterHalf, interfaces};
pub use notices::Notices;
pub use serve::serve;
pub use traffic::Traffic;
