//! R1 and R3: who holds the seat, and what frees it.

use super::{super::*, plant::*};

#[test]
fn the_only_member_is_primary_at_its_first_heartbeat() {
    let mut plant = Plant::new().native("A", 100);
    assert_eq!(plant.beat("A"), Primary);
    assert!(plant.epoch() > 126_000_000, "an epoch begins at the seconds since 2020");
}

#[test]
fn a_promotion_is_on_disk_before_it_is_answered() {
    let mut plant = Plant::new().native("A", 100);
    let heartbeat = plant.compose("A");
    let question = plant.group.hear(plant.now, &id("A"), &heartbeat, None).unwrap();
    assert_eq!(plant.group.answer(plant.now, &question), Ok(Reply::Wait));
    let record = plant.group.take_record(plant.now).unwrap();
    assert_eq!(record.seat.holder.as_ref().map(|holder| holder.session.clone()), Some(id("A")));
    assert_eq!(plant.group.answer(plant.now, &question), Ok(Reply::Wait));
    assert_eq!(plant.primary(), None);
    plant.group.recorded(plant.now);
    let Ok(Reply::Answer(answer)) = plant.group.answer(plant.now, &question) else { panic!("no answer") };
    assert_eq!((answer.role, answer.epoch), (Primary, record.seat.epoch));
}

#[test]
fn while_a_record_is_on_its_way_nobody_else_is_primary() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    let heartbeat = plant.compose("A");
    let question = plant.group.hear(plant.now, &id("A"), &heartbeat, None).unwrap();
    assert_eq!(plant.group.answer(plant.now, &question), Ok(Reply::Wait));
    plant.group.take_record(plant.now).unwrap();
    assert_eq!(plant.beat("B"), Secondary);
    plant.group.doubt();
    let heartbeat = plant.compose("B");
    assert_eq!(plant.ask("B", &heartbeat), Ok(None), "in doubt the group is not answered");
}

#[test]
fn a_promotion_that_was_refused_did_not_happen_and_one_that_was_kept_after_all_did() {
    for reached_the_disk in [false, true] {
        let mut plant = Plant::new().native("A", 50).native("B", 100);
        let heartbeat = plant.compose("A");
        let question = plant.group.hear(plant.now, &id("A"), &heartbeat, None).unwrap();
        assert_eq!(plant.group.answer(plant.now, &question), Ok(Reply::Wait));
        let record = plant.group.take_record(plant.now).unwrap();
        plant.group.doubt();
        plant.group.read_back(plant.now, reached_the_disk.then_some(&record.seat));
        assert_eq!(plant.primary().is_some(), reached_the_disk);
        let expected = if reached_the_disk { Secondary } else { Primary };
        assert_eq!(plant.beat("B"), expected);
    }
}

/// What the commit of A's grant is said to have failed for, and is kept all the same; nobody is answered.
fn granted_in_doubt(plant: &mut Plant) {
    let heartbeat = plant.compose("A");
    let question = plant.group.hear(plant.now, &id("A"), &heartbeat, None).unwrap();
    assert_eq!(plant.group.answer(plant.now, &question), Ok(Reply::Wait));
    let record = plant.group.take_record(plant.now).unwrap();
    plant.group.doubt();
    assert_eq!(plant.group.answer(plant.now, &question), Ok(Reply::Unsure));
    plant.changes.extend(plant.group.take_changes());
    assert!(plant.group.read_back(plant.now, Some(&record.seat)));
    plant.disk = Some(record.seat);
    plant.changes.extend(record.promotion);
}

#[test]
fn whoever_is_to_stop_and_was_never_answered_primary_leaves_the_seat_free_at_once() {
    // Whether A says at the grant that it acts, as one that keeps its role, and whether it has been answered since.
    for (name, acts, answered, free) in [
        ("nobody may act on it", false, false, true),
        ("it may be acting", false, true, false),
        ("it acts", true, false, false),
    ] {
        let mut plant = Plant::new().native("A", 50).native("B", 100);
        plant.adapter("A").acting = acts;
        granted_in_doubt(&mut plant);
        if answered {
            assert_eq!(plant.beat_unheard("A"), Primary, "{name}");
        }
        for millis in [100, 2_500, 5_000] {
            plant.at(millis).beat("B");
        }
        assert_eq!(plant.at(5_100).beat("B"), PendingPrimary, "{name}");
        assert_eq!(plant.beat("B"), PendingPrimary, "{name}: it has confirmed");
        assert_eq!(plant.beat_unheard("A"), Secondary, "{name}");
        let last = plant.changes.last().map(|change| change.kind);
        assert_eq!(last == Some(GroupChangeKind::SeatFreed), free, "{name}");
        assert_eq!(plant.beat("B"), if free { Primary } else { PendingPrimary }, "{name}");
    }
}

#[test]
fn whoever_acted_already_is_told_to_stop_although_the_endpoint_was_stalled_since() {
    let mut plant = Plant::new().native("A", 50).native("B", 100);
    plant.beat("A");
    plant.beat("A");
    plant.disk = None;
    plant.at(1_000).restart_endpoint(false);
    granted_in_doubt(plant.at(3_000));
    let now = crate::domain::Now { uptime: plant.now.uptime, wall: plant.now.wall };
    plant.group.note_away(plant.now, &Away::stalled(now, Duration::from_secs(6)));
    for millis in [5_000, 8_000, 10_500, 11_000] {
        plant.at(millis).beat("B");
        // Whoever asks goes away before it is answered.
        let heartbeat = plant.compose("A");
        plant.group.hear(plant.now, &id("A"), &heartbeat, None).unwrap();
    }
    assert_eq!((plant.beat("B"), plant.beat("B")), (PendingPrimary, PendingPrimary));
    assert_eq!(plant.beat_unheard("A"), Secondary);
    assert_eq!(plant.beat("B"), PendingPrimary, "A is told to stop, and acts until it hears it");
}

#[test]
fn renewals_need_no_store() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.refuses = true;
    for millis in [2_500, 5_000, 20_000 - 1] {
        // B is heard just after A fell silent, so that a refused promotion is tried as well.
        plant.at(millis);
        if millis > 5_000 {
            assert_eq!(
                plant.beat("A"),
                PendingPrimary,
                "after a silence it proves first that it is answered"
            );
        }
        let heartbeat = plant.compose("A");
        let answer = plant.ask("A", &heartbeat).unwrap();
        if millis <= 5_000 {
            assert_eq!(answer.map(|answer| answer.role), Some(Primary));
        } else {
            assert_eq!(answer, None, "a new promotion does");
        }
    }
}

#[test]
fn a_silent_primary_keeps_the_seat_for_t_and_not_longer() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    plant.at(3_000).beat("A");
    plant.at(12_999);
    assert_eq!(plant.beat("B"), Secondary);
    let before = plant.epoch();
    plant.at(13_000);
    assert_eq!(plant.beat("B"), Primary);
    assert!(plant.epoch() > before);
}

#[test]
fn the_reason_says_who_fell_silent_and_who_was_best() {
    let mut plant = Plant::new().native("A", 100).native("B", 50).native("C", 100);
    plant.beat("A");
    plant.at(9_000).beat("B");
    plant.at(10_000).beat("C");
    let reason = "no heartbeat from A for 10.0 s (limit 10 s); C had the best score, 100";
    assert_eq!(plant.reason("C"), reason);
    assert_eq!(plant.reason("B"), format!("C is Primary: {reason}"));
    plant.at(20_000).beat("B");
    assert!(plant.reason("B").ends_with("B is the only adapter that is heard"));
}

#[test]
fn whoever_says_that_it_stopped_frees_the_seat_at_once() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    plant.at(1_000).adapter("A").acting = false;
    assert_ne!(plant.beat("A"), Primary, "the heartbeat that frees the seat is never answered Primary");
    plant.adapter("A").score = 0;
    plant.beat("A");
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn a_heartbeat_that_crossed_the_grant_frees_nothing() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    // A's first answer is lost or late: its second heartbeat says Secondary and has heard nothing.
    assert_eq!(plant.beat_unheard("A"), Primary);
    plant.at(1_000);
    assert_eq!(plant.beat_unheard("A"), Primary);
    assert_eq!(plant.beat("B"), Secondary);
}

#[test]
fn whoever_has_not_heard_for_half_of_t_that_it_is_primary_is_asked_and_not_renewed() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    assert_eq!(plant.beat_unheard("A"), Primary);
    assert_eq!(plant.at(2_500).beat_unheard("A"), Primary);
    assert_eq!(plant.at(5_000).beat("A"), PendingPrimary);
    assert_eq!(plant.beat("A"), PendingPrimary, "it does not act, and has heard all that it was answered");
    assert_eq!(plant.beat("B"), Primary, "whom answers reach late comes last");
}

#[test]
fn a_promotion_that_waits_long_for_the_store_is_given_to_the_heartbeat_that_waits_for_it() {
    for lives in [true, false] {
        let mut plant = Plant::new().native("A", 100).native("B", 50);
        plant.beat("B");
        plant.adapter("B").acting = false;
        plant.adapter("B").score = 0;
        plant.beat("B");
        let heartbeat = plant.compose("A");
        let mut question = plant.group.hear(plant.now, &id("A"), &heartbeat, None).unwrap();
        assert_eq!(plant.group.answer(plant.now, &question), Ok(Reply::Wait));
        let record = plant.group.take_record(plant.now).unwrap();
        if lives {
            let heartbeat = plant.at(11_000).compose("A");
            question = plant.group.hear(plant.now, &id("A"), &heartbeat, None).unwrap();
        }
        plant.at(12_000).group.tick(moment(12_000));
        plant.changes.extend(plant.group.take_changes());
        plant.group.recorded(plant.now);
        plant.changes.extend(record.promotion);
        let answer = plant.group.answer(plant.now, &question);
        plant.changes.extend(plant.group.take_changes());
        let role = answer.map(|answer| match answer {
            Reply::Answer(answer) => Some(answer.role),
            Reply::Wait | Reply::Unsure => None,
        });
        assert_eq!(role == Ok(Some(Primary)), lives);
        let last = plant.changes.last().map(|change| (change.kind, change.session.clone()));
        let kind = if lives { GroupChangeKind::Promoted } else { GroupChangeKind::SeatFreed };
        assert_eq!(last, Some((kind, Some(id("A")))), "a seat is freed after it was given");
    }
}

#[test]
fn neither_deleting_the_session_nor_the_group_frees_the_seat() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    plant.at(1_000).group.unregister(moment(1_000), &id("A"), Remover::Itself);
    assert_eq!(plant.beat("B"), Secondary);
    plant.group.unregister(plant.now, &id("B"), Remover::Itself);
    let estate = plant.group.clone().leave_estate();
    plant.group = Group::create(spec(T), Choosing::default(), None, Some(estate));
    plant.register("B");
    plant.at(9_999);
    assert_eq!(plant.beat("B"), Secondary);
    plant.at(10_000);
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn a_primary_that_was_deleted_and_registers_again_is_still_primary() {
    let mut plant = Plant::new().native("A", 100);
    plant.beat("A");
    plant.group.unregister(plant.now, &id("A"), Remover::Itself);
    plant.register("A");
    plant.at(1_000);
    assert_eq!(plant.beat("A"), Primary);
    assert_eq!(plant.promotions(), 1);
}

#[test]
fn a_group_that_comes_back_with_a_longer_t_records_the_longer_lease() {
    let mut plant = Plant::new().native("A", 100);
    plant.beat("A");
    let estate = plant.group.clone().leave_estate();
    plant.group = Group::create(spec(4 * T), Choosing::default(), None, Some(estate));
    plant.register("A");
    assert_eq!(plant.beat("A"), Primary);
    assert_eq!(plant.disk.as_ref().map(|record| record.timeout), Some(spec(4 * T).draft.timeout));
}

#[test]
fn a_longer_lease_or_a_reported_epoch_that_could_not_be_recorded_is_written_again() {
    let mut plant = Plant::new().native("A", 100);
    plant.beat("A");
    let on_disk = plant.disk.clone();
    let estate = plant.group.leave_estate();
    plant.group = Group::create(spec(4 * T), Choosing::default(), None, Some(estate));
    plant.register("A");
    let longer = plant.group.take_record(plant.now).unwrap();
    plant.group.doubt();
    assert!(!plant.group.read_back(plant.now, on_disk.as_ref()));
    assert_eq!(
        plant.group.take_record(plant.now).map(|record| record.seat.timeout),
        Some(longer.seat.timeout)
    );
    plant.group.recorded(plant.now);
    assert_eq!(plant.group.take_record(plant.now), None);

    plant.adapter("A").epoch = Epoch::new(plant.epoch() + 9);
    let heartbeat = plant.compose("A");
    plant.group.hear(plant.now, &id("A"), &heartbeat, None).unwrap();
    let reported = plant.group.take_record(plant.now).unwrap();
    plant.group.doubt();
    // By then the wait that the report began is over.
    plant.at(5 * T).group.tick(moment(5 * T));
    assert!(!plant.group.read_back(plant.now, Some(&longer.seat)));
    assert_eq!(plant.group.take_record(plant.now).and_then(|record| record.seat.epoch), reported.seat.epoch);
}

#[test]
fn a_group_that_comes_back_with_a_shorter_t_takes_no_lease_back() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    let estate = plant.group.clone().leave_estate();
    plant.group = Group::create(spec(T / 10), Choosing::default(), None, Some(estate));
    plant.register("A");
    plant.register("B");
    // The answer to this renewal may be lost: A then goes by the one before, and by its longer T.
    assert_eq!(plant.at(100).beat("A"), Primary);
    for millis in [1_500, 5_000, 9_999] {
        assert_eq!(plant.at(millis).beat("B"), Secondary, "{millis}");
    }
    assert_eq!(plant.at(10_000).beat("B"), Primary);
}

#[test]
fn a_grant_that_was_not_on_disk_when_the_group_was_deleted_is_nobodys() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    let heartbeat = plant.compose("A");
    let question = plant.group.hear(plant.now, &id("A"), &heartbeat, None).unwrap();
    assert_eq!(plant.group.answer(plant.now, &question), Ok(Reply::Wait));
    assert!(plant.group.take_record(plant.now).is_some());
    let estate = plant.group.leave_estate();
    plant.group = Group::create(spec(T), Choosing::default(), None, Some(estate));
    plant.register("B");
    assert_eq!(plant.beat("B"), Primary);
    assert_eq!(plant.promotions(), 1, "what is written does not say that A was promoted");
}

#[test]
fn an_epoch_that_was_not_on_disk_when_the_group_was_deleted_is_told_to_nobody_before_it_is() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    let on_disk = plant.disk.clone();
    plant.adapter("A").epoch = Epoch::new(plant.epoch() + 9);
    let heartbeat = plant.compose("A");
    plant.group.hear(plant.now, &id("A"), &heartbeat, None).unwrap();
    let estate = plant.group.leave_estate();
    plant.group = Group::create(spec(T), Choosing::default(), None, Some(estate));
    plant.register("B");
    let heartbeat = plant.compose("B");
    let question = plant.group.hear(plant.now, &id("B"), &heartbeat, None).unwrap();
    let Ok(Reply::Answer(answer)) = plant.group.answer(plant.now, &question) else {
        panic!("the seat is held")
    };
    assert_eq!(answer.epoch, on_disk.as_ref().unwrap().epoch);

    let higher = plant.group.take_record(plant.now).unwrap();
    assert!(higher.seat.epoch > answer.epoch);
    plant.group.doubt();
    assert!(!plant.group.read_back(plant.now, on_disk.as_ref()));
    assert_eq!(plant.group.take_record(plant.now).map(|record| record.seat.epoch), Some(higher.seat.epoch));
}

#[test]
fn a_heartbeat_that_comes_too_late_is_no_part_of_the_silence_that_it_ends() {
    let mut plant = Plant::new().native("A", 100);
    plant.beat("A");
    let reason = plant.at(12_000).reason("A");
    assert!(reason.starts_with("no heartbeat from A for 12.0 s (limit 10 s)"), "{reason}");
}

#[test]
fn an_older_heartbeat_changes_nothing_and_is_primary_only_within_the_grant() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    let before_the_grant = plant.compose("A");
    plant.adapter("A").sequence = 4;
    plant.beat("A");
    let within = plant.compose("A");
    plant.at(2_000).beat("A");
    let ask = |plant: &mut Plant, heartbeat| plant.ask("A", heartbeat).unwrap().map(|answer| answer.role);
    plant.at(3_000);
    assert_eq!(ask(&mut plant, &before_the_grant), Some(PendingPrimary), "it asks again");
    assert_eq!(ask(&mut plant, &within), Some(Primary));
    plant.at(11_999);
    assert_eq!(plant.beat("B"), Secondary);
    plant.at(12_000);
    assert_eq!(plant.beat("B"), Primary, "neither of them held the seat for longer");
    assert_eq!(ask(&mut plant, &within), Some(Secondary));
}

#[test]
fn whoever_holds_a_session_keeps_it_while_it_is_heard() {
    let mut plant = Plant::new().native("A", 100);
    plant.beat("A");
    plant.restart_adapter("A", false);
    let heartbeat = plant.at(1_000).compose("A");
    let span = Duration::from_millis;
    assert_eq!(
        plant.ask("A", &heartbeat),
        Err(Refusal::InUse { heard_ago: span(1_000), free_in: span(9_000) })
    );
    plant.adapter("A").native = false;
    let heartbeat = plant.compose("A");
    assert!(matches!(plant.ask("A", &heartbeat), Err(Refusal::InUse { .. })));
    plant.at(10_000);
    assert_eq!(plant.beat("A"), Primary);
}

#[test]
fn a_restarted_adapter_is_let_in_at_once_but_the_seat_waits() {
    let mut plant = Plant::new().native("A", 100);
    plant.beat("A");
    plant.restart_adapter("A", true);
    plant.at(1_000);
    assert_eq!(plant.beat("A"), Secondary, "the run before it may still act");
    assert!(plant.reason("A").contains("an earlier run of this adapter"));
    plant.at(9_999);
    assert_eq!(plant.beat("A"), Secondary);
    plant.at(10_000);
    assert_eq!(plant.beat("A"), Primary);
    assert_eq!(plant.promotions(), 2);
}

#[test]
fn a_run_on_another_boot_is_not_let_in_by_naming_the_one_before() {
    let mut plant = Plant::new().native("A", 100);
    plant.beat("A");
    plant.restart_adapter("A", true);
    plant.adapter("A").boot = "another";
    let heartbeat = plant.at(1_000).compose("A");
    assert!(matches!(plant.ask("A", &heartbeat), Err(Refusal::InUse { .. })));
}

#[test]
fn whoever_is_heard_but_hears_nothing_does_not_block_the_group() {
    let mut plant = Plant::new().native("A", 100).native("B", 50);
    let mut took_over = None;
    for millis in (0..=30_000).step_by(2_500) {
        plant.at(millis).beat_unheard("A");
        if plant.beat("B") == Primary {
            took_over = took_over.or(Some(millis));
        }
    }
    assert_eq!(took_over, Some(12_500), "free T after the last answer that it may have heard");
    // It has the better score, but is chosen again only once it has heard an answer.
    assert_eq!(plant.primary().as_deref(), Some("B"));
    plant.at(31_000).beat("A");
    assert_eq!(
        plant.run(&["A", "B"], 32_000, 115_000).as_deref(),
        Some("B"),
        "not so soon after it lost the seat"
    );
    assert_eq!(plant.run(&["A", "B"], 117_000, 130_000).as_deref(), Some("A"));
}

#[test]
fn a_stock_primary_has_stopped_at_its_next_heartbeat_on_the_connection_it_was_told_on() {
    let mut plant = Plant::new().stock("A", 50).stock("B", 100);
    plant.beat("A");
    assert_eq!(plant.run(&["B", "A"], 0, 5_000).as_deref(), Some("A"));
    plant.at(5_100);
    assert_eq!(plant.beat("B"), PendingPrimary);
    assert_eq!(plant.beat("A"), Secondary);
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn a_stock_primary_has_stopped_at_its_second_heartbeat_on_another_connection() {
    let mut plant = Plant::new().stock("A", 50).stock("B", 100);
    plant.beat("A");
    plant.beat("B");
    plant.at(5_000).beat("B");
    plant.beat("B");
    assert_eq!(plant.beat("A"), Secondary);
    plant.adapter("A").connection = None;
    plant.beat("A");
    assert_eq!(plant.beat("B"), PendingPrimary);
    plant.beat("A");
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn deleting_a_stock_primary_frees_the_seat() {
    let mut plant = Plant::new().stock("A", 100).stock("B", 100);
    plant.beat("A");
    plant.beat("B");
    plant.group.unregister(plant.now, &id("A"), Remover::Itself);
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn a_session_that_is_not_registered_is_not_known() {
    let mut plant = Plant::new().native("A", 100);
    plant.group.unregister(plant.now, &id("A"), Remover::Itself);
    let heartbeat = plant.compose("A");
    assert_eq!(plant.ask("A", &heartbeat), Err(Refusal::Unknown));
}

#[test]
fn silence_counts_from_the_last_heartbeat_or_the_registration() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.at(1_000).beat("A");
    let limit = Duration::from_secs(30);
    assert_eq!(plant.group.silent_for(moment(29_999), limit), []);
    assert_eq!(plant.group.silent_for(moment(30_000), limit), [id("B")]);
    assert_eq!(plant.group.silent_for(moment(31_000), limit), [id("A"), id("B")]);
}

#[test]
fn nobody_is_silent_for_too_long_within_2_t_however_short_the_limit() {
    let mut plant = Plant::new().native("A", 100).stock("B", 100);
    plant.beat("A");
    plant.beat("B");
    let limit = Duration::from_millis(T / 8);
    assert_eq!(plant.group.silent_for(moment(2 * T - 1), limit), []);
    assert_eq!(plant.group.silent_for(moment(2 * T), limit), [id("A"), id("B")]);
}

#[test]
fn whoever_hears_nothing_for_t_is_not_chosen_while_somebody_else_hears() {
    let mut plant = Plant::new().native("A", 100).native("B", 100).native("C", 1);
    plant.beat("A");
    plant.beat("B");
    plant.beat("C");
    // B's answers are lost from here on, then A dies: C takes over, although B scores better.
    for millis in (2_500..=10_000).step_by(2_500) {
        plant.at(millis);
        plant.beat("A");
        plant.beat_unheard("B");
        plant.beat("C");
    }
    for millis in (12_500..=20_000).step_by(2_500) {
        plant.at(millis);
        plant.beat_unheard("B");
        plant.beat("C");
    }
    plant.at(20_100);
    assert_eq!(plant.beat_unheard("B"), Secondary);
    assert_eq!(plant.beat("C"), Primary);
}

#[test]
fn whom_answers_reach_late_is_chosen_after_whom_they_reach_in_time() {
    let mut plant = Plant::new().native("A", 100).native("B", 100).native("C", 50);
    plant.beat("A");
    for millis in (0..=10_000).step_by(2_500) {
        plant.at(millis);
        // The answers to B take between T/2 and 3/4 T.
        plant.adapter("B").answered = plant.adapters["B"].sequence.saturating_sub(2);
        plant.beat_unheard("B");
        plant.beat("C");
    }
    assert_eq!(plant.primary().as_deref(), Some("C"));
}

#[test]
fn a_free_seat_does_not_wait_for_whoever_has_missed_its_heartbeats() {
    for (name, native, silent, waits) in [
        ("B is heard every T/4", true, 2_600, true),
        ("one heartbeat of B is missing", true, 5_100, true),
        ("two are", true, 6_250, false),
        ("a stock B is heard every T/2, and this one is a little late", false, 6_249, true),
        ("it does not come", false, 6_250, false),
    ] {
        let mut plant = Plant::new().native("A", 100);
        plant = if native { plant.native("B", 100) } else { plant.stock("B", 100) }.native("C", 50);
        plant.run(&["A", "B", "C"], 0, 2_500);
        (plant.adapter("A").acting, plant.adapter("A").score) = (false, 0);
        plant.at(2_600).beat("A");
        assert_eq!(plant.at(2_600).beat("C"), Secondary, "{name}");
        let expected = if waits { Secondary } else { Primary };
        assert_eq!(plant.at(2_500 + silent).beat("C"), expected, "{name}");
    }
}

#[test]
fn whoever_hears_too_late_to_act_does_not_get_the_seat_again_and_again() {
    let mut plant = Plant::new().native("A", 100).native("B", 1);
    assert_eq!(plant.beat_unheard("A"), Primary);
    let mut chosen = None;
    for millis in (2_500..=60_000).step_by(2_500) {
        plant.at(millis);
        // A hears every answer, but only once the lease that it gives is over.
        plant.adapter("A").answered = plant.adapters["A"].sequence.saturating_sub(3);
        plant.beat_unheard("A");
        if plant.beat("B") == Primary {
            chosen = chosen.or(Some(millis));
        }
    }
    // Its seat was renewed for no longer than 3/8 T, and was free T after that.
    assert!(chosen.is_some_and(|millis| millis <= 20_000), "{chosen:?}");
    assert_eq!(plant.primary().as_deref(), Some("B"));
}
