//! Sends requests to a destination, byte for byte.
//!
//! By hyper itself, because reqwest's addresses are repaired on the way: ".." is resolved, escapes are
//! rewritten. Here the raw path is appended to the base as text.

use std::{sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Response, StatusCode, Uri,
    header::{self, HeaderValue},
    http::uri::{PathAndQuery, Scheme},
};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use tokio::select;

use super::{
    connection::{Connector, Tenure},
    pool::{AnswerBody, Pool},
    request::{EPOCH, Request, SESSION, strip_answer},
    tls,
    via::GateName,
};
use crate::{
    clock,
    domain::{Epoch, OpenAccess, SessionId, Uptime, root_cause},
    login::{Login, Proof, client_builder},
    tls::Authorities,
};

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Within which time a token must be had, some attempts included.
const TOKEN_PATIENCE: Duration = Duration::from_secs(10);

/// Why a destination cannot be reached as it is configured.
#[derive(Debug, thiserror::Error)]
pub(super) enum DestinationError {
    /// No client for its token endpoint.
    #[error("no HTTP client could be made for its token endpoint ({0})")]
    Client(#[from] reqwest_error::Refused),
    /// The system's certificates cannot be used.
    #[error("no TLS could be set up ({0})")]
    Tls(#[from] rustls::Error),
    /// Its address cannot be taken apart.
    #[error("its address cannot be used ({0})")]
    Address(#[from] hyper::http::Error),
}

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Undelivered {
    /// The permission to send has ended; whether the destination has it is not known.
    Over,
    /// The raw path is none that can be sent.
    BadTarget,
    /// The destination, or its token endpoint, could not be reached; why.
    Failed(String),
}

/// What an answer that settles nothing says, for people.
pub(super) fn unsettled(status: StatusCode) -> String {
    let hint = match status {
        StatusCode::LOOP_DETECTED => ": its Endpoint leads back to a gate that the request has come through",
        _ => "",
    };
    format!("it answers {status}{hint}")
}

/// Under which epoch, and by whom, requests are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    epoch: Option<HeaderValue>,
    session: Option<HeaderValue>,
}

impl Stamp {
    pub(super) fn new(epoch: Option<Epoch>, session: Option<&SessionId>) -> Self {
        // A session's Id may have characters that no header can carry as they are.
        let session = session.map(|session| {
            percent_encoding::utf8_percent_encode(session.as_str(), percent_encoding::CONTROLS).to_string()
        });
        Self {
            epoch: epoch.map(|epoch| HeaderValue::from(epoch.get())),
            session: session.and_then(|session| HeaderValue::try_from(session).ok()),
        }
    }
}

/// Where requests go, and how they get in.
#[derive(Debug)]
pub(super) struct Destination {
    /// Its server: every connection goes there, whatever a path says.
    server: Uri,
    /// What the Host header says.
    host: HeaderValue,
    /// The path of the base address as it is configured, without a slash at its end.
    base_path: String,
    tls: ClientConfig,
    login: Login,
    /// Through which gate requests come to it.
    gate: GateName,
}

impl Destination {
    pub(super) fn new(
        open: &OpenAccess,
        authorities: &Authorities,
        gate: GateName,
    ) -> Result<Self, DestinationError> {
        let access = open.access();
        let url = access.endpoint().url();
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        // The path is what was written, not what an URL's rules made of it.
        let written = access.endpoint().as_str();
        let after_scheme = written.find("://").map_or(0, |at| at + 3);
        let path = written[after_scheme..].find('/').map_or("", |at| &written[after_scheme + at..]);
        let http =
            client_builder(access, authorities).and_then(|builder| builder.timeout(TOKEN_PATIENCE).build());
        let http = http.map_err(|error| reqwest_error::Refused(error.to_string()))?;
        Ok(Self {
            server: Uri::builder()
                .scheme(if access.endpoint().is_https() { Scheme::HTTPS } else { Scheme::HTTP })
                .authority(authority)
                .path_and_query("/")
                .build()?,
            host: HeaderValue::try_from(authority).map_err(hyper::http::Error::from)?,
            base_path: path.trim_end_matches('/').to_owned(),
            tls: if access.endpoint().is_https() {
                tls_config(access.validate_certificate(), authorities)?
            } else {
                tls::without_roots()?
            },
            login: Login::new(&http, open, TOKEN_PATIENCE),
            gate,
        })
    }

    /// The login there.
    pub(super) const fn login(&self) -> &Login {
        &self.login
    }

    /// What stands on the wire for `target`: appended to the base as text. It names no server.
    fn path(&self, target: &str) -> Option<PathAndQuery> {
        let base = &self.base_path;
        let slash = if base.is_empty() && !target.starts_with('/') { "/" } else { "" };
        PathAndQuery::try_from(format!("{base}{slash}{target}")).ok()
    }
}

/// Without roots where certificates are not checked, so that a machine without any can do it.
fn tls_config(validate: bool, authorities: &Authorities) -> Result<ClientConfig, rustls::Error> {
    if validate { tls::checked(authorities) } else { tls::without_checks() }
}

/// Sends to one destination within one tenure.
#[derive(Debug)]
pub(super) struct Forwarder {
    pool: Arc<Pool>,
    destination: Arc<Destination>,
    tenure: Arc<Tenure>,
}

impl Forwarder {
    pub(super) fn new(destination: Arc<Destination>, tenure: Arc<Tenure>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(destination.tls.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(Connector::new(tcp, Arc::clone(&tenure)));
        let pool = Arc::new(Pool::new(connector, Arc::clone(&tenure)));
        Self { pool, destination, tenure }
    }

    /// Drops its idle connections, and keeps none any more.
    pub(super) fn close(&self) {
        self.pool.close();
    }

    /// Whether it sends in `tenure`.
    pub(super) fn is_of(&self, tenure: &Arc<Tenure>) -> bool {
        Arc::ptr_eq(&self.tenure, tenure)
    }

    /// Sends a request, and once more with a fresh token when the first one was refused with 401.
    pub(super) async fn send(
        &self,
        request: &Request,
        stamp: &Stamp,
    ) -> Result<Response<AnswerBody>, Undelivered> {
        let path = self.destination.path(&request.target).ok_or(Undelivered::BadTarget)?;
        let since = clock::uptime();
        let sending = async {
            let proof = self.proof().await?;
            let answer = self.send_once(request, &path, stamp, proof.as_ref(), since).await?;
            let refused = answer.status() == StatusCode::UNAUTHORIZED
                && proof.is_some_and(|proof| self.destination.login.refused(&proof));
            if !refused {
                return Ok(answer);
            }
            self.send_once(request, &path, stamp, self.proof().await?.as_ref(), since).await
        };
        match sending.await {
            Ok(mut answer) => {
                strip_answer(answer.headers_mut());
                Ok(answer)
            }
            Err(_) if !self.tenure.permits() => Err(Undelivered::Over),
            Err(failed) => Err(failed),
        }
    }

    async fn proof(&self) -> Result<Option<Proof>, Undelivered> {
        select! {
            biased;
            proof = self.destination.login.proof() => {
                proof.map_err(|failure| Undelivered::Failed(failure.detail))
            }
            // Made only where there is something to wait for.
            () = async { self.tenure.ended().await } => Err(Undelivered::Over),
        }
    }

    async fn send_once(
        &self,
        request: &Request,
        path: &PathAndQuery,
        stamp: &Stamp,
        proof: Option<&Proof>,
        since: Uptime,
    ) -> Result<Response<AnswerBody>, Undelivered> {
        let mut sent = hyper::Request::new(Full::new(request.body.clone()));
        *sent.method_mut() = request.method.clone();
        // On the wire stands the path alone; the host is a header.
        *sent.uri_mut() = Uri::from(path.clone());
        let headers = sent.headers_mut();
        *headers = request.headers.clone();
        for (name, value) in [(EPOCH, &stamp.epoch), (SESSION, &stamp.session)] {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
        self.destination.gate.put_on(headers);
        if let Some(login) = proof.and_then(Proof::header) {
            headers.insert(header::AUTHORIZATION, login);
        }
        headers.insert(header::HOST, self.destination.host.clone());
        let exchanged = self.pool.exchange(&self.destination.server, sent, since).await;
        exchanged.map_err(|error| Undelivered::Failed(root_cause(&*error)))
    }
}

/// reqwest makes the client of the token endpoint; only its words are kept.
mod reqwest_error {
    /// Why it could not.
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    pub(crate) struct Refused(pub(crate) String);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccessDraft, ConfigurationId, DataEndpointDraft, Field};

    fn destination(endpoint: &str) -> Destination {
        rustls::crypto::ring::default_provider().install_default().ok();
        let access = AccessDraft { endpoint: Field::Value(endpoint.to_owned()), ..AccessDraft::default() };
        let draft = DataEndpointDraft { access, ..DataEndpointDraft::default() };
        let endpoint = draft.complete(None, ConfigurationId::new("d").unwrap()).unwrap();
        let open = endpoint.access().open(None).unwrap();
        Destination::new(&open, &Authorities::default(), GateName::new()).unwrap()
    }

    #[test]
    fn a_path_is_appended_as_text_and_leads_nowhere_else() {
        for (base, target, wanted) in [
            ("http://h", "", "http://h/"),
            ("http://h", "?a=b", "http://h/?a=b"),
            ("http://h/base/", "/x", "http://h/base/x"),
            ("http://h/base", "/../x", "http://h/base/../x"),
            ("http://h/a/../b%2f", "/%2e%2e/c%2Fd//e", "http://h/a/../b%2f/%2e%2e/c%2Fd//e"),
            ("http://h:81/base", "//evil.example/x", "http://h:81/base//evil.example/x"),
            ("http://h", "//evil.example/x", "http://h//evil.example/x"),
            ("http://h:81", "/@evil.example/", "http://h:81/@evil.example/"),
            ("HTTP://H:80/A", "/B", "http://h/A/B"),
            ("http://[::1]:5590", "/x?y=http://z/", "http://[::1]:5590/x?y=http://z/"),
        ] {
            let destination = destination(base);
            let path = destination.path(target).unwrap();
            let server = destination.server.to_string();
            assert_eq!(format!("{}{path}", server.trim_end_matches('/')), wanted, "{base} {target}");
            assert_eq!(Uri::from(path).authority(), None, "{base} {target}");
        }
    }
}
