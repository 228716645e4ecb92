//! How a server stands in its network: TLS, logins, the names it is called by, and what is warned about
//! for as long as it lasts.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{sync::watch, task::JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{AppError, reminder::remind};
use crate::{
    audit::{Keeper, Trail},
    auth::{Issuer, Logins, token::Expected},
    clock,
    domain::Standing,
    http::{Door, Hosts, Notices},
    settings::{Certificate, Listening, Oidc},
    store::Store,
    tls::{self, Authorities, Files, Shown},
};

/// How a server stands in its network.
pub(super) struct Entrance {
    settings: Listening,
    certificate: Option<Arc<Shown>>,
    logins: Logins,
    issuer: Option<Issuer>,
    authorities: Authorities,
    trail: (Trail, Keeper),
}

/// A server's way in, open.
pub(super) struct Open {
    pub(super) door: Arc<Door>,
    pub(super) tls: Option<TlsAcceptor>,
    notices: Notices,
    certificate: Option<Arc<Shown>>,
    logins: Logins,
    issuer: Option<Issuer>,
    keeper: Option<Keeper>,
}

impl Entrance {
    /// Reads certificates and users, and refuses what would expose the server. No socket is open yet.
    ///
    /// # Errors
    /// When `listen` is not on loopback and TLS or login are missing, or certificates cannot be used.
    pub(super) async fn prepare(
        settings: Listening,
        listen: SocketAddr,
        store: &Store,
    ) -> Result<Self, AppError> {
        let networked = !listen.ip().to_canonical().is_loopback();
        let authorities = settings.ca_file.as_deref().map(Authorities::read).transpose()?;
        let authorities = authorities.unwrap_or_default();
        let issuer = match settings.oidc.clone() {
            Some(Oidc { issuer, audience, role_claim }) => {
                Some(Issuer::new(Expected { issuer, audience, role_claim }, &authorities)?)
            }
            None => None,
        };
        // On a network, removing the last user must not open what was closed.
        let logins = Logins::open(store.clone(), issuer.clone(), networked && !settings.insecure).await?;
        if networked && !settings.insecure {
            refuse_exposure(listen, settings.certificate.is_some(), logins.any())?;
        }
        let files = match &settings.certificate {
            None => None,
            Some(Certificate::Files { certificate, key }) => {
                Some(Files { certificate: certificate.clone(), key: key.clone() })
            }
            Some(Certificate::SelfSigned) => {
                let host = host();
                let names = tls::self_signed_names(&host, listen.ip(), settings.allow_host.names());
                Some(tls::self_signed(store.folder(), &host, names, clock::now().wall)?)
            }
        };
        let certificate = match files {
            Some(files) => Some(Shown::load(files).await?),
            None => None,
        };
        let trail = Trail::new(store.clone());
        Ok(Self { settings, certificate, logins, issuer, authorities, trail })
    }

    /// Whom this server's own calls trust beside the system's authorities.
    pub(super) fn authorities(&self) -> Authorities {
        self.authorities.clone()
    }

    /// What its addresses begin with.
    pub(super) const fn scheme(&self) -> &'static str {
        if self.certificate.is_some() { "https" } else { "http" }
    }

    /// The way in to a server that listens on `listen`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn open(self, listen: SocketAddr) -> Result<Open, AppError> {
        let scheme = self.scheme();
        let Self { settings, certificate, logins, issuer, trail: (trail, keeper), .. } = self;
        let notices = Notices::new(listen, certificate.clone(), logins.clone());
        let hosts = Hosts::new(scheme, listen, settings.allow_host.names());
        let tls = certificate.as_ref().map(Shown::acceptor).transpose()?;
        tracing::info!("listening on {scheme}://{listen}");
        if let Some(shown) = &certificate {
            tracing::info!(sha256 = shown.fingerprint(), "the TLS certificate that is shown");
        }
        let door = Door::new(logins.clone(), hosts, notices.clone(), trail);
        Ok(Open { door, tls, notices, certificate, logins, issuer, keeper: Some(keeper) })
    }
}

impl Open {
    /// Keeps certificate, users and audit trail as they are now, and says again what is warned about, until `stop`.
    pub(super) fn keep(
        &mut self,
        services: &mut JoinSet<io::Result<()>>,
        standing: Option<watch::Receiver<Standing>>,
        stop: &CancellationToken,
    ) {
        if let Some(certificate) = self.certificate.clone() {
            services.spawn(certificate.keep_fresh(stop.clone()));
        }
        services.spawn(self.logins.clone().keep_fresh(stop.clone()));
        if let Some(issuer) = self.issuer.clone() {
            services.spawn(issuer.keep_fresh(stop.clone()));
        }
        if let Some(keeper) = self.keeper.take() {
            services.spawn(keeper.run(stop.clone()));
        }
        services.spawn(remind(self.notices.clone(), standing, stop.clone()));
    }
}

/// What this machine calls itself.
pub(super) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

pub(super) fn refuse_exposure(listen: SocketAddr, tls: bool, login: bool) -> Result<(), AppError> {
    let missing = match (tls, login) {
        (true, true) => return Ok(()),
        (false, true) => "TLS is missing",
        (true, false) => "a login is missing",
        (false, false) => "both are missing",
    };
    Err(AppError::Exposed { listen, missing })
}
