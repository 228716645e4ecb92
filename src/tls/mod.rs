//! TLS: what this server shows of itself, and whom its clients trust beside the system's authorities.
//!
//! Promises: TLS 1.2 at the least, with ring as the only provider; a certificate and its key are shown
//! together or not at all; when their files change, new connections get the new ones, and those that
//! are open stay open. A certificate that ends soon, or has ended, is said loudly.
//!
//! Does not: check who a client is (that is `auth`), or ask any authority whether a certificate was
//! withdrawn. It imports only `domain` and `clock`.

mod authorities;
mod certificate;
mod error;
pub mod handshake;
mod self_signed;
mod shown;

pub use authorities::Authorities;
pub use certificate::Files;
pub use error::TlsError;
pub use self_signed::{files as self_signed_files, make as self_signed, names as self_signed_names};
pub use shown::Shown;
