//! Who may try to log in, and who must wait: pure.
//!
//! Each source may fail 10 times at once, and once every two seconds after that. Who has logged in from a
//! source is counted for himself there, so that a neighbour who guesses does not keep him out; and a source
//! never keeps out another.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    time::Duration,
};

use crate::domain::{Uptime, UserName, network};

/// Failures at once.
const BURST: u32 = 10;

/// The time after which one more is allowed.
const EVERY: Duration = Duration::from_secs(2);

/// Sources that are told apart, and logins that are known; more share what there is.
const MOST: usize = 4_096;

/// Whose failures are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Counted {
    /// Of one that has logged in from there before.
    Known(IpAddr, UserName),
    /// Of everybody else there.
    Source(IpAddr),
    /// Of all sources for which there is no place.
    Others,
}

/// Failed logins, by where they came from.
#[derive(Debug, Default)]
pub struct Slowing {
    /// When as many failures as ever are allowed again.
    rested: HashMap<Counted, Uptime>,
    known: HashSet<(IpAddr, UserName)>,
}

impl Slowing {
    /// Whether `name` may try to log in from there.
    ///
    /// # Errors
    /// When too many failed: how long it must wait.
    pub fn allowed(&mut self, from: IpAddr, name: &UserName, now: Uptime) -> Result<(), Duration> {
        let counted = self.counted(from, name, now);
        let rested = self.rested.get(&counted).copied().unwrap_or_default();
        let allowed_from = rested - EVERY * (BURST - 1);
        if now < allowed_from { Err(allowed_from.since(now)) } else { Ok(()) }
    }

    /// A login of `name` from there failed.
    pub fn failed(&mut self, from: IpAddr, name: &UserName, now: Uptime) {
        let counted = self.counted(from, name, now);
        let rested = self.rested.entry(counted).or_default();
        *rested = (*rested).max(now) + EVERY;
    }

    /// A login of `name` from there was right.
    pub fn succeeded(&mut self, from: IpAddr, name: &UserName) {
        if self.known.len() < MOST {
            self.known.insert((network(from), name.clone()));
        }
    }

    fn counted(&mut self, from: IpAddr, name: &UserName, now: Uptime) -> Counted {
        let own = (network(from), name.clone());
        let counted =
            if self.known.contains(&own) { Counted::Known(own.0, own.1) } else { Counted::Source(own.0) };
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

    fn name(name: &str) -> UserName {
        UserName::new(name).unwrap()
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    /// How many of `attempts` are allowed, all of which fail.
    fn allowed(slowing: &mut Slowing, from: IpAddr, user: &str, attempts: u32, now: Uptime) -> usize {
        let mut attempt = || {
            let allowed = slowing.allowed(from, &name(user), now).is_ok();
            if allowed {
                slowing.failed(from, &name(user), now);
            }
            allowed
        };
        (0..attempts).filter(|_| attempt()).count()
    }

    #[test]
    fn a_source_that_guesses_waits_and_no_other_does() {
        let mut slowing = Slowing::default();
        assert_eq!(allowed(&mut slowing, HERE, "a", 100, at(0)), 10);
        assert_eq!(slowing.allowed(HERE, &name("b"), at(0)), Err(Duration::from_secs(2)), "of any name");
        assert_eq!(allowed(&mut slowing, THERE, "a", 100, at(0)), 10);
        assert_eq!(allowed(&mut slowing, HERE, "a", 100, at(20)), 10, "one every two seconds");
    }

    #[test]
    fn who_has_logged_in_is_not_kept_out_by_a_neighbour() {
        let mut slowing = Slowing::default();
        slowing.succeeded(HERE, &name("adapter"));
        assert_eq!(allowed(&mut slowing, HERE, "guess", 100, at(0)), 10);
        assert_eq!(allowed(&mut slowing, HERE, "adapter", 100, at(0)), 10);
    }

    #[test]
    fn a_plant_behind_one_address_may_log_in_all_at_once() {
        let mut slowing = Slowing::default();
        for adapter in 0..1_000 {
            assert_eq!(slowing.allowed(HERE, &name(&format!("plc-{adapter}")), at(0)), Ok(()));
        }
    }

    #[test]
    fn a_network_of_addresses_is_one_source() {
        let mut slowing = Slowing::default();
        let of = |last: u16| IpAddr::from([0xfd00, 0, 0, 1, 9, 9, 9, last]);
        assert_eq!((0..100).map(|last| allowed(&mut slowing, of(last), "a", 1, at(0))).sum::<usize>(), 10);
        assert_eq!(allowed(&mut slowing, IpAddr::from([0xfd00, 0, 0, 2, 9, 9, 9, 1]), "a", 1, at(0)), 1);
        let mapped = IpAddr::from(std::net::Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
        assert_eq!(allowed(&mut slowing, mapped, "a", 10, at(0)), 10);
        assert_eq!(allowed(&mut slowing, HERE, "a", 1, at(0)), 0, "an address is the same in either form");
    }

    #[test]
    fn many_sources_cost_bounded_memory_and_lock_nobody_out_who_is_known() {
        let mut slowing = Slowing::default();
        slowing.succeeded(THERE, &name("adapter"));
        slowing.failed(THERE, &name("adapter"), at(0));
        for source in 0..20_000_u32 {
            slowing.failed(IpAddr::from((0x0b00_0000 + source).to_be_bytes()), &name("a"), at(1));
        }
        assert!(slowing.rested.len() <= MOST + 1);
        assert_eq!(slowing.allowed(THERE, &name("adapter"), at(1)), Ok(()));
    }
}
