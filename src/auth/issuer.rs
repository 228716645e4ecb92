//! An OpenID provider: where its keys are, and what they are now.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::{Certificate, Client, redirect::Policy};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::token::{self, Expected, Keys};
use crate::{
    clock::{self, Alarm},
    domain::Uptime,
    tls::Authorities,
};

/// How often the keys are fetched: a provider that rotates them shows the new ones some time before.
const REFRESH_EVERY: Duration = Duration::from_secs(5 * 60);

/// How soon after the end of a fetch another one may begin: a token of an unknown key is a reason, but whoever sends
/// made-up ones must not make us ask the provider each time.
pub(super) const FETCH_PAUSE: Duration = Duration::from_secs(5);

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
    /// The keys as it showed them last; nothing before it did for the first time.
    keys: Mutex<Option<Arc<Keys>>>,
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
        if !token::is_safe(&discovery) {
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

    /// What its tokens must say.
    pub(super) fn expected(&self) -> &Expected {
        &self.0.expected
    }

    /// Fetches the keys now and every five minutes, until `stop`. While the provider does not answer, those
    /// that it had go on to count, however long that lasts.
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
            let wait = if self.keys().is_none() { FETCH_PAUSE } else { REFRESH_EVERY };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                waited = alarm.after(wait) => waited?,
            }
        }
    }

    /// Fetches the keys, unless they were fetched just now.
    pub(super) async fn fetch(&self) {
        let mut fetching = self.0.fetching.lock().await;
        let now = clock::now().uptime;
        if fetching.is_some_and(|last| now < last + FETCH_PAUSE) {
            return;
        }
        let asked = self.ask().await;
        // One that takes long must not be followed by another for each token that waits.
        *fetching = Some(clock::now().uptime);
        match asked {
            Ok(keys) => self.shows(keys),
            Err(why) => {
                tracing::warn!(
                    issuer = self.0.expected.issuer,
                    "the OpenID provider's keys cannot be fetched: {why}"
                );
            }
        }
    }

    /// The provider shows these keys, and no others count any more. Those that are the same stay the very same.
    pub(super) fn shows(&self, keys: Keys) {
        if keys.is_empty() {
            tracing::error!(
                issuer = self.0.expected.issuer,
                "the OpenID provider shows no key that can be used: no token is let in"
            );
        }
        let mut known = self.lock();
        if known.as_deref() != Some(&keys) {
            *known = Some(Arc::new(keys));
        }
    }

    async fn ask(&self) -> Result<Keys, String> {
        let found = self.get(self.0.discovery.clone()).await?;
        let keys = token::read_discovery(&found, &self.0.expected.issuer)?;
        token::read_keys(&self.get(keys).await?)
            .ok_or_else(|| "what its jwks_uri answers is no set of keys".to_owned())
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

    /// The keys as they are now, once there are any. Signatures are checked without the lock.
    pub(super) fn keys(&self) -> Option<Arc<Keys>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Keys>>> {
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Issuer {
    /// One that shows these keys, and is not asked for others.
    pub(super) async fn of_keys(expected: Expected, keys: Keys) -> Self {
        let issuer = Self::new(expected, &Authorities::default()).unwrap();
        issuer.shows(keys);
        *issuer.0.fetching.lock().await = Some(clock::now().uptime + REFRESH_EVERY);
        issuer
    }
}
