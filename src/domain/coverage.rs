//! What a Primary's gate has received and settled, as one machine tells it to another: by ages alone.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{ConfigurationId, HttpUrl, Uptime};

/// The longest key, in characters: an Id and 16 digits.
const KEY_LIMIT: usize = super::NAME_LIMIT + 17;

/// Names a destination among machines: by its Id, and a number made of its address. Whoever sends elsewhere under
/// the same Id has another key, and so proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationKey(String);

impl DestinationKey {
    /// The key of the destination `id` at `address`. The address itself is not in it: it is nobody's business.
    #[must_use]
    pub fn new(id: &ConfigurationId, address: &HttpUrl) -> Self {
        Self(format!("{id}@{:016x}", fingerprint(address.url().as_str())))
    }

    /// A key that another machine said; none if it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (1..=KEY_LIMIT).contains(&text.chars().count()).then(|| Self(text.to_owned()))
    }

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DestinationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// FNV-1a: the same in every build, which the standard library's hashes do not promise. Whoever may configure a
/// destination could send elsewhere anyhow, so nobody gains by a collision.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// What the gate of a Primary has received and settled for a destination, by its own boot clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// It has received everything since then.
    pub covered_from: Uptime,
    /// It has settled everything that it received until then.
    pub settled_until: Uptime,
}

impl Coverage {
    /// The same as ages, at `now`: what another machine can be told.
    #[must_use]
    pub const fn ages(self, now: Uptime) -> CoverageAges {
        CoverageAges {
            covered_from: now.since(self.covered_from),
            oldest_unsettled: now.since(self.settled_until),
        }
    }
}

/// The same of each destination of a gate.
pub type GateCoverage = BTreeMap<DestinationKey, Coverage>;

/// What a Primary's gate has received and settled, as ages: an interval that everybody can place by the own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoverageAges {
    /// It has received everything since this long ago.
    pub covered_from: Duration,
    /// What it has not settled is this old at the most.
    pub oldest_unsettled: Duration,
}

/// The ages of each destination of a gate.
pub type Coverages = BTreeMap<DestinationKey, CoverageAges>;

/// What a Secondary may believe of the Primary's gate: ages at some moment between question and answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// When the question was sent.
    pub asked: Uptime,
    /// When its answer arrived.
    pub heard: Uptime,
    /// What the Primary's gate has received and settled, as the endpoint passed it on.
    pub coverages: Coverages,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_has_the_same_key_where_id_and_address_are_the_same() {
        let key = |id: &str, address: &str| {
            DestinationKey::new(&ConfigurationId::new(id).unwrap(), &HttpUrl::parse(address).unwrap())
        };
        let one = key("historian", "https://one:443/write");
        assert_eq!(one, key("historian", "https://one/write"));
        assert_ne!(one, key("Historian", "https://one/write"));
        assert_ne!(one, key("historian", "https://two/write"));
        assert_ne!(one, key("historian", "http://one/write"));
        assert_eq!(DestinationKey::parse(one.as_str()), Some(one.clone()));
        assert!(one.as_str().starts_with("historian@") && !one.as_str().contains("write"), "{one}");
        assert_eq!(DestinationKey::parse(""), None);
        assert_eq!(DestinationKey::parse(&"x".repeat(KEY_LIMIT + 1)), None);
        // The numbers that FNV's authors give for these.
        assert_eq!(fingerprint(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint("foobar"), 0x8594_4171_f739_67e8);
    }
}
