//! What the history and the members are told where the endpoint itself was away.

use super::{
    super::*,
    plant::*,
    told::{beat_for, receipts},
};
use crate::domain::{LastAct, Now};

#[test]
fn a_primary_that_stopped_while_the_endpoint_was_away_says_how_long_nobody_acted() {
    for exact in [true, false] {
        let mut plant = Plant::new().native("A", 100).native("B", 100);
        plant.beat("A");
        plant.beat("A");
        let away = Away::before(
            Now { uptime: moment(30_000).uptime, wall: moment(30_000).wall },
            &BootId::new("endpoint"),
            Some(&SignOfLife { boot: BootId::new("endpoint"), at: Now::default(), stopped: false }),
            Some(moment(1_000).wall),
        );
        plant.at(30_000).restart_endpoint(exact);
        plant.group.note_away(plant.now, &away.unwrap());
        plant.adapter("A").acting = false;
        plant.at(30_500);
        let renewed = beat_for(&mut plant, "A", 20_500).role;
        assert_eq!(renewed, if exact { Primary } else { Secondary });
        if exact {
            plant.at(30_510);
            beat_for(&mut plant, "A", 8);
            let [receipt] = &receipts(&plant)[..] else { panic!("{:?}", plant.changes) };
            assert_eq!((&receipt.from, &receipt.to), (&id("A"), &id("A")));
            assert_eq!(receipt.cause, GroupReason::EndedUnsaid);
            assert_eq!(receipt.gap_us(), 20_502_000, "from 10.000 s to 30.502 s");
        }
    }
}

#[test]
fn a_primary_that_never_heard_of_its_grant_has_nothing_to_say_about_it() {
    let mut plant = Plant::new().native("A", 100);
    plant.at(5_000);
    plant.beat_unheard("A");
    plant.at(6_000).restart_endpoint(true);
    plant.at(6_500);
    assert_eq!(beat_for(&mut plant, "A", 3_600_000).role, Primary);
    plant.at(6_510);
    beat_for(&mut plant, "A", 8);
    assert_eq!(receipts(&plant), []);
}

/// The endpoint does not look for this long: its clock goes on, attended time hardly does.
fn stall(plant: &mut Plant, millis: u64) {
    let span = Duration::from_millis(millis);
    plant.now.clock = plant.now.clock + span;
    plant.now.wall = plant.now.wall.plus(span);
    let away = Away::stalled(Now { uptime: plant.now.clock, wall: plant.now.wall }, span);
    if plant.group.is_long(span) {
        plant.group.note_away(plant.now, &away);
    }
    plant.changes.extend(plant.group.take_changes());
}

#[test]
fn a_primary_that_had_no_answer_because_the_endpoint_was_away_says_so() {
    // The stall, how long ago the Primary had stopped when it was heard again, and the reason that is told.
    for (stalled, stopped_for, reason) in [
        (30_000, 20_500, GroupReason::Stalled),
        (30_000, 100, GroupReason::Stalled),
        (30_000, 29_000, GroupReason::StoppedActing),
        (6_000, 100, GroupReason::Stalled),
        (4_000, 100, GroupReason::StoppedActing),
    ] {
        let mut plant = Plant::new().native("A", 100).native("B", 100);
        plant.beat("A");
        plant.beat("A");
        plant.beat("B");
        stall(&mut plant, stalled);
        plant.adapter("A").acting = false;
        plant.adapter("A").score = 0;
        beat_for(&mut plant, "A", stopped_for);
        plant.beat("B");
        let told = |kind| plant.changes.iter().rev().find(|change| change.kind == kind).unwrap();
        let (freed, promoted) = (told(GroupChangeKind::SeatFreed), told(GroupChangeKind::Promoted));
        assert_eq!((freed.reason, promoted.reason), (reason, reason), "{stalled} {stopped_for}");
        if reason == GroupReason::Stalled {
            let said = "A had no answer and stopped acting: the endpoint was stalled for ";
            assert!(freed.explanation.starts_with(said), "{}", freed.explanation);
        }
    }
}

#[test]
fn a_word_that_lay_in_the_socket_during_a_stall_does_not_shorten_the_time_in_which_nobody_acted() {
    let mut plant = Plant::new().native("A", 100);
    plant.beat("A");
    plant.at(1_000).beat("A");
    stall(&mut plant, 30_000);
    plant.adapter("A").acting = false;
    // It was sent when A had just stopped, 20 s ago.
    beat_for(&mut plant, "A", 100);
    beat_for(&mut plant, "A", 20_100);
    assert_eq!(plant.beat("A"), Primary);
    beat_for(&mut plant, "A", 0);
    let [receipt] = &receipts(&plant)[..] else { panic!("{:?}", plant.changes) };
    assert_eq!(receipt.gap_us(), 20_100_000);
}

#[test]
fn a_primary_that_is_stopped_long_after_a_stall_says_nothing_of_it() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    stall(&mut plant, 30_000);
    plant.beat("A");
    let later = |plant: &mut Plant, millis| {
        plant.now.uptime = plant.now.uptime + Duration::from_millis(millis);
        plant.now.clock = plant.now.clock + Duration::from_millis(millis);
    };
    later(&mut plant, 5_200);
    plant.adapter("A").acting = false;
    beat_for(&mut plant, "A", 100);
    let freed = plant.changes.iter().find(|change| change.kind == GroupChangeKind::SeatFreed).unwrap();
    assert_eq!(freed.reason, GroupReason::StoppedActing);
}

#[test]
fn stalls_without_end_are_told_together_once_in_a_minute() {
    let mut plant = Plant::new().native("A", 100);
    for _ in 0..20 {
        stall(&mut plant, 10_000);
        plant.group.tick(plant.now);
        plant.changes.extend(plant.group.take_changes());
    }
    plant.group.note_stop(plant.now);
    plant.changes.extend(plant.group.take_changes());
    let told: Vec<_> =
        plant.changes.iter().map(|change| change.explanation.split(';').next().unwrap()).collect();
    let six = "the endpoint was stalled 6 times, for 60.0 s in all";
    let once = "the endpoint was stalled for 10.0 s";
    assert_eq!(told, [once, six, six, six, once, "the endpoint was told to stop"]);
    let away = plant.changes.iter().filter_map(|change| Some(change.at.since(change.since?)));
    assert_eq!(away.map(|span| span.as_secs()).collect::<Vec<_>>(), [10, 60, 60, 60, 10]);
}

#[test]
fn a_primary_and_an_endpoint_that_are_killed_together_leave_a_receipt_for_both_sides() {
    for rebooted in [false, true] {
        let mut plant = Plant::new().native("A", 100).native("B", 100);
        plant.beat("A");
        plant.at(2_000).beat("A");
        plant.beat("B");
        let mut begun = moment(5_000);
        if rebooted {
            (begun.clock, begun.uptime) =
                (Uptime::new(Duration::from_secs(1)), Uptime::new(Duration::from_secs(1)));
        }
        plant.now = begun;
        let boot = BootId::new(if rebooted { "the boot before" } else { "endpoint" });
        let left = Now { uptime: moment(3_000).uptime, wall: moment(3_000).wall };
        let sign = SignOfLife { boot, at: left, stopped: false };
        let now = Now { uptime: begun.clock, wall: begun.wall };
        let away = Away::before(now, &BootId::new("endpoint"), Some(&sign), None).unwrap();
        plant.restart_endpoint(!rebooted);
        plant.group.note_away(plant.now, &away);
        plant.restart_adapter("A", true);
        let later = |plant: &mut Plant, millis| {
            let span = Duration::from_millis(millis);
            plant.now = Moment {
                uptime: plant.now.uptime + span,
                wall: plant.now.wall.plus(span),
                clock: plant.now.clock + span,
            };
        };
        plant.adapter("A").score = 50;
        later(&mut plant, 9_000);
        plant.beat("A");
        plant.beat("B");
        later(&mut plant, 1_500);
        assert_eq!(plant.beat("B"), Primary);
        later(&mut plant, 10);
        let receipt = beat_for(&mut plant, "B", 5).receipt.unwrap();
        assert_eq!((receipt.from.clone(), receipt.to.clone()), (id("A"), id("B")));
        assert_eq!((receipt.cause, receipt.last_act), (GroupReason::NoHeartbeat, LastAct::LastHeartbeat));
        assert_eq!(receipt.gap_us(), 12_505_000, "from 3.000 s to 15.505 s");
        let told = plant.changes.iter().find(|change| change.kind == GroupChangeKind::HandOver).unwrap();
        assert!(told.explanation.ends_with("counted from the endpoint's last sign of life"), "{told:?}");
        let freed = plant.changes.iter().find(|change| change.kind == GroupChangeKind::SeatFreed).unwrap();
        assert!(freed.explanation.contains("the endpoint ended without saying so"), "{freed:?}");
        assert_eq!(beat_for(&mut plant, "A", 0).receipt.map(|receipt| receipt.gap_us()), Some(12_505_000));
    }
}
