//! Whether loops go round.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::watch;

/// Asks the loops that are watched whether they go round. Clones share them.
#[derive(Debug, Clone)]
pub struct Rounds(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    asked: watch::Sender<u64>,
    loops: Mutex<Vec<(&'static str, Arc<AtomicU64>)>>,
}

impl Default for Rounds {
    fn default() -> Self {
        Self(Arc::new(Inner { asked: watch::Sender::new(0), loops: Mutex::default() }))
    }
}

impl Rounds {
    /// Watches one loop more: what the others were asked already, it was not.
    #[must_use]
    pub fn watch(&self, name: &'static str) -> Pulse {
        let asked = self.0.asked.subscribe();
        let answered = Arc::new(AtomicU64::new(*asked.borrow()));
        let mut loops = self.0.loops.lock().unwrap_or_else(PoisonError::into_inner);
        loops.push((name, Arc::clone(&answered)));
        Pulse { asked, answered }
    }

    /// Asks all of them.
    pub fn ask(&self) {
        self.0.asked.send_modify(|asked| *asked += 1);
    }

    /// The loops that have not gone round since they were asked.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let asked = *self.0.asked.borrow();
        self.names(|answered| answered < asked)
    }

    /// All loops that are watched.
    #[must_use]
    pub fn watched(&self) -> Vec<&'static str> {
        self.names(|_| true)
    }

    fn names(&self, which: impl Fn(u64) -> bool) -> Vec<&'static str> {
        let loops = self.0.loops.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen = loops.iter().filter(|(_, answered)| which(answered.load(Ordering::Relaxed)));
        chosen.map(|(name, _)| *name).collect()
    }
}

/// A loop's end: it says that it goes round.
#[derive(Debug)]
pub struct Pulse {
    asked: watch::Receiver<u64>,
    answered: Arc<AtomicU64>,
}

impl Pulse {
    /// The loop goes round: it begins anew, now. Nothing else answers for it.
    pub fn turn(&mut self) {
        self.answered.store(*self.asked.borrow_and_update(), Ordering::Relaxed);
    }

    /// Waits until the loop is asked, so that one with nothing to do goes round all the same. Dropping the wait is
    /// harmless.
    pub async fn asked(&mut self) {
        if self.asked.changed().await.is_err() {
            // Nobody asks any more.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_that_does_not_go_round_is_missing_until_it_does() {
        let rounds = Rounds::default();
        let (mut waits, mut turns) = (rounds.watch("waits"), rounds.watch("turns"));
        assert!(rounds.missing().is_empty(), "nobody was asked yet");
        rounds.ask();
        assert_eq!(rounds.missing(), ["waits", "turns"]);
        waits.asked().await;
        assert_eq!(rounds.missing(), ["waits", "turns"], "to have been asked is no answer");
        waits.turn();
        assert_eq!(rounds.missing(), ["turns"]);
        turns.turn();
        assert!(rounds.missing().is_empty());
        rounds.ask();
        turns.turn();
        assert_eq!(rounds.missing(), ["waits"], "an answer to the question before is none");
    }

    #[tokio::test]
    async fn a_loop_that_begins_after_the_others_were_asked_is_asked_from_then_on() {
        let rounds = Rounds::default();
        let mut first = rounds.watch("first");
        rounds.ask();
        let mut late = rounds.watch("late");
        first.turn();
        assert!(rounds.missing().is_empty());
        rounds.ask();
        first.turn();
        assert_eq!(rounds.missing(), ["late"]);
        late.turn();
        assert!(rounds.missing().is_empty());
    }
}
