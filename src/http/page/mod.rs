//! The page for people: what the server knows, shown in a browser.
//!
//! Promises: the page is part of the program and asks no other host; nothing that comes from the server's
//! state is ever markup, which the policy below holds it to; it uses the public interfaces alone.
//!
//! Does not: know who is looking. Whoever may read the interfaces may read the page.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::kit::Routes;

/// Nothing inline, nothing from elsewhere, and no text that becomes markup or script (Trusted Types).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
     trusted-types 'none'";

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// What the head of each document has, and where.
const HEAD: (&str, &str) = ("{head}", include_str!("head.html"));

/// Where in the document the halves are named.
const HALVES: &str = "{halves}";

macro_rules! files {
    ($($name:literal: $kind:expr,)+) => {
        &[$((concat!("/page/", $name), $kind, include_str!(concat!("assets/", $name)))),+]
    };
}

/// What the document is made of.
const FILES: &[(&str, &str, &str)] = files! {
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "main.js": JAVASCRIPT,
    "api.css": "text/css; charset=utf-8",
    "api.js": JAVASCRIPT,
    "adapter.js": JAVASCRIPT,
    "audit.js": JAVASCRIPT,
    "changes.js": JAVASCRIPT,
    "dom.js": JAVASCRIPT,
    "group.js": JAVASCRIPT,
    "groups.js": JAVASCRIPT,
    "history.js": JAVASCRIPT,
    "lanes.js": JAVASCRIPT,
    "members.js": JAVASCRIPT,
    "override.js": JAVASCRIPT,
    "picture.js": JAVASCRIPT,
    "reading.js": JAVASCRIPT,
    "schema.js": JAVASCRIPT,
    "server.js": JAVASCRIPT,
    "time.js": JAVASCRIPT,
    "token.js": JAVASCRIPT,
    "words.js": JAVASCRIPT,
    "work.js": JAVASCRIPT,
};

/// Which halves a server has, and so which views its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halves {
    /// The adapter half.
    pub adapter: bool,
    /// A failover endpoint.
    pub endpoint: bool,
}

impl Halves {
    fn names(self) -> &'static str {
        match (self.adapter, self.endpoint) {
            (true, true) => "adapter endpoint",
            (true, false) => "adapter",
            (false, true) => "endpoint",
            (false, false) => "",
        }
    }
}

/// The routes of the page, at `/`, `/api` (the interfaces) and below `/page`.
#[must_use]
pub fn routes(halves: Halves) -> Routes {
    let overview = document(&include_str!("assets/index.html").replace(HALVES, halves.names()));
    let interfaces = document(include_str!("assets/api.html"));
    let routes = Routes::new()
        .route("/", get(async move |headers: HeaderMap| overview.answer(&headers)))
        .route("/api", get(async move |headers: HeaderMap| interfaces.answer(&headers)));
    FILES.iter().fold(routes, |routes, (path, kind, text)| {
        let asset = Asset::new(kind, Bytes::from_static(text.as_bytes()));
        routes.route(path, get(async move |headers: HeaderMap| asset.answer(&headers)))
    })
}

/// A document, with the head that all have.
fn document(text: &str) -> Asset {
    Asset::new("text/html; charset=utf-8", text.replace(HEAD.0, HEAD.1).into())
}

/// A file of the program.
#[derive(Debug, Clone)]
pub(super) struct Asset {
    kind: HeaderValue,
    tag: String,
    bytes: Bytes,
}

impl Asset {
    /// The file of these bytes, of this kind.
    pub(super) fn new(kind: &'static str, bytes: Bytes) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self { kind: HeaderValue::from_static(kind), tag: format!("\"{:016x}\"", hasher.finish()), bytes }
    }

    /// The file, or that the browser's copy is still good: it asks each time, so that an upgrade is seen
    /// at once.
    pub(super) fn answer(&self, request: &HeaderMap) -> Response {
        let known = request.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let known = known
            .is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == self.tag));
        let headers = [
            (header::ETAG, HeaderValue::from_str(&self.tag).ok()),
            (header::CACHE_CONTROL, Some(HeaderValue::from_static("no-cache"))),
            (header::CONTENT_SECURITY_POLICY, Some(HeaderValue::from_static(POLICY))),
            (header::X_CONTENT_TYPE_OPTIONS, Some(HeaderValue::from_static("nosniff"))),
            (header::REFERRER_POLICY, Some(HeaderValue::from_static("no-referrer"))),
            (
                HeaderName::from_static("cross-origin-opener-policy"),
                Some(HeaderValue::from_static("same-origin")),
            ),
        ];
        let headers: HeaderMap =
            headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        if known {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        ([(header::CONTENT_TYPE, self.kind.clone())], headers, self.bytes.clone()).into_response()
    }
}
