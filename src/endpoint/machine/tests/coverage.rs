//! What the Primary's gate has settled reaches the others, aged, and from nobody else.

use super::{super::*, plant::*};
use crate::domain::{CoverageAges, Coverages, DestinationKey, Heartbeat};

/// What a gate with one destination says.
fn ages(covered_ms: u64, unsettled_ms: u64) -> Coverages {
    let ages = CoverageAges {
        covered_from: Duration::from_millis(covered_ms),
        oldest_unsettled: Duration::from_millis(unsettled_ms),
    };
    Coverages::from([(DestinationKey::parse("historian").unwrap(), ages)])
}

fn nothing() -> Coverages {
    Coverages::new()
}

/// A heartbeat that says this of its gate, as it is composed now.
fn compose(plant: &mut Plant, name: &str, coverages: Coverages) -> Heartbeat {
    let mut heartbeat = plant.compose(name);
    if let Some(native) = &mut heartbeat.native {
        native.coverages = coverages;
    }
    heartbeat
}

/// The same arrives; what it is answered of the Primary's gate.
fn arrive(plant: &mut Plant, name: &str, heartbeat: &Heartbeat) -> Coverages {
    let answer = plant.ask(name, heartbeat).unwrap().unwrap();
    plant.follow(name, heartbeat.native.as_ref().unwrap().sequence, &answer);
    answer.coverages
}

/// A heartbeat that is heard as it is said.
fn say(plant: &mut Plant, name: &str, coverages: Coverages) -> Coverages {
    let heartbeat = compose(plant, name, coverages);
    arrive(plant, name, &heartbeat)
}

/// A is Primary and acts, B stands by.
fn pair() -> Plant {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("A");
    plant.beat("B");
    plant
}

#[test]
fn what_a_primary_says_is_passed_on_aged_by_the_endpoints_clock() {
    let mut plant = pair();
    assert_eq!(say(&mut plant, "B", nothing()), nothing(), "nobody said anything");
    plant.at(1_000);
    plant.beat("A");
    assert_eq!(say(&mut plant, "A", ages(60_000, 0)), nothing(), "a Primary has its own");
    assert_eq!(say(&mut plant, "B", nothing()), ages(60_000, 0));
    plant.at(3_500);
    assert_eq!(say(&mut plant, "B", nothing()), ages(62_500, 2_500));
    plant.beat("A");
    say(&mut plant, "A", ages(62_600, 700));
    assert_eq!(say(&mut plant, "B", nothing()), ages(62_600, 700), "the last word counts");
}

#[test]
fn data_ages_although_nobody_listens() {
    let mut plant = pair();
    say(&mut plant, "A", ages(60_000, 0));
    // The endpoint was stopped: its attended time stood still, the boot clock did not.
    plant.now = Moment { clock: plant.now.clock + Duration::from_secs(5), ..plant.now };
    assert_eq!(say(&mut plant, "B", nothing()), ages(65_000, 5_000));
}

#[test]
fn a_heartbeat_that_was_long_under_way_proves_no_more_than_when_it_was_said() {
    let mut plant = pair();
    plant.at(1_000);
    plant.beat("A");
    let heartbeat = compose(&mut plant, "A", ages(60_000, 0));
    // It lies in the socket of an endpoint that was stopped.
    plant.at(6_000);
    arrive(&mut plant, "A", &heartbeat);
    // It may have been said just now, and so its interval begins late; or 5 s ago, and so it ends early.
    assert_eq!(say(&mut plant, "B", nothing()), ages(60_000, 5_000));
    plant.at(7_000);
    assert_eq!(say(&mut plant, "B", nothing()), ages(61_000, 6_000));
}

#[test]
fn who_has_heard_no_answer_of_this_endpoint_proves_nothing() {
    let mut plant = pair();
    let mut heartbeat = compose(&mut plant, "A", ages(60_000, 0));
    let native = heartbeat.native.as_mut().unwrap();
    native.echo = Some(Box::new(crate::domain::Echo::new("5f5e1000-5f5e1000-5f5e1000").unwrap()));
    plant.ask("A", &heartbeat).unwrap().unwrap();
    assert_eq!(say(&mut plant, "B", nothing()), nothing(), "an answer that a run before this one gave");
}

#[test]
fn what_is_said_again_to_a_later_run_of_the_endpoint_proves_nothing() {
    let mut plant = pair();
    // A says three times that it has settled all; the network keeps what it said.
    let said: Vec<_> = (1..=3)
        .map(|beat| {
            plant.at(beat * 2_500);
            let heartbeat = compose(&mut plant, "A", ages(60_000, 0));
            arrive(&mut plant, "A", &heartbeat);
            heartbeat
        })
        .collect();
    plant.at(20_000).restart_endpoint(true);
    for heartbeat in &said {
        plant.ask("A", heartbeat).unwrap().unwrap();
    }
    assert_eq!(say(&mut plant, "B", nothing()), nothing(), "it answered the first, but A had not heard that");
    plant.beat("A");
    say(&mut plant, "A", ages(80_000, 0));
    assert_eq!(say(&mut plant, "B", nothing()), ages(80_000, 0), "A speaks itself");
}

#[test]
fn who_is_not_primary_or_has_no_gate_proves_nothing() {
    let mut plant = pair();
    say(&mut plant, "B", ages(60_000, 0));
    assert_eq!(say(&mut plant, "B", nothing()), nothing(), "a Secondary's own word");
    say(&mut plant, "A", ages(60_000, 0));
    say(&mut plant, "A", nothing());
    assert_eq!(say(&mut plant, "B", nothing()), nothing(), "the gate is gone");
}

#[test]
fn a_heartbeat_that_was_overtaken_proves_nothing() {
    let mut plant = pair();
    let late = compose(&mut plant, "A", ages(60_000, 0));
    say(&mut plant, "A", ages(61_000, 9_000));
    plant.ask("A", &late).unwrap().unwrap();
    assert_eq!(say(&mut plant, "B", nothing()), ages(61_000, 9_000));
}

#[test]
fn a_promotion_clears_what_the_one_before_said() {
    let mut plant = pair();
    say(&mut plant, "A", ages(60_000, 0));
    plant.at(9_000).beat("B");
    plant.at(12_000);
    assert_eq!(plant.beat("B"), Primary);
    assert_eq!(say(&mut plant, "A", nothing()), nothing(), "B has not said anything yet");
    say(&mut plant, "B", ages(2_000, 1_000));
    assert_eq!(say(&mut plant, "A", nothing()), ages(2_000, 1_000));
}
