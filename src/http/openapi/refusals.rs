//! What every operation can be refused with, and how refusals are shown: with examples that are the refusals themselves.

use std::time::Duration;

use axum::http::StatusCode;

use super::{
    operation::{Content, Operation},
    tree::Tree,
};
use crate::{
    auth::Denied,
    domain::{Fault, User, UserName, UserRole},
    egress::Gate,
    http::{
        access::{self, Need},
        hosts::Stranger,
        kit::{self, Failure},
        refusals,
    },
    store::StoreError,
};

/// The operation id of examples.
const OPERATION_ID: &str = "b0a1f7c4-5d0e-4a52-9a3b-3f6f5f3b2a10";

/// Refusals with one status, under a name that the document has once.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) says: &'static str,
    pub(super) failures: Vec<Failure>,
}

/// Whom an operation serves.
pub(super) fn need(operation: &Operation) -> Need {
    let pattern = operation.path.to_ascii_lowercase();
    // What the gate has is in no pattern.
    access::need(&operation.method, (!Gate::owns(&operation.path)).then_some(pattern.as_str()))
}

/// What `operation` can be refused with like others.
pub(super) fn common(operation: &Operation) -> Vec<Group> {
    let need = need(operation);
    let strangers = || {
        vec![Stranger::Host("plant.example".to_owned()).into(), Stranger::Origin("null".to_owned()).into()]
    };
    let mut groups = vec![Group {
        name: "BadRequest",
        says: "Something in the request is wrong; every fault is named.",
        failures: vec![
            Fault::new("FailoverTimeout", "is not a time span", "FailoverTimeout is written hh:mm:ss.")
                .into(),
            Stranger::NoHost.into(),
        ],
    }];
    if need != Need::Nobody {
        groups.push(Group {
            name: "LoginNeeded",
            says: "A login is needed, or the one that was sent is wrong.",
            failures: vec![
                Denied::NoLogin.into(),
                UserName::new("plc-a").map_or(Denied::NoLogin, Denied::Wrong).into(),
                Denied::BadToken("it has ended").into(),
            ],
        });
    }
    if need == Need::Administrator {
        let user = UserName::new("plc-a").map(|name| User { name, role: UserRole::User });
        let user = user.iter().map(refusals::not_an_administrator);
        groups.push(Group {
            name: "AdministratorNeeded",
            says: "It needs an administrator; or the request is not meant for this server.",
            failures: user.chain(strangers()).collect(),
        });
    } else {
        groups.push(Group {
            name: "Stranger",
            says: "The request is not meant for this server, or a page of somebody else sent it.",
            failures: strangers(),
        });
    }
    if operation.takes.as_ref().is_some_and(Content::is_json) {
        groups.extend(of_bodies());
    }
    groups.push(Group {
        name: "PathTooLong",
        says: "Path and query are too long.",
        failures: vec![refusals::too_long()],
    });
    if need != Need::Nobody {
        groups.push(Group {
            name: "TooManyLogins",
            says: "Too many logins failed under this name or from there.",
            failures: vec![Denied::TooMany(None, Duration::from_secs(2)).into()],
        });
    }
    groups.push(Group {
        name: "Failed",
        says: "The server made an error; its log says more.",
        failures: vec![kit::failed()],
    });
    if operation.stores {
        groups.push(Group {
            name: "StoreUnavailable",
            says: "The store cannot do it now; nothing was changed.",
            failures: vec![StoreError::KeyUnusable("the key file is missing".to_owned()).into()],
        });
    }
    groups
}

fn of_bodies() -> [Group; 3] {
    [
        Group {
            name: "BodyTooSlow",
            says: "The body did not arrive in time. The connection is closed.",
            failures: vec![kit::too_slow()],
        },
        Group {
            name: "BodyTooLarge",
            says: "The body is too large. The connection is closed.",
            failures: vec![kit::too_large()],
        },
        Group { name: "NotJson", says: "The body is no JSON.", failures: vec![kit::not_json("text/plain")] },
    ]
}

impl Group {
    /// The status of all of them.
    pub(super) fn status(&self) -> StatusCode {
        self.failures.first().map_or(StatusCode::INTERNAL_SERVER_ERROR, |failure| failure.summary().0)
    }
}

/// A response that refuses with one of `failures`, which have the same status.
pub(super) fn response(says: &str, failures: &[Failure], endpoint: bool) -> Tree {
    let mut headers = Vec::new();
    let status = failures.first().map(|failure| failure.summary().0);
    if status == Some(StatusCode::UNAUTHORIZED) {
        headers.push(header("WWW-Authenticate", "How to log in."));
    }
    if failures.iter().any(|failure| failure.summary().2.is_some()) {
        headers.push(header("Retry-After", "After how many seconds to come again, where that may help."));
    }
    let shape = if endpoint { "EndpointRefusal" } else { "Refusal" };
    let examples = failures.iter().enumerate().map(|(index, failure)| {
        let body = failure.body(endpoint, OPERATION_ID.to_owned());
        let example = Tree::object([("summary", failure.summary().1.into()), ("value", Tree::text(&body))]);
        (format!("refusal{}", index + 1), example)
    });
    let json = Tree::object([
        ("schema", Tree::reference("schemas", shape)),
        ("examples", Tree::Object(examples.collect())),
    ]);
    let response = Tree::object([("description", says.into())]);
    let headers = (!headers.is_empty()).then_some(Tree::Object(headers));
    let response = response.with_some("headers", headers);
    response.with("content", Tree::object([("application/json", json)]))
}

/// A header of a response, which is text.
pub(super) fn header(name: &str, says: &str) -> (String, Tree) {
    let schema = Tree::object([("type", "string".into())]);
    (name.to_owned(), Tree::object([("description", says.into()), ("schema", schema)]))
}
