//! Roles, modes, scores and epochs.

use std::fmt;

/// The role a failover endpoint answers a heartbeat with (the vendor's ClientRole).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ClientRole {
    /// Stand by. The vendor's number is 0.
    #[default]
    Secondary,
    /// Act. The vendor's number is 1.
    Primary,
    /// About to become Primary: confirm with another heartbeat, change nothing. Number 2.
    PendingPrimary,
}

impl ClientRole {
    /// The vendor's name of the role.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secondary => "Secondary",
            Self::Primary => "Primary",
            Self::PendingPrimary => "PendingPrimary",
        }
    }

    /// The vendor's number of the role.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Secondary => 0,
            Self::Primary => 1,
            Self::PendingPrimary => 2,
        }
    }
}

impl fmt::Display for ClientRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The role an adapter applies, as FailoverState shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Role {
    /// Takes no part in failover: the collector runs as if alone.
    #[default]
    None,
    /// Stands by.
    Secondary,
    /// Acts.
    Primary,
}

impl Role {
    /// The role's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Secondary => "Secondary",
            Self::Primary => "Primary",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a Secondary does while it stands by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// It collects and buffers.
    Hot,
    /// It is connected but does not collect. The seed spells it `Warn`.
    Warm,
    /// It is not started.
    Cold,
    /// The adapter stays out of failover.
    #[default]
    None,
}

impl Mode {
    /// The mode's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hot => "Hot",
            Self::Warm => "Warm",
            Self::Cold => "Cold",
            Self::None => "None",
        }
    }

    /// Reads a mode in any case, `Warn` as Warm.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "hot" => Some(Self::Hot),
            "warm" | "warn" => Some(Self::Warm),
            "cold" => Some(Self::Cold),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How well an adapter can do its work: the share of its streams whose source is connected, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FailoverScore(u8);

impl FailoverScore {
    /// Cannot do anything.
    pub const ZERO: Self = Self(0);
    /// Does not look at its source, but could start.
    pub const STANDBY: Self = Self(1);
    /// Everything is good.
    pub const FULL: Self = Self(100);

    /// The score, if it is 0 to 100.
    #[must_use]
    pub fn new(score: i64) -> Option<Self> {
        u8::try_from(score).ok().filter(|score| *score <= 100).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for FailoverScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A fencing token: rises at every promotion in a group, so that whoever stores data can refuse the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// The largest epoch: the largest whole number that JSON readers keep exactly (2^53 − 1).
    pub const MAX: u64 = (1 << 53) - 1;

    /// The epoch with this number, if it is 1 to [`Epoch::MAX`].
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        if number >= 1 && number <= Self::MAX { Some(Self(number)) } else { None }
    }

    /// The highest epoch that a member can truly have known: half of all. Epochs are seconds since 2020 and
    /// promotions, so none is near it; a higher one would leave a group without epochs to rise to.
    pub const PLAUSIBLE: u64 = Self::MAX / 2;

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The epoch of a promotion at `wall`, after `last`, the highest that is known.
    ///
    /// Wall time is in it so that a store that came back empty still goes on above what it forgot.
    #[must_use]
    pub fn next(last: Option<Self>, wall: super::Wall) -> Self {
        let after = last.map_or(1, |last| last.0 + 1);
        Self(after.max(wall.seconds_since_2020()).min(Self::MAX))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Wall;

    #[test]
    fn modes_are_read_in_any_case_and_warn_is_warm() {
        assert_eq!(Mode::parse("hot"), Some(Mode::Hot));
        assert_eq!(Mode::parse("Warn"), Some(Mode::Warm));
        assert_eq!(Mode::parse("WARM"), Some(Mode::Warm));
        assert_eq!(Mode::parse("cold"), Some(Mode::Cold));
        assert_eq!(Mode::parse("none"), Some(Mode::None));
        assert_eq!(Mode::parse("tepid"), None);
    }

    #[test]
    fn an_epoch_rises_whatever_the_clock_says() {
        let first = Epoch::next(None, Wall::from_micros(0));
        assert_eq!(first.get(), 1);
        assert_eq!(Epoch::next(Some(first), Wall::from_micros(0)).get(), 2);
        let today = Wall::from_micros(1_700_000_000_000_000);
        assert_eq!(Epoch::next(Some(first), today).get(), 1_700_000_000 - 1_577_836_800);
        let later = Epoch::next(Some(first), today);
        assert_eq!(Epoch::next(Some(later), Wall::from_micros(0)).get(), later.get() + 1);
    }
}
