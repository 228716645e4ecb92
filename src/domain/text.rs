//! Identifiers, names and descriptions: bounded text without control characters.

use std::fmt;

/// The longest identifier or name, in characters.
///
/// Long enough for a host name (253) with a little more; short enough for a path segment.
pub const NAME_LIMIT: usize = 256;

/// The longest description, in characters: a paragraph.
pub const DESCRIPTION_LIMIT: usize = 1_024;

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It is empty where something must stand.
    #[error("is empty")]
    Empty,
    /// It has more characters than the limit.
    #[error("has {length} characters, more than {limit}")]
    TooLong {
        /// How many it has.
        length: usize,
        /// How many it may have.
        limit: usize,
    },
    /// It contains a control character, such as a line break or NUL.
    #[error("contains a control character")]
    Control,
    /// It is `.` or `..`, which no URL can carry as a segment of its path, not even escaped.
    #[error("is a dot segment, which cannot stand in a URL")]
    Dots,
}

/// The longest name of a run of a process, in characters: room for a GUID or two.
pub const INCARNATION_LIMIT: usize = 64;

/// The longest echo, in characters: room for an endpoint's run and a time.
const ECHO_LIMIT: usize = 64;

pub(super) fn check_id(text: &str, least: usize, limit: usize) -> Result<(), TextError> {
    if matches!(text, "." | "..") { Err(TextError::Dots) } else { check(text, least, limit) }
}

fn check(text: &str, least: usize, limit: usize) -> Result<(), TextError> {
    let length = text.chars().count();
    if length < least {
        Err(TextError::Empty)
    } else if length > limit {
        Err(TextError::TooLong { length, limit })
    } else if text.chars().any(char::is_control) {
        Err(TextError::Control)
    } else {
        Ok(())
    }
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $check:ident, $least:expr, $limit:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The value, if `text` is within its limits.
            ///
            /// # Errors
            /// When it is too short or too long, contains a control character, or is a dot segment.
            pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
                let text = text.into();
                $check(&text, $least, $limit).map(|()| Self(text))
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text!(
    /// The Id of the client failover configuration. Compares exactly.
    ConfigurationId, check_id, 1, NAME_LIMIT
);
text!(
    /// The Id of a failover group. Compares exactly.
    GroupId, check_id, 1, NAME_LIMIT
);
text!(
    /// The Id of a client session in a group: one for each adapter. Compares exactly.
    SessionId, check_id, 1, NAME_LIMIT
);
text!(
    /// The Id of a component of the collector, or of a probe. Compares exactly.
    ComponentId, check_id, 1, NAME_LIMIT
);
text!(
    /// A friendly name, or a user name or client id.
    Name, check, 1, NAME_LIMIT
);
text!(
    /// A description for people; may be empty.
    Description, check, 0, DESCRIPTION_LIMIT
);
text!(
    /// One run of one process, told apart from the run before it by a random value.
    Incarnation, check, 1, INCARNATION_LIMIT
);
text!(
    /// What an answer asks the next heartbeat to say again: only the endpoint that made it can read it.
    Echo, check, 1, ECHO_LIMIT
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_characters_not_bytes() {
        assert!(GroupId::new("ä".repeat(256)).is_ok());
        assert_eq!(GroupId::new("ä".repeat(257)), Err(TextError::TooLong { length: 257, limit: 256 }));
        assert_eq!(GroupId::new(""), Err(TextError::Empty));
        assert_eq!(GroupId::new("a\nb"), Err(TextError::Control));
        assert!(Description::new("").is_ok());
        assert_eq!(SessionId::new(".."), Err(TextError::Dots));
        assert!(Name::new("..").is_ok());
    }
}
