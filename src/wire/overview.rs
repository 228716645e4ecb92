//! The groups of a failover endpoint at a glance.

use serde::Serialize;

use crate::domain::{Epoch, FailoverScore, GroupId, GroupOverview};

/// The event that tells which groups changed.
pub const GROUPS: &str = "Groups";

/// A group at a glance.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct OverviewBody {
    id: String,
    name: Option<String>,
    failover_timeout: String,
    health: &'static str,
    primary: Option<String>,
    primary_score: Option<u8>,
    pending_primary: Option<String>,
    role_override: Option<String>,
    epoch: Option<u64>,
    members: usize,
    heard: usize,
    warnings: Vec<String>,
}

impl From<&GroupOverview> for OverviewBody {
    fn from(group: &GroupOverview) -> Self {
        Self {
            id: group.id.to_string(),
            name: group.name.as_ref().map(ToString::to_string),
            failover_timeout: group.timeout.to_string(),
            health: group.health.as_str(),
            primary: group.primary.as_ref().map(ToString::to_string),
            primary_score: group.primary_score.map(FailoverScore::get),
            pending_primary: group.pending.as_ref().map(ToString::to_string),
            role_override: group.forced.as_ref().map(ToString::to_string),
            epoch: group.epoch.map(Epoch::get),
            members: group.members,
            heard: group.heard,
            warnings: group.warnings.clone(),
        }
    }
}

/// The data of [`GROUPS`]: what is new, and which groups are gone.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct OverviewEventBody {
    changed: Vec<OverviewBody>,
    gone: Vec<String>,
}

impl OverviewEventBody {
    /// What became different.
    #[must_use]
    pub fn new<'a>(changed: impl Iterator<Item = &'a GroupOverview>, gone: &[GroupId]) -> Self {
        Self {
            changed: changed.map(OverviewBody::from).collect(),
            gone: gone.iter().map(ToString::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FailoverTimeout, GroupHealth};

    #[test]
    fn an_overview_has_its_members_in_this_order() {
        let group = GroupOverview {
            id: GroupId::new("g").unwrap(),
            name: None,
            timeout: FailoverTimeout::DEFAULT,
            health: GroupHealth::NoMembers,
            primary: None,
            primary_score: None,
            standby_score: None,
            pending: None,
            forced: None,
            members: 0,
            heard: 0,
            epoch: None,
            warnings: Vec::new(),
        };
        assert_eq!(
            serde_json::to_string(&OverviewBody::from(&group)).unwrap(),
            r#"{"Id":"g","Name":null,"FailoverTimeout":"00:01:00","Health":"NoMembers","Primary":null,"PrimaryScore":null,"PendingPrimary":null,"RoleOverride":null,"Epoch":null,"Members":0,"Heard":0,"Warnings":[]}"#
        );
    }
}
