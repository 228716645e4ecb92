//! Tells the history what people should know of the gate, a row for a trouble and not one for each request.

use std::{collections::HashMap, time::Duration};

use tokio::time::timeout;

use super::{lane::News, view::Route};
use crate::{
    clock,
    domain::{Reason, Standing, Transition, TransitionKind, Uptime},
    recorder::Recorder,
};

/// How soon the same trouble of the same destination is a row again; what happens in between is counted.
const PAUSE: Duration = Duration::from_secs(60);

/// How long the last rows may take to be written.
const LAST_ROWS_WAIT: Duration = Duration::from_secs(2);

/// Watches the destinations, and hands what is new to the history. The store may be slow; an order must not wait for it.
#[derive(Debug)]
pub(super) struct Newsroom {
    recorder: Recorder,
    told: HashMap<String, Told>,
}

/// What was told of one destination.
#[derive(Debug, Default)]
struct Told {
    totals: News,
    outage: bool,
    at: HashMap<Reason, Uptime>,
}

impl Newsroom {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self { recorder, told: HashMap::new() }
    }

    /// The buffer that was there at the start could not be used.
    pub(super) fn tell_damage(&self, standing: &Standing, what: String) {
        self.recorder.record(row(standing, Reason::BufferDamaged, what));
    }

    /// Looks at the destinations, and tells what is new of them.
    pub(super) fn look<'a>(&mut self, standing: &Standing, routes: impl Iterator<Item = &'a Route>) {
        let now = clock::now().uptime;
        for route in routes {
            let told = self.told.entry(route.lane.id().to_owned()).or_default();
            for (reason, explanation) in told.news(route, now) {
                self.recorder.record(row(standing, reason, explanation));
            }
        }
    }

    /// Waits until what was told is written.
    pub(super) async fn close(&self) {
        if timeout(LAST_ROWS_WAIT, self.recorder.written()).await.is_err() {
            tracing::error!("the last rows about the gate could not be written");
        }
    }
}

impl Told {
    fn news(&mut self, route: &Route, now: Uptime) -> Vec<(Reason, String)> {
        let (lane, outage) = (&route.lane, route.outage());
        let totals = lane.totals();
        let mut news = Vec::new();
        // What was dropped in vain, for what could not be written, is not counted any more.
        let dropped = totals.dropped.saturating_sub(self.totals.dropped);
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
        let overloaded = totals.overloaded - self.totals.overloaded;
        if overloaded > 0 && self.may_tell(Reason::GateOverloaded, now) {
            self.totals.overloaded = totals.overloaded;
            let text = format!(
                "the requests under way take all the memory that they may: {overloaded} for {:?} were not taken",
                lane.id()
            );
            news.push((Reason::GateOverloaded, text));
        }
        if outage.is_some() != self.outage {
            let reason = if self.outage { Reason::DestinationRestored } else { Reason::DestinationFailed };
            // That it works again is told once its failing was.
            if self.outage || self.may_tell(reason, now) {
                self.outage = outage.is_some();
                let (waiting, _) = lane.load();
                let text = match outage {
                    Some(why) => format!("the destination {:?} settles nothing: {why}", lane.id()),
                    None if lane.works() => {
                        format!("the destination {:?} settles requests again; {waiting} wait", lane.id())
                    }
                    None => format!(
                        "how the destination {:?} does is not known any more: nothing is sent to it, or it is reached in \
                         another way; {waiting} wait",
                        lane.id()
                    ),
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
    Transition::observed(standing, clock::now(), TransitionKind::Egress, reason, explanation)
}
