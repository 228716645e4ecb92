//! The door of an interface: who is let in.
//!
//! A request passes if it is meant for this server, is not sent by a page of somebody else, and is of
//! somebody who may do what it asks for. Refusals are logged with who and from where, and so is what goes beyond a limit.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    body::Body,
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use tokio::time::sleep;

use super::{
    access::{Need, need},
    caller::{ANONYMOUS, Caller},
    hosts::{Hosts, Stranger},
    kit::{Failure, Peer},
    notices::Notices,
    patience::Pace,
    refusals::{URI_LIMIT, not_an_administrator, too_long},
    traffic::Traffic,
};
use crate::{
    audit::Trail,
    auth::{Denied, Login, Logins},
    domain::{AuditAction, Refusal, UserRole},
};

/// Whom the audit trail names where nobody said who he is.
const NOBODY: &str = "nobody";

/// How a client is asked to log in: by a name and a password, by a token.
const PASSWORDS: HeaderValue = HeaderValue::from_static(r#"Basic realm="client-failover", charset="UTF-8""#);
const TOKENS: HeaderValue = HeaderValue::from_static(r#"Bearer realm="client-failover""#);

/// Who is let in, and what there is to know about the server.
#[derive(Debug)]
pub struct Door {
    logins: Logins,
    hosts: Hosts,
    notices: Notices,
    trail: Trail,
    traffic: Traffic,
}

impl Door {
    /// A door that lets `logins` in to the server that is called by `hosts`; `trail` is told of what was refused.
    #[must_use]
    pub fn new(logins: Logins, hosts: Hosts, notices: Notices, trail: Trail) -> Arc<Self> {
        Arc::new(Self { logins, hosts, notices, trail, traffic: Traffic::of_this_process() })
    }

    /// Who is connected, and what was refused.
    #[must_use]
    pub const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Whose login the request has, if it may do what it asks for; nobody's where it needs none.
    async fn admit(&self, request: &Parts, asked: &Asked) -> Result<Option<Login>, Failure> {
        let length = request.uri.path_and_query().map_or(0, |text| text.as_str().len());
        if length > URI_LIMIT {
            asked.say_beyond(NOBODY, StatusCode::URI_TOO_LONG);
            return Err(too_long());
        }
        if asked.need == Need::Nobody {
            return Ok(None);
        }
        let from = asked.ip();
        self.hosts.check(&request.uri, &request.headers).map_err(|stranger| {
            tracing::warn!(%from, ?stranger, "a request was refused: it is not meant for this server");
            let action = match &stranger {
                Stranger::NoHost | Stranger::Host(_) => AuditAction::WrongHost,
                Stranger::Origin(_) | Stranger::Site(_) => AuditAction::WrongOrigin,
            };
            self.refuse(asked, NOBODY, action, stranger.into())
        })?;
        if !self.logins.needed() {
            return Ok(None);
        }
        let header = request.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let login = self.logins.check(header, from).await.map_err(|denied| self.deny(asked, denied))?;
        let user = &login.user;
        if asked.need == Need::Administrator && user.role != UserRole::Administrator {
            let (name, subject) = (&user.name, asked.subject());
            tracing::warn!(%from, user = %name, asked = subject, "a request was refused: it needs an administrator");
            let failure = not_an_administrator(user);
            return Err(self.refuse(asked, user.name.as_str(), AuditAction::NotAllowed, failure));
        }
        Ok(Some(login))
    }

    /// The refusal of a login, told to log and audit trail.
    fn deny(&self, asked: &Asked, denied: Denied) -> Failure {
        let from = asked.ip();
        let (name, action) = match &denied {
            Denied::NoLogin => {
                tracing::warn!(%from, asked = asked.subject(), "a request without a login was refused");
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
            Denied::TooMany(name, _) => {
                let user = name.as_ref().map_or_else(|| NOBODY.to_owned(), ToString::to_string);
                tracing::warn!(%from, user, "a login was refused: too many failed from there, or too many wait");
                (user, AuditAction::TooManyLogins)
            }
        };
        self.refuse(asked, &name, action, denied.into())
    }

    /// `failure`, told to the audit trail.
    fn refuse(&self, asked: &Asked, by: &str, action: AuditAction, failure: Failure) -> Failure {
        let (subject, status) = (asked.subject(), failure.status().as_u16());
        self.trail.refused(Refusal { action, subject, by: by.to_owned(), from: asked.ip(), status });
        failure
    }

    /// Tells what `answer` refused to who was let in: to the log, and to the audit trail what is about others' sessions
    /// or would have been a change. What a destination of the gate answers is no refusal of ours.
    fn tell(&self, asked: &Asked, caller: &Caller, answer: &Response) {
        let Some(failure) = Failure::of(answer) else { return };
        let status = failure.status();
        let user = caller.name().map_or_else(|| ANONYMOUS.to_owned(), ToString::to_string);
        let action = match status {
            StatusCode::FORBIDDEN => AuditAction::NotTheOwner,
            _ if status.is_client_error() && asked.changes() => AuditAction::BadChange,
            _ if failure.is_beyond_a_limit() => return asked.say_beyond(&user, status),
            _ if status.is_client_error() && !asked.was_only_looked_for(status) => {
                return asked.say_refused(&user, status);
            }
            _ => return,
        };
        let (subject, status) = (asked.subject(), status.as_u16());
        tracing::warn!(from = %asked.ip(), user, asked = subject, status, "a request was refused: {action}");
        self.trail.refused(Refusal { action, subject, by: user, from: asked.ip(), status });
    }

    /// The answer; one that goes on ends when the login does that it was given to.
    fn end_with_login(&self, login: Option<Login>, answer: Response) -> Response {
        let kind = answer.headers().get(header::CONTENT_TYPE);
        if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            return answer;
        }
        let ends_in = login.as_ref().and_then(|login| login.ends_in);
        let changed = self.logins.clone().until_changed(login);
        let over = async move {
            tokio::select! {
                () = changed => {}
                () = sleep(ends_in.unwrap_or_default()), if ends_in.is_some() => {}
            }
        };
        answer.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(over))))
    }

    /// `refusal`, with how one may log in where a login is missing, or another might help.
    fn ask_for_login(&self, mut refusal: Response) -> Response {
        let no_login = refusal.status() == StatusCode::UNAUTHORIZED;
        // A browser asks for a password whatever else is said; where none counts, it must not.
        if no_login && self.logins.takes_passwords() {
            refusal.headers_mut().append(header::WWW_AUTHENTICATE, PASSWORDS);
        }
        if (no_login || refusal.status() == StatusCode::FORBIDDEN) && self.logins.takes_tokens() {
            refusal.headers_mut().append(header::WWW_AUTHENTICATE, TOKENS);
        }
        refusal
    }

    /// What `answer` says to a request that may come in; others get a refusal.
    pub(super) async fn pass<F: Future<Output = Response>>(
        &self,
        request: Request,
        answer: impl FnOnce(Request, &Caller) -> F,
    ) -> Response {
        let (parts, body) = request.into_parts();
        let asked = Asked::of(&parts);
        match self.admit(&parts, &asked).await {
            Ok(login) => {
                if asked.need != Need::Nobody
                    && let Some(pace) = parts.extensions.get::<Pace>()
                {
                    pace.welcome();
                }
                let caller = Caller(login.as_ref().map(|login| login.user.clone()));
                let answered = answer(Request::from_parts(parts, body), &caller).await;
                self.tell(&asked, &caller, &answered);
                self.end_with_login(login, answered)
            }
            Err(failure) => self.ask_for_login(failure.into_response()),
        }
    }
}

/// What the door keeps of a request.
struct Asked {
    need: Need,
    method: Method,
    /// The route, if it is for one that there is.
    route: Option<MatchedPath>,
    from: Option<SocketAddr>,
}

impl Asked {
    fn of(request: &Parts) -> Self {
        let route = request.extensions.get::<MatchedPath>().cloned();
        Self {
            need: need(&request.method, route.as_ref().map(MatchedPath::as_str)),
            method: request.method.clone(),
            route,
            from: request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0),
        }
    }

    /// Method and route, for the audit trail: never what somebody wrote.
    fn subject(&self) -> String {
        let method = if is_standard(&self.method) { self.method.as_str() } else { "another method" };
        format!("{method} {}", self.route.as_ref().map_or("another path", MatchedPath::as_str))
    }

    fn ip(&self) -> IpAddr {
        Peer(self.from).ip()
    }

    /// Says that it was refused to `user`, as it goes beyond a limit.
    fn say_beyond(&self, user: &str, status: StatusCode) {
        let (asked, status) = (self.subject(), status.as_u16());
        tracing::warn!(from = %self.ip(), user, asked, status, "a request was refused: it goes beyond a limit");
    }

    /// Says that it was refused to `user`, as it cannot be carried out.
    fn say_refused(&self, user: &str, status: StatusCode) {
        let (asked, status) = (self.subject(), status.as_u16());
        tracing::warn!(from = %self.ip(), user, asked, status, "a request was refused: it cannot be carried out");
    }

    /// Whether `status` only answers a question: what was looked for is not there.
    fn was_only_looked_for(&self, status: StatusCode) -> bool {
        self.route.is_some() && self.method.is_safe() && status == StatusCode::NOT_FOUND
    }

    /// Whether it is a change that only an administrator may make.
    fn changes(&self) -> bool {
        self.need == Need::Administrator && !self.method.is_safe()
    }
}

/// Whether it is one of the methods of HTTP (RFC 9110, section 9, and PATCH); any other is a text that somebody made up,
/// of any length.
fn is_standard(method: &Method) -> bool {
    [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
    ]
    .contains(method)
}

/// Answers a request that the door lets pass, with what handlers ask for; others get a refusal.
pub(super) async fn pass(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let answer = |mut request: Request, caller: &Caller| {
        let extensions = request.extensions_mut();
        extensions.insert(caller.clone());
        extensions.insert(door.notices.clone());
        extensions.insert(door.traffic.clone());
        next.run(request)
    };
    door.pass(request, answer).await
}
