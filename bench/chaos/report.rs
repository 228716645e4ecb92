//! The summary of a run.

use std::{collections::BTreeMap, time::Duration};

use crate::plant::{
    faults::{Begun, Chaos, Kind},
    judge::{Gap, Verdict},
};

/// From here on a time without a write is a gap: three writes were left out.
const LEAST_GAP: Duration = Duration::from_millis(20);

/// Prints what happened; whether all was sound.
pub fn print(chaos: &Chaos) -> bool {
    let verdict = chaos.plant.verdict(LEAST_GAP);
    let mut kinds: BTreeMap<Kind, (usize, usize, Vec<Duration>)> = BTreeMap::new();
    for begun in &chaos.log {
        let (all, acting, _) = kinds.entry(begun.kind).or_default();
        *all += 1;
        *acting += usize::from(begun.acting);
    }
    for gap in &verdict.gaps {
        if let Some(cause) = cause(gap, &chaos.log) {
            kinds.entry(cause.kind).or_default().2.push(gap.length());
        }
    }
    println!(
        "\n{:<30} {:>6} {:>9} {:>6}  {:>8} {:>8} {:>8}",
        "fault", "n", "of Primary", "gaps", "p50 ms", "p99 ms", "max ms"
    );
    for (kind, (all, acting, gaps)) in &mut kinds {
        gaps.sort();
        println!(
            "{:<30} {all:>6} {acting:>9} {:>6}  {:>8} {:>8} {:>8}",
            kind.to_string(),
            gaps.len(),
            millis(gaps, 0.5),
            millis(gaps, 0.99),
            millis(gaps, 1.0)
        );
    }
    violations(&verdict);
    let mut idle: Vec<Duration> = chaos.calms.iter().map(|calm| calm.idle).collect();
    let mut gaps: Vec<Duration> = chaos.calms.iter().map(|calm| calm.longest_gap).collect();
    idle.sort();
    gaps.sort();
    println!(
        "healed {} times: somebody acted after p50 {} ms, max {} ms; longest gap in the 2 T after that p50 {} ms, max {} ms",
        idle.len(),
        millis(&idle, 0.5),
        millis(&idle, 1.0),
        millis(&gaps, 0.5),
        millis(&gaps, 1.0),
    );
    let idlers = chaos.faults_in_calm();
    for what in &idlers {
        println!("VIOLATION: nothing was wrong, and not one acted, soon and without a gap: {what}");
    }
    println!(
        "{} faults, {} writes, {} overlaps, {} epochs out of order, {} epochs of two members, {} gaps; {} writes of \
         writers that could not know yet that their adapter had stopped",
        chaos.log.len(),
        verdict.writes,
        verdict.overlaps.len(),
        verdict.disorder.len(),
        verdict.shared_epochs.len(),
        verdict.gaps.len(),
        verdict.unknowing,
    );
    let violations = verdict.violations() + idlers.len();
    if violations > 0 {
        for begun in &chaos.log {
            println!("{:?}: {} (member {})", begun.at.since_boot(), begun.kind, begun.member);
        }
        println!("{}", chaos.plant.story());
    }
    violations == 0
}

/// The last fault before the gap's end that began no earlier than one write before the gap did; else the last
/// one before it.
fn cause<'a>(gap: &Gap, log: &'a [Begun]) -> Option<&'a Begun> {
    let before = log.partition_point(|begun| begun.at <= gap.after.at);
    let near = log[..before].iter().rev().find(|begun| begun.acting && begun.at <= gap.before.at + LEAST_GAP);
    near.or_else(|| log[..before].last())
}

fn violations(verdict: &Verdict) {
    for (one, two) in &verdict.overlaps {
        println!("VIOLATION: two were permitted at once: {one:?}, {two:?}");
    }
    for (higher, write) in verdict.disorder.iter().take(10) {
        println!("VIOLATION: an epoch fell: {higher:?}, then {write:?}");
    }
    for epoch in &verdict.shared_epochs {
        println!("VIOLATION: two members wrote with epoch {epoch}");
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index below the length")]
fn millis(sorted: &[Duration], share: f64) -> String {
    let Some(last) = sorted.len().checked_sub(1) else { return "-".to_owned() };
    format!("{:.0}", sorted[(last as f64 * share).round() as usize].as_secs_f64() * 1_000.0)
}
