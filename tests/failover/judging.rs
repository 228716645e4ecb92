//! The judge himself: he sees what is wrong, and accuses nobody without proof.

use std::time::Duration;

use client_failover::domain::Uptime;

use crate::plant::{
    judge::{Verdict, judge},
    link::Said,
    sink::Write,
};

fn at(millis: u64) -> Uptime {
    Uptime::new(Duration::from_millis(millis))
}

/// Writes every 5 ms in this time, each asked 1 ms before, permitted for 400 ms.
fn writes(member: usize, epoch: u64, times: std::ops::Range<u64>) -> Vec<Write> {
    times
        .step_by(5)
        .map(|millis| Write {
            member,
            run: 0,
            tenure: 0,
            epoch,
            sequence: millis,
            asked: at(millis - 1),
            deadline: at(millis + 400),
            answered: true,
            at: at(millis),
        })
        .collect()
}

/// The same writer goes on without an answer.
fn silent(mut from: Vec<Write>, until: u64) -> Vec<Write> {
    let last = *from.last().unwrap();
    let mut moment = last.at + Duration::from_millis(5);
    while moment < at(until) {
        from.push(Write { answered: false, at: moment, ..last });
        moment = moment + Duration::from_millis(5);
    }
    from
}

fn verdict(writes: &[Vec<Write>], said: &[Said]) -> Verdict {
    judge(&writes.concat(), &[said.to_vec(), Vec::new()], Duration::from_millis(50))
}

#[test]
fn one_after_the_other_is_sound_and_the_gap_between_them_is_found() {
    let found = verdict(&[writes(0, 7, 100..200), writes(1, 8, 300..400)], &[]);
    found.assert_sound();
    assert_eq!((found.writes, found.gaps.len()), (40, 1));
    assert_eq!(found.gaps[0].length(), Duration::from_millis(105));
}

#[test]
fn two_at_once_are_seen_even_for_a_few_milliseconds() {
    let found = verdict(&[writes(0, 7, 100..211), writes(1, 8, 200..400)], &[]);
    assert_eq!(found.overlaps.len(), 1, "{found:?}");
    assert!(!found.disorder.is_empty(), "{found:?}");
}

#[test]
fn a_frozen_adapter_permits_until_its_deadline() {
    let found = verdict(&[silent(writes(0, 7, 100..200), 300), writes(1, 8, 250..400)], &[]);
    assert_eq!(found.overlaps.len(), 1, "{found:?}");
    let found = verdict(&[silent(writes(0, 7, 100..200), 300), writes(1, 8, 300..400)], &[]);
    found.assert_sound();
}

#[test]
fn a_writer_that_could_not_know_yet_that_its_adapter_stopped_is_not_accused() {
    let before = silent(writes(0, 7, 100..200), 300);
    let said = |millis, run, acting| Said { at: at(millis), run, acting };
    let stopped = [said(110, 0, true), said(197, 0, false)];
    let found = verdict(&[before.clone(), writes(1, 8, 250..400)], &stopped);
    found.assert_sound();
    assert_eq!(found.unknowing, 20);
    // Nothing excuses a writer but the word of the run that permitted it, after it did.
    for said in [said(197, 1, false), said(197, 0, true), said(150, 0, false)] {
        let found = verdict(&[before.clone(), writes(1, 8, 250..400)], &[said]);
        assert_eq!(found.overlaps.len(), 1, "{said:?}: {found:?}");
    }
    // Nor does that word excuse an adapter that goes on to permit.
    let stopped = [said(150, 0, false)];
    let found = verdict(&[writes(0, 7, 100..300), writes(1, 8, 250..400)], &stopped);
    assert_eq!(found.overlaps.len(), 1, "{found:?}");
}

#[test]
fn an_answer_that_came_late_proves_nothing_about_the_time_since_its_question() {
    // Asked at 199, answered at 260: it may have stopped in between.
    let mut before = writes(0, 7, 100..200);
    before.push(Write { asked: at(201), at: at(260), ..before[0] });
    verdict(&[before, writes(1, 8, 250..400)], &[]).assert_sound();
}

#[test]
fn epochs_that_fall_and_epochs_of_two_are_found() {
    let found = verdict(&[writes(0, 8, 100..200), writes(1, 7, 300..400)], &[]);
    assert_eq!(found.disorder.len(), 20, "{found:?}");
    let found = verdict(&[writes(0, 7, 100..200), writes(1, 7, 300..400)], &[]);
    assert_eq!(found.shared_epochs, [7]);
}
