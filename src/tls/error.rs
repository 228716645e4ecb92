//! Why TLS cannot be used as it was asked for.

use std::{io, path::PathBuf};

use rustls::pki_types::pem;

/// Why TLS cannot be used as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not the PEM that it should be.
    #[error("{} is not PEM text with {expected}", .path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What was found.
        source: pem::Error,
    },
    /// A certificate cannot be understood.
    #[error("a certificate in {} cannot be understood: {why}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What about it.
        why: String,
    },
    /// Certificate and key do not belong together, or the key is of no kind that is known.
    #[error("the certificate {} and the key {} cannot be used together", .certificate.display(), .key.display())]
    Unfit {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What TLS said.
        source: rustls::Error,
    },
    /// Of the self-signed certificate and its key only one is there.
    #[error("{} is missing; remove {} too, and both are made anew", .missing.display(), .other.display())]
    Half {
        /// What is missing.
        missing: PathBuf,
        /// What is there.
        other: PathBuf,
    },
    /// A self-signed certificate could not be made.
    #[error("no self-signed certificate could be made")]
    NotMade(#[from] rcgen::Error),
    /// A self-signed certificate could not be written.
    #[error("{} could not be written", .path.display())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// TLS itself could not be set up.
    #[error("TLS could not be set up")]
    NotSetUp(#[from] rustls::Error),
}
