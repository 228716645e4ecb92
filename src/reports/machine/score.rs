//! From what components count as to how well the adapter can do its work.

use crate::domain::{AdapterState, DeviceStatus, FailoverScore, StreamCount};

/// The share of streams whose source is connected, in whole points; empty where there is no component.
///
/// The nearest whole number, but only nothing at all is 0, and only everything is 100. What was Removed has
/// no streams. Where no component has a stream, each counts as one: one that cannot reach its source often
/// cannot know how many it will have.
#[must_use]
pub fn share(components: impl Iterator<Item = (StreamCount, DeviceStatus)>) -> Option<FailoverScore> {
    let there: Vec<_> = components.filter(|(_, status)| *status != DeviceStatus::Removed).collect();
    let any = there.iter().any(|(streams, _)| streams.get() > 0);
    let weight = |streams: StreamCount| if any { u64::from(streams.get()) } else { 1 };
    let all: u64 = there.iter().map(|(streams, _)| weight(*streams)).sum();
    let connected: u64 =
        there.iter().filter(|(_, status)| status.is_connected()).map(|(streams, _)| weight(*streams)).sum();
    let nearest = (200 * connected + all).checked_div(2 * all)?;
    let points = if connected == 0 || connected == all { nearest } else { nearest.clamp(1, 99) };
    i64::try_from(points).ok().and_then(FailoverScore::new)
}

/// The score: empty where role and mode decide.
///
/// `started` is whether the order demands that the collector runs: a Cold standby does not look at its
/// source. `collector` is what its supervisor says; one that cedes stays at 0 whatever reports say.
#[must_use]
pub fn score(
    started: bool,
    collector: Option<FailoverScore>,
    share: Option<FailoverScore>,
) -> Option<FailoverScore> {
    match (collector, share.filter(|_| started)) {
        (Some(collector), Some(share)) => Some(collector.min(share)),
        (collector, share) => collector.or(share),
    }
}

/// The adapter's state: empty where role and mode decide.
///
/// What the supervisor says comes first, unless it says that the collector runs: then the components say
/// whether it can work. One that is connected is enough.
#[must_use]
pub fn state(
    started: bool,
    collector: Option<AdapterState>,
    components: impl Iterator<Item = DeviceStatus>,
) -> Option<AdapterState> {
    if !started || !matches!(collector, None | Some(AdapterState::Running)) {
        return collector;
    }
    let there: Vec<_> = components.filter(|status| *status != DeviceStatus::Removed).collect();
    if there.is_empty() {
        collector
    } else if there.iter().any(|status| status.is_connected()) {
        Some(AdapterState::Running)
    } else if there.contains(&DeviceStatus::Starting) {
        Some(AdapterState::Starting)
    } else if there.iter().all(|status| *status == DeviceStatus::Shutdown) {
        Some(AdapterState::Stopped)
    } else {
        Some(AdapterState::Faulted)
    }
}
