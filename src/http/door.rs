//! The door of an interface: who is let in, and what every answer says to browsers.
//!
//! A request passes if it is meant for this server, is not sent by a page of somebody else, and is of
//! somebody who may do what it asks for. Refusals are logged with who and from where.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    body::Body,
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use futures_util::StreamExt;

use super::{
    access::{Need, need},
    hosts::{Hosts, Stranger},
    kit::Failure,
    notices::Notices,
    traffic::{Cause, Traffic},
};
use crate::{
    audit::Trail,
    auth::{Denied, Logins},
    domain::{AuditAction, Deed, Refusal, User, UserName, UserRole},
    store::Requester,
};

/// The longest path and query: identifiers have at most 256 characters, each up to 12 bytes when escaped.
const URI_LIMIT: usize = 16 * 1024;

/// What a browser is told with every answer: no other page may show it, read it, or guess what it is.
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

/// Whom the audit trail names where nobody said who he is, and where nobody has to.
const NOBODY: &str = "nobody";
pub(super) const ANONYMOUS: &str = "anonymous";

/// How a client is asked to log in.
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="client-failover", charset="UTF-8""#);

/// Who is let in, and what there is to know about the server.
#[derive(Debug)]
pub struct Door {
    logins: Logins,
    hosts: Hosts,
    notices: Notices,
    trail: Trail,
    traffic: Traffic,
}

/// Whose a request is: nobody's while logins are not needed.
#[derive(Debug, Clone, Default)]
pub struct Caller(pub Option<User>);

impl Caller {
    /// The caller's name, if he has one.
    #[must_use]
    pub fn name(&self) -> Option<&UserName> {
        self.0.as_ref().map(|user| &user.name)
    }

    /// Whether he may do everything, as everybody may while logins are not needed.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.0.as_ref().is_none_or(|user| user.role == UserRole::Administrator)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// What an operator should know about the server itself.
#[derive(Debug)]
pub(super) struct Warnings(Option<Notices>);

impl Warnings {
    /// What there is to know now.
    pub(super) fn now(&self) -> Vec<String> {
        self.0.as_ref().map(Notices::warnings).unwrap_or_default()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Warnings {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Notices>().cloned()))
    }
}

impl Door {
    /// A door that lets `logins` in to the server that is called by `hosts`; `trail` is told of what was done and refused.
    #[must_use]
    pub fn new(logins: Logins, hosts: Hosts, notices: Notices, trail: Trail) -> Arc<Self> {
        Arc::new(Self { logins, hosts, notices, trail, traffic: Traffic::of_this_process() })
    }

    /// Who is connected, and what was refused.
    #[must_use]
    pub const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Who the request is of, if it may do what it asks for.
    async fn admit(&self, request: &Parts, asked: &Asked) -> Result<Caller, Failure> {
        let length = request.uri.path_and_query().map_or(0, |text| text.as_str().len());
        if length > URI_LIMIT {
            return Err(too_long());
        }
        if asked.need == Need::Nobody {
            return Ok(Caller::default());
        }
        let from = asked.ip();
        self.hosts.check(&request.uri, &request.headers).map_err(|stranger| {
            tracing::warn!(%from, ?stranger, "a request was refused: it is not meant for this server");
            let action = match &stranger {
                Stranger::NoHost | Stranger::Host(_) => AuditAction::WrongHost,
                Stranger::Origin(_) => AuditAction::WrongOrigin,
            };
            self.refuse(asked, NOBODY, action, stranger.into())
        })?;
        if !self.logins.needed() {
            return Ok(Caller::default());
        }
        let header = request.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let user = self.logins.check(header, from).await.map_err(|denied| self.deny(asked, denied))?;
        if asked.need == Need::Administrator && user.role != UserRole::Administrator {
            let (method, path) = (&request.method, request.uri.path());
            tracing::warn!(%from, user = %user.name, %method, path, "a request was refused: it needs an administrator");
            let failure = not_an_administrator(&user);
            return Err(self.refuse(asked, user.name.as_str(), AuditAction::NotAllowed, failure));
        }
        Ok(Caller(Some(user)))
    }

    /// The refusal of a login, told to log and audit trail.
    fn deny(&self, asked: &Asked, denied: Denied) -> Failure {
        let from = asked.ip();
        let (name, action) = match &denied {
            Denied::NoLogin => {
                tracing::debug!(%from, "a request without a login was refused");
                return denied.into();
            }
            Denied::Wrong(name) => {
                tracing::warn!(%from, user = %name, "a login was refused");
                (name.to_string(), AuditAction::WrongLogin)
            }
            Denied::BadToken(why) => {
                tracing::warn!(%from, why, "a token was refused");
                (NOBODY.to_owned(), AuditAction::WrongToken)
            }
            Denied::TooMany(_) => {
                tracing::warn!(%from, "a login was refused: its source fails too often");
                (NOBODY.to_owned(), AuditAction::TooManyLogins)
            }
        };
        self.refuse(asked, &name, action, denied.into())
    }

    /// `failure`, told to the audit trail.
    fn refuse(&self, asked: &Asked, by: &str, action: AuditAction, failure: Failure) -> Failure {
        let (subject, status) = (asked.subject.clone(), failure.status().as_u16());
        self.trail.refused(Refusal { action, subject, by: by.to_owned(), from: asked.ip(), status });
        failure
    }

    /// Tells the audit trail what `answer` says was done, or refused to who may change things.
    fn tell(&self, asked: &Asked, caller: &Caller, answer: &mut Response) {
        let user = caller.name().map_or_else(|| ANONYMOUS.to_owned(), ToString::to_string);
        if let Some(deed) = answer.extensions_mut().remove::<Deed>() {
            self.trail.done(deed, &Requester { user, from: asked.from });
            return;
        }
        let status = answer.status();
        let action = match status {
            StatusCode::FORBIDDEN if asked.ours => AuditAction::NotTheOwner,
            _ if status.is_client_error() && asked.changes() => AuditAction::BadChange,
            _ => return,
        };
        let (subject, status) = (asked.subject.clone(), status.as_u16());
        tracing::warn!(from = %asked.ip(), user, asked = subject, status, "a request was refused: {action}");
        self.trail.refused(Refusal { action, subject, by: user, from: asked.ip(), status });
    }

    /// The answer; one that goes on ends when its caller's login does.
    fn end_with_login(&self, user: Option<UserName>, answer: Response) -> Response {
        let kind = answer.headers().get(header::CONTENT_TYPE);
        if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            return answer;
        }
        let over = self.logins.clone().until_changed(user);
        answer.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(over))))
    }

    /// What `answer` says to a request that may come in; others get a refusal.
    pub(super) async fn pass<F: Future<Output = Response>>(
        &self,
        request: Request,
        answer: impl FnOnce(Request) -> F,
    ) -> Response {
        let (mut parts, body) = request.into_parts();
        let asked = Asked::of(&parts);
        match self.admit(&parts, &asked).await {
            Ok(caller) => {
                parts.extensions.insert(caller.clone());
                parts.extensions.insert(self.notices.clone());
                parts.extensions.insert(self.traffic.clone());
                let mut answered = answer(Request::from_parts(parts, body)).await;
                self.tell(&asked, &caller, &mut answered);
                self.end_with_login(caller.name().cloned(), answered)
            }
            Err(failure) => {
                let mut refusal = failure.into_response();
                if refusal.status() == StatusCode::UNAUTHORIZED {
                    refusal.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
                }
                refusal
            }
        }
    }
}

/// What the door keeps of a request.
struct Asked {
    need: Need,
    method: Method,
    /// Method and route, for the audit trail: never what somebody wrote.
    subject: String,
    /// Whether the answer is ours, and not a destination's of the gate.
    ours: bool,
    from: Option<SocketAddr>,
}

impl Asked {
    fn of(request: &Parts) -> Self {
        let pattern = request.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        Self {
            need: need(&request.method, pattern),
            method: request.method.clone(),
            subject: format!("{} {}", request.method, pattern.unwrap_or("another path")),
            ours: pattern.is_some(),
            from: request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0),
        }
    }

    fn ip(&self) -> IpAddr {
        self.from.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |from| from.ip())
    }

    /// Whether it is a change that only an administrator may make.
    fn changes(&self) -> bool {
        self.need == Need::Administrator && !self.method.is_safe()
    }
}

/// Answers a request that the door lets pass; others get a refusal.
pub(super) async fn pass(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    door.pass(request, |request| next.run(request)).await
}

/// The answer, with what a browser is told where it does not say something else.
pub(super) fn told(mut answer: Response) -> Response {
    for (name, value) in TOLD {
        answer.headers_mut().entry(name).or_insert(value);
    }
    answer
}

/// The same for an answer that is somebody else's. Whatever he says, it is not shown as a page of this server: a
/// browser obeys every policy that it is told.
pub(super) fn told_of_another(mut answer: Response) -> Response {
    answer.headers_mut().append(header::CONTENT_SECURITY_POLICY, SANDBOX);
    told(answer)
}

pub(super) fn too_long() -> Failure {
    Failure::new(
        StatusCode::URI_TOO_LONG,
        "The path is too long.",
        format!("Path and query have more than {URI_LIMIT} bytes."),
        "Send a shorter one; /api shows all of them.",
    )
}

pub(super) fn not_an_administrator(user: &User) -> Failure {
    Failure::new(
        StatusCode::FORBIDDEN,
        "This needs an administrator.",
        format!("{} is logged in with the role {}.", user.name, user.role),
        "Log in as an administrator; `client-failover user list` shows who is one.",
    )
    .because(Cause::NotAdministrator)
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NoLogin => Self::new(
                StatusCode::UNAUTHORIZED,
                "A login is needed.",
                "The request has no name and password (HTTP Basic) that can be read.",
                "Send the name and password of a user; `client-failover user add` makes one.",
            )
            .because(Cause::NoLogin),
            Denied::Wrong(_) => Self::new(
                StatusCode::UNAUTHORIZED,
                "The login is wrong.",
                "No user has this name and password.",
                "Correct name or password; `client-failover user passwd` changes a password.",
            )
            .because(Cause::WrongLogin),
            Denied::BadToken(why) => Self::new(
                StatusCode::UNAUTHORIZED,
                "The token is refused.",
                format!("Its check says: {why}."),
                "Get a token of the issuer for this server's audience, with one of its roles, and send it again.",
            )
            .because(Cause::BadToken),
            Denied::TooMany(wait) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "There were too many logins.",
                "Too many logins failed from there, or too many wait to be checked.",
                "Wait, then send the request again with the right name and password.",
            )
            .retry_after(wait.as_secs().max(1))
            .because(Cause::TooManyLogins),
        }
    }
}

impl From<Stranger> for Failure {
    fn from(stranger: Stranger) -> Self {
        match stranger {
            Stranger::NoHost => Self::new(
                StatusCode::BAD_REQUEST,
                "The request names no host.",
                "It has no Host header that can be read, or more than one.",
                "Send one Host header, as every HTTP client does by itself.",
            )
            .because(Cause::NoHost),
            Stranger::Host(host) => Self::new(
                StatusCode::FORBIDDEN,
                "The request is not meant for this server.",
                format!("It calls it {host:?}, which is none of its names."),
                "Call it localhost or by the address it listens on, or start it with --allow-host and that name.",
            )
            .because(Cause::OtherHost),
            Stranger::Origin(origin) => Self::new(
                StatusCode::FORBIDDEN,
                "A page of somebody else sent the request.",
                format!("Its Origin is {origin:?}, which is not this server."),
                "Use the server's own page, or start it with --allow-host and the name of the proxy in front.",
            )
            .because(Cause::OtherOrigin),
        }
    }
}
