//! The facets: the client failover configuration, and the destinations of the egress gate.

use axum::http::{Method, StatusCode};

use super::operation::{Content, Operation, Tag};
use crate::{
    http::{adapter, data_endpoints, secrets},
    wire::{
        configuration::ConfigurationBody,
        data_endpoint::DataEndpointBody,
        request::{ConfigurationRequest, DataEndpointRequest, One, Patch, SecretRequest, Secrets, Several},
        secret::SecretBody,
    },
};

const FACET: &str = "/api/v1/configuration/System/ClientFailover";
const BY_ID: &str = "/api/v1/configuration/System/ClientFailover/{id}";
const DESTINATIONS: &str = "/api/v1/configuration/Egress/DataEndpoints";
const SECRETS_PATH: &str = "/api/v1/management/secrets";
const SECRET: &str = "/api/v1/management/secrets/{id}";
const DESTINATION: &str = "/api/v1/configuration/Egress/DataEndpoints/{id}";

/// Of a body whose secrets were left alone.
const SECRETS: &str = "Secrets are shown as 15 asterisks; writing them back keeps what is stored. A request that changes \
    scheme, host or port of `Endpoint` or `TokenEndpoint`, or `ValidateEndpointCertificate`, must give the secret again. \
    It is on disk before the answer.";

const WHOLE: &str = include_str!("../../../examples/ConfigureClientFailover.json");
const PART: &str = r#"{"Mode": "Warm", "FailoverTimeout": "00:00:10"}"#;
const SHOWN: &str = include_str!("examples/ClientFailover.json");
const DESTINATIONS_WHOLE: &str = include_str!("../../../examples/ConfigureDataEndpoints.json");
const DESTINATION_WHOLE: &str =
    r#"{"Id": "metrics", "Endpoint": "http://localhost:9090", "BufferedAnswer": 200}"#;
const DESTINATION_PART: &str = r#"{"MaxBufferSizeMB": 4096}"#;
const DESTINATION_SHOWN: &str = include_str!("examples/DataEndpoint.json");

const SECRET_WHOLE: &str =
    r#"{"Id": "historian", "Value": "Password1", "Origins": ["https://historian.example"]}"#;
const SECRET_SHOWN: &str = r#"{"Id":"historian","Description":null,"ExpirationDate":null,"Value":"***************","Origins":["https://historian.example"],"UsedBy":["the data endpoint \"historian\": Password"]}"#;

pub(super) fn operations() -> Vec<Operation> {
    let mut all: Vec<_> = facet().into_iter().chain(by_id()).map(Operation::stores).collect();
    all.extend(destinations().into_iter().chain(destination()).map(Operation::stores));
    all.extend(all_secrets().into_iter().chain(secret()).map(Operation::stores));
    all
}

fn of(method: Method, path: &str, id: &str, summary: &'static str) -> Operation {
    Operation::new(method, path, id, Tag::Configuration, summary)
}

fn facet() -> [Operation; 5] {
    [
        of(Method::GET, FACET, "listClientFailover", "What is configured").answers(
            StatusCode::OK,
            "An array with the configuration, or an empty one.",
            Content::answer::<Vec<ConfigurationBody>>(&format!("[{SHOWN}]")),
        ),
        of(
            Method::POST,
            FACET,
            "addClientFailover",
            "Configure client failover, where nothing is configured",
        )
        .takes(Content::request::<One<ConfigurationRequest>>(&[("whole", WHOLE)]))
        .answers(StatusCode::CREATED, "It is configured.", Content::answer::<ConfigurationBody>(SHOWN))
        .headers(&[("Location", "The configuration's own path.")])
        .refuses(adapter::already_configured("FailoverConfiguration1")),
        of(Method::PUT, FACET, "replaceClientFailover", "Configure client failover, whatever is configured")
            .more(SECRETS)
            .takes(Content::request::<One<ConfigurationRequest>>(&[("whole", WHOLE)]))
            .done(StatusCode::NO_CONTENT, "It is configured."),
        of(Method::PATCH, FACET, "editClientFailover", "Change members of the configuration")
            .more(SECRETS)
            .takes(Content::request::<One<Patch<ConfigurationRequest>>>(&[("part", PART)]))
            .done(StatusCode::NO_CONTENT, "It is changed.")
            .refuses(adapter::nothing_configured()),
        of(Method::DELETE, FACET, "removeClientFailover", "Configure nothing")
            .done(StatusCode::NO_CONTENT, "Nothing is configured."),
    ]
}

fn by_id() -> [Operation; 4] {
    let unknown = || adapter::unknown_id("Other");
    [
        of(Method::GET, BY_ID, "getClientFailover", "The configuration, by its Id")
            .answers(StatusCode::OK, "The configuration.", Content::answer::<ConfigurationBody>(SHOWN))
            .refuses(unknown()),
        of(Method::PUT, BY_ID, "replaceClientFailoverById", "Replace the configuration, by its Id")
            .more(SECRETS)
            .takes(Content::request::<One<ConfigurationRequest>>(&[("whole", WHOLE)]))
            .done(StatusCode::NO_CONTENT, "It is replaced.")
            .refuses(unknown()),
        of(Method::PATCH, BY_ID, "editClientFailoverById", "Change members of the configuration, by its Id")
            .more(SECRETS)
            .takes(Content::request::<One<Patch<ConfigurationRequest>>>(&[("part", PART)]))
            .done(StatusCode::NO_CONTENT, "It is changed.")
            .refuses(unknown()),
        of(Method::DELETE, BY_ID, "removeClientFailoverById", "Remove the configuration, by its Id")
            .done(StatusCode::NO_CONTENT, "Nothing is configured.")
            .refuses(unknown()),
    ]
}

fn of_gate(method: Method, path: &str, id: &str, summary: &'static str) -> Operation {
    Operation::new(method, path, id, Tag::Gate, summary)
}

fn destinations() -> [Operation; 4] {
    [
        of_gate(Method::GET, DESTINATIONS, "listDataEndpoints", "All data endpoints").answers(
            StatusCode::OK,
            "All of them.",
            Content::answer::<Vec<DataEndpointBody>>(&format!("[{DESTINATION_SHOWN}]")),
        ),
        of_gate(Method::POST, DESTINATIONS, "addDataEndpoints", "Add data endpoints")
            .takes(Content::request::<Several<DataEndpointRequest>>(&[
                ("one", DESTINATION_WHOLE),
                ("several", DESTINATIONS_WHOLE),
            ]))
            .answers(
                StatusCode::CREATED,
                "They are added: an array, where the request had one.",
                Content::answer::<Several<DataEndpointBody>>(DESTINATION_SHOWN),
            )
            .headers(&[("Location", "The data endpoint's own path, where it is one.")])
            .refuses(data_endpoints::already_there("metrics")),
        of_gate(Method::PUT, DESTINATIONS, "replaceDataEndpoints", "Replace all data endpoints")
            .more(SECRETS)
            .takes(Content::request::<Several<DataEndpointRequest>>(&[("several", DESTINATIONS_WHOLE)]))
            .done(StatusCode::NO_CONTENT, "They are replaced."),
        of_gate(Method::DELETE, DESTINATIONS, "removeDataEndpoints", "Remove all data endpoints")
            .more(
                "What waits for one stays in the buffer, and is sent if one with the same Id is added again.",
            )
            .done(StatusCode::NO_CONTENT, "There is none."),
    ]
}

fn destination() -> [Operation; 4] {
    let unknown = || data_endpoints::unknown_id("other");
    [
        of_gate(Method::GET, DESTINATION, "getDataEndpoint", "A data endpoint")
            .answers(
                StatusCode::OK,
                "The data endpoint.",
                Content::answer::<DataEndpointBody>(DESTINATION_SHOWN),
            )
            .refuses(unknown()),
        of_gate(Method::PUT, DESTINATION, "replaceDataEndpoint", "Replace a data endpoint")
            .more(SECRETS)
            .takes(Content::request::<One<DataEndpointRequest>>(&[("whole", DESTINATION_WHOLE)]))
            .done(StatusCode::NO_CONTENT, "It is replaced.")
            .refuses(unknown()),
        of_gate(Method::PATCH, DESTINATION, "editDataEndpoint", "Change members of a data endpoint")
            .more(SECRETS)
            .takes(Content::request::<One<Patch<DataEndpointRequest>>>(&[("part", DESTINATION_PART)]))
            .done(StatusCode::NO_CONTENT, "It is changed.")
            .refuses(unknown()),
        of_gate(Method::DELETE, DESTINATION, "removeDataEndpoint", "Remove a data endpoint")
            .more(
                "What waits for it stays in the buffer, and is sent if one with the same Id is added again.",
            )
            .done(StatusCode::NO_CONTENT, "It is removed.")
            .refuses(unknown()),
    ]
}

fn of_secrets(method: Method, path: &str, id: &str, summary: &'static str) -> Operation {
    Operation::new(method, path, id, Tag::Secrets, summary)
}

fn all_secrets() -> [Operation; 3] {
    [
        of_secrets(Method::GET, SECRETS_PATH, "listSecrets", "All secrets, without their values").answers(
            StatusCode::OK,
            "All of them.",
            Content::answer::<Vec<SecretBody>>(&format!("[{SECRET_SHOWN}]")),
        ),
        of_secrets(Method::PUT, SECRETS_PATH, "replaceSecrets", "Replace all secrets")
            .takes(Content::request::<Secrets<SecretRequest>>(&[("one", SECRET_WHOLE)]))
            .done(StatusCode::NO_CONTENT, "They are replaced, and used at once."),
        of_secrets(Method::DELETE, SECRETS_PATH, "removeSecrets", "Remove all secrets")
            .done(StatusCode::NO_CONTENT, "There is none."),
    ]
}

fn secret() -> [Operation; 3] {
    let unknown = || secrets::unknown("other");
    [
        of_secrets(Method::GET, SECRET, "getSecret", "A secret, without its value")
            .answers(StatusCode::OK, "The secret.", Content::answer::<SecretBody>(SECRET_SHOWN))
            .refuses(unknown()),
        of_secrets(Method::PUT, SECRET, "setSecret", "Give a secret")
            .takes(Content::request::<One<SecretRequest>>(&[("whole", SECRET_WHOLE)]))
            .done(StatusCode::NO_CONTENT, "It is stored, and used at once."),
        of_secrets(Method::DELETE, SECRET, "removeSecret", "Remove a secret")
            .done(StatusCode::NO_CONTENT, "It is removed.")
            .refuses(unknown()),
    ]
}
