//! Bearer tokens by the client-credentials grant.
//!
//! A token is kept until 30 s before it expires (one that lives for a minute or less: for three
//! quarters of its life), and renewed in the background at half its life, so that no request
//! waits for one.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Client, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Notify, time::timeout};
use url::Url;

use super::answer::{bounded_body, transport_failure};
use crate::{
    clock::{self, Alarm},
    domain::{CallFailure, FailureKind, HttpUrl, Name, Uptime},
    wire::registration::{read_token, read_token_endpoint},
};

/// A token is not used for its last 30 s: it could expire on its way.
const EXPIRY_MARGIN: Duration = Duration::from_secs(30);

/// What a token is taken to live for when the token endpoint does not say.
const DEFAULT_LIFE: Duration = Duration::from_secs(300);

/// The shortest wait after a renewal that failed.
const SHORTEST_RETRY: Duration = Duration::from_secs(1);

/// The bounds of how long a request for a token may take, a quarter of the patience (T) in between.
const SHORTEST_LIMIT: Duration = Duration::from_millis(250);
const LONGEST_LIMIT: Duration = Duration::from_secs(5);

/// Where an endpoint of the vendor's, and then any other, tells its token endpoint.
const DISCOVERY_PATHS: [&str; 3] = [
    "/Identity/.well-known/openid-configuration",
    "/identity/.well-known/openid-configuration",
    "/.well-known/openid-configuration",
];

/// Gets and keeps the token for one configuration.
#[derive(Debug)]
pub(super) struct TokenSource {
    http: Client,
    /// How long one request for a token may take: several fit into a lease.
    limit: Duration,
    endpoint: HttpUrl,
    token_endpoint: Option<HttpUrl>,
    id: Name,
    secret: SecretString,
    held: Mutex<Option<Held>>,
    /// One fetch at a time: a crowd of requests needs one token.
    fetching: tokio::sync::Mutex<()>,
    changed: Notify,
}

#[derive(Debug, Clone)]
struct Held {
    token: Arc<SecretString>,
    /// Empty once renewing has failed too often.
    renew_at: Option<Uptime>,
    expires: Uptime,
}

impl TokenSource {
    pub(super) fn new(
        http: Client,
        endpoint: HttpUrl,
        token_endpoint: Option<HttpUrl>,
        id: Name,
        secret: SecretString,
        patience: Duration,
    ) -> Self {
        Self {
            http,
            limit: (patience / 4).clamp(SHORTEST_LIMIT, LONGEST_LIMIT),
            endpoint,
            token_endpoint,
            id,
            secret,
            held: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// A token that is good for a request now.
    pub(super) async fn get(&self) -> Result<Arc<SecretString>, CallFailure> {
        if let Some(good) = self.good() {
            return Ok(good);
        }
        let _turn = self.fetching.lock().await;
        // Whoever had the turn before may have fetched it.
        match self.good() {
            Some(good) => Ok(good),
            None => self.fetch().await,
        }
    }

    /// Drops `refused`, unless another was fetched since.
    pub(super) fn drop_token(&self, refused: &Arc<SecretString>) {
        self.held().take_if(|held| Arc::ptr_eq(&held.token, refused));
    }

    /// Renews the token at half its life, for as long as it is polled, while the old one is used.
    pub(super) async fn keep_fresh(&self) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        loop {
            let changed = self.changed.notified();
            let renew_at = self.held().as_ref().and_then(|held| held.renew_at);
            let Some(renew_at) = renew_at else {
                changed.await;
                continue;
            };
            alarm.until(renew_at).await?;
            // Not in turn with the heartbeats: a renewal that hangs must not keep them waiting.
            // A heartbeat may have dropped it or fetched another since.
            if self.held().as_ref().is_none_or(|held| held.renew_at != Some(renew_at)) {
                continue;
            }
            if let Err(failure) = self.fetch().await {
                self.put_renewal_off(&failure);
            }
        }
    }

    /// Half of what is left of the token passes before the next attempt. In the end the heartbeats
    /// ask for one, at their pace: a secret that is refused often could lock an account.
    fn put_renewal_off(&self, failure: &CallFailure) {
        let now = clock::now().uptime;
        tracing::warn!(reason = failure.detail, "the token could not be renewed; the old one is used on");
        if let Some(held) = self.held().as_mut() {
            let left = held.expires.since(now);
            held.renew_at = (left > SHORTEST_RETRY).then(|| now + (left / 2).max(SHORTEST_RETRY));
        }
    }

    /// The token that was sent last, even where it has expired.
    pub(super) fn held_token(&self) -> Option<Arc<SecretString>> {
        self.held().as_ref().map(|held| Arc::clone(&held.token))
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn good(&self) -> Option<Arc<SecretString>> {
        let now = clock::now().uptime;
        self.held().as_ref().filter(|held| now < held.expires).map(|held| Arc::clone(&held.token))
    }

    async fn fetch(&self) -> Result<Arc<SecretString>, CallFailure> {
        let asked = timeout(self.limit, self.ask_for_token()).await;
        let fetched = asked.unwrap_or_else(|_elapsed| {
            Err(token_failure(&format!("no answer arrived within {:.1} s", self.limit.as_secs_f64())))
        })?;
        let token = Arc::clone(&fetched.token);
        *self.held() = Some(fetched);
        self.changed.notify_waiters();
        Ok(token)
    }

    async fn ask_for_token(&self) -> Result<Held, CallFailure> {
        let asked = clock::now().uptime;
        let url = match &self.token_endpoint {
            Some(url) => url.url().clone(),
            None => self.discover().await?,
        };
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", self.id.as_str())
            .append_pair("client_secret", self.secret.expose_secret())
            .finish();
        let response = self
            .http
            .post(url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(form)
            .send()
            .await
            .map_err(|error| without_token(transport_failure(&error)))?;
        let status = response.status();
        let body = bounded_body(response).await.map_err(without_token)?;
        if !status.is_success() {
            return Err(token_failure(&format!("the token endpoint answered {status}")));
        }
        let answer =
            read_token(&body).map_err(|error| token_failure(&format!("the token endpoint: {error}")))?;
        let life = answer.life.unwrap_or(DEFAULT_LIFE);
        // Even a short life leaves time to renew the token before it is not used any more.
        let margin = if life > EXPIRY_MARGIN * 2 { EXPIRY_MARGIN } else { life / 4 };
        let token = Arc::new(answer.token);
        Ok(Held { token, renew_at: Some(asked + life / 2), expires: asked + (life - margin) })
    }

    /// The token endpoint that the endpoint's host tells by OpenID discovery.
    async fn discover(&self) -> Result<Url, CallFailure> {
        let mut last = String::new();
        for path in DISCOVERY_PATHS {
            let mut url = self.endpoint.url().clone();
            url.set_path(path);
            url.set_query(None);
            let response = self.http.get(url).header(header::ACCEPT, "application/json").send().await;
            let response = response.map_err(|error| without_token(transport_failure(&error)))?;
            let status = response.status();
            let body = bounded_body(response).await.map_err(without_token)?;
            if status == StatusCode::OK
                && let Ok(found) = read_token_endpoint(&body)
            {
                return self.accept_discovered(&found);
            }
            last = format!("{path} answered {status}");
        }
        Err(token_failure(&format!(
            "the endpoint's host tells no token endpoint ({last}); set TokenEndpoint"
        )))
    }

    /// A discovered token endpoint must be https or loopback, and on the endpoint's own host: the
    /// secret goes nowhere else because an answer says so.
    fn accept_discovered(&self, text: &str) -> Result<Url, CallFailure> {
        let refused =
            |why: &str| token_failure(&format!("the discovered token endpoint {why}; set TokenEndpoint"));
        let found = HttpUrl::parse(text).map_err(|_error| refused("is no URL that can be used"))?;
        if !found.is_https() && !found.is_loopback() {
            return Err(refused("is not https"));
        }
        if found.url().host() != self.endpoint.url().host() {
            return Err(refused("is on another host"));
        }
        Ok(found.url().clone())
    }
}

/// A call for a token that failed.
fn without_token(failure: CallFailure) -> CallFailure {
    CallFailure { resolution: failure.resolution, ..token_failure(&failure.detail) }
}

fn token_failure(detail: &str) -> CallFailure {
    CallFailure::new(FailureKind::TokenFailed, format!("no token: {detail}"))
}
