//! What happens to the network between one adapter and the endpoint: cut one way, slow, back again.

use std::time::Duration;

use client_failover::clock;

use crate::plant::{
    Plan, Plant,
    link::{Way, Ways},
};

const T: Duration = Duration::from_secs(1);

/// Breaks the Primary's link, waits until the other acts, heals it, and waits until the first knows.
fn cut_and_heal(plant: &Plant, ways: Ways) {
    let (from, before) = (plant.sink.len(), plant.acts());
    plant.set_link(before.member, ways);
    let after =
        plant.until_write(&format!("{ways:?}: another acts"), from, |write| write.member != before.member);
    assert!(after.epoch > before.epoch, "{ways:?}");
    let healed = plant.sink.len();
    plant.set_link(before.member, Ways::OPEN);
    plant.until_told(before.member, "ToldSecondary");
    assert_eq!(plant.sink.find(healed, |write| write.member == before.member), None, "{ways:?}");
    plant.verdict(T).assert_sound();
}

#[test]
fn a_primary_whose_heartbeats_do_not_arrive_is_replaced_and_never_acts_beside_its_successor() {
    let plant = Plant::start(Plan::pair(T));
    // Those that were held arrive all at once when the way is open again, and change nothing.
    for way in [Way::Lost, Way::Held] {
        cut_and_heal(&plant, Ways { to_endpoint: way, ..Ways::OPEN });
    }
}

#[test]
fn a_primary_that_hears_no_answers_stops_by_itself_and_another_can_act() {
    let plant = Plant::start(Plan::pair(T));
    for way in [Way::Lost, Way::Held] {
        cut_and_heal(&plant, Ways { to_adapter: way, ..Ways::OPEN });
    }
}

#[test]
fn a_primary_that_is_cut_off_both_ways_is_replaced() {
    let plant = Plant::start(Plan::pair(T));
    cut_and_heal(&plant, Ways { to_endpoint: Way::Lost, to_adapter: Way::Held });
}

#[test]
fn a_primary_whose_answers_take_longer_than_t_stops_and_never_acts_on_one_of_them() {
    let plant = Plant::start(Plan::pair(T));
    let slow = Way::Delayed(T * 5 / 4);
    cut_and_heal(&plant, Ways { to_adapter: slow, ..Ways::OPEN });
    cut_and_heal(&plant, Ways { to_endpoint: slow, ..Ways::OPEN });
}

#[test]
fn delays_within_the_lease_cost_nobody_the_role() {
    const T: Duration = Duration::from_secs(2);
    let plant = Plant::start(Plan::pair(T));
    let (from, epoch) = (plant.sink.len(), plant.acts().epoch);
    let slow = Way::Delayed(T / 8);
    for member in [0, 1] {
        plant.set_link(member, Ways { to_endpoint: slow, to_adapter: slow });
    }
    plant.until_moment(clock::now().uptime + T * 2);
    assert_eq!(plant.sink.find(from, |write| (write.member, write.epoch) != (0, epoch)), None);
    assert_eq!(plant.acts().member, 0);
    plant.assert_unbroken(T / 4);
}

#[test]
fn a_secondary_that_is_cut_off_disturbs_nobody_and_is_not_chosen() {
    let mut plant = Plant::start(Plan { members: 3, ..Plan::pair(T) });
    let (from, epoch) = (plant.sink.len(), plant.acts().epoch);
    // It is heard, but hears nothing.
    plant.set_link(1, Ways { to_adapter: Way::Lost, ..Ways::OPEN });
    plant.until_moment(clock::now().uptime + T * 2);
    assert_eq!(plant.sink.find(from, |write| (write.member, write.epoch) != (0, epoch)), None);
    // It would be the next by order of registration; the one that hears becomes Primary instead.
    plant.members[0].process.kill();
    plant.until_acts(from, 2);
    assert_eq!(plant.sink.find(from, |write| write.member == 1), None);
    plant.verdict(T).assert_sound();
}
