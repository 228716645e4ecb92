//! Streams for whoever watches: a state whenever it changes, and every second in any case.
//!
//! A browser does not show a page the comments that keep a stream alive. By the event of each second
//! the page knows that what it shows is true now; a stream without one for some seconds is broken.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use axum::{
    http::StatusCode,
    response::{Response, sse::Event},
};
use futures_util::{StreamExt, stream};
use tokio::sync::watch;

use super::{
    adapter::Adapter,
    caller::Warnings,
    events,
    kit::{Failure, internal, to_json},
    traffic::Cause,
};
use crate::{
    clock::{self, Alarm},
    crowd::{Admission, Crowd, Who},
    domain::{GroupId, GroupKey, GroupOverview, Place, Standing, Transition},
    endpoint::{Endpoint, GroupEvent, Listener},
    store::HistoryQuery,
    wire::{
        events::CHANGE,
        group::{ChangeBody, StatusBody},
        overview::{GROUPS, OverviewEventBody},
    },
};

/// How often a state is told that did not change.
const EVERY: Duration = Duration::from_secs(1);

/// The least time between two events of a state, which may change with each heartbeat.
const LEAST: Duration = Duration::from_millis(50);

/// Streams of a kind at the same time, and of one user or source: each costs some milliseconds in a second.
const MOST_WATCHERS: usize = 96;
const MOST_WATCHERS_OF_ONE: usize = 64;

/// The event that carries `diagnostics/Failover`.
const FAILOVER: &str = "Failover";

/// The event that tells of new rows in the adapter's history.
const HISTORY: &str = "History";

/// The event that carries a group's state.
const STATUS: &str = "Status";

/// How many may watch.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Crowd>);

impl Places {
    pub(super) fn new() -> Self {
        Self(Crowd::new(MOST_WATCHERS, MOST_WATCHERS_OF_ONE))
    }

    fn take(&self, who: Who) -> Result<Admission, Failure> {
        self.0.admit(who).ok_or_else(too_many)
    }
}

pub(super) fn too_many() -> Failure {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Too many watch.",
        format!(
            "{MOST_WATCHERS} streams of this kind are open, or {MOST_WATCHERS_OF_ONE} for this user or from there, which is \
             the most."
        ),
        "Close pages that nobody looks at, or GET the state itself from time to time.",
    )
    .retry_after(10)
    .because(Cause::TooManyStreams)
}

/// Something that is told in pieces, one after the other.
trait Told: Send + 'static {
    /// Waits until there is something to tell; `None` when the stream is over.
    fn wait(&mut self, alarm: &mut Alarm) -> impl Future<Output = io::Result<Option<()>>> + Send;

    /// What is to be told now.
    fn tell(&mut self) -> impl Future<Output = Vec<Event>> + Send;
}

/// The answer that tells at once, and then after each wait, as long as it has its place.
fn answer(told: impl Told, place: Admission) -> Result<Response, Failure> {
    let alarm = Alarm::new().map_err(internal)?;
    let start = (told, alarm, place, false);
    let pieces = stream::unfold(start, async |(mut told, mut alarm, place, begun)| {
        if begun {
            match told.wait(&mut alarm).await {
                Ok(more) => more?,
                Err(error) => {
                    tracing::error!(%error, "a stream ends, as it has no timer");
                    return None;
                }
            }
        }
        Some((told.tell().await, (told, alarm, place, true)))
    });
    Ok(events::answer(pieces.flat_map(stream::iter)))
}

fn event(name: &str, data: &impl serde::Serialize) -> Event {
    Event::default().event(name).data(to_json(data))
}

/// Where the adapter stands, and that its history grew.
struct Failover {
    adapter: Adapter,
    warnings: Warnings,
    standing: watch::Receiver<Standing>,
    newest: Option<Transition>,
}

/// The stream of `diagnostics/Failover`.
pub(super) fn of_failover(
    adapter: Adapter,
    warnings: Warnings,
    who: Who,
    places: &Places,
) -> Result<Response, Failure> {
    let standing = adapter.standing.clone();
    answer(Failover { adapter, warnings, standing, newest: None }, places.take(who)?)
}

impl Told for Failover {
    async fn wait(&mut self, alarm: &mut Alarm) -> io::Result<Option<()>> {
        alarm.after(LEAST).await?;
        // The role ends with its lease, without anybody saying so.
        let lease = self.standing.borrow().lease_remaining(clock::now().uptime);
        let next = lease.filter(|left| !left.is_zero()).map_or(EVERY, |left| left.min(EVERY));
        tokio::select! {
            changed = self.standing.changed() => Ok(changed.ok()),
            waited = alarm.after(next) => waited.map(Some),
        }
    }

    async fn tell(&mut self) -> Vec<Event> {
        self.standing.mark_unchanged();
        let mut told = vec![event(FAILOVER, &self.adapter.failover_body(&self.warnings))];
        let one = HistoryQuery { from: None, to: None, kind: None, before: None, limit: 1 };
        // A store that cannot be read now is asked again in a second.
        if let Ok(mut page) = self.adapter.store.history(&one).await {
            let newest = page.rows.pop();
            if newest != self.newest {
                self.newest = newest;
                told.push(event(HISTORY, &serde_json::Map::new()));
            }
        }
        told
    }
}

/// A group's state, and what happens in it.
struct Status {
    endpoint: Endpoint,
    key: GroupKey,
    warnings: Warnings,
    listener: Listener,
    change: Option<Event>,
}

/// The stream of a group's status.
pub(super) fn of_status(
    endpoint: Endpoint,
    key: GroupKey,
    warnings: Warnings,
    who: Who,
    places: &Places,
) -> Result<Response, Failure> {
    let (place, listener) = (places.take(who.clone())?, endpoint.listen(&key, who)?);
    answer(Status { endpoint, key, warnings, listener, change: None }, place)
}

impl Told for Status {
    async fn wait(&mut self, alarm: &mut Alarm) -> io::Result<Option<()>> {
        let next = clock::now().uptime + EVERY;
        loop {
            tokio::select! {
                waited = alarm.until(next) => return waited.map(Some),
                heard = self.listener.next() => match heard {
                    None => return Ok(None),
                    Some(GroupEvent::Nudge(_)) => {}
                    Some(GroupEvent::Change(change)) => {
                        self.change = Some(event(CHANGE, &ChangeBody::told(&change)));
                        return Ok(Some(()));
                    }
                },
            }
        }
    }

    async fn tell(&mut self) -> Vec<Event> {
        let status = self
            .endpoint
            .status(&self.key)
            .map(|status| event(STATUS, &StatusBody::from(status).with_warnings(self.warnings.now())));
        self.change.take().into_iter().chain(status).collect()
    }
}

/// All groups of a place.
struct Groups {
    endpoint: Endpoint,
    place: Place,
    told: BTreeMap<GroupId, GroupOverview>,
}

/// The stream of the groups of `place` at a glance.
pub(super) fn of_groups(
    endpoint: Endpoint,
    place: Place,
    who: Who,
    places: &Places,
) -> Result<Response, Failure> {
    answer(Groups { endpoint, place, told: BTreeMap::new() }, places.take(who)?)
}

impl Told for Groups {
    async fn wait(&mut self, alarm: &mut Alarm) -> io::Result<Option<()>> {
        tokio::select! {
            () = self.endpoint.closed() => Ok(None),
            waited = alarm.after(EVERY) => waited.map(Some),
        }
    }

    async fn tell(&mut self) -> Vec<Event> {
        let since = clock::now().uptime - EVERY / 2;
        let groups = self.endpoint.overview(&self.place, since).await;
        let now: BTreeMap<_, _> = groups.into_iter().map(|group| (group.id.clone(), group)).collect();
        let gone: Vec<_> = self.told.keys().filter(|id| !now.contains_key(*id)).cloned().collect();
        let changed = now.iter().filter(|(id, group)| self.told.get(*id) != Some(*group));
        let told = event(GROUPS, &OverviewEventBody::new(changed.map(|(_, group)| group), &gone));
        self.told = now;
        vec![told]
    }
}
