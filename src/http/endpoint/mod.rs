//! The failover endpoint's interface, under its on-premises base and its cloud base.

mod path;
mod refusals;

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};

pub(super) use path::{Base, OfGroup};

use path::{OfSession, escaped, group_path};
use refusals::to_register;

use super::{
    access_control,
    caller::{Asker, Caller, Warnings},
    events,
    kit::{Failure, Json, JsonBody, Peer, Query, Routes},
    live,
    paging::Asked,
};
use crate::{
    clock,
    crowd::Who,
    domain::{
        AuditAction, AuditKind, AuditRow, Fault, GroupChangeKind, GroupHealth, GroupKey, NAME_LIMIT, Name,
        RoleOverride, SessionId,
    },
    endpoint::{Created, Endpoint},
    store::{ChangeQuery, HistoryQuery},
    wire::{
        endpoint::{read_group, read_override, read_session},
        endpoint_answer::{GroupBody, OverrideBody, SessionBody, VersionBody},
        group::{GroupHistoryBody, StatusBody},
        heartbeat::{HeartbeatAnswerBody, read_heartbeat},
        overview::OverviewBody,
    },
};

/// Groups of one answer when nothing is said, and at the most.
pub(super) const PAGE: usize = 100;
const PAGE_LIMIT: usize = 1_000;

/// How many groups there are in all.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("total-count");

macro_rules! under_both_bases {
    ($($path:literal => $methods:expr,)+) => {
        [$((
            concat!("/api/v1/clientfailover", $path),
            concat!("/api/v1/tenants/{tenant}/namespaces/{namespace}/clientfailover", $path),
            $methods,
        ),)+]
    };
}

/// All routes of the endpoint half.
#[must_use]
pub fn routes(endpoint: Endpoint) -> Routes {
    let watched = Watched { endpoint: endpoint.clone(), places: live::Places::new() };
    let table: [(&'static str, &'static str, MethodRouter<Endpoint>); 13] = under_both_bases! {
        "" => get(version),
        "/overview" => get(overview),
        "/overview/events" => get(watch_groups).with_state(watched.clone()),
        "/groups" => get(list_groups).post(create_group),
        "/groups/{group}" => get(read_one_group).delete(delete_group),
        "/groups/{group}/status" => get(status),
        "/groups/{group}/history" => get(history),
        "/groups/{group}/events" => get(listen),
        "/groups/{group}/status/events" => get(watch_status).with_state(watched.clone()),
        "/groups/{group}/clientsessions" => get(list_sessions).post(create_session),
        "/groups/{group}/clientsessions/{session}" => get(read_one_session).delete(delete_session),
        "/groups/{group}/clientsessions/{session}/heartbeat" => post(heartbeat),
        "/groups/{group}/clientsessions/{session}/roleoverride" => post(override_role),
    };
    let roles = access_control::routes(endpoint.clone());
    table.into_iter().fold(roles, |routes, (on_premises, cloud, methods)| {
        routes
            .route(on_premises, methods.clone().with_state(endpoint.clone()))
            .route(cloud, methods.with_state(endpoint.clone()))
    })
}

/// What the streams for whoever watches need.
#[derive(Debug, Clone)]
struct Watched {
    endpoint: Endpoint,
    places: live::Places,
}

async fn version(_: Base) -> Json<VersionBody> {
    Json(VersionBody::new())
}

async fn overview(
    State(endpoint): State<Endpoint>,
    Base(place): Base,
    query: Query,
) -> Result<Response, Failure> {
    let words = GroupHealth::ALL.iter().map(|health| health.as_str()).collect::<Vec<_>>().join(", ");
    let mut asked = Asked::new(&query, &["skip", "count", "health"]);
    let right = "A whole number from 0.";
    let skip = asked.value("skip", right, |text| text.parse().ok()).unwrap_or(0);
    let count = asked.value("count", right, |text| text.parse().ok()).unwrap_or(PAGE).min(PAGE_LIMIT);
    let health = asked.value("health", &format!("health is one of {words}."), GroupHealth::parse);
    asked.finish(())?;
    let mut groups = endpoint.overview(&place, clock::now().uptime).await;
    groups.retain(|group| health.is_none_or(|health| group.health == health));
    let bodies: Vec<OverviewBody> = groups.iter().skip(skip).take(count).map(OverviewBody::from).collect();
    Ok(([(TOTAL_COUNT, HeaderValue::from(groups.len()))], Json(bodies)).into_response())
}

async fn watch_groups(
    State(watched): State<Watched>,
    Base(place): Base,
    who: Who,
) -> Result<Response, Failure> {
    live::of_groups(watched.endpoint, place, who, &watched.places)
}

async fn watch_status(
    State(watched): State<Watched>,
    OfGroup(key): OfGroup,
    warnings: Warnings,
    who: Who,
) -> Result<Response, Failure> {
    live::of_status(watched.endpoint, key, warnings, who, &watched.places)
}

async fn list_groups(
    State(endpoint): State<Endpoint>,
    Base(place): Base,
    query: Query,
) -> Result<Response, Failure> {
    let skip = whole_number(&query, "skip")?.unwrap_or(0);
    let count = whole_number(&query, "count")?.unwrap_or(PAGE).min(PAGE_LIMIT);
    let (groups, total) = endpoint.groups(&place, skip, count);
    let bodies: Vec<GroupBody> = groups.iter().map(GroupBody::from).collect();
    Ok(([(TOTAL_COUNT, HeaderValue::from(total))], Json(bodies)).into_response())
}

fn whole_number(query: &Query, name: &'static str) -> Result<Option<usize>, Failure> {
    let read = |text: &str| {
        text.parse().map_err(|error: std::num::ParseIntError| {
            Fault::new(
                name,
                format!("is no whole number ({error})"),
                format!("{name} is a whole number from 0."),
            )
        })
    };
    Ok(query.get(name).map(read).transpose()?)
}

async fn create_group(
    State(endpoint): State<Endpoint>,
    Base(place): Base,
    by: Asker,
    body: JsonBody,
) -> Result<Response, Failure> {
    let spec = read_group(place, body.object()?)?;
    let subject = format!("{}: FailoverTimeout {}", spec.key(), spec.draft.timeout);
    let told = by.did(AuditKind::Group, AuditAction::Created, subject);
    let Created { kept, new } = endpoint.create_group(spec, &told).await?;
    let key = kept.key();
    Ok(created(new, group_path(&key), &GroupBody::from(&kept)))
}

async fn read_one_group(
    State(endpoint): State<Endpoint>,
    OfGroup(key): OfGroup,
) -> Result<Json<GroupBody>, Failure> {
    Ok(Json(GroupBody::from(&endpoint.group(&key)?)))
}

async fn delete_group(
    State(endpoint): State<Endpoint>,
    OfGroup(key): OfGroup,
    by: Asker,
) -> Result<StatusCode, Failure> {
    let told = by.did(AuditKind::Group, AuditAction::Deleted, key.to_string());
    endpoint.delete_group(&key, &told).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn status(
    State(endpoint): State<Endpoint>,
    OfGroup(key): OfGroup,
    warnings: Warnings,
) -> Result<Json<StatusBody>, Failure> {
    Ok(Json(StatusBody::from(endpoint.status(&key)?).with_warnings(warnings.now())))
}

async fn history(
    State(endpoint): State<Endpoint>,
    OfGroup(key): OfGroup,
    query: Query,
) -> Result<Json<GroupHistoryBody>, Failure> {
    let mut asked = Asked::new(&query, &["kind", "limit", "cursor"]);
    let HistoryQuery { kind, before, limit, .. } = asked.page(GroupChangeKind::ALL, GroupChangeKind::as_str);
    let query = asked.finish(ChangeQuery { kind, before, limit })?;
    let page = endpoint.history(&key, &query).await?;
    Ok(Json(GroupHistoryBody::new(&page.rows, page.next)))
}

async fn listen(
    State(endpoint): State<Endpoint>,
    OfGroup(key): OfGroup,
    who: Who,
) -> Result<Response, Failure> {
    Ok(events::of_group(endpoint.listen(&key, who)?))
}

async fn list_sessions(
    State(endpoint): State<Endpoint>,
    OfGroup(key): OfGroup,
) -> Result<Json<Vec<SessionBody>>, Failure> {
    Ok(Json(endpoint.sessions(&key)?.into_iter().map(SessionBody::from).collect()))
}

async fn create_session(
    State(endpoint): State<Endpoint>,
    OfGroup(key): OfGroup,
    caller: Caller,
    body: JsonBody,
) -> Result<Response, Failure> {
    let spec = read_session(body.object()?)?;
    let path = format!("{}/clientsessions/{}", group_path(&key), escaped(spec.id.as_str()));
    let Created { kept, new } =
        endpoint.create_session(&key, spec, caller.name()).await.map_err(to_register)?;
    Ok(created(new, path, &SessionBody::from(kept)))
}

async fn read_one_session(
    State(endpoint): State<Endpoint>,
    OfSession(key, id): OfSession,
) -> Result<Json<SessionBody>, Failure> {
    Ok(Json(endpoint.session(&key, &id)?.into()))
}

async fn delete_session(
    State(endpoint): State<Endpoint>,
    OfSession(key, id): OfSession,
    caller: Caller,
    by: Asker,
) -> Result<StatusCode, Failure> {
    // An administrator clears away what is nobody's any more.
    let told = of_session(&by, AuditKind::Session, AuditAction::Deleted, &key, &id);
    let of_another = caller.is_administrator().then_some(&told);
    endpoint.delete_session(&key, &id, caller.name(), of_another).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn of_session(by: &Asker, kind: AuditKind, action: AuditAction, key: &GroupKey, id: &SessionId) -> AuditRow {
    by.did(kind, action, format!("{key}: {id}"))
}

async fn heartbeat(
    State(endpoint): State<Endpoint>,
    OfSession(key, id): OfSession,
    Peer(connection): Peer,
    caller: Caller,
    body: JsonBody,
) -> Result<Json<HeartbeatAnswerBody>, Failure> {
    let heartbeat = read_heartbeat(body.object()?)?;
    let answered = endpoint.heartbeat(&key, &id, caller.name(), &heartbeat, connection).await;
    let answer = answered.map_err(to_register)?;
    Ok(Json(answer.into()))
}

async fn override_role(
    State(endpoint): State<Endpoint>,
    OfSession(key, id): OfSession,
    caller: Caller,
    by: Asker,
    body: JsonBody,
) -> Result<Json<OverrideBody>, Failure> {
    let (value, mut asked) = read_override(body.object()?)?;
    let said = asked.by.clone().filter(|_| caller.name().is_none());
    asked.by = requested_by(&caller, asked.by);
    let action = match value {
        RoleOverride::Primary(_) => AuditAction::Began,
        RoleOverride::Off => AuditAction::Ended,
    };
    let mut told = of_session(&by, AuditKind::Override, action, &key, &id);
    if let Some(said) = said {
        told.by = format!("{} ({said})", told.by);
    }
    let until = endpoint.override_role(&key, &id, value, asked, &told).await?;
    Ok(Json(OverrideBody::new(value, until)))
}

/// Who asks for an override: a login is proof, what a request says is a word.
fn requested_by(caller: &Caller, said: Option<Name>) -> Option<Name> {
    let Some(user) = caller.name() else { return said };
    let text = match said.filter(|said| said.as_str() != user.as_str()) {
        Some(said) => format!("{user} ({said})"),
        None => user.to_string(),
    };
    Name::new(text.chars().take(NAME_LIMIT).collect::<String>()).ok()
}

fn created(new: bool, location: String, body: &impl serde::Serialize) -> Response {
    if new {
        (StatusCode::CREATED, [(header::LOCATION, location)], Json(body)).into_response()
    } else {
        Json(body).into_response()
    }
}
