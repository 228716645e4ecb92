//! What a failover endpoint refuses, and what would be right.

use axum::http::StatusCode;

use crate::{
    endpoint::{CallError, Full},
    http::{kit::Failure, traffic::Cause},
};

/// What a member is told whose group or session is not there: it registers again.
pub(super) fn to_register(error: CallError) -> Failure {
    let resolution = if matches!(error, CallError::UnknownGroup) {
        "Create the group with POST groups, then register with POST clientsessions."
    } else if matches!(error, CallError::UnknownSession) {
        "Register the session with POST clientsessions."
    } else {
        return error.into();
    };
    Failure::from(error).resolve(resolution)
}

fn too_many_heartbeats() -> Failure {
    Failure::new(
        StatusCode::TOO_MANY_REQUESTS,
        "The session sends too many heartbeats.",
        "It may send 20 a second, 40 at once; a Primary, and who is waited for, as many as they like.",
        "Send the next one after Retry-After; half of the FailoverTimeout is often enough.",
    )
    .retry_after(1)
    .because(Cause::TooManyHeartbeats)
}

fn full(what: Full) -> Failure {
    let resolution = match what {
        Full::Groups => {
            "Have an administrator delete groups that nobody uses; GET groups shows all, and who made them is in the audit \
             trail."
        }
        Full::Sessions => {
            "Remove sessions that nobody uses, or divide the group; one group backs up one source."
        }
        Full::SessionsOfAUser => {
            "Remove sessions that nobody uses, or give each adapter a user of its own (`client-failover user add`)."
        }
    };
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "There are too many already.",
        format!("{what}."),
        resolution,
    )
    .retry_after(60)
    .because(match what {
        Full::Groups => Cause::TooManyGroups,
        Full::Sessions | Full::SessionsOfAUser => Cause::TooManySessions,
    })
}

fn of_another() -> Failure {
    Failure::new(
        StatusCode::FORBIDDEN,
        "The client session belongs to another user.",
        "Whoever made it was logged in as somebody else, and it is his alone.",
        "Log in as that user, or have an administrator remove the session.",
    )
    .because(Cause::OfAnotherUser)
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::UnknownGroup => Self::new(
                StatusCode::NOT_FOUND,
                "The failover group is not known.",
                "No group of this Id was created here, or it was deleted.",
                "GET groups (`client-failover groups`) shows which there are; Ids compare exactly, and an adapter \
                 creates its group when it registers.",
            ),
            CallError::TooManyHeartbeats => too_many_heartbeats(),
            CallError::OfAnother => of_another(),
            CallError::Full(what) => full(what),
            CallError::UnknownSession => Self::new(
                StatusCode::NOT_FOUND,
                "The client session is not known.",
                "No session of this Id was registered in the group, or it was removed.",
                "GET clientsessions of the group (`client-failover sessions --group ID`) shows which there are; an \
                 adapter registers its own.",
            ),
            CallError::GroupDiffers(kept) => Self::new(
                StatusCode::CONFLICT,
                "A failover group of this Id exists and differs.",
                format!("The group {} has the FailoverTimeout {}.", kept.draft.id, kept.draft.timeout),
                "Read the group and use it as it is, delete it first, or choose another Id.",
            ),
            CallError::SessionDiffers(kept) => Self::new(
                StatusCode::CONFLICT,
                "A client session of this Id exists and differs.",
                kept.name.map_or_else(
                    || format!("The session {} has no name.", kept.id),
                    |name| format!("The session {} has the name {:?}.", kept.id, name.as_str()),
                ),
                "Use the session as it is, delete it first, or choose another Id.",
            ),
            CallError::GroupInUse => Self::new(
                StatusCode::CONFLICT,
                "The failover group is in use.",
                "It has client sessions.",
                "Delete its client sessions first.",
            ),
            CallError::SessionInUse { heard_ago, free_in } => Self::new(
                StatusCode::CONFLICT,
                "SessionInUse: another process uses this client session.",
                format!(
                    "A heartbeat of another process arrived {:.1} s ago under the same session Id.",
                    heard_ago.as_secs_f64()
                ),
                format!(
                    "Give each adapter a data folder of its own; if the other process has ended, this one is let in \
                     in {:.1} s.",
                    free_in.as_secs_f64()
                ),
            ),
            CallError::TooManyListeners => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many listen to events.",
                "The endpoint has no place left for another stream of events.",
                "Post heartbeats at their pace; a stream only makes a hand-over faster.",
            )
            .retry_after(60)
            .because(Cause::TooManyStreams),
            CallError::Store(error) => error.into(),
            CallError::NotRecorded => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The role could not be recorded.",
                "The endpoint's store did not accept the change, and nobody is made Primary without it.",
                "Look into the endpoint's log, which says what its disk refused; then send the request again.",
            )
            .retry_after(1),
        }
    }
}
