//! Leaving: acting stops, and the session is given up.

use std::time::Duration;

use super::{Acting, AdapterState, Effect, Farewell, Machine, Now, Phase, Reason, Role, TransitionKind};

/// The longest farewell: short enough for a shutdown within 10 s, whatever hangs.
const LONGEST_FAREWELL: Duration = Duration::from_secs(4);

impl Machine {
    /// Stops acting, and gives the session up where the endpoint may know it.
    pub(super) fn leave(&mut self, now: Now, reason: Reason, because: &str) {
        self.acting = Acting::No;
        let Some(target) = self.target().cloned().filter(|_| self.is_member()) else { return };
        self.may_take_back = false;
        if self.role == Role::Primary {
            self.become_secondary(now, TransitionKind::Role, reason, because.to_owned());
        }
        if self.may_be_registered {
            let explanation = format!("{because}; the session is given up at {}", self.endpoint_name());
            self.record(now, TransitionKind::Unregistered, reason, explanation);
            let farewell = Farewell {
                endpoint: target.endpoint.clone(),
                group: target.group.clone(),
                session: self.identity.session.clone(),
                heartbeats: self.last_heartbeats(now),
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

    pub(super) fn stop(&mut self, now: Now) {
        // Whoever was Primary when it stopped may take the role back when a whole plant restarts.
        let was_primary = self.role == Role::Primary;
        self.leave(now, Reason::Stopping, "the server stops");
        if was_primary && let Some(known) = self.known(true) {
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
