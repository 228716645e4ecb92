//! The commands that ask a running failover endpoint about its groups.

use std::time::Duration;

use serde_json::{Map, Value, json, value::RawValue};

use super::{
    adapter_args::Output,
    client::{done, output, parse, parse_as, print},
    failure::Failure,
    group_args::{DeleteArgs, GroupsArgs, OverrideArgs, SessionsArgs, WhyArgs},
    remote::{Method, Refusal, Remote, RemoteError},
    table, who,
    why::{self, NOTHING, Names, ago, text},
};
use crate::domain::{SessionId, format_span, parse_span};

/// Groups of one request: the most that an endpoint gives.
const PAGE: usize = 1_000;

/// The words of a session's Role.
const ROLES: [&str; 3] = ["Secondary", "Primary", "PendingPrimary"];

/// `groups`: shows all groups.
pub(super) async fn groups(args: GroupsArgs) -> Result<(), Failure> {
    let (output, remote) =
        (output(args.remote.output), Remote::endpoint(args.remote.endpoint, &args.remote.access)?);
    let mut shown = Vec::new();
    loop {
        let skip = shown.len();
        let page = remote.call(Method::GET, remote.groups(skip, PAGE), None).await?;
        let page: Vec<Box<RawValue>> = parse_as(&remote, &page)?;
        let last = page.len() < PAGE;
        for group in page {
            let object = parse(&remote, group.get())?;
            let id =
                why::group_id(&object).ok_or_else(|| remote.misunderstood("It has a group without Id."))?;
            // One that was deleted since has no status; it is shown without.
            let status = found(remote.call(Method::GET, remote.group(&id, &["status"]), None).await)?;
            shown.push((group, object, status.unwrap_or_else(|| "null".to_owned())));
        }
        if last {
            break;
        }
    }
    if output == Output::Json {
        let groups = shown
            .iter()
            .map(|(group, _, status)| format!(r#"{{"Group":{},"Status":{status}}}"#, group.get()))
            .collect::<Vec<_>>();
        return print(&format!("[{}]", groups.join(",")));
    }
    if shown.is_empty() {
        return print("There is no failover group.");
    }
    let mut rows = Vec::new();
    for (_, group, status) in &shown {
        let status = parse(&remote, status)?;
        warn(Some(&text(&group["Id"])), &status);
        rows.push(group_row(group, &status));
    }
    let columns = ["Group", "Name", "Timeout", "Primary", "Pending", "Sessions", "Override", "Epoch"];
    print(&table::columns(&columns, &rows))
}

fn group_row(group: &Value, status: &Value) -> Value {
    // A stock endpoint says neither.
    let sessions = status["Heard"].as_u64().zip(status["Members"].as_array());
    let sessions = sessions.map(|(heard, members)| format!("{heard} of {} live", members.len()));
    let forced = &status["RoleOverride"];
    let forced = forced.is_object().then(|| format!("{}, {}", text(&forced["SessionId"]), until(forced)));
    json!({
        "Group": group["Id"], "Name": group["Name"], "Timeout": group["FailoverTimeout"],
        "Primary": status["Primary"], "Pending": status["PendingPrimary"], "Sessions": sessions,
        "Override": forced, "Epoch": status["Epoch"],
    })
}

/// `sessions`: shows the adapters of a group.
pub(super) async fn sessions(args: SessionsArgs) -> Result<(), Failure> {
    let (output, remote) =
        (output(args.remote.output), Remote::endpoint(args.remote.endpoint, &args.remote.access)?);
    let url = remote.group(&args.group, &["clientsessions"]);
    let answer = remote.call(Method::GET, url, None).await?;
    if output == Output::Json {
        return print(&answer);
    }
    let sessions: Vec<Value> = parse_as(&remote, &answer)?;
    let status = remote.call(Method::GET, remote.group(&args.group, &["status"]), None).await?;
    let status = parse(&remote, &status)?;
    if sessions.is_empty() {
        return print("The group has no session.");
    }
    let rows: Vec<Value> = sessions.iter().map(|session| session_row(session, &status)).collect();
    let columns = ["Session", "Name", "Role", "Score", "Heard", "Heartbeat", "Override"];
    print(&table::columns(&columns, &rows))?;
    warn(None, &status);
    match status["Reason"].as_str() {
        Some(reason) => print(&format!("\n{}", why::sentence(reason))),
        None => Ok(()),
    }
}

fn session_row(session: &Value, status: &Value) -> Value {
    let role = session["Role"].as_u64().and_then(|role| usize::try_from(role).ok());
    let forced =
        (session["RoleOverride"] == 1).then(|| match session["RoleOverrideExpirationTime"].as_str() {
            Some(at) => format!("Primary, until {at}"),
            None => "Primary, until somebody ends it".to_owned(),
        });
    // Our adapters register under their id as name.
    let name = Some(&session["Name"]).filter(|name| **name != session["Id"]);
    json!({
        "Session": session["Id"], "Name": name,
        "Role": role.and_then(|role| ROLES.get(role)),
        "Score": session["Heartbeat"]["FailoverScore"],
        "Heard": member(status, &session["Id"]).and_then(|member| ago(&member["HeardAgo"])),
        "Heartbeat": session["Heartbeat"]["HeartbeatTime"],
        "Override": forced,
    })
}

/// `override`: makes an adapter Primary by order, or ends that.
pub(super) async fn override_role(args: OverrideArgs) -> Result<(), Failure> {
    let OverrideArgs { group, session, period, off, reason, by, remote } = args;
    let (output, remote) = (output(remote.output), Remote::endpoint(remote.endpoint, &remote.access)?);
    let get = async |below: &[&str]| -> Result<Value, Failure> {
        let answer = remote.call(Method::GET, remote.group(&group, below), None).await?;
        parse(&remote, &answer)
    };
    let before = get(&["status"]).await?;
    let sessions = remote.call(Method::GET, remote.group(&group, &["clientsessions"]), None).await?;
    let session = named(session, &parse_as::<Vec<Value>>(&remote, &sessions)?)?;
    let forced = before["RoleOverride"]["SessionId"].as_str();
    // One that is away has no session; its override waits for it.
    if !off || forced != Some(session.as_str()) {
        let target = get(&["clientsessions", session.as_str()]).await?;
        if off {
            is_forced(&session, forced)?;
        } else {
            warn_about(&target, &before, &get(&[]).await?);
        }
    }
    let by = by.or_else(who::name).map(|by| by.to_string());
    let mut body = Map::new();
    body.insert("Value".to_owned(), json!(if off { "Off" } else { "Primary" }));
    let members = [
        ("ExpirationPeriod", period.map(format_span)),
        ("RequestedBy", by),
        ("Reason", reason.map(|reason| reason.to_string())),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            body.insert(name.to_owned(), value.into());
        }
    }
    let url = remote.group(&group, &["clientsessions", session.as_str(), "roleoverride"]);
    let answer = remote.call(Method::POST, url, Some(Value::Object(body).to_string().into_bytes())).await?;
    if output == Output::Json {
        return print(&answer);
    }
    let status = get(&["status"]).await?;
    let forced = &status["RoleOverride"];
    if !forced.is_object() {
        return print("No role override is in force.");
    }
    let by = forced["RequestedBy"].as_str().map_or_else(String::new, |by| format!(", asked for by {by}"));
    print(&table::plain(&format!("{} is to be Primary, {}{by}.", text(&forced["SessionId"]), until(forced))))
}

/// The session that is meant: by its Id, or by a Name that one session alone has.
fn named(given: SessionId, sessions: &[Value]) -> Result<SessionId, Failure> {
    let those = |member: &str| {
        let ids = sessions.iter().filter(|session| session[member] == given.as_str());
        ids.filter_map(|session| session["Id"].as_str()).collect::<Vec<_>>()
    };
    if !those("Id").is_empty() {
        return Ok(given);
    }
    match those("Name")[..] {
        [] => Ok(given),
        [id] => Ok(SessionId::new(id).unwrap_or(given)),
        ref ids => Err(RemoteError::Refused(Refusal {
            error: "The role override was not changed.".to_owned(),
            reason: format!("{given} is the Name of {} sessions.", ids.len()),
            resolution: format!("Give the Id of one: {}.", ids.join(", ")),
        })
        .into()),
    }
}

/// Refuses to end an override that is of somebody else: it would stay in force.
fn is_forced(session: &SessionId, forced: Option<&str>) -> Result<(), Failure> {
    let Some(of) = forced.filter(|of| *of != session.as_str()) else { return Ok(()) };
    Err(RemoteError::Refused(Refusal {
        error: "No role override was ended.".to_owned(),
        reason: format!("{session} has none; the one in force is of {of}."),
        resolution: format!("End it with --session {of} --off."),
    })
    .into())
}

/// Says loudly when whoever is to be Primary can do nothing, or is not there.
fn warn_about(target: &Value, status: &Value, group: &Value) {
    let id = text(&target["Id"]);
    let timeout = group["FailoverTimeout"].as_str().and_then(parse_span);
    let heard = member(status, &target["Id"]).map(|member| &member["HeardAgo"]);
    let (silent, limit) =
        (heard.and_then(Value::as_str).and_then(parse_span), text(&group["FailoverTimeout"]));
    let keeps = group["AdditionalData"].as_object().is_some_and(|data| {
        data.iter().any(|(name, value)| name.eq_ignore_ascii_case("KeepSilentOverride") && *value == true)
    });
    let lapses = if keeps {
        "The override waits for it.".to_owned()
    } else {
        format!("The override waits for it, and ends when it stays silent for {limit}.")
    };
    if target["HeartbeatPosted"] != true {
        loudly(&format!("{id} has not been heard since the endpoint started. {lapses}"));
    } else if silent.zip(timeout).is_some_and(|(silent, timeout)| silent >= timeout) {
        let ago = heard.and_then(ago).unwrap_or_default();
        loudly(&format!("{id} was heard {ago}, longer than the FailoverTimeout ({limit}). {lapses}"));
    } else if target["Heartbeat"]["FailoverScore"] == 0 {
        loudly(&format!(
            "the score of {id} is 0: it says that it cannot do its work, and is made Primary all the same."
        ));
    }
}

/// `delete`: deletes a group that nobody is in.
pub(super) async fn delete(args: DeleteArgs) -> Result<(), Failure> {
    let DeleteArgs { group, with_silent, remote } = args;
    let (output, remote) = (output(remote.output), Remote::endpoint(remote.endpoint, &remote.access)?);
    let get = async |below: &[&str]| -> Result<Value, Failure> {
        let answer = remote.call(Method::GET, remote.group(&group, below), None).await?;
        parse(&remote, &answer)
    };
    let (of, status) = (get(&[]).await?, get(&["status"]).await?);
    let timeout = of["FailoverTimeout"].as_str().and_then(parse_span);
    let members = status["Members"].as_array().map(Vec::as_slice).unwrap_or_default();
    let (live, silent): (Vec<_>, Vec<_>) = members.iter().partition(|member| is_heard(member, timeout));
    let names = |members: &[&Value]| {
        members.iter().map(|member| text(&member["SessionId"])).collect::<Vec<_>>().join(", ")
    };
    let refused = |reason: String, resolution: &str| {
        let (error, resolution) = ("The group was not deleted.".to_owned(), resolution.to_owned());
        Err(RemoteError::Refused(Refusal { error, reason, resolution }).into())
    };
    if !live.is_empty() {
        return refused(
            format!("It has sessions that are heard: {}.", names(&live)),
            "Stop their adapters, or configure another FailoverGroupId in them.",
        );
    }
    if !silent.is_empty() && !with_silent {
        return refused(
            format!("It has sessions that are silent: {}.", names(&silent)),
            "If their adapters will not come back to it, delete them with it: --with-silent.",
        );
    }
    for member in &silent {
        let url = remote.group(&group, &["clientsessions", &text(&member["SessionId"])]);
        remote.call(Method::DELETE, url, None).await?;
    }
    remote.call(Method::DELETE, remote.group(&group, &[]), None).await?;
    done(output, &format!("The group {:?} is deleted; `why` still tells its history.", group.as_str()))
}

/// Whether a member was heard within its group's FailoverTimeout.
fn is_heard(member: &Value, timeout: Option<Duration>) -> bool {
    member["HeardAgo"].as_str().and_then(parse_span).zip(timeout).is_some_and(|(ago, timeout)| ago < timeout)
}

/// `why`: says why the roles of a group changed.
pub(super) async fn why(args: WhyArgs) -> Result<(), Failure> {
    let (output, remote) =
        (output(args.remote.output), Remote::endpoint(args.remote.endpoint, &args.remote.access)?);
    let mut url = remote.group(&args.group, &["history"]);
    url.query_pairs_mut().append_pair("limit", &args.limit.to_string());
    let answer = remote.call(Method::GET, url, None).await?;
    if output == Output::Json {
        return print(&answer);
    }
    let page = parse(&remote, &answer)?;
    let changes =
        page["Items"].as_array().ok_or_else(|| remote.misunderstood("It has no list of changes."))?;
    if changes.is_empty() {
        return print("Nothing happened.");
    }
    // A group that was deleted has a history, but no sessions any more.
    let sessions = remote.call(Method::GET, remote.group(&args.group, &["clientsessions"]), None).await;
    let sessions: Vec<Value> =
        found(sessions)?.map(|sessions| parse_as(&remote, &sessions)).transpose()?.unwrap_or_default();
    print(&why::told(changes, &Names::of(&sessions)))?;
    if !page["NextCursor"].is_null() {
        eprintln!("There is more: ask for it with --limit.");
    }
    Ok(())
}

/// An answer, or none where what was asked for is not there.
fn found(answer: Result<String, RemoteError>) -> Result<Option<String>, RemoteError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(RemoteError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn member<'a>(status: &'a Value, id: &Value) -> Option<&'a Value> {
    status["Members"].as_array()?.iter().find(|member| member["SessionId"] == *id)
}

fn until(forced: &Value) -> String {
    match forced["ExpirationTime"].as_str() {
        Some(at) => format!("until {at}"),
        None => "until somebody ends it".to_owned(),
    }
}

/// Passes on what the endpoint warns about.
fn warn(group: Option<&str>, status: &Value) {
    let group = group.map_or_else(String::new, |group| format!("{group}: "));
    for warning in status["Warnings"].as_array().into_iter().flatten() {
        loudly(&format!("{group}{}", warning.as_str().unwrap_or(NOTHING)));
    }
}

fn loudly(warning: &str) {
    eprintln!("WARNING: {}", table::plain(warning));
}
