//! A changed configuration: stay in the group, change it, or leave failover.

use std::time::Duration;

use super::{Acting, Deferred, Desired, Effect, Machine, Mode, Now, Reason, Role, TransitionKind};

/// How long a call may be under way before a change of the configuration gives it up.
const HANGING: Duration = Duration::from_secs(1);

impl Machine {
    pub(super) fn configure(&mut self, now: Now, desired: Desired) {
        if matches!(self.deferred, Some(Deferred::Stop(_))) {
            return;
        }
        self.deferred = None;
        if desired == self.desired && self.reason != Reason::Started {
            return;
        }
        let stays = match (self.target(), &desired) {
            (Some(old), Desired::Target(new)) => {
                self.is_member() && new.mode != Mode::None && old.same_group(new)
            }
            _ => false,
        };
        if !stays && self.stops_first(now, &desired) {
            return;
        }
        if !stays {
            self.leave(now, Reason::ConfigurationChanged, "the configuration was changed");
        }
        if self.reason == Reason::Started {
            let explanation = match &self.identity.known {
                _ if self.identity.copied => {
                    "the server started; its data folder was copied, or moved to another disk, since it last ran"
                }
                Some(known) if known.was_primary => "the server started; it was Primary when it last ran",
                Some(_) | None => "the server started",
            };
            self.record(now, TransitionKind::ServerStarted, Reason::Started, explanation.to_owned());
        }
        if stays {
            return self.change_in_place(now, desired);
        }
        self.use_newest_client(now);
        self.desired = desired;
        match &self.desired {
            Desired::Nothing => self.stand_alone(now, Reason::NotConfigured, "nothing is configured"),
            Desired::Unusable(why) => {
                let why = why.clone();
                self.role = Role::Secondary;
                self.role_since = now.wall;
                self.applied_mode = None;
                (self.reason, self.explanation) = (Reason::ConfigurationUnusable, why.clone());
                self.record(now, TransitionKind::ConfigurationUnusable, Reason::ConfigurationUnusable, why);
            }
            Desired::Target(target) if target.mode == Mode::None => {
                self.stand_alone(now, Reason::ModeNone, "the mode is None");
            }
            Desired::Target(_) => self.join(now),
        }
    }

    /// Stays in its group with another configuration.
    fn change_in_place(&mut self, now: Now, desired: Desired) {
        let client = |desired: &Desired| match desired {
            Desired::Target(target) => Some(target.client),
            Desired::Nothing | Desired::Unusable(_) => None,
        };
        // A change overtakes a call that hangs. One that is made in the same way and may yet be answered
        // goes on: a configuration that is put again and again must not keep heartbeats from being heard.
        let hangs = self.flights.iter().any(|flight| now.uptime.since(flight.sent.uptime) >= HANGING);
        if hangs || client(&self.desired) != client(&desired) {
            self.use_newest_client(now);
        }
        self.due = self.due.min(now.uptime);
        self.desired = desired;
        self.apply_mode(now, Reason::ConfigurationChanged);
        self.note_timeouts(now);
    }

    /// Gives up the calls under way, and asks anew, with the newest configuration's client, at once.
    fn use_newest_client(&mut self, now: Now) {
        self.flights.clear();
        self.effects.push(Effect::Adopt);
        self.listens = false;
        self.backoff.reset();
        self.due = now.uptime;
    }

    /// Out of failover: the collector runs as if alone.
    fn stand_alone(&mut self, now: Now, reason: Reason, because: &str) {
        self.applied_mode = self.target().map(|target| target.mode);
        // It acts on: nothing has to stop.
        self.stopping = None;
        self.permit(Acting::Unbounded);
        self.set_role(now, Role::None, reason, format!("{because}; the collector runs as if alone"));
    }
}
