//! By which names this server may be called, and which pages may call it: pure.
//!
//! A page of somebody else's can make a browser send requests to a name that it has pointed at this
//! machine (DNS rebinding), or straight to `localhost`. The first kind carries that name as its Host, the
//! second its own page as its Origin. What only reads, such as an image, has no Origin; of that a browser says
//! whether the page is another site's (`Sec-Fetch-Site`), where the server is on loopback or speaks TLS.

use std::net::{IpAddr, SocketAddr};

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{HOST, ORIGIN},
    uri::Authority,
};

/// What a browser says of who made it send a request.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The longest name of a host (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 255;

/// Names by which this server may be called.
#[derive(Debug, Clone)]
pub struct Hosts {
    scheme: &'static str,
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
    /// The browser says that a page of somebody else made it send it: how that page is to this server.
    Site(String),
}

impl Hosts {
    /// The names of a server that speaks `scheme` on `listen`: localhost, its address, and `allowed`.
    #[must_use]
    pub fn new(scheme: &'static str, listen: SocketAddr, allowed: &[String]) -> Self {
        Self { scheme, listen: listen.ip(), allowed: allowed.to_vec() }
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
                return Err(Stranger::Host(shown(named.as_str().as_bytes())));
            }
            if !self.is_mine(named.host()) {
                return Err(Stranger::Host(shown(named.host().as_bytes())));
            }
        }
        headers.get_all(ORIGIN).iter().try_for_each(|origin| self.check_origin(origin, &host))?;
        headers.get_all(SITE).iter().try_for_each(check_site)
    }

    fn check_origin(&self, origin: &HeaderValue, host: &Authority) -> Result<(), Stranger> {
        let of = || Stranger::Origin(shown(origin.as_bytes()));
        let uri: Uri = origin.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(of)?;
        let (Some(scheme @ ("http" | "https")), Some(page)) = (uri.scheme_str(), uri.authority()) else {
            return Err(of());
        };
        // A page on another port of this machine, or of another scheme, is another's. Names that an operator allowed
        // are ours on any port and of either scheme: a proxy in front may have its own.
        let same = scheme == self.scheme
            && page.host().eq_ignore_ascii_case(host.host())
            && port(page, scheme) == port(host, scheme);
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

/// What somebody sent, as it is told to him and to the log: no longer than a host's name may be.
fn shown(sent: &[u8]) -> String {
    String::from_utf8_lossy(&sent[..sent.len().min(LONGEST_NAME)]).into_owned()
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

/// The port that is meant where one may be left out.
fn port(authority: &Authority, scheme: &str) -> u16 {
    authority.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 })
}

/// A page of this server, or whoever types an address or starts a program, has sent it.
fn check_site(site: &HeaderValue) -> Result<(), Stranger> {
    match site.as_bytes() {
        b"same-origin" | b"none" => Ok(()),
        other => Err(Stranger::Site(shown(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listen: &str, allowed: &[&str], host: &str, origin: Option<&str>) -> Result<(), Stranger> {
        check_over("http", listen, allowed, host, origin)
    }

    fn check_over(
        scheme: &'static str,
        listen: &str,
        allowed: &[&str],
        host: &str,
        origin: Option<&str>,
    ) -> Result<(), Stranger> {
        let listen: SocketAddr = listen.parse().unwrap();
        let allowed: Vec<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        Hosts::new(scheme, listen, &allowed).check(&Uri::from_static("/"), &headers)
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
        for (scheme, host, origin, own) in [
            ("http", "localhost:5590", "http://localhost:5590", true),
            ("http", "localhost:5590", "http://LOCALHOST:5590", true),
            ("http", "127.0.0.1", "http://127.0.0.1:80", true),
            ("http", "127.0.0.1", "http://127.0.0.1:443", false),
            ("http", "127.0.0.1", "https://127.0.0.1", false),
            ("https", "127.0.0.1", "https://127.0.0.1:443", true),
            ("https", "127.0.0.1", "http://127.0.0.1:443", false),
            ("https", "localhost:5590", "http://localhost:5590", false),
            ("http", "localhost:5590", "https://localhost:5590", false),
            ("http", "localhost:5590", "http://localhost:3000", false),
            ("http", "localhost:5590", "http://127.0.0.1:5590", false),
            ("http", "localhost:5590", "http://evil.example", false),
            ("http", "localhost:5590", "null", false),
            ("http", "localhost:5590", "file://", false),
            ("http", "localhost:5590", "chrome-extension://abc", false),
            ("http", "localhost:5590", "https://plant.example", true),
        ] {
            let allowed = check_over(scheme, "127.0.0.1:5590", &["plant.example"], host, Some(origin));
            assert_eq!(allowed.is_ok(), own, "{origin} calls {host} over {scheme}: {allowed:?}");
        }
    }

    #[test]
    fn what_another_sites_page_makes_a_browser_send_is_refused_though_it_has_no_origin() {
        let hosts = Hosts::new("http", ([127, 0, 0, 1], 5590).into(), &["plant.example".to_owned()]);
        for (sites, own) in [
            (&[][..], true),
            (&["none"], true),
            (&["same-origin"], true),
            (&["same-site"], false),
            (&["cross-site"], false),
            (&["Cross-Site"], false),
            (&["anything"], false),
            (&["none", "cross-site"], false),
        ] {
            let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost:5590"))]);
            for site in sites {
                headers.append(SITE, HeaderValue::from_static(site));
            }
            assert_eq!(hosts.check(&Uri::from_static("/"), &headers).is_ok(), own, "{sites:?}");
        }
    }

    #[test]
    fn a_request_names_one_host() {
        let hosts = Hosts::new("http", ([127, 0, 0, 1], 5590).into(), &[]);
        assert_eq!(hosts.check(&Uri::from_static("/"), &HeaderMap::new()), Err(Stranger::NoHost));
        let mut two = HeaderMap::new();
        two.append(HOST, HeaderValue::from_static("localhost"));
        let absolute = Uri::from_static("http://evil.example/healthz");
        assert_eq!(hosts.check(&absolute, &two), Err(Stranger::Host("evil.example".to_owned())));
        two.append(HOST, HeaderValue::from_static("localhost"));
        assert_eq!(hosts.check(&Uri::from_static("/"), &two), Err(Stranger::NoHost));
    }
}
