//! Who may do what: users, their passwords, and what a login costs.
//!
//! Promises: a password is checked against argon2id and kept nowhere, not in memory either: a login that
//! was verified is known again by a keyed hash for five minutes, and no longer than its account stays as
//! it is. Whether a user exists cannot be told from an answer or how long it took: a login of nobody
//! costs one verification, too. Who guesses is slowed by where he is, and others are not.
//!
//! Does not: know routes or what they demand (`http` does), or encrypt anything: without TLS a password
//! can be read on its way. It imports only `domain`, `clock` and `store`.

mod basic;
mod directory;
mod logins;
pub mod machine;
mod password;
mod users;

pub use logins::{Denied, Logins};
pub use users::{UserChange, UserError, change_users, list_users};
