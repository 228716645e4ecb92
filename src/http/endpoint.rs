//! The failover endpoint's interface, under its on-premises base and its cloud base.

use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    access_control,
    caller::{Asker, Caller, Warnings},
    events,
    kit::{Failure, Json, JsonBody, Path, Peer, Query, Routes},
    live,
    paging::Asked,
    traffic::Cause,
};
use crate::{
    clock,
    domain::{
        AuditAction, AuditKind, AuditRow, Fault, GroupChangeKind, GroupHealth, GroupId, GroupKey, NAME_LIMIT,
        Name, Place, RoleOverride, SessionId, TextError,
    },
    endpoint::{CallError, Created, Endpoint},
    store::{ChangeQuery, HistoryQuery},
    wire::{
        endpoint::{
            GroupBody, OverrideBody, SessionBody, VersionBody, read_group, read_override, read_session,
        },
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

/// Whose groups the path is about.
pub(super) struct Base(pub(super) Place);

/// The group that the path names.
pub(super) struct OfGroup(pub(super) GroupKey);

/// The session that the path names.
struct OfSession(GroupKey, SessionId);

type Segments = HashMap<String, String>;

async fn segments<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Segments, Failure> {
    Path::<Segments>::from_request_parts(parts, state).await.map(|Path(segments)| segments)
}

fn segment<T>(
    segments: &mut Segments,
    name: &str,
    read: impl FnOnce(String) -> Result<T, TextError>,
) -> Result<T, Failure> {
    read(segments.remove(name).unwrap_or_default()).map_err(|error| {
        let what = format!("The {name} in the path");
        let right = "An identifier has 1 to 256 characters, and no control characters.";
        Fault::new(what, error.to_string(), right).into()
    })
}

fn place(segments: &mut Segments) -> Result<Place, Failure> {
    if !segments.contains_key("tenant") {
        return Ok(Place::OnPremises);
    }
    let tenant = segment(segments, "tenant", Name::new)?;
    Ok(Place::Cloud { tenant, namespace: segment(segments, "namespace", Name::new)? })
}

impl<S: Send + Sync> FromRequestParts<S> for Base {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        place(&mut segments(parts, state).await?).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfGroup {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let mut segments = segments(parts, state).await?;
        let place = place(&mut segments)?;
        Ok(Self(GroupKey { place, id: segment(&mut segments, "group", GroupId::new)? }))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfSession {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let mut segments = segments(parts, state).await?;
        let place = place(&mut segments)?;
        let key = GroupKey { place, id: segment(&mut segments, "group", GroupId::new)? };
        Ok(Self(key, segment(&mut segments, "session", SessionId::new)?))
    }
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

async fn watch_groups(State(watched): State<Watched>, Base(place): Base) -> Result<Response, Failure> {
    live::of_groups(watched.endpoint, place, &watched.places)
}

async fn watch_status(
    State(watched): State<Watched>,
    OfGroup(key): OfGroup,
    warnings: Warnings,
) -> Result<Response, Failure> {
    live::of_status(watched.endpoint, key, warnings, &watched.places)
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
    body: JsonBody,
) -> Result<Response, Failure> {
    let spec = read_group(place, body.object()?)?;
    let Created { kept, new } = endpoint.create_group(spec).await?;
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

async fn listen(State(endpoint): State<Endpoint>, OfGroup(key): OfGroup) -> Result<Response, Failure> {
    Ok(events::of_group(endpoint.listen(&key)?))
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
    let id = spec.id.clone();
    if let Some(user) = caller.name() {
        endpoint.check_owner(&key, &id, user)?;
    }
    let Created { kept, new } = endpoint.create_session(&key, spec).await.map_err(to_register)?;
    if let Some(user) = caller.name() {
        endpoint.own_session(&key, &id, user).await?;
    }
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
    let is_anothers = match caller.name().map(|user| endpoint.check_owner(&key, &id, user)) {
        None | Some(Ok(())) => false,
        // An administrator clears away what is nobody's any more.
        Some(Err(_)) if caller.is_administrator() => true,
        Some(Err(refusal)) => return Err(refusal.into()),
    };
    // Whoever gives up his own session changes nothing that another has.
    let told = is_anothers.then(|| of_session(&by, AuditKind::Session, AuditAction::Deleted, &key, &id));
    endpoint.delete_session(&key, &id, told.as_ref()).await?;
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
    if let Some(user) = caller.name() {
        endpoint.check_owner(&key, &id, user)?;
    }
    let heartbeat = read_heartbeat(body.object()?)?;
    let answer = endpoint.heartbeat(&key, &id, &heartbeat, connection).await.map_err(to_register)?;
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
    asked.by = requested_by(&caller, asked.by);
    let action = match value {
        RoleOverride::Primary(_) => AuditAction::Began,
        RoleOverride::Off => AuditAction::Ended,
    };
    let told = of_session(&by, AuditKind::Override, action, &key, &id);
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

fn escaped(id: &str) -> impl std::fmt::Display {
    utf8_percent_encode(id, NON_ALPHANUMERIC)
}

fn group_path(key: &GroupKey) -> String {
    let group = escaped(key.id.as_str());
    match &key.place {
        Place::OnPremises => format!("/api/v1/clientfailover/groups/{group}"),
        Place::Cloud { tenant, namespace } => {
            let (tenant, namespace) = (escaped(tenant.as_str()), escaped(namespace.as_str()));
            format!("/api/v1/Tenants/{tenant}/Namespaces/{namespace}/ClientFailover/groups/{group}")
        }
    }
}

/// What a member is told whose group or session is not there: it registers again.
fn to_register(error: CallError) -> Failure {
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
                    |name| format!("The session {} has the name {name:?}.", kept.id),
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
