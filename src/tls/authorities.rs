//! Certificates that are trusted beside the system's: those of a plant's own authority.

use std::{fs, path::Path};

use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::{TlsError, certificate::facts};

/// Certificates that clients trust beside the system's. None unless a file named some.
#[derive(Debug, Clone, Default)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// All certificates of a PEM file, each of which must be one.
    ///
    /// # Errors
    /// When the file cannot be read, has no certificate, or one that cannot be understood.
    pub fn read(path: &Path) -> Result<Self, TlsError> {
        let text = fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })?;
        let not_pem = |source| TlsError::NotPem { path: path.to_owned(), expected: "certificates", source };
        let certificates =
            CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>().map_err(not_pem)?;
        if certificates.is_empty() {
            return Err(not_pem(rustls::pki_types::pem::Error::NoItemsFound));
        }
        for certificate in &certificates {
            facts(path, certificate)?;
        }
        Ok(Self(certificates))
    }

    /// The certificates in DER.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether there are none, so that only the system's are trusted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_authorities_has_certificates_and_nothing_else_will_do()
    -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("ca.pem");
        let one = rcgen::generate_simple_self_signed(["a".to_owned()])?.cert.pem();
        let two = rcgen::generate_simple_self_signed(["b".to_owned()])?.cert.pem();
        fs::write(&path, format!("# the plant's\n{one}{two}"))?;
        assert_eq!(Authorities::read(&path)?.iter().count(), 2);
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for wrong in ["", "certificate", broken] {
            fs::write(&path, wrong)?;
            let said = Authorities::read(&path).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(said.contains("ca.pem"), "{wrong:?}: {said}");
        }
        Ok(())
    }
}
