//! The choice of a Primary: scores, hand-over in two steps, overrides.

use super::{super::*, plant::*};
use crate::domain::Asked;
use crate::domain::{Margin, Preferences};

#[test]
fn the_best_score_is_chosen_then_the_earliest_registered() {
    let mut plant = Plant::new().native("A", 60).native("B", 90).native("C", 90);
    plant.beat("A");
    assert_eq!(plant.primary().as_deref(), Some("A"), "whoever is alone is chosen at once");
    for name in ["B", "C"] {
        plant.beat(name);
    }
    // A falls silent: the best is waited for, in the answer to its own heartbeat.
    plant.at(6_000);
    assert_eq!((plant.beat("C"), plant.beat("B")), (Secondary, PendingPrimary));
    plant.at(10_000);
    assert_eq!(plant.beat("C"), Secondary);
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn equal_and_slightly_better_scores_keep_the_primary() {
    let mut plant = Plant::new().native("A", 80).native("B", 89);
    plant.beat("A");
    assert_eq!(plant.run(&["A", "B"], 0, 20 * T).as_deref(), Some("A"));
    assert_eq!(plant.promotions(), 1);
}

#[test]
fn a_better_score_takes_over_after_the_dwell_and_not_before() {
    let mut plant = Plant::new().native("A", 80).native("B", 90);
    plant.beat("A");
    for millis in [1_000, 3_000, 5_999] {
        plant.at(millis).beat("A");
        assert_eq!(plant.beat("B"), Secondary, "at {millis}");
    }
    plant.at(6_000);
    assert_eq!(plant.beat("B"), PendingPrimary);
}

#[test]
fn a_dip_shorter_than_the_dwell_costs_nothing() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    for millis in (1_000..60_000).step_by(1_000) {
        plant.adapter("A").score = if millis % 4_000 == 0 { 100 } else { 50 };
        plant.at(millis).beat("A");
        assert_eq!(plant.beat("B"), Secondary, "at {millis}");
    }
}

#[test]
fn a_group_may_set_margin_and_dwell() {
    let preferences =
        Preferences { margin: Margin::new(50), dwell: Some(Duration::ZERO), ..Preferences::default() };
    let mut plant = Plant::with(GroupSpec { preferences, ..spec(T) }).native("A", 50).native("B", 99);
    plant.beat("A");
    assert_eq!(plant.beat("B"), Secondary);
    plant.adapter("B").score = 100;
    assert_eq!(plant.beat("B"), PendingPrimary);
}

#[test]
fn the_incumbent_is_told_only_after_the_challenger_was_heard_again() {
    let mut plant = Plant::new().native("A", 50).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    plant.at(5_000);
    assert_eq!(plant.beat_unheard("B"), PendingPrimary);
    assert_eq!(plant.beat("A"), Primary);
    // It asks again without having heard that it is to take over: it may be one who hears nothing.
    assert_eq!(plant.beat("B"), PendingPrimary);
    assert_eq!(plant.beat("A"), Primary);
    assert_eq!(plant.beat("B"), PendingPrimary);
    assert_eq!(plant.beat("A"), Secondary);
    assert_eq!(plant.beat("B"), PendingPrimary, "A has not said that it stopped");
    assert_eq!(plant.group.status(plant.now).pending, Some(id("B")));
    plant.beat("A");
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn an_old_heartbeat_of_the_incumbent_is_not_told_to_stop() {
    let mut plant = Plant::new().native("A", 50).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    let old = plant.compose("A");
    plant.ask("A", &old).unwrap();
    plant.at(5_000).beat("B");
    plant.beat("B");
    assert_eq!(plant.ask("A", &old).unwrap().map(|answer| answer.role), Some(Primary));
    assert_eq!(plant.beat("A"), Secondary, "the next one is");
}

#[test]
fn a_challenger_that_dies_costs_nothing() {
    let mut plant = Plant::new().native("A", 50).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    plant.at(5_000);
    assert_eq!(plant.beat("B"), PendingPrimary);
    for millis in (5_000..40_000).step_by(2_500) {
        assert_eq!(plant.at(millis).beat("A"), Primary);
    }
    assert_eq!(plant.group.status(plant.now).pending, None);
}

#[test]
fn a_challenge_ends_when_the_incumbent_recovers() {
    let mut plant = Plant::new().native("A", 50).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    plant.at(5_000);
    assert_eq!(plant.beat("B"), PendingPrimary);
    plant.beat("B");
    plant.adapter("A").score = 100;
    assert_eq!(plant.beat("A"), Primary);
    assert_eq!(plant.beat("B"), Secondary);
}

#[test]
fn once_told_a_primary_is_never_primary_again_in_that_tenure() {
    let mut plant = Plant::new().native("A", 50).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    plant.at(5_000).beat("B");
    plant.beat("B");
    let question = plant.compose("A");
    assert_eq!(plant.beat_unheard("A"), Secondary);
    plant.adapter("A").score = 100;
    assert_eq!(plant.ask("A", &question).unwrap().map(|answer| answer.role), Some(Secondary));
    plant.adapter("A").acting = true;
    assert_eq!(plant.beat_unheard("A"), Secondary);
    // It has not heard it and says nothing: the seat is free T after it was last answered Primary.
    plant.at(9_999);
    assert_eq!(plant.beat("B"), PendingPrimary);
    plant.at(10_000);
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn a_score_of_zero_costs_the_role_at_once_if_there_was_a_better_one() {
    let mut plant = Plant::new().native("A", 100).native("B", 20);
    plant.beat("A");
    plant.beat("A");
    plant.beat("B");
    plant.adapter("A").score = 0;
    plant.at(100).beat("A");
    assert_eq!(plant.beat("B"), PendingPrimary);
}

#[test]
fn a_primary_that_has_not_scored_yet_has_t() {
    let mut plant = Plant::new().native("A", 0).native("B", 100);
    plant.beat("A");
    for millis in (0..10_000).step_by(2_500) {
        plant.at(millis).beat("A");
        assert_eq!(plant.beat("B"), Secondary, "at {millis}");
    }
    plant.at(10_000).beat("A");
    assert_eq!(plant.beat("B"), PendingPrimary);
}

#[test]
fn what_a_standby_that_does_not_look_scored_does_not_end_its_time_to_start() {
    let mut plant = Plant::new().native("A", 1).native("B", 1);
    plant.beat("A");
    // It acts, and has not looked since.
    plant.beat("A");
    plant.adapter("A").score = 0;
    for millis in (0..10_000).step_by(2_500) {
        plant.at(millis).beat("A");
        assert_eq!(plant.beat("B"), Secondary, "at {millis}");
    }
    plant.at(10_000).beat("A");
    assert_eq!(plant.beat("B"), PendingPrimary);
}

#[test]
fn nobody_takes_over_from_zero_with_zero() {
    let mut plant = Plant::new().native("A", 0).native("B", 0);
    plant.beat("A");
    assert_eq!(plant.run(&["A", "B"], 0, 10 * T).as_deref(), Some("A"));
}

#[test]
fn a_standby_that_does_not_look_takes_over_only_from_zero() {
    let mut plant = Plant::new().native("A", 2).native("B", 1);
    plant.beat("A");
    assert_eq!(plant.run(&["A", "B"], 0, 5 * T).as_deref(), Some("A"));
    plant.adapter("A").score = 0;
    assert_eq!(plant.run(&["A", "B"], 5 * T, 7 * T).as_deref(), Some("B"));
}

#[test]
fn with_constant_scores_there_are_at_most_two_promotions() {
    for a in [0, 1, 2, 50, 60, 100] {
        for b in [0, 1, 2, 50, 60, 100] {
            for native in [true, false] {
                let plant = Plant::new();
                let mut plant = if native {
                    plant.native("A", a).native("B", b)
                } else {
                    plant.stock("A", a).stock("B", b)
                };
                plant.run(&["A", "B"], 0, 10 * T);
                assert!(plant.promotions() <= 2, "{a} and {b}: {}", plant.promotions());
            }
        }
    }
}

#[test]
fn an_override_beats_scores_and_ends_as_asked() {
    let mut plant = Plant::new().native("A", 100).native("B", 0);
    plant.beat("A");
    plant.beat("B");
    plant.at(100).force("B", Some(30_000));
    assert_eq!(plant.run(&["A", "B"], 100, 5_000).as_deref(), Some("B"));
    assert!(plant.group.session(plant.now, &id("B")).unwrap().forced);
    assert_eq!(plant.run(&["A", "B"], 7_500, 30_000).as_deref(), Some("B"));
    assert_eq!(plant.run(&["A", "B"], 30_100, 45_000).as_deref(), Some("A"));
    assert!(plant.group.override_to_remove());
    plant.group.override_removed();
    assert!(!plant.group.override_to_remove());
}

#[test]
fn the_later_override_wins_and_off_ends_only_its_own() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    plant.force("A", None);
    plant.force("B", None);
    assert_eq!(plant.run(&["A", "B"], 100, 5_000).as_deref(), Some("B"));
    plant.group.unforce(plant.now, &id("A"), &Asked::default());
    assert!(plant.group.session(plant.now, &id("B")).unwrap().forced);
    plant.group.unforce(plant.now, &id("B"), &Asked::default());
    assert!(!plant.group.session(plant.now, &id("B")).unwrap().forced);
    assert_eq!(plant.run(&["A", "B"], 7_500, 30_000).as_deref(), Some("B"), "an end is no reason to move");
}

#[test]
fn an_override_is_for_its_target_although_another_is_heard_more_often() {
    let mut plant = Plant::new().native("A", 100).native("C", 100).stock("F", 100);
    for millis in (0..=30_000).step_by(500) {
        plant.at(millis);
        for (name, pace) in [("A", 2_500), ("C", 2_500), ("F", 7_000)] {
            if millis.is_multiple_of(pace) {
                plant.beat(name);
            }
        }
        if millis == 1_000 {
            plant.force("F", None);
        }
        plant.tick();
    }
    let began = plant.changes.iter().filter(|change| change.kind == GroupChangeKind::ChallengeBegan).count();
    assert_eq!((plant.primary().as_deref(), began), (Some("F"), 1));
}

#[test]
fn an_override_of_a_silent_target_waits_for_t_and_lapses() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.at(1_000).force("B", None);
    for millis in (2_500..=10_000).step_by(2_500) {
        assert_eq!(plant.at(millis).beat("A"), Primary);
        assert!(plant.group.session(plant.now, &id("B")).unwrap().forced);
    }
    plant.at(11_000).group.tick(moment(11_000));
    assert!(!plant.group.session(plant.now, &id("B")).unwrap().forced);
    assert_eq!(plant.run(&["A", "B"], 12_500, 40_000).as_deref(), Some("A"));
}

#[test]
fn a_forced_primary_that_falls_silent_loses_the_role_after_t() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.force("A", None);
    plant.at(9_999);
    assert_eq!(plant.beat("B"), Secondary);
    plant.at(10_000);
    assert_eq!(plant.beat("B"), Primary);
}
