//! What all handlers share: bodies, answers, and refusals that explain themselves.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, FromRequest, FromRequestParts, Request},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use tokio::time::timeout;
use uuid::Uuid;

pub use super::routes::{Interface, Routes};
use super::traffic::{Cause, Traffic};
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
    cause: Option<Cause>,
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
        Self { status, error, reason, resolution, retry_after_s: None, cause: None }
    }

    /// What is answered.
    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    /// The same, with another resolution.
    #[must_use]
    pub fn resolve(mut self, resolution: &str) -> Self {
        resolution.clone_into(&mut self.resolution);
        self
    }

    /// The same, with a `Retry-After` header.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The same, counted by its cause.
    #[must_use]
    pub(super) const fn because(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// The refusal that `answer` is, if it is one of ours.
    pub(super) fn of(answer: &Response) -> Option<&Self> {
        answer.extensions().get::<Arc<Self>>().map(AsRef::as_ref)
    }

    /// Whether it goes beyond a limit, whoever asked.
    pub(super) const fn is_beyond_a_limit(&self) -> bool {
        matches!(
            self.status,
            StatusCode::REQUEST_TIMEOUT
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::URI_TOO_LONG
                | StatusCode::TOO_MANY_REQUESTS
        ) || matches!(
            self.cause,
            Some(Cause::TooManyStreams | Cause::TooManyGroups | Cause::TooManySessions | Cause::NoMemory)
        )
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
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The answer; one that refuses gets a body that says why, and is counted.
pub(super) fn render(endpoint: bool, traffic: &Traffic, mut response: Response) -> Response {
    let Some(failure) = response.extensions_mut().remove::<Arc<Failure>>() else { return response };
    let Failure { status, error, reason, retry_after_s, cause, .. } = failure.as_ref();
    traffic.refused(*status, *cause);
    let operation_id = Uuid::new_v4().to_string();
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

impl Peer {
    /// Its address; this machine's where there is no connection.
    pub(super) fn ip(self) -> IpAddr {
        self.0.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |from| from.ip())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0)))
    }
}
