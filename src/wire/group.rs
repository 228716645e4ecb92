//! What a failover endpoint says of a group: its state, and what happened in it.

use serde::Serialize;

use super::state::milliseconds;
use crate::domain::{
    Epoch, FailoverScore, GroupChange, GroupStatus, OverrideView, Receipt, Seen, Wall, format_span,
};

/// A group's state: the documented members, then ours.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StatusBody {
    primary: Option<String>,
    pending_primary: Option<String>,
    last_data_processed_time: Option<String>,
    epoch: Option<u64>,
    reason: String,
    role_override: Option<OverrideViewBody>,
    members: Vec<MemberBody>,
    warnings: Vec<String>,
}

/// A role override that is in force.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct OverrideViewBody {
    session_id: String,
    expiration_time: Option<String>,
    requested_by: Option<String>,
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
            epoch: status.epoch.map(Epoch::get),
            reason: status.reason,
            role_override: status.forced.map(OverrideViewBody::from),
            members: status.members.iter().map(MemberBody::from).collect(),
            warnings: status.warnings,
        }
    }
}

/// A page of `groups/{g}/history`, newest first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupHistoryBody {
    items: Vec<ChangeBody>,
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
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChangeBody {
    time: String,
    since: Option<String>,
    kind: &'static str,
    session_id: Option<String>,
    reason: &'static str,
    explanation: String,
    epoch: Option<u64>,
    requested_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<MemberBody>>,
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
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct MemberBody {
    session_id: String,
    failover_score: Option<u8>,
    heard_ago: Option<String>,
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

/// A receipt, with its moments in wall time. The gap was measured by the boot clock.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HandOverBody {
    from: String,
    to: String,
    last_act: &'static str,
    last_act_time: String,
    first_act_time: String,
    gap_milliseconds: f64,
    last_delivered_time: Option<String>,
}

impl HandOverBody {
    fn new(at: Wall, receipt: &Receipt) -> Self {
        Self {
            from: receipt.from.to_string(),
            to: receipt.to.to_string(),
            last_act: receipt.last_act.as_str(),
            last_act_time: at.minus(receipt.last_act_ago).to_string(),
            first_act_time: at.minus(receipt.first_act_ago).to_string(),
            gap_milliseconds: milliseconds(receipt.gap_us()),
            last_delivered_time: receipt.last_delivered_ago.map(|ago| at.minus(ago).to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_the_documented_members_first() {
        let text = serde_json::to_string(&StatusBody::from(GroupStatus::default())).unwrap();
        assert_eq!(
            text,
            r#"{"Primary":null,"PendingPrimary":null,"LastDataProcessedTime":null,"Epoch":null,"Reason":"","RoleOverride":null,"Members":[],"Warnings":[]}"#
        );
    }
}
