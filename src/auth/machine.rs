//! Who may try to log in, and who must wait: pure.
//!
//! A name may fail 10 times at once from a source, and once every two seconds after that; a source, whatever the names, 100
//! times at once, and five times a second after that. So a neighbour behind the same address who guesses one name keeps
//! nobody else out. An attempt counts as failed until it is known to be right, so that many at one moment are no way
//! around it. A source never keeps out another.

use std::{collections::HashMap, hash::Hash, net::IpAddr, time::Duration};

use crate::domain::{Uptime, UserName, network};

/// Failures of a name at once, from one source.
pub const BURST: u32 = 10;

const OF_A_NAME: Pace = Pace { burst: BURST, every: Duration::from_secs(2) };
const OF_A_SOURCE: Pace = Pace { burst: 100, every: Duration::from_millis(200) };

/// Names and sources that are told apart. More names are counted with their source alone; more sources share what there is.
const MOST: usize = 4_096;

/// How many failures there may be.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// At once.
    burst: u32,
    /// The time after which one more is allowed.
    every: Duration,
}

/// Failures that are counted together, by what they have in common.
#[derive(Debug)]
struct Failures<K> {
    pace: Pace,
    /// When as many as ever are allowed again.
    rested: HashMap<K, Uptime>,
}

impl<K: Eq + Hash> Failures<K> {
    fn new(pace: Pace) -> Self {
        Self { pace, rested: HashMap::new() }
    }

    /// Whether those of `key` can be told apart.
    fn has_place(&mut self, key: &K, now: Uptime) -> bool {
        if self.rested.len() >= MOST && !self.rested.contains_key(key) {
            self.rested.retain(|_, rested| *rested > now);
        }
        self.rested.len() < MOST || self.rested.contains_key(key)
    }

    fn allows(&self, key: &K, now: Uptime) -> Result<(), Duration> {
        let rested = self.rested.get(key).copied().unwrap_or_default();
        let allowed_from = rested - self.pace.every * (self.pace.burst - 1);
        if now < allowed_from { Err(allowed_from.since(now)) } else { Ok(()) }
    }

    fn count(&mut self, key: K, now: Uptime) {
        let rested = self.rested.entry(key).or_default();
        *rested = (*rested).max(now) + self.pace.every;
    }

    fn take_back(&mut self, key: &K, now: Uptime) {
        let Some(rested) = self.rested.get_mut(key) else { return };
        *rested = *rested - self.pace.every;
        if *rested <= now {
            self.rested.remove(key);
        }
    }
}

/// An attempt that is under way.
#[derive(Debug)]
pub struct Attempt {
    /// The name and its source, where there is a place for them.
    name: Option<(IpAddr, UserName)>,
    /// The source; nothing for all for which there is no place.
    source: Option<IpAddr>,
}

/// Failed logins, by whose they were and where they came from.
#[derive(Debug)]
pub struct Slowing {
    names: Failures<(IpAddr, UserName)>,
    sources: Failures<Option<IpAddr>>,
}

impl Default for Slowing {
    fn default() -> Self {
        Self { names: Failures::new(OF_A_NAME), sources: Failures::new(OF_A_SOURCE) }
    }
}

impl Slowing {
    /// Whether an attempt of that name from there may begin.
    ///
    /// # Errors
    /// When too many failed: how long it must wait.
    pub fn allowed(&mut self, name: &UserName, from: IpAddr, now: Uptime) -> Result<(), Duration> {
        let attempt = self.counted(name, from, now);
        self.allows(&attempt, now)
    }

    /// An attempt of that name from there begins.
    ///
    /// # Errors
    /// When too many failed, or may yet: how long it must wait.
    pub fn begin(&mut self, name: &UserName, from: IpAddr, now: Uptime) -> Result<Attempt, Duration> {
        let attempt = self.counted(name, from, now);
        self.allows(&attempt, now)?;
        if let Some(name) = attempt.name.clone() {
            self.names.count(name, now);
        }
        self.sources.count(attempt.source, now);
        Ok(attempt)
    }

    /// The attempt was no failure, and counts no more.
    pub fn succeeded(&mut self, attempt: &Attempt, now: Uptime) {
        if let Some(name) = &attempt.name {
            self.names.take_back(name, now);
        }
        self.sources.take_back(&attempt.source, now);
    }

    fn allows(&self, attempt: &Attempt, now: Uptime) -> Result<(), Duration> {
        if let Some(name) = &attempt.name {
            self.names.allows(name, now)?;
        }
        self.sources.allows(&attempt.source, now)
    }

    /// With what an attempt is counted.
    fn counted(&mut self, name: &UserName, from: IpAddr, now: Uptime) -> Attempt {
        let source = network(from);
        let name = Some((source, name.clone())).filter(|name| self.names.has_place(name, now));
        Attempt { name, source: Some(source).filter(|source| self.sources.has_place(&Some(*source), now)) }
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

    fn name(name: impl ToString) -> UserName {
        UserName::new(name.to_string()).unwrap()
    }

    /// How many of `attempts` under one name may begin, of which none is right.
    fn begun(slowing: &mut Slowing, from: IpAddr, attempts: u32, now: Uptime) -> usize {
        (0..attempts).filter(|_| slowing.begin(&name("a"), from, now).is_ok()).count()
    }

    #[test]
    fn a_name_that_is_guessed_waits_where_it_is_guessed() {
        let mut slowing = Slowing::default();
        assert_eq!(begun(&mut slowing, HERE, 100, at(0)), 10);
        assert_eq!(slowing.allowed(&name("a"), HERE, at(0)), Err(Duration::from_secs(2)));
        assert_eq!(begun(&mut slowing, THERE, 100, at(0)), 10);
        assert_eq!(begun(&mut slowing, HERE, 100, at(20)), 10, "one every two seconds");
    }

    #[test]
    fn who_guesses_one_name_keeps_no_other_of_his_source_out() {
        let mut slowing = Slowing::default();
        for guess in 0..100_000 {
            let now = Uptime::new(Duration::from_secs(1_000) + Duration::from_millis(10 * guess));
            slowing.begin(&name("a"), HERE, now).ok();
            if guess % 1_000 == 0 {
                let neighbour = slowing.begin(&name("b"), HERE, now);
                slowing.succeeded(&neighbour.unwrap(), now);
            }
        }
    }

    #[test]
    fn who_guesses_many_names_is_slowed_as_a_source_and_no_other_is() {
        let mut slowing = Slowing::default();
        let mut spray =
            |from, now| (0..1_000).filter(|number| slowing.begin(&name(number), from, now).is_ok()).count();
        assert_eq!(spray(HERE, at(0)), 100);
        assert_eq!(spray(HERE, at(1)), 5);
        assert_eq!(spray(THERE, at(1)), 100);
        assert_eq!(slowing.allowed(&name("b"), HERE, at(1)), Err(Duration::from_millis(200)));
    }

    #[test]
    fn attempts_at_one_moment_are_no_more_than_one_after_the_other() {
        let mut slowing = Slowing::default();
        let under_way: Vec<Attempt> =
            (0..100).filter_map(|_| slowing.begin(&name("a"), HERE, at(0)).ok()).collect();
        assert_eq!(under_way.len(), 10);
        for attempt in under_way {
            slowing.succeeded(&attempt, at(1));
        }
        assert_eq!(begun(&mut slowing, HERE, 100, at(1)), 10, "those that were right count no more");
    }

    #[test]
    fn a_plant_behind_one_address_may_log_in_all_at_once() {
        let mut slowing = Slowing::default();
        for adapter in 0..1_000 {
            let attempt = slowing.begin(&name(adapter), HERE, at(0));
            slowing.succeeded(&attempt.unwrap_or_else(|wait| panic!("{adapter} waits {wait:?}")), at(0));
        }
        assert!(
            slowing.names.rested.is_empty() && slowing.sources.rested.is_empty(),
            "nothing is left of who was right"
        );
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
            slowing.begin(&name("a"), source(number), at(1)).ok();
        }
        assert_eq!((slowing.names.rested.len(), slowing.sources.rested.len()), (MOST, MOST + 1));
        assert!(
            slowing.allowed(&name("a"), source(20_000), at(1)).is_err(),
            "those without a place share one"
        );
        assert_eq!(slowing.allowed(&name("a"), source(20_000), at(30)), Ok(()));
    }
}
