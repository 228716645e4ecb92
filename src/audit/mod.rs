//! The audit trail: who changed what, from where, and what was refused.
//!
//! Promises: what somebody did is written once, in order, and not given up while the store refuses it; a refusal is
//! written at once where it is news, and counted where it repeats, so that a flood of refusals fills no disk and hides
//! none of another sort.
//!
//! Does not: write what is written with its change, in one transaction (configuration, secrets, users, the key: that is
//! the store's), or keep what was not written when the process is killed. It imports domain, clock and store.

mod driver;
mod machine;

pub use driver::{Keeper, Trail};
