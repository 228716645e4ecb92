//! Tells the history what people should know of the gate, a row for a trouble and not one for each request.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::lane::{Lane, News};
use crate::{
    clock,
    domain::{Reason, Standing, Transition, TransitionKind, Uptime},
    store::Store,
};

/// How soon the same trouble of the same destination is a row again; what happens in between is counted.
const PAUSE: Duration = Duration::from_secs(60);

/// Watches the lanes, and writes what is new.
#[derive(Debug)]
pub(super) struct Newsroom {
    store: Store,
    told: HashMap<String, Told>,
    /// Rows that the store did not take yet.
    unwritten: Vec<Transition>,
}

/// What was told of one destination.
#[derive(Debug, Default)]
struct Told {
    totals: News,
    outage: bool,
    at: HashMap<Reason, Uptime>,
}

impl Newsroom {
    pub(super) fn new(store: Store) -> Self {
        Self { store, told: HashMap::new(), unwritten: Vec::new() }
    }

    /// Looks at the lanes, and writes what is new of them.
    pub(super) async fn look(&mut self, standing: &Standing, lanes: impl Iterator<Item = &Arc<Lane>>) {
        let now = clock::now().uptime;
        for lane in lanes {
            let told = self.told.entry(lane.id().to_owned()).or_default();
            for (reason, explanation) in told.news(lane, now) {
                tracing::warn!(reason = reason.as_str(), "{explanation}");
                self.unwritten.push(row(standing, reason, explanation));
            }
        }
        if self.unwritten.is_empty() {
            return;
        }
        match self.store.record(&self.unwritten, None).await {
            Ok(()) => self.unwritten.clear(),
            Err(error) => {
                tracing::debug!(%error, "rows of the gate cannot be written; they are kept in memory")
            }
        }
    }
}

impl Told {
    fn news(&mut self, lane: &Lane, now: Uptime) -> Vec<(Reason, String)> {
        let (totals, outage) = (lane.totals(), lane.outage());
        let mut news = Vec::new();
        let dropped = totals.dropped - self.totals.dropped;
        if dropped > 0 && self.may_tell(Reason::BufferOverflowed, now) {
            self.totals.dropped = totals.dropped;
            let text = format!(
                "the buffer of {:?} is full: its oldest {dropped} requests were dropped, {} in all",
                lane.id(),
                lane.tally().dropped
            );
            news.push((Reason::BufferOverflowed, text));
        }
        let refused = totals.refused - self.totals.refused;
        if refused > 0 && self.may_tell(Reason::DestinationRefused, now) {
            self.totals.refused = totals.refused;
            let text = format!(
                "the destination {:?} refused {refused} requests, the last one with status {}; they are settled",
                lane.id(),
                totals.refused_with
            );
            news.push((Reason::DestinationRefused, text));
        }
        let turned_away = totals.turned_away - self.totals.turned_away;
        if turned_away > 0 && self.may_tell(Reason::BufferFull, now) {
            self.totals.turned_away = totals.turned_away;
            let text =
                format!("the buffer of {:?} is full: {turned_away} requests were not taken", lane.id());
            news.push((Reason::BufferFull, text));
        }
        if outage.is_some() != self.outage {
            let reason = if self.outage { Reason::DestinationRestored } else { Reason::DestinationFailed };
            // That it works again is told once its failing was.
            if self.outage || self.may_tell(reason, now) {
                self.outage = outage.is_some();
                let (waiting, _) = lane.load();
                let text = match outage {
                    Some(why) => format!("the destination {:?} settles nothing: {why}", lane.id()),
                    None => format!("the destination {:?} settles requests again; {waiting} wait", lane.id()),
                };
                news.push((reason, text));
            }
        }
        news
    }

    fn may_tell(&mut self, reason: Reason, now: Uptime) -> bool {
        let may = self.at.get(&reason).is_none_or(|told| now.since(*told) >= PAUSE);
        if may {
            self.at.insert(reason, now);
        }
        may
    }
}

fn row(standing: &Standing, reason: Reason, explanation: String) -> Transition {
    let now = clock::now();
    Transition {
        at: now.wall,
        kind: TransitionKind::Egress,
        reason,
        explanation,
        role: standing.role_at(now.uptime),
        mode: standing.applied_mode,
        adapter_state: standing.adapter_state,
        group: standing.group.clone(),
        session: standing.session.clone(),
        epoch: standing.epoch,
        score: Some(standing.score),
        last_data: standing.last_data,
        round_trip: None,
        gap_us: None,
    }
}
