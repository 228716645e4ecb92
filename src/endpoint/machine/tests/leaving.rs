//! Who says its last words takes no role, and who stays does not wait for it; what its farewell leaves behind.

use super::{super::*, plant::*};
use crate::domain::Asked;

/// The last words of an adapter that waits for the answer to its last question: the second covers that, too.
fn last_words(plant: &mut Plant, name: &'static str) -> [ClientRole; 2] {
    let adapter = plant.adapter(name);
    (adapter.acting, adapter.leaving, adapter.score) = (false, true, 0);
    let first = plant.beat_unheard(name);
    let adapter = plant.adapter(name);
    adapter.answered = adapter.sequence;
    [first, plant.beat_unheard(name)]
}

fn last(plant: &Plant, kind: GroupChangeKind) -> Option<(GroupReason, String)> {
    let of_kind = plant.changes.iter().rev().find(|change| change.kind == kind);
    of_kind.map(|change| (change.reason, change.explanation.clone()))
}

#[test]
fn a_forced_primary_that_stops_before_an_answer_arrived_is_followed_at_once() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.run(&["A", "B"], 0, 0);
    plant.force("A", None);
    assert_eq!(plant.at(2_500).beat_unheard("A"), Primary);
    assert_eq!(plant.beat("B"), Secondary);
    plant.at(3_000);
    let adapter = plant.adapter("A");
    (adapter.acting, adapter.leaving, adapter.score) = (false, true, 0);
    assert_eq!(plant.beat_unheard("A"), Secondary);
    assert_eq!(plant.group.take_nudge(plant.now), Some(id("B")), "its first word frees the seat");
    plant.adapter("A").answered = 3;
    assert_eq!(plant.beat_unheard("A"), Secondary, "its second does not take it again");
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn a_lone_primary_that_is_started_anew_acts_again_at_once() {
    for heard in [true, false] {
        let mut plant = Plant::new().native("A", 100);
        plant.beat("A");
        plant.beat("A");
        if heard {
            plant.at(2_500).beat("A")
        } else {
            plant.at(2_500).beat_unheard("A")
        };
        assert_eq!(last_words(plant.at(3_000), "A"), [Secondary, Secondary]);
        plant.group.unregister(plant.now, &id("A"), Remover::Itself);
        plant.restart_adapter("A", true);
        plant.adapter("A").score = 100;
        plant.register("A");
        assert_eq!(plant.at(3_100).beat("A"), Primary, "{heard}");
    }
}

#[test]
fn whoever_leaves_takes_no_free_seat_although_there_is_nobody_else() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.at(1_000);
    assert_eq!(last_words(&mut plant, "A"), [Secondary, Secondary]);
    assert_eq!((plant.promotions(), plant.group.take_nudge(plant.now)), (0, None));
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn a_challenger_that_leaves_confirms_nothing() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.run(&["A", "B"], 0, 0);
    plant.force("B", None);
    assert_eq!(plant.at(1_000).beat("B"), PendingPrimary);
    assert_eq!(last_words(&mut plant, "B"), [Secondary, Secondary]);
    assert_eq!(plant.beat("A"), Primary, "it is not told to stop for nobody");
    let dropped = last(&plant, GroupChangeKind::ChallengeDropped);
    assert_eq!(dropped, Some((GroupReason::NoLongerBetter, "it leaves the group".to_owned())));
}

#[test]
fn a_challenger_that_leaves_after_it_confirmed_costs_nobody_the_role() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.run(&["A", "B"], 0, 0);
    plant.force("B", None);
    assert_eq!((plant.at(1_000).beat("B"), plant.beat("B")), (PendingPrimary, PendingPrimary));
    last_words(&mut plant, "B");
    assert_eq!(plant.beat("A"), Primary);
}

#[test]
fn a_seat_that_is_on_its_way_to_the_disk_for_whoever_leaves_is_free_once_it_is_there() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    let first = plant.compose("A");
    let asked = plant.group.hear(plant.now, &id("A"), &first, None).unwrap();
    assert_eq!(plant.group.answer(plant.now, &asked), Ok(Reply::Wait));
    let record = plant.group.take_record(plant.now).unwrap();
    (plant.adapter("A").leaving, plant.adapter("A").score) = (true, 0);
    let word = plant.compose("A");
    let said = plant.group.hear(plant.now, &id("A"), &word, None).unwrap();
    assert_eq!(plant.group.answer(plant.now, &said), Ok(Reply::Wait));
    plant.disk = Some(record.seat);
    plant.group.recorded(plant.now);
    for question in [said, asked] {
        let answer = plant.settle(&question).unwrap().unwrap();
        assert_eq!(answer.role, Secondary);
    }
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn whoever_comes_back_after_its_last_words_is_a_member_like_any_other() {
    let mut plant = Plant::new().native("A", 100).native("B", 50);
    plant.run(&["A", "B"], 0, 0);
    last_words(plant.at(1_000), "A");
    // Its farewell was lost: the same run joins its group again.
    (plant.adapter("A").leaving, plant.adapter("A").score) = (false, 100);
    assert_eq!(plant.at(1_100).beat("A"), Primary);
}

/// A is Primary because an operator asks for it, B stands by.
fn forced(keep_silent_override: bool) -> Plant {
    let mut spec = spec(T);
    spec.preferences.keep_silent_override = keep_silent_override;
    let mut plant = Plant::with(spec).native("A", 100).native("B", 100);
    plant.force("A", None);
    assert_eq!(plant.run(&["A", "B"], 0, 4 * T).as_deref(), Some("A"));
    plant
}

/// A says farewell, is removed by `by`, and B takes over.
fn leave(plant: &mut Plant, by: Remover) {
    last_words(plant, "A");
    plant.group.unregister(plant.now, &id("A"), by);
    assert_eq!(plant.beat("B"), Primary);
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn an_override_outlives_the_planned_restart_of_its_target() {
    let mut plant = forced(false);
    leave(plant.at(41_000), Remover::Itself);
    assert_eq!(plant.group.status(plant.now).forced.map(|forced| forced.session), Some(id("A")));
    plant.restart_adapter("A", true);
    plant.adapter("A").score = 100;
    plant.at(50_999).tick();
    plant.register("A");
    assert_eq!((plant.beat("A"), plant.beat("A")), (PendingPrimary, PendingPrimary));
    assert_eq!((plant.beat("B"), plant.beat("B")), (Secondary, Secondary));
    assert_eq!(plant.beat("A"), Primary);
    assert_eq!(last(&plant, GroupChangeKind::OverrideEnded), None);
}

#[test]
fn an_override_whose_target_left_lapses_as_that_of_a_silent_one() {
    let mut plant = forced(false);
    leave(plant.at(41_000), Remover::Itself);
    assert_eq!(plant.group.next_wake(plant.now), Some(moment(51_000).uptime));
    plant.at(51_000).beat("B");
    let ended = last(&plant, GroupChangeKind::OverrideEnded);
    assert_eq!(ended, Some((GroupReason::OverrideTargetSilent, "A was silent for 10 s".to_owned())));
    assert!(plant.group.override_to_remove());
}

#[test]
fn an_override_whose_target_left_can_be_ended_by_an_operator() {
    let mut plant = forced(true);
    leave(plant.at(41_000), Remover::Itself);
    plant.run(&["B"], 42_500, 90_000);
    assert!(plant.group.forces(&id("A")), "the group wants it to wait");
    plant.group.unforce(plant.now, &id("A"), &Asked::default());
    assert!(!plant.group.forces(&id("A")));
}

#[test]
fn a_forced_primary_that_leaves_before_it_acted_keeps_no_seat_however_its_farewell_is_lost() {
    let mut spec = spec(T);
    spec.preferences.keep_silent_override = true;
    let mut plant = Plant::with(spec).native("A", 100).native("B", 100);
    plant.force("A", None);
    assert_eq!(plant.beat_unheard("A"), Primary);
    (plant.adapter("A").leaving, plant.adapter("A").score) = (true, 0);
    assert_eq!(plant.at(100).beat_unheard("A"), Secondary);
    plant.at(9_000).beat("B");
    assert_eq!(plant.beat("B"), Secondary, "A may act on an answer that is on its way");
    assert_eq!(plant.at(10_000).beat("B"), Primary);
}

#[test]
fn an_override_ends_when_its_target_is_removed_by_another_or_for_its_silence() {
    for by in [Remover::Another, Remover::Silence] {
        let mut plant = forced(true);
        leave(plant.at(41_000), by);
        let ended = last(&plant, GroupChangeKind::OverrideEnded);
        assert_eq!(ended, Some((GroupReason::SessionRemoved, "A was removed".to_owned())), "{by:?}");
    }
}

#[test]
fn a_stock_primary_that_another_removes_keeps_the_seat_until_it_has_been_silent_for_t() {
    for by in [Remover::Another, Remover::Silence] {
        let mut plant = Plant::new().stock("A", 100).native("B", 100);
        plant.beat("A");
        plant.beat("B");
        plant.group.unregister(plant.now, &id("A"), by);
        assert_eq!(plant.at(9_999).beat("B"), Secondary, "{by:?}");
        assert_eq!(plant.at(10_000).beat("B"), Primary, "{by:?}");
    }
    let mut plant = Plant::new().stock("A", 100).native("B", 100);
    plant.beat("A");
    plant.group.unregister(plant.now, &id("A"), Remover::Another);
    plant.register("A");
    assert_eq!(plant.at(5_000).beat("A"), Primary, "it was not known that it acts");
    assert_eq!(plant.promotions(), 1);
}
