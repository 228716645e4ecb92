//! Heartbeats that do not wait for their time: the endpoint lets it be known that it waits for one, or there is
//! news that it should hear.
//!
//! A nudge has no authority. It brings the next heartbeat forward, and the answer decides. However many come,
//! at most one heartbeat that was brought forward is under way, and nudges send at most 20 in a second, 40 in a
//! burst: an endpoint that is broken cannot make this adapter flood it. A score that changes sends at most two in
//! a second, four in a burst: a source that comes and goes says nothing by doing so faster.

use std::time::Duration;

use super::{Effect, FailoverScore, Health, Listen, Machine, Now, Phase, Uptime, lease};

/// Why heartbeats are to be brought forward, and how often they may be.
#[derive(Debug, Clone)]
pub(super) struct Hurry {
    /// How often in the long run.
    every: Duration,
    /// How many at once.
    burst: u32,
    /// Whether there was a reason after the last heartbeat was sent.
    waiting: bool,
    /// Whether the last heartbeat was refused such that asking oftener could only harm.
    refused: bool,
    /// When as many as ever may be brought forward at once.
    rested: Uptime,
}

impl Hurry {
    /// For nudges: a hand-over needs three at the most.
    pub(super) const NUDGES: Self = Self::at_most(Duration::from_millis(50), 40);

    /// For news of the score.
    pub(super) const NEWS: Self = Self::at_most(Duration::from_millis(500), 4);

    const fn at_most(every: Duration, burst: u32) -> Self {
        Self { every, burst, waiting: false, refused: false, rested: Uptime::new(Duration::ZERO) }
    }

    /// A heartbeat goes out, which is all that is asked for; whether it was brought forward.
    pub(super) fn obey(&mut self, now: Now, brought_forward: bool) {
        if std::mem::take(&mut self.waiting) && brought_forward {
            self.rested = self.rested.max(now.uptime) + self.every;
        }
    }

    /// A heartbeat ended; whether the next one may be brought forward.
    pub(super) const fn answered(&mut self, well: bool) {
        self.refused = !well;
    }

    /// A session begins.
    pub(super) const fn forget(&mut self) {
        self.waiting = false;
        self.refused = false;
    }

    /// From when on one more may be brought forward, if there is a reason.
    fn due(&self) -> Option<Uptime> {
        (self.waiting && !self.refused).then(|| self.rested - self.every * (self.burst - 1))
    }
}

impl Machine {
    pub(super) fn nudged(&mut self) {
        self.nudges.waiting = self.phase == Phase::Joined;
    }

    /// Takes in what those who obey orders say. A score that changed is heard by the endpoint at once.
    pub(super) fn learn_health(&mut self, health: Health) {
        let before: FailoverScore = self.score();
        self.health = health;
        if self.score() != before {
            self.news.waiting = self.phase == Phase::Joined;
        }
    }

    /// Why heartbeats may be brought forward, each with its bound.
    pub(super) const fn hurries(&mut self) -> [&mut Hurry; 2] {
        [&mut self.nudges, &mut self.news]
    }

    /// When a nudge or news makes a heartbeat due, if one waits.
    pub(super) fn hurry_due(&self) -> Option<Uptime> {
        let under_way = self.flights.iter().any(|flight| flight.hurried);
        [&self.nudges, &self.news].into_iter().filter_map(Hurry::due).min().filter(|_| !under_way)
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
