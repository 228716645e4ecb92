//! The schemas of bodies, gathered for the document: each once, under its name.

use std::collections::BTreeMap;

use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
    json_schema,
};
use serde_json::Value;

use super::{operation::Parameter, tree::Tree};
use crate::{http::paging, wire::schema};

/// Where the document has them.
const DEFINITIONS: &str = "/components/schemas";

/// Schemas that were asked for.
#[derive(Debug)]
pub(super) struct Schemas {
    answers: SchemaGenerator,
    requests: SchemaGenerator,
    /// Requests once more, with every member required: so their order is known.
    orders: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        Self {
            answers: generator(Contract::Serialize),
            requests: generator(Contract::Deserialize),
            orders: generator(Contract::Serialize),
        }
    }

    /// The schema of what is answered as `T`.
    pub(super) fn answer<T: JsonSchema>(&mut self) -> Tree {
        Tree::from(self.answers.subschema_for::<T>().to_value())
    }

    /// The schema of what is read as `T`.
    pub(super) fn request<T: JsonSchema>(&mut self) -> Tree {
        self.orders.subschema_for::<T>();
        Tree::from(self.requests.subschema_for::<T>().to_value())
    }

    /// All that were asked for, by name, with their members in the order of the documents.
    pub(super) fn all(mut self) -> Tree {
        let orders = self.orders.take_definitions(true);
        let mut all: BTreeMap<String, Tree> = BTreeMap::new();
        for (name, schema) in self.answers.take_definitions(true) {
            let order = order(&schema);
            all.insert(name, arranged(schema, &order));
        }
        for (name, schema) in self.requests.take_definitions(true) {
            let order = orders.get(&name).map(order).unwrap_or_default();
            all.insert(name, arranged(schema, &order));
        }
        Tree::Object(all.into_iter().collect())
    }
}

fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = DEFINITIONS.into();
        settings.meta_schema = None;
        settings.contract = contract;
    });
    settings.into_generator()
}

/// The names of the members that are always there, in their order.
fn order(schema: &Value) -> Vec<String> {
    let required = schema.get("required").and_then(Value::as_array);
    required.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// The schema with its properties in this order, others after them.
fn arranged(schema: Value, order: &[String]) -> Tree {
    let Value::Object(members) = schema else { return schema.into() };
    let arranged = members.into_iter().map(|(name, mut value)| match value.as_object_mut() {
        Some(properties) if name == "properties" => {
            let mut known: Vec<(String, Tree)> = order
                .iter()
                .filter_map(|name| Some((name.clone(), properties.remove(name)?.into())))
                .collect();
            known.extend(std::mem::take(properties).into_iter().map(|(name, value)| (name, value.into())));
            (name, Tree::Object(known))
        }
        Some(_) | None => (name, value.into()),
    });
    Tree::Object(arranged.collect())
}

/// A schema as a part of the document.
impl From<Schema> for Tree {
    fn from(schema: Schema) -> Self {
        schema.to_value().into()
    }
}

/// An object of whatever members.
pub(super) fn object(_: &mut Schemas) -> Tree {
    Tree::object([("type", "object".into())])
}

/// An object without members.
pub(super) fn nothing(_: &mut Schemas) -> Tree {
    json_schema!({ "type": "object", "maxProperties": 0 }).into()
}

/// The time of which a history is asked for.
pub(super) fn period() -> [Parameter; 2] {
    let time = || or_empty(&json_schema!({ "type": "string", "format": "date-time" }));
    [
        Parameter::new("from", "Not before this time.", time()),
        Parameter::new("to", "Before this time.", time()),
    ]
}

/// A number of things in a query.
pub(super) fn whole_number(default: usize) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "default": default })
}

/// Words in a query, in any case.
pub(super) fn any_case(words: impl IntoIterator<Item = &'static str>) -> Schema {
    or_empty(&schema::any_case(words, &[]))
}

/// Text in a query, which counts as left out where it is empty.
fn or_empty(schema: &Schema) -> Schema {
    json_schema!({ "anyOf": [schema, { "const": "" }] })
}

/// The query of a history, whose rows are of these kinds.
pub(super) fn page<K: Copy>(kinds: &[K], word: fn(K) -> &'static str) -> [Parameter; 3] {
    let limit = json_schema!({
        "type": "integer", "minimum": 1, "maximum": paging::PAGE_LIMIT, "default": paging::PAGE,
    });
    let cursor = or_empty(&json_schema!({ "type": "string", "pattern": "^[0-9]{1,18}$" }));
    [
        Parameter::new(
            "kind",
            "Only rows of this kind. Read in any case.",
            any_case(kinds.iter().copied().map(word)),
        ),
        Parameter::new("limit", "How many rows.", limit),
        Parameter::new("cursor", "The `NextCursor` of the page before.", cursor),
    ]
}
