//! The collector that an adapter protects: it takes its time to stop, says late that it has stopped, or never, and
//! acts meanwhile, until the deadline at the most. It looks at its source, and says how good that is.

use client_failover::{
    domain::{Acting, FailoverScore, Health, Standing},
    registration::machine::Event as Step,
};

use super::{
    World,
    clock::{Instant, SECOND, Span},
    event::{AtSite, Event, SiteId},
    plan::{self, Source, Stops, Weather},
    site::Process,
};

/// How soon a score that changed is said to the endpoint, if all is well; with the next heartbeat at the latest.
fn said_within(timeout: Span) -> Span {
    SECOND.min(timeout * 3 / 10)
}

/// A collector, as the registration sees it.
#[derive(Debug)]
pub(crate) struct Collector {
    stops: Stops,
    obeyed: u64,
    score: Option<FailoverScore>,
    /// The order it was given last, and whether that has no deadline.
    order: u64,
    is_unbounded: bool,
}

impl Collector {
    pub(crate) const fn new(stops: Stops) -> Self {
        Self { stops, obeyed: 0, score: None, order: 0, is_unbounded: false }
    }

    pub(crate) fn health(&self) -> Health {
        Health { obeyed: self.obeyed, score: self.score, ..Health::NOTHING_PROTECTED }
    }
}

/// What a process has last said of its score.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Said(Option<FailoverScore>);

impl World {
    /// Gives the collector at `site` the order of `standing`; until when what acted may still write, where it has
    /// to stop: it stops by itself at the deadline.
    pub(crate) fn order_collector(&mut self, site: SiteId, standing: &Standing) -> Option<Instant> {
        let pid = self.sites[site].pid().unwrap_or(0);
        let (now, soon) = (self.now, plan::soon(self.plan.timeout));
        let collector = self.sites[site].native()?.collector.as_mut()?;
        if collector.order == standing.order {
            return None;
        }
        collector.order = standing.order;
        let was_unbounded =
            std::mem::replace(&mut collector.is_unbounded, standing.acting == Acting::Unbounded);
        let Stops { after, says_after } = collector.stops;
        let stops = standing.acting == Acting::No;
        let takes = match after {
            _ if !stops => Some(0),
            Some(takes) if was_unbounded => Some(takes.min(soon)),
            None if was_unbounded => Some(soon),
            after => after,
        };
        if let Some(takes) = takes {
            let order = AtSite::Obeyed(standing.order);
            self.push(takes + says_after, Event::Site(site, pid, order));
        }
        // Role and mode may make another score, at once or once the source was started.
        self.push(0, Event::Site(site, pid, AtSite::Look));
        if let Source::SlowStart(span) = self.sites[site].member.source {
            self.push(span, Event::Site(site, pid, AtSite::Look));
        }
        stops.then(|| takes.map_or(Instant::MAX, |takes| now + takes))
    }

    /// The collector at `site` has obeyed an order whole, and says so.
    pub(crate) fn order_obeyed(&mut self, site: SiteId, order: u64) {
        let Some(native) = self.sites[site].native() else { return };
        let Some(collector) = native.collector.as_mut().filter(|collector| collector.obeyed < order) else {
            return;
        };
        collector.obeyed = order;
        native.inbox.push_back(Step::Health(collector.health()));
        self.go_on(site);
    }

    /// Looks at the source whenever an alternating one changes.
    pub(crate) fn watch_source(&mut self, site: SiteId) {
        let pid = self.sites[site].pid().unwrap_or(0);
        if let Source::Alternating(span, ..) = self.sites[site].member.source {
            self.push(span - self.now % span, Event::Site(site, pid, AtSite::Source));
        }
        self.say_score(site);
    }

    /// What the source is worth is said, if it is another than before.
    pub(crate) fn say_score(&mut self, site: SiteId) {
        if self.sites[site].member.source == Source::Own {
            return;
        }
        let pid = self.sites[site].pid().unwrap_or(0);
        let acting = self.judge.sink.has_permit(self.now, pid);
        let score = self.sites[site].score(self.now, acting, FailoverScore::FULL);
        let Some(native) = self.sites[site].native() else { return };
        let Some(collector) = native.collector.as_mut().filter(|collector| collector.score != Some(score))
        else {
            return;
        };
        collector.score = Some(score);
        native.inbox.push_back(Step::Health(collector.health()));
        if native.listens.is_some() && native.stops_by.is_none() && self.says_at_once(site) {
            let since = self.now;
            self.push(said_within(self.plan.timeout), Event::Site(site, pid, AtSite::Said(score, since)));
        }
        self.go_on(site);
    }

    /// Whether nothing on the way keeps news from being said at once.
    fn says_at_once(&self, site: SiteId) -> bool {
        let well = self.plan.weather == Weather::default() && !self.plan.stalls;
        let place = &self.sites[site];
        well && self.plan.freezes_between == 0
            && self.endpoint.is_up()
            && !self.endpoint.mood.is_bad()
            && place.link.is_good(self.now)
            && self.healed_at.is_none()
            && place.process.as_ref().is_some_and(Process::is_answered)
    }

    pub(crate) fn note_said(&mut self, site: SiteId, score: FailoverScore) {
        if let Some(process) = self.sites[site].process.as_mut() {
            process.said = Said(Some(score));
        }
    }

    /// A score that changed at `since` has been said by now, if it still holds and nothing happened meanwhile.
    pub(crate) fn judge_score(&mut self, site: SiteId, score: FailoverScore, since: Instant) {
        let place = &mut self.sites[site];
        let Some(Said(said)) = place.process.as_ref().map(|process| process.said) else { return };
        let Some(native) = place.native() else { return };
        // Who has not stopped yet scores nothing, whatever its source is worth.
        let holds = native
            .collector
            .as_ref()
            .is_some_and(|collector| collector.score == Some(score) && collector.obeyed >= collector.order);
        let undisturbed = native.listens.is_some() && self.judge.disturbed < since;
        if holds && undisturbed && said != Some(score) {
            self.accuse(
                "ScoreUnheard",
                format!("the score at site {site} became {score}, and nobody was told"),
            );
        }
    }
}
