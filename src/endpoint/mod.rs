//! The failover endpoint that we host: groups, sessions, heartbeats, roles.
//!
//! Promises: in a group of native members that follow step-down, no two hold permission to act at
//! the same instant (R1, R3 and R4 of the design); what a member was answered is on disk before the
//! answer; a heartbeat that changes nothing costs no write. The boot clock is trusted to run within
//! 5 % of true, and to count suspend; wall time is trusted for nothing but records and epochs.
//!
//! Does not promise: that a stock member stops when it is told, or knows when its lease is over.
//! There the epoch on the data is the defence. It does not fence anybody itself.
//!
//! It may import `domain`, `clock`, `service`, `metrics`, `crowd` and `store`; `machine` imports `domain` alone.

mod driver;
pub mod machine;
mod mark;
mod metrics;
mod sign;

pub use driver::{Call, CallError, Created, Endpoint, Full, GroupEvent, Listener, OpenError, Settings};
pub use machine::Choosing;
pub use mark::Mark;
pub use metrics::Heard;
