//! The certificate that the server shows, and whether clients can call it by a name that is in it.

use std::{net::SocketAddr, path::Path};

use super::{super::entrance::host, Finding};
use crate::{
    clock,
    domain::chain,
    settings::{Certificate, Listening},
    tls::{self, Files, Shown},
};

const CERTIFICATE: &str = "certificate";

pub(super) async fn all(folder: &Path, listen: SocketAddr, listening: &Listening) -> Vec<Finding> {
    let Some(certificate) = &listening.certificate else { return Vec::new() };
    let own = *certificate == Certificate::SelfSigned;
    let files = match certificate {
        Certificate::Files { certificate, key } => {
            Files { certificate: certificate.clone(), key: key.clone() }
        }
        Certificate::SelfSigned => tls::self_signed_files(folder),
    };
    let (found, names) = if own && !files.certificate.exists() {
        let names = tls::self_signed_names(&host(), listen.ip(), listening.allow_host.names());
        let found = format!("it is made at the next start, for {}", names.join(", "));
        (Finding::good(CERTIFICATE, found), names)
    } else {
        match Shown::load(files).await {
            Ok(shown) => (shows(&shown), shown.names()),
            Err(error) => {
                return vec![Finding::bad(CERTIFICATE, chain(&error), "mend --tls-cert and --tls-key")];
            }
        }
    };
    std::iter::once(found).chain(called(listen, listening, &names, own)).collect()
}

fn shows(shown: &Shown) -> Finding {
    let now = clock::now().wall;
    let warnings = shown.warnings(now).join(" ");
    let renew = "put a new certificate and key in their files; a running server takes them at once";
    match (shown.has_ended(now), warnings.is_empty()) {
        (true, _) => Finding::bad(CERTIFICATE, warnings, renew),
        (false, false) => Finding::doubtful(CERTIFICATE, warnings, renew),
        (false, true) => Finding::good(
            CERTIFICATE,
            format!(
                "for {}; it ends at {}; SHA-256 {}",
                shown.names().join(", "),
                shown.ends(),
                shown.fingerprint()
            ),
        ),
    }
}

/// Whether what clients on the network may call the server by is in its certificate.
fn called(listen: SocketAddr, listening: &Listening, names: &[String], own: bool) -> Option<Finding> {
    let address = listen.ip().to_canonical();
    if address.is_loopback() {
        return None;
    }
    let allowed = listening.allow_host.names();
    let has = |name: &str| names.iter().any(|pattern| covers(pattern, name));
    let mut missing: Vec<_> = allowed.iter().filter(|name| !has(name)).cloned().collect();
    if !address.is_unspecified() && allowed.is_empty() && !has(&address.to_string()) {
        missing.push(address.to_string());
    }
    let loopback =
        |name: &String| name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let by_address = names.iter().any(|name| name.parse::<std::net::IpAddr>().is_ok() && !loopback(name));
    if address.is_unspecified() && allowed.is_empty() && !by_address {
        return Some(Finding::doubtful(
            "names",
            "nobody on the network can call it: no name of the certificate is allowed, and no address of this machine \
             is in it",
            "name what clients call it by with --allow-host",
        ));
    }
    if missing.is_empty() {
        return None;
    }
    let remedy = if own {
        "remove tls-cert.pem and tls-key.pem from the data folder: the next start makes others, and clients need the \
         new tls-cert.pem"
    } else {
        "get a certificate that has them"
    };
    let found = format!("clients call it by {}, which its certificate has not", missing.join(", "));
    Some(Finding::doubtful("names", found, remedy))
}

/// Whether a name of a certificate, which may begin with a `*` for one label, is for `name`.
fn covers(pattern: &str, name: &str) -> bool {
    let any = pattern.strip_prefix("*.").zip(name.split_once('.'));
    pattern.eq_ignore_ascii_case(name) || any.is_some_and(|(rest, (_, of))| rest.eq_ignore_ascii_case(of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{AllowedHosts, Value};

    #[test]
    fn a_server_on_a_network_is_called_by_what_its_certificate_has() {
        for (listen, allowed, certificate, own, said) in [
            ("127.0.0.1:1", "", "x", false, None),
            ("0.0.0.0:1", "", "localhost 127.0.0.1 vm", true, Some("nobody on the network can call it")),
            ("0.0.0.0:1", "", "10.0.0.5", false, None),
            ("0.0.0.0:1", "vm", "localhost vm", true, None),
            ("0.0.0.0:1", "ep.plant.example", "*.plant.example", false, None),
            (
                "0.0.0.0:1",
                "ep.plant.example",
                "*.example",
                false,
                Some("clients call it by ep.plant.example"),
            ),
            ("10.0.0.5:1", "", "10.0.0.5", true, None),
            ("10.0.0.5:1", "", "localhost", true, Some("clients call it by 10.0.0.5")),
        ] {
            let allow_host = AllowedHosts::read(allowed).unwrap_or_default();
            let listening = Listening { allow_host, ..Listening::default() };
            let names: Vec<_> = certificate.split(' ').map(str::to_owned).collect();
            let found = called(listen.parse().unwrap(), &listening, &names, own).map(|finding| finding.found);
            let fits = match (&found, said) {
                (None, None) => true,
                (Some(found), Some(said)) => found.starts_with(said),
                (None, Some(_)) | (Some(_), None) => false,
            };
            assert!(fits, "{listen} {allowed} {certificate}: {found:?}");
        }
    }
}
