//! Who may try to log in, and who must wait: pure.
//!
//! Each source may fail 10 times at once, and once every two seconds after that. An attempt counts as failed until it
//! is known to be right, so that many at one moment are no way around it. A source never keeps out another.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use crate::domain::{Uptime, network};

/// Failures at once.
pub const BURST: u32 = 10;

/// The time after which one more is allowed.
const EVERY: Duration = Duration::from_secs(2);

/// Sources that are told apart; more share what there is.
const MOST: usize = 4_096;

/// Whose failures are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Counted {
    /// Of one source.
    Source(IpAddr),
    /// Of all sources for which there is no place.
    Others,
}

/// An attempt that is under way.
#[derive(Debug)]
pub struct Attempt(Counted);

/// Failed logins, by where they came from.
#[derive(Debug, Default)]
pub struct Slowing {
    /// When as many failures as ever are allowed again.
    rested: HashMap<Counted, Uptime>,
}

impl Slowing {
    /// Whether an attempt from there may begin.
    ///
    /// # Errors
    /// When too many failed: how long it must wait.
    pub fn allowed(&mut self, from: IpAddr, now: Uptime) -> Result<(), Duration> {
        let counted = self.counted(from, now);
        self.allows(&counted, now)
    }

    /// An attempt from there begins.
    ///
    /// # Errors
    /// When too many failed, or may yet: how long it must wait.
    pub fn begin(&mut self, from: IpAddr, now: Uptime) -> Result<Attempt, Duration> {
        let counted = self.counted(from, now);
        self.allows(&counted, now)?;
        let rested = self.rested.entry(counted.clone()).or_default();
        *rested = (*rested).max(now) + EVERY;
        Ok(Attempt(counted))
    }

    /// The attempt was right, and counts no more.
    pub fn succeeded(&mut self, Attempt(counted): Attempt, now: Uptime) {
        let Some(rested) = self.rested.get_mut(&counted) else { return };
        *rested = *rested - EVERY;
        if *rested <= now {
            self.rested.remove(&counted);
        }
    }

    fn allows(&self, counted: &Counted, now: Uptime) -> Result<(), Duration> {
        let rested = self.rested.get(counted).copied().unwrap_or_default();
        let allowed_from = rested - EVERY * (BURST - 1);
        if now < allowed_from { Err(allowed_from.since(now)) } else { Ok(()) }
    }

    fn counted(&mut self, from: IpAddr, now: Uptime) -> Counted {
        let counted = Counted::Source(network(from));
        if self.rested.contains_key(&counted) {
            return counted;
        }
        if self.rested.len() >= MOST {
            self.rested.retain(|_, rested| *rested > now);
        }
        if self.rested.len() >= MOST { Counted::Others } else { counted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Uptime {
        Uptime::new(Duration::from_secs(1_000 + seconds))
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    /// How many of `attempts` may begin, of which none is right.
    fn begun(slowing: &mut Slowing, from: IpAddr, attempts: u32, now: Uptime) -> usize {
        (0..attempts).filter(|_| slowing.begin(from, now).is_ok()).count()
    }

    #[test]
    fn a_source_that_guesses_waits_and_no_other_does() {
        let mut slowing = Slowing::default();
        assert_eq!(begun(&mut slowing, HERE, 100, at(0)), 10);
        assert_eq!(slowing.allowed(HERE, at(0)), Err(Duration::from_secs(2)));
        assert_eq!(begun(&mut slowing, THERE, 100, at(0)), 10);
        assert_eq!(begun(&mut slowing, HERE, 100, at(20)), 10, "one every two seconds");
    }

    #[test]
    fn attempts_at_one_moment_are_no_more_than_one_after_the_other() {
        let mut slowing = Slowing::default();
        let under_way: Vec<Attempt> = (0..100).filter_map(|_| slowing.begin(HERE, at(0)).ok()).collect();
        assert_eq!(under_way.len(), 10);
        for attempt in under_way {
            slowing.succeeded(attempt, at(1));
        }
        assert_eq!(begun(&mut slowing, HERE, 100, at(1)), 10, "those that were right count no more");
    }

    #[test]
    fn a_plant_behind_one_address_may_log_in_all_at_once() {
        let mut slowing = Slowing::default();
        for adapter in 0..1_000 {
            let attempt = slowing.begin(HERE, at(0));
            slowing.succeeded(attempt.unwrap_or_else(|wait| panic!("{adapter} waits {wait:?}")), at(0));
        }
        assert!(slowing.rested.is_empty(), "nothing is left of who was right");
    }

    #[test]
    fn a_network_of_addresses_is_one_source() {
        let mut slowing = Slowing::default();
        let of = |last: u16| IpAddr::from([0xfd00, 0, 0, 1, 9, 9, 9, last]);
        assert_eq!((0..100).map(|last| begun(&mut slowing, of(last), 1, at(0))).sum::<usize>(), 10);
        assert_eq!(begun(&mut slowing, IpAddr::from([0xfd00, 0, 0, 2, 9, 9, 9, 1]), 1, at(0)), 1);
        let mapped = IpAddr::from(std::net::Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
        assert_eq!(begun(&mut slowing, mapped, 10, at(0)), 10);
        assert_eq!(begun(&mut slowing, HERE, 1, at(0)), 0, "an address is the same in either form");
    }

    #[test]
    fn many_sources_cost_bounded_memory_and_those_that_rest_make_room() {
        let mut slowing = Slowing::default();
        let source = |number: u32| IpAddr::from((0x0b00_0000 + number).to_be_bytes());
        for number in 0..20_000 {
            slowing.begin(source(number), at(1)).ok();
        }
        assert_eq!(slowing.rested.len(), MOST + 1);
        assert!(slowing.allowed(source(20_000), at(1)).is_err(), "those without a place share one");
        assert_eq!(slowing.allowed(source(20_000), at(4)), Ok(()));
    }
}
