//! A stock member: a small model of the vendor's adapter, which knows neither leases nor epochs.
//!
//! It registers, sends a heartbeat at once, after a second, then every T/2, one at a time. Told
//! PendingPrimary it asks again at once, ten times at most. It keeps its role when the endpoint is lost,
//! and registers again when the endpoint does not know it.

use client_failover::{
    domain::{CallFailure, ClientRole, FailoverScore, FailureKind, Heartbeat},
    registration::machine::{Answer, Call},
};

use super::{
    World,
    clock::{Instant, SECOND, Span},
    endpoint::{group_id, span},
    event::{Ask, AtSite, Event, Route, SiteId},
    plan,
};

const MOST_CONFIRMATIONS: u32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Group,
    Session,
    Heartbeats,
}

/// A stock member's process.
#[derive(Debug)]
pub(crate) struct Stock {
    stage: Stage,
    acts: bool,
    /// The call under way.
    call: Option<u32>,
    calls: u32,
    beats: u32,
    confirmations: u32,
    due: Instant,
    /// When the call under way is given up.
    ends: Instant,
}

impl Stock {
    pub(crate) const fn new() -> Self {
        Self {
            stage: Stage::Group,
            acts: false,
            call: None,
            calls: 0,
            beats: 0,
            confirmations: 0,
            due: 0,
            ends: 0,
        }
    }
}

impl Stock {
    /// By when it asks the endpoint, if all is well from `now` on: it has one call under way at a time.
    pub(crate) fn asks_by(&self, now: Instant) -> Instant {
        self.call.map_or(now, |_| self.ends.max(now))
    }
}

impl World {
    /// Asks what is due, or waits until it is.
    pub(crate) fn beat_stock(&mut self, site: SiteId) {
        let now = self.now;
        let Some(config) = self.sites[site].disk.config else { return };
        if !self.sites[site].runs() {
            return;
        }
        let session = self.sites[site].disk.session.clone();
        let pid = self.sites[site].pid().unwrap_or(0);
        let Some(stock) = self.sites[site].stock() else { return };
        if stock.call.is_some() {
            return;
        }
        if now < stock.due {
            let due = stock.due;
            return self.queue.push(due, Event::Site(site, pid, AtSite::Alarm));
        }
        let group = group_id(config.group);
        let call = match stock.stage {
            Stage::Group => Call::CreateGroup(group, config.timeout),
            Stage::Session => Call::CreateSession(group, session, None),
            Stage::Heartbeats => {
                let heartbeat = Heartbeat { score: FailoverScore::FULL, last_data: None, native: None };
                Call::Heartbeat(group, session, heartbeat)
            }
        };
        stock.calls += 1;
        let id = stock.calls;
        stock.call = Some(id);
        stock.ends = now + span(config.timeout);
        self.time_out(site, Route::Stock(id), config.timeout.get());
        self.ask(site, Route::Stock(id), Ask::Call(call));
    }

    pub(crate) fn stock_answered(&mut self, site: SiteId, call: u32, outcome: Result<Answer, CallFailure>) {
        let (now, half) = (self.now, self.pace_of_stock(site));
        let Some(stock) = self.sites[site].stock().filter(|stock| stock.call == Some(call)) else { return };
        stock.call = None;
        match (stock.stage, outcome) {
            (Stage::Group, Ok(_) | Err(CallFailure { kind: FailureKind::Conflict, .. })) => {
                (stock.stage, stock.due) = (Stage::Session, now);
            }
            (Stage::Session, Ok(_) | Err(CallFailure { kind: FailureKind::Conflict, .. })) => {
                (stock.stage, stock.due, stock.beats) = (Stage::Heartbeats, now, 0);
            }
            (Stage::Heartbeats, Ok(Answer::Heartbeat(answer))) => {
                stock.beats += 1;
                stock.due = now + if stock.beats == 1 { SECOND.min(half) } else { half };
                match answer.role {
                    ClientRole::PendingPrimary if stock.confirmations < MOST_CONFIRMATIONS => {
                        stock.confirmations += 1;
                        stock.due = now;
                    }
                    ClientRole::PendingPrimary => {}
                    ClientRole::Primary => self.stock_acts(site, true),
                    ClientRole::Secondary => self.stock_acts(site, false),
                }
            }
            (_, Err(CallFailure { kind: FailureKind::NotFound, .. })) => {
                (stock.stage, stock.due) = (Stage::Group, now + SECOND.min(half));
            }
            (_, outcome) => {
                stock.due = now + half;
                let timed_out = matches!(&outcome, Err(failure) if failure.kind == FailureKind::TimedOut);
                if timed_out && let Some(process) = self.sites[site].process.as_mut() {
                    // A connection that hung is not used again.
                    process.port = process.port.wrapping_add(1);
                }
            }
        }
    }

    /// A stock member keeps the pace of T as it is configured.
    fn pace_of_stock(&self, site: SiteId) -> Span {
        self.sites[site].disk.config.map_or(plan::T, |config| span(config.timeout)) / 2
    }

    fn stock_acts(&mut self, site: SiteId, acts: bool) {
        let now = self.now;
        let Some(config) = self.sites[site].disk.config else { return };
        let pid = self.sites[site].pid().unwrap_or(0);
        let Some(stock) = self.sites[site].stock() else { return };
        stock.confirmations = 0;
        if stock.acts != acts {
            stock.acts = acts;
            if let Some(process) = self.sites[site].process.as_mut() {
                process.turned = now;
            }
            self.log(|_| format!("site {site}: stock member acts: {acts}"));
            let accused = self.judge.sink.stock(now, site, pid, acts.then(|| group_id(config.group)));
            self.accuse_if(accused);
        }
    }
}
