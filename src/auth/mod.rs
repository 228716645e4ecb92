//! Who may do what: users, their passwords, and what a login costs.
//!
//! Promises: a password is checked against argon2id and kept nowhere, not in memory either: a login that
//! was verified is known again by a keyed hash, for five minutes and no longer than its account stays as
//! it is; after that, that it was right is known as long as the account, so that it is verified apart from guesses. Whether a user exists cannot be told from an answer or how long it took: a login of nobody
//! costs one verification, too. Who guesses is slowed by the name that he guesses and by where he is, also many times at one
//! moment, and whoever is elsewhere, or was let in before, is not. A token is a login if a
//! private key of the issuer signed it, for this audience and time; while the issuer does not answer, its keys
//! go on to count. Passwords and signatures are checked apart from the threads that answer requests, a few at once.
//!
//! Does not: know routes or what they demand (`http` does), or encrypt anything: without TLS a password
//! can be read on its way. It imports only `domain`, `clock`, `crowd`,
//! `store` and `tls`; `issuer.rs` alone speaks HTTP.

pub mod basic;
mod directory;
mod issuer;
mod logins;
pub mod machine;
mod memory;
mod password;
pub mod token;
mod tokens;
mod users;

pub use issuer::{Issuer, IssuerError};
pub use logins::{Denied, Login, Logins};
pub use users::{UserChange, UserError, change_users, list_users};
