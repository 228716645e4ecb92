//! Speaks to one failover endpoint: paths, headers, bounded answers, failures by kind.

use std::time::Duration;

use reqwest::{
    Client, Method, RequestBuilder, Response, StatusCode,
    header::{self, HeaderMap, HeaderValue},
};
use url::Url;

use super::{
    machine::{Answer, Call, Farewell, GroupTimeout},
    redact::Redactor,
};
use crate::{
    domain::{
        CallFailure, FailoverTimeout, FailureKind, GroupId, Heartbeat, HttpUrl, OpenAccess, SessionId, Wall,
    },
    login::{Login, Proof, bounded_body, client_builder, transport_failure},
    tls::Authorities,
    wire::registration::{
        BadAnswer, GroupBody, HeartbeatBody, SessionBody, read_group_timeout, read_heartbeat_answer,
        read_version,
    },
};

/// What is kept of an endpoint's version and of its reasons, in characters.
const VERSION_LIMIT: usize = 64;
const REASON_LIMIT: usize = 512;

/// What a stream of events is, and how long one may go on before it is opened anew.
const EVENT_STREAM: &str = "text/event-stream";
const STREAM_LIFE: Duration = Duration::from_secs(86_400);

/// Why no client could be made for a configuration.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client could be made for the endpoint")]
pub struct ClientError(#[from] reqwest::Error);

/// A client of the endpoint of one configuration. Clones share its connections.
#[derive(Debug, Clone)]
pub struct EndpointClient {
    http: Client,
    base: HttpUrl,
    login: Login,
    redactor: Redactor,
}

impl EndpointClient {
    /// A client of the endpoint of `open` that trusts `authorities` beside the system's. It follows no redirect,
    /// uses no proxy, and keeps no cookie.
    ///
    /// # Errors
    /// When TLS cannot be prepared.
    pub fn new(
        open: &OpenAccess,
        timeout: FailoverTimeout,
        authorities: &Authorities,
    ) -> Result<Self, ClientError> {
        let timeout = timeout.get();
        let http = client_builder(open.access(), authorities)?
            .connect_timeout(timeout)
            .timeout(timeout)
            // An idle connection that the endpoint may have closed costs a failed heartbeat.
            .pool_idle_timeout(timeout.max(Duration::from_secs(1)))
            .build()?;
        let login = Login::new(&http, open, timeout);
        let redactor = Redactor::new(open.credentials());
        Ok(Self { http, base: open.access().endpoint().clone(), login, redactor })
    }

    /// Asks one question.
    pub(super) async fn call(&self, call: &Call) -> Result<Answer, CallFailure> {
        match call {
            Call::Version => {
                let (version, native) = read_version(&self.send(Method::GET, &[], None).await?);
                let version = version.map(|text| self.fit_to_show(&text, VERSION_LIMIT));
                Ok(Answer::Version { version, native })
            }
            Call::CreateGroup(group, timeout) => {
                let body = json(&GroupBody::new(group, *timeout))?;
                // Stock endpoints know this path with its trailing slash.
                let answer = self.send(Method::POST, &["groups", ""], Some(body)).await?;
                // An answer without a timeout says that the group is as it was asked for.
                Ok(Answer::Group(read_group_timeout(&answer).map_or(GroupTimeout::AsAsked, group_timeout)))
            }
            Call::ReadGroup(group) => {
                let answer = self.send(Method::GET, &["groups", group.as_str()], None).await?;
                Ok(Answer::Group(group_timeout(read_group_timeout(&answer)?)))
            }
            Call::CreateSession(group, session, name) => {
                let body = json(&SessionBody::new(session, name.as_ref()))?;
                self.send(Method::POST, &["groups", group.as_str(), "clientsessions"], Some(body)).await?;
                Ok(Answer::Session)
            }
            Call::ReadSession(group, session) => {
                self.send(Method::GET, &session_path(group, session), None).await?;
                Ok(Answer::Session)
            }
            Call::Heartbeat(group, session, heartbeat) => self.heartbeat(group, session, heartbeat).await,
        }
    }

    /// Says farewell. A heartbeat that fails ends the heartbeats, because each covers the answers to
    /// those before it; the session is given up all the same, for acting has stopped long before.
    pub(super) async fn farewell(&self, farewell: &Farewell) -> Result<(), CallFailure> {
        for heartbeat in &farewell.heartbeats {
            if self.heartbeat(&farewell.group, &farewell.session, heartbeat).await.is_err() {
                break;
            }
        }
        self.send(Method::DELETE, &session_path(&farewell.group, &farewell.session), None).await?;
        Ok(())
    }

    /// Keeps the bearer token fresh for as long as it is polled; returns at once where there is none.
    pub(super) async fn keep_token_fresh(&self) -> std::io::Result<()> {
        self.login.keep_fresh().await
    }

    async fn heartbeat(
        &self,
        group: &GroupId,
        session: &SessionId,
        heartbeat: &Heartbeat,
    ) -> Result<Answer, CallFailure> {
        let body = json(&HeartbeatBody::from(heartbeat))?;
        let path = ["groups", group.as_str(), "clientsessions", session.as_str(), "heartbeat"];
        let answer = self.send(Method::POST, &path, Some(body)).await?;
        let mut answer = read_heartbeat_answer(&answer)?;
        answer.reason = answer.reason.map(|text| self.fit_to_show(&text, REASON_LIMIT));
        for warning in &mut answer.warnings {
            *warning = self.fit_to_show(warning, REASON_LIMIT);
        }
        // The names in a receipt are the endpoint's words, too.
        let shown_as_said = |id: &SessionId| self.fit_to_show(id.as_str(), REASON_LIMIT) == id.as_str();
        answer.receipt =
            answer.receipt.filter(|receipt| shown_as_said(&receipt.from) && shown_as_said(&receipt.to));
        Ok(Answer::Heartbeat(answer))
    }

    /// Opens a group's stream of events, which may go on for [`STREAM_LIFE`].
    pub(super) async fn open_events(&self, group: &GroupId) -> Result<Response, CallFailure> {
        let request = self
            .http
            .get(self.url(&["groups", group.as_str(), "events"]))
            .header(header::ACCEPT, EVENT_STREAM)
            .timeout(STREAM_LIFE);
        let response = self.accept(self.send_logged_in(request).await?).await?;
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with(EVENT_STREAM)) {
            return Ok(response);
        }
        Err(CallFailure::new(FailureKind::BadAnswer, "its answer is no stream of events"))
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, CallFailure> {
        let request = self.http.request(method, self.url(path)).header(header::ACCEPT, "application/json");
        let request = match body {
            Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(body),
            None => request,
        };
        bounded_body(self.accept(self.send_logged_in(request).await?).await?).await
    }

    /// Sends a request, and once more with a fresh token when the first one was refused with 401.
    async fn send_logged_in(&self, request: RequestBuilder) -> Result<Response, CallFailure> {
        let again = request.try_clone();
        let proof = self.login.proof().await?;
        let response = send_once(request, proof.as_ref()).await?;
        let refused = response.status() == StatusCode::UNAUTHORIZED
            && proof.is_some_and(|proof| self.login.refused(&proof));
        let Some(again) = again.filter(|_| refused) else { return Ok(response) };
        send_once(again, self.login.proof().await?.as_ref()).await
    }

    /// The answer, if it is none that refuses.
    ///
    /// # Errors
    /// When it refuses: why, in the endpoint's words without our secrets.
    pub async fn accept(&self, response: Response) -> Result<Response, CallFailure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let kind = match status.as_u16() {
            300..=399 => FailureKind::Redirected,
            401 => FailureKind::Unauthorized,
            403 => FailureKind::Forbidden,
            404 => FailureKind::NotFound,
            409 => FailureKind::Conflict,
            429 => FailureKind::TooManyRequests,
            // Not implemented is no fault that could pass.
            501 => FailureKind::Refused,
            500.. => FailureKind::ServerError,
            _ => FailureKind::Refused,
        };
        let retry_after = retry_after(response.headers());
        let body = bounded_body(response).await.unwrap_or_default();
        let detail = match (kind, self.said(&body, &["Reason", "Error"])) {
            (FailureKind::Redirected, _) => format!("it answered {status}, and redirects are never followed"),
            (_, Some(reason)) => format!("it answered {status}: {reason}"),
            (_, None) => format!("it answered {status}"),
        };
        let resolution = knows_better(kind).then(|| self.said(&body, &["Resolution"])).flatten();
        Err(CallFailure { resolution, retry_after, ..CallFailure::new(kind, detail) })
    }

    /// The first of `members` in an error body of the documented shape, a sentence without its full stop.
    fn said(&self, body: &[u8], members: &[&str]) -> Option<String> {
        let value: serde_json::Value = serde_json::from_slice(body).ok()?;
        let said = members.iter().find_map(|member| value.get(member)?.as_str())?;
        let said = self.fit_to_show(said, REASON_LIMIT).trim_end_matches('.').to_owned();
        Some(said).filter(|said| !said.is_empty())
    }

    /// What the endpoint says, as it may be shown and written down: without our secrets, which are
    /// taken out before anything is cut, without control characters, and not too long.
    fn fit_to_show(&self, said: &str, limit: usize) -> String {
        let token = self.login.held_token();
        let redacted = self.redactor.redact(said, token.as_deref());
        redacted.chars().filter(|c| !c.is_control()).take(limit).collect()
    }

    /// The base with `path` appended, each segment percent-encoded.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.url().clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

async fn send_once(request: RequestBuilder, proof: Option<&Proof>) -> Result<Response, CallFailure> {
    let request = match proof.and_then(Proof::header) {
        Some(login) => request.header(header::AUTHORIZATION, login),
        None => request,
    };
    request.send().await.map_err(|error| transport_failure(&error))
}

/// Whether what an endpoint says about what to do is better than what the kind of its refusal says: of logins, addresses
/// and sessions its sentence is written for whoever sent the request by hand.
const fn knows_better(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Forbidden
        | FailureKind::TooManyRequests
        | FailureKind::ServerError
        | FailureKind::Refused => true,
        FailureKind::Unreachable
        | FailureKind::TimedOut
        | FailureKind::Certificate
        | FailureKind::Redirected
        | FailureKind::TooLarge
        | FailureKind::BadAnswer
        | FailureKind::Unauthorized
        | FailureKind::NotFound
        | FailureKind::Conflict
        | FailureKind::TokenFailed => false,
    }
}

fn session_path<'a>(group: &'a GroupId, session: &'a SessionId) -> [&'a str; 4] {
    ["groups", group.as_str(), "clientsessions", session.as_str()]
}

fn group_timeout(span: Duration) -> GroupTimeout {
    match FailoverTimeout::new(span.min(FailoverTimeout::MAX)) {
        Ok(timeout) => GroupTimeout::Usable(timeout),
        Err(_) => GroupTimeout::TooSmall(span),
    }
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, CallFailure> {
    serde_json::to_vec(value).map_err(|error| CallFailure::new(FailureKind::Refused, error.to_string()))
}

/// Retry-After as seconds, or as a date against the answer's own Date: remote clocks are never
/// compared with ours.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let value = text(header::RETRY_AFTER)?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |value: &str| {
        jiff::fmt::rfc2822::parse(value).ok().map(|at| Wall::from_micros(at.timestamp().as_microsecond()))
    };
    Some(date(value)?.since(date(text(header::DATE)?)?))
}

impl From<BadAnswer> for CallFailure {
    fn from(bad: BadAnswer) -> Self {
        CallFailure::new(FailureKind::BadAnswer, bad.to_string())
    }
}
