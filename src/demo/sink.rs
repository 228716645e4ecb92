//! The sink: where the samples arrive, and what is known of them.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{clock, domain::Uptime};

/// The highest number of a sample: ten days of them, which bounds the memory.
const HIGHEST: usize = 10_000_000;

/// A destination that counts. It ends when it is dropped.
pub(super) struct Sink {
    address: SocketAddr,
    ledger: Arc<Mutex<Ledger>>,
    _serving: JoinSet<io::Result<()>>,
}

impl Sink {
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, ledger) = (listener.local_addr()?, Arc::default());
        let router = Router::new().route("/samples", post(take)).with_state(Arc::clone(&ledger));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, ledger, _serving: serving })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn totals(&self) -> Totals {
        self.ledger().totals()
    }

    /// Begins to look anew at who sends; gives what was so far.
    pub(super) fn mark(&self) -> Mark {
        self.ledger().mark()
    }

    /// What happened since `mark` between the samples of `old` and those of `new`; none before the first of `new`.
    pub(super) fn since(&self, mark: &Mark, old: &str, new: &str) -> Option<Account> {
        self.ledger().since(mark, old, new)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a sample; the gate says whose it is.
async fn take(State(ledger): State<Arc<Mutex<Ledger>>>, headers: HeaderMap, body: String) -> StatusCode {
    let sender = headers.get("x-failover-session").and_then(|sender| sender.to_str().ok());
    let number = body.parse().ok().filter(|number| *number <= HIGHEST);
    let (Some(sender), Some(number)) = (sender, number) else { return StatusCode::BAD_REQUEST };
    let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    ledger.take(sender, number, clock::now().uptime);
    StatusCode::NO_CONTENT
}

/// What arrived altogether.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Totals {
    /// Different samples.
    pub(super) samples: usize,
    /// Numbers between the first and the last that did not arrive.
    pub(super) missing: usize,
    /// Arrivals of a sample that was there.
    pub(super) twice: usize,
}

/// What was known at a moment.
#[derive(Debug, Clone)]
pub(super) struct Mark(Totals);

/// What happened since a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    /// What lay between the last sample of the old Primary and the first of the new.
    pub(super) between: Between,
    pub(super) missing: usize,
    pub(super) twice: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// Nothing came for so long.
    Nothing(Duration),
    /// Both sent for so long.
    Both(Duration),
}

#[derive(Debug, Default)]
struct Ledger {
    /// Whether each number has arrived.
    arrived: Vec<bool>,
    lowest: Option<usize>,
    samples: usize,
    twice: usize,
    /// When each sender's last sample arrived.
    last: BTreeMap<String, Uptime>,
    /// When each sender's first sample since the mark arrived.
    first: BTreeMap<String, Uptime>,
}

impl Ledger {
    fn take(&mut self, sender: &str, number: usize, now: Uptime) {
        self.last.insert(sender.to_owned(), now);
        self.first.entry(sender.to_owned()).or_insert(now);
        // A standby may have kept what came before the pair's first moment.
        if number < *self.lowest.get_or_insert(number) {
            return;
        }
        if self.arrived.len() <= number {
            self.arrived.resize(number + 1, false);
        }
        if std::mem::replace(&mut self.arrived[number], true) { self.twice += 1 } else { self.samples += 1 }
    }

    fn totals(&self) -> Totals {
        let expected = self.lowest.map_or(0, |lowest| self.arrived.len() - lowest);
        Totals { samples: self.samples, missing: expected - self.samples, twice: self.twice }
    }

    fn mark(&mut self) -> Mark {
        self.first.clear();
        Mark(self.totals())
    }

    fn since(&self, Mark(before): &Mark, old: &str, new: &str) -> Option<Account> {
        let first = *self.first.get(new)?;
        let between = match self.last.get(old) {
            Some(last) if *last > first => Between::Both(last.since(first)),
            Some(last) => Between::Nothing(first.since(*last)),
            None => Between::Nothing(Duration::ZERO),
        };
        let now = self.totals();
        Some(Account {
            between,
            missing: now.missing.saturating_sub(before.missing),
            twice: now.twice - before.twice,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Uptime {
        Uptime::new(Duration::from_millis(millis))
    }

    #[test]
    fn a_hole_is_missing_until_it_is_filled_and_a_second_arrival_is_one_too_many() {
        let mut ledger = Ledger::default();
        for (number, totals) in [
            (5, (1, 0, 0)),
            (4, (1, 0, 0)),
            (6, (2, 0, 0)),
            (9, (3, 2, 0)),
            (6, (3, 2, 1)),
            (7, (4, 1, 1)),
            (8, (5, 0, 1)),
        ] {
            ledger.take("A", number, at(0));
            let (samples, missing, twice) = totals;
            assert_eq!(ledger.totals(), Totals { samples, missing, twice }, "after {number}");
        }
    }

    #[test]
    fn since_a_mark_it_is_known_what_lay_between_two_senders() {
        let mut ledger = Ledger::default();
        ledger.take("A", 1, at(100));
        let mark = ledger.mark();
        ledger.take("A", 2, at(200));
        assert_eq!(ledger.since(&mark, "A", "B"), None, "B has not sent");
        ledger.take("B", 2, at(1_200));
        ledger.take("B", 4, at(1_300));
        let account = |between| Account { between, missing: 1, twice: 1 };
        let nothing = Between::Nothing(Duration::from_secs(1));
        assert_eq!(ledger.since(&mark, "A", "B"), Some(account(nothing)));
        ledger.take("A", 5, at(1_500));
        let both = Between::Both(Duration::from_millis(300));
        assert_eq!(ledger.since(&mark, "A", "B"), Some(account(both)));
    }
}
