//! How the store does, and what is told by the history that it has.

use std::time::Duration;

use super::StoreError;
use crate::{
    clock,
    domain::{
        GroupChange, GroupChangeKind, GroupReason, Reason, Receipt, Transition, TransitionKind, Uptime,
    },
    metrics::{Counts, Durations, DurationsBy, Exposition},
};

/// How the writes of one database do. Clones share it.
#[derive(Debug, Clone)]
pub struct Writes {
    durations: Durations,
    failures: Counts<1>,
}

impl Default for Writes {
    fn default() -> Self {
        let failures = ["DiskFull", "ReadOnly", "Busy", "Other"]
            .into_iter()
            .fold(Counts::by(["reason"]), |failures, reason| failures.from_zero([reason]));
        Self { durations: Durations::default(), failures }
    }
}

impl Writes {
    /// A write that was asked for at `asked` has ended.
    pub(super) fn ended<T>(&self, asked: Uptime, outcome: &Result<T, StoreError>) {
        match outcome {
            Ok(_) => self.durations.took(clock::now().uptime.since(asked)),
            Err(error) => self.failures.count([word(error)]),
        }
    }

    /// Tells about the database that names with `of` in them are about: `store`, `egress_buffer`.
    pub fn expose(&self, of: &str, to: &mut Exposition) {
        let means = "How long writes take, from being asked for to being on disk";
        to.durations(&format!("client_failover_{of}_write_duration_seconds"), means, &self.durations);
        let means = "Writes that failed";
        to.counts(&format!("client_failover_{of}_write_failures_total"), means, &self.failures);
    }
}

/// Why a write failed, in a word.
const fn word(error: &StoreError) -> &'static str {
    match error {
        StoreError::DiskFull(_) => "DiskFull",
        StoreError::ReadOnly(_) => "ReadOnly",
        StoreError::Busy(_) => "Busy",
        StoreError::Database(_)
        | StoreError::Migration(_)
        | StoreError::Newer(_)
        | StoreError::Damaged(_)
        | StoreError::KeyExposed(_)
        | StoreError::KeyNotMade { .. }
        | StoreError::NotMade(_)
        | StoreError::KeyUnusable(_)
        | StoreError::Unreadable(_) => "Other",
    }
}

/// What history tells, counted once it is on disk: the numbers agree with the tables. Clones share it.
#[derive(Debug, Clone)]
pub struct Told {
    transitions: Counts<2>,
    changes: Counts<2>,
    gaps: DurationsBy<1>,
    overlaps: DurationsBy<1>,
}

/// What hand-overs are mostly for.
const CAUSES: [GroupReason; 5] = [
    GroupReason::NoHeartbeat,
    GroupReason::StoppedActing,
    GroupReason::OperatorAsked,
    GroupReason::BetterScore,
    GroupReason::ScoreZero,
];

impl Default for Told {
    fn default() -> Self {
        let by = || Counts::by(["kind", "reason"]);
        let promoted = GroupChangeKind::Promoted.as_str();
        let changes = GroupReason::ALL
            .iter()
            .fold(by(), |changes, reason| changes.from_zero([promoted, reason.as_str()]));
        let spans = || {
            CAUSES.iter().fold(DurationsBy::by(["cause"]), |spans, cause| spans.from_zero([cause.as_str()]))
        };
        Self { transitions: by(), changes, gaps: spans(), overlaps: spans() }
    }
}

/// What one row of history tells.
#[derive(Debug, Clone, Copy)]
pub(super) enum Telling {
    /// Of the adapter.
    Transition(TransitionKind, Reason),
    /// Of a group; of a hand-over with the time in which nobody acted, in microseconds.
    Change(GroupChangeKind, GroupReason, Option<i64>),
}

impl From<&Transition> for Telling {
    fn from(row: &Transition) -> Self {
        Self::Transition(row.kind, row.reason)
    }
}

impl From<&GroupChange> for Telling {
    fn from(change: &GroupChange) -> Self {
        Self::Change(change.kind, change.reason, change.receipt.as_ref().map(Receipt::gap_us))
    }
}

impl Told {
    pub(super) fn count(&self, telling: Telling) {
        match telling {
            Telling::Transition(kind, reason) => self.transitions.count([kind.as_str(), reason.as_str()]),
            Telling::Change(kind, reason, gap_us) => {
                self.changes.count([kind.as_str(), reason.as_str()]);
                if let Some(gap_us) = gap_us {
                    let spans = if gap_us < 0 { &self.overlaps } else { &self.gaps };
                    spans.took([reason.as_str()], Duration::from_micros(gap_us.unsigned_abs()));
                }
            }
        }
    }

    /// What the adapter's history tells.
    pub fn expose_adapter(&self, to: &mut Exposition) {
        let means = "Rows of the adapter's history since the server started, by kind and reason";
        to.counts("client_failover_adapter_history_rows_total", means, &self.transitions);
    }

    /// What the history of all groups tells.
    pub fn expose_groups(&self, to: &mut Exposition) {
        let means = "Rows of the history of all groups since the server started, by kind and reason";
        to.counts("client_failover_endpoint_history_rows_total", means, &self.changes);
        let means = "For how long nobody acted at a hand-over, by its receipt and cause";
        to.durations_by("client_failover_endpoint_handover_gap_seconds", means, &self.gaps);
        let means = "For how long two acted at a hand-over, by its receipt and cause";
        to.durations_by("client_failover_endpoint_handover_overlap_seconds", means, &self.overlaps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Format;

    #[test]
    fn a_hand_over_in_which_two_acted_is_an_overlap_and_no_gap() {
        let told = Told::default();
        let (kind, reason) = (GroupChangeKind::HandOver, GroupReason::NoHeartbeat);
        told.count(Telling::Change(kind, reason, Some(-250_000)));
        told.count(Telling::Change(kind, reason, Some(1_500_000)));
        let mut to = Exposition::default();
        told.expose_groups(&mut to);
        let text = to.text(Format::Classical).unwrap();
        for (name, sum) in [("overlap", "0.25"), ("gap", "1.5")] {
            for (what, value) in [("count", "1"), ("sum", sum)] {
                let line = format!(
                    "client_failover_endpoint_handover_{name}_seconds_{what}{{cause=\"NoHeartbeat\"}} {value}"
                );
                assert!(text.lines().any(|found| found == line), "{line}: {text}");
            }
        }
    }
}
