//! What all handlers share: routes in any case, bodies, and refusals that explain themselves.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, FromRequest, FromRequestParts, Request},
    http::{HeaderValue, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tower::{
    ServiceExt, service_fn,
    util::{BoxCloneSyncService, MapRequestLayer},
};
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;

use super::door::{self, Door, told, told_of_another};
use crate::{
    domain::{Fault, Faults},
    wire::{
        error::{AdapterError, EndpointError},
        members::{Content, MalformedJson, Members},
    },
};

/// The largest request body: 1 MiB, a thousand times what a configuration needs.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// How long a body may take to arrive: slow lines carry a mebibyte in it, and who dribbles is given up.
const BODY_TIME: Duration = Duration::from_secs(20);

/// An answer that refuses, not yet in the shape of the interface it is given by.
#[derive(Debug, Clone)]
pub struct Failure {
    status: StatusCode,
    error: String,
    reason: String,
    resolution: String,
    retry_after_s: Option<u64>,
}

impl Failure {
    /// A refusal. All three texts are sentences.
    pub fn new(
        status: StatusCode,
        error: impl Into<String>,
        reason: impl Into<String>,
        resolution: impl Into<String>,
    ) -> Self {
        let (error, reason, resolution) = (error.into(), reason.into(), resolution.into());
        Self { status, error, reason, resolution, retry_after_s: None }
    }

    /// The same, with a `Retry-After` header.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Its status, what was refused, and after how many seconds to come again.
    pub(super) fn summary(&self) -> (StatusCode, &str, Option<u64>) {
        (self.status, &self.error, self.retry_after_s)
    }

    /// Its body in the shape of the endpoint's or the adapter's interface, as JSON text.
    pub(super) fn body(&self, endpoint: bool, operation_id: String) -> String {
        let Self { error, reason, resolution, .. } = self.clone();
        if endpoint {
            let additional_parameters = serde_json::Map::new();
            to_json(&EndpointError { operation_id, error, reason, resolution, additional_parameters })
        } else {
            to_json(&AdapterError { error, reason, resolution })
        }
    }

    fn unknown_path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "The path is unknown.",
            "Nothing is served under this path.",
            "Check the path; the README lists all of them.",
        )
    }

    fn wrong_verb() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "The method is not allowed here.",
            "This path does not answer to the request's method.",
            "Use one of the methods in the Allow header.",
        )
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::new(StatusCode::BAD_REQUEST, faults.summary(), faults.reasons(), faults.resolutions())
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Faults::from(fault).into()
    }
}

impl From<MalformedJson> for Failure {
    fn from(malformed: MalformedJson) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "The body is not well-formed JSON.",
            format!("{malformed}."),
            "Correct the JSON text at that place.",
        )
    }
}

impl IntoResponse for Failure {
    /// An empty answer that carries the refusal; [`Routes::build`]'s outer layer writes its body.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // The rest of a body that was not read to its end is not read as the next request.
        if [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT].contains(&self.status) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Which interface a path belongs to, and so which shape its refusals have.
pub(super) fn is_endpoint(path: &str) -> bool {
    ["/api/v1/clientfailover", "/api/v1/tenants"]
        .iter()
        .any(|base| path.get(..base.len()).is_some_and(|start| start.eq_ignore_ascii_case(base)))
}

fn render(endpoint: bool, mut response: Response) -> Response {
    let Some(failure) = response.extensions_mut().remove::<Arc<Failure>>() else { return response };
    let operation_id = Uuid::new_v4().to_string();
    let Failure { status, error, reason, retry_after_s, .. } = failure.as_ref();
    // Whoever asks to come again later (a standby, a store that is full) has told or counted why.
    if status.is_server_error() && retry_after_s.is_none() {
        tracing::error!(operation_id, status = status.as_u16(), reason, "request failed: {error}");
    } else {
        tracing::debug!(operation_id, status = status.as_u16(), reason, "request refused: {error}");
    }
    let body = failure.body(endpoint, operation_id);
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(body);
    response
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

fn json_bytes(value: &impl Serialize) -> Vec<u8> {
    to_json(value).into_bytes()
}

/// A shape of ours as JSON text, on one line.
pub(super) fn to_json(value: &impl Serialize) -> String {
    // Our own shapes have string keys and no failing serializers; an empty body would still be safe.
    serde_json::to_string(value).unwrap_or_default()
}

/// A JSON answer.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, JSON)], json_bytes(&self.0)).into_response()
    }
}

/// All routes of a listener. Patterns are written in lower case with `{name}` for an identifier.
#[derive(Debug, Default)]
pub struct Routes {
    router: Router,
    patterns: Vec<&'static str>,
    raw: Option<Raw>,
}

/// What answers requests whose addresses stay as they were written.
#[derive(Debug, Clone)]
struct Raw {
    owns: fn(&str) -> bool,
    service: BoxCloneSyncService<Request, Response, Infallible>,
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
        answer: impl Fn(Request) -> F + Clone + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let service = service_fn(move |request| {
            let answered = CarriedOut::new(answer(request));
            async { Ok(render(false, answered.await)) }
        });
        self.raw = Some(Raw { owns, service: BoxCloneSyncService::new(service) });
        self
    }

    /// The service that answers them.
    ///
    /// From the outside in: the path is brought into its canonical form, refusals get their bodies,
    /// what was begun is carried out although its client hangs up, the door lets in who may, panics become
    /// refusals, and the router chooses the handler. What is answered raw passes the same door.
    pub fn build(self, door: Arc<Door>) -> Router {
        let Self { router, patterns, raw } = self;
        let patterns: Arc<[&'static str]> = patterns.into();
        let inner = router
            .fallback(async || Failure::unknown_path())
            .method_not_allowed_fallback(async || Failure::wrong_verb())
            .layer(CatchPanicLayer::custom(|_| internal("a handler panicked").into_response()))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&door), door::pass))
            .layer(axum::middleware::from_fn(async |request: Request, next: axum::middleware::Next| {
                let endpoint = is_endpoint(request.uri().path());
                // In a task of its own: a client that hangs up must not end a handler between what it
                // stored and what it applies.
                let answered = TaskTracker::new().spawn(next.run(request)).await;
                told(render(endpoint, answered.unwrap_or_else(|lost| internal(lost).into_response())))
            }));
        let canonical = MapRequestLayer::new(move |request| canonical(&patterns, request));
        let service = tower::Layer::layer(&canonical, inner).map_err(|never: Infallible| match never {});
        let Some(Raw { owns, service: raw }) = raw else { return Router::new().fallback_service(service) };
        let service = BoxCloneSyncService::new(service);
        Router::new().fallback_service(service_fn(move |request: Request| {
            let (raw, service, door) = (raw.clone(), service.clone(), Arc::clone(&door));
            async move {
                if !owns(request.uri().path()) {
                    return service.oneshot(request).await;
                }
                let answered = door.pass(request, |request| async {
                    raw.oneshot(request).await.unwrap_or_else(|never| match never {})
                });
                Ok(told_of_another(render(false, answered.await)))
            }
        }))
    }
}

/// A future that is carried out to its end, in a task of its own, although nobody waits for it any more.
struct CarriedOut<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> CarriedOut<F> {
    fn new(work: F) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<F: Future<Output = Response> + Send + 'static> Future for CarriedOut<F> {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let Some(work) = self.0.as_mut() else { return Poll::Pending };
        let done = std::task::ready!(work.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(done)
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for CarriedOut<F> {
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

/// A failure that is ours: the answer is generic, the truth goes to the log.
pub fn internal(cause: impl std::fmt::Display) -> Failure {
    tracing::error!(%cause, "internal error");
    failed()
}

pub(super) fn failed() -> Failure {
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "The server made an error.",
        "The request could not be carried out; nothing was changed.",
        "Look into the server's log, which says more.",
    )
}

/// The members of a request's JSON object.
#[derive(Debug)]
pub struct JsonBody(pub Content);

impl JsonBody {
    /// The object, which must be the whole body.
    ///
    /// # Errors
    /// 400 when the body is something else.
    pub fn object(self) -> Result<Members, Failure> {
        self.0.object().map_err(Failure::from)
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        check_content_type(request.headers().get(header::CONTENT_TYPE))?;
        let body = read_body(request.into_body()).await?;
        Ok(Self(Content::parse(&body)?))
    }
}

fn check_content_type(value: Option<&HeaderValue>) -> Result<(), Failure> {
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    Err(not_json(&essence))
}

pub(super) fn not_json(essence: &str) -> Failure {
    let said = if essence.is_empty() {
        "no content type".to_owned()
    } else {
        format!("the content type {essence:?}")
    };
    Failure::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "The content type is not JSON.",
        format!("The request has {said}."),
        "Send the header Content-Type: application/json.",
    )
}

pub(super) fn too_large() -> Failure {
    Failure::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "The body is too large.",
        format!("It has more than {BODY_LIMIT} bytes."),
        "Send a smaller body; a configuration needs less than 10 KiB.",
    )
}

pub(super) fn too_slow() -> Failure {
    Failure::new(
        StatusCode::REQUEST_TIMEOUT,
        "The body did not arrive in time.",
        format!("It was not complete within {} seconds.", BODY_TIME.as_secs()),
        "Send the request again, all of it at once.",
    )
}

async fn read_body(body: Body) -> Result<Bytes, Failure> {
    let read = timeout(BODY_TIME, Limited::new(body, BODY_LIMIT).collect()).await;
    match read.map_err(|_elapsed| too_slow())? {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(Failure::new(
            StatusCode::BAD_REQUEST,
            "The body could not be read.",
            format!("The connection broke while the body was read ({error})."),
            "Send the request again.",
        )),
    }
}

/// The identifiers of a path, percent-decoded, in the pattern's order.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: serde::de::DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(ids)) => Ok(Self(ids)),
            Err(rejection) => Err(Failure::new(
                StatusCode::BAD_REQUEST,
                "An identifier in the path cannot be read.",
                format!("{}.", rejection.body_text().trim_end_matches('.')),
                "Write identifiers as percent-encoded UTF-8.",
            )),
        }
    }
}

/// The query of a request, as pairs; names in any case.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// The last value of `name`; empty text counts as left out.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let same = self.0.iter().rfind(|(key, _)| key.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

impl Query {
    /// A fault for each name that is none of `known`.
    #[must_use]
    pub fn unknown(&self, known: &[&str]) -> Faults {
        let mut faults = Faults::none();
        for (name, _) in &self.0 {
            if !known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
                let resolution = format!("The parameters are {}.", known.join(", "));
                faults.push(Fault::new(
                    format!("{shown:?}"),
                    "is not a parameter that is known here",
                    resolution,
                ));
            }
        }
        faults
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub Option<SocketAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0)))
    }
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
