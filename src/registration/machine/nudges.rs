//! Nudges: the endpoint lets it be known that it waits for a heartbeat.
//!
//! A nudge has no authority. It brings the next heartbeat forward, and the answer decides. However many
//! come, at most one heartbeat that a nudge brought forward is under way, and at most 20 go out in a
//! second, 40 in a burst: an endpoint that is broken cannot make this adapter flood it.

use std::time::Duration;

use super::{Effect, Listen, Machine, Now, Phase, Uptime, lease};

/// How often nudges are obeyed in the long run.
const EVERY: Duration = Duration::from_millis(50);

/// How many are obeyed at once: a hand-over needs three at the most.
const BURST: u32 = 40;

/// The nudges that were not obeyed yet, and how many may be.
#[derive(Debug, Clone, Default)]
pub(super) struct Nudges {
    /// Whether one came after the last heartbeat was sent.
    waiting: bool,
    /// Whether the last heartbeat was refused such that asking oftener could only harm.
    refused: bool,
    /// When as many as ever may be obeyed at once.
    rested: Uptime,
}

impl Nudges {
    /// A heartbeat goes out, which is all that a nudge asks for; whether a nudge brought it forward.
    pub(super) fn obey(&mut self, now: Now, brought_forward: bool) {
        self.waiting = false;
        if brought_forward {
            self.rested = self.rested.max(now.uptime) + EVERY;
        }
    }

    /// A heartbeat ended; whether nudges may bring the next one forward.
    pub(super) const fn answered(&mut self, well: bool) {
        self.refused = !well;
    }

    /// A session begins.
    pub(super) const fn forget(&mut self) {
        self.waiting = false;
        self.refused = false;
    }

    /// From when on one more is obeyed.
    fn may_at(&self) -> Uptime {
        self.rested - EVERY * (BURST - 1)
    }
}

impl Machine {
    pub(super) fn nudged(&mut self) {
        self.nudges.waiting = self.phase == Phase::Joined;
    }

    /// When a nudge makes a heartbeat due, if one waits.
    pub(super) fn nudge_due(&self) -> Option<Uptime> {
        let under_way = self.flights.iter().any(|flight| flight.nudged);
        (self.nudges.waiting && !self.nudges.refused && !under_way).then(|| self.nudges.may_at())
    }

    /// Listens while it is a member at an endpoint that knows the extensions.
    pub(super) fn listen_where_it_helps(&mut self) {
        let helps = self.phase == Phase::Joined && self.native == Some(true);
        if helps == std::mem::replace(&mut self.listens, helps) {
            return;
        }
        let effect = match self.target().filter(|_| helps) {
            Some(target) => Effect::Listen(Box::new(Listen {
                group: target.group.clone(),
                session: self.identity.session.clone(),
                longest_wait: self.pace_timeout().get().min(lease::LONGEST_BACKOFF),
                jitter_seed: self.identity.jitter_seed,
            })),
            None => Effect::StopListening,
        };
        self.effects.push(effect);
    }
}
