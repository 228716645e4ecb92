//! Secrets that configurations refer to by an Id, and whom each may be sent to.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::{
    Description, Fault, Faults, Field, HttpUrl, MASK, Origin, TextError,
    access::{SECRET_LIMIT, checked},
    text::{NAME_LIMIT, check_id},
};

/// How many origins a secret can name: many more than one login is used for.
pub const ORIGINS_LIMIT: usize = 32;

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
fn wrapped(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains(['{', '}'])).then_some(inner)
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

/// What a request said of each member of a secret, before any rule was applied.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the member of the same name")]
pub struct SecretDraft {
    pub id: Field<String>,
    pub description: Field<String>,
    pub expiration_date: Field<String>,
    pub value: Field<SecretString>,
    pub origins: Field<Vec<String>>,
}

impl SecretDraft {
    /// The secret that a PUT asks for, in the place of one of `stored`; the mask keeps its value. `named` is
    /// the Id in the path, which the body may leave out.
    ///
    /// # Errors
    /// When a rule is broken; with every fault.
    pub fn complete(self, stored: &[SecretEntry], named: Option<&SecretId>) -> Result<GivenSecret, Faults> {
        let mut faults = Faults::none();
        let id = match (self.id.value(), named) {
            (Some(id), named) => faults.take(id_of(id, named)),
            (None, Some(named)) => Some(named.clone()),
            (None, None) => {
                faults.push(Fault::new("Id", "is required but missing", "Name the secret."));
                None
            }
        };
        let known = id.as_ref().and_then(|id| stored.iter().find(|entry| entry.id == *id));
        let description = self
            .description
            .value()
            .and_then(|text| faults.take(checked("Description", text, Description::new)));
        let expiration_date = self.expiration_date.value().and_then(|text| faults.take(date(text)));
        let origins = match self.origins.value() {
            Some(texts) => faults.take(origins(&texts)),
            None => Some(Vec::new()),
        };
        let value = match self.value.value() {
            None => {
                faults.push(Fault::new("Value", "is required but missing", "Give the secret in Value."));
                None
            }
            Some(given) if given.expose_secret() == MASK => {
                faults.take(kept(known, origins.as_deref())).map(|()| None)
            }
            Some(given) => faults.take(value(given)).map(Some),
        };
        match (id, value, origins) {
            (Some(id), Some(value), Some(origins)) if faults.is_empty() => {
                Ok(GivenSecret { id, description, expiration_date, value, origins })
            }
            _ => Err(faults),
        }
    }
}

fn id_of(id: String, named: Option<&SecretId>) -> Result<SecretId, Fault> {
    let resolution = "Id has 1 to 256 characters, none of them a curly brace or a control character.";
    let id = SecretId::new(id).map_err(|error| Fault::new("Id", error.to_string(), resolution))?;
    if let Some(named) = named
        && *named != id
    {
        let reason = format!("is {:?} in the body but {:?} in the path", id.as_str(), named.as_str());
        let resolution = "Give the same Id in both places, or leave it out of the body.";
        return Err(Fault::new("Id", reason, resolution));
    }
    Ok(id)
}

fn date(text: String) -> Result<String, Fault> {
    let known = text.parse::<jiff::Timestamp>().is_ok() || text.parse::<jiff::civil::DateTime>().is_ok();
    if known && text.len() <= 64 {
        return Ok(text);
    }
    let resolution =
        "ExpirationDate is written like 2027-06-17, 2027-06-17T08:00:00 or 2027-06-17T08:00:00Z.";
    Err(Fault::new("ExpirationDate", "is no date", resolution))
}

fn origins(texts: &[String]) -> Result<Vec<Origin>, Fault> {
    let resolution = "Origins is an array of 1 to 32 texts such as \"https://host:5591\": scheme, host and port of whom \
                      the secret may be sent to. Leave it out to bind the secret to its first use.";
    if !(1..=ORIGINS_LIMIT).contains(&texts.len()) {
        return Err(Fault::new("Origins", format!("has {} elements", texts.len()), resolution));
    }
    texts
        .iter()
        .map(|text| {
            let url =
                HttpUrl::parse(text).map_err(|error| Fault::new("Origins", error.to_string(), resolution))?;
            if url.url().path() != "/" || url.url().query().is_some() {
                return Err(Fault::new("Origins", "has an address with a path or query", resolution));
            }
            Ok(url.origin())
        })
        .collect()
}

/// The mask keeps what is stored, and whom that may be sent to.
fn kept(stored: Option<&SecretEntry>, origins: Option<&[Origin]>) -> Result<(), Fault> {
    let Some(stored) = stored else {
        let resolution = "Give Value the secret.";
        return Err(Fault::new("Value", "is the mask, but no secret of this Id is stored", resolution));
    };
    let bound = stored.audience.origins();
    let same = origins.is_none_or(|named| {
        named.is_empty() || (named.len() == bound.len() && named.iter().all(|origin| bound.contains(origin)))
    });
    if same {
        return Ok(());
    }
    let reason = "are others than those that the stored secret was given for";
    Err(Fault::new("Origins", reason, "Give Value the secret again in the request that changes Origins."))
}

fn value(given: SecretString) -> Result<SecretString, Fault> {
    let text = given.expose_secret();
    let fault = if text.is_empty() {
        Some(("is empty", "Give Value the secret."))
    } else if text.chars().count() > SECRET_LIMIT {
        Some(("is longer than 4,096 characters", "Give a shorter Value."))
    } else if wrapped(text).is_some() {
        Some(("is wrapped in {{ }}, as references are", "Give Value the secret itself."))
    } else if text.chars().any(char::is_control) {
        Some(("contains a control character", "Value has no control character."))
    } else {
        None
    };
    fault.map_or(Ok(given.clone()), |(reason, resolution)| Err(Fault::new("Value", reason, resolution)))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_secret_that_is_given_obeys_every_rule() {
        let stored = [SecretEntry {
            id: SecretId::new("Known").unwrap(),
            description: None,
            expiration_date: None,
            audience: Audience::Named(vec![origin("https://a")]),
        }];
        let text = |text: &str| Field::Value(text.to_owned());
        let value = |text: &str| Field::Value(SecretString::from(text));
        let plain = || SecretDraft { id: text("new"), value: value("v"), ..SecretDraft::default() };
        let masked = || SecretDraft { id: text("KNOWN"), value: value(MASK), ..SecretDraft::default() };
        let named = |origins: &[&str]| Field::Value(origins.iter().map(|&one| one.to_owned()).collect());
        for (what, draft, fault) in [
            ("all that is needed", plain(), ""),
            ("no Id", SecretDraft { id: Field::Null, ..plain() }, "Id is required"),
            ("a brace", SecretDraft { id: text("{a}"), ..plain() }, "Id contains a curly brace"),
            ("no value", SecretDraft { value: Field::Absent, ..plain() }, "Value is required"),
            ("an empty value", SecretDraft { value: value(""), ..plain() }, "Value is empty"),
            ("a reference", SecretDraft { value: value("{{a}}"), ..plain() }, "Value is wrapped"),
            ("nearly one", SecretDraft { value: value("{{{a}}"), ..plain() }, ""),
            ("a line break", SecretDraft { value: value("a\nb"), ..plain() }, "Value contains a control"),
            ("too long", SecretDraft { value: value(&"x".repeat(4_097)), ..plain() }, "Value is longer"),
            ("a mask for nothing", SecretDraft { value: value(MASK), ..plain() }, "Value is the mask"),
            ("a date", SecretDraft { expiration_date: text("2024-06-17"), ..plain() }, ""),
            ("a time", SecretDraft { expiration_date: text("2024-06-17T08:00:00Z"), ..plain() }, ""),
            (
                "no date",
                SecretDraft { expiration_date: text("soon"), ..plain() },
                "ExpirationDate is no date",
            ),
            ("an origin", SecretDraft { origins: named(&["https://a:1"]), ..plain() }, ""),
            ("no origin", SecretDraft { origins: named(&[]), ..plain() }, "Origins has 0 elements"),
            ("a path", SecretDraft { origins: named(&["https://a/b"]), ..plain() }, "Origins has an address"),
            ("the mask", masked(), ""),
            ("the mask for the same", SecretDraft { origins: named(&["https://a:443"]), ..masked() }, ""),
            (
                "the mask for others",
                SecretDraft { origins: named(&["https://b"]), ..masked() },
                "Origins are others",
            ),
        ] {
            let said = draft.complete(&stored, None).err().map(|faults| faults.reasons()).unwrap_or_default();
            assert!(said.starts_with(fault) && said.is_empty() == fault.is_empty(), "{what}: {said}");
        }
        let path = SecretId::new("NEW").unwrap();
        assert!(plain().complete(&stored, Some(&path)).is_ok());
        assert!(masked().complete(&stored, Some(&path)).unwrap_err().reasons().contains("in the path"));
    }
}
