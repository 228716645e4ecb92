//! What happened in a group, told to whoever is woken by it.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::table::{padded, plain};
use crate::domain::{GroupId, GroupReason, Wall, parse_span};

/// What stands where there is no value.
pub(super) const NOTHING: &str = "-";

/// The friendly names of sessions.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// The names of `sessions`, as the endpoint lists them.
    #[must_use]
    pub fn of(sessions: &[Value]) -> Self {
        let name = |session: &Value| {
            let (id, name) = (session["Id"].as_str()?, session["Name"].as_str()?);
            (id != name).then(|| (id.to_owned(), name.to_owned()))
        };
        Self(sessions.iter().filter_map(name).collect())
    }

    /// A session's id, with its name where it has one.
    fn session(&self, id: &Value) -> String {
        let id = text(id);
        match self.0.get(&id) {
            Some(name) => format!("{id} ({name})"),
            None => id,
        }
    }
}

/// Changes as text, in the order in which they are given.
#[must_use]
pub fn told(changes: &[Value], names: &Names) -> String {
    changes.iter().map(|change| told_one(change, names)).collect::<Vec<_>>().join("\n")
}

fn told_one(change: &Value, names: &Names) -> String {
    let mut lines = vec![format!("{}  {}", to_the_millisecond(&change["Time"]), headline(change, names))];
    let receipt = &change["HandOver"];
    if receipt.is_object() {
        let reason = text(&change["Reason"]);
        let cause = GroupReason::parse(&reason).map_or(reason, GroupReason::as_cause);
        lines.push(format!("  {} Cause: {cause}.", told_receipt(receipt, names)));
    } else {
        lines.push(format!("  {}", sentence(&text(&change["Explanation"]))));
    }
    let members = change["Members"].as_array().map(Vec::as_slice).unwrap_or_default();
    let labels: Vec<String> = members.iter().map(|member| names.session(&member["SessionId"])).collect();
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    for (member, label) in members.iter().zip(labels) {
        lines.push(format!("    {}  {}", padded(&label, width), told_member(member)));
    }
    lines.iter().map(|line| plain(line) + "\n").collect()
}

/// What happened, in some words.
fn headline(change: &Value, names: &Names) -> String {
    let session = names.session(&change["SessionId"]);
    let epoch = change["Epoch"].as_u64().map_or_else(String::new, |epoch| format!(", epoch {epoch}"));
    let by = change["RequestedBy"].as_str().map_or_else(String::new, |by| format!(", asked for by {by}"));
    match change["Kind"].as_str().unwrap_or_default() {
        "Promoted" => format!("{session} became Primary{epoch}"),
        "ToldToStop" => format!("{session} was told to stop acting"),
        "SeatFreed" => format!("{session} is not Primary any more"),
        "ChallengeBegan" => format!("{session} is to take over"),
        "ChallengeDropped" => format!("{session} is not to take over after all"),
        "HandOver" => format!("{session} acts as Primary{epoch}"),
        "StoreWasSetBack" => "the endpoint's database was set back".to_owned(),
        "OverrideBegan" => format!("a role override of {session} began{by}"),
        "OverrideEnded" => format!("the role override of {session} ended{by}"),
        "SessionContested" => format!("two processes use the session {session}"),
        "EndpointStopped" => "the endpoint was told to stop".to_owned(),
        "EndpointAway" => {
            format!("the endpoint is back; it was away since {}", to_the_millisecond(&change["Since"]))
        }
        "PoliciesDiffer" => "the adapters do not agree on what to do without the endpoint".to_owned(),
        other => format!("{other} {session}{by}"),
    }
}

/// Its score, when it was heard, and what it said that it does: what decided.
fn told_member(member: &Value) -> String {
    let Some(heard) = ago(&member["HeardAgo"]) else { return "not heard yet".to_owned() };
    let acting = match member["Acting"].as_bool() {
        Some(true) => ", acting",
        Some(false) => ", not acting",
        None => "",
    };
    format!("score {}, heard {heard}{acting}", member["FailoverScore"])
}

/// Who acted last, who acted first, and what lay between.
fn told_receipt(receipt: &Value, names: &Names) -> String {
    let (from, to) = (names.session(&receipt["From"]), names.session(&receipt["To"]));
    let time = |value: &Value| {
        let time = to_the_millisecond(value);
        time.split_once('T').map_or(time.clone(), |(_, time)| time.trim_end_matches('Z').to_owned())
    };
    let (last, first) = (time(&receipt["LastActTime"]), time(&receipt["FirstActTime"]));
    let gap = receipt["GapMilliseconds"].as_f64().unwrap_or_default();
    let span = if gap.abs() < 10_000.0 {
        format!("{:.1} ms", gap.abs())
    } else {
        format!("{:.1} s", gap.abs() / 1e3)
    };
    let acted = if from == to { "it acted again" } else { "first acted" };
    let first = if from == to { format!("{acted} {first}") } else { format!("{to} {acted} {first}") };
    if receipt["LastAct"] == "LastHeartbeat" {
        format!(
            "{from} was last heard {last}, {first}: {span} lie between, in which {from} may have acted on."
        )
    } else if gap < 0.0 {
        format!("{from} last acted {last}, {first}: both acted for {span}.")
    } else {
        format!("{from} last acted {last}, {first}: nobody acted for {span}.")
    }
}

/// A span that has passed since, as it is said; empty where there is none.
pub(super) fn ago(span: &Value) -> Option<String> {
    let span = span.as_str().and_then(parse_span)?;
    Some(if span < Duration::from_millis(50) {
        "just now".to_owned()
    } else if span < Duration::from_secs(3_600) {
        format!("{:.1} s ago", span.as_secs_f64())
    } else {
        format!("{:.1} h ago", span.as_secs_f64() / 3_600.0)
    })
}

/// A sentence of the endpoint with its capital letter and full stop. An id keeps its letters.
pub(super) fn sentence(words: &str) -> String {
    let own = ["no ", "nobody ", "the ", "an ", "another ", "somebody ", "it ", "its "];
    let mut letters = words.chars();
    match letters.next() {
        Some(first) if own.iter().any(|own| words.starts_with(own)) => {
            format!("{}{}.", first.to_uppercase(), letters.as_str())
        }
        _ => format!("{words}."),
    }
}

fn to_the_millisecond(time: &Value) -> String {
    match time.as_str().and_then(Wall::parse) {
        Some(at) => {
            let fraction = at.micros().rem_euclid(1_000_000);
            let second = Wall::from_micros(at.micros() - fraction).to_string();
            format!("{}.{:03}Z", second.trim_end_matches('Z'), fraction / 1_000)
        }
        None => text(time),
    }
}

/// The Id of a group.
pub(super) fn group_id(group: &Value) -> Option<GroupId> {
    group["Id"].as_str().and_then(|id| GroupId::new(id).ok())
}

/// A text, or a dash.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or(NOTHING).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failover_is_told_with_what_decided_it() {
        let change = json!({
            "Time": "2026-11-24T03:20:01.123456Z", "Kind": "Promoted", "SessionId": "b", "Reason": "NoHeartbeat",
            "Explanation": "no heartbeat from a for 10.0 s (limit 10 s); b had the best score, 100",
            "Epoch": 217, "RequestedBy": null, "HandOver": null,
            "Members": [
                {"SessionId": "a", "FailoverScore": 100, "HeardAgo": "00:00:10.0300000", "Acting": true},
                {"SessionId": "b", "FailoverScore": 100, "HeardAgo": "00:00:00", "Acting": false},
                {"SessionId": "stock", "FailoverScore": 1, "HeardAgo": "00:00:02", "Acting": null},
                {"SessionId": "new", "FailoverScore": null, "HeardAgo": null, "Acting": null},
            ],
        });
        let names = Names::of(&[json!({"Id": "b", "Name": "North"}), json!({"Id": "a", "Name": "a"})]);
        assert_eq!(
            told(&[change], &names),
            "2026-11-24T03:20:01.123Z  b (North) became Primary, epoch 217\n  \
             No heartbeat from a for 10.0 s (limit 10 s); b had the best score, 100.\n    \
             a          score 100, heard 10.0 s ago, acting\n    \
             b (North)  score 100, heard just now, not acting\n    \
             stock      score 1, heard 2.0 s ago\n    \
             new        not heard yet\n"
        );
    }

    #[test]
    fn a_receipt_says_who_acted_last_and_first_and_what_lay_between() {
        let receipt = |from: &str, known: &str, gap: f64| {
            let receipt = json!({
                "From": from, "To": "B", "LastAct": known, "LastActTime": "2026-11-24T08:00:00.123Z",
                "FirstActTime": "2026-11-24T08:00:00.131999Z", "GapMilliseconds": gap,
            });
            told_receipt(&receipt, &Names::default())
        };
        assert_eq!(
            receipt("A", "Said", 8.0),
            "A last acted 08:00:00.123, B first acted 08:00:00.131: nobody acted for 8.0 ms."
        );
        assert_eq!(
            receipt("A", "Said", -3.25),
            "A last acted 08:00:00.123, B first acted 08:00:00.131: both acted for 3.2 ms."
        );
        assert_eq!(
            receipt("A", "LastHeartbeat", 12_345.0),
            "A was last heard 08:00:00.123, B first acted 08:00:00.131: 12.3 s lie between, in which A may have \
             acted on."
        );
        assert_eq!(
            receipt("B", "Said", 8.0),
            "B last acted 08:00:00.123, it acted again 08:00:00.131: nobody acted for 8.0 ms."
        );
    }

    #[test]
    fn that_the_endpoint_was_stopped_is_not_told_as_if_the_primary_had_been() {
        let receipt = json!({ "From": "A", "To": "A", "LastAct": "Said", "GapMilliseconds": 2.0 });
        let told = |reason: &str| {
            let change =
                json!({ "Kind": "HandOver", "SessionId": "A", "Reason": reason, "HandOver": receipt });
            told(&[change], &Names::default())
        };
        assert!(told("PlannedStop").contains("Cause: the endpoint was away (PlannedStop)."));
        assert!(told("StoppedActing").contains("Cause: StoppedActing."));
        assert!(told("LaterWord").contains("Cause: LaterWord."), "of a newer endpoint");
    }

    #[test]
    fn only_the_endpoints_own_words_get_a_capital_letter() {
        assert_eq!(sentence("no heartbeat from a"), "No heartbeat from a.");
        assert_eq!(sentence("plc-a stopped acting"), "plc-a stopped acting.");
        assert_eq!(sentence(""), ".");
    }

    #[test]
    fn what_a_name_contains_does_not_steer_the_terminal() {
        let change = json!({"Kind": "SeatFreed", "SessionId": "\u{1b}[2J", "Explanation": "x"});
        assert!(!told(&[change], &Names::default()).contains('\u{1b}'));
    }
}
