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

    /// A loop that has not gone round since they were asked.
    #[must_use]
    pub fn missing(&self) -> Option<&'static str> {
        let (asked, loops) =
            (*self.0.asked.borrow(), self.0.loops.lock().unwrap_or_else(PoisonError::into_inner));
        let missing = loops.iter().find(|(_, answered)| answered.load(Ordering::Relaxed) < asked);
        missing.map(|(name, _)| *name)
    }
}

/// A loop's end: it says that it goes round.
#[derive(Debug)]
pub struct Pulse {
    asked: watch::Receiver<u64>,
    answered: Arc<AtomicU64>,
}

impl Pulse {
    /// That of a loop which nobody watches.
    #[must_use]
    pub fn unwatched() -> Self {
        Rounds::default().watch("")
    }

    /// The loop goes round, now.
    pub fn turn(&self) {
        self.answered.store(*self.asked.borrow(), Ordering::Relaxed);
    }

    /// Waits until the loop is asked, and answers. Dropping the wait is harmless.
    pub async fn asked(&mut self) {
        if self.asked.changed().await.is_err() {
            // Nobody asks any more.
            std::future::pending::<()>().await;
        }
        self.turn();
    }

    /// Answers whenever it is asked, for as long as it is polled: beside what waits.
    pub async fn answer(&mut self) {
        loop {
            self.asked().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_that_does_not_go_round_is_missing_until_it_does() {
        let rounds = Rounds::default();
        let (mut waits, turns) = (rounds.watch("waits"), rounds.watch("turns"));
        assert_eq!(rounds.missing(), None, "nobody was asked yet");
        rounds.ask();
        assert_eq!(rounds.missing(), Some("waits"));
        waits.asked().await;
        assert_eq!(rounds.missing(), Some("turns"));
        turns.turn();
        assert_eq!(rounds.missing(), None);
        rounds.ask();
        turns.turn();
        assert_eq!(rounds.missing(), Some("waits"), "an answer to the question before is none");
    }

    #[tokio::test]
    async fn a_loop_that_begins_after_the_others_were_asked_is_asked_from_then_on() {
        let rounds = Rounds::default();
        let first = rounds.watch("first");
        rounds.ask();
        let mut late = rounds.watch("late");
        first.turn();
        assert_eq!(rounds.missing(), None);
        rounds.ask();
        first.turn();
        assert_eq!(rounds.missing(), Some("late"));
        late.asked().await;
        assert_eq!(rounds.missing(), None);
    }
}
