//! By which names this server may be called, and which pages may call it: pure.
//!
//! A page of somebody else's can make a browser send requests to a name that it has pointed at this
//! machine (DNS rebinding), or straight to `localhost`. The first kind carries that name as its Host, the
//! second its own page as its Origin.

use std::net::{IpAddr, SocketAddr};

use axum::http::{
    HeaderMap, HeaderValue, Uri,
    header::{HOST, ORIGIN},
    uri::Authority,
};

/// Names by which this server may be called.
#[derive(Debug, Clone)]
pub struct Hosts {
    listen: IpAddr,
    allowed: Vec<String>,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stranger {
    /// It names no host, two, or none that can be read.
    NoHost,
    /// It names a host that this server is not called by.
    Host(String),
    /// It was sent by a page of somebody else.
    Origin(String),
}

impl Hosts {
    /// The names of a server that listens on `listen`: localhost, its address, and `allowed`.
    #[must_use]
    pub fn new(listen: SocketAddr, allowed: &[String]) -> Self {
        Self { listen: listen.ip(), allowed: allowed.to_vec() }
    }

    /// Whether a request is meant for this server, and not sent by a page that is not its own.
    ///
    /// # Errors
    /// When it is not: why.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Stranger> {
        let mut named = headers.get_all(HOST).iter();
        let host = named.next().and_then(authority).ok_or(Stranger::NoHost)?;
        if named.next().is_some() {
            return Err(Stranger::NoHost);
        }
        // An absolute form names the host a second time.
        for named in [Some(&host), uri.authority()].into_iter().flatten() {
            if !is_whole(named) {
                return Err(Stranger::Host(named.to_string()));
            }
            if !self.is_mine(named.host()) {
                return Err(Stranger::Host(named.host().to_owned()));
            }
        }
        headers.get_all(ORIGIN).iter().try_for_each(|origin| self.check_origin(origin, &host))
    }

    fn check_origin(&self, origin: &HeaderValue, host: &Authority) -> Result<(), Stranger> {
        let of = || Stranger::Origin(String::from_utf8_lossy(origin.as_bytes()).into_owned());
        let uri: Uri = origin.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(of)?;
        let (Some("http" | "https"), Some(page)) = (uri.scheme_str(), uri.authority()) else {
            return Err(of());
        };
        // A page on another port of this machine is another's. Names that an operator allowed are ours on
        // any port: a proxy in front may have one of its own.
        let same = page.host().eq_ignore_ascii_case(host.host()) && port(page) == port(host);
        if same || self.allowed.contains(&bare(page.host())) { Ok(()) } else { Err(of()) }
    }

    fn is_mine(&self, host: &str) -> bool {
        let host = bare(host);
        match host.parse::<IpAddr>() {
            // Whoever listens everywhere does not know his addresses; one is never a name that was
            // pointed elsewhere.
            Ok(address) => {
                let address = address.to_canonical();
                address.is_loopback()
                    || address == self.listen.to_canonical()
                    || self.listen.is_unspecified()
                    || self.allowed.contains(&host)
            }
            Err(_) => host == "localhost" || self.allowed.contains(&host),
        }
    }
}

fn authority(value: &HeaderValue) -> Option<Authority> {
    let authority: Authority = value.to_str().ok()?.parse().ok()?;
    (!authority.as_str().contains('@')).then_some(authority)
}

/// Whether there is nothing but a host and a port: what follows brackets is passed over by the parser.
fn is_whole(authority: &Authority) -> bool {
    authority
        .as_str()
        .strip_prefix(authority.host())
        .is_some_and(|port| port.is_empty() || port.starts_with(':'))
}

/// A host in lower case, an IPv6 address without its brackets.
fn bare(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&host).to_owned()
}

/// A port that is not the default of a scheme.
fn port(authority: &Authority) -> Option<u16> {
    authority.port_u16().filter(|port| !matches!(port, 80 | 443))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listen: &str, allowed: &[&str], host: &str, origin: Option<&str>) -> Result<(), Stranger> {
        let listen: SocketAddr = listen.parse().unwrap();
        let allowed: Vec<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        Hosts::new(listen, &allowed).check(&Uri::from_static("/"), &headers)
    }

    #[test]
    fn a_server_answers_to_its_own_names_alone() {
        for (listen, host, mine) in [
            ("127.0.0.1:5590", "127.0.0.1:5590", true),
            ("127.0.0.1:5590", "localhost:5590", true),
            ("127.0.0.1:5590", "LocalHost", true),
            ("127.0.0.1:5590", "127.8.9.1:1", true),
            ("127.0.0.1:5590", "[::1]:5590", true),
            ("127.0.0.1:5590", "[::1].evil.example", false),
            ("127.0.0.1:5590", "10.0.0.5:5590", false),
            ("10.0.0.5:5590", "10.0.0.5:5590", true),
            ("10.0.0.5:5590", "10.0.0.6:5590", false),
            ("0.0.0.0:5590", "10.0.0.6:5590", true),
            ("[::]:5590", "[fd00::1]:5590", true),
            ("0.0.0.0:5590", "evil.example", false),
            ("127.0.0.1:5590", "evil.example:5590", false),
            ("127.0.0.1:5590", "localhost.evil.example", false),
            ("127.0.0.1:5590", "127.0.0.1.evil.example", false),
            ("127.0.0.1:5590", "plant.example:443", true),
        ] {
            let allowed = check(listen, &["plant.example"], host, None);
            assert_eq!(allowed.is_ok(), mine, "{listen} called {host}: {allowed:?}");
        }
        for host in ["", "a b", "user@localhost"] {
            assert_eq!(check("127.0.0.1:5590", &[], host, None), Err(Stranger::NoHost), "{host}");
        }
    }

    #[test]
    fn a_page_may_call_the_server_that_served_it_and_no_other() {
        for (host, origin, own) in [
            ("localhost:5590", "http://localhost:5590", true),
            ("localhost:5590", "http://LOCALHOST:5590", true),
            ("127.0.0.1", "http://127.0.0.1:80", true),
            ("localhost:5590", "http://localhost:3000", false),
            ("localhost:5590", "http://127.0.0.1:5590", false),
            ("localhost:5590", "http://evil.example", false),
            ("localhost:5590", "null", false),
            ("localhost:5590", "file://", false),
            ("localhost:5590", "chrome-extension://abc", false),
            ("localhost:5590", "https://plant.example", true),
        ] {
            let allowed = check("127.0.0.1:5590", &["plant.example"], host, Some(origin));
            assert_eq!(allowed.is_ok(), own, "{origin} calls {host}: {allowed:?}");
        }
    }

    #[test]
    fn a_request_names_one_host() {
        let hosts = Hosts::new(([127, 0, 0, 1], 5590).into(), &[]);
        assert_eq!(hosts.check(&Uri::from_static("/"), &HeaderMap::new()), Err(Stranger::NoHost));
        let mut two = HeaderMap::new();
        two.append(HOST, HeaderValue::from_static("localhost"));
        let absolute = Uri::from_static("http://evil.example/healthz");
        assert_eq!(hosts.check(&absolute, &two), Err(Stranger::Host("evil.example".to_owned())));
        two.append(HOST, HeaderValue::from_static("localhost"));
        assert_eq!(hosts.check(&Uri::from_static("/"), &two), Err(Stranger::NoHost));
    }
}
