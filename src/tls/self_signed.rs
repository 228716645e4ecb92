//! A certificate of the server's own, for plants without an authority: made once, and kept.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use jiff::civil::Date;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd};

use super::{Files, TlsError};
use crate::domain::Wall;

/// The names in the data folder.
const CERTIFICATE: &str = "tls-cert.pem";
const KEY: &str = "tls-key.pem";

/// How long it is valid. Who trusts it trusts this very certificate, and changing it means a visit to
/// every machine that does.
const YEARS: i16 = 10;

/// Where the certificate in `folder` is, once it is made.
#[must_use]
pub fn files(folder: &Path) -> Files {
    Files { certificate: folder.join(CERTIFICATE), key: folder.join(KEY) }
}

/// Whom a certificate of its own is for: this machine's loopback, the address `listen`, `host`, and what else it is
/// called by.
#[must_use]
pub fn names(host: &str, listen: IpAddr, allowed: &[String]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !listen.is_unspecified() && !listen.is_loopback() {
        names.push(listen.to_string());
    }
    for name in std::iter::once(host).chain(allowed.iter().map(String::as_str)) {
        // One that no certificate can carry is left out: it is reached by address.
        if !names.iter().any(|other| other.eq_ignore_ascii_case(name))
            && CertificateParams::new([name.to_owned()]).is_ok()
        {
            names.push(name.to_owned());
        }
    }
    names
}

/// The certificate in `folder`, which is made for `names` on `host`, if there is none.
///
/// # Errors
/// When it cannot be made or written, or only half of it is there.
pub fn make(folder: &Path, host: &str, names: Vec<String>, now: Wall) -> Result<Files, TlsError> {
    let files = files(folder);
    match (files.certificate.exists(), files.key.exists()) {
        (true, true) => return Ok(files),
        (false, false) => {}
        (false, true) => return Err(TlsError::Half { missing: files.certificate, other: files.key }),
        (true, false) => return Err(TlsError::Half { missing: files.key, other: files.certificate }),
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, format!("client-failover on {host}"));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let (first, last) = days(now);
    let date = |day: Date| {
        date_time_ymd(i32::from(day.year()), day.month().unsigned_abs(), day.day().unsigned_abs())
    };
    (params.not_before, params.not_after) = (date(first), date(last));
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    // The certificate last: a crash in between leaves half of it, which is said, and nothing is lost.
    write(&files.key, key.serialize_pem().as_bytes())?;
    write(&files.certificate, certificate.pem().as_bytes())?;
    Ok(files)
}

/// The first day (yesterday: other clocks may be behind) and the last.
fn days(now: Wall) -> (Date, Date) {
    let now = jiff::Timestamp::from_microsecond(now.micros()).unwrap_or_default();
    let today = jiff::tz::TimeZone::UTC.to_datetime(now).date();
    let last = today.saturating_add(jiff::Span::new().years(YEARS));
    (today.yesterday().unwrap_or(today), last)
}

fn write(path: &Path, text: &[u8]) -> Result<(), TlsError> {
    let new = path.with_extension("new");
    // One that was left behind may be another's, or open to others.
    fs::remove_file(&new).ok();
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).and_then(|mut file| {
            file.write_all(text)?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
        });
    written.map_err(|source| TlsError::NotWritten { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_for_whatever_its_server_is_called_by() {
        let names = |listen: [u8; 4], allowed: &[&str]| {
            let allowed: Vec<_> = allowed.iter().map(|name| (*name).to_owned()).collect();
            names("plc-a", IpAddr::from(listen), &allowed).join(" ")
        };
        assert_eq!(names([0, 0, 0, 0], &[]), "localhost 127.0.0.1 ::1 plc-a");
        assert_eq!(
            names([10, 0, 0, 5], &["PLC-A", "ep.example"]),
            "localhost 127.0.0.1 ::1 10.0.0.5 plc-a ep.example"
        );
    }

    #[test]
    fn it_is_made_once_for_its_owner_alone_and_never_from_half() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let now = Wall::parse("2028-02-29T12:00:00Z").unwrap_or_default();
        let make = || make(folder.path(), "plc-a", vec!["plc-a".to_owned()], now);
        // What a run before left behind, for all to read.
        let left = folder.path().join("tls-key.new");
        fs::write(&left, "")?;
        fs::set_permissions(&left, fs::Permissions::from_mode(0o644))?;
        let files = make()?;
        let made = fs::read(&files.certificate)?;
        for path in [&files.certificate, &files.key] {
            assert_eq!(fs::metadata(path)?.permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(make()?, files);
        assert_eq!(fs::read(&files.certificate)?, made);
        fs::remove_file(&files.key)?;
        let said = make().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains("tls-key.pem is missing") && said.contains("remove"), "{said}");
        Ok(())
    }
}
