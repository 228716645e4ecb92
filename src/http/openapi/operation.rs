//! One operation of an interface, as whoever adds a route describes it.

use axum::http::{Method, StatusCode};
use schemars::{JsonSchema, Schema};

use super::{schemas::Schemas, tree::Tree};
use crate::http::kit::Failure;

/// The kind of nearly all bodies.
const JSON: &str = "application/json";

/// What belongs together, in the order in which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Configuration,
    Secrets,
    Diagnostics,
    Collector,
    Gate,
    Groups,
    Sessions,
    OfTenant,
    Server,
}

/// How the schema of something is made.
pub(super) type MakeSchema = fn(&mut Schemas) -> Tree;

/// A method of a path, and all that can be said of it.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: String,
    /// Names it for programs that are made from the document.
    pub(super) id: String,
    pub(super) tag: Tag,
    /// What it does, as a phrase.
    pub(super) summary: &'static str,
    /// What else is to be known, in Markdown.
    pub(super) more: &'static str,
    pub(super) query: Vec<Parameter>,
    pub(super) takes: Option<Content>,
    pub(super) answers: Vec<Answer>,
    /// What it is refused with besides what every operation can be refused with.
    pub(super) refusals: Vec<Failure>,
    /// Whether it needs the store.
    pub(super) stores: bool,
}

/// A parameter of the query.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) says: &'static str,
    pub(super) schema: Schema,
}

/// An answer that is none of the refusals.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// None: of any status that is not said.
    pub(super) status: Option<StatusCode>,
    pub(super) says: &'static str,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) content: Option<Content>,
}

/// A body.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) kind: &'static str,
    /// What else it may be in.
    pub(super) other: Option<&'static str>,
    pub(super) schema: MakeSchema,
    /// Events by name, of a stream of them.
    pub(super) events: Vec<(&'static str, MakeSchema)>,
    pub(super) examples: Vec<(&'static str, Tree)>,
}

impl Operation {
    /// An operation that does what `summary` says.
    pub(super) fn new(method: Method, path: &str, id: &str, tag: Tag, summary: &'static str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            id: id.to_owned(),
            tag,
            summary,
            more: "",
            query: Vec::new(),
            takes: None,
            answers: Vec::new(),
            refusals: Vec::new(),
            stores: false,
        }
    }

    /// What else is to be known, in Markdown.
    pub(super) fn more(self, more: &'static str) -> Self {
        Self { more, ..self }
    }

    /// Takes parameters in its query.
    pub(super) fn asks(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.query.extend(parameters);
        self
    }

    /// Takes a body.
    pub(super) fn takes(self, content: Content) -> Self {
        Self { takes: Some(content), ..self }
    }

    /// Answers with a body.
    pub(super) fn answers(mut self, status: StatusCode, says: &'static str, content: Content) -> Self {
        self.answers.push(Answer { status: Some(status), says, headers: &[], content: Some(content) });
        self
    }

    /// Answers without a body.
    pub(super) fn done(mut self, status: StatusCode, says: &'static str) -> Self {
        self.answers.push(Answer { status: Some(status), says, headers: &[], content: None });
        self
    }

    /// Answers with whatever status and body.
    pub(super) fn otherwise(mut self, says: &'static str) -> Self {
        self.answers.push(Answer { status: None, says, headers: &[], content: None });
        self
    }

    /// The last answer has these headers; each with what it says.
    pub(super) fn headers(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers = headers;
        }
        self
    }

    /// Can be refused with this.
    pub(super) fn refuses(mut self, failure: impl Into<Failure>) -> Self {
        self.refusals.push(failure.into());
        self
    }

    /// The same, if there is such a refusal.
    pub(super) fn refuses_some(mut self, failure: Option<impl Into<Failure>>) -> Self {
        self.refusals.extend(failure.map(Into::into));
        self
    }

    /// Needs the store.
    pub(super) fn stores(self) -> Self {
        Self { stores: true, ..self }
    }
}

impl Parameter {
    /// A parameter that may be left out.
    pub(super) fn new(name: &'static str, says: &'static str, schema: Schema) -> Self {
        Self { name, says, schema }
    }
}

impl Content {
    /// A JSON answer of the shape `T`, with an example.
    pub(super) fn answer<T: JsonSchema>(example: &str) -> Self {
        Self::json(Schemas::answer::<T>, &[("example", example)])
    }

    /// A JSON body of the shape `T`, with named examples.
    pub(super) fn request<T: JsonSchema>(examples: &[(&'static str, &str)]) -> Self {
        Self::json(Schemas::request::<T>, examples)
    }

    /// A JSON body of some shape.
    pub(super) fn json(schema: MakeSchema, examples: &[(&'static str, &str)]) -> Self {
        let examples = examples.iter().map(|(name, text)| (*name, Tree::text(text))).collect();
        Self { kind: JSON, other: None, schema, events: Vec::new(), examples }
    }

    /// Text of another kind.
    pub(super) fn text(kind: &'static str, example: &str) -> Self {
        Self {
            kind,
            other: None,
            schema: |_| text(),
            events: Vec::new(),
            examples: vec![("example", example.into())],
        }
    }

    /// The same text in another kind, which is asked for in `Accept`.
    pub(super) fn or(self, kind: &'static str) -> Self {
        Self { other: Some(kind), ..self }
    }

    /// A body of any kind.
    pub(super) fn any(example: &str) -> Self {
        Self::text("*/*", example)
    }

    /// Whether it is JSON.
    pub(super) fn is_json(&self) -> bool {
        self.kind == JSON
    }

    /// Server-sent events, with what their data is by name.
    pub(super) fn events(events: &[(&'static str, MakeSchema)], example: &str) -> Self {
        Self { events: events.to_vec(), ..Self::text("text/event-stream", example) }
    }
}

fn text() -> Tree {
    Tree::object([("type", "string".into())])
}
