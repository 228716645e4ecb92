//! What happened in a group of a failover endpoint, as it answers it.

use serde::Serialize;

use super::state::milliseconds;
use crate::domain::{FailoverScore, GroupChange, Receipt, Seen, Wall, format_span};

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

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeBody {
    time: String,
    kind: &'static str,
    session_id: Option<String>,
    reason: &'static str,
    explanation: String,
    epoch: Option<u64>,
    requested_by: Option<String>,
    members: Vec<MemberBody>,
    hand_over: Option<HandOverBody>,
}

impl From<&GroupChange> for ChangeBody {
    fn from(change: &GroupChange) -> Self {
        Self {
            time: change.at.to_string(),
            kind: change.kind.as_str(),
            session_id: change.session.as_ref().map(ToString::to_string),
            reason: change.reason.as_str(),
            explanation: change.explanation.clone(),
            epoch: change.epoch.map(|epoch| epoch.get()),
            requested_by: change.asked_by.as_ref().map(ToString::to_string),
            members: change.members.iter().map(MemberBody::from).collect(),
            hand_over: change.receipt.as_ref().map(|receipt| HandOverBody::new(change.at, receipt)),
        }
    }
}

/// What was known of a member.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MemberBody {
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
        }
    }
}
