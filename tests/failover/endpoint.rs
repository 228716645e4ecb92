//! What happens to the endpoint: it dies, freezes, is stopped, is set back.

use std::{fs, path::Path, time::Duration};

use client_failover::clock;

use crate::plant::{
    Plan, Plant,
    random::{Random, test_seed},
    sink::Write,
};

const T: Duration = Duration::from_secs(1);

/// Nobody but the first member has acted since the first `from` writes, and under no other epoch.
fn assert_undisturbed(plant: &Plant, from: usize, epoch: u64) {
    let other = plant.sink.find(from, |write| write.member != 0 || write.epoch != epoch);
    assert_eq!(other, None, "{}", plant.story());
}

/// An operator makes this member Primary, and asks again: what was asked for ends where its member is silent for T, as it may
/// be on a slow machine. Gives its first write after that.
fn made_primary(plant: &Plant, member: usize) -> Write {
    let (from, mut found) = (plant.sink.len(), None);
    plant.until(&format!("member {member} is made Primary"), || {
        plant.override_role(member, "Primary");
        found = plant.sink.find(from, |write| write.member == member);
        found.is_some()
    });
    found.unwrap()
}

/// Waits until each member has been answered a question that it asked after this.
fn all_answered_again(plant: &Plant) {
    let asked = |member: usize| plant.members[member].diagnostics()["LastHeartbeat"].clone();
    let before: Vec<_> = (0..plant.members.len()).map(asked).collect();
    for (member, before) in before.iter().enumerate() {
        plant.until(&format!("member {member} is answered"), || {
            let shown = plant.members[member].diagnostics();
            shown["LastHeartbeat"] != *before && shown["LastError"].is_null()
        });
    }
}

#[test]
fn an_endpoint_that_is_killed_or_stopped_and_comes_back_demotes_and_promotes_nobody() {
    const T: Duration = Duration::from_secs(4);
    let mut plant = Plant::start(Plan { members: 3, ..Plan::pair(T) });
    let (from, epoch) = (plant.sink.len(), plant.acts().epoch);
    for orderly in [false, true, false] {
        if orderly {
            plant.endpoint.terminate();
        } else {
            plant.endpoint.kill();
        }
        plant.start_endpoint();
        all_answered_again(&plant);
        let acting = plant.until_acts(plant.sink.len(), 0);
        assert_eq!(acting.epoch, epoch);
    }
    assert_undisturbed(&plant, from, epoch);
    plant.assert_unbroken(T / 2);
}

#[test]
fn within_t_of_its_start_an_endpoint_promotes_nobody_while_the_seat_may_be_in_use() {
    let mut plant = Plant::start(Plan::pair(T));
    plant.endpoint.kill();
    plant.members[0].process.kill();
    let (from, begun) = (plant.sink.len(), clock::now().uptime);
    plant.start_endpoint();
    let after = plant.until_acts(from, 1);
    assert!(after.at >= begun + T, "{:?}", after.at.since(begun));
    plant.assert_sound();
}

#[test]
fn an_endpoint_that_freezes_for_less_than_a_lease_costs_nobody_anything() {
    const T: Duration = Duration::from_secs(4);
    let plant = Plant::start(Plan::pair(T));
    let (from, epoch) = (plant.sink.len(), plant.acts().epoch);
    plant.endpoint.freeze();
    // Shorter than what is left of the lease at its shortest: 0.9 T - T/4.
    plant.until_moment(clock::now().uptime + T / 2);
    plant.endpoint.thaw();
    all_answered_again(&plant);
    assert_undisturbed(&plant, from, epoch);
    plant.assert_unbroken(T / 2);
}

#[test]
fn an_endpoint_that_freezes_for_longer_than_t_takes_the_role_from_nobody_that_lives() {
    let plant = Plant::start(Plan { members: 3, ..Plan::pair(T) });
    let from = plant.sink.len();
    plant.endpoint.freeze();
    // Its lease ends meanwhile, and nobody acts.
    plant.until_nobody_acts();
    plant.until_moment(clock::now().uptime + T);
    let thawed = plant.sink.len();
    plant.endpoint.thaw();
    plant.until_write("somebody acts again", thawed, |_| true);
    all_answered_again(&plant);
    assert_eq!(plant.sink.find(from, |write| write.member != 0), None, "{}", plant.story());
    plant.assert_sound();
}

#[test]
fn a_primary_that_dies_while_the_endpoint_is_frozen_is_replaced_after_the_freeze() {
    let mut plant = Plant::start(Plan::pair(T));
    plant.endpoint.freeze();
    plant.members[0].process.kill();
    plant.until_moment(clock::now().uptime + T * 2);
    let from = plant.sink.len();
    plant.endpoint.thaw();
    plant.until_acts(from, 1);
    plant.assert_sound();
}

#[test]
fn an_endpoint_that_is_killed_thirty_times_under_promotions_never_repeats_or_lowers_an_epoch() {
    const T: Duration = Duration::from_millis(500);
    const KILLS: usize = 30;
    let mut random = Random::new(test_seed());
    let mut plant = Plant::start(Plan::pair(T));
    for kill in 0..KILLS {
        let acting = plant.until_write("somebody acts", plant.sink.len(), |_| true).member;
        plant.override_role(1 - acting, "Primary");
        // The moment of death is what is random here: most fall into the hand-over.
        let moment = random.time(Duration::ZERO, T / 4 + Duration::from_millis(30));
        plant.until_moment(clock::now().uptime + moment);
        plant.endpoint.kill();
        plant.start_endpoint();
        if kill % 3 == 0 {
            made_primary(&plant, 1 - acting);
        }
    }
    let last = plant.until_write("somebody acts in the end", plant.sink.len(), |_| true);
    plant.assert_sound();
    let first = plant.sink.from(0)[0];
    assert!(last.epoch >= first.epoch + KILLS as u64 / 3, "{first:?} {last:?}");
}

/// What is to be put back of an older copy of the endpoint's data folder.
#[derive(Debug, Clone, Copy)]
enum Mark {
    Kept,
    PutBack,
    Gone,
}

fn copy_database(from: &Path, to: &Path) {
    for file in ["failover.db", "failover.db-wal", "failover.db-shm"] {
        fs::remove_file(to.join(file)).ok();
        if from.join(file).exists() {
            fs::copy(from.join(file), to.join(file)).unwrap();
        }
    }
}

#[test]
fn an_older_copy_of_the_endpoints_database_never_leads_to_a_lower_epoch_or_two_primaries() {
    const T: Duration = Duration::from_millis(500);
    for mark in [Mark::Kept, Mark::PutBack, Mark::Gone] {
        let mut plant = Plant::start(Plan::pair(T));
        let (data, copy) = (plant.endpoint.data.clone(), tempfile::tempdir().unwrap());
        plant.endpoint.kill();
        copy_database(&data, copy.path());
        fs::copy(data.join("endpoint.mark"), copy.path().join("endpoint.mark")).unwrap();
        plant.start_endpoint();
        // More than one promotion in a second: the wall clock alone would not keep epochs rising.
        let mut highest = 0;
        for member in [1, 0, 1, 0, 1] {
            highest = made_primary(&plant, member).epoch;
        }
        plant.endpoint.kill();
        copy_database(copy.path(), &data);
        match mark {
            Mark::Kept => {}
            Mark::PutBack => {
                fs::copy(copy.path().join("endpoint.mark"), data.join("endpoint.mark")).unwrap();
            }
            Mark::Gone => fs::remove_file(data.join("endpoint.mark")).unwrap(),
        }
        plant.start_endpoint();
        let acting = plant.until_write("somebody acts", plant.sink.len(), |_| true);
        // Within one boot nothing tells a folder that was put back whole from the last word: who was Primary in it may be
        // heard first, and act under an epoch that another has had. Once both are heard, all is as it must be.
        let is_known = !matches!(mark, Mark::PutBack);
        assert!(!is_known || acting.epoch >= highest, "{mark:?}: {acting:?}, {highest}");
        all_answered_again(&plant);
        let member = plant.acts().member;
        made_primary(&plant, 1 - member);
        let both_heard = made_primary(&plant, member);
        let last = made_primary(&plant, 1 - member);
        assert!(
            highest < both_heard.epoch && both_heard.epoch < last.epoch,
            "{both_heard:?} {last:?} {highest}"
        );
        let mut found = plant.verdict(T);
        if !is_known {
            found.overlaps.retain(|(_, later)| later.from > both_heard.at);
            found.disorder.retain(|(higher, _)| higher.at > both_heard.at);
            found.shared_epochs.retain(|epoch| *epoch >= both_heard.epoch);
        }
        assert_eq!(found.violations(), 0, "{mark:?}: {found:#?}\n{}", plant.story());
    }
}
