//! Why the handshake of a call failed, and what to do about it.

use std::{error::Error, io};

use rustls::CertificateError;

/// Why TLS refused, where that is what `error` comes from.
#[must_use]
pub fn refused<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    wrapped(error).or_else(|| refused(error.source()?))
}

/// The TLS error in `error`: it comes wrapped in I/O errors, one or more deep, that show what they
/// wrap but do not name it as their source.
fn wrapped<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref().or_else(|| wrapped(error.downcast_ref::<io::Error>()?.get_ref()?))
}

/// What mends it, as a sentence without its full stop, where that is known.
#[must_use]
pub fn remedy(error: &rustls::Error) -> Option<&'static str> {
    use rustls::Error::{InvalidCertificate, InvalidMessage};
    if matches!(error, InvalidMessage(_)) {
        return Some("It speaks no TLS: write http in its address, or give it a certificate");
    }
    let InvalidCertificate(why) = error else { return None };
    if *why == CertificateError::UnknownIssuer {
        Some(
            "Name the authority of its certificate with --ca-file, or the certificate itself where the server made it for \
             itself",
        )
    } else if matches!(
        why,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
    ) {
        Some("Call it by a name that its certificate has, or give it one that has this name")
    } else if matches!(
        why,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    ) {
        Some("Renew the server's certificate, or set this machine's clock")
    } else {
        None
    }
}
