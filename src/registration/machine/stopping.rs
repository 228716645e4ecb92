//! Stopping: permission to act has ended, and whoever acted is waited for.
//!
//! Told to stop and proven stopped are two things. Between them this adapter says that it acts, because
//! something may still: the endpoint keeps the seat for it, and nobody else acts. The wait ends when the order
//! that forbids acting is obeyed whole, or when the deadline that guard and gate hold themselves has passed; a
//! permission without a deadline (a role that was kept, an adapter that ran as if alone) ends only by being
//! obeyed.

use std::time::Duration;

use super::{
    Acting, Desired, Health, Machine, Mode, Now, Order, Phase, Reason, Role, STOP_BUDGET, TransitionKind,
    Uptime,
};

/// A stop that is not proved yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopping {
    /// The number of the order that forbids acting; empty until it is given, at the end of this step.
    order: Option<u64>,
    /// When acting has ended whatever is said: the old deadline and the time to fence. Empty where there was none.
    latest: Option<Uptime>,
    /// Whether the endpoint waits to hear of it.
    say_at_once: bool,
}

/// What waits until acting has stopped.
#[derive(Debug, Clone)]
pub(super) enum Deferred {
    /// Another configuration.
    Configure(Box<Desired>),
    /// The end of the process; at this moment it no longer waits.
    Stop(Uptime),
}

impl Machine {
    /// Whether it acts, or something of it may.
    pub(super) fn is_acting(&self) -> bool {
        self.role == Role::Primary || self.stopping.is_some()
    }

    fn protects(&self) -> bool {
        self.health.obeyed != Health::NOTHING_PROTECTED.obeyed
    }

    /// Permission to act ends now, or ended at its deadline.
    pub(super) fn begin_to_stop(&mut self, now: Now, say_at_once: bool) {
        let (acting, longest) = (std::mem::take(&mut self.acting), std::mem::take(&mut self.longest_acting));
        if acting == Acting::No && self.stopping.is_some() {
            return;
        }
        let (order, last, fence) = if self.protects() {
            let keeps = self.loss.keeps_role(self.is_buffered());
            let grace = if keeps { Order::KEPT_ROLE_GRACE } else { Duration::ZERO };
            (None, longest, STOP_BUDGET + grace)
        } else {
            (Some(0), acting, Duration::ZERO)
        };
        let latest = match last {
            Acting::Until(end) => Some(end + fence),
            Acting::Unbounded => None,
            Acting::No => Some(now.uptime),
        };
        self.stopping = Some(Stopping { order, latest, say_at_once });
        self.end_stop(now);
    }

    /// Whatever acts, it acts for no group any more.
    pub(super) fn stop_for_the_group(&mut self, now: Now) {
        if self.stopping.take().is_some() {
            self.note_stopped(now.uptime);
        }
    }

    fn note_stopped(&mut self, at: Uptime) {
        self.applied_since = Some(at);
        // What may act again is only the answer to a question asked from now on (R5).
        self.act_from = self.sequence + 1;
    }

    /// The order that this step gave has this number.
    pub(super) fn number_stop(&mut self, order: u64) {
        if let Some(stopping) = self.stopping.as_mut() {
            stopping.order.get_or_insert(order);
        }
    }

    /// Looks whether acting has stopped, and goes on with what waited for it.
    pub(super) fn look_whether_stopped(&mut self, now: Now) {
        self.end_stop(now);
        let waits = self.stopping.is_some();
        match self.deferred.take() {
            Some(Deferred::Configure(desired)) if !waits => self.configure(now, *desired),
            Some(Deferred::Stop(by)) if !waits || now.uptime >= by => self.stop_for_good(now),
            still => self.deferred = still,
        }
    }

    /// When [`Machine::look_whether_stopped`] has something to see even if nothing is said.
    pub(super) fn stop_ends_at(&self) -> Option<Uptime> {
        let by = match self.deferred {
            Some(Deferred::Stop(by)) => Some(by),
            Some(Deferred::Configure(_)) | None => None,
        };
        let latest = self.stopping.and_then(|stopping| stopping.latest);
        [by, latest].into_iter().flatten().min()
    }

    fn end_stop(&mut self, now: Now) {
        let Some(stopping) = self.stopping else { return };
        let obeyed = stopping.order.is_some_and(|order| self.health.obeyed >= order);
        let over = stopping.latest.is_some_and(|latest| now.uptime >= latest);
        if !obeyed && !over {
            return;
        }
        self.stopping = None;
        // Past its deadline it did not act any more, whenever that is noticed.
        self.note_stopped(stopping.latest.map_or(now.uptime, |latest| now.uptime.min(latest)));
        if self.is_joining() {
            // The endpoint was not asked until now.
            self.last_contact = now.uptime;
        }
        if stopping.say_at_once {
            // The seat is free as soon as the endpoint hears that acting has stopped.
            self.due = now.uptime;
        }
    }

    /// Puts a new configuration off until acting has stopped, if that is needed; whether it is put off.
    ///
    /// Who leaves its group to run as if alone does not stop: it acts on, but for nobody's group.
    pub(super) fn stops_first(&mut self, now: Now, desired: &Desired) -> bool {
        let alone = match desired {
            Desired::Nothing => true,
            Desired::Target(target) => target.mode == Mode::None,
            Desired::Unusable(_) => false,
        };
        if alone || !self.is_member() || !self.is_acting() {
            return false;
        }
        if self.role == Role::Primary {
            let because = "the configuration was changed".to_owned();
            self.become_secondary(now, TransitionKind::Role, Reason::ConfigurationChanged, because);
        }
        let waits = self.stopping.is_some();
        if waits {
            self.deferred = Some(Deferred::Configure(Box::new(desired.clone())));
        }
        waits
    }

    /// The process is to stop; it waits until `by` for whoever acts.
    pub(super) fn stop(&mut self, now: Now, by: Uptime) {
        // Whoever was Primary when it stopped may take the role back when a whole plant restarts.
        self.was_primary_at_stop = self.role == Role::Primary;
        if self.was_primary_at_stop && self.is_member() {
            self.become_secondary(now, TransitionKind::Role, Reason::Stopping, "the server stops".to_owned());
        }
        self.deferred = Some(Deferred::Stop(by));
    }

    /// Whether it has stopped for good.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.phase == Phase::Stopped
    }
}
