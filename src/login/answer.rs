//! Answers of servers: bounded, and what a failed transport means.

use std::error::Error;

use reqwest::Response;

use crate::domain::{CallFailure, FailureKind};

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
                return Err(failure(FailureKind::TooLarge, detail));
            }
            Ok(None) => return Ok(body),
            Err(error) => return Err(transport_failure(&error)),
        }
    }
}

fn failure(kind: FailureKind, detail: String) -> CallFailure {
    CallFailure { kind, detail, retry_after: None }
}

/// What a failed transport means. The address is left out: it may be long, and the caller names it.
#[must_use]
pub fn transport_failure(error: &reqwest::Error) -> CallFailure {
    if error.is_timeout() {
        return failure(FailureKind::TimedOut, "no answer arrived in time".to_owned());
    }
    let mut cause = error.source();
    let mut last = error.to_string();
    while let Some(source) = cause {
        if let Some(refused) = tls_error(source) {
            return failure(FailureKind::Certificate, format!("the TLS handshake failed ({refused})"));
        }
        last = source.to_string();
        cause = source.source();
    }
    if error.is_connect() {
        failure(FailureKind::Unreachable, format!("it could not be reached ({last})"))
    } else {
        failure(FailureKind::Unreachable, format!("the connection broke ({last})"))
    }
}

/// The TLS error in `error`: it comes wrapped in I/O errors, one or more deep, that show what they
/// wrap but do not name it as their source.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref().or_else(|| tls_error(error.downcast_ref::<std::io::Error>()?.get_ref()?))
}
