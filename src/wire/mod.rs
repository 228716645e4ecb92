//! JSON shapes of both interfaces, to and from `domain`.
//!
//! Promises: members are read in any case and written in PascalCase, in the documents' order; every
//! fault of a body is found, not the first; what is read becomes a domain value or a fault that
//! names its member. It imports only `domain`.
//!
//! Does not: know paths, statuses or headers; those are `http`'s and the clients'.

mod access;
pub mod access_control;
pub mod audit;
pub mod component;
pub mod configuration;
mod coverage;
pub mod data_endpoint;
pub mod egress;
pub mod endpoint;
pub mod endpoint_answer;
pub mod error;
pub mod events;
pub mod group;
pub mod heartbeat;
pub mod members;
pub mod order;
pub mod overview;
mod receipt;
pub mod registration;
pub mod request;
pub mod schema;
pub mod secret;
pub mod state;
