//! The document: what operations say, in the form of OpenAPI 3.1.

use std::collections::BTreeMap;

use super::{
    operation::{Answer, Content, Operation, Parameter, Tag},
    refusals::{self, Group},
    schemas::Schemas,
    tree::Tree,
};
use crate::{
    http::{
        access::Need,
        kit::{Failure, to_json},
        page::Halves,
        routes::is_endpoint,
    },
    wire::{
        error::{AdapterError, EndpointError},
        schema,
    },
};

/// What holds for all operations, in Markdown.
const ABOUT: &str = include_str!("about.md");

/// All tags in their order.
const TAGS: [Tag; 9] = [
    Tag::Configuration,
    Tag::Secrets,
    Tag::Diagnostics,
    Tag::Collector,
    Tag::Gate,
    Tag::Groups,
    Tag::Sessions,
    Tag::OfTenant,
    Tag::Server,
];

impl Tag {
    const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "Configuration",
            Self::Secrets => "Secrets",
            Self::Diagnostics => "Diagnostics",
            Self::Collector => "Collector",
            Self::Gate => "Egress gate",
            Self::Groups => "Groups",
            Self::Sessions => "Sessions",
            Self::OfTenant => "Of a tenant",
            Self::Server => "Server",
        }
    }

    const fn says(self) -> &'static str {
        match self {
            Self::Configuration => {
                "What the adapter is to do: the ClientFailover facet. There is one configuration."
            }
            Self::Secrets => {
                "What a Password or ClientSecret of `{{Id}}` refers to. Values go in, and never come out."
            }
            Self::Diagnostics => "Where the adapter stands, why, and what happened to it.",
            Self::Collector => "For collectors that listen to what they are to do, and report how they are.",
            Self::Gate => "Through which a collector sends, and its destinations.",
            Self::Groups => "The failover endpoint: its groups, and who is Primary in them.",
            Self::Sessions => "The failover endpoint: the members of its groups, and their heartbeats.",
            Self::OfTenant => "The failover endpoint once more: groups and sessions of a tenant's namespace.",
            Self::Server => "Of the server itself.",
        }
    }
}

/// The document of a server with `halves`, which serves `operations`, as JSON text.
pub(super) fn of(halves: Halves, operations: &[Operation]) -> String {
    let mut schemas = Schemas::new();
    if halves.adapter || operations.iter().any(|operation| !is_endpoint(&operation.path)) {
        schemas.answer::<AdapterError>();
    }
    if halves.endpoint {
        schemas.answer::<EndpointError>();
    }
    let mut responses = BTreeMap::new();
    let mut paths: Vec<(String, Tree)> = Vec::new();
    for operation in operations {
        let described = describe(operation, &mut schemas, &mut responses);
        let method = operation.method.as_str().to_ascii_lowercase();
        match paths.iter_mut().find(|(path, _)| *path == operation.path) {
            Some((_, Tree::Object(methods))) => methods.push((method, described)),
            _ => paths
                .push((operation.path.clone(), path_item(&operation.path, &method, described, &mut schemas))),
        }
    }
    let used = TAGS.into_iter().filter(|tag| operations.iter().any(|operation| operation.tag == *tag));
    let tags = used
        .map(|tag| Tree::object([("name", tag.name().into()), ("description", tag.says().into())]))
        .collect::<Vec<_>>();
    let components = Tree::object([
        ("schemas", schemas.all()),
        ("responses", Tree::Object(responses.into_iter().collect())),
        ("securitySchemes", security_schemes()),
    ]);
    to_json(&Tree::object([
        ("openapi", "3.1.1".into()),
        ("info", info(halves)),
        ("servers", vec![Tree::object([("url", "/".into())])].into()),
        ("tags", tags.into()),
        ("paths", Tree::Object(paths)),
        ("components", components),
    ]))
}

fn info(halves: Halves) -> Tree {
    let title = match (halves.adapter, halves.endpoint) {
        (true, true) => "client-failover: adapter and failover endpoint",
        (true, false) => "client-failover: adapter",
        (false, _) => "client-failover: failover endpoint",
    };
    let license = Tree::object([("name", "Apache License 2.0".into()), ("identifier", "Apache-2.0".into())]);
    Tree::object([
        ("title", title.into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("description", ABOUT.trim().into()),
        ("license", license),
    ])
}

fn security_schemes() -> Tree {
    let scheme = |scheme: &str, says: &str| {
        Tree::object([("type", "http".into()), ("scheme", scheme.into()), ("description", says.into())])
    };
    Tree::object([
        ("password", scheme("basic", "A user of `client-failover user`.")),
        (
            "token",
            scheme("bearer", "An access token of the provider of `--oidc-issuer`, where there is one."),
        ),
    ])
}

/// A path with its first operation, and the identifiers in it.
fn path_item(path: &str, method: &str, described: Tree, schemas: &mut Schemas) -> Tree {
    let names = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let parameters: Vec<Tree> = names
        .map(|name| {
            Tree::object([
                ("name", name.into()),
                ("in", "path".into()),
                ("required", true.into()),
                (
                    "description",
                    format!("{}; percent-encoded UTF-8. Compares exactly.", identifies(name)).into(),
                ),
                ("schema", schemas.answer::<schema::Id>()),
            ])
        })
        .collect();
    let item = Tree::Object(Vec::new());
    let item = if parameters.is_empty() { item } else { item.with("parameters", parameters) };
    item.with(method, described)
}

fn identifies(name: &str) -> &'static str {
    match name {
        "group" => "The Id of a failover group",
        "session" => "The Id of a client session",
        "tenant" => "A tenant",
        "namespace" => "A namespace of the tenant",
        _ => "The Id",
    }
}

fn describe(operation: &Operation, schemas: &mut Schemas, responses: &mut BTreeMap<String, Tree>) -> Tree {
    let need = refusals::need(operation);
    let described = Tree::object([
        ("tags", vec![Tree::from(operation.tag.name())].into()),
        ("operationId", operation.id.clone().into()),
        ("summary", operation.summary.into()),
    ]);
    let described = described
        .with_some("description", (!operation.more.is_empty()).then_some(operation.more))
        .with("x-needs", needs(need))
        .with("security", security(need));
    let parameters: Vec<Tree> = operation.query.iter().map(parameter).collect();
    let described = described.with_some("parameters", (!parameters.is_empty()).then_some(parameters));
    let takes = operation.takes.as_ref().map(|content| {
        Tree::object([("required", content.is_json().into()), ("content", body(content, schemas))])
    });
    let described = described.with_some("requestBody", takes);
    let mut all = refused(operation, responses);
    for answer in &operation.answers {
        // A status that answers in a shape of its own takes the place of a refusal.
        let status = answer.status.map_or("default".to_owned(), |status| status.as_str().to_owned());
        all.insert(status, answered(answer, schemas));
    }
    described.with("responses", Tree::Object(all.into_iter().collect()))
}

const fn needs(need: Need) -> &'static str {
    match need {
        Need::Nobody => "nobody",
        Need::User => "user",
        Need::Administrator => "administrator",
    }
}

/// Logins are needed as soon as there is a user, and on a network; else nobody is asked.
fn security(need: Need) -> Tree {
    let by = |name: &str| Tree::object([(name, Vec::new().into())]);
    match need {
        Need::Nobody => Vec::new().into(),
        Need::User | Need::Administrator => {
            vec![by("password"), by("token"), Tree::Object(Vec::new())].into()
        }
    }
}

fn parameter(parameter: &Parameter) -> Tree {
    Tree::object([
        ("name", parameter.name.into()),
        ("in", "query".into()),
        ("description", parameter.says.into()),
        ("schema", parameter.schema.clone().into()),
    ])
}

fn answered(answer: &Answer, schemas: &mut Schemas) -> Tree {
    let headers: Vec<_> = answer.headers.iter().map(|(name, says)| refusals::header(name, says)).collect();
    Tree::object([("description", answer.says.into())])
        .with_some("headers", (!headers.is_empty()).then_some(Tree::Object(headers)))
        .with_some("content", answer.content.as_ref().map(|content| body(content, schemas)))
}

fn body(content: &Content, schemas: &mut Schemas) -> Tree {
    let schema = if content.events.is_empty() {
        (content.schema)(schemas)
    } else {
        let events = content.events.iter().map(|(name, data)| event(name, data(schemas)));
        Tree::object([("oneOf", events.collect::<Vec<_>>().into())])
    };
    let examples = content
        .examples
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Tree::object([("value", value.clone())])));
    let media = Tree::object([("schema", schema)]);
    let has_examples = !content.examples.is_empty();
    let media = media.with_some("examples", has_examples.then(|| Tree::Object(examples.collect())));
    Tree::object([(content.kind, media.clone())])
        .with_some(content.other.unwrap_or_default(), content.other.map(|_| media))
}

/// The schema of a server-sent event: its name, and its data as the JSON that the text is.
fn event(name: &str, data: Tree) -> Tree {
    let named = Tree::object([("type", "string".into()), ("const", name.into())]);
    let data = Tree::object([
        ("type", "string".into()),
        ("contentMediaType", "application/json".into()),
        ("contentSchema", data),
    ]);
    Tree::object([
        ("type", "object".into()),
        ("required", vec!["event".into(), "data".into()].into()),
        ("properties", Tree::object([("event", named), ("data", data)])),
    ])
}

/// All refusals of an operation, by status; what others are refused with as well is said once, in `responses`.
fn refused(operation: &Operation, responses: &mut BTreeMap<String, Tree>) -> BTreeMap<String, Tree> {
    let endpoint = is_endpoint(&operation.path);
    let mut own: BTreeMap<String, Vec<Failure>> = BTreeMap::new();
    for failure in &operation.refusals {
        own.entry(failure.summary().0.as_str().to_owned()).or_default().push(failure.clone());
    }
    let mut all = BTreeMap::new();
    for group in refusals::common(operation) {
        let status = group.status().as_str().to_owned();
        let refusal = match own.remove(&status) {
            None => referred(&group, endpoint, responses),
            Some(mut failures) => {
                failures.extend(group.failures);
                refusals::response(&says(&failures), &failures, endpoint)
            }
        };
        all.insert(status, refusal);
    }
    for (status, failures) in own {
        all.insert(status, refusals::response(&says(&failures), &failures, endpoint));
    }
    all
}

/// A reference to the response of a group, which is put where it refers to.
fn referred(group: &Group, endpoint: bool, responses: &mut BTreeMap<String, Tree>) -> Tree {
    let name = format!("{}{}", if endpoint { "Endpoint" } else { "" }, group.name);
    let reference = Tree::reference("responses", &name);
    responses.entry(name).or_insert_with(|| refusals::response(group.says, &group.failures, endpoint));
    reference
}

/// What is refused, each once.
fn says(failures: &[Failure]) -> String {
    let mut said: Vec<&str> = Vec::new();
    for (_, error, _) in failures.iter().map(Failure::summary) {
        if !said.contains(&error) {
            said.push(error);
        }
    }
    said.join(" ")
}
