//! The HTTP interfaces: adapter, failover endpoint, health, and the page for people.
//!
//! Promises: every answer that refuses has a body that says why, in the shape of the interface it
//! belongs to; paths match in any case, with or without a trailing slash. Handlers read the
//! published Standing or the store; they never ask a worker a question.
//!
//! It may import every room but `settings`, `app` and `cli`.

pub mod adapter;
pub mod components;
pub mod data_endpoints;
pub mod endpoint;
mod events;
pub mod gate;
pub mod health;
pub mod kit;
mod live;
pub mod order;
pub mod page;
mod paging;
mod serve;

pub use serve::serve;
