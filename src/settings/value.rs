//! One setting's value, read from text in the same way whatever source it comes from.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::domain::EndpointLoss;

/// A value that a setting can have.
pub trait Value: Sized {
    /// What a right value looks like, to be read after "is not".
    const EXPECTED: &'static str;

    /// Reads the value; `None` where it is not what is expected.
    fn read(text: &str) -> Option<Self>;
}

/// Reads a value, or says what was expected. The command line reads its values with this too.
///
/// # Errors
/// When `text` is no such value: the sentence says what would be right.
pub fn parse<T: Value>(text: &str) -> Result<T, String> {
    T::read(text).ok_or_else(|| format!("`{}` is not {}", text.escape_debug(), T::EXPECTED))
}

impl Value for SocketAddr {
    const EXPECTED: &'static str = "an IP address and a port, such as 127.0.0.1:5590 or [::1]:5590";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn read(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains('\0')).then(|| Self::from(text))
    }
}

impl Value for String {
    const EXPECTED: &'static str = "a text without control characters";

    fn read(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
    }
}

impl Value for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for EndpointLoss {
    const EXPECTED: &'static str = "auto, step-down or keep-role";

    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object on each line.
    Json,
}

impl Value for LogFormat {
    const EXPECTED: &'static str = "text or json";

    fn read(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// For how many days history is kept: 1 to 36,500 (a hundred years, which means for ever).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryDays(u32);

impl HistoryDays {
    /// What is used when nothing is said: one year.
    pub const DEFAULT: Self = Self(365);

    /// The days.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Value for HistoryDays {
    const EXPECTED: &'static str = "a number of days from 1 to 36500";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|days| (1..=36_500).contains(days)).map(Self)
    }
}

/// The units of a duration and their milliseconds.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The longest duration that is read, in milliseconds: a hundred years, so that sums cannot overflow.
const LONGEST_MS: u64 = 36_525 * 86_400_000;

impl Value for Duration {
    const EXPECTED: &'static str = "a duration above zero, such as 200ms, 5s, 30m, 24h or 7d";

    fn read(text: &str) -> Option<Self> {
        let unit_at = text.find(|character: char| !character.is_ascii_digit())?;
        let (number, unit) = text.split_at(unit_at);
        let unit_ms = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        let millis = number.parse::<u64>().ok()?.checked_mul(unit_ms)?;
        (1..=LONGEST_MS).contains(&millis).then(|| Self::from_millis(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, millis) in [
            ("200ms", 200),
            ("5s", 5_000),
            ("30m", 1_800_000),
            ("24h", 86_400_000),
            ("7d", 604_800_000),
            ("36525d", LONGEST_MS),
        ] {
            assert_eq!(Duration::read(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "5", "s", "0s", "-5s", "5 s", "1.5s", "5S", "5min", "36526d", "18446744073709551615h"]
        {
            assert_eq!(Duration::read(text), None, "{text}");
        }
    }

    #[test]
    fn history_is_kept_for_a_day_to_a_hundred_years() {
        for (text, days) in [("1", 1), ("36500", 36_500)] {
            assert_eq!(HistoryDays::read(text).map(HistoryDays::get), Some(days));
        }
        for text in ["0", "36501", "-1", "1.5", "a year"] {
            assert_eq!(HistoryDays::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_refusal_says_what_would_be_right() {
        assert_eq!(
            parse::<SocketAddr>("localhost"),
            Err("`localhost` is not an IP address and a port, such as 127.0.0.1:5590 or [::1]:5590"
                .to_owned())
        );
        assert_eq!(parse::<bool>("\u{1b}yes"), Err(r"`\u{1b}yes` is not true or false".to_owned()));
    }
}
