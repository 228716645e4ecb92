//! A secret as somebody gives it, and the rules that it obeys then.

use secrecy::{ExposeSecret, SecretString};

use super::{
    Description, Fault, Faults, Field, GivenSecret, HttpUrl, MASK, Origin, SecretEntry, SecretId,
    access_draft::{SECRET_LIMIT, checked},
    secret::wrapped,
};

/// How many origins a secret can name: many more than one login is used for.
pub const ORIGINS_LIMIT: usize = 32;

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
    use crate::domain::Audience;

    fn origin(text: &str) -> Origin {
        HttpUrl::parse(text).unwrap().origin()
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
