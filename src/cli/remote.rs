//! The interfaces of both halves, as the command line calls them.

use std::{error::Error, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
pub(super) use reqwest::Method;
use reqwest::{
    Certificate, Client, StatusCode,
    header::{self, HeaderValue},
    redirect::Policy,
};
use secrecy::{ExposeSecret, zeroize::Zeroizing};
use serde::Deserialize;
use url::{Host, Url};

use super::{access_args::AccessArgs, failure::Failure, password};
use crate::{
    domain::{ConfigurationId, GroupId, SecretId, root_cause},
    tls::{Authorities, handshake},
};

/// How long a request may take. A person waits, and a server answers from memory or its disk.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do where a login is needed and none was given.
const LOGIN: &str = "Log in with --user NAME: the password is asked for, or read from the file of --password-file. On the \
                     server, `client-failover user add` makes a user. Where it trusts an OpenID provider, give a token \
                     with --token-file FILE.";

/// The longest answer that is read: many times the largest page of history.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// Why a request was not done.
#[derive(Debug)]
pub(super) enum RemoteError {
    /// Nobody answered there, or not in time, or not in full.
    NotReached {
        /// Where.
        url: String,
        /// What was observed.
        reason: String,
        /// What to do.
        resolution: String,
    },
    /// The server refused it, or answered what its interface does not.
    Refused(Refusal),
}

/// A refusal in the words of the server.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Refusal {
    pub(super) error: String,
    pub(super) reason: String,
    pub(super) resolution: String,
}

/// A server that can be asked.
pub(super) struct Remote {
    client: Client,
    login: Option<HeaderValue>,
    url: Url,
    half: Half,
}

/// Which half a server is; what to do when it is not there differs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Half {
    Adapter,
    Endpoint,
}

impl Half {
    /// What to do where it is not reached.
    pub(super) const fn start_it(self) -> &'static str {
        match self {
            Self::Adapter => {
                "Start the adapter with `client-failover serve`, or say with --url where it listens."
            }
            Self::Endpoint => {
                "Start the failover endpoint with `client-failover endpoint`, or say with --endpoint where it is."
            }
        }
    }

    /// What to do where the other half answers.
    const fn find_it(self) -> &'static str {
        match self {
            Self::Adapter => {
                "Say with --url where the adapter listens (http://127.0.0.1:5590 by default); a failover endpoint is asked \
                 by groups, sessions, why and override."
            }
            Self::Endpoint => {
                "Say with --endpoint where the failover endpoint is (http://127.0.0.1:5591 by default), or start this \
                 adapter with --with-endpoint."
            }
        }
    }

    const fn flag(self) -> &'static str {
        match self {
            Self::Adapter => "--url",
            Self::Endpoint => "--endpoint",
        }
    }
}

impl Remote {
    /// An adapter at `url`; nothing is sent yet.
    pub(super) fn adapter(url: Url, access: &AccessArgs) -> Result<Self, Failure> {
        Self::new(url, access, Half::Adapter)
    }

    /// A failover endpoint whose base is `url`. An address without a path means the on-premises base
    /// there. Nothing is sent yet.
    pub(super) fn endpoint(mut url: Url, access: &AccessArgs) -> Result<Self, Failure> {
        if url.path() == "/" {
            url.set_path("/api/v1/clientfailover");
        }
        Self::new(url, access, Half::Endpoint)
    }

    fn new(url: Url, access: &AccessArgs, half: Half) -> Result<Self, Failure> {
        let login = login(&url, access)?;
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .user_agent(concat!("client-failover/", env!("CARGO_PKG_VERSION")));
        let unusable = |error: &dyn Error| Failure::failed("The authorities cannot be used", error);
        if url.scheme() == "http" {
            // A machine without any certificates can still be asked over plain http.
            builder = builder.tls_certs_only([]);
        } else if let Some(file) = &access.ca_file {
            let own = Authorities::read(file).map_err(|error| unusable(&error))?;
            let own = own.iter().map(Certificate::from_der).collect::<Result<Vec<_>, _>>();
            builder = builder.tls_certs_merge(own.map_err(|error| unusable(&error))?);
        }
        match builder.build() {
            Ok(client) => Ok(Self { client, login, url, half }),
            Err(error) => Err(not_reached(&url, half, &error).into()),
        }
    }

    /// Sends a request and returns the body of a successful answer.
    pub(super) async fn call(
        &self,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
    ) -> Result<String, RemoteError> {
        let mut request = self.client.request(method, url).header(header::ACCEPT, "application/json");
        if let Some(login) = &self.login {
            request = request.header(header::AUTHORIZATION, login.clone());
        }
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        let mut response = request.send().await.map_err(|error| self.not_reached(&error))?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.not_reached(&error))? {
            if answer.len() + chunk.len() > ANSWER_LIMIT {
                return Err(self.misunderstood("It is longer than any answer of the interface."));
            }
            answer.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            return Err(match serde_json::from_slice(&answer) {
                Ok(refusal) => RemoteError::Refused(self.resolve(status, refusal)),
                Err(_) => self.misunderstood(&format!("It is {status}, without a reason.")),
            });
        }
        String::from_utf8(answer).map_err(|error| self.misunderstood(&format!("It is no text: {error}.")))
    }

    /// The URL of the configuration, or of the one with this Id.
    pub(super) fn configuration(&self, id: Option<&ConfigurationId>) -> Url {
        let segments = ["configuration", "System", "ClientFailover"];
        self.resource(segments.into_iter().chain(id.map(ConfigurationId::as_str)))
    }

    /// The URL of the secrets, or of the one with this Id.
    pub(super) fn secrets(&self, id: Option<&SecretId>) -> Url {
        self.resource(["management", "secrets"].into_iter().chain(id.map(SecretId::as_str)))
    }

    /// The URL of a resource of diagnostics.
    pub(super) fn diagnostics(&self, resource: &str) -> Url {
        self.resource(["diagnostics", resource])
    }

    /// The URL of a failover endpoint's groups, after the first `skip`, `count` at the most.
    pub(super) fn groups(&self, skip: usize, count: usize) -> Url {
        let mut url = self.below(["groups"]);
        url.query_pairs_mut().append_pair("skip", &skip.to_string()).append_pair("count", &count.to_string());
        url
    }

    /// The URL of a group, or of what is below it.
    pub(super) fn group(&self, group: &GroupId, below: &[&str]) -> Url {
        self.below(["groups", group.as_str()].into_iter().chain(below.iter().copied()))
    }

    /// The base may have a path of its own, behind a reverse proxy.
    fn resource<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        self.below(["api", "v1"].into_iter().chain(segments))
    }

    fn below<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    fn not_reached(&self, error: &reqwest::Error) -> RemoteError {
        not_reached(&self.url, self.half, error)
    }

    /// A refusal with what to do on this command line, where that is known: the server speaks to whoever sends
    /// requests by hand.
    fn resolve(&self, status: StatusCode, refusal: Refusal) -> Refusal {
        let resolution = match status {
            StatusCode::UNAUTHORIZED if self.login.is_none() => LOGIN,
            // It has no half of the kind that is asked.
            StatusCode::NOT_FOUND if refusal.error == "The path is unknown." => self.half.find_it(),
            _ => return refusal,
        };
        Refusal { resolution: resolution.to_owned(), ..refusal }
    }

    /// An answer that is none of the interface's. `reason` says what about it, as a sentence.
    pub(super) fn misunderstood(&self, reason: &str) -> RemoteError {
        RemoteError::Refused(Refusal {
            error: format!("The answer of {} is not understood.", self.url),
            reason: reason.to_owned(),
            resolution: format!(
                "Check with {} that a client-failover listens there, and look into its log.",
                self.half.flag()
            ),
        })
    }
}

/// The header that logs in as the user that is named, or with a token, if one is.
fn login(url: &Url, access: &AccessArgs) -> Result<Option<HeaderValue>, Failure> {
    let (what, text) = match (&access.token_file, &access.user) {
        (Some(file), _) => {
            let token = password::in_file(file)?;
            ("token", format!("Bearer {}", token.expose_secret()))
        }
        (None, Some(user)) => {
            let password = password::of(user, access.password_file.as_deref())?;
            let pair = Zeroizing::new(format!("{user}:{}", password.expose_secret()));
            ("password", format!("Basic {}", STANDARD.encode(pair.as_bytes())))
        }
        (None, None) => return Ok(None),
    };
    let text = Zeroizing::new(text);
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !loopback {
        eprintln!("WARNING: the {what} goes to {url} without TLS: anybody on the way can read it.");
    }
    let mut value =
        HeaderValue::from_str(&text).map_err(|error| Failure::failed("The login cannot be sent", &error))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// `url` was not reached. The cause in the end is said: what wraps it says only that a request failed, and repeats the URL.
fn not_reached(url: &Url, half: Half, error: &reqwest::Error) -> RemoteError {
    let reason = if error.is_timeout() {
        format!("It did not answer within {} seconds.", PATIENCE.as_secs())
    } else {
        format!("{}.", root_cause(error))
    };
    let resolution = if let Some(refused) = handshake::refused(error) {
        let look = "Look at its certificate, and at what is given with --ca-file";
        format!("{}.", handshake::remedy(refused).unwrap_or(look))
    } else if url.scheme() == "http" && !error.is_connect() && !error.is_timeout() {
        format!("If its port speaks TLS, write https in {}; else look what answers there.", half.flag())
    } else {
        half.start_it().to_owned()
    };
    RemoteError::NotReached { url: url.to_string(), reason, resolution }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(base: &str, id: Option<&str>) -> Result<String, Box<dyn Error>> {
        let id = id.map(ConfigurationId::new).transpose()?;
        let client = Client::builder().tls_certs_only([]).build()?;
        let remote = Remote { client, login: None, url: base.parse()?, half: Half::Adapter };
        Ok(remote.configuration(id.as_ref()).to_string())
    }

    #[test]
    fn an_id_stays_one_segment_of_the_path() -> Result<(), Box<dyn Error>> {
        // Another test may have installed it.
        drop(rustls::crypto::ring::default_provider().install_default());
        for (id, segment) in [("a/b", "a%2Fb"), ("ä ?#%", "%C3%A4%20%3F%23%25"), ("...", "...")] {
            assert_eq!(
                configuration("http://h", Some(id))?,
                format!("http://h/api/v1/configuration/System/ClientFailover/{segment}")
            );
        }
        assert_eq!(
            configuration("http://h/behind/proxy/", None)?,
            "http://h/behind/proxy/api/v1/configuration/System/ClientFailover"
        );
        Ok(())
    }
}
