//! How a server shows itself and whom it lets in: TLS, names, and what is allowed without protection.

use std::path::PathBuf;

use super::{
    source::{SettingsError, Source},
    value::Value,
};

/// How a server shows itself and whom it lets in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listening {
    /// The certificate it shows; without one it speaks plain http.
    pub certificate: Option<Certificate>,
    /// A file of authorities that its own calls trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Names by which it may be called, beside localhost and its own address.
    pub allow_host: AllowedHosts,
    /// Whose tokens are logins, too.
    pub oidc: Option<Oidc>,
    /// Whether it may listen to the network without TLS and login.
    pub insecure: bool,
}

/// An OpenID provider whose tokens are logins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oidc {
    /// Its address, exactly as its tokens name it.
    pub issuer: String,
    /// What its tokens for this server are for.
    pub audience: String,
    /// The claim that has the roles.
    pub role_claim: String,
}

/// Where a certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// From two files in PEM.
    Files {
        /// The certificate, with its chain.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// Made by the server itself, and kept in the data folder.
    SelfSigned,
}

/// What one source says about it; nothing where it is silent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the setting of the same name")]
pub struct ListeningPartial {
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub tls_self_signed: Option<bool>,
    pub ca_file: Option<PathBuf>,
    pub allow_host: Option<AllowedHosts>,
    pub oidc_issuer: Option<String>,
    pub oidc_audience: Option<String>,
    pub oidc_role_claim: Option<String>,
    pub insecure: Option<bool>,
}

impl ListeningPartial {
    pub(super) fn take(source: &mut impl Source) -> Self {
        Self {
            tls_cert: source.take("tls_cert"),
            tls_key: source.take("tls_key"),
            tls_self_signed: source.take("tls_self_signed"),
            ca_file: source.take("ca_file"),
            allow_host: source.take("allow_host"),
            oidc_issuer: source.take("oidc_issuer"),
            oidc_audience: source.take("oidc_audience"),
            oidc_role_claim: source.take("oidc_role_claim"),
            insecure: source.take("insecure"),
        }
    }

    pub(super) fn or(self, weaker: Self) -> Self {
        Self {
            tls_cert: self.tls_cert.or(weaker.tls_cert),
            tls_key: self.tls_key.or(weaker.tls_key),
            tls_self_signed: self.tls_self_signed.or(weaker.tls_self_signed),
            ca_file: self.ca_file.or(weaker.ca_file),
            allow_host: self.allow_host.or(weaker.allow_host),
            oidc_issuer: self.oidc_issuer.or(weaker.oidc_issuer),
            oidc_audience: self.oidc_audience.or(weaker.oidc_audience),
            oidc_role_claim: self.oidc_role_claim.or(weaker.oidc_role_claim),
            insecure: self.insecure.or(weaker.insecure),
        }
    }

    /// The settings, with defaults where nothing was said.
    pub(super) fn complete(self) -> Result<Listening, SettingsError> {
        let fault = |text: &str| Err(SettingsError::one(text.to_owned()));
        let certificate = match (self.tls_cert, self.tls_key, self.tls_self_signed.unwrap_or_default()) {
            (None, None, false) => None,
            (None, None, true) => Some(Certificate::SelfSigned),
            (Some(certificate), Some(key), false) => Some(Certificate::Files { certificate, key }),
            (Some(_), None, _) => return fault("tls_cert needs tls_key, the file of its private key"),
            (None, Some(_), _) => return fault("tls_key needs tls_cert, the file of its certificate"),
            (Some(_), Some(_), true) => {
                return fault(
                    "tls_self_signed and tls_cert exclude each other: a server shows one certificate",
                );
            }
        };
        let role_claim = self.oidc_role_claim.unwrap_or_else(|| "roles".to_owned());
        let oidc = match (self.oidc_issuer, self.oidc_audience) {
            (None, None) => None,
            (Some(issuer), Some(audience)) => Some(Oidc { issuer, audience, role_claim }),
            (Some(_), None) => {
                return fault("oidc_issuer needs oidc_audience, what tokens for this server are for");
            }
            (None, Some(_)) => return fault("oidc_audience needs oidc_issuer, the provider of the tokens"),
        };
        Ok(Listening {
            certificate,
            oidc,
            ca_file: self.ca_file,
            allow_host: self.allow_host.unwrap_or_default(),
            insecure: self.insecure.unwrap_or_default(),
        })
    }
}

/// Names of this server, in lower case, without ports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// The names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl Value for AllowedHosts {
    const EXPECTED: &'static str =
        "a list of host names without ports, such as failover.plant.example,10.0.0.5";

    fn read(text: &str) -> Option<Self> {
        let names = text.split(',').map(|name| {
            let name = name.trim().to_ascii_lowercase();
            // An IPv6 address may be written with or without its brackets.
            let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&name);
            let address = bare.parse::<std::net::IpAddr>().is_ok();
            let labels = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
            (address || (labels && !name.is_empty())).then(|| bare.to_owned())
        });
        names.collect::<Option<Vec<_>>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_whole_or_not_there() {
        let said = |cert: bool, key: bool, own: Option<bool>| {
            let partial = ListeningPartial {
                tls_cert: cert.then(|| "c".into()),
                tls_key: key.then(|| "k".into()),
                tls_self_signed: own,
                ..ListeningPartial::default()
            };
            partial.complete().map(|listening| listening.certificate).map_err(|error| error.to_string())
        };
        assert_eq!(said(false, false, None), Ok(None));
        assert_eq!(said(false, false, Some(true)), Ok(Some(Certificate::SelfSigned)));
        let files = Certificate::Files { certificate: "c".into(), key: "k".into() };
        assert_eq!(said(true, true, Some(false)), Ok(Some(files)));
        for (cert, key, own, names) in [
            (true, false, None, "tls_cert needs tls_key"),
            (false, true, None, "tls_key needs tls_cert"),
            (true, true, Some(true), "exclude each other"),
        ] {
            assert!(said(cert, key, own).is_err_and(|error| error.contains(names)), "{names}");
        }
    }

    #[test]
    fn allowed_hosts_are_names_and_addresses_without_ports() {
        let read = |text| AllowedHosts::read(text).map(|hosts| hosts.0.join(" "));
        assert_eq!(
            read("Failover.Plant.example, 10.0.0.5").as_deref(),
            Some("failover.plant.example 10.0.0.5")
        );
        assert_eq!(read("[fd00::1],fd00::2").as_deref(), Some("fd00::1 fd00::2"));
        for wrong in ["", "a,,b", "a:5590", "http://a", "a/b", "*"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
