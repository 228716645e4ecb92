//! What the door says to a request that it does not let in.

use axum::http::StatusCode;

use super::{hosts::Stranger, kit::Failure, traffic::Cause};
use crate::{auth::Denied, domain::User};

/// The longest path and query: identifiers have at most 256 characters, each up to 12 bytes when escaped.
pub(super) const URI_LIMIT: usize = 16 * 1024;

/// Whether it can stand in a command as it is.
fn is_a_name(host: &str) -> bool {
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
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
                "The request has neither a name and password (HTTP Basic) nor a token (Bearer) that can be read.",
                "Send the name and password of a user (`client-failover user add` makes one), or a token of the issuer \
                 that the server trusts (`--oidc-issuer`).",
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
            Denied::TooMany(_, wait) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "There were too many logins.",
                "Too many failed under this name or from there, or too many wait to be checked.",
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
                format!(
                    "Start the server that was called with --allow-host {}, or call it localhost or by the address it \
                     listens on.",
                    if is_a_name(&host) { &host } else { "and that name" }
                ),
            )
            .because(Cause::OtherHost),
            Stranger::Origin(origin) => Self::new(
                StatusCode::FORBIDDEN,
                "A page of somebody else sent the request.",
                format!("Its Origin is {origin:?}, which is not this server."),
                "Use the server's own page, or start it with --allow-host and the name of the proxy in front.",
            )
            .because(Cause::OtherOrigin),
            Stranger::Site(site) => Self::new(
                StatusCode::FORBIDDEN,
                "A page of somebody else sent the request.",
                format!("The browser says so (Sec-Fetch-Site: {site})."),
                "Use the server's own page, or type the address.",
            )
            .because(Cause::OtherOrigin),
        }
    }
}
