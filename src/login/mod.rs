//! Proves to a server who we are: HTTP Basic, or a bearer token by the client-credentials grant.
//!
//! Promises: a login is one header value that logs never show; a token is fetched once for a crowd and renewed
//! before it expires; a secret goes to the configured server or its token endpoint, and nowhere else because an
//! answer says so: no redirect is followed, and no proxy is used.
//!
//! Does not: know what the requests are about. Whoever sends them decides what a refusal means. It imports only
//! `domain`, `wire`, `clock` and `tls`.

mod answer;
mod token;

use std::{io, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Certificate, Client, ClientBuilder, header::HeaderValue, redirect::Policy};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

pub use answer::{bounded_body, transport_failure};
use token::TokenSource;

use crate::{
    domain::{Access, CallFailure, Credentials, OpenAccess},
    tls::Authorities,
};

/// A builder of clients that reach `access` and its token endpoint, and trust `authorities` beside the system's.
/// They follow no redirect, use no proxy, and keep no cookie.
///
/// # Errors
/// When a certificate of `authorities` cannot be used.
pub fn client_builder(access: &Access, authorities: &Authorities) -> reqwest::Result<ClientBuilder> {
    let http = Client::builder()
        .user_agent(concat!("client-failover/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .tcp_nodelay(true)
        .tls_danger_accept_invalid_certs(!access.validate_certificate());
    // A machine without any root certificate can still reach what is plain http.
    if !access.uses_tls() {
        return Ok(http.tls_certs_only([]));
    }
    let own = authorities.iter().map(Certificate::from_der).collect::<reqwest::Result<Vec<_>>>()?;
    Ok(http.tls_certs_merge(own))
}

/// The login of one configuration. Clones share their token.
#[derive(Debug, Clone)]
pub struct Login(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Nothing,
    Basic(HeaderValue),
    Bearer(Arc<TokenSource>),
}

/// A header that proves who we are, for one request.
#[derive(Debug, Clone)]
pub struct Proof {
    /// Empty where the token is none that a header can carry: the server then answers 401.
    header: Option<HeaderValue>,
    /// The token in it, where it has one.
    token: Option<Arc<SecretString>>,
}

impl Proof {
    /// The value of the Authorization header, if there is one.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        self.header.clone()
    }
}

impl Login {
    /// The login of `open`; tokens are asked for with `http`, several times within `patience`.
    #[must_use]
    pub fn new(http: &Client, open: &OpenAccess, patience: Duration) -> Self {
        let access = open.access();
        Self(match open.credentials() {
            None => Kind::Nothing,
            Some(Credentials::Basic { user, password }) => Kind::Basic(basic(user.as_str(), password)),
            Some(Credentials::Client { id, secret }) => Kind::Bearer(Arc::new(TokenSource::new(
                http.clone(),
                access.endpoint().clone(),
                access.token_endpoint().cloned(),
                id.clone(),
                secret.clone(),
                patience,
            ))),
        })
    }

    /// What a request carries now, if anything.
    ///
    /// # Errors
    /// When no token can be had.
    pub async fn proof(&self) -> Result<Option<Proof>, CallFailure> {
        match &self.0 {
            Kind::Nothing => Ok(None),
            Kind::Basic(header) => Ok(Some(Proof { header: Some(header.clone()), token: None })),
            Kind::Bearer(tokens) => {
                let token = tokens.get().await?;
                Ok(Some(Proof { header: bearer(&token), token: Some(token) }))
            }
        }
    }

    /// Says that the server refused `proof` (401). Tells whether another one may be had.
    #[must_use]
    pub fn refused(&self, proof: &Proof) -> bool {
        match (&self.0, &proof.token) {
            (Kind::Bearer(tokens), Some(token)) => {
                tokens.drop_token(token);
                true
            }
            _ => false,
        }
    }

    /// Keeps the bearer token fresh for as long as it is polled; returns at once where there is none.
    ///
    /// # Errors
    /// When the system refuses a timer.
    pub async fn keep_fresh(&self) -> io::Result<()> {
        match &self.0 {
            Kind::Bearer(tokens) => tokens.keep_fresh().await,
            Kind::Nothing | Kind::Basic(_) => Ok(()),
        }
    }

    /// The token that was sent last, even where it has expired.
    #[must_use]
    pub fn held_token(&self) -> Option<Arc<SecretString>> {
        match &self.0 {
            Kind::Bearer(tokens) => tokens.held_token(),
            Kind::Nothing | Kind::Basic(_) => None,
        }
    }
}

fn basic(user: &str, password: &SecretString) -> HeaderValue {
    let pair = Zeroizing::new(format!("{user}:{}", password.expose_secret()));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    sensitive(&text)
}

fn bearer(token: &SecretString) -> Option<HeaderValue> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
    Some(sensitive(&text)).filter(|value| !value.is_empty())
}

/// A header value that logs never show. Base64 always fits; a token with control characters does not,
/// and is then left out, which the server answers with 401.
fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or_else(|_error| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
