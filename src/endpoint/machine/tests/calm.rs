//! A group does not hand its role to and fro while its sources stay as they are.

use std::collections::VecDeque;

use super::{super::*, plant::*};

/// The most promotions in any 10 T, of those that happened.
fn most_in_ten_t(plant: &Plant) -> usize {
    let at: Vec<Wall> = plant
        .changes
        .iter()
        .filter(|change| change.kind == GroupChangeKind::Promoted)
        .map(|change| change.at)
        .collect();
    let ten_t = Duration::from_millis(10 * T);
    at.iter()
        .map(|from| at.iter().filter(|to| *to >= from && to.since(*from) < ten_t).count())
        .max()
        .unwrap_or(0)
}

/// All beat four times in T for 60 T; `score` says what each scores, given whether it acts and for how many
/// beats it has.
fn live(plant: &mut Plant, names: &[&'static str], score: impl Fn(&str, bool, u64) -> u8) {
    let mut acted: BTreeMap<&str, u64> = BTreeMap::new();
    for millis in (0..60 * T).step_by(2_500) {
        plant.at(millis);
        for name in names {
            let acting = plant.adapters[name].acting;
            let beats = acted.entry(name).or_default();
            *beats = if acting { *beats + 1 } else { 0 };
            plant.adapter(name).score = score(name, acting, *beats);
            let role = plant.beat(name);
            if role == PendingPrimary || (acting && role == Secondary) {
                plant.beat(name);
            }
        }
    }
}

#[test]
fn two_that_both_fail_as_primary_do_not_take_turns() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    live(&mut plant, &["A", "B"], |_, acting, _| if acting { 0 } else { 100 });
    assert!(plant.promotions() >= 3, "each is tried now and then");
    assert_eq!(most_in_ten_t(&plant), 2);
}

#[test]
fn cold_standbys_that_all_fail_do_not_take_turns() {
    let mut plant = Plant::new().native("A", 1).native("B", 1).native("C", 1);
    live(&mut plant, &["A", "B", "C"], |_, acting, _| u8::from(!acting));
    assert_eq!(most_in_ten_t(&plant), 2);
}

#[test]
fn members_that_work_for_a_moment_and_then_fail_do_not_take_turns() {
    let mut plant = Plant::new().native("A", 100).native("B", 100).native("C", 50);
    live(&mut plant, &["A", "B", "C"], |_, acting, beats| if acting && beats > 1 { 0 } else { 100 });
    assert_eq!(most_in_ten_t(&plant), 2);
}

#[test]
fn a_slow_start_costs_nothing() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    live(&mut plant, &["A", "B"], |_, acting, beats| if acting && beats < 3 { 0 } else { 100 });
    assert_eq!(plant.promotions(), 1);
}

#[test]
fn a_score_that_comes_and_goes_does_not_move_the_role_each_time() {
    let mut plant = Plant::new().native("A", 100).native("B", 70);
    let beat = std::cell::Cell::new(0_u64);
    live(&mut plant, &["A", "B"], |name, _, _| {
        beat.set(beat.get() + 1);
        if name == "A" && beat.get() / 20 % 2 == 1 {
            40
        } else if name == "A" {
            100
        } else {
            70
        }
    });
    assert_eq!(most_in_ten_t(&plant), 2);
}

/// A dies on each third beat on which it acts, and beats again `down_ms` later; B goes on. Whether A, started again,
/// names the run that it replaces is `quick`. Who was made Primary, in order.
fn crashes(plant: &mut Plant, down_ms: u64, quick: bool) -> Vec<SessionId> {
    let mut down_until = 0;
    for millis in (0..60 * T).step_by(2_500) {
        plant.at(millis);
        if plant.adapters["A"].acting && millis % 7_500 == 0 {
            plant.restart_adapter("A", quick);
            down_until = millis + down_ms;
        }
        if millis >= down_until {
            let heartbeat = plant.compose("A");
            if let Ok(Some(answer)) = plant.ask("A", &heartbeat) {
                let sequence = plant.adapters["A"].sequence;
                plant.follow("A", sequence, &answer);
            }
        }
        let acting = plant.adapters["B"].acting;
        let role = plant.beat("B");
        if role == PendingPrimary || (acting && role == Secondary) {
            plant.beat("B");
        }
    }
    let promoted = plant.changes.iter().filter(|change| change.kind == GroupChangeKind::Promoted);
    promoted.filter_map(|change| change.session.clone()).collect()
}

#[test]
fn one_that_crashes_again_and_again_does_not_get_the_role_back_each_time() {
    let mut plant = Plant::new().native("A", 100).native("B", 50);
    assert!(crashes(&mut plant, 2 * T, false).len() >= 4);
    assert_eq!(most_in_ten_t(&plant), 2);
}

#[test]
fn one_that_crashes_and_is_back_at_once_does_not_take_the_free_seat_from_one_that_works() {
    for quick in [true, false] {
        let mut plant = Plant::new().native("A", 100).native("B", 90);
        let acted = crashes(&mut plant, 1_000, quick);
        assert_eq!(acted[..2], [id("A"), id("B")], "{acted:?}");
        assert_eq!(most_in_ten_t(&plant), 2);
    }
}

#[test]
fn two_that_both_crash_in_a_loop_move_the_role_only_when_one_was_silent_for_t() {
    for (down_ms, quick) in [(1_000, true), (1_000, false), (5_000, true), (T, true), (2 * T, false)] {
        let mut plant = Plant::new().native("A", 100).native("B", 90);
        let mut down_until = BTreeMap::from([("A", 0), ("B", 0)]);
        for millis in (0..60 * T).step_by(500) {
            plant.at(millis);
            for (name, down_until) in &mut down_until {
                // It dies in its third second of each tenure, whatever it did before.
                if plant.adapters[name].acting && millis % 3_000 == 0 {
                    plant.restart_adapter(name, quick);
                    *down_until = millis + down_ms;
                }
                let heartbeat = plant.compose(name);
                if millis >= *down_until
                    && let Ok(Some(answer)) = plant.ask(name, &heartbeat)
                {
                    let sequence = plant.adapters[name].sequence;
                    plant.follow(name, sequence, &answer);
                }
            }
        }
        let promoted = plant.changes.iter().filter(|change| change.kind == GroupChangeKind::Promoted);
        let promoted: Vec<(Wall, GroupReason)> = promoted.map(|change| (change.at, change.reason)).collect();
        let t = Duration::from_millis(T);
        assert!(promoted.windows(2).all(|two| two[1].0.since(two[0].0) >= t), "{promoted:?}");
        let silence = |(_, reason): &(Wall, GroupReason)| *reason == GroupReason::NoHeartbeat;
        assert!(promoted[1..].iter().all(silence), "what they score moves nothing: {promoted:?}");
        assert!(promoted.len() >= 20, "somebody is tried each time: {promoted:?}");
        assert!(most_in_ten_t(&plant) <= 10);
    }
}

#[test]
fn planned_stops_are_never_kept_from_moving_the_role() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    for stop in 0..6_u64 {
        let (old, new) = if stop % 2 == 0 { ("A", "B") } else { ("B", "A") };
        plant.at(stop * 1_000 + 500).beat(new);
        plant.adapter(old).acting = false;
        plant.adapter(old).score = 1;
        plant.beat(old);
        assert_eq!(plant.beat(new), Primary);
        plant.adapter(old).score = 100;
        plant.beat(new);
    }
}

#[test]
fn whoever_confirmed_takes_over_although_the_one_that_stops_looks_well_again() {
    let mut plant = Plant::new().native("A", 100).native("B", 60);
    plant.beat("A");
    plant.beat("A");
    plant.beat("B");
    plant.adapter("A").score = 0;
    plant.at(100).beat("A");
    assert_eq!(plant.beat("B"), PendingPrimary);
    plant.beat("B");
    assert_eq!(plant.beat("A"), Secondary);
    plant.adapter("A").score = 100;
    assert_eq!(plant.beat("A"), Secondary);
    assert_eq!(plant.beat("B"), Primary);
}

/// Both ask every T/4. B hears each answer more than T/2 after it asked, A at once.
fn run_with_late_answers(plant: &mut Plant, from: u64, to: u64) {
    let mut late: VecDeque<(u64, u64, HeartbeatAnswer)> = VecDeque::new();
    for millis in (from..=to).step_by(500) {
        plant.at(millis);
        while late.front().is_some_and(|(due, ..)| *due <= millis) {
            let (_, sequence, answer) = late.pop_front().unwrap();
            plant.follow("B", sequence, &answer);
        }
        if millis.is_multiple_of(2_500) {
            plant.beat("A");
            let heartbeat = plant.compose("B");
            let answer = plant.ask("B", &heartbeat).unwrap().unwrap();
            let sequence = plant.adapter("B").sequence;
            late.push_back((millis + 6_000, sequence, answer));
        }
        plant.tick();
    }
}

#[test]
fn nobody_stops_for_one_whom_answers_reach_too_late_to_follow() {
    for is_forced in [true, false] {
        let mut plant = Plant::new().native("A", 50).native("B", 50);
        plant.beat("A");
        run_with_late_answers(&mut plant, 500, 20_000);
        if is_forced {
            plant.force("B", None);
        } else {
            plant.adapter("B").score = 100;
        }
        run_with_late_answers(&mut plant, 20_500, 100_000);
        let told = plant.changes.iter().filter(|change| change.kind == GroupChangeKind::ToldToStop).count();
        assert_eq!((plant.primary().as_deref(), told), (Some("A"), 0), "forced {is_forced}");
        assert_eq!(plant.run(&["A", "B"], 102_500, 120_000).as_deref(), Some("B"), "it hears in time again");
        assert_eq!(plant.promotions(), 2, "forced {is_forced}");
    }
}

#[test]
fn an_operator_who_asks_for_one_that_gave_up_its_seat_unused_gets_it() {
    let mut plant = Plant::new().native("A", 100).native("B", 100).native("C", 100);
    assert_eq!(plant.beat_unheard("A"), Primary);
    assert_eq!(plant.at(2_500).beat_unheard("A"), Primary);
    for millis in (5_000..=15_000).step_by(2_500) {
        plant.at(millis).beat_unheard("A");
        plant.beat("B");
        plant.beat("C");
        plant.tick();
    }
    assert_eq!(plant.run(&["A", "B", "C"], 17_500, 30_000).as_deref(), Some("B"));
    plant.force("A", None);
    assert_eq!(plant.run(&["A", "B", "C"], 32_500, 40_000).as_deref(), Some("A"));
}
