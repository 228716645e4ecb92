//! Tells collectors that listen what role and mode demand of them.
//!
//! Promises: each listener, and the operator's hook, hears each change of the order once, in order, and that
//! the permission to send has ended at its deadline, by the boot clock, even when nobody says so. A hook runs
//! beside everything else, one run at a time, and is killed past its limit; permission that is over by the
//! time its run comes is not told any more.
//!
//! Does not: stop anybody. Who only listens acts on his own until he has heard; who must not, is supervised.
//! An order that came and went while nobody could look is not told. It imports only `domain`, `clock`, `crowd`
//! and `command`.
//!
//! `machine` decides what is a change, `listener` waits for it, `hook` runs the command.

mod hook;
mod listener;
pub mod machine;

pub use hook::Hook;
pub use listener::{Heard, Listener, Orders, TooManyListeners};
