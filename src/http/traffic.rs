//! Who is connected, and what was refused: counted here and nowhere else.

use std::sync::Arc;

use axum::http::StatusCode;

use super::crowd;
use crate::{
    crowd::Crowd,
    metrics::{Counts, Exposition},
};

/// Who is connected, and what was refused. Clones share it.
#[derive(Debug, Clone)]
pub struct Traffic {
    pub(super) crowd: Arc<Crowd>,
    refusals: Counts<2>,
    unheard: Counts<1>,
}

/// Why a request was refused, where the status alone does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It has no login.
    NoLogin,
    /// Nobody has this name and password.
    WrongLogin,
    /// Its token is not good.
    BadToken,
    /// Too many logins failed from there.
    TooManyLogins,
    /// It needs an administrator.
    NotAdministrator,
    /// It names no host.
    NoHost,
    /// It calls this server by a name that it has not.
    OtherHost,
    /// A page of somebody else sent it.
    OtherOrigin,
    /// The session is another user's.
    OfAnotherUser,
    /// The session sends too many heartbeats.
    TooManyHeartbeats,
    /// As many streams are open as there may be.
    TooManyStreams,
    /// There are as many groups as there may be.
    TooManyGroups,
    /// There are as many sessions as there may be.
    TooManySessions,
    /// The requests under way take all the memory that they may.
    NoMemory,
}

impl Cause {
    const ALL: [Self; 14] = [
        Self::NoLogin,
        Self::WrongLogin,
        Self::BadToken,
        Self::TooManyLogins,
        Self::NotAdministrator,
        Self::NoHost,
        Self::OtherHost,
        Self::OtherOrigin,
        Self::OfAnotherUser,
        Self::TooManyHeartbeats,
        Self::TooManyStreams,
        Self::TooManyGroups,
        Self::TooManySessions,
        Self::NoMemory,
    ];

    /// The status it is refused with, and the word for it.
    const fn told(self) -> (StatusCode, &'static str) {
        match self {
            Self::NoLogin => (StatusCode::UNAUTHORIZED, "NoLogin"),
            Self::WrongLogin => (StatusCode::UNAUTHORIZED, "WrongLogin"),
            Self::BadToken => (StatusCode::UNAUTHORIZED, "BadToken"),
            Self::TooManyLogins => (StatusCode::TOO_MANY_REQUESTS, "TooManyLogins"),
            Self::NotAdministrator => (StatusCode::FORBIDDEN, "NotAdministrator"),
            Self::NoHost => (StatusCode::BAD_REQUEST, "NoHost"),
            Self::OtherHost => (StatusCode::FORBIDDEN, "OtherHost"),
            Self::OtherOrigin => (StatusCode::FORBIDDEN, "OtherOrigin"),
            Self::OfAnotherUser => (StatusCode::FORBIDDEN, "OfAnotherUser"),
            Self::TooManyHeartbeats => (StatusCode::TOO_MANY_REQUESTS, "TooManyHeartbeats"),
            Self::TooManyStreams => (StatusCode::SERVICE_UNAVAILABLE, "TooManyStreams"),
            Self::TooManyGroups => (StatusCode::SERVICE_UNAVAILABLE, "TooManyGroups"),
            Self::TooManySessions => (StatusCode::SERVICE_UNAVAILABLE, "TooManySessions"),
            Self::NoMemory => (StatusCode::SERVICE_UNAVAILABLE, "NoMemory"),
        }
    }
}

/// Why a connection ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unheard {
    /// There were as many as there may be.
    TooMany,
    /// Its TLS handshake failed, or took too long.
    Handshake,
    /// What it sent is no HTTP, or its head is too large.
    Malformed,
    /// Nothing was said on it.
    Silent,
    /// The head of a request was not complete in time.
    SlowHead,
    /// An answer was not taken in time.
    NotTaken,
}

impl Unheard {
    const ALL: [Self; 6] =
        [Self::TooMany, Self::Handshake, Self::Malformed, Self::Silent, Self::SlowHead, Self::NotTaken];

    const fn as_str(self) -> &'static str {
        match self {
            Self::TooMany => "TooMany",
            Self::Handshake => "Handshake",
            Self::Malformed => "Malformed",
            Self::Silent => "Silent",
            Self::SlowHead => "SlowHead",
            Self::NotTaken => "NotTaken",
        }
    }
}

impl Traffic {
    /// Nobody yet, with as many places as this process may have.
    pub(super) fn of_this_process() -> Self {
        let unheard = Unheard::ALL
            .into_iter()
            .fold(Counts::by(["reason"]), |unheard, why| unheard.from_zero([why.as_str()]));
        let refusals = Cause::ALL.into_iter().fold(Counts::by(["status", "reason"]), |refusals, cause| {
            let (status, reason) = cause.told();
            refusals.from_zero([status.as_str(), reason])
        });
        Self { crowd: crowd::of_this_process(), refusals, unheard }
    }

    /// A request was refused; a `cause` says more than the status.
    pub(super) fn refused(&self, status: StatusCode, cause: Option<Cause>) {
        let of_status = || status.canonical_reason().unwrap_or_default().replace([' ', '-'], "");
        let reason = cause.map_or_else(of_status, |cause| cause.told().1.to_owned());
        self.refusals.count([status.as_str(), &reason]);
    }

    /// A connection ended without an answer.
    pub(super) fn unheard(&self, why: Unheard) {
        self.unheard.count([why.as_str()]);
    }

    /// Tells about it.
    pub(super) fn expose(&self, to: &mut Exposition) {
        let means = "Connections that are open";
        to.gauge("client_failover_http_connections", means, self.crowd.present() as f64);
        let means = "Connections that ended without an answer";
        to.counts("client_failover_http_connections_refused_total", means, &self.unheard);
        let means = "Requests that were refused or failed, by status and reason";
        to.counts("client_failover_http_refusals_total", means, &self.refusals);
    }
}
