//! Reads JSON objects as people write them: members in any case, every fault at once.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

pub use crate::domain::Field;
use crate::domain::{Fault, Faults};

/// Text that is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line}, column {column}")]
pub struct MalformedJson {
    /// What the reader stumbled over.
    pub what: String,
    /// Which line, from 1.
    pub line: usize,
    /// Which column, from 1 (0: at the line's beginning).
    pub column: usize,
}

impl MalformedJson {
    fn new(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or_default().to_owned();
        Self { what, line: error.line(), column: error.column() }
    }
}

/// The body of a request, not yet understood.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// An object.
    Object(Members),
    /// An array of what its elements are.
    Array(Vec<Content>),
    /// Anything else, named for a sentence such as "it is a number".
    Other(&'static str),
}

impl Content {
    /// Reads a whole body.
    ///
    /// # Errors
    /// When it is not one JSON value; with line and column.
    pub fn parse(body: &[u8]) -> Result<Self, MalformedJson> {
        let unread = |what: &str| MalformedJson { what: what.to_owned(), line: 1, column: body.len().min(1) };
        match body {
            [] => Err(unread("there is no text")),
            [0xef, 0xbb, 0xbf, ..] => {
                Err(unread("there is a byte order mark; save the text as UTF-8 without one"))
            }
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(unread("the text is UTF-16; save it as UTF-8")),
            _ => serde_json::from_slice(body).map_err(|error| MalformedJson::new(&error)),
        }
    }

    /// The object, if the body is one, or an array of exactly one.
    ///
    /// # Errors
    /// When it is neither.
    pub fn one_object(self) -> Result<Members, Fault> {
        let found = match self {
            Self::Object(members) => return Ok(members),
            Self::Other(kind) => format!("is {kind}"),
            Self::Array(mut elements) => match (elements.pop(), elements.len()) {
                (Some(Self::Object(members)), 0) => return Ok(members),
                (Some(Self::Other(kind)), 0) => format!("is an array of {kind}"),
                (Some(Self::Array(_)), 0) => "is an array of an array".to_owned(),
                (Some(_), others) => format!("is an array of {}", others + 1),
                (None, _) => "is an empty array".to_owned(),
            },
        };
        Err(Fault::new("The body", found, "Send one JSON object, or an array of exactly one."))
    }

    /// The objects, if the body is one or an array of up to `limit` of them.
    ///
    /// # Errors
    /// When it, or an element of it, is something else, or there are too many.
    pub fn objects(self, limit: usize) -> Result<Vec<Members>, Fault> {
        let wrong = |reason: String| {
            Fault::new(
                "The body",
                reason,
                format!("Send a JSON object, or an array of up to {limit} of them."),
            )
        };
        let elements = match self {
            Self::Object(members) => return Ok(vec![members]),
            Self::Array(elements) => elements,
            Self::Other(kind) => return Err(wrong(format!("is {kind}"))),
        };
        if elements.len() > limit {
            return Err(wrong(format!("is an array of {}, more than {limit}", elements.len())));
        }
        let read = elements.into_iter().map(|element| match element {
            Self::Object(members) => Ok(members),
            Self::Array(_) => Err(wrong("has an array as an element".to_owned())),
            Self::Other(kind) => Err(wrong(format!("has {kind} as an element"))),
        });
        read.collect()
    }

    /// The object, if the body is one.
    ///
    /// # Errors
    /// When it is something else.
    pub fn object(self) -> Result<Members, Fault> {
        match self {
            Self::Object(members) => Ok(members),
            Self::Array(_) => Err(Fault::new("The body", "is an array", "Send one JSON object.")),
            Self::Other(kind) => Err(Fault::new("The body", format!("is {kind}"), "Send one JSON object.")),
        }
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut members = Vec::new();
        while let Some((member, Plain(value))) = map.next_entry()? {
            members.push((member, value));
        }
        Ok(Content::Object(Members(members)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Content::Array(elements))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Other("null"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Content, E> {
        Ok(Content::Other("a truth value"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Content, E> {
        Ok(Content::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Content, E> {
        Ok(Content::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Content, E> {
        Ok(Content::Other("a number"))
    }

    fn visit_str<E>(self, _: &str) -> Result<Content, E> {
        Ok(Content::Other("a string"))
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

/// A JSON value as it was written.
///
/// `serde_json` gives objects with certain names (`$serde_json::private::RawValue`) a meaning of their
/// own when it reads a [`Value`], and would take such an object for the string in it.
struct Plain(Value);

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain, A::Error> {
        let mut members = serde_json::Map::new();
        while let Some((member, Plain(value))) = map.next_entry()? {
            members.insert(member, value);
        }
        Ok(Plain(Value::Object(members)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Plain, A::Error> {
        let mut elements = Vec::new();
        while let Some(Plain(element)) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Plain(Value::Array(elements)))
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Plain, E> {
        Ok(Plain(value.into()))
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

/// The members of an object, as they were written: doubled ones are still there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Members(Vec<(String, Value)>);

/// What to do with members that nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Report each as a fault.
    Refuse,
    /// Pass over them: another version may know them.
    Ignore,
}

/// Reads members one by one, and gathers what is wrong with them.
#[derive(Debug)]
pub struct Reader {
    members: Vec<(String, Value)>,
    known: Vec<&'static str>,
    faults: Faults,
}

impl Reader {
    /// A reader of `members`.
    #[must_use]
    pub fn new(members: Members) -> Self {
        Self { members: members.0, known: Vec::new(), faults: Faults::none() }
    }

    /// Reports a fault that the caller found.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// The member `name`, of any type.
    pub fn any(&mut self, name: &'static str) -> Field<Value> {
        self.known.push(name);
        let mut found = Vec::new();
        self.members.retain_mut(|(member, value)| {
            let same = member.eq_ignore_ascii_case(name);
            if same {
                found.push((std::mem::take(member), value.take()));
            }
            !same
        });
        if found.len() > 1 {
            let spellings =
                found.iter().map(|(spelling, _)| spelling.as_str()).collect::<Vec<_>>().join(", ");
            self.faults.push(Fault::new(
                name,
                format!("is there {} times ({spellings})", found.len()),
                format!("Say {name} once; upper and lower case make no difference."),
            ));
            return Field::Absent;
        }
        match found.pop() {
            None => Field::Absent,
            Some((_, Value::Null)) => Field::Null,
            Some((_, value)) => Field::Value(value),
        }
    }

    /// The member `name`, a string.
    pub fn text(&mut self, name: &'static str) -> Field<String> {
        self.typed(
            name,
            "a string",
            |value| if let Value::String(text) = value { Ok(text) } else { Err(value) },
        )
    }

    /// The member `name`, `true` or `false`.
    pub fn boolean(&mut self, name: &'static str) -> Field<bool> {
        self.typed(name, "true or false", |value| value.as_bool().ok_or(value))
    }

    /// The member `name`, read by `read`, which gives the value back when it is not `wanted`.
    pub fn typed<T>(
        &mut self,
        name: &'static str,
        wanted: &str,
        read: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Field<T> {
        match self.any(name) {
            Field::Absent => Field::Absent,
            Field::Null => Field::Null,
            Field::Value(value) => match read(value) {
                Ok(value) => Field::Value(value),
                Err(value) => {
                    let reason = format!("is {}, not {wanted}", kind(&value));
                    self.faults.push(Fault::new(name, reason, format!("{name} is {wanted}.")));
                    Field::Absent
                }
            },
        }
    }

    /// What was wrong, once everything was read.
    #[must_use]
    pub fn finish(mut self, unknown: Unknown) -> Faults {
        if unknown == Unknown::Refuse {
            let known = self.known.join(", ");
            for (member, _) in self.members {
                let shown: String = member.chars().filter(|c| !c.is_control()).take(64).collect();
                self.faults.push(Fault::new(
                    format!("{shown:?}"),
                    "is not a member that is known here",
                    format!("The members are {known}."),
                ));
            }
        }
        self.faults
    }

    /// Whether a fault of the member `name` was found so far.
    #[must_use]
    pub fn is_faulty_about(&self, name: &str) -> bool {
        self.faults.as_slice().iter().any(|fault| fault.member == name)
    }

    /// Whether a fault was found so far.
    #[must_use]
    pub fn is_faulty(&self) -> bool {
        !self.faults.is_empty()
    }
}

/// The texts of an array of strings; the value itself where it is something else.
pub(super) fn texts(value: Value) -> Result<Vec<String>, Value> {
    let texts = value.as_array().and_then(|elements| {
        elements.iter().map(|element| element.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    texts.ok_or(value)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(body: &str) -> Reader {
        Reader::new(Content::parse(body.as_bytes()).unwrap().one_object().unwrap())
    }

    #[test]
    fn members_are_found_in_any_case() {
        let mut reader = reader(r#"{"nAME": "a", "x": null}"#);
        assert_eq!(reader.text("Name"), Field::Value("a".to_owned()));
        assert_eq!(reader.text("X"), Field::Null);
        assert_eq!(reader.text("Y"), Field::Absent);
        assert!(reader.finish(Unknown::Refuse).is_empty());
    }

    #[test]
    fn an_object_is_an_object_whatever_it_holds() {
        let mut reader = reader(r#"{"Name": {"$serde_json::private::RawValue": "\"a\""}}"#);
        assert_eq!(reader.text("Name"), Field::Absent);
        assert_eq!(reader.finish(Unknown::Refuse).reasons(), "Name is an object, not a string.");
    }

    #[test]
    fn every_fault_is_reported() {
        let mut reader = reader(r#"{"Name": 1, "Flag": "yes", "name": 2, "Other": 3}"#);
        assert_eq!(reader.text("Name"), Field::Absent);
        assert_eq!(reader.boolean("Flag"), Field::Absent);
        let faults = reader.finish(Unknown::Refuse);
        let members: Vec<_> = faults.as_slice().iter().map(|fault| fault.member.as_str()).collect();
        assert_eq!(members, ["Name", "Flag", "\"Other\""]);
        assert_eq!(
            faults.reasons(),
            "Name is there 2 times (Name, name). Flag is a string, not true or false. \
             \"Other\" is not a member that is known here."
        );
    }

    #[test]
    fn a_body_is_one_object() {
        let one =
            |body: &str| Content::parse(body.as_bytes()).unwrap().one_object().map_err(|fault| fault.reason);
        assert!(one("{}").is_ok());
        assert!(one("[{}]").is_ok());
        assert_eq!(one("[]").unwrap_err(), "is an empty array");
        assert_eq!(one("[{},{}]").unwrap_err(), "is an array of 2");
        assert_eq!(one("[1]").unwrap_err(), "is an array of a number");
        assert_eq!(one("[[{}]]").unwrap_err(), "is an array of an array");
        assert_eq!(one("null").unwrap_err(), "is null");
    }

    #[test]
    fn malformed_text_has_a_place() {
        let error = Content::parse(b"{\n  \"a\": what\n}").unwrap_err();
        assert_eq!(error.line, 2);
        assert!(error.column > 0);
        assert!(!error.what.contains("line"), "{error}");
        assert!(Content::parse("[".repeat(10_000).as_bytes()).is_err());
        assert!(Content::parse(b"{} {}").is_err());
    }
}
