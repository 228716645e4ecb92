//! Failover for data collectors: two adapters, one Primary, nothing lost.
//!
//! Two halves speak to each other over HTTP. The adapter half (`client-failover serve`) keeps the
//! client failover configuration, registers this adapter with a failover endpoint and remembers
//! what it observed. The endpoint half (`client-failover endpoint`) hands out the roles.
//!
//! A folder is a room; its `mod.rs` opens with what the room promises and what it may not import.
//! ARCHITECTURE.md has the map.

pub mod app;
pub mod audit;
pub mod auth;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod collector;
pub mod command;
pub mod crowd;
pub mod demo;
pub mod domain;
pub mod egress;
pub mod endpoint;
pub mod http;
pub mod login;
pub mod metrics;
pub mod orders;
mod recorder;
pub mod registration;
pub mod reports;
pub mod service;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod wire;
