//! A certificate and its key, as they are read from their files.

use std::{
    net::IpAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use ring::digest::{Context, Digest, SHA256, digest};
use rustls::{
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    sign::CertifiedKey,
};
use secrecy::zeroize::Zeroizing;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::TlsError;
use crate::domain::Wall;

/// Where a certificate and its key are, both in PEM. The certificate's file has its chain, too, its own
/// first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate and its chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What both files contain at one moment.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Files {
    /// What the files contain now.
    pub(super) async fn read(&self) -> Result<Contents, TlsError> {
        let read = async |path: &PathBuf| {
            let content = tokio::fs::read(path).await;
            content.map_err(|source| TlsError::Unreadable { path: path.clone(), source })
        };
        Ok(Contents {
            certificate: read(&self.certificate).await?,
            key: Zeroizing::new(read(&self.key).await?),
        })
    }

    /// Whether every account of this machine can read the key.
    pub(super) async fn key_is_open(&self) -> bool {
        tokio::fs::metadata(&self.key).await.is_ok_and(|key| key.mode() & 0o004 != 0)
    }

    /// The certificate that `contents` are.
    pub(super) fn understand(&self, contents: &Contents) -> Result<Certificate, TlsError> {
        let not_pem = |path: &PathBuf, expected| {
            let path = path.clone();
            move |source| TlsError::NotPem { path, expected, source }
        };
        let chain = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(not_pem(&self.certificate, "a certificate"))?;
        let Some(own) = chain.first() else {
            return Err(not_pem(&self.certificate, "a certificate")(pem::Error::NoItemsFound));
        };
        let (not_after, names) = facts(&self.certificate, own)?;
        let fingerprint = hex(digest(&SHA256, own));
        let key =
            PrivateKeyDer::from_pem_slice(&contents.key).map_err(not_pem(&self.key, "a private key"))?;
        let key = CertifiedKey::from_der(chain, key, &default_provider()).map_err(|source| {
            TlsError::Unfit { certificate: self.certificate.clone(), key: self.key.clone(), source }
        })?;
        Ok(Certificate { key: Arc::new(key), not_after, names, fingerprint })
    }
}

impl Contents {
    /// What tells other contents from these, and from which the key cannot be learnt.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(digest(&SHA256, &self.certificate).as_ref());
        context.update(digest(&SHA256, &self.key).as_ref());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        bytes
    }
}

/// A certificate that can be shown.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// When it ends.
    pub(super) not_after: Wall,
    /// The host names and addresses that it is for.
    pub(super) names: Vec<String>,
    /// SHA-256 of its DER, as browsers and openssl show it.
    pub(super) fingerprint: String,
}

/// When a certificate ends, and the host names and addresses that it is for.
pub(super) fn facts(path: &Path, certificate: &CertificateDer<'_>) -> Result<(Wall, Vec<String>), TlsError> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|error| TlsError::Malformed { path: path.to_owned(), why: error.to_string() })?;
    let ends = Wall::from_micros(parsed.validity().not_after.timestamp().saturating_mul(1_000_000));
    let alternatives = parsed.subject_alternative_name().ok().flatten();
    let names = alternatives.into_iter().flat_map(|names| &names.value.general_names);
    Ok((ends, names.filter_map(name).collect()))
}

/// A host name or address, as it stands in a URL's host.
fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(bytes) => Some(IpAddr::from(bytes).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::URI(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    }
}

fn hex(digest: Digest) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}
