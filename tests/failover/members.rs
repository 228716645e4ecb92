//! What happens to a member: it dies, freezes, is stopped.

use std::time::Duration;

use client_failover::clock;

use crate::plant::{Plan, Plant};

const T: Duration = Duration::from_secs(1);

#[test]
fn when_the_primary_is_killed_another_acts_and_never_beside_it() {
    let mut plant = Plant::start(Plan { members: 3, ..Plan::pair(T) });
    for _ in 0..2 {
        let (from, before) = (plant.sink.len(), plant.acts());
        plant.members[before.member].process.kill();
        let after = plant.until_write("another acts", from, |write| write.member != before.member);
        assert!(after.epoch > before.epoch);
        plant.members[before.member].start();
        plant.until_told(before.member, "ToldSecondary");
    }
    plant.verdict(T / 4).assert_sound();
}

#[test]
fn a_frozen_agent_permits_nothing_past_its_deadline_and_does_not_act_when_it_thaws() {
    let plant = Plant::start(Plan::pair(T));
    let from = plant.sink.len();
    plant.members[0].process.freeze();
    let after = plant.until_acts(from, 1);
    let last = plant.sink.newest_of(0).unwrap();
    assert!(last.at < last.deadline && last.deadline <= after.at, "{last:?} {after:?}");

    let thawed = plant.sink.len();
    plant.members[0].process.thaw();
    plant.until_told(0, "ToldSecondary");
    assert_eq!(plant.sink.find(thawed, |write| write.member == 0), None, "it does not act again");
    assert_eq!(plant.acts().epoch, after.epoch, "and disturbs nobody");
    plant.verdict(T / 4).assert_sound();
}

#[test]
fn a_planned_stop_hands_over_long_before_the_timeout() {
    const LONG: Duration = Duration::from_secs(20);
    let mut plant = Plant::start(Plan::pair(LONG));
    for stopped in [0, 1] {
        let (from, begun) = (plant.sink.len(), clock::now().uptime);
        plant.members[stopped].process.terminate();
        let after = plant.until_acts(from, 1 - stopped);
        // The other asks every T/4; a silent Primary would have cost T.
        assert!(after.at < begun + LONG * 3 / 4, "{:?}", after.at.since(begun));
        plant.members[stopped].start();
        plant.until_told(stopped, "ToldSecondary");
    }
    plant.verdict(T / 4).assert_sound();
}
