//! Keeps this adapter registered with its failover endpoint.
//!
//! Promises: the published Standing permits to act only as long as an answered heartbeat allows
//! (0.9 T from just before it was sent, less the time to fence), unless the endpoint-loss policy keeps
//! the role, which is said loudly; a change of the configuration takes effect at once and overtakes
//! calls that hang; every change of role is written down with its one reason.
//!
//! Does not: fence anything itself. A collector that goes on past the deadline is the collector
//! room's to stop. Wall time is never compared with another machine's; `acting_until` is uptime.
//!
//! `machine` decides, `driver` does, `client` and `listener` speak HTTP; `look` asks an endpoint for whoever sets up.

mod client;
mod driver;
mod listener;
mod look;
pub mod machine;
mod metrics;
mod redact;

pub use client::{ClientError, EndpointClient};
pub use driver::{Obedience, Registration, StartError};
pub use look::{LookError, Looked, look};
pub use metrics::Calls;
