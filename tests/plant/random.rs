//! SplitMix64: small, good enough to choose faults, and the seed is the bug report.

use std::time::Duration;

/// A seeded stream of numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        let index = self.number() % choices.len() as u64;
        choices[usize::try_from(index).unwrap()]
    }

    /// A time from `least` up to, but without, `most`.
    pub fn time(&mut self, least: Duration, most: Duration) -> Duration {
        let span = u64::try_from((most - least).as_micros()).unwrap().max(1);
        least + Duration::from_micros(self.number() % span)
    }
}

/// The seed of a test: the one that `CLIENT_FAILOVER_TEST_SEED` names, or a new one, which a failure shows.
pub fn test_seed() -> u64 {
    let named = std::env::var("CLIENT_FAILOVER_TEST_SEED").ok();
    let seed = named.map_or_else(|| getrandom::u64().unwrap(), |seed| seed.parse().unwrap());
    println!("CLIENT_FAILOVER_TEST_SEED={seed}");
    seed
}
