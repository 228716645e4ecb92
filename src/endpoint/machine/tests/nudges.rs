//! Whom the group nudges, when, and when it wants to be looked at.

use super::{super::Remover, plant::*};

impl Plant {
    fn nudged(&mut self) -> Option<String> {
        self.group.take_nudge(self.now).map(|id| id.to_string())
    }

    /// When the group wants to be looked at next, in milliseconds of the plant.
    fn wakes_at(&self) -> Option<u128> {
        self.group.next_wake(self.now).map(|at| at.since(moment(0).uptime).as_millis())
    }

    /// Ticks whenever the group asks for it, until somebody is nudged; who, and when.
    fn until_nudge(&mut self) -> Option<(String, u128)> {
        while let Some(at) = self.wakes_at() {
            self.at(u64::try_from(at).unwrap());
            let now = self.now;
            self.group.tick(now);
            if let Some(name) = self.nudged() {
                return Some((name, at));
            }
        }
        None
    }
}

/// Members with these scores, of whom the first is Primary, known to act.
fn group_of(members: [(&'static str, u8); 3]) -> Plant {
    let mut plant = members.iter().fold(Plant::new(), |plant, (name, score)| plant.native(name, *score));
    for (name, _) in [members[0]].iter().chain(&members) {
        plant.beat(name);
    }
    assert_eq!(plant.primary().as_deref(), Some(members[0].0));
    assert_eq!(plant.nudged(), None, "nobody is waited for");
    plant
}

fn abc() -> Plant {
    group_of([("a", 100), ("b", 100), ("c", 100)])
}

#[test]
fn an_override_nudges_challenger_incumbent_and_successor_in_turn_and_each_once() {
    let mut plant = abc();
    plant.at(100).force("b", None);
    assert_eq!(plant.nudged().as_deref(), Some("b"), "to be told PendingPrimary");
    assert_eq!(plant.nudged(), None, "once");
    assert_eq!(plant.beat("b"), PendingPrimary);
    assert_eq!(plant.nudged(), None, "it asks again by itself");
    assert_eq!(plant.beat("b"), PendingPrimary);
    assert_eq!(plant.nudged().as_deref(), Some("a"), "to be told to stop");
    assert_eq!(plant.beat("a"), Secondary);
    assert_eq!(plant.nudged(), None, "it says by itself that it stopped");
    assert_eq!(plant.beat("a"), Secondary);
    assert_eq!(plant.nudged().as_deref(), Some("b"), "to be given the seat");
    assert_eq!(plant.beat("b"), Primary);
    assert_eq!(plant.nudged(), None);
}

#[test]
fn a_planned_stop_nudges_the_best_of_the_others() {
    let mut plant = group_of([("a", 100), ("b", 90), ("c", 95)]);
    plant.at(100).adapter("a").acting = false;
    plant.adapter("a").score = 0;
    // A last heartbeat, then DELETE.
    plant.beat("a");
    assert_eq!(plant.nudged().as_deref(), Some("c"));
    plant.group.unregister(plant.now, &id("a"), Remover::Itself);
    assert_eq!(plant.nudged(), None, "it was nudged already");
    assert_eq!(plant.beat("c"), Primary);
}

#[test]
fn a_silent_primarys_seat_is_looked_at_when_its_t_is_over_and_not_before() {
    let mut plant = abc();
    for millis in [2_500, 5_000, 7_500] {
        plant.at(millis).beat("b");
        plant.beat("c");
    }
    assert_eq!(plant.until_nudge(), Some(("b".to_owned(), u128::from(T))));
    assert_eq!(plant.beat("b"), Primary);
}

#[test]
fn when_the_nudged_falls_silent_too_the_next_is_nudged_as_soon_as_heartbeats_are_missed() {
    let mut plant = abc();
    plant.at(5_000).beat("b");
    plant.at(7_500).beat("c");
    assert_eq!(plant.until_nudge(), Some(("b".to_owned(), u128::from(T))));
    assert_eq!(plant.until_nudge(), Some(("c".to_owned(), 5_000 + u128::from(T) * 5 / 8)));
    assert_eq!(plant.until_nudge(), None, "then nobody is left");
    assert_eq!(plant.beat("c"), Primary, "whoever comes back is chosen");
}

#[test]
fn a_better_score_nudges_its_member_when_it_has_dwelt() {
    let mut plant = abc();
    for name in ["a", "b", "c"] {
        plant.adapter(name).score = if name == "c" { 100 } else { 50 };
        plant.at(1_000).beat(name);
    }
    assert_eq!(plant.nudged(), None);
    assert_eq!(plant.until_nudge(), Some(("c".to_owned(), 1_000 + u128::from(T / 2))));
}

#[test]
fn a_primary_that_never_scores_is_challenged_at_the_end_of_its_t() {
    let mut plant = Plant::new().native("a", 0).native("b", 100);
    assert_eq!(plant.beat("a"), Primary);
    for millis in [100, 5_000, 9_000] {
        plant.at(millis).beat("a");
        plant.beat("b");
        assert_eq!(plant.nudged(), None);
    }
    // The dwell, which passes before, does not count here.
    assert_eq!(plant.until_nudge(), Some(("b".to_owned(), u128::from(T))));
}

#[test]
fn when_the_wait_after_a_restart_ends_the_best_is_nudged() {
    let mut plant = abc();
    plant.restart_endpoint(false);
    plant.at(9_000).beat("b");
    assert_eq!(plant.nudged(), None, "the endpoint only renews");
    assert_eq!(plant.until_nudge(), Some(("b".to_owned(), u128::from(T))));
}

#[test]
fn a_stock_member_is_not_nudged() {
    let mut plant = Plant::new().native("a", 100).stock("s", 50);
    for name in ["a", "a", "s"] {
        plant.beat(name);
    }
    plant.at(100).adapter("a").acting = false;
    plant.beat("a");
    plant.group.unregister(plant.now, &id("a"), Remover::Itself);
    assert_eq!(plant.nudged(), None);
    assert_eq!(plant.beat("s"), Primary);
}

#[test]
fn whoever_begins_to_listen_late_learns_who_is_waited_for() {
    let mut plant = abc();
    plant.at(100).force("b", None);
    assert_eq!(plant.group.nudged(), None, "nobody was nudged yet");
    plant.nudged();
    assert_eq!(plant.group.nudged(), Some(&id("b")));
    plant.beat("b");
    plant.nudged();
    assert_eq!(plant.group.nudged(), None);
}

#[test]
fn what_is_over_and_was_dealt_with_is_not_waited_for_again() {
    let mut plant = abc();
    plant.force("a", None);
    plant.adapter("b").score = 100;
    plant.adapter("a").score = 50;
    // B has been better for long, and is not chosen: A is forced.
    for millis in (2_500..40_000).step_by(2_500) {
        for name in ["a", "b", "c"] {
            plant.at(millis).beat(name);
        }
        assert_eq!(plant.nudged(), None);
        assert!(plant.wakes_at().is_some_and(|at| at > u128::from(millis)));
    }
}
