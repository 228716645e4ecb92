//! Leaving: acting stops, and the session is given up.

use std::time::Duration;

use super::{Acting, AdapterState, Effect, Farewell, Machine, Now, Phase, Reason, Role, TransitionKind};

/// The longest farewell: short enough for a shutdown within 10 s, whatever hangs.
const LONGEST_FAREWELL: Duration = Duration::from_secs(4);

impl Machine {
    /// Stops acting, and gives the session up where the endpoint may know it.
    pub(super) fn leave(&mut self, now: Now, reason: Reason, because: &str) {
        let Some(target) = self.target().cloned().filter(|_| self.is_member()) else {
            return self.begin_to_stop(now, false);
        };
        self.may_take_back = false;
        if self.role == Role::Primary {
            self.become_secondary(now, TransitionKind::Role, reason, because.to_owned());
        }
        if reason != Reason::Stopping {
            // It leaves to run as if alone: whoever has to stop first has stopped before.
            self.stop_for_the_group(now);
        }
        if self.may_be_registered {
            let explanation = format!("{because}; the session is given up at {}", self.endpoint_name());
            self.record(now, TransitionKind::Unregistered, reason, explanation);
            let farewell = Farewell {
                endpoint: target.endpoint.clone(),
                group: target.group.clone(),
                session: self.identity.session.clone(),
                // Who may still act says no last word: it would keep the seat for another T.
                heartbeats: if self.is_acting() { Vec::new() } else { self.last_heartbeats(now) },
                at_most: self.pace_timeout().get().min(LONGEST_FAREWELL),
            };
            self.farewells.push((target.endpoint, target.group));
            self.effects.push(Effect::Farewell(Box::new(farewell)));
        }
        if reason != Reason::Stopping
            && let Some(known) = self.known(false)
        {
            self.remember(known);
        }
        self.may_be_registered = false;
        self.phase = Phase::Out;
    }

    pub(super) fn stop_for_good(&mut self, now: Now) {
        self.leave(now, Reason::Stopping, "the server stops");
        if self.was_primary_at_stop
            && let Some(known) = self.known(true)
        {
            self.remember(known);
        }
        self.acting = Acting::No;
        self.phase = Phase::Stopped;
        self.recorded_state = AdapterState::Stopped;
        self.record(
            now,
            TransitionKind::ServerStopped,
            Reason::Stopping,
            "the server was told to stop".to_owned(),
        );
    }
}
