//! Secrets that configurations refer to by an Id, and whom each may be sent to.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::{
    Description, MASK, Origin, TextError,
    text::{NAME_LIMIT, check_id},
};

/// The Id of a secret. Compares without regard to case.
#[derive(Debug, Clone)]
pub struct SecretId(String);

/// Why a text is no Id of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretIdError {
    /// As an Id of anything.
    #[error(transparent)]
    Text(#[from] TextError),
    /// It has a brace, in which references are wrapped.
    #[error("contains a curly brace")]
    Brace,
}

impl SecretId {
    /// The Id, if `text` can be one.
    ///
    /// # Errors
    /// When it is empty or too long, has a control character or a brace, or is a dot segment.
    pub fn new(text: impl Into<String>) -> Result<Self, SecretIdError> {
        let text = text.into();
        check_id(&text, 1, NAME_LIMIT)?;
        if text.contains(['{', '}']) { Err(SecretIdError::Brace) } else { Ok(Self(text)) }
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text by which it is compared.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for SecretId {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}

impl Eq for SecretId {}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a protected member (Password, ClientSecret) holds.
#[derive(Debug, Clone)]
pub enum Protected {
    /// The secret itself.
    Value(SecretString),
    /// `{{Id}}`: the secret of this Id, whatever it is when it is needed.
    Reference(SecretId),
}

impl Protected {
    /// What `text` means. Only what is wrapped in double braces and has no others is a reference.
    ///
    /// # Errors
    /// When it is wrapped like a reference, but its Id can be none.
    pub fn read(text: SecretString) -> Result<Self, SecretIdError> {
        match wrapped(text.expose_secret()) {
            Some(id) => SecretId::new(id).map(Self::Reference),
            None => Ok(Self::Value(text)),
        }
    }

    /// What anybody may see of it: the mask, or which secret it refers to.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Value(_) => MASK.to_owned(),
            Self::Reference(id) => format!("{{{{{id}}}}}"),
        }
    }

    /// The text that [`Protected::read`] reads.
    #[must_use]
    pub fn text(&self) -> SecretString {
        match self {
            Self::Value(secret) => secret.clone(),
            Self::Reference(_) => self.shown().into(),
        }
    }
}

/// What stands between double braces, if `text` is wrapped in them.
pub(super) fn wrapped(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains(['{', '}'])).then_some(inner)
}

/// Whether `text` is a reference but for a brace or two that are missing at one of its ends.
#[must_use]
pub fn is_nearly_reference(text: &str) -> bool {
    let inner = match (text.strip_prefix("{{"), text.strip_suffix("}}")) {
        (Some(rest), None) => rest.strip_suffix('}').unwrap_or(rest),
        (None, Some(rest)) => rest.strip_prefix('{').unwrap_or(rest),
        (Some(_), Some(_)) | (None, None) => return false,
    };
    SecretId::new(inner).is_ok()
}

/// Whom an access sends its secret to, and whether it makes sure who that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The origin of Endpoint.
    pub endpoint: Origin,
    /// The origin of TokenEndpoint; without one it is looked for on the endpoint's host.
    pub token_endpoint: Option<Origin>,
    /// Whether certificates are checked.
    pub checked: bool,
}

/// Whom a stored secret may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// The origins that were named with it, when their certificates are checked.
    Named(Vec<Origin>),
    /// Those it was used for when it was given; else whoever is the first it is used for.
    Used(Vec<Recipient>),
}

impl Audience {
    /// Whether nobody is bound to it yet.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Used(recipients) if recipients.is_empty())
    }

    /// Whether it may be sent to `recipient`.
    #[must_use]
    pub fn admits(&self, recipient: &Recipient) -> bool {
        match self {
            Self::Named(origins) => {
                let mut wanted = std::iter::once(&recipient.endpoint).chain(&recipient.token_endpoint);
                recipient.checked && wanted.all(|origin| origins.contains(origin))
            }
            Self::Used(recipients) => recipients.is_empty() || recipients.contains(recipient),
        }
    }

    /// The origins of all of them, each once.
    #[must_use]
    pub fn origins(&self) -> Vec<Origin> {
        let all: Vec<&Origin> = match self {
            Self::Named(origins) => origins.iter().collect(),
            Self::Used(recipients) => recipients
                .iter()
                .flat_map(|one| std::iter::once(&one.endpoint).chain(&one.token_endpoint))
                .collect(),
        };
        let mut origins: Vec<Origin> = Vec::new();
        for origin in all {
            if !origins.contains(origin) {
                origins.push(origin.clone());
            }
        }
        origins
    }
}

/// A secret as it is stored, without its value.
#[derive(Debug, Clone)]
pub struct SecretEntry {
    /// Its Id, as it was last written.
    pub id: SecretId,
    /// For people.
    pub description: Option<Description>,
    /// For people: nothing ends by itself.
    pub expiration_date: Option<String>,
    /// Whom it may be sent to.
    pub audience: Audience,
}

/// A secret that a configuration refers to, as it is now.
#[derive(Debug, Clone)]
pub struct FoundSecret {
    /// The value.
    pub value: SecretString,
    /// Rises each time that a value is given.
    pub given: i64,
    /// Whom it may be sent to.
    pub audience: Audience,
}

/// A secret as somebody gives it: the proof that it obeys every rule.
#[derive(Debug, Clone)]
pub struct GivenSecret {
    /// Its Id.
    pub id: SecretId,
    /// For people.
    pub description: Option<Description>,
    /// For people.
    pub expiration_date: Option<String>,
    /// The value; empty where the stored one, and whom it may be sent to, stay.
    pub value: Option<SecretString>,
    /// Whom it may be sent to; empty where whoever uses it decides.
    pub origins: Vec<Origin>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HttpUrl;

    fn origin(text: &str) -> Origin {
        HttpUrl::parse(text).unwrap().origin()
    }

    fn recipient(endpoint: &str, token_endpoint: Option<&str>, checked: bool) -> Recipient {
        Recipient { endpoint: origin(endpoint), token_endpoint: token_endpoint.map(origin), checked }
    }

    #[test]
    fn only_what_is_wrapped_in_two_braces_and_has_no_other_is_a_reference() {
        for (text, id) in [
            ("{{a}}", Some("a")),
            ("{{ a b }}", Some(" a b ")),
            ("{{Secret#2}}", Some("Secret#2")),
            ("{{{a}}", None),
            ("{{val{ue}}", None),
            ("{a}", None),
            ("{{a}", None),
            ("{{a}}b", None),
            ("a{{b}}", None),
            ("{{", None),
            ("", None),
        ] {
            let read = Protected::read(text.into()).unwrap();
            let found = match &read {
                Protected::Reference(id) => Some(id.as_str()),
                Protected::Value(value) => {
                    assert_eq!(value.expose_secret(), text);
                    None
                }
            };
            assert_eq!(found, id, "{text}");
            assert_eq!(read.text().expose_secret(), text);
        }
        assert!(Protected::read("{{}}".into()).is_err(), "it names nothing");
    }

    #[test]
    fn what_lacks_braces_at_one_end_is_nearly_a_reference() {
        for text in ["{{a", "{{a}", "a}}", "{a}}", "{{Secret#2"] {
            assert!(is_nearly_reference(text), "{text}");
        }
        for text in
            ["{{a}}", "{{{a}}", "{a}", "{a", "a}", "{{", "}}", "{{}", "{{a}b", "a{{b", "{{a{b", "a", ""]
        {
            assert!(!is_nearly_reference(text), "{text}");
        }
    }

    #[test]
    fn ids_compare_without_case_and_hold_no_braces() {
        assert_eq!(SecretId::new("Straße").unwrap(), SecretId::new("STRAßE").unwrap());
        for wrong in ["", "{a", "a}", "a\n", "..", &"x".repeat(257)] {
            assert!(SecretId::new(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_secret_is_sent_to_whom_it_was_given_for_and_nobody_else() {
        let (a, b) = (recipient("https://a", None, true), recipient("https://b", None, true));
        let unchecked = recipient("https://a", None, false);
        let with_token = recipient("https://a", Some("https://t"), true);
        let open = Audience::Used(Vec::new());
        assert!(open.is_open() && open.admits(&a) && open.admits(&unchecked));
        let used = Audience::Used(vec![a.clone()]);
        assert!(used.admits(&a));
        for other in [&b, &unchecked, &with_token] {
            assert!(!used.admits(other), "{other:?}");
        }
        let named = Audience::Named(vec![origin("https://a"), origin("https://t")]);
        assert!(named.admits(&a) && named.admits(&with_token));
        for other in [&b, &unchecked, &recipient("https://a:444", None, true)] {
            assert!(!named.admits(other), "{other:?}");
        }
        assert_eq!(Audience::Used(vec![with_token]).origins(), named.origins());
    }
}
