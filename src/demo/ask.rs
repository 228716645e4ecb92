//! The public interfaces of the pair, as anybody may ask them.

use std::time::Duration;

use reqwest::{Client, Method, redirect::Policy};
use serde_json::Value;

/// How long an answer is waited for: one machine, and processes that do little.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It was not reached, or its answer was broken off.
    #[error("a process of the demo was not reached")]
    NotReached(#[from] reqwest::Error),
    /// Its answer is no JSON.
    #[error("the answer of {url} is not understood")]
    NotUnderstood {
        /// What was asked.
        url: String,
        /// Why.
        source: serde_json::Error,
    },
    /// It refused.
    #[error("{url} was refused: {body}")]
    Refused {
        /// What was asked.
        url: String,
        /// The refusal.
        body: String,
    },
}

/// A client that goes straight to loopback.
pub(super) fn client(patience: Duration) -> reqwest::Result<Client> {
    Client::builder().no_proxy().redirect(Policy::none()).tls_certs_only([]).timeout(patience).build()
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Ask(Client);

impl Ask {
    pub(super) fn new() -> Result<Self, AskError> {
        Ok(Self(client(PATIENCE)?))
    }

    pub(super) async fn get(&self, url: String) -> Result<Value, AskError> {
        let text = self.call(Method::GET, &url, None).await?;
        serde_json::from_str(&text).map_err(|source| AskError::NotUnderstood { url, source })
    }

    pub(super) async fn put(&self, url: String, body: &Value) -> Result<(), AskError> {
        self.call(Method::PUT, &url, Some(body)).await.map(drop)
    }

    async fn call(&self, method: Method, url: &str, body: Option<&Value>) -> Result<String, AskError> {
        let mut request = self.0.request(method, url);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        if status.is_success() { Ok(body) } else { Err(AskError::Refused { url: url.to_owned(), body }) }
    }
}
