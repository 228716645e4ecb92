//! R3 and R5: what it is worth that a holder says that it has stopped.

use super::{super::*, plant::*};
use crate::domain::{Echo, LastAct};

/// The echo of an answer that another run of the endpoint gave.
fn another_runs_echo() -> Option<Box<Echo>> {
    Echo::new("5e1f-2a-7".to_owned()).ok().map(Box::new)
}

/// A is Primary and acts, B stands by, and the endpoint begins anew a second later, on an exact store.
fn after_a_restart() -> Plant {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.run(&["A", "B"], 0, 0);
    plant.at(1_000).restart_endpoint(true);
    assert_eq!((plant.beat("A"), plant.beat("B")), (Primary, Secondary));
    plant
}

#[test]
fn whoever_acted_and_says_that_it_stopped_frees_the_seat_although_it_hears_nothing_any_more() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.run(&["A", "B"], 0, 2_500);
    assert_eq!(plant.at(5_000).beat_unheard("A"), Primary);
    assert_eq!(plant.at(7_500).beat_unheard("A"), Primary);
    plant.at(10_000).beat("B");
    // Its lease is over. What it is yet to hear was asked before it stopped, and lets it act no more.
    plant.at(11_500).adapter("A").acting = false;
    (plant.adapter("A").score, plant.adapter("B").score) = (50, 100);
    assert_ne!(plant.beat_unheard("A"), Primary);
    assert_eq!(plant.beat("B"), Primary);
}

#[test]
fn what_was_said_before_the_grant_frees_nothing_although_the_session_was_made_anew() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    let old = plant.compose("A");
    plant.beat("A");
    plant.beat("A");
    plant.group.unregister(plant.now, &id("A"), Remover::Itself);
    plant.register("A");
    plant.at(1_000);
    plant.ask("A", &old).unwrap();
    assert_eq!(plant.beat("B"), Secondary, "A acts");
}

#[test]
fn an_answer_to_a_question_that_was_asked_without_acting_may_yet_be_acted_on() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.beat_unheard("A");
    assert_eq!(plant.at(1_000).beat_unheard("A"), Primary);
    // It has heard the first answer, too late to act, and not yet the second.
    plant.adapter("A").answered = 1;
    plant.at(1_100).beat_unheard("A");
    assert_eq!(plant.beat("B"), Secondary);
}

/// The next heartbeat of A, on whose way an older answer still is.
fn beat_while_an_answer_is_on_its_way(plant: &mut Plant) -> ClientRole {
    let adapter = plant.adapter("A");
    adapter.answered = adapter.sequence - 1;
    plant.beat("A")
}

#[test]
fn after_a_restart_the_primary_is_believed_once_it_has_heard_that_and_waits_for_no_older_answer() {
    /// What the heartbeat says that follows the first answer after the restart.
    type Says = fn(&mut Adapter);
    let says: [(&str, Says, bool); 4] = [
        ("all is answered, by this run last", |_| {}, true),
        ("an older answer is on its way", |adapter| adapter.answered -= 1, false),
        ("the last answer came from the run before", |adapter| adapter.echo = another_runs_echo(), false),
        ("it says nothing of answers", |adapter| adapter.echo = None, false),
    ];
    for (name, says, believed) in says {
        let mut plant = after_a_restart();
        says(plant.adapter("A"));
        assert_eq!(plant.at(2_000).beat("A"), Primary, "{name}");
        plant.force("B", None);
        let asked = plant.at(2_100).beat("B");
        assert_eq!(asked, if believed { PendingPrimary } else { Secondary }, "{name}");
        // It is stopped: two last words, of which the second is sure to wait for no answer, and is not the first to.
        (plant.adapter("A").acting, plant.adapter("A").score) = (false, 0);
        says(plant.adapter("A"));
        plant.at(2_200).beat("A");
        assert_eq!(plant.beat("B"), if believed { Primary } else { Secondary }, "{name}");
    }
}

#[test]
fn the_last_word_alone_may_prove_itself() {
    let mut plant = after_a_restart();
    (plant.adapter("A").acting, plant.adapter("A").score) = (false, 0);
    assert_eq!((plant.at(1_100).beat("A"), plant.beat("B")), (Secondary, Primary));
}

#[test]
fn for_t_after_a_restart_nobody_takes_over_because_the_primary_would_stop_too_early() {
    for better in [true, false] {
        let mut plant = after_a_restart();
        if better {
            plant.adapter("A").score = 10;
        } else {
            plant.force("B", None);
        }
        for millis in (1_500..11_000).step_by(2_375) {
            plant.at(millis);
            let role = beat_while_an_answer_is_on_its_way(&mut plant);
            assert_eq!((role, plant.beat("B")), (Primary, Secondary), "{millis}");
        }
        assert_eq!(plant.group.next_wake(plant.now), Some(moment(11_000).uptime));
        assert_eq!(plant.at(11_000).beat("B"), PendingPrimary);
        assert_eq!((plant.beat("B"), plant.beat("A")), (PendingPrimary, Secondary));
        assert_ne!(plant.beat("A"), Primary);
        assert_eq!(plant.beat("B"), Primary, "without a gap");
    }
}

#[test]
fn a_stop_within_t_after_a_restart_is_remembered_and_believed_at_its_end() {
    let mut plant = after_a_restart();
    beat_while_an_answer_is_on_its_way(plant.at(8_000));
    (plant.adapter("A").acting, plant.adapter("A").score) = (false, 0);
    // Its last word; then it is gone.
    assert_eq!(beat_while_an_answer_is_on_its_way(plant.at(9_000)), Secondary);
    assert_eq!(plant.primary(), None, "nobody acts");
    let why = "A says that it stopped; the endpoint has just begun, and believes that in 2.0 s at most";
    assert_eq!((plant.group.status(plant.now).reason, plant.reason("B")), (why.to_owned(), why.to_owned()));
    plant.group.unregister(plant.now, &id("A"), Remover::Itself);
    assert_eq!((plant.beat("B"), plant.group.next_wake(plant.now)), (Secondary, Some(moment(11_000).uptime)));
    plant.at(11_000).tick();
    assert_eq!(plant.beat("B"), Primary, "not T after it was last answered Primary");
    let freed: Vec<_> =
        plant.changes.iter().filter(|change| change.reason == GroupReason::StoppedActing).collect();
    assert_eq!(freed[0].explanation, "A stopped acting");
    let told = |change: &GroupChange| change.kind == GroupChangeKind::ToldToStop;
    assert!(!plant.changes.iter().any(told), "its last words challenge nobody");
    plant.beat("B");
    let receipt = plant.changes.iter().find_map(|change| change.receipt.clone()).unwrap();
    assert_eq!((receipt.last_act, receipt.gap_us()), (LastAct::Said, 2_000_000));
}

#[test]
fn whoever_acts_after_all_takes_back_that_it_stopped() {
    let mut plant = after_a_restart();
    plant.adapter("A").acting = false;
    assert_eq!(beat_while_an_answer_is_on_its_way(plant.at(5_000)), Secondary, "an old word");
    plant.adapter("A").acting = true;
    assert_eq!(plant.at(7_000).beat("A"), Primary);
    plant.at(11_000).tick();
    assert_eq!(plant.beat("B"), Secondary);
}

#[test]
fn an_old_question_of_a_primary_does_not_stop_it() {
    let mut plant = Plant::new().native("A", 100);
    let old = plant.compose("A");
    plant.beat("A");
    let role = plant.ask("A", &old).unwrap().map(|answer| answer.role);
    assert_eq!(role, Some(PendingPrimary), "it may hear this before any other answer");
}

#[test]
fn whoever_stopped_and_acts_again_has_t_to_start_again() {
    let mut plant = Plant::new().native("A", 100).native("B", 100);
    plant.run(&["A"], 0, 0);
    plant.at(9_500).restart_endpoint(true);
    plant.beat("B");
    // What it said before its collector stopped comes late.
    plant.beat("A");
    plant.adapter("A").acting = false;
    plant.at(10_000).restart_endpoint(true);
    plant.beat("A");
    plant.adapter("A").score = 0;
    for millis in (20_000..30_000).step_by(2_500) {
        plant.at(millis).beat("A");
        assert_eq!(plant.beat("B"), Secondary, "{millis}");
    }
}

#[test]
fn only_an_answer_of_this_challenge_confirms_it() {
    let mut plant = Plant::new().native("A", 50).native("B", 100);
    plant.beat("A");
    plant.beat_unheard("B");
    plant.at(5_000).beat("A");
    // It was said to an earlier run of the endpoint, and comes late.
    assert_eq!(plant.beat_unheard("B"), PendingPrimary);
    plant.adapter("B").sequence = 19;
    plant.adapter("B").answered = 15;
    assert_eq!(plant.beat_unheard("B"), PendingPrimary);
    assert_eq!(plant.beat("A"), Primary, "B has heard what that run answered, and nothing since");
    plant.adapter("B").answered = 20;
    plant.beat_unheard("B");
    assert_eq!(plant.beat("A"), Secondary);
}
