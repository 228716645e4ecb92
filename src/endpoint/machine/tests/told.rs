//! What the history and the members are told: reasons, receipts, warnings.

use super::{super::*, plant::*};
use crate::domain::{Asked, LastAct, Receipt};

fn kinds(plant: &Plant) -> Vec<(GroupChangeKind, GroupReason)> {
    plant.changes.iter().map(|change| (change.kind, change.reason)).collect()
}

pub(super) fn receipts(plant: &Plant) -> Vec<Receipt> {
    plant.changes.iter().filter_map(|change| change.receipt.clone()).collect()
}

/// A heartbeat that says for how long the role has been applied; its answer.
pub(super) fn beat_for(plant: &mut Plant, name: &str, applied_for_ms: u64) -> HeartbeatAnswer {
    let mut heartbeat = plant.compose(name);
    if let Some(native) = &mut heartbeat.native {
        native.applied_for = Some(Duration::from_millis(applied_for_ms));
    }
    let answer = plant.ask(name, &heartbeat).unwrap().unwrap();
    let sequence = plant.adapters[name].sequence;
    plant.follow(name, sequence, &answer);
    answer
}

#[test]
fn each_change_has_its_one_reason_and_says_what_was_known() {
    let mut plant = Plant::new().native("A", 100).native("B", 80);
    plant.beat("A");
    plant.at(9_000).beat("B");
    plant.at(12_000).beat("B");
    assert_eq!(
        kinds(&plant),
        [
            (GroupChangeKind::Promoted, GroupReason::NobodyWasPrimary),
            (GroupChangeKind::SeatFreed, GroupReason::NoHeartbeat),
            (GroupChangeKind::Promoted, GroupReason::NoHeartbeat),
        ]
    );
    let promoted = plant.changes.last().unwrap();
    assert!(promoted.explanation.starts_with("no heartbeat from A for 12.0 s (limit 10 s); B"));
    let known: Vec<_> = promoted
        .members
        .iter()
        .map(|seen| (seen.session.as_str(), seen.score.map(FailoverScore::get), seen.heard_ago))
        .collect();
    assert_eq!(
        known,
        [("A", Some(100), Some(Duration::from_secs(12))), ("B", Some(80), Some(Duration::ZERO)),]
    );
}

#[test]
fn a_receipt_says_when_the_gate_of_the_old_one_delivered_last() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("A");
    plant.beat("B");
    plant.at(1_000).adapter("A").acting = false;
    plant.adapter("A").score = 0;
    let mut last = plant.compose("A");
    last.native.as_mut().unwrap().delivered_ago = Some(Duration::from_millis(7));
    plant.ask("A", &last).unwrap().unwrap();
    plant.at(1_005);
    assert_eq!(beat_for(&mut plant, "B", 1_005).role, Primary);
    plant.at(1_010);
    let mut receipt = beat_for(&mut plant, "B", 2).receipt.unwrap();
    assert_eq!(receipt.last_delivered_ago, Some(Duration::from_millis(17)));
    let delivered = "; the gate of A had delivered last 15.0 ms before B acted";
    assert!(receipt.sentence().ends_with(delivered));
    receipt.last_act = crate::domain::LastAct::LastHeartbeat;
    let known = format!("{delivered}, as far as that had said");
    assert!(receipt.sentence().ends_with(&known), "who fell silent may have delivered more");
}

#[test]
fn a_planned_hand_over_has_a_receipt_with_its_gap_and_both_get_it() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("A");
    plant.beat("B");
    plant.at(1_000).adapter("A").acting = false;
    plant.adapter("A").score = 0;
    beat_for(&mut plant, "A", 3);
    plant.at(1_005);
    assert_eq!(beat_for(&mut plant, "B", 1_005).role, Primary);
    assert_eq!(receipts(&plant), [], "B has not acted yet");
    plant.at(1_010);
    let answer = beat_for(&mut plant, "B", 2);
    let receipt = answer.receipt.unwrap();
    assert_eq!((receipt.from.clone(), receipt.to.clone()), (id("A"), id("B")));
    assert_eq!((receipt.cause, receipt.last_act), (GroupReason::StoppedActing, LastAct::Said));
    assert_eq!(receipt.gap_us(), 11_000, "A stopped at 997 ms, B acted from 1008 ms on");
    assert_eq!(receipts(&plant), std::slice::from_ref(&*receipt));
    assert!(receipt.sentence().ends_with("nobody acted for 11.0 ms"), "{}", receipt.sentence());
    plant.at(1_030);
    assert_eq!(beat_for(&mut plant, "A", 33).receipt.map(|receipt| receipt.gap_us()), Some(11_000));
}

#[test]
fn the_receipt_of_a_failover_counts_from_the_last_heartbeat() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.at(2_000).beat("A");
    plant.at(11_999).beat("B");
    plant.at(12_001).beat("B");
    plant.at(12_010);
    let receipt = beat_for(&mut plant, "B", 5).receipt.unwrap();
    assert_eq!((receipt.cause, receipt.last_act), (GroupReason::NoHeartbeat, LastAct::LastHeartbeat));
    assert_eq!(receipt.gap_us(), 10_005_000);
}

#[test]
fn a_primary_that_died_and_began_anew_within_t_is_told_from_its_new_run_and_has_a_receipt() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.at(2_000).beat("A");
    plant.restart_adapter("A", true);
    plant.at(5_000).beat("A");
    plant.at(11_999).beat("A");
    plant.beat("B");
    plant.at(12_001).beat("B");
    plant.at(12_010);
    let receipt = beat_for(&mut plant, "B", 5).receipt.unwrap();
    assert_eq!((receipt.from.clone(), receipt.to.clone()), (id("A"), id("B")));
    assert_eq!((receipt.cause, receipt.last_act), (GroupReason::NoHeartbeat, LastAct::LastHeartbeat));
    assert_eq!(receipt.gap_us(), 10_005_000);
    let freed = plant.changes.iter().find(|change| change.kind == GroupChangeKind::SeatFreed).unwrap();
    let said = "A began anew; no heartbeat from the run of it that was Primary for 10.0 s (limit 10 s)";
    assert!(freed.explanation.starts_with(said), "{}", freed.explanation);
}

#[test]
fn the_receipt_of_a_primary_whose_session_was_removed_counts_from_its_last_heartbeat() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.at(2_000).beat("A");
    plant.group.unregister(plant.now, &id("A"), Remover::Itself);
    plant.at(11_999).beat("B");
    plant.at(12_001).beat("B");
    plant.at(12_010);
    let receipt = beat_for(&mut plant, "B", 5).receipt.unwrap();
    assert_eq!((receipt.from.clone(), receipt.gap_us()), (id("A"), 10_005_000));
}

#[test]
fn nobody_can_say_that_it_acted_before_it_was_made_primary() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("A");
    plant.beat("B");
    plant.at(1_000).adapter("A").acting = false;
    plant.adapter("A").score = 0;
    beat_for(&mut plant, "A", 3_600_000);
    plant.at(1_005);
    beat_for(&mut plant, "B", 0);
    plant.at(1_010);
    let receipt = beat_for(&mut plant, "B", 3_600_000).receipt.unwrap();
    assert_eq!(receipt.gap_us(), 1_005_000, "A acted from 0 on, B from its promotion on");
}

#[test]
fn a_hand_over_is_told_once_the_grant_is_on_disk_and_a_stock_member_was_answered() {
    for (native, recorded, answered, told) in [
        (true, false, false, false),
        (true, true, false, true),
        (false, false, false, false),
        (false, true, false, false),
        (false, true, true, true),
    ] {
        let mut plant = Plant::new().native("A", 100);
        plant = if native { plant.native("B", 100) } else { plant.stock("B", 100) };
        plant.beat("A");
        plant.beat("A");
        plant.beat("B");
        (plant.adapter("A").acting, plant.adapter("A").score) = (false, 0);
        plant.at(1_000).beat("A");
        let heartbeat = plant.compose("B");
        let question = plant.group.hear(plant.now, &id("B"), &heartbeat, None).unwrap();
        assert_eq!(plant.group.answer(plant.now, &question), Ok(Reply::Wait));
        let record = plant.group.take_record(plant.now).unwrap();
        plant.group.doubt();
        if recorded {
            assert!(plant.group.read_back(plant.now, Some(&record.seat)));
        }
        if answered {
            assert_eq!(plant.beat("B"), Primary);
        }
        // A member that keeps its role acts although nobody told it so.
        plant.adapter("B").acting = true;
        let heartbeat = plant.at(1_100).compose("B");
        plant.group.hear(plant.now, &id("B"), &heartbeat, None).unwrap();
        plant.changes.extend(plant.group.take_changes());
        assert_eq!(receipts(&plant).len(), usize::from(told), "native {native}, {recorded}, {answered}");
        if !recorded {
            assert!(!plant.group.read_back(plant.now, plant.disk.as_ref()));
            assert_eq!(plant.beat("B"), Primary);
            plant.at(1_200).beat("B");
            assert_eq!(receipts(&plant).len(), 1, "once it did happen");
        }
    }
}

#[test]
fn both_processes_that_use_one_session_are_told() {
    let mut plant = Plant::new().native("A", 100);
    plant.beat("A");
    let mut copy = plant.compose("A");
    copy.native.as_mut().unwrap().incarnation = Incarnation::new("copy").unwrap();
    for _ in 0..3 {
        assert!(matches!(plant.ask("A", &copy), Err(Refusal::InUse { .. })));
    }
    let answer = beat_for(&mut plant, "A", 0);
    assert!(answer.warnings[0].starts_with("Another process"), "{:?}", answer.warnings);
    let contests = plant.changes.iter().filter(|change| change.kind == GroupChangeKind::SessionContested);
    assert_eq!(contests.count(), 1, "once, however often it tries");
    plant.at(9_000).beat("A");
    plant.at(10_001);
    assert_eq!(beat_for(&mut plant, "A", 0).warnings, Vec::<String>::new());
}

#[test]
fn a_late_word_of_the_run_that_was_replaced_is_no_other_process_unless_it_goes_on() {
    let mut plant = Plant::new().native("A", 100);
    plant.beat("A");
    let late = plant.compose("A");
    plant.restart_adapter("A", true);
    plant.at(1_000).beat("A");
    let contests = |plant: &Plant| {
        let contested = |change: &&GroupChange| change.kind == GroupChangeKind::SessionContested;
        plant.changes.iter().filter(contested).count()
    };
    plant.at(2_000);
    assert!(matches!(plant.ask("A", &late), Err(Refusal::InUse { .. })));
    assert_eq!(beat_for(&mut plant, "A", 0).warnings, Vec::<String>::new());
    assert_eq!(contests(&plant), 0);
    plant.at(11_000);
    assert!(matches!(plant.ask("A", &late), Err(Refusal::InUse { .. })), "the data folder was copied");
    plant.beat("A");
    assert_eq!(contests(&plant), 1);
}

#[test]
fn members_whose_policies_differ_are_told() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    let mut heartbeat = plant.compose("B");
    heartbeat.native.as_mut().unwrap().loss = Some(EndpointLoss::KeepRole);
    let answer = plant.ask("B", &heartbeat).unwrap().unwrap();
    assert!(answer.warnings[0].contains("do not agree"), "{:?}", answer.warnings);
    let differ = plant.changes.iter().find(|change| change.kind == GroupChangeKind::PoliciesDiffer).unwrap();
    assert_eq!(differ.explanation, "B keeps its role without the endpoint, A steps down");
    plant.beat("B");
    assert_eq!(beat_for(&mut plant, "A", 0).warnings, Vec::<String>::new());
}

#[test]
fn an_override_says_who_asked_and_why_and_warns_when_its_target_can_do_nothing() {
    let mut plant = Plant::new().native("A", 100).native("B", 0);
    plant.beat("A");
    plant.beat("B");
    let asked = Asked {
        by: Name::new("kim").ok(),
        reason: Some("patch night".to_owned()).and_then(|why| crate::domain::Description::new(why).ok()),
    };
    let record = crate::domain::OverrideRecord { session: id("B"), expires: None, asked: asked.clone() };
    plant.group.force(plant.now, record, &BootId::new("endpoint"));
    let answer = beat_for(&mut plant, "B", 0);
    assert!(answer.warnings[0].contains("although its score is 0"), "{:?}", answer.warnings);
    let began = plant.changes.iter().find(|change| change.kind == GroupChangeKind::OverrideBegan).unwrap();
    assert_eq!(began.asked_by, asked.by);
    assert_eq!(began.explanation, "an operator asks for B, whose score is 0 (patch night)");
    plant.run(&["A", "B"], 2_500, 7_500);
    let promoted = plant.changes.iter().rfind(|change| change.kind == GroupChangeKind::Promoted).unwrap();
    let asked = "an operator asks for B, whose score is 0 (kim: patch night)";
    assert_eq!((promoted.session.clone(), promoted.explanation.as_str()), (Some(id("B")), asked));
    assert_eq!(plant.group.status(plant.now).reason, asked);
}

#[test]
fn a_change_in_a_large_group_says_what_was_known_of_those_that_it_is_about() {
    const NAMES: [&str; 40] = [
        "00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16",
        "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33",
        "34", "35", "36", "37", "38", "39",
    ];
    let mut plant = NAMES.into_iter().fold(Plant::new(), |plant, name| plant.native(name, 100));
    plant.beat("34");
    plant.beat("34");
    plant.at(1_000).beat("38");
    plant.force("38", None);
    for name in ["38", "38", "34", "34", "38", "38"] {
        plant.beat(name);
    }
    for kind in [
        GroupChangeKind::ChallengeBegan,
        GroupChangeKind::ToldToStop,
        GroupChangeKind::Promoted,
        GroupChangeKind::HandOver,
    ] {
        let change = plant.changes.iter().rev().find(|change| change.kind == kind).unwrap();
        let seen: Vec<_> = change.members.iter().map(|seen| seen.session.as_str()).collect();
        assert_eq!(seen.len(), 32, "{kind}");
        assert!(seen.contains(&"34") && seen.contains(&"38"), "{kind}: {seen:?}");
        assert!(seen.is_sorted(), "in the order of registration: {seen:?}");
    }
}

#[test]
fn a_group_can_ask_for_the_vendors_way_with_a_forced_primary_that_falls_silent() {
    for keep in [false, true] {
        let mut spec = spec(T);
        spec.preferences.keep_silent_override = keep;
        let mut plant = Plant::with(spec).native("A", 100).native("B", 100);
        plant.beat("A");
        plant.force("A", None);
        plant.at(2_000).beat("A");
        plant.at(9_000).beat("B");
        assert_eq!(plant.run(&["B"], 10_000, 40_000).as_deref(), if keep { None } else { Some("B") });
        assert_eq!(plant.adapters["B"].acting, !keep);
        plant.group.unforce(plant.now, &id("A"), &Asked::default());
        plant.run(&["B"], 41_000, 42_000);
        assert!(plant.adapters["B"].acting, "once the override has ended, the group goes on");
    }
}

#[test]
fn a_forced_primary_that_was_told_to_stop_keeps_no_seat() {
    let mut spec = spec(T);
    spec.preferences.keep_silent_override = true;
    let mut plant = Plant::with(spec).native("A", 100).native("B", 50);
    plant.beat("A");
    plant.force("A", None);
    plant.at(1_000).restart_endpoint(false);
    plant.adapter("A").acting = false;
    assert_eq!(plant.beat("A"), Secondary, "the endpoint waits for one that acts");
    assert_eq!(plant.run(&["A", "B"], 2_500, 12_500).as_deref(), Some("A"));
    assert!(plant.adapters["A"].acting, "it has the seat anew");
}

#[test]
fn time_in_which_the_endpoint_could_not_hear_is_not_silence() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    // The boot clock went on by an hour, attended time by two seconds.
    plant.now.clock = plant.now.clock + Duration::from_secs(3_600);
    plant.now.uptime = plant.now.uptime + Duration::from_secs(2);
    assert_eq!(plant.beat("B"), Secondary, "A is not taken to be dead");
    assert_eq!(plant.beat("A"), Primary);
}

#[test]
fn an_override_ends_by_the_clock_however_long_the_endpoint_was_stalled() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("B");
    plant.force("A", Some(3_600_000));
    // The endpoint was suspended for an hour, of which it attended two seconds.
    plant.now.clock = plant.now.clock + Duration::from_secs(3_600);
    plant.now.uptime = plant.now.uptime + Duration::from_secs(2);
    plant.beat("A");
    let ended = plant.changes.iter().find(|change| change.kind == GroupChangeKind::OverrideEnded);
    assert_eq!(ended.map(|change| change.reason), Some(GroupReason::OverrideExpired));
}

#[test]
fn a_forced_primary_that_restarts_is_not_locked_out_by_the_vendors_way() {
    let mut spec = spec(T);
    spec.preferences.keep_silent_override = true;
    let mut plant = Plant::with(spec).native("A", 100);
    plant.beat("A");
    plant.force("A", None);
    plant.restart_adapter("A", true);
    assert_eq!(plant.at(1_000).beat("A"), Secondary, "its earlier run may still act");
    assert_eq!(plant.run(&["A"], 2_500, 12_500).as_deref(), Some("A"));
    assert!(plant.adapters["A"].acting);
}

#[test]
fn an_override_that_is_taken_up_again_did_not_happen_again() {
    let mut plant = Plant::new().native("A", 100);
    let record = crate::domain::OverrideRecord { session: id("A"), expires: None, asked: Asked::default() };
    plant.group.remember_override(plant.now, record, &BootId::new("endpoint"));
    assert!(plant.group.session(plant.now, &id("A")).is_some_and(|session| session.forced));
    assert_eq!(plant.group.take_changes(), []);
}

#[test]
fn a_group_says_that_a_better_member_is_kept_back_because_it_lost_the_role() {
    let mut plant = Plant::new().native("A", 100).native("B", 50);
    plant.run(&["A", "B"], 0, 2_500);
    plant.adapter("A").score = 10;
    assert_eq!(plant.run(&["A", "B"], 5_000, 15_000).as_deref(), Some("B"));
    let warnings = |plant: &Plant| plant.group.status(plant.now).warnings;
    assert_eq!(warnings(&plant), Vec::<String>::new());
    plant.adapter("A").score = 100;
    assert_eq!(plant.run(&["A", "B"], 17_500, 60_000).as_deref(), Some("B"));
    let said = warnings(&plant);
    assert!(
        said[0].starts_with("A has a better score, 100, than the Primary, 50, and is kept back"),
        "{said:?}"
    );
    assert_eq!(plant.run(&["A", "B"], 62_500, 125_000).as_deref(), Some("A"), "ten T are over");
    assert_eq!(warnings(&plant), Vec::<String>::new());
}

#[test]
fn members_are_told_when_only_calm_keeps_a_primary_that_can_do_nothing() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat("A");
    plant.beat("A");
    plant.beat("B");
    plant.adapter("A").score = 0;
    plant.at(100).beat("A");
    assert_eq!(plant.run(&["B", "A"], 200, 2_700).as_deref(), Some("B"));
    assert_eq!(beat_for(&mut plant, "A", 0).warnings, Vec::<String>::new());
    plant.adapter("A").score = 100;
    plant.beat("A");
    plant.adapter("B").score = 0;
    plant.beat("B");
    let warnings = beat_for(&mut plant, "A", 0).warnings;
    assert!(warnings[0].contains("the role has moved twice"), "{warnings:?}");
}
