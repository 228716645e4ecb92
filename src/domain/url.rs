//! Addresses of failover endpoints and token endpoints.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use url::{Host, Url};

/// The longest address, in characters: what proxies and servers commonly take.
pub const URL_LIMIT: usize = 2_048;

/// An absolute http or https address with a host, without user information and fragment.
///
/// Keeps the text as it was given, so that what is shown is what was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    text: String,
    url: Url,
}

/// Why a text is no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is longer than [`URL_LIMIT`].
    #[error("is longer than 2,048 characters")]
    TooLong,
    /// It is not an absolute address.
    #[error("is not a well-formed absolute URL")]
    Malformed,
    /// Its scheme is another one.
    #[error("is neither an http nor an https URL")]
    Scheme,
    /// It carries a user name or password.
    #[error("contains a user name or password")]
    UserInfo,
    /// It has a fragment.
    #[error("contains a fragment (#)")]
    Fragment,
}

/// Scheme, host and port: whom a secret is given to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: Option<Host<String>>,
    port: Option<u16>,
}

impl HttpUrl {
    /// The address, if `text` is one.
    ///
    /// # Errors
    /// When it is relative, of another scheme, or carries user information or a fragment.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.chars().count() > URL_LIMIT {
            return Err(UrlError::TooLong);
        }
        // The URL standard repairs what people did not mean; a configuration should say what it means.
        let written_out = ["http://", "https://"].iter().find_map(|scheme| {
            let start = text.get(..scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
        });
        let authority = written_out.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(UrlError::Malformed);
        }
        let Ok(url) = Url::parse(text) else { return Err(UrlError::Malformed) };
        if !matches!(url.scheme(), "http" | "https") {
            Err(UrlError::Scheme)
        } else if authority.is_empty() || url.host().is_none() {
            Err(UrlError::Malformed)
        } else if authority.contains('@') {
            Err(UrlError::UserInfo)
        } else if url.fragment().is_some() {
            Err(UrlError::Fragment)
        } else {
            Ok(Self { text: text.to_owned(), url })
        }
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parsed address.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            scheme: self.url.scheme().to_owned(),
            host: self.url.host().map(|host| host.to_owned()),
            port: self.url.port_or_known_default(),
        }
    }

    /// Whether it is https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether it names this machine itself.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => is_localhost(name),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Whether it leads to whoever listens on `listen` on this machine, as far as that can be told without asking for a
    /// name.
    #[must_use]
    pub fn leads_to(&self, listen: SocketAddr) -> bool {
        const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let called: &[IpAddr] = match self.url.host() {
            Some(Host::Domain(name)) if is_localhost(name) => &LOOPBACK,
            Some(Host::Domain(_)) | None => &[],
            // Who calls no address in particular calls this machine.
            Some(Host::Ipv4(address)) if address.is_unspecified() => &LOOPBACK,
            Some(Host::Ipv6(address)) if address.is_unspecified() => &LOOPBACK,
            Some(Host::Ipv4(address)) => &[address.into()],
            Some(Host::Ipv6(address)) => &[address.to_canonical()],
        };
        let is_here = |called: &IpAddr| match listen.ip().to_canonical() {
            everywhere if everywhere.is_unspecified() => called.is_loopback(),
            listens => *called == listens,
        };
        called.iter().any(is_here) && self.url.port_or_known_default() == Some(listen.port())
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(host) = &self.host {
            write!(f, "{host}")?;
        }
        match self.port {
            Some(port) if Some(port) != default_port(&self.scheme) => write!(f, ":{port}"),
            Some(_) | None => Ok(()),
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_absolute_and_carries_no_secret() {
        for good in
            ["http://test-endpoint.com", "HTTPS://h:8443/a/b?c=d", "http://[::1]:5590/api/v1/clientfailover"]
        {
            assert_eq!(HttpUrl::parse(good).map(|url| url.to_string()), Ok(good.to_owned()));
        }
        for (bad, error) in [
            ("", UrlError::Malformed),
            ("/relative", UrlError::Malformed),
            ("http:host", UrlError::Malformed),
            ("http://", UrlError::Malformed),
            ("http://a b", UrlError::Malformed),
            ("http:\\\\host", UrlError::Malformed),
            ("http:///host", UrlError::Malformed),
            ("ftp://host", UrlError::Scheme),
            ("http://user@host", UrlError::UserInfo),
            ("http://:secret@host", UrlError::UserInfo),
            ("http://@host", UrlError::UserInfo),
            ("http://host/#here", UrlError::Fragment),
        ] {
            assert_eq!(HttpUrl::parse(bad), Err(error), "{bad}");
        }
        assert_eq!(HttpUrl::parse(&format!("http://{}", "a".repeat(URL_LIMIT))), Err(UrlError::TooLong));
    }

    #[test]
    fn an_address_leads_to_whoever_listens_where_it_calls() {
        for (url, listen, leads) in [
            ("http://127.0.0.1:5590/egress/a", "127.0.0.1:5590", true),
            ("http://LocalHost.:5590", "127.0.0.1:5590", true),
            ("http://localhost:5590", "[::1]:5590", true),
            ("http://0.0.0.0:5590", "127.0.0.1:5590", true),
            ("http://[::ffff:127.0.0.1]:5590", "127.0.0.1:5590", true),
            ("http://127.0.0.2:5590", "127.0.0.1:5590", false),
            ("http://127.0.0.2:5590", "0.0.0.0:5590", true),
            ("http://[::1]:5590", "[::]:5590", true),
            ("http://localhost:5591", "127.0.0.1:5590", false),
            ("http://localhost", "127.0.0.1:80", true),
            ("https://localhost", "127.0.0.1:80", false),
            ("http://10.0.0.5:5590", "10.0.0.5:5590", true),
            ("http://localhost:5590", "10.0.0.5:5590", false),
            // Whether these are this machine's, only the system knows.
            ("http://10.0.0.6:5590", "0.0.0.0:5590", false),
            ("http://plant.example:5590", "0.0.0.0:5590", false),
        ] {
            let leads_there = HttpUrl::parse(url).unwrap().leads_to(listen.parse().unwrap());
            assert_eq!(leads_there, leads, "{url} with a server at {listen}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let origin = |text| HttpUrl::parse(text).map(|url| url.origin()).ok();
        assert_eq!(origin("http://HOST/a"), origin("http://host:80/b"));
        assert_ne!(origin("http://host"), origin("https://host"));
        assert_ne!(origin("http://host"), origin("http://host:81"));
        assert_ne!(origin("http://host"), origin("http://other"));
        for (text, shown) in [
            ("http://HOST:80/a", "http://host"),
            ("https://host:80/a", "https://host:80"),
            ("https://[::1]:5591/", "https://[::1]:5591"),
        ] {
            assert_eq!(origin(text).map(|origin| origin.to_string()).as_deref(), Some(shown));
            assert_eq!(origin(text), origin(shown));
        }
    }
}
