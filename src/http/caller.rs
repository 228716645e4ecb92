//! What handlers learn from the door: who calls, and what an operator should know about the server.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{kit::Peer, notices::Notices};
use crate::{
    clock,
    crowd::Who,
    domain::{AuditAction, AuditKind, AuditRow, Deed, User, UserName, UserRole},
    store::Requester,
};

/// Whom history and audit trail name where nobody has to log in.
pub(super) const ANONYMOUS: &str = "anonymous";

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

/// Whose places are taken by what goes on for long.
impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let from = Peer::from_request_parts(parts, state).await?.ip();
        Ok(Self::is(caller.name(), from))
    }
}

/// Who asks for a change.
pub(super) struct Asker(pub(super) Requester);

impl Asker {
    /// The row of the audit trail that says what he did.
    pub(super) fn did(&self, kind: AuditKind, action: AuditAction, subject: String) -> AuditRow {
        let Requester { user, from } = &self.0;
        let deed = Deed { kind, action, subject };
        AuditRow::of_deed(deed, clock::now().wall, user.clone(), from.map(|from| from.to_string()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let Peer(from) = Peer::from_request_parts(parts, state).await?;
        let user = caller.name().map_or_else(|| ANONYMOUS.to_owned(), ToString::to_string);
        Ok(Self(Requester { user, from }))
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
