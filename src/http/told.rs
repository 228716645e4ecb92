//! What browsers are told with every answer.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::Response,
};

/// No other page may show it, read it, or guess what it is.
const TOLD: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// What a browser is told of an answer that is somebody else's.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

/// The answer, with what a browser is told where it does not say something else.
pub(super) fn told(mut answer: Response) -> Response {
    for (name, value) in TOLD {
        answer.headers_mut().entry(name).or_insert(value);
    }
    answer
}

/// The same for an answer that is somebody else's: whatever he says. Nor is it shown as a page of this server.
pub(super) fn told_of_another(mut answer: Response) -> Response {
    answer.headers_mut().reserve(TOLD.len());
    for (name, value) in TOLD.into_iter().chain([(header::CONTENT_SECURITY_POLICY, SANDBOX)]) {
        answer.headers_mut().insert(name, value);
    }
    answer
}
