//! What the Primary's gate has settled reaches the others, aged, and from nobody else.

use super::{super::*, plant::*};
use crate::domain::CoverageAges;

fn ages(covered_ms: u64, unsettled_ms: u64) -> CoverageAges {
    CoverageAges {
        covered_from: Duration::from_millis(covered_ms),
        oldest_unsettled: Duration::from_millis(unsettled_ms),
    }
}

/// A heartbeat that says this of its gate; its answer.
fn say(plant: &mut Plant, name: &str, ages: Option<CoverageAges>) -> HeartbeatAnswer {
    let mut heartbeat = plant.compose(name);
    if let Some(native) = &mut heartbeat.native {
        native.coverage = ages;
    }
    let answer = plant.ask(name, &heartbeat).unwrap().unwrap();
    let sequence = plant.adapters[name].sequence;
    plant.follow(name, sequence, &answer);
    answer
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
    assert_eq!(say(&mut plant, "B", None).coverage, None, "nobody said anything");
    plant.at(1_000);
    assert_eq!(say(&mut plant, "A", Some(ages(60_000, 0))).coverage, None, "a Primary has its own");
    assert_eq!(say(&mut plant, "B", None).coverage, Some(ages(60_000, 0)));
    plant.at(3_500);
    assert_eq!(say(&mut plant, "B", None).coverage, Some(ages(62_500, 2_500)));
    say(&mut plant, "A", Some(ages(62_600, 700)));
    assert_eq!(say(&mut plant, "B", None).coverage, Some(ages(62_600, 700)), "the last word counts");
}

#[test]
fn data_ages_although_nobody_listens() {
    let mut plant = pair();
    say(&mut plant, "A", Some(ages(60_000, 0)));
    // The endpoint was stopped: its attended time stood still, the boot clock did not.
    plant.now = Moment { clock: plant.now.clock + Duration::from_secs(5), ..plant.now };
    assert_eq!(say(&mut plant, "B", None).coverage, Some(ages(65_000, 5_000)));
}

#[test]
fn who_is_not_primary_or_has_no_gate_proves_nothing() {
    let mut plant = pair();
    say(&mut plant, "B", Some(ages(60_000, 0)));
    assert_eq!(say(&mut plant, "B", None).coverage, None, "a Secondary's own word");
    say(&mut plant, "A", Some(ages(60_000, 0)));
    say(&mut plant, "A", None);
    assert_eq!(say(&mut plant, "B", None).coverage, None, "the gate is gone");
}

#[test]
fn a_late_heartbeat_proves_nothing() {
    let mut plant = pair();
    let mut late = plant.compose("A");
    if let Some(native) = &mut late.native {
        native.coverage = Some(ages(60_000, 0));
    }
    say(&mut plant, "A", Some(ages(61_000, 9_000)));
    plant.ask("A", &late).unwrap().unwrap();
    assert_eq!(say(&mut plant, "B", None).coverage, Some(ages(61_000, 9_000)));
}

#[test]
fn a_promotion_clears_what_the_one_before_said() {
    let mut plant = pair();
    say(&mut plant, "A", Some(ages(60_000, 0)));
    plant.at(9_000).beat("B");
    plant.at(12_000);
    assert_eq!(plant.beat("B"), Primary);
    assert_eq!(say(&mut plant, "A", None).coverage, None, "B has not said anything yet");
    say(&mut plant, "B", Some(ages(2_000, 1_000)));
    assert_eq!(say(&mut plant, "A", None).coverage, Some(ages(2_000, 1_000)));
}
