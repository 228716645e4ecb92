//! How often a session may be heard: who sends more than any pace asks for is told to wait.

use std::{collections::HashMap, time::Duration};

use super::{CallError, SessionId, Uptime};

/// Heartbeats at once.
const BURST: u32 = 40;

/// The time after which one more is answered: 20 a second, some times what the shortest FailoverTimeout
/// needs.
const EVERY: Duration = Duration::from_millis(50);

/// When each session may send as many as ever at once again.
#[derive(Debug, Default)]
pub(super) struct Paces(HashMap<SessionId, Uptime>);

impl Paces {
    /// Counts a heartbeat.
    pub(super) fn count(&mut self, session: &SessionId, now: Uptime) -> Result<(), CallError> {
        let rested = self.0.get(session).copied().unwrap_or_default();
        if now < rested - EVERY * (BURST - 1) {
            return Err(CallError::TooManyHeartbeats);
        }
        self.0.insert(session.clone(), rested.max(now) + EVERY);
        Ok(())
    }

    /// Forgets a session.
    pub(super) fn forget(&mut self, session: &SessionId) {
        self.0.remove(session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_at_once_and_twenty_a_second_after_that_for_each_session() {
        let (one, other) = (SessionId::new("1").unwrap(), SessionId::new("2").unwrap());
        let at = |millis| Uptime::new(Duration::from_millis(100_000 + millis));
        let mut paces = Paces::default();
        let mut heard = |session, from: u64, to: u64| {
            (from..to).filter(|millis| paces.count(session, at(*millis)).is_ok()).count()
        };
        assert_eq!(heard(&one, 0, 40), 40);
        assert_eq!(heard(&one, 40, 1_040), 20);
        assert_eq!(heard(&other, 1_040, 1_050), 10);
        assert_eq!(heard(&one, 60_000, 60_040), 40, "who was quiet may say as much again");
    }
}
