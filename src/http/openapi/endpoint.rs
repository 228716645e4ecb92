//! The failover endpoint, below both of its bases.

use std::time::Duration;

use axum::http::{Method, StatusCode};

use super::{
    operation::{Content, MakeSchema, Operation, Parameter, Tag},
    schemas::{self, Schemas},
};
use crate::{
    domain::{GroupChangeKind, GroupHealth, GroupSpec, Place, SessionSpec},
    endpoint::{CallError, Full},
    http::{endpoint::PAGE, live},
    wire::{
        access_control::AccessControlBody,
        endpoint::{read_group, read_session},
        endpoint_answer::{GroupBody, OverrideBody, SessionBody, VersionBody},
        events::NudgeBody,
        group::{ChangeBody, GroupHistoryBody, StatusBody},
        heartbeat::HeartbeatAnswerBody,
        members::Content as Read,
        overview::{OverviewBody, OverviewEventBody},
        request::{
            AccessControlRequest, GroupRequest, HeartbeatRequest, OverrideRequestBody, SessionRequest,
        },
    },
};

const BASE: &str = "/api/v1/clientfailover";
const OF_TENANT: &str = "/api/v1/Tenants/{tenant}/Namespaces/{namespace}/ClientFailover";

const OF_ALL: &str = "/api/v1/Tenants/{tenant}/Namespaces/{namespace}/AccessControl/ClientFailover/groups";

const GROUP: &str = r#"{"Id": "Line 1", "FailoverTimeout": "00:00:10"}"#;
const GROUP_OF_OURS: &str = r#"{"Id": "Line 1", "Name": "Bottling", "FailoverTimeout": "00:00:10", "AdditionalData": {"Margin": 20, "Dwell": "00:00:30"}}"#;
const GROUP_SHOWN: &str =
    r#"{"Id":"Line 1","Name":null,"Description":null,"FailoverTimeout":"00:00:10","AdditionalData":null}"#;
const SESSION: &str = r#"{"Id": "plc-a", "Name": "Adapter North"}"#;
const SESSION_SHOWN: &str = include_str!("examples/Session.json");
const STATUS: &str = include_str!("examples/GroupStatus.json");
const HISTORY: &str = include_str!("examples/GroupHistory.json");
const OVERVIEW: &str = include_str!("examples/GroupOverview.json");
const STOCK: &str = r#"{"FailoverScore": 100, "LastDataProcessedTime": "2026-11-24T03:20:11.131Z"}"#;
const NATIVE: &str = include_str!("examples/NativeHeartbeat.json");
const ANSWER: &str = include_str!("examples/HeartbeatAnswer.json");
const ACCESS: &str = r#"{"RoleTrusteeAccessControlEntries":[{"Trustee":{"Type":3,"ObjectId":"user","TenantId":null},"AccessType":0,"AccessRights":3},{"Trustee":{"Type":3,"ObjectId":"administrator","TenantId":null},"AccessType":0,"AccessRights":15}]}"#;
const OVERRIDE: &str =
    r#"{"Value": "Primary", "ExpirationPeriod": "08:00:00", "Reason": "Patching the other"}"#;

pub(super) fn operations() -> Vec<Operation> {
    let on_premises = below().into_iter().map(|one| Operation { path: format!("{BASE}{}", one.path), ..one });
    let of_tenant = below().into_iter().map(|one| Operation {
        path: format!("{OF_TENANT}{}", one.path),
        id: format!("{}OfTenant", one.id),
        tag: Tag::OfTenant,
        ..one
    });
    on_premises.chain(of_tenant).chain(access_control(OF_ALL, "AllOfTenant", Tag::OfTenant)).collect()
}

/// What is below each base.
fn below() -> Vec<Operation> {
    let mut all: Vec<_> = groups().into_iter().chain(one_group()).chain(sessions()).collect();
    all.extend(one_session());
    let of_group = access_control("/groups/{group}/accesscontrol", "", Tag::Groups);
    all.extend(of_group.map(|one| one.refuses(CallError::UnknownGroup)));
    all
}

fn of(method: Method, path: &str, id: &str, summary: &'static str) -> Operation {
    let tag = if path.contains("clientsessions") { Tag::Sessions } else { Tag::Groups };
    Operation::new(method, path, id, tag, summary)
}

/// An operation of a group that must be there.
fn of_known(method: Method, path: &str, id: &str, summary: &'static str) -> Operation {
    of(method, path, id, summary).refuses(CallError::UnknownGroup)
}

/// An operation of a session that must be there.
fn of_member(method: Method, path: &str, id: &str, summary: &'static str) -> Operation {
    of_known(method, path, id, summary).refuses(CallError::UnknownSession)
}

/// What can be paged through by number.
fn skipped() -> [Parameter; 2] {
    [
        Parameter::new("skip", "How many to pass over.", schemas::whole_number(0)),
        Parameter::new(
            "count",
            "How many to answer; more than 1,000 are 1,000.",
            schemas::whole_number(PAGE),
        ),
    ]
}

fn groups() -> [Operation; 5] {
    let total = &[("Total-Count", "How many there are in all.")];
    let health = schemas::any_case(GroupHealth::ALL.iter().map(|health| health.as_str()));
    [
        of(Method::GET, "", "getVersion", "Which endpoint this is").answers(
            StatusCode::OK,
            "`Native` tells that the extensions are known.",
            Content::answer::<VersionBody>(r#"{"Version":"0.1.0","Native":1}"#),
        ),
        of(Method::GET, "/overview", "listOverviews", "Each group at a glance")
            .asks(skipped())
            .asks([Parameter::new("health", "Only groups that are so.", health)])
            .answers(
                StatusCode::OK,
                "A page of them, by Id.",
                Content::answer::<Vec<OverviewBody>>(&format!("[{OVERVIEW}]")),
            )
            .headers(total),
        of(Method::GET, "/overview/events", "watchOverviews", "The same, as it changes")
            .more("`Groups` comes every second with what changed; the first has all groups. One user can have 64 of them.")
            .answers(
                StatusCode::OK,
                "Events, until one side hangs up.",
                Content::events(
                    &[("Groups", Schemas::answer::<OverviewEventBody>)],
                    "event: Groups\ndata: {\"Changed\":[],\"Gone\":[\"Line 1\"]}\n\n",
                ),
            )
            .refuses(live::too_many()),
        of(Method::GET, "/groups", "listGroups", "All groups")
            .asks(skipped())
            .answers(
                StatusCode::OK,
                "A page of them, by Id.",
                Content::answer::<Vec<GroupBody>>(&format!("[{GROUP_SHOWN}]")),
            )
            .headers(total),
        of(Method::POST, "/groups", "createGroup", "Create a group")
            .more("Adapters do so when they register. Nobody can change a group afterwards.")
            .takes(Content::request::<GroupRequest>(&[("stock", GROUP), ("ours", GROUP_OF_OURS)]))
            .answers(
                StatusCode::OK,
                "It was there already, and does not differ.",
                Content::answer::<GroupBody>(GROUP_SHOWN),
            )
            .answers(StatusCode::CREATED, "It is created.", Content::answer::<GroupBody>(GROUP_SHOWN))
            .headers(&[("Location", "The group's own path.")])
            .refuses_some(kept_group().map(|group| CallError::GroupDiffers(Box::new(group))))
            .refuses(CallError::Full(Full::Groups))
            .stores(),
    ]
}

fn one_group() -> [Operation; 6] {
    let change: (&str, MakeSchema) = ("Change", Schemas::answer::<ChangeBody>);
    [
        of_known(Method::GET, "/groups/{group}", "getGroup", "A group").answers(
            StatusCode::OK,
            "The group.",
            Content::answer::<GroupBody>(GROUP_SHOWN),
        ),
        of_known(Method::DELETE, "/groups/{group}", "deleteGroup", "Delete a group that has no sessions")
            .more("Its history stays.")
            .done(StatusCode::NO_CONTENT, "It is deleted.")
            .refuses(CallError::GroupInUse)
            .stores(),
        of_known(Method::GET, "/groups/{group}/status", "getStatus", "Who is Primary, and why")
            .answers(StatusCode::OK, "The status.", Content::answer::<StatusBody>(STATUS)),
        of_known(Method::GET, "/groups/{group}/status/events", "watchStatus", "The same, as it changes")
            .more("`Status` comes at once, every second and after each change; `Change` says what happened. One user can have 64 of them.")
            .answers(
                StatusCode::OK,
                "Events, until the group is deleted or one side hangs up.",
                Content::events(
                    &[("Status", Schemas::answer::<StatusBody>), change],
                    &format!("event: Status\ndata: {}\n\n", STATUS.trim()),
                ),
            )
            .refuses(live::too_many()),
        of_known(Method::GET, "/groups/{group}/history", "getHistory", "What happened, newest first")
            .more("Also of a group that was deleted.")
            .asks(schemas::page(GroupChangeKind::ALL, GroupChangeKind::as_str))
            .answers(StatusCode::OK, "A page of it.", Content::answer::<GroupHistoryBody>(HISTORY))
            .stores(),
        of_known(Method::GET, "/groups/{group}/events", "listen", "When a heartbeat is waited for")
            .more(
                "`Nudge` asks a session (each, where it names none) for a heartbeat: with it a hand-over takes \
                 milliseconds. It has no authority; roles come by answers to heartbeats alone. `Change` says what \
                 happened. Who was too slow and missed some gets a `Nudge` that names none. A proxy in front must \
                 pass it on unbuffered, with a read timeout above 15 s.",
            )
            .answers(
                StatusCode::OK,
                "Events, until the group is deleted or one side hangs up.",
                Content::events(
                    &[("Listening", schemas::nothing), ("Nudge", Schemas::answer::<NudgeBody>), change],
                    "event: Listening\ndata: {}\n\nevent: Nudge\ndata: {\"Session\":\"plc-a\"}\n\n",
                ),
            )
            .refuses(CallError::TooManyListeners),
    ]
}

fn sessions() -> [Operation; 2] {
    let path = "/groups/{group}/clientsessions";
    [
        of_known(Method::GET, path, "listSessions", "All sessions of a group").answers(
            StatusCode::OK,
            "All of them, in the order of registration.",
            Content::answer::<Vec<SessionBody>>(&format!("[{SESSION_SHOWN}]")),
        ),
        of_known(Method::POST, path, "createSession", "Register a session")
            .more("One for each adapter. It belongs to the user who registers it.")
            .takes(Content::request::<SessionRequest>(&[("session", SESSION)]))
            .answers(
                StatusCode::OK,
                "It was there already, and does not differ.",
                Content::answer::<SessionBody>(SESSION_SHOWN),
            )
            .answers(StatusCode::CREATED, "It is registered.", Content::answer::<SessionBody>(SESSION_SHOWN))
            .headers(&[("Location", "The session's own path.")])
            .refuses(CallError::OfAnother)
            .refuses_some(kept_session().map(|session| CallError::SessionDiffers(Box::new(session))))
            .refuses(CallError::Full(Full::Sessions))
            .refuses(CallError::Full(Full::SessionsOfAUser))
            .stores(),
    ]
}

fn one_session() -> [Operation; 4] {
    let path = "/groups/{group}/clientsessions/{session}";
    let in_use = CallError::SessionInUse {
        heard_ago: Duration::from_millis(1_300),
        free_in: Duration::from_millis(8_700),
    };
    [
        of_member(Method::GET, path, "getSession", "A session").answers(
            StatusCode::OK,
            "The session.",
            Content::answer::<SessionBody>(SESSION_SHOWN),
        ),
        of_member(Method::DELETE, path, "deleteSession", "Remove a session")
            .more(
                "Whose it is, or an administrator. The seat of a Primary of ours stays held until its FailoverTimeout \
                 is over, unless it has said that it stopped; so does that of a stock one which another removes. A role \
                 override of the session goes on only where its own user removes it.",
            )
            .done(StatusCode::NO_CONTENT, "It is removed.")
            .refuses(CallError::OfAnother)
            .stores(),
        of_member(Method::POST, &format!("{path}/heartbeat"), "beat", "Say how well an adapter can work, and hear its role")
            .more(
                "Of the user whose session it is. 20 a second, 40 at once; a Primary, and who is waited for, as many \
                 as they like. A promotion is on disk before it is answered.",
            )
            .takes(Content::request::<HeartbeatRequest>(&[("stock", STOCK), ("native", NATIVE)]))
            .answers(StatusCode::OK, "The role.", Content::answer::<HeartbeatAnswerBody>(ANSWER))
            .refuses(CallError::OfAnother)
            .refuses(in_use)
            .refuses(CallError::TooManyHeartbeats)
            .refuses(CallError::NotRecorded)
            .stores(),
        of_member(Method::POST, &format!("{path}/roleoverride"), "overrideRole", "Force the role, or end that")
            .more(
                "The session becomes Primary as soon as the one that is has stopped. A login is who asked. `Off` also ends \
                 the override of a session that was removed.",
            )
            .takes(Content::request::<OverrideRequestBody>(&[
                ("force", OVERRIDE),
                ("end", r#"{"Value": "Off"}"#),
            ]))
            .answers(
                StatusCode::OK,
                "What is in force now.",
                Content::answer::<OverrideBody>(
                    r#"{"Value":1,"RoleOverrideExpirationTime":"2026-11-24T11:20:11.131Z"}"#,
                ),
            )
            .refuses(CallError::NotRecorded)
            .stores(),
    ]
}

/// Who may do what, of one group or of all.
fn access_control(path: &str, whose: &str, tag: Tag) -> [Operation; 2] {
    let of = |method, id: &str, summary| Operation::new(method, path, &format!("{id}{whose}"), tag, summary);
    [
        of(Method::GET, "getAccessControl", "What each role may do").answers(
            StatusCode::OK,
            "The roles; they are those of the server's users.",
            Content::answer::<AccessControlBody>(ACCESS),
        ),
        of(Method::PUT, "putAccessControl", "Ask whether access is so")
            .more("Rights come by the roles of users alone: only what GET shows is accepted, and changes nothing.")
            .takes(Content::request::<AccessControlRequest>(&[("access", ACCESS)]))
            .done(StatusCode::NO_CONTENT, "It is so."),
    ]
}

fn kept_group() -> Option<GroupSpec> {
    read_group(Place::OnPremises, Read::parse(GROUP.as_bytes()).ok()?.object().ok()?).ok()
}

fn kept_session() -> Option<SessionSpec> {
    read_session(Read::parse(SESSION.as_bytes()).ok()?.object().ok()?).ok()
}
