//! How the groups are.

use crate::{
    domain::{Epoch, GroupHealth, GroupOverview, Place},
    metrics::{Exposition, Labels, truth},
};

/// Groups that have samples of their own: those for which something needs a human come first. The others are counted with
/// the rest, and in one number that says that they are there.
pub(super) const MOST_GROUPS: usize = 5_000;

/// A group and its place.
type Found = (Place, GroupOverview);

/// Tells how the groups are, which are in the order of their keys.
pub(super) fn expose(groups: &[Found], to: &mut Exposition) {
    let number = |health: &GroupHealth| groups.iter().filter(|(_, group)| group.health == *health).count();
    let by_health = GroupHealth::ALL
        .iter()
        .map(|health| (vec![("health", health.as_str().to_owned())], number(health) as f64));
    to.gauges("client_failover_endpoint_groups", "How many groups there are, by their health", by_health);
    let mut shown: Vec<&Found> = groups.iter().collect();
    shown.sort_by_key(|(_, group)| is_well(group));
    shown.truncate(MOST_GROUPS);
    let means = "Groups that have no samples of their own, because there are too many";
    let hidden = groups.len() - shown.len();
    to.gauge("client_failover_endpoint_groups_without_samples", means, hidden as f64);
    roles(&shown, to);
    members(&shown, to);
}

/// Whether no alert may be about it as it is now.
fn is_well(group: &GroupOverview) -> bool {
    let is_protected = match group.health {
        GroupHealth::Protected | GroupHealth::NoMembers => true,
        GroupHealth::NoPrimary
        | GroupHealth::CannotWork
        | GroupHealth::HandOver
        | GroupHealth::OneMember
        | GroupHealth::Forced => false,
    };
    let cannot_follow = group.standby_score.is_some_and(|score| score.get() == 0);
    is_protected && !cannot_follow && group.warnings.is_empty()
}

/// A number of each group of which it is known.
fn each(groups: &[&Found], number: fn(&GroupOverview) -> Option<f64>) -> impl Iterator<Item = (Labels, f64)> {
    groups.iter().filter_map(move |found| Some((labels(found, None), number(&found.1)?)))
}

/// The labels of a group, and one more. A group on premises has no tenant and no namespace.
fn labels((place, group): &Found, more: Option<(&'static str, &str)>) -> Labels {
    let mut labels = vec![("group", group.id.as_str().to_owned())];
    if let Place::Cloud { tenant, namespace } = place {
        labels.push(("tenant", tenant.as_str().to_owned()));
        labels.push(("namespace", namespace.as_str().to_owned()));
    }
    labels.extend(more.map(|(name, value)| (name, value.to_owned())));
    labels
}

fn roles(groups: &[&Found], to: &mut Exposition) {
    let health = groups.iter().map(|found| (labels(found, Some(("health", found.1.health.as_str()))), 1.0));
    to.gauges("client_failover_group_health", "1 with how the group is, in one word", health);
    let primaries = groups.iter().filter_map(|found| {
        let primary = found.1.primary.as_ref()?;
        Some((labels(found, Some(("session", primary.as_str()))), 1.0))
    });
    to.gauges("client_failover_group_primary_info", "1 with the session that is Primary", primaries);
    let epochs = each(groups, |group| group.epoch.map(|epoch: Epoch| epoch.get() as f64));
    to.gauges(
        "client_failover_group_epoch",
        "The epoch of the group, which rises with each promotion",
        epochs,
    );
    let forced = each(groups, |group| Some(truth(group.forced.is_some())));
    to.gauges("client_failover_group_forced", "Whether an operator said who is Primary", forced);
}

fn members(groups: &[&Found], to: &mut Exposition) {
    let members = each(groups, |group| Some(group.members as f64));
    to.gauges("client_failover_group_members", "How many sessions the group has", members);
    let heard = each(groups, |group| Some(group.heard as f64));
    to.gauges("client_failover_group_members_heard", "How many of them are heard", heard);
    let scores = each(groups, |group| group.primary_score.map(|score| f64::from(score.get())));
    to.gauges("client_failover_group_primary_score", "The score of the Primary", scores);
    let scores = each(groups, |group| group.standby_score.map(|score| f64::from(score.get())));
    to.gauges("client_failover_group_standby_score", "The best score of who could take over", scores);
    let warnings = each(groups, |group| Some(group.warnings.len() as f64));
    to.gauges("client_failover_group_warnings", "How many warnings the group has", warnings);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        domain::{FailoverScore, FailoverTimeout, GroupId, Name},
        metrics::Format,
    };

    fn group(place: Place, id: &str) -> Found {
        let timeout = FailoverTimeout::new(Duration::from_secs(1)).unwrap();
        let overview = GroupOverview {
            id: GroupId::new(id).unwrap(),
            name: None,
            timeout,
            health: GroupHealth::NoPrimary,
            primary: None,
            primary_name: None,
            primary_score: None,
            standby_score: None,
            pending: None,
            pending_name: None,
            forced: None,
            members: 2,
            heard: 1,
            epoch: None,
            warnings: Vec::new(),
        };
        (place, overview)
    }

    fn text(groups: &[Found]) -> String {
        let mut to = Exposition::default();
        expose(groups, &mut to);
        to.text(Format::Classical).unwrap()
    }

    #[test]
    fn a_group_of_a_tenant_is_told_from_one_of_the_same_id_on_premises() {
        let name = |text: &str| Name::new(text).unwrap();
        let cloud = Place::Cloud { tenant: name("t"), namespace: name("n") };
        let text = text(&[group(Place::OnPremises, "Line \"1\""), group(cloud, "Line \"1\"")]);
        for line in [
            r#"client_failover_group_members{group="Line \"1\""} 2.0"#,
            r#"client_failover_group_members{group="Line \"1\"",tenant="t",namespace="n"} 2.0"#,
            r#"client_failover_group_health{group="Line \"1\"",health="NoPrimary"} 1.0"#,
            r#"client_failover_endpoint_groups{health="NoPrimary"} 2.0"#,
            r#"client_failover_endpoint_groups{health="Protected"} 0.0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("client_failover_group_epoch"), "what is not known is not told: {text}");
    }

    #[test]
    fn of_groups_past_the_limit_those_that_are_well_are_only_counted() {
        let mut groups: Vec<_> = (0..MOST_GROUPS + 3)
            .map(|number| {
                let (place, mut group) = group(Place::OnPremises, &format!("{number:05}"));
                group.health = GroupHealth::Protected;
                (place, group)
            })
            .collect();
        groups[MOST_GROUPS + 2].1.health = GroupHealth::NoPrimary;
        groups[MOST_GROUPS + 1].1.warnings = vec!["another process uses a session".to_owned()];
        groups[MOST_GROUPS].1.standby_score = FailoverScore::new(0);
        let text = text(&groups);
        let samples = |name: &str| text.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(samples("client_failover_group_members{"), MOST_GROUPS);
        for line in [
            "client_failover_group_health{group=\"05002\",health=\"NoPrimary\"} 1.0",
            "client_failover_group_warnings{group=\"05001\"} 1.0",
            "client_failover_group_standby_score{group=\"05000\"} 0.0",
            "client_failover_group_members{group=\"04996\"} 2.0",
            "client_failover_endpoint_groups{health=\"Protected\"} 5002.0",
            "client_failover_endpoint_groups_without_samples 3.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
        assert!(!text.contains("group=\"04997\""), "the last of those that are well has none");
    }
}
