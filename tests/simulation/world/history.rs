//! Roles change only for a listed reason, and history says what happened.

use std::collections::{BTreeMap, VecDeque};

use client_failover::{
    domain::{Acting, Reason, Role, Standing, Transition, TransitionKind},
    registration::machine::Effect,
};

use super::{event::Pid, sink::Accusation, site::Row};

/// What one process has said of itself.
#[derive(Debug, Default)]
struct Told {
    rows: Vec<Row>,
    role: Option<Role>,
    published: Option<(Role, Acting)>,
}

/// What all processes have said of themselves.
#[derive(Debug, Default)]
pub(crate) struct History {
    told: BTreeMap<Pid, Told>,
}

impl History {
    /// Looks at what a step of process `pid` decided.
    pub(crate) fn stepped(&mut self, pid: Pid, effects: &VecDeque<Effect>) -> Option<Accusation> {
        let told = self.told.entry(pid).or_default();
        let was_new = told.rows.is_empty();
        let mut rows_before_publication = 0;
        let mut rows = 0;
        let mut publication = None;
        for effect in effects {
            match effect {
                Effect::Record(row) => {
                    rows += 1;
                    if let Some(what) = told.take_row(pid, row) {
                        return Some(("History", what));
                    }
                }
                Effect::Publish(standing) => {
                    rows_before_publication = rows;
                    publication = Some(standing);
                }
                Effect::Remember(_)
                | Effect::Farewell(_)
                | Effect::Adopt
                | Effect::Listen(_)
                | Effect::StopListening
                | Effect::Call { .. }
                | Effect::Cancel(_) => {}
            }
        }
        if was_new && told.rows.first().is_some_and(|row| row.kind != TransitionKind::ServerStarted) {
            return Some(("History", "the first row of a run does not say that it started".to_owned()));
        }
        let standing = publication?;
        told.take_publication(standing, rows, rows_before_publication).map(|what| ("History", what))
    }

    /// Whether the rows of `pid` on its disk are those it was told to write, in their order; while it
    /// still writes, the first of them.
    pub(crate) fn disagrees(&self, pid: Pid, disk: &[Row], whole: bool) -> Option<Accusation> {
        let told = self.told.get(&pid)?;
        let kept: Vec<&Row> = disk.iter().filter(|row| row.pid == pid).collect();
        let same = kept.iter().zip(&told.rows).all(|(kept, told)| **kept == *told);
        let enough = if whole { kept.len() == told.rows.len() } else { kept.len() <= told.rows.len() };
        (!same || !enough).then(|| {
            (
                "History",
                format!("run-{pid} wrote {} rows, {} are on disk, same {same}", told.rows.len(), kept.len()),
            )
        })
    }
}

impl Told {
    fn take_row(&mut self, pid: Pid, row: &Transition) -> Option<String> {
        self.rows.push(Row::of(pid, row));
        let changes = matches!(row.kind, TransitionKind::Role | TransitionKind::SteppedDown);
        let says = changes || row.kind == TransitionKind::ConfigurationUnusable;
        if !says {
            return None;
        }
        let before = self.role.replace(row.role);
        let silent = changes && before == Some(row.role) && row.reason != Reason::TookBack;
        (silent || row.explanation.is_empty())
            .then(|| format!("a row says that the role became {} ({}), which it was", row.role, row.reason))
    }

    fn take_publication(&mut self, standing: &Standing, rows: usize, rows_before: usize) -> Option<String> {
        let before = self.published.replace((standing.role, standing.acting));
        if self.role.is_some_and(|role| role != standing.role) {
            return Some(format!("the role became {} without a row", standing.role));
        }
        let (old_role, old_acting) = before.unwrap_or((Role::None, Acting::No));
        let (acted, acts) = (old_acting != Acting::No, standing.acting != Acting::No);
        if standing.role != old_role && rows == 0 {
            return Some(format!("the role became {} and no row says why", standing.role));
        }
        if acts && !acted && rows_before < rows {
            return Some("a promotion was published before its rows were written".to_owned());
        }
        if acted && !acts && rows_before > 0 {
            return Some("a demotion waited for its rows".to_owned());
        }
        None
    }
}
