//! Why a half could not run.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::{
    auth::IssuerError,
    egress, endpoint,
    registration::StartError,
    store::{FolderError, StoreError},
    tls::TlsError,
};

/// Why a half could not run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The address is taken, or not this machine's.
    #[error(
        "cannot listen on {address} (another server may use it, or this machine may not have it; choose with --listen)"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// It would be open to its network.
    #[error(
        "{listen} can be reached from the network: a server there needs TLS (--tls-cert and --tls-key, or \
         --tls-self-signed) and a login (client-failover user add NAME --role administrator), and {missing}; \
         --insecure allows it all the same"
    )]
    Exposed {
        /// Where it would listen.
        listen: SocketAddr,
        /// What is missing.
        missing: &'static str,
    },
    /// TLS cannot be used as it was asked for.
    #[error("TLS cannot be used")]
    Tls(#[from] TlsError),
    /// The OpenID provider cannot be asked.
    #[error("the OpenID provider of --oidc-issuer cannot be asked")]
    Issuer(#[from] IssuerError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A server uses the data folder whose key is to be rotated.
    #[error(
        "a server uses the data folder {}: stop it, rotate the key, and start it again (an adapter that is stopped hands its role over)",
        .0.display()
    )]
    Running(PathBuf),
    /// There is nothing whose key could be rotated.
    #[error("{} is no data folder of a server", .0.display())]
    NoData(PathBuf),
    /// The store cannot be opened.
    #[error("the store cannot be opened")]
    Store(#[from] StoreError),
    /// The registration cannot start.
    #[error("the registration cannot start")]
    Registration(#[from] StartError),
    /// The egress gate cannot start.
    #[error("the egress gate cannot start")]
    Egress(#[from] egress::OpenError),
    /// The failover endpoint cannot start.
    #[error("the failover endpoint cannot start")]
    Endpoint(#[from] endpoint::OpenError),
    /// The system refused something.
    #[error("the system refused")]
    System(#[from] io::Error),
}
