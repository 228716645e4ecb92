//! What can be written on the command line about how a server shows itself and whom it lets in.

use std::path::PathBuf;

use clap::Args;

use crate::settings::{AllowedHosts, ListeningPartial, parse};

#[derive(Debug, Args)]
pub(super) struct ListeningArgs {
    /// Speak https with this certificate and its chain (PEM, read again when it changes)
    #[arg(long, value_name = "FILE", value_parser = parse::<PathBuf>)]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", value_parser = parse::<PathBuf>)]
    tls_key: Option<PathBuf>,
    /// Speak https with a certificate of its own, made once and kept in the data folder [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tls_self_signed: Option<bool>,
    /// Authorities (PEM) that its own calls trust beside the system's
    #[arg(long, value_name = "FILE", value_parser = parse::<PathBuf>)]
    ca_file: Option<PathBuf>,
    /// Names by which clients call it, separated by commas, beside localhost and the address it listens on
    #[arg(long, value_name = "NAMES", value_parser = parse::<AllowedHosts>)]
    allow_host: Option<AllowedHosts>,
    /// The OpenID provider whose tokens are logins, as its tokens name it
    #[arg(long, value_name = "URL", value_parser = parse::<String>)]
    oidc_issuer: Option<String>,
    /// The audience of tokens for this server
    #[arg(long, value_name = "TEXT", value_parser = parse::<String>)]
    oidc_audience: Option<String>,
    /// The claim that has `user` or `administrator` [default: roles]
    #[arg(long, value_name = "CLAIM", value_parser = parse::<String>)]
    oidc_role_claim: Option<String>,
    /// Listen to the network without TLS or login all the same; it warns for as long as it runs [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    insecure: Option<bool>,
}

impl ListeningArgs {
    /// What the command line says about it.
    pub(super) fn settings(self) -> ListeningPartial {
        ListeningPartial {
            tls_cert: self.tls_cert,
            tls_key: self.tls_key,
            tls_self_signed: self.tls_self_signed,
            ca_file: self.ca_file,
            allow_host: self.allow_host,
            oidc_issuer: self.oidc_issuer,
            oidc_audience: self.oidc_audience,
            oidc_role_claim: self.oidc_role_claim,
            insecure: self.insecure,
        }
    }
}
