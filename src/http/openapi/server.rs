//! Of the server itself, whichever halves it has.

use axum::http::{Method, StatusCode};

use super::{
    PATH,
    operation::{Content, Operation, Tag},
    schemas,
};
use crate::{domain::AuditKind, http::health::HealthBody, metrics::Format, wire::audit::AuditBody};

const AUDIT: &str = r#"{"Items":[{"Time":"2026-11-24T03:20:11.131Z","Kind":"Override","Action":"Began","Subject":"Line 1: plc-b","RequestedBy":"chief","RequestedFrom":"192.0.2.7","Status":null,"Times":1,"Changes":null}],"NextCursor":null}"#;

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
        of("/api/v1/management/audit", "getAudit", "Who changed what, and what was refused, newest first")
            .asks(schemas::period())
            .asks(schemas::page(AuditKind::ALL, AuditKind::as_str))
            .answers(StatusCode::OK, "A page of it.", Content::answer::<AuditBody>(AUDIT))
            .stores(),
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
