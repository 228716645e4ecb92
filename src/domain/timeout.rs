//! FailoverTimeout, and the way .NET writes a time span.

use std::{fmt, time::Duration};

/// Longest time span that is read: a hundred years, so that sums with it cannot overflow.
const LONGEST_SPAN: Duration = Duration::from_secs(36_525 * 86_400);

/// Reads `[d.]h[h]:mm:ss[.fffffff]`, the time span of the vendor's interfaces.
///
/// Days are any number up to 36,525, hours 0 to 23, minutes and seconds 0 to 59, a fraction of one
/// to seven digits. `None` for anything else, negative values included.
#[must_use]
pub fn parse_span(text: &str) -> Option<Duration> {
    let (head, seconds) = text.rsplit_once(':')?;
    let (head, minutes) = head.rsplit_once(':')?;
    let (days, hours) = match head.split_once('.') {
        Some((days, hours)) => (number(days, 1..=5, u64::MAX)?, hours),
        None => (0, head),
    };
    let (seconds, fraction) = match seconds.split_once('.') {
        Some((seconds, fraction)) => {
            number(fraction, 1..=7, u64::MAX)?;
            (seconds, format!("{fraction:0<9}").parse::<u32>().ok()?)
        }
        None => (seconds, 0),
    };
    let hours = number(hours, 1..=2, 23)?;
    let minutes = number(minutes, 2..=2, 59)?;
    let seconds = number(seconds, 2..=2, 59)?;
    let span = Duration::new(((days * 24 + hours) * 60 + minutes) * 60 + seconds, fraction);
    (span <= LONGEST_SPAN).then_some(span)
}

fn number(digits: &str, length: std::ops::RangeInclusive<usize>, most: u64) -> Option<u64> {
    let plain = length.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok())?.filter(|value| *value <= most)
}

/// Writes a span as `hh:mm:ss`, with days or a fraction (of seven digits) only where needed.
#[must_use]
pub fn format_span(span: Duration) -> String {
    let total = span.as_secs();
    let (days, hours, minutes, seconds) = (total / 86_400, total / 3_600 % 24, total / 60 % 60, total % 60);
    let mut text = if days > 0 { format!("{days}.") } else { String::new() };
    text.push_str(&format!("{hours:02}:{minutes:02}:{seconds:02}"));
    let ticks = span.subsec_nanos() / 100;
    if ticks > 0 {
        text.push_str(&format!(".{ticks:07}"));
    }
    text
}

/// T: how long a group waits for a silent Primary, and an adapter for the endpoint.
///
/// Between 250 ms and 24 h, in whole microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FailoverTimeout(Duration);

/// A span that is no FailoverTimeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not between 00:00:00.25 and 1.00:00:00")]
pub struct TimeoutError;

impl FailoverTimeout {
    /// The smallest: below it a heartbeat's way over a plant's network becomes a large part of it.
    pub const MIN: Duration = Duration::from_millis(250);
    /// The largest: a day.
    pub const MAX: Duration = Duration::from_secs(86_400);
    /// What is used when nothing is said: one minute.
    pub const DEFAULT: Self = Self(Duration::from_secs(60));

    /// The timeout, if `span` is within the limits; parts of a microsecond are dropped.
    ///
    /// # Errors
    /// When it is outside of them.
    pub fn new(span: Duration) -> Result<Self, TimeoutError> {
        if (Self::MIN..=Self::MAX).contains(&span) {
            Ok(Self(Duration::new(span.as_secs(), span.subsec_micros() * 1_000)))
        } else {
            Err(TimeoutError)
        }
    }

    /// How long that is.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl fmt::Display for FailoverTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_span(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_dotnet_writes_them() {
        for (text, millis) in [
            ("00:01:00", 60_000),
            ("0:01:00", 60_000),
            ("00:00:00.25", 250),
            ("1.00:00:00", 86_400_000),
            ("00:00:01.5000000", 1_500),
            ("23:59:59", 86_399_000),
        ] {
            assert_eq!(parse_span(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "60",
            "1:00",
            "00:60:00",
            "24:00:00",
            "00:00:60",
            "-00:00:01",
            "00:00:01.",
            "00:00:01.12345678",
            "1.2.00:00:00",
            "+0:00:01",
            "00:0:01",
            "999999.00:00:00",
            "00:00:0１",
        ] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }

    #[test]
    fn spans_are_written_as_they_are_read() {
        for text in ["00:01:00", "00:00:00.2500000", "1.00:00:00", "2.03:04:05.0000001"] {
            assert_eq!(parse_span(text).map(format_span).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_timeout_has_limits() {
        assert!(FailoverTimeout::new(Duration::from_millis(249)).is_err());
        assert!(FailoverTimeout::new(Duration::from_millis(250)).is_ok());
        assert!(FailoverTimeout::new(Duration::from_secs(86_400)).is_ok());
        assert!(FailoverTimeout::new(Duration::from_secs(86_401)).is_err());
    }
}
