//! Who may log in, and as what.

use std::fmt;

/// The longest name of a user, in characters.
const LIMIT: usize = 64;

/// The longest subject of a token, in characters, as OpenID Connect has it.
const SUBJECT_LIMIT: usize = 255;

/// What the names of subjects begin with.
const TOKEN: &str = "oidc:";

/// A user's name: it is compared exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

/// Why a text is no user's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has 1 to 64 characters, without colons and control characters, and no space at either end")]
pub struct UserNameError;

impl UserName {
    /// The name, if `text` can be one. Basic authentication ends a name at its first colon.
    ///
    /// # Errors
    /// When it is empty, too long, or has a character that a name cannot have.
    pub fn new(text: impl Into<String>) -> Result<Self, UserNameError> {
        let text = text.into();
        let fits = (1..=LIMIT).contains(&text.chars().count())
            && !text.chars().any(|c| c == ':' || c.is_control())
            && text.trim() == text;
        if fits { Ok(Self(text)) } else { Err(UserNameError) }
    }

    /// The name of the subject of a token. It is never that of a user with a password, who has no colon.
    ///
    /// # Errors
    /// As [`UserName::new`], but that a subject may have 255 characters and colons.
    pub fn of_token(subject: &str) -> Result<Self, UserNameError> {
        let length = subject.chars().count();
        let fits = (1..=SUBJECT_LIMIT).contains(&length) && !subject.chars().any(char::is_control);
        if fits { Ok(Self(format!("{TOKEN}{subject}"))) } else { Err(UserNameError) }
    }

    /// A name of either kind, as it was written down.
    ///
    /// # Errors
    /// When it is none.
    pub fn written(text: &str) -> Result<Self, UserNameError> {
        text.strip_prefix(TOKEN).map_or_else(|| Self::new(text), Self::of_token)
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserRole {
    /// Reads everything but secrets, and is a member of groups: what an adapter needs.
    User,
    /// May do everything.
    Administrator,
}

impl UserRole {
    /// The role of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Administrator].into_iter().find(|role| role.as_str() == text)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for UserRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Somebody who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Who it is.
    pub name: UserName,
    /// What he may do.
    pub role: UserRole,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_basic_authentication_can_carry() {
        for name in ["a", "ÖlAG\\adapter 1", "line-1@plant.example", &"x".repeat(64)] {
            assert_eq!(UserName::new(name).as_ref().map(UserName::as_str), Ok(name));
        }
        for name in ["", "a:b", "a\nb", "a\0", " a", "a ", &"x".repeat(65)] {
            assert_eq!(UserName::new(name), Err(UserNameError), "{name:?}");
        }
    }

    #[test]
    fn a_subject_is_never_a_user_with_a_password() {
        let subject = UserName::of_token("a:b").unwrap();
        assert_eq!(subject.as_str(), "oidc:a:b");
        assert_eq!(UserName::written("oidc:a:b"), Ok(subject));
        assert_eq!(UserName::written("a"), UserName::new("a"));
        assert!(UserName::new("oidc:a").is_err());
        for wrong in ["", "a\0", &"x".repeat(256)] {
            assert!(UserName::of_token(wrong).is_err());
        }
    }
}
