//! Answers of servers: bounded, and what a failed transport means.

use reqwest::Response;

use crate::{
    domain::{CallFailure, FailureKind, root_cause},
    tls::handshake,
};

/// No answer of a failover endpoint or token endpoint is larger than this.
const ANSWER_LIMIT: usize = 64 * 1024;

/// Reads an answer's body, up to 64 KiB.
///
/// # Errors
/// When it is larger, or the connection breaks.
pub async fn bounded_body(mut response: Response) -> Result<Vec<u8>, CallFailure> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_LIMIT => body.extend_from_slice(&chunk),
            Ok(Some(_)) => {
                let detail = format!("its answer is larger than {ANSWER_LIMIT} bytes");
                return Err(CallFailure::new(FailureKind::TooLarge, detail));
            }
            Ok(None) => return Ok(body),
            Err(error) => return Err(transport_failure(&error)),
        }
    }
}

/// What a failed transport means. The address is left out: it may be long, and the caller names it.
#[must_use]
pub fn transport_failure(error: &reqwest::Error) -> CallFailure {
    if error.is_timeout() {
        return CallFailure::new(FailureKind::TimedOut, "no answer arrived in time");
    }
    if let Some(refused) = handshake::refused(error) {
        let detail = format!("the TLS handshake failed ({refused})");
        let resolution = handshake::remedy(refused).map(str::to_owned);
        return CallFailure { resolution, ..CallFailure::new(FailureKind::Certificate, detail) };
    }
    let last = root_cause(error);
    if error.is_connect() {
        return CallFailure::new(FailureKind::Unreachable, format!("it could not be reached ({last})"));
    }
    let broke = CallFailure::new(FailureKind::Unreachable, format!("the connection broke ({last})"));
    let in_clear = error.url().is_some_and(|url| url.scheme() == "http");
    CallFailure { resolution: in_clear.then(|| BROKE_IN_CLEAR.to_owned()), ..broke }
}

/// What may mend a connection that broke without TLS, beside what mends any.
const BROKE_IN_CLEAR: &str =
    "See to it that the server there runs; if its port speaks TLS, write https in its address";
