//! The egress gate's paths, and how its destinations do.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    adapter::sentence,
    data_endpoints::unknown_id,
    kit::{Failure, Json, Routes},
    traffic::Cause,
};
use crate::{
    egress::{Answer, Gate, LaneReport, Refusal, Unread},
    wire::egress::LaneBody,
};

/// How long a collector that is turned away should wait, in seconds: a role may change at any time.
const RETRY_AFTER_S: u64 = 1;

/// The routes of the gate. Its own paths are not brought into a canonical form.
#[must_use]
pub fn routes(gate: Gate) -> Routes {
    let diagnostics = get(report).with_state(gate.clone());
    let gate = Arc::new(gate);
    Routes::new().route("/api/v1/diagnostics/egress", diagnostics).raw(Gate::owns, move |request: Request| {
        let gate = Arc::clone(&gate);
        async move {
            match gate.answer(request).await {
                Ok(Answer::Passed(answer)) => answer.map(Body::new),
                Ok(Answer::Taken(status)) => status.into_response(),
                Err(refusal) => failure(refusal).into_response(),
            }
        }
    })
}

async fn report(State(gate): State<Gate>) -> Response {
    Json(gate.report().into_iter().map(body).collect::<Vec<_>>()).into_response()
}

fn body(report: LaneReport) -> LaneBody {
    LaneBody {
        id: report.id,
        waiting: report.waiting,
        waiting_bytes: report.waiting_bytes,
        settled_until: report.settled_until.map(|at| at.to_string()),
        acknowledged: report.tally.acknowledged,
        refused: report.tally.refused,
        proved: report.tally.proved,
        dropped: report.tally.dropped,
        turned_away: report.turned_away,
        overloaded: report.overloaded,
        stood_by: report.stood_by,
        outage: report.outage,
    }
}

pub(super) fn failure(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Unknown(id) => {
            unknown_id(&id).resolve("Send to /egress/{Id}/… with the Id of a configured data endpoint.")
        }
        Refusal::BadId => Failure::new(
            StatusCode::BAD_REQUEST,
            "The data endpoint's Id cannot be read.",
            "It is no percent-encoded UTF-8.",
            "Write the Id as percent-encoded UTF-8.",
        ),
        Refusal::BadPath => Failure::new(
            StatusCode::BAD_REQUEST,
            "The path cannot be sent to the data endpoint.",
            "With the base address before it, it is no path of HTTP.",
            "Check the path and the query.",
        ),
        Refusal::GoesRound(id) => Failure::new(
            StatusCode::LOOP_DETECTED,
            "The request goes round in a circle.",
            format!("It has come through this gate before, and comes back for the data endpoint {id:?}."),
            "Correct the Endpoint of a data endpoint, here or at an adapter that it leads to.",
        ),
        Refusal::Unread(unread) => not_read(unread),
        Refusal::StandsBy => not_now(
            "This adapter stands by.",
            "Another adapter is Primary, and the mode keeps nothing here.".to_owned(),
            "Wait until this adapter is Primary; StandbyAnswer Swallow takes and drops instead.",
        ),
        Refusal::Full => not_now(
            "The buffer is full.",
            "What waits for the data endpoint takes all of MaxBufferSizeMB.".to_owned(),
            "See diagnostics/Egress why it is not settled; nothing of this request was kept.",
        ),
        Refusal::NotWritten(why) => not_now(
            "The buffer cannot be written.",
            sentence(&why),
            "Free space on the disk of the data folder; nothing of this request was kept.",
        ),
        Refusal::NotLoggedIn => Failure::new(
            StatusCode::BAD_GATEWAY,
            "The data endpoint does not accept the gate's login.",
            "It refused the credentials that are configured for it; those of this request end at the gate.",
            "Correct the credentials of the data endpoint in the configuration.",
        ),
        Refusal::Unreachable(why) => Failure::new(
            StatusCode::BAD_GATEWAY,
            "The data endpoint cannot be asked.",
            format!("{why}."),
            "Check that it runs, and its Endpoint in the configuration.",
        ),
    }
}

fn not_read(unread: Unread) -> Failure {
    match unread {
        Unread::Broken => Failure::new(
            StatusCode::BAD_REQUEST,
            "The body could not be read.",
            "The connection broke while the body was read; nothing of it was kept.",
            "Send the request again.",
        ),
        Unread::TooSlow => Failure::new(
            StatusCode::REQUEST_TIMEOUT,
            "The body did not arrive in time.",
            "It was not complete within a minute; nothing of it was kept.",
            "Send the request again, all of it at once.",
        ),
        Unread::TooLarge(limit) => Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is too large.",
            format!("It has more than {} MiB.", limit / 1024 / 1024),
            "Send smaller requests, or raise MaxRequestSizeMB of both adapters.",
        ),
        Unread::NoMemory => not_now(
            "The gate is overloaded.",
            "The requests under way take all the memory that they may; nothing of this one was kept."
                .to_owned(),
            "Send fewer at a time, or raise memory_mb in [egress].",
        )
        .because(Cause::NoMemory),
    }
}

fn not_now(error: &str, reason: String, resolution: &str) -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, error, reason, resolution).retry_after(RETRY_AFTER_S)
}
