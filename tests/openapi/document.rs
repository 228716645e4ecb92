//! What the document has: what is served, whole, and the same until somebody means to change it.

use std::{collections::BTreeSet, path::Path};

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::{
    Server,
    routes::{DOCUMENT, concrete, document_of_both, is_gate, operations},
};

/// How wide the snapshot is.
const WIDTH: usize = 140;

#[tokio::test]
async fn a_server_documents_the_halves_that_it_has() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (server, adapter, endpoint) in [
        (Server::serve(folders[0].path(), &[]), true, false),
        (Server::endpoint(folders[1].path(), &[]), false, true),
        (Server::serve(folders[2].path(), &["--with-endpoint"]), true, true),
    ] {
        let document = server.get(DOCUMENT).await.json();
        let operations = operations(&document);
        let has = |start: &str| operations.iter().any(|(_, path, _)| path.starts_with(start));
        assert_eq!(has("/api/v1/configuration/"), adapter);
        assert_eq!(has("/egress/"), adapter);
        assert_eq!(has("/api/v1/clientfailover/groups"), endpoint);
        assert_eq!(has("/api/v1/tenants/"), endpoint);
        assert!(has("/healthz") && has(DOCUMENT));
        let schemas = document["components"]["schemas"].as_object().unwrap();
        assert_eq!(
            (schemas.contains_key("Refusal"), schemas.contains_key("EndpointRefusal")),
            (true, endpoint)
        );
        // The router of the program is the one that was documented.
        for (method, path, _) in operations.iter().filter(|(_, path, _)| !is_gate(path)) {
            let answer = server.send(Method::TRACE, &concrete(path), None).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
            let allowed = answer.headers["allow"].to_str().unwrap();
            assert!(
                allowed.split(',').any(|allowed| allowed == method.as_str()),
                "{method} {path}: {allowed}"
            );
        }
    }
}

#[tokio::test]
async fn every_operation_says_what_it_is_whom_it_serves_and_how_it_is_refused() {
    let (text, document) = document_of_both().await;
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let what = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{what} has another's id");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{what}");
        let needs = operation["x-needs"].as_str().unwrap();
        assert!(["nobody", "user", "administrator"].contains(&needs), "{what} needs {needs}");
        let answers = operation["responses"].as_object().unwrap();
        let statuses: Vec<&str> = answers.keys().map(String::as_str).collect();
        assert!(statuses.iter().any(|status| status.starts_with('2') || *status == "default"), "{what}");
        for status in ["400", "403", "414", "500"] {
            assert!(statuses.contains(&status), "{what} lacks {status}");
        }
        assert_eq!(statuses.contains(&"401"), needs != "nobody", "{what}");
        if operation["requestBody"]["content"].get("application/json").is_some() {
            for status in ["408", "413", "415"] {
                assert!(statuses.contains(&status), "{what} lacks {status}");
            }
            let examples = &operation["requestBody"]["content"]["application/json"]["examples"];
            assert!(
                examples.as_object().is_some_and(|examples| !examples.is_empty()),
                "{what} has no example"
            );
        }
    }
    let mut names: Vec<&str> =
        text.split("\"$ref\":\"#/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        assert!(document.pointer(&format!("/{name}")).is_some(), "{name} is referred to and not there");
    }
}

#[tokio::test]
async fn what_is_of_a_tenant_is_what_is_on_premises() {
    let (_, document) = document_of_both().await;
    let (mut of_tenant, mut on_premises) = (Vec::new(), Vec::new());
    for (method, path, operation) in operations(&document) {
        let mut said = operation.clone();
        let id = said["operationId"].as_str().unwrap().trim_end_matches("OfTenant").to_owned();
        for differs in ["operationId", "tags"] {
            said.as_object_mut().unwrap().remove(differs);
        }
        if let Some(below) =
            path.strip_prefix("/api/v1/tenants/{tenant}/namespaces/{namespace}/clientfailover")
        {
            of_tenant.push((method, below.to_owned(), id, said));
        } else if let Some(below) = path.strip_prefix("/api/v1/clientfailover") {
            on_premises.push((method, below.to_owned(), id, said));
        }
    }
    assert!(of_tenant.len() > 10);
    assert_eq!(of_tenant, on_premises);
}

#[tokio::test]
async fn the_document_changes_only_on_purpose() {
    let (_, mut document) = document_of_both().await;
    document["info"]["version"] = "[version]".into();
    // Said a second time.
    document["paths"].as_object_mut().unwrap().retain(|path, _| !path.starts_with("/api/v1/Tenants/"));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("openapi", laid_out(&document, 0)));
}

/// JSON with its members in alphabetical order, each value on one line if it fits there.
fn laid_out(value: &Value, depth: usize) -> String {
    let (on_one_line, indent) = (value.to_string(), "  ".repeat(depth));
    if on_one_line.len() + indent.len() <= WIDTH {
        return on_one_line;
    }
    let inside = "  ".repeat(depth + 1);
    let (lines, [open, close]): (Vec<String>, _) = match value {
        Value::Object(members) => {
            let line = |(name, value): (&String, &Value)| {
                format!("{inside}\"{name}\": {}", laid_out(value, depth + 1))
            };
            (members.iter().map(line).collect(), ["{", "}"])
        }
        Value::Array(list) => {
            (list.iter().map(|value| format!("{inside}{}", laid_out(value, depth + 1))).collect(), ["[", "]"])
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return on_one_line,
    };
    format!("{open}\n{}\n{indent}{close}", lines.join(",\n"))
}
