//! An OpenID provider: where its keys are, and what they are now.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::{Certificate, Client, redirect::Policy};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    Denied, Login,
    token::{self, Bad, Expected, Keys},
};
use crate::{
    clock::{self, Alarm},
    domain::Uptime,
    tls::Authorities,
};

/// How often the keys are fetched: a provider that rotates them shows the new ones some time before.
const REFRESH_EVERY: Duration = Duration::from_secs(5 * 60);

/// How soon after the end of a fetch another one may begin: a token of an unknown key is a reason, but whoever sends
/// made-up ones must not make us ask the provider each time.
const FETCH_PAUSE: Duration = Duration::from_secs(5);

/// How long the provider may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest answer of a provider that is read.
const ANSWER_LIMIT: usize = 256 * 1024;

/// Why a provider's keys are not known.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// No client could be made.
    #[error("no HTTP client could be made for the OpenID provider")]
    Client(#[from] reqwest::Error),
    /// The issuer is no address.
    #[error("the issuer is not an https address, or an http address on loopback")]
    Address,
}

/// An OpenID provider whose tokens are logins. Clones share it.
#[derive(Debug, Clone)]
pub struct Issuer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    expected: Expected,
    discovery: Url,
    http: Client,
    keys: Mutex<Arc<Keys>>,
    /// When the last fetch ended; held while one is under way, so that a crowd of tokens needs one.
    fetching: tokio::sync::Mutex<Option<Uptime>>,
}

impl Issuer {
    /// The provider that `expected` names, over TLS that `authorities` may vouch for.
    ///
    /// # Errors
    /// When the issuer is no address that can be asked safely.
    pub fn new(expected: Expected, authorities: &Authorities) -> Result<Self, IssuerError> {
        let text = format!("{}/.well-known/openid-configuration", expected.issuer.trim_end_matches('/'));
        let discovery = Url::parse(&text).map_err(|_error| IssuerError::Address)?;
        if !is_safe(&discovery) {
            return Err(IssuerError::Address);
        }
        let own = authorities.iter().map(Certificate::from_der).collect::<Result<Vec<_>, _>>()?;
        let http = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .user_agent(concat!("client-failover/", env!("CARGO_PKG_VERSION")));
        let http =
            if discovery.scheme() == "https" { http.tls_certs_merge(own) } else { http.tls_certs_only([]) };
        let http = http.build()?;
        let (keys, fetching) = (Mutex::default(), tokio::sync::Mutex::default());
        Ok(Self(Arc::new(Inner { expected, discovery, http, keys, fetching })))
    }

    /// Whose a token is.
    ///
    /// # Errors
    /// When it is nobody's.
    pub(super) async fn check(&self, token: &str) -> Result<Login, Denied> {
        let checked = || token::check(token, &self.keys(), &self.0.expected, clock::now().wall);
        let refused = match checked() {
            Err(Bad::UnknownKey) => {
                self.fetch().await;
                checked()
            }
            known => known,
        };
        refused.map_err(|bad| match bad {
            Bad::UnknownKey if self.keys().is_empty() => Denied::TooMany(FETCH_PAUSE),
            Bad::UnknownKey => Denied::BadToken("none of the issuer's keys signed it"),
            Bad::Refused(why) => Denied::BadToken(why),
        })
    }

    /// Fetches the keys now and every five minutes, until `stop`. While the provider does not answer, those
    /// that it had go on to count.
    ///
    /// # Errors
    /// When the kernel refuses a timer.
    pub async fn keep_fresh(self, stop: CancellationToken) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.fetch() => {}
            }
            let wait = if self.keys().is_empty() { FETCH_PAUSE } else { REFRESH_EVERY };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                waited = alarm.after(wait) => waited?,
            }
        }
    }

    async fn fetch(&self) {
        let mut fetching = self.0.fetching.lock().await;
        let now = clock::now().uptime;
        if fetching.is_some_and(|last| now < last + FETCH_PAUSE) {
            return;
        }
        let asked = self.ask().await;
        // One that takes long must not be followed by another for each token that waits.
        *fetching = Some(clock::now().uptime);
        match asked {
            Ok(keys) => *self.lock() = Arc::new(keys),
            Err(why) => {
                tracing::warn!(
                    issuer = self.0.expected.issuer,
                    "the OpenID provider's keys cannot be fetched: {why}"
                );
            }
        }
    }

    async fn ask(&self) -> Result<Keys, String> {
        let found = self.get(self.0.discovery.clone()).await?;
        let found: Value = serde_json::from_slice(&found).map_err(|error| error.to_string())?;
        let said = |member: &str| found.get(member).and_then(Value::as_str).unwrap_or_default();
        if said("issuer") != self.0.expected.issuer {
            return Err(format!("its discovery document is of the issuer {:?}", said("issuer")));
        }
        let keys = Url::parse(said("jwks_uri")).ok().filter(is_safe);
        let keys = keys.ok_or("its jwks_uri is no https address")?;
        token::read_keys(&self.get(keys).await?).ok_or_else(|| "it has no key that is known".to_owned())
    }

    async fn get(&self, url: Url) -> Result<Vec<u8>, String> {
        let shown = |error: reqwest::Error| error.without_url().to_string();
        let mut answer = self.0.http.get(url).send().await.map_err(shown)?;
        if !answer.status().is_success() {
            return Err(format!("it answered {}", answer.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(shown)? {
            if body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(format!("its answer is larger than {ANSWER_LIMIT} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The keys as they are now. Signatures are checked without the lock.
    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Keys>> {
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys come over TLS, or from this machine.
fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback)
}
