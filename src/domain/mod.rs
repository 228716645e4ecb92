//! Values that cannot be wrong.
//!
//! Promises: a value of a type in this room is within its limits, because its constructor is the
//! only way to it; constructors report what is wrong, never only that something is.
//!
//! Does not: read or write, wait, ask for the time, or serialize. JSON is `wire`'s, rows are
//! `store`'s. It imports no other room.

mod fault;
mod heartbeat;
mod role;
mod text;
mod time;
mod timeout;

pub use fault::{Fault, Faults};
pub use heartbeat::{GroupDraft, Heartbeat, HeartbeatAnswer, NativeHeartbeat};
pub use role::{ClientRole, Epoch, FailoverScore, Mode, Role};
pub use text::{
    ConfigurationId, DESCRIPTION_LIMIT, Description, GroupId, Incarnation, NAME_LIMIT, Name, SessionId,
    TextError,
};
pub use time::{BootId, Now, Uptime, Wall};
pub use timeout::{FailoverTimeout, TimeoutError, format_span, parse_span};
