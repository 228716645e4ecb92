//! The two times, and why they are never mixed.

use std::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

/// Time since this machine booted, suspend included (`CLOCK_BOOTTIME`).
///
/// The only time that deadlines are computed from: nobody can set it, and it does not stand still
/// while the machine sleeps. Meaningless on another machine or after a reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uptime(Duration);

impl Uptime {
    /// An uptime, `since_boot` after boot.
    #[must_use]
    pub const fn new(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// How long after boot this is.
    #[must_use]
    pub const fn since_boot(self) -> Duration {
        self.0
    }

    /// How long ago `earlier` was, or zero if it has not happened yet.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Uptime {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

impl Sub<Duration> for Uptime {
    type Output = Self;

    fn sub(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(earlier))
    }
}

/// Wall-clock time in UTC, in whole microseconds: for records and people, never for deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(i64);

/// 2020-01-01T00:00:00Z in seconds since 1970: where epochs begin to count.
const EPOCHS_BEGIN_S: i64 = 1_577_836_800;

/// The latest time that RFC 3339 can write with a year of four digits, in microseconds.
const LATEST_US: i64 = 253_402_207_199_999_999;

impl Wall {
    /// `micros` microseconds after 1970-01-01T00:00:00Z, held within the years 0001 to 9999.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(-62_135_596_800_000_000, LATEST_US))
    }

    /// Microseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 2020-01-01, zero before it: the floor of a new epoch.
    #[must_use]
    pub fn seconds_since_2020(self) -> u64 {
        u64::try_from(self.0.div_euclid(1_000_000) - EPOCHS_BEGIN_S).unwrap_or(0)
    }

    /// This time, `later` afterwards.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        let later = i64::try_from(later.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(later))
    }

    /// This time, `earlier` before.
    #[must_use]
    pub fn minus(self, earlier: Duration) -> Self {
        let earlier = i64::try_from(earlier.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_sub(earlier))
    }

    /// How long after `earlier` this is, or zero if the clock was set back in between.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads RFC 3339, or the same without an offset, which adapters mean as UTC.
    ///
    /// `None` for anything else, and for `0001-01-01T00:00:00`, which stock adapters send for
    /// "nothing yet".
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let timestamp = text.parse::<jiff::Timestamp>().ok().or_else(|| {
            let civil = text.parse::<jiff::civil::DateTime>().ok()?;
            Some(jiff::tz::TimeZone::UTC.to_zoned(civil).ok()?.timestamp())
        })?;
        (timestamp.as_second() > -62_135_596_800 + 86_400).then(|| Self(timestamp.as_microsecond()))
    }
}

impl fmt::Display for Wall {
    /// RFC 3339 in UTC, to the microsecond where there is a fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(timestamp) => timestamp.fmt(f),
            Err(_) => f.write_str("0001-01-01T00:00:00Z"),
        }
    }
}

/// The present moment, on both clocks. A value that is handed to whoever decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For deadlines.
    pub uptime: Uptime,
    /// For records.
    pub wall: Wall,
}

/// Which boot of which machine: uptimes of different boots cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BootId(String);

impl BootId {
    /// The boot with this identifier, as the kernel names it.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(id.trim().to_owned())
    }

    /// The kernel's identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_reads_what_adapters_send() {
        let read = |text| Wall::parse(text).map(|wall| wall.to_string());
        assert_eq!(read("2021-01-01T00:00:00").as_deref(), Some("2021-01-01T00:00:00Z"));
        assert_eq!(read("2021-01-01T02:00:00+02:00").as_deref(), Some("2021-01-01T00:00:00Z"));
        assert_eq!(read("2021-01-01T00:00:00.1234567Z").as_deref(), Some("2021-01-01T00:00:00.123456Z"));
        assert_eq!(read("0001-01-01T00:00:00"), None);
        assert_eq!(read("yesterday"), None);
    }

    #[test]
    fn epochs_begin_in_2020() {
        assert_eq!(Wall::parse("2020-01-01T00:00:01Z").map(Wall::seconds_since_2020), Some(1));
        assert_eq!(Wall::parse("1999-01-01T00:00:00Z").map(Wall::seconds_since_2020), Some(0));
    }

    #[test]
    fn uptime_never_wraps() {
        assert_eq!(Uptime::default() - Duration::from_secs(1), Uptime::default());
        assert_eq!(Uptime::default().since(Uptime::new(Duration::from_secs(1))), Duration::ZERO);
    }
}
