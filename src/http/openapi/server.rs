//! Of the server itself, whichever halves it has.

use axum::http::{Method, StatusCode};

use super::{
    PATH,
    operation::{Content, Operation, Tag},
    schemas,
};
use crate::{http::health::HealthBody, metrics::Format};

pub(super) fn operations() -> Vec<Operation> {
    vec![
        of("/healthz", "getHealth", "Whether the process lives").answers(
            StatusCode::OK,
            "It does.",
            Content::answer::<HealthBody>(r#"{"Status":"Alive","Reasons":[]}"#),
        ),
        of("/readyz", "getReadiness", "Whether its store works and its secrets can be read")
            .answers(
                StatusCode::OK,
                "Yes.",
                Content::answer::<HealthBody>(r#"{"Status":"Ready","Reasons":[]}"#),
            )
            .answers(
                StatusCode::SERVICE_UNAVAILABLE,
                "No, and why.",
                Content::answer::<HealthBody>(
                    r#"{"Status":"NotReady","Reasons":["the key file data/key is missing"]}"#,
                ),
            ),
        of("/metrics", "getMetrics", "What is measured, for Prometheus")
            .more("OpenMetrics, where `Accept` asks for it; else the classical format.")
            .answers(
                StatusCode::OK,
                "The metrics.",
                Content::text(Format::Classical.content_type(), "client_failover_warnings 0\n")
                    .or(Format::OpenMetrics.content_type()),
            ),
        of(PATH, "getInterfaces", "This document").answers(
            StatusCode::OK,
            "OpenAPI 3.1.",
            Content::json(schemas::object, &[]),
        ),
    ]
}

fn of(path: &str, id: &str, summary: &'static str) -> Operation {
    Operation::new(Method::GET, path, id, Tag::Server, summary)
}
