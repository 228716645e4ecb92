//! JSON whose members stay in the order in which they were said: a document is read by people, too.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, value::RawValue};

/// A JSON value.
#[derive(Debug, Clone)]
pub(super) enum Tree {
    /// A value without an order.
    Value(Value),
    /// JSON text as it is.
    Text(Box<RawValue>),
    /// An array.
    List(Vec<Self>),
    /// An object.
    Object(Vec<(String, Self)>),
}

impl Tree {
    /// An object of these members.
    pub(super) fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Text that is JSON, in its own order; other text becomes a string.
    pub(super) fn text(json: &str) -> Self {
        RawValue::from_string(compact(json)).map_or_else(|_no_json| json.into(), Self::Text)
    }

    /// A reference to a part of the document.
    pub(super) fn reference(to: &str, name: &str) -> Self {
        Self::object([("$ref", format!("#/components/{to}/{name}").into())])
    }

    /// The same object with another member.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl Into<Self>) -> Self {
        if let Self::Object(members) = &mut self {
            members.push((name.to_owned(), value.into()));
        }
        self
    }

    /// The same, with `name` if there is a value for it.
    #[must_use]
    pub(super) fn with_some(self, name: &str, value: Option<impl Into<Self>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

/// JSON text without the white space between its values.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keeps = |c: &char| {
        if in_string {
            (escaped, in_string) = (*c == '\\' && !escaped, *c != '"' || escaped);
            return true;
        }
        in_string = *c == '"';
        !c.is_ascii_whitespace()
    };
    json.chars().filter(keeps).collect()
}

impl From<Value> for Tree {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::Value(text.into())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::Value(text.into())
    }
}

impl From<bool> for Tree {
    fn from(truth: bool) -> Self {
        Self::Value(truth.into())
    }
}

impl From<Vec<Self>> for Tree {
    fn from(list: Vec<Self>) -> Self {
        Self::List(list)
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::List(list) => list.serialize(serializer),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_its_order_and_its_strings_and_nothing_between_them() {
        let tree = |text| serde_json::to_string(&Tree::text(text)).unwrap();
        assert_eq!(tree("{\n  \"b\": [1, 2],\n  \"a\": \"x \\\" y\"\n}\n"), r#"{"b":[1,2],"a":"x \" y"}"#);
        assert_eq!(tree("event: Order"), r#""event: Order""#);
    }
}
