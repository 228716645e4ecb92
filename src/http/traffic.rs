//! Who is connected, and what was refused: counted here and nowhere else.

use std::sync::Arc;

use axum::http::StatusCode;

use super::crowd::Crowd;
use crate::metrics::{Counts, Exposition};

/// Who is connected, and what was refused. Clones share it.
#[derive(Debug, Clone)]
pub struct Traffic {
    pub(super) crowd: Arc<Crowd>,
    refusals: Counts<2>,
    unheard: Counts<1>,
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
}

impl Unheard {
    const ALL: [Self; 3] = [Self::TooMany, Self::Handshake, Self::Malformed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::TooMany => "TooMany",
            Self::Handshake => "Handshake",
            Self::Malformed => "Malformed",
        }
    }
}

impl Traffic {
    /// Nobody yet, with as many places as this process may have.
    pub(super) fn of_this_process() -> Self {
        let unheard = Unheard::ALL
            .into_iter()
            .fold(Counts::by(["reason"]), |unheard, why| unheard.from_zero([why.as_str()]));
        Self {
            crowd: Arc::new(Crowd::of_this_process()),
            refusals: Counts::by(["status", "reason"]),
            unheard,
        }
    }

    /// A request was refused; `cause` says more than the status where several causes have the same.
    pub(super) fn refused(&self, status: StatusCode, cause: Option<&str>) {
        let of_status = || status.canonical_reason().unwrap_or_default().replace([' ', '-'], "");
        let reason = cause.map_or_else(of_status, str::to_owned);
        self.refusals.count([status.as_str(), &reason]);
    }

    /// A connection ended without an answer.
    pub(super) fn unheard(&self, why: Unheard) {
        self.unheard.count([why.as_str()]);
    }

    /// Tells about it.
    pub(super) fn expose(&self, to: &mut Exposition) {
        let means = "Connections that are open";
        to.gauge("client_failover_http_connections", means, self.crowd.connected() as f64);
        let means = "Connections that ended without an answer";
        to.counts("client_failover_http_connections_refused_total", means, &self.unheard);
        let means = "Requests that were refused or failed, by status and reason";
        to.counts("client_failover_http_refusals_total", means, &self.refusals);
    }
}
