//! What a service manager is told, by systemd's notify protocol: ready, stopping, how it stands, and that it lives.
//!
//! Promises: it is told that the process lives only while every loop that is watched has gone round since it was
//! told so last; a loop that hangs, or a process that does, is noticed. Where no manager asks (`NOTIFY_SOCKET`),
//! nothing is done. It imports only `clock`.
//!
//! Does not: watch what waits for a disk: a process that renews its Primaries from memory must not be ended because
//! a disk hangs. So no loop that is watched waits for one.

mod manager;
mod pulse;

pub use manager::{Manager, VARIABLES};
pub use pulse::{Pulse, Rounds};
