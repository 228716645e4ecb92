//! What a failover endpoint says of a group: its state, and what happened in it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{receipt::HandOverBody, schema};
use crate::domain::{Epoch, FailoverScore, GroupChange, GroupStatus, OverrideView, Seen, format_span};

/// A group's state: the documented members, then ours.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "GroupStatus")]
pub struct StatusBody {
    /// The session that is Primary.
    #[schemars(with = "Option<schema::Id>")]
    primary: Option<String>,
    /// The session that is to take over.
    #[schemars(with = "Option<schema::Id>")]
    pending_primary: Option<String>,
    /// Up to when the Primary has processed data.
    #[schemars(with = "Option<schema::Time>")]
    last_data_processed_time: Option<String>,
    /// How it is: the first of these words that is true of it.
    #[schemars(with = "schema::HealthWord")]
    health: &'static str,
    /// When the Primary was promoted, under this epoch; null where there is none. The adapter's own RoleSince is later where
    /// its lease ran out since then, and earlier where it acted already.
    #[schemars(with = "Option<schema::Time>")]
    primary_since: Option<String>,
    /// The group's highest epoch.
    #[schemars(with = "Option<schema::EpochNumber>")]
    epoch: Option<u64>,
    /// Why it is so, as a sentence.
    reason: String,
    /// What an operator asks for.
    role_override: Option<OverrideViewBody>,
    /// How many sessions were heard within the FailoverTimeout.
    heard: usize,
    /// What is known of each session, in the order of registration.
    members: Vec<MemberBody>,
    /// What an operator should look at, each a sentence.
    warnings: Vec<String>,
}

/// A role override that is in force.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "OverrideInForce")]
struct OverrideViewBody {
    /// Who is to be Primary.
    #[schemars(with = "schema::Id")]
    session_id: String,
    /// When it ends; null where it does not.
    #[schemars(with = "Option<schema::Time>")]
    expiration_time: Option<String>,
    /// Who asked for it.
    #[schemars(with = "Option<schema::Label>")]
    requested_by: Option<String>,
    /// Why.
    #[schemars(with = "Option<schema::Text>")]
    reason: Option<String>,
}

impl From<OverrideView> for OverrideViewBody {
    fn from(forced: OverrideView) -> Self {
        Self {
            session_id: forced.session.to_string(),
            expiration_time: forced.expires.map(|at| at.to_string()),
            requested_by: forced.asked.by.map(|by| by.to_string()),
            reason: forced.asked.reason.map(|reason| reason.to_string()),
        }
    }
}

impl StatusBody {
    /// The same, with what an operator should know about the endpoint itself.
    #[must_use]
    pub fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings.extend(warnings);
        self
    }
}

impl From<GroupStatus> for StatusBody {
    fn from(status: GroupStatus) -> Self {
        Self {
            primary: status.primary.map(|id| id.to_string()),
            pending_primary: status.pending.map(|id| id.to_string()),
            last_data_processed_time: status.last_data.map(|at| at.to_string()),
            health: status.health.as_str(),
            primary_since: status.since.map(|at| at.to_string()),
            epoch: status.epoch.map(Epoch::get),
            reason: status.reason,
            role_override: status.forced.map(OverrideViewBody::from),
            heard: status.heard,
            members: status.members.iter().map(MemberBody::from).collect(),
            warnings: status.warnings,
        }
    }
}

/// A page of `groups/{g}/history`, newest first.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "GroupHistory")]
pub struct GroupHistoryBody {
    /// Newest first.
    items: Vec<ChangeBody>,
    /// The `cursor` of the next page; null where there is none.
    next_cursor: Option<String>,
}

impl GroupHistoryBody {
    /// A page of `changes`, after which `next` goes on.
    #[must_use]
    pub fn new(changes: &[GroupChange], next: Option<i64>) -> Self {
        Self {
            items: changes.iter().map(ChangeBody::from).collect(),
            next_cursor: next.map(|next| next.to_string()),
        }
    }
}

/// One change in a group.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Change")]
pub struct ChangeBody {
    /// When.
    #[schemars(with = "schema::Time")]
    time: String,
    /// Of an endpoint that is back: since when it was not there.
    #[schemars(with = "Option<schema::Time>")]
    since: Option<String>,
    /// What.
    #[schemars(with = "schema::ChangeWord")]
    kind: &'static str,
    /// Whom it is about.
    #[schemars(with = "Option<schema::Id>")]
    session_id: Option<String>,
    /// Why, in a word.
    #[schemars(with = "schema::GroupReasonWord")]
    reason: &'static str,
    /// Why, as a sentence.
    explanation: String,
    /// The group's highest epoch then.
    #[schemars(with = "Option<schema::EpochNumber>")]
    epoch: Option<u64>,
    /// Who asked for it, where somebody did.
    #[schemars(with = "Option<schema::Sentence>")]
    requested_by: Option<String>,
    /// What was known of each member then; events have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<MemberBody>")]
    members: Option<Vec<MemberBody>>,
    /// The receipt of a hand-over.
    hand_over: Option<HandOverBody>,
}

impl From<&GroupChange> for ChangeBody {
    fn from(change: &GroupChange) -> Self {
        Self {
            time: change.at.to_string(),
            since: change.since.map(|at| at.to_string()),
            kind: change.kind.as_str(),
            session_id: change.session.as_ref().map(ToString::to_string),
            reason: change.reason.as_str(),
            explanation: change.explanation.clone(),
            epoch: change.epoch.map(Epoch::get),
            requested_by: change.asked_by.as_ref().map(ToString::to_string),
            members: Some(change.members.iter().map(MemberBody::from).collect()),
            hand_over: change.receipt.as_ref().map(|receipt| HandOverBody::new(change.at, receipt)),
        }
    }
}

impl ChangeBody {
    /// The change as an event: what was known of the members is in the history, and would be long here.
    #[must_use]
    pub fn told(change: &GroupChange) -> Self {
        Self { members: None, ..Self::from(change) }
    }
}

/// What was known of a member.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Member")]
struct MemberBody {
    /// Who.
    #[schemars(with = "schema::Id")]
    session_id: String,
    /// The score of its last heartbeat; null before the first.
    #[schemars(with = "Option<schema::Score>")]
    failover_score: Option<u8>,
    /// How long before its last heartbeat had arrived.
    #[schemars(with = "Option<schema::Span>")]
    heard_ago: Option<String>,
    /// Whether it said that it acted; null for a stock member, which does not say.
    acting: Option<bool>,
}

impl From<&Seen> for MemberBody {
    fn from(seen: &Seen) -> Self {
        Self {
            session_id: seen.session.to_string(),
            failover_score: seen.score.map(FailoverScore::get),
            heard_ago: seen.heard_ago.map(format_span),
            acting: seen.acting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::GroupHealth;

    #[test]
    fn a_status_says_the_documented_members_first() {
        let status = GroupStatus {
            health: GroupHealth::NoMembers,
            primary: None,
            since: None,
            pending: None,
            last_data: None,
            epoch: None,
            reason: String::new(),
            forced: None,
            heard: 0,
            members: Vec::new(),
            warnings: Vec::new(),
        };
        assert_eq!(
            serde_json::to_string(&StatusBody::from(status)).unwrap(),
            r#"{"Primary":null,"PendingPrimary":null,"LastDataProcessedTime":null,"Health":"NoMembers","PrimarySince":null,"Epoch":null,"Reason":"","RoleOverride":null,"Heard":0,"Members":[],"Warnings":[]}"#
        );
    }
}
