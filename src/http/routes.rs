//! All routes of a listener: paths in any case, and what surrounds every handler.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use tokio_util::task::TaskTracker;
use tower::{
    ServiceExt,
    util::{BoxCloneSyncService, MapRequestLayer},
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    door::{self, Door},
    kit::{Failure, internal, render},
    told::{told, told_of_another},
};

/// All routes of a listener. Patterns are written in lower case with `{name}` for an identifier.
#[derive(Debug, Default)]
pub struct Routes {
    router: Router,
    patterns: Vec<&'static str>,
    raw: Option<Raw>,
}

/// What answers requests whose addresses stay as they were written.
#[derive(Clone)]
struct Raw {
    owns: fn(&str) -> bool,
    answer: Arc<dyn Fn(Request) -> Answering + Send + Sync>,
}

type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw").finish_non_exhaustive()
    }
}

impl Routes {
    /// No route yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what answers under `pattern`.
    #[must_use]
    pub fn route(mut self, pattern: &'static str, methods: MethodRouter) -> Self {
        debug_assert_eq!(pattern, pattern.to_ascii_lowercase(), "patterns are in lower case");
        self.router = self.router.route(pattern, methods);
        self.patterns.push(pattern);
        self
    }

    /// All patterns, in the order they were added.
    #[must_use]
    pub fn patterns(&self) -> &[&'static str] {
        &self.patterns
    }

    /// Adds all routes of `other`.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.patterns.extend(other.patterns);
        self.raw = self.raw.or(other.raw);
        self
    }

    /// Lets `answer` have every request whose path it `owns`, once the door lets it in, as it was sent.
    #[must_use]
    pub fn raw<F>(
        mut self,
        owns: fn(&str) -> bool,
        answer: impl Fn(Request) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        self.raw = Some(Raw { owns, answer: Arc::new(move |request| Box::pin(answer(request))) });
        self
    }

    /// What answers them.
    ///
    /// From the outside in: the path is brought into its canonical form, refusals get their bodies,
    /// what was begun is carried out although its client hangs up, the door lets in who may, panics become
    /// refusals, and the router chooses the handler. What is answered raw passes the same door.
    pub fn build(self, door: Arc<Door>) -> Interface {
        let Self { router, patterns, raw } = self;
        let halves = Halves { adapter: patterns.contains(&ADAPTER), endpoint: patterns.contains(&ENDPOINT) };
        let patterns: Arc<[&'static str]> = patterns.into();
        let traffic = door.traffic().clone();
        let inner = router
            .fallback(async move |uri: Uri| unknown_path(uri.path(), halves))
            .method_not_allowed_fallback(async || wrong_verb())
            .layer(CatchPanicLayer::custom(|_| internal("a handler panicked").into_response()))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&door), door::pass))
            .layer(axum::middleware::from_fn(move |request: Request, next: axum::middleware::Next| {
                let (endpoint, traffic) = (is_endpoint(request.uri().path()), traffic.clone());
                async move {
                    // In a task of its own: a client that hangs up must not end a handler between what it
                    // stored and what it applies.
                    let answered = TaskTracker::new().spawn(next.run(request)).await;
                    let answer = answered.unwrap_or_else(|lost| internal(lost).into_response());
                    told(render(endpoint, &traffic, answer))
                }
            }));
        let canonical = MapRequestLayer::new(move |request| canonical(&patterns, request));
        let router = BoxCloneSyncService::new(tower::Layer::layer(&canonical, inner));
        Interface(Arc::new(Parts { door, raw, router }))
    }
}

/// All routes of a listener, behind its door. Clones share them.
#[derive(Debug, Clone)]
pub struct Interface(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    door: Arc<Door>,
    raw: Option<Raw>,
    router: BoxCloneSyncService<Request, Response, Infallible>,
}

impl Interface {
    /// What a request is answered.
    pub async fn answer(&self, request: Request) -> Response {
        let Parts { door, raw, router } = &*self.0;
        match raw.as_ref().filter(|raw| (raw.owns)(request.uri().path())) {
            Some(raw) => {
                // From the door on: a client that hangs up must not end the check of its login half way, nor be
                // forgotten when it is refused.
                let (door, answer) = (Arc::clone(door), Arc::clone(&raw.answer));
                let passed = async move {
                    let answered = door.pass(request, |request, _| answer(request)).await;
                    render(false, door.traffic(), answered)
                };
                told_of_another(CarriedOut(Some(Box::pin(passed))).await)
            }
            None => router.clone().oneshot(request).await.unwrap_or_else(|never| match never {}),
        }
    }
}

/// The on-premises base of a failover endpoint.
const ENDPOINT: &str = "/api/v1/clientfailover";

/// Which interface a path belongs to, and so which shape its refusals have.
pub(super) fn is_endpoint(path: &str) -> bool {
    [ENDPOINT, "/api/v1/tenants"]
        .iter()
        .any(|base| path.get(..base.len()).is_some_and(|start| start.eq_ignore_ascii_case(base)))
}

/// Where an adapter shows its state.
const ADAPTER: &str = "/api/v1/diagnostics/failoverstate";

/// Which halves a server has.
#[derive(Debug, Clone, Copy)]
struct Halves {
    adapter: bool,
    endpoint: bool,
}

/// Adapters whose Endpoint lacks the base path ask for groups all the same, and show their operator the reason.
fn unknown_path(path: &str, halves: Halves) -> Failure {
    let asks_for_groups =
        path.to_ascii_lowercase().contains("/groups") || (is_endpoint(path) && !halves.endpoint);
    let (reason, resolution) = match (asks_for_groups, halves) {
        (true, Halves { endpoint: true, .. }) => (
            "Nothing is served under this path; the base of the failover endpoint here is /api/v1/clientfailover.",
            "End the configuration's Endpoint with that path.",
        ),
        (true, Halves { endpoint: false, .. }) => (
            "Nothing is served under this path; this server is an adapter, and hosts no failover endpoint.",
            "Set the configuration's Endpoint to the base address of a failover endpoint.",
        ),
        (false, Halves { adapter: false, .. }) => (
            "Nothing is served under this path; this server is a failover endpoint, and no adapter.",
            "Ask the adapter, or check the path; /api shows all of them.",
        ),
        (false, Halves { adapter: true, .. }) => {
            ("Nothing is served under this path.", "Check the path; /api shows all of them.")
        }
    };
    Failure::new(StatusCode::NOT_FOUND, "The path is unknown.", reason, resolution)
}

fn wrong_verb() -> Failure {
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "The method is not allowed here.",
        "This path does not answer to the request's method.",
        "Use one of the methods in the Allow header.",
    )
}

/// A future that is carried out to its end, in a task of its own, although nobody waits for it any more.
struct CarriedOut(Option<Answering>);

impl Future for CarriedOut {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let Some(work) = self.0.as_mut() else { return Poll::Pending };
        let done = std::task::ready!(work.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(done)
    }
}

impl Drop for CarriedOut {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            TaskTracker::new().spawn(work);
        }
    }
}

/// Rewrites the fixed segments of a known path to lower case and drops a trailing slash;
/// identifiers and unknown paths stay as they were written.
fn canonical(patterns: &[&'static str], mut request: Request) -> Request {
    if let Some(path) = canonical_path(patterns, request.uri().path()) {
        let path_and_query = match request.uri().query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        // A host that the absolute form names stays: the door asks for it.
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = path_and_query.parse().ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

fn canonical_path(patterns: &[&'static str], path: &str) -> Option<String> {
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    let pattern = patterns.iter().find(|pattern| {
        let mut segments = trimmed.split('/');
        let fits = pattern.split('/').all(|expected| {
            segments.next().is_some_and(|segment| {
                if expected.starts_with('{') {
                    !segment.is_empty()
                } else {
                    expected.eq_ignore_ascii_case(segment)
                }
            })
        });
        fits && segments.next().is_none()
    })?;
    let segments = pattern.split('/').zip(trimmed.split('/'));
    let canonical: Vec<&str> = segments
        .map(|(expected, segment)| if expected.starts_with('{') { segment } else { expected })
        .collect();
    let canonical = canonical.join("/");
    (canonical != path).then_some(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATTERNS: [&str; 3] = ["/api/v1/groups", "/api/v1/groups/{g}", "/api/v1/groups/{g}/status"];

    #[test]
    fn fixed_segments_match_in_any_case_and_identifiers_stay() {
        let path = |path| canonical_path(&PATTERNS, path);
        assert_eq!(path("/API/v1/Groups/").as_deref(), Some("/api/v1/groups"));
        assert_eq!(path("/api/v1/GROUPS/Status/STATUS").as_deref(), Some("/api/v1/groups/Status/status"));
        assert_eq!(path("/api/v1/groups/A%2Fb/").as_deref(), Some("/api/v1/groups/A%2Fb"));
        assert_eq!(path("/api/v1/groups/A"), None);
        assert_eq!(path("/api/v1/groups//"), None);
        assert_eq!(path("/other"), None);
    }
}
