//! The groups of a failover endpoint at a glance.

use schemars::JsonSchema;
use serde::Serialize;

use super::schema;
use crate::domain::{Epoch, FailoverScore, GroupId, GroupOverview};

/// The event that tells which groups changed.
pub const GROUPS: &str = "Groups";

/// A group at a glance.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "GroupOverview")]
pub struct OverviewBody {
    /// Its Id. Compares exactly.
    #[schemars(with = "schema::Id")]
    id: String,
    /// For people.
    #[schemars(with = "Option<schema::Label>")]
    name: Option<String>,
    /// How long its Primary may be silent.
    #[schemars(with = "schema::Span")]
    failover_timeout: String,
    /// How it is: the first of these words that is true of it.
    #[schemars(with = "schema::HealthWord")]
    health: &'static str,
    /// The session that is Primary.
    #[schemars(with = "Option<schema::Id>")]
    primary: Option<String>,
    /// What people call it.
    #[schemars(with = "Option<schema::Label>")]
    primary_name: Option<String>,
    /// The score of its last heartbeat.
    #[schemars(with = "Option<schema::Score>")]
    primary_score: Option<u8>,
    /// The session that is to take over.
    #[schemars(with = "Option<schema::Id>")]
    pending_primary: Option<String>,
    /// What people call that.
    #[schemars(with = "Option<schema::Label>")]
    pending_primary_name: Option<String>,
    /// The session that an operator asks for.
    #[schemars(with = "Option<schema::Id>")]
    role_override: Option<String>,
    /// The group's highest epoch.
    #[schemars(with = "Option<schema::EpochNumber>")]
    epoch: Option<u64>,
    /// How many sessions it has.
    members: usize,
    /// How many of them were heard within the FailoverTimeout.
    heard: usize,
    /// What an operator should look at, each a sentence.
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
            primary_name: group.primary_name.as_ref().map(ToString::to_string),
            primary_score: group.primary_score.map(FailoverScore::get),
            pending_primary: group.pending.as_ref().map(ToString::to_string),
            pending_primary_name: group.pending_name.as_ref().map(ToString::to_string),
            role_override: group.forced.as_ref().map(ToString::to_string),
            epoch: group.epoch.map(Epoch::get),
            members: group.members,
            heard: group.heard,
            warnings: group.warnings.clone(),
        }
    }
}

/// The data of [`GROUPS`]: what is new, and which groups are gone.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "Groups")]
pub struct OverviewEventBody {
    /// Groups that are new or different; at first all.
    changed: Vec<OverviewBody>,
    /// The Ids of groups that are gone.
    #[schemars(with = "Vec<schema::Id>")]
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
            primary_name: None,
            primary_score: None,
            standby_score: None,
            pending: None,
            pending_name: None,
            forced: None,
            members: 0,
            heard: 0,
            epoch: None,
            warnings: Vec::new(),
        };
        assert_eq!(
            serde_json::to_string(&OverviewBody::from(&group)).unwrap(),
            r#"{"Id":"g","Name":null,"FailoverTimeout":"00:01:00","Health":"NoMembers","Primary":null,"PrimaryName":null,"PrimaryScore":null,"PendingPrimary":null,"PendingPrimaryName":null,"RoleOverride":null,"Epoch":null,"Members":0,"Heard":0,"Warnings":[]}"#
        );
    }
}
