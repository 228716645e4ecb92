//! The audit trail's refusals: what was refused, to whom, from where.
//!
//! Promises: a refusal is written at once where it is news, and not given up while the store refuses it; it is counted
//! where it repeats, so that a flood of refusals fills no disk and hides none of another sort.
//!
//! Does not: write what somebody changed (the store does, with the change and in one transaction), or keep what was not
//! written when the process is killed. It imports domain, clock and store.

mod driver;
mod machine;

pub use driver::{Keeper, Trail};
