//! What an operator should know about the server itself, for as long as it lasts.

use std::{net::SocketAddr, sync::Arc};

use crate::{auth::Logins, clock, domain::Wall, tls::Shown};

/// What an operator should know about the server itself. Clones share it.
#[derive(Debug, Clone)]
pub struct Notices(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    listen: SocketAddr,
    certificate: Option<Arc<Shown>>,
    logins: Logins,
}

impl Notices {
    /// About a server that listens on `listen`, shows `certificate` and lets `logins` in.
    #[must_use]
    pub fn new(listen: SocketAddr, certificate: Option<Arc<Shown>>, logins: Logins) -> Self {
        Self(Arc::new(Inner { listen, certificate, logins }))
    }

    /// What there is to know now, each a sentence.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let Inner { listen, certificate, logins } = &*self.0;
        let missing = match (certificate.is_some(), logins.needed()) {
            _ if listen.ip().to_canonical().is_loopback() => None,
            (true, true) => None,
            (false, true) => Some("TLS: passwords and everything else can be read on the way"),
            (true, false) => Some("a login: whoever reaches it can read and change everything"),
            (false, false) => {
                Some("TLS and without a login: whoever reaches it can read and change everything")
            }
        };
        let exposed =
            missing.map(|what| format!("This server listens on {listen} without {what} (--insecure)."));
        let certificate = certificate.iter().flat_map(|shown| shown.warnings(clock::now().wall));
        exposed.into_iter().chain(certificate).collect()
    }

    /// When the certificate that is shown ends, if one is shown.
    #[must_use]
    pub fn certificate_ends(&self) -> Option<Wall> {
        self.0.certificate.as_ref().map(|shown| shown.ends())
    }

    /// Whether one of them is that something has failed already.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.0.certificate.as_ref().is_some_and(|shown| shown.has_ended(clock::now().wall))
    }
}
