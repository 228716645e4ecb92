//! What components report of themselves.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};

use super::kit::{Failure, Json, JsonBody, Path, Routes};
use crate::{
    domain::{ComponentId, Fault},
    reports::{MOST_COMPONENTS, ReportError, Reports},
    wire::component::{ComponentBody, read_report},
};

/// The routes of components.
#[must_use]
pub fn routes(reports: Reports) -> Routes {
    let one = get(get_one).put(put).delete(delete);
    Routes::new()
        .route("/api/v1/diagnostics/components", get(get_all).with_state(reports.clone()))
        .route("/api/v1/diagnostics/components/{id}", one.with_state(reports))
}

async fn get_all(State(reports): State<Reports>) -> Response {
    let bodies: Vec<_> = reports.views().iter().map(ComponentBody::from).collect();
    Json(bodies).into_response()
}

async fn get_one(State(reports): State<Reports>, Path(id): Path<String>) -> Result<Response, Failure> {
    let view = ComponentId::new(id.as_str()).ok().and_then(|id| reports.view(&id));
    let view = view.ok_or_else(|| refused(ReportError::Unknown, &id))?;
    Ok(Json(ComponentBody::from(&view)).into_response())
}

async fn put(
    State(reports): State<Reports>,
    Path(id): Path<String>,
    body: JsonBody,
) -> Result<StatusCode, Failure> {
    let members = body.0.one_object()?;
    let report = read_report(members, &id);
    let named = ComponentId::new(id.as_str()).map_err(|error| {
        let right =
            "The Id in the path has 1 to 256 characters, no control characters, and is no dot segment.";
        Fault::new("Id", error.to_string(), right)
    });
    let (named, report) = match (named, report) {
        (Ok(named), Ok(report)) => (named, report),
        (Ok(_), Err(faults)) => return Err(faults.into()),
        (Err(fault), report) => {
            let mut faults = report.err().unwrap_or_default();
            faults.push(fault);
            return Err(faults.into());
        }
    };
    reports.report(named, report).map_err(|error| refused(error, &id))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(State(reports): State<Reports>, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let named = ComponentId::new(id.as_str()).map_err(|_no_id| refused(ReportError::Unknown, &id))?;
    reports.delete(&named).map_err(|error| refused(error, &id))?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn refused(error: ReportError, id: &str) -> Failure {
    match error {
        ReportError::Unknown => Failure::new(
            StatusCode::NOT_FOUND,
            "The component does not exist.",
            format!(
                "No component has the Id {id:?}; Ids compare exactly, and a restart forgets all reports."
            ),
            "GET the collection to see what is reported.",
        ),
        ReportError::IsProbe => Failure::new(
            StatusCode::CONFLICT,
            "The component is a probe.",
            format!("The settings have a probe of the Id {id:?}, which looks by itself."),
            "Report under another Id, or take the probe out of the settings.",
        ),
        ReportError::TooMany => Failure::new(
            StatusCode::CONFLICT,
            "There are too many components.",
            format!("There are {MOST_COMPONENTS}, probes included."),
            "DELETE components that are gone.",
        ),
    }
}
