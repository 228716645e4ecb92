//! R4: what an endpoint answers that does not know what it answered before.

use super::{super::*, plant::*};
use crate::domain::Asked;

#[test]
fn a_restart_with_an_exact_store_renews_the_recorded_primary_at_once() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    let epoch = plant.epoch();
    plant.at(1_000).restart_endpoint(true);
    assert_eq!(plant.beat("B"), Secondary);
    assert_eq!(plant.beat("A"), Primary);
    assert_eq!(plant.epoch(), epoch, "a renewal is no promotion");
}

#[test]
fn a_restart_and_a_group_that_is_created_anew_keep_why_the_seat_is_held() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.run(&["A", "B"], 0, 2_500);
    plant.force("B", None);
    assert_eq!(plant.run(&["A", "B"], 3_000, 8_000).as_deref(), Some("B"));
    let why = plant.group.status(plant.now).reason;
    assert_eq!(why, "an operator asks for B, whose score is 100");
    plant.at(9_000).restart_endpoint(true);
    assert_eq!(plant.group.status(plant.now).reason, why);
    assert_eq!(plant.beat("B"), Primary);
    assert_eq!(plant.reason("A"), format!("B is Primary: {why}"));
    let estate = plant.group.leave_estate();
    plant.group = Group::create(spec(T), Choosing::default(), None, Some(estate));
    assert_eq!(plant.group.status(plant.now).reason, why);
}

#[test]
fn whoever_is_on_record_and_does_not_act_is_primary_again_under_a_new_epoch() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    let epoch = plant.epoch();
    plant.adapter("A").acting = false;
    plant.at(1_000).restart_endpoint(true);
    plant.refuses = true;
    let heartbeat = plant.compose("A");
    assert_eq!(plant.ask("A", &heartbeat), Ok(None), "the new epoch is on disk before it is told");
    plant.refuses = false;
    assert_eq!(plant.beat("A"), Primary);
    assert!(plant.epoch() > epoch, "what another may have granted meanwhile is not known");
    assert_eq!(plant.adapters["A"].epoch, Epoch::new(plant.epoch()));
}

#[test]
fn whoever_acts_by_the_longer_t_that_a_group_had_is_waited_for_by_that_also_after_a_second_restart() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.run(&["A"], 0, 0);
    let estate = plant.group.leave_estate();
    plant.group = Group::create(spec(T / 10), Choosing::default(), None, Some(estate));
    plant.register("A");
    plant.register("B");
    plant.at(500).restart_endpoint(true);
    // It claims an epoch that was never given; the seat on record looks like one of the past.
    plant.adapter("B").epoch = Epoch::new(plant.epoch() + 7);
    assert_eq!(plant.at(600).beat("B"), Secondary);
    assert_eq!(plant.disk.as_ref().map(|record| record.holder.is_some()), Some(false));
    plant.at(1_000).restart_endpoint(false);
    assert_eq!(plant.at(10_999).beat("B"), Secondary, "A may act");
    assert_eq!(plant.at(11_000).beat("B"), Primary);
}

#[test]
fn whoever_acts_already_holds_the_seat_for_as_long_as_its_longer_lease_may_last() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.run(&["A"], 0, 0);
    plant.group = Group::create(
        spec(T / 10),
        Choosing::default(),
        None,
        Some(Estate::restore(None, spec(T).draft.timeout, false, moment(0))),
    );
    plant.register("A");
    plant.register("B");
    // The answer is lost: A goes on by the lease that an earlier run of the endpoint gave.
    assert_eq!(plant.at(100).beat_unheard("A"), Primary);
    assert_eq!(plant.at(9_999).beat("B"), Secondary);
    assert_eq!(plant.at(10_000).beat("B"), Primary);
}

#[test]
fn a_restart_holds_the_recorded_seat_for_t_from_its_start() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.at(9_000).restart_endpoint(true);
    plant.at(18_999);
    assert_eq!(plant.beat("B"), Secondary);
    plant.at(19_000);
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn for_t_after_a_restart_words_free_nothing_because_they_may_be_old() {
    let mut plant = Plant::new().native("A", 50).native("B", 100);
    plant.adapter("A").sequence = 30;
    // Two heartbeats from before the grant are under way for long.
    let (first, mut second) = (plant.compose("A"), plant.compose("A"));
    plant.beat("A");
    plant.at(1_000).restart_endpoint(true);
    plant.ask("A", &first).unwrap();
    second.native.as_mut().unwrap().answered = 31;
    plant.ask("A", &second).unwrap();
    assert_eq!(plant.beat("B"), Secondary, "A acts");
}

#[test]
fn from_t_after_a_restart_on_words_free_the_seat_again() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.at(1_000).restart_endpoint(true);
    assert_eq!(plant.run(&["A", "B"], 1_000, 11_000).as_deref(), Some("A"));
    (plant.adapter("A").acting, plant.adapter("A").score) = (false, 0);
    plant.at(11_001).beat("A");
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn a_restart_with_an_exact_store_and_a_free_seat_chooses_at_once() {
    let mut plant = Plant::new().native("A", 100);
    plant.beat("A");
    plant.adapter("A").acting = false;
    plant.beat("A");
    assert!(
        plant.disk.as_ref().unwrap().holder.is_some(),
        "a free seat may wait to be written with a promotion"
    );
    assert_eq!(plant.group.next_wake(plant.now), Some(moment(1_000).uptime));
    plant.at(1_000).tick();
    assert!(plant.disk.as_ref().unwrap().holder.is_none(), "but not long");
    plant.restart_endpoint(true);
    assert_eq!(plant.beat("A"), Primary);
}

#[test]
fn a_restart_that_proves_nothing_renews_only_who_acts() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.at(1_000).restart_endpoint(false);
    assert_eq!(plant.beat("B"), Secondary);
    assert_eq!(plant.beat("A"), Primary);
    plant.at(2_000).restart_endpoint(false);
    plant.adapter("A").acting = false;
    assert_eq!(plant.beat("A"), Secondary);
    plant.at(11_999);
    assert_eq!((plant.beat("A"), plant.beat("B")), (Secondary, Secondary));
    plant.at(12_000);
    assert_eq!(plant.beat("A"), Primary);
}

#[test]
fn a_recorded_stock_primary_is_renewed_and_no_other() {
    let mut plant = Plant::new().stock("A", 50).stock("B", 100);
    plant.beat("A");
    plant.at(1_000).restart_endpoint(false);
    assert_eq!(plant.beat("B"), Secondary);
    assert_eq!(plant.beat("A"), Primary);
}

#[test]
fn whoever_acts_under_a_higher_epoch_shows_that_the_store_was_set_back_and_is_renewed() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    let old = plant.disk.clone();
    plant.at(10_000).beat("B");
    let lost = plant.epoch();
    assert_eq!(plant.primary().as_deref(), Some("B"));
    plant.disk = old;
    plant.at(10_500).restart_endpoint(false);
    assert_eq!(plant.beat("B"), Primary);
    assert_eq!(plant.epoch(), lost, "the highest epoch is the floor, on disk");
    assert_eq!(plant.beat("A"), Secondary);
}

#[test]
fn a_higher_epoch_stops_a_primary_that_was_renewed_under_a_lower_one() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    let lost = Epoch::new(plant.epoch() + 7);
    plant.adapter("B").epoch = lost;
    plant.at(1_000);
    assert_eq!(plant.beat("B"), Secondary);
    assert!(plant.disk.as_ref().and_then(|record| record.epoch) > lost);
    assert_eq!(plant.beat("A"), Secondary, "somebody may act under the higher epoch");
    plant.at(9_999);
    assert_eq!((plant.beat("A"), plant.beat("B")), (Secondary, Secondary));
    plant.at(10_000);
    assert_eq!(plant.beat("A"), Primary, "T after the start nobody acts by the word of an earlier run");
    assert!(Epoch::new(plant.epoch()) > lost);
}

#[test]
fn t_after_the_start_a_higher_epoch_costs_a_hand_over_and_no_wait() {
    let mut plant = Plant::new().native("A", 100).native("B", 50);
    assert_eq!(plant.run(&["A"], 0, 12_500).as_deref(), Some("A"));
    let claimed = Epoch::new(plant.epoch() + 7);
    plant.adapter("B").epoch = claimed;
    assert_eq!(plant.at(12_600).beat("B"), Secondary);
    assert!(plant.disk.as_ref().and_then(|record| record.epoch) > claimed);
    assert_eq!(plant.beat("A"), Secondary, "it acts under a lower epoch");
    assert_eq!(plant.beat("A"), PendingPrimary, "it has stopped");
    assert_eq!(plant.beat("A"), Primary);
    assert!(Epoch::new(plant.epoch()) > claimed);
}

#[test]
fn a_higher_epoch_that_is_heard_while_a_grant_is_written_takes_the_grant_back_before_it_is_told() {
    let mut plant = Plant::new().native("A", 100).native("B", 50);
    let heartbeat = plant.at(10_000).compose("A");
    let question = plant.group.hear(plant.now, &id("A"), &heartbeat, None).unwrap();
    assert_eq!(plant.group.answer(plant.now, &question), Ok(Reply::Wait));
    let record = plant.group.take_record(plant.now).unwrap();
    plant.adapter("B").epoch = record.seat.epoch.map(|epoch| epoch.get() + 7).and_then(Epoch::new);
    assert_eq!(plant.beat("B"), Secondary);
    plant.group.recorded(plant.now);
    assert_eq!(plant.beat("A"), Primary);
    assert!(Epoch::new(plant.epoch()) > plant.adapters["B"].epoch);
}

#[test]
fn whoever_is_told_because_of_a_higher_epoch_is_not_renewed_under_it_by_a_restart() {
    let mut plant = Plant::new().native("A", 100).native("B", 50);
    assert_eq!(plant.run(&["A"], 0, 10_000).as_deref(), Some("A"));
    let claimed = Epoch::new(plant.epoch() + 7);
    plant.adapter("B").epoch = claimed;
    plant.beat("B");
    plant.at(10_100).restart_endpoint(true);
    assert_eq!(plant.beat("A"), Primary);
    assert!(plant.adapters["A"].epoch > claimed, "another may have acted under the one that B knows");
}

#[test]
fn a_member_that_claims_ever_higher_epochs_costs_a_hand_over_once_in_ten_t() {
    let mut plant = Plant::new().native("A", 100).native("B", 50);
    let mut shown = Vec::new();
    for millis in (0..=220_000).step_by(2_500) {
        plant.at(millis).run(&["A"], millis, millis);
        plant.adapter("B").epoch = Epoch::new(plant.epoch() + 1);
        let before = plant.changes.len();
        plant.beat("B");
        assert!(
            plant.disk.as_ref().is_some_and(|record| record.epoch >= plant.adapters["B"].epoch),
            "the floor"
        );
        let showed = |change: &GroupChange| change.kind == GroupChangeKind::StoreWasSetBack;
        shown.extend(plant.changes[before..].iter().filter(|change| showed(change)).map(|_| millis));
        if millis > 25_000 && !shown.contains(&millis) && !shown.contains(&(millis - 2_500)) {
            assert_eq!(plant.primary().as_deref(), Some("A"), "{millis}");
        }
    }
    assert_eq!(shown, [0, 100_000, 200_000]);
}

#[test]
fn a_member_that_has_known_an_epoch_makes_a_new_group_wait() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.adapter("B").epoch = Epoch::new(5);
    plant.adapter("B").acting = true;
    assert_eq!(plant.beat("B"), Primary, "it acts already");
    assert_eq!(plant.epoch(), 5);
    let mut plant = Plant::new().native("A", 100);
    plant.adapter("A").epoch = Epoch::new(5);
    assert_eq!(plant.beat("A"), Secondary);
    plant.at(10_000);
    assert_eq!(plant.beat("A"), Primary);
}

#[test]
fn a_member_that_was_away_and_knows_a_lower_epoch_changes_nothing() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.adapter("B").epoch = Epoch::new(5);
    plant.beat("B");
    assert!(!plant.group.is_renewing());
}

#[test]
fn the_first_epoch_is_above_the_high_water_mark() {
    let mark = Epoch::new(1 << 40);
    let mut plant = Plant::new().native("A", 100);
    plant.group = Group::create(spec(T), Choosing::default(), mark, None);
    plant.register("A");
    assert_eq!(plant.beat("A"), Primary);
    assert_eq!(plant.epoch(), (1 << 40) + 1);
}

#[test]
fn nobody_is_told_an_epoch_that_is_not_on_disk() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    let heartbeat = plant.compose("A");
    let question = plant.group.hear(plant.now, &id("A"), &heartbeat, None).unwrap();
    assert_eq!(plant.group.answer(plant.now, &question), Ok(Reply::Wait));
    plant.group.take_record(plant.now).unwrap();
    let heartbeat = plant.compose("B");
    let answer = plant.ask("B", &heartbeat).unwrap().unwrap();
    assert_eq!((answer.role, answer.epoch), (Secondary, None));
}

#[test]
fn an_override_that_is_taken_up_after_a_boot_counts_by_wall_time() {
    use crate::domain::{BootId, Expiry, OverrideRecord};
    let mut plant = Plant::new().native("A", 100);
    plant.beat("A");
    let expires = Expiry {
        uptime: Uptime::new(Duration::from_secs(5)),
        wall: plant.now.wall.plus(Duration::from_secs(8)),
        boot: BootId::new("the boot before"),
    };
    let record = OverrideRecord { session: id("A"), expires: Some(expires), asked: Asked::default() };
    plant.group.force(plant.now, record, &BootId::new("this boot"));
    plant.at(7_000).beat("A");
    assert!(plant.group.session(plant.now, &id("A")).unwrap().forced);
    plant.at(8_000).beat("A");
    assert!(!plant.group.session(plant.now, &id("A")).unwrap().forced);
}
