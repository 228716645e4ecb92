//! What is reported of the collector's source: components, probes, and the score they come to.
//!
//! Promises: a report counts for its time to live by the boot clock, and not a moment longer, whoever hangs;
//! the published [`Health`](crate::domain::Health) is what the collector's supervisor says, completed by what components report
//! and probes see; what a component counts as is written down when it changes, once for each status while it
//! flaps. Reports live in memory: after a restart a collector reports again, and until then the score is that
//! of an adapter of which nothing is known.
//!
//! Does not: decide about roles, look at a collector that the order keeps from running, or believe a report
//! against its supervisor. It imports only `domain`, `clock`, `command`, `tls`,
//! `store` and `recorder`.
//!
//! `machine` decides, `driver` does, `probe` looks.

mod driver;
pub mod machine;
mod probe;

pub use driver::{Obeyers, Reports};
pub use machine::{MOST_COMPONENTS, ReportError};
pub use probe::look_once;
