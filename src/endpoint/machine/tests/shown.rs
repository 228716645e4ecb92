//! What whoever looks at a group is shown.

use super::{super::*, plant::*};
use crate::domain::GroupHealth;

#[test]
fn a_group_that_lost_all_its_members_has_no_primary_as_long_as_it_is_known_to_have_had_one() {
    let mut plant = Plant::new();
    assert_eq!(plant.group.status(plant.now).health, GroupHealth::NoMembers);
    plant = plant.native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    let day = Duration::from_secs(86_400);
    plant.at(86_500_000).tick();
    assert_eq!(plant.group.status(plant.now).health, GroupHealth::NoPrimary);
    let silent = plant.group.silent_for(plant.now, day);
    assert_eq!(silent, [id("A"), id("B")], "whoever keeps house removes them");
    for one in silent {
        plant.group.unregister(plant.now, &one, Remover::Itself);
    }
    assert_eq!(
        plant.group.status(plant.now).health,
        GroupHealth::NoPrimary,
        "an alarm does not end by itself"
    );
    plant.at(86_502_000).tick();
    plant.restart_endpoint(true);
    assert_eq!(plant.group.overview(plant.now).health, GroupHealth::NoPrimary, "nor by a restart");
}

#[test]
fn a_primary_is_shown_since_its_promotion_also_by_a_later_run_of_the_endpoint() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    assert_eq!(plant.group.status(plant.now).since, None);
    let promoted = plant.at(500).now.wall;
    plant.beat("A");
    assert_eq!(plant.at(1_000).group.status(moment(1_000)).since, Some(promoted));
    plant.restart_endpoint(true);
    plant.beat("A");
    assert_eq!(
        plant.at(1_500).group.status(moment(1_500)).since,
        Some(promoted),
        "a renewal is no promotion"
    );
    let change = plant.changes.iter().find(|change| change.kind == GroupChangeKind::Promoted).unwrap();
    assert_eq!(change.at, promoted, "the history has the same moment");
    plant.adapter("A").acting = false;
    plant.at(2_000).beat("A");
    assert_eq!(plant.group.status(plant.now).primary, None);
    assert_eq!(plant.group.status(plant.now).since, None, "nobody is Primary");
}

#[test]
fn a_primary_that_stopped_meanwhile_is_shown_since_it_has_its_new_epoch() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.adapter("A").acting = false;
    plant.at(1_000).restart_endpoint(true);
    assert_eq!(plant.beat("A"), Primary);
    let since = Some(plant.now.wall);
    assert_eq!(plant.group.status(plant.now).since, since);
    plant.at(2_000).beat("A");
    plant.restart_endpoint(true);
    plant.beat("A");
    assert_eq!(plant.group.status(plant.now).since, since, "and by a later run");
}

#[test]
fn who_is_heard_is_counted_by_the_time_in_which_the_endpoint_could_hear() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    let status = plant.group.status(plant.now);
    assert_eq!((status.heard, status.health), (2, GroupHealth::Protected));
    // The endpoint was stalled: the clock went on, attended time did not.
    let stalled = Moment { clock: moment(60_000).clock, ..moment(100) };
    let status = plant.group.status(stalled);
    assert_eq!((status.heard, status.health), (2, GroupHealth::Protected));
    assert!(status.members.iter().all(|member| member.heard_ago > Some(Duration::from_secs(50))));
}
