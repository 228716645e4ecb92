//! Decides what each component counts as, and what that makes of the adapter's health.
//!
//! Pure: `now` is a parameter. A report counts for its time to live; afterwards it counts as DeviceInError, or
//! as Shutdown where the order says that the collector is not to run. A collector that is to run again has
//! that same time to report, in which it counts as Starting.

mod score;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::domain::{
    ComponentId, ComponentSource, ComponentView, DeviceStatus, Health, Now, Probe, Reason, Report,
    StreamCount, Uptime, Wall,
};
pub use score::{score, share, state};

/// How many components there can be, probes included: many times what an adapter has.
pub const MOST_COMPONENTS: usize = 1_000;

/// A component that changed to and fro is one row of history for each status, until it has been quiet for
/// so long: one that flaps must not fill the disk.
pub const QUIET: Duration = Duration::from_secs(300);

/// How many components the warnings name.
const NAMED: usize = 5;

/// Why a report was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// There is no component of this Id.
    #[error("no component of this Id has reported")]
    Unknown,
    /// The Id is that of a probe, which speaks for itself.
    #[error("a probe of the settings has this Id")]
    IsProbe,
    /// There are [`MOST_COMPONENTS`].
    #[error("there are {MOST_COMPONENTS} components, and no place for another")]
    TooMany,
}

/// A component that counts as something else than before. It becomes a row of history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When it was noticed.
    pub at: Wall,
    /// Why.
    pub reason: Reason,
    /// What it counts as now, as a sentence without its full stop.
    pub explanation: String,
}

/// What is known of a component.
#[derive(Debug, Clone)]
enum Known {
    Reported {
        report: Report,
        heard: Now,
    },
    Probed {
        streams: StreamCount,
        /// So many failures in a row are an error.
        threshold: u32,
        /// Since the collector is to run: what was seen, and how many failures came since.
        seen: Option<DeviceStatus>,
        failed: u32,
        last_failure: String,
        heard: Option<Wall>,
    },
    /// Kept until it has been quiet, so that one that comes and goes is as bounded as one that flaps.
    Deleted,
}

#[derive(Debug, Clone)]
struct Component {
    known: Known,
    /// What it counts as; empty when it is not there.
    counts_as: Option<DeviceStatus>,
    /// Why.
    reason: Reason,
    /// What it was recorded as since it was last quiet.
    noted: BTreeSet<Option<DeviceStatus>>,
    changed: Uptime,
}

/// All components. See the module.
#[derive(Debug, Clone)]
pub struct Machine {
    components: BTreeMap<ComponentId, Component>,
    /// Since when the order says that the collector runs; empty while it says that it does not.
    started: Option<Uptime>,
    settled: Uptime,
    changes: Vec<Change>,
}

impl Machine {
    /// A machine that knows its probes, and has seen nothing of them.
    #[must_use]
    pub fn new(probes: &[Probe]) -> Self {
        let components = probes.iter().map(|probe| {
            let known = Known::Probed {
                streams: probe.streams,
                threshold: probe.failures,
                seen: None,
                failed: 0,
                last_failure: String::new(),
                heard: None,
            };
            (probe.id.clone(), Component::new(known))
        });
        Self {
            components: components.collect(),
            started: None,
            settled: Uptime::default(),
            changes: Vec::new(),
        }
    }

    /// The order says whether the collector is to run.
    pub fn order(&mut self, now: Now, started: bool) {
        if self.started.is_some() != started {
            self.started = started.then_some(now.uptime);
            for component in self.components.values_mut() {
                if let Known::Probed { seen, failed, .. } = &mut component.known {
                    (*seen, *failed) = (None, 0);
                }
            }
        }
        self.settle(now);
    }

    /// A component reports, for the first time or again.
    ///
    /// # Errors
    /// When its Id is a probe's, or there are too many.
    pub fn report(&mut self, now: Now, id: ComponentId, report: Report) -> Result<(), ReportError> {
        // What has expired before is noted before.
        self.settle(now);
        let known = Known::Reported { report, heard: now };
        match self.components.get_mut(&id) {
            Some(Component { known: Known::Probed { .. }, .. }) => return Err(ReportError::IsProbe),
            Some(component @ Component { known: Known::Reported { .. }, .. }) => component.known = known,
            Some(_) | None => {
                self.make_room()?;
                self.components.entry(id).or_insert_with(|| Component::new(Known::Deleted)).known = known;
            }
        }
        self.settle(now);
        Ok(())
    }

    /// A component is gone.
    ///
    /// # Errors
    /// When it was not there, or is a probe.
    pub fn delete(&mut self, now: Now, id: &ComponentId) -> Result<(), ReportError> {
        self.settle(now);
        let component = self.components.get_mut(id).ok_or(ReportError::Unknown)?;
        match component.known {
            Known::Probed { .. } => return Err(ReportError::IsProbe),
            Known::Deleted => return Err(ReportError::Unknown),
            Known::Reported { .. } => component.known = Known::Deleted,
        }
        self.settle(now);
        Ok(())
    }

    /// A probe looked; a failure says what it saw.
    pub fn probed(&mut self, now: Now, id: &ComponentId, outcome: Result<(), String>) {
        // A look that ended after the collector was told to stop says nothing of the next run.
        if let Some(Component {
            known: Known::Probed { threshold, seen, failed, last_failure, heard, .. },
            ..
        }) = self.components.get_mut(id).filter(|_| self.started.is_some())
        {
            *heard = Some(now.wall);
            match outcome {
                Ok(()) => (*seen, *failed) = (Some(DeviceStatus::Good), 0),
                Err(why) => {
                    *failed = failed.saturating_add(1);
                    if *failed >= *threshold {
                        *seen = Some(DeviceStatus::DeviceInError);
                    }
                    *last_failure = why;
                }
            }
        }
        self.settle(now);
    }

    /// Lets deadlines pass, and notes what changed.
    pub fn settle(&mut self, now: Now) {
        self.settled = now.uptime;
        for (id, component) in &mut self.components {
            let (status, reason) = component.known.at(now.uptime, self.started);
            component.reason = reason;
            if std::mem::replace(&mut component.counts_as, status) == status {
                continue;
            }
            if now.uptime.since(component.changed) >= QUIET {
                component.noted.clear();
            }
            component.changed = now.uptime;
            // What follows from the role alone is in the role's own row.
            if reason != Reason::RoleChanged && component.noted.insert(status) {
                let explanation = component.explanation(id);
                self.changes.push(Change { at: now.wall, reason, explanation });
            }
        }
        self.components.retain(|_, component| {
            !matches!(component.known, Known::Deleted) || now.uptime.since(component.changed) < QUIET
        });
    }

    /// When [`Machine::settle`] is wanted next, if nothing else happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Uptime> {
        let deadlines =
            self.components.values().flat_map(|component| component.known.deadlines(self.started));
        deadlines.filter(|deadline| *deadline > self.settled).min()
    }

    /// What changed since this was last asked.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// All components that are there, by their Ids.
    pub fn views(&self) -> impl Iterator<Item = ComponentView> {
        self.components.iter().filter_map(|(id, component)| component.view(id))
    }

    /// One of them.
    #[must_use]
    pub fn view(&self, id: &ComponentId) -> Option<ComponentView> {
        self.components.get(id)?.view(id)
    }

    /// Whether every part of the source is connected that components and probes tell of. A probe's first failed look
    /// counts: what was not seen since is missed, whether or not it comes to an error.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.components.values().all(|component| match component.counts_as {
            None | Some(DeviceStatus::Removed) => true,
            Some(status) => {
                status.is_connected() && !matches!(component.known, Known::Probed { failed: 1.., .. })
            }
        })
    }

    /// How the adapter does, with what the `collector`'s supervisor says of it.
    #[must_use]
    pub fn health(&self, collector: &Health) -> Health {
        let there = self
            .components
            .iter()
            .filter_map(|(id, component)| component.counts_as.map(|status| (id, component, status)));
        let started = self.started.is_some();
        let share = share(there.clone().map(|(_, component, status)| (component.known.streams(), status)));
        let last_data = there
            .clone()
            .filter(|(_, _, status)| *status != DeviceStatus::Removed)
            .filter_map(|(_, component, _)| component.known.last_data())
            .min();
        let mut warnings = collector.warnings.clone();
        let mut missing = there
            .clone()
            .filter(|(_, _, status)| started && !status.is_connected() && *status != DeviceStatus::Removed);
        for (id, component, _) in missing.by_ref().take(NAMED) {
            warnings.push(sentence(&component.explanation(id)));
        }
        match missing.count() {
            0 => {}
            more => warnings.push(format!("{more} more components are not connected.")),
        }
        Health {
            obeyed: collector.obeyed,
            gated: collector.gated,
            deliveries: collector.deliveries,
            score: score(started, collector.score, share),
            state: state(started, collector.state, there.map(|(_, _, status)| status)),
            last_data: collector.last_data.or(last_data),
            warnings,
        }
    }

    /// Makes sure that one more component has a place. Those that are gone give theirs up.
    fn make_room(&mut self) -> Result<(), ReportError> {
        let there = |component: &&Component| !matches!(component.known, Known::Deleted);
        if self.components.values().filter(there).count() >= MOST_COMPONENTS {
            return Err(ReportError::TooMany);
        }
        if self.components.len() >= 2 * MOST_COMPONENTS {
            let gone = self.components.iter().filter(|(_, component)| !there(component));
            let oldest = gone.min_by_key(|(_, component)| component.changed).map(|(id, _)| id.clone());
            oldest.and_then(|id| self.components.remove(&id));
        }
        Ok(())
    }
}

impl Component {
    /// Why it counts as what it counts as, as a sentence without its full stop.
    fn explanation(&self, id: &ComponentId) -> String {
        let id = id.as_str();
        let Some(status) = self.counts_as else { return format!("component {id:?} was deleted") };
        match (&self.known, self.reason) {
            (_, Reason::ProbeSucceeded) => format!("probe {id:?} succeeds"),
            (Known::Probed { last_failure, .. }, _) if self.reason == Reason::ProbeFailed => {
                format!("probe {id:?} fails: {last_failure}")
            }
            (Known::Reported { report, .. }, Reason::ReportExpired) => format!(
                "component {id:?} has not reported again within its TimeToLive of {}, and counts as {status}",
                report.time_to_live
            ),
            (_, Reason::RoleChanged) if status == DeviceStatus::Starting => {
                format!("nothing good was heard of component {id:?} since its collector is to run")
            }
            (_, Reason::RoleChanged) => format!("the collector of component {id:?} is not to run"),
            _ => format!("component {id:?} reports {status}"),
        }
    }

    fn new(known: Known) -> Self {
        Self {
            known,
            counts_as: None,
            reason: Reason::RoleChanged,
            noted: BTreeSet::new(),
            changed: Uptime::default(),
        }
    }

    fn view(&self, id: &ComponentId) -> Option<ComponentView> {
        let counts_as = self.counts_as?;
        let (source, status, time_to_live, heard) = match &self.known {
            Known::Reported { report, heard } => {
                (ComponentSource::Report, report.status, Some(report.time_to_live), Some(heard.wall))
            }
            Known::Probed { seen, heard, .. } => {
                (ComponentSource::Probe, seen.unwrap_or(DeviceStatus::Starting), None, *heard)
            }
            Known::Deleted => return None,
        };
        Some(ComponentView {
            id: id.clone(),
            source,
            streams: self.known.streams(),
            status,
            counts_as,
            last_data: self.known.last_data(),
            time_to_live,
            heard,
            explanation: self.explanation(id),
        })
    }
}

impl Known {
    /// What it counts as at `now`, and why; nothing once it was deleted. `started`: since when the collector
    /// is to run.
    fn at(&self, now: Uptime, started: Option<Uptime>) -> (Option<DeviceStatus>, Reason) {
        let (status, reason) = match (self, started) {
            (Self::Deleted, _) => return (None, Reason::ReportDeleted),
            (Self::Reported { report, heard }, _) if now < heard.uptime + report.time_to_live.get() => {
                (report.status, Reason::Reported)
            }
            (_, None) => (DeviceStatus::Shutdown, Reason::RoleChanged),
            (Self::Reported { report, .. }, Some(since)) if now < since + report.time_to_live.get() => {
                (DeviceStatus::Starting, Reason::RoleChanged)
            }
            (Self::Reported { .. }, Some(_)) => (DeviceStatus::DeviceInError, Reason::ReportExpired),
            (Self::Probed { seen: Some(DeviceStatus::Good), .. }, Some(_)) => {
                (DeviceStatus::Good, Reason::ProbeSucceeded)
            }
            (Self::Probed { seen: Some(seen), .. }, Some(_)) => (*seen, Reason::ProbeFailed),
            (Self::Probed { seen: None, .. }, Some(_)) => (DeviceStatus::Starting, Reason::RoleChanged),
        };
        (Some(status), reason)
    }

    /// When it may count as something else without anybody saying so.
    fn deadlines(&self, started: Option<Uptime>) -> impl Iterator<Item = Uptime> + use<> {
        let of_report = match self {
            Self::Reported { report, heard } => {
                let lives = report.time_to_live.get();
                [Some(heard.uptime + lives), started.map(|since| since + lives)]
            }
            Self::Probed { .. } | Self::Deleted => [None, None],
        };
        of_report.into_iter().flatten()
    }

    fn streams(&self) -> StreamCount {
        match self {
            Self::Reported { report, .. } => report.streams,
            Self::Probed { streams, .. } => *streams,
            Self::Deleted => StreamCount::ONE,
        }
    }

    fn last_data(&self) -> Option<Wall> {
        match self {
            Self::Reported { report, .. } => report.last_data,
            Self::Probed { .. } | Self::Deleted => None,
        }
    }
}

/// The text with a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), rest.as_str()))
}
