//! Where the adapter stands, and what happened to it.

use axum::http::{Method, StatusCode};

use super::{
    operation::{Content, Operation, Tag},
    schemas::{self, Schemas},
};
use crate::{
    domain::TransitionKind,
    http::live,
    wire::{
        egress::LaneBody,
        state::{FailoverBody, FailoverStateBody, HistoryBody},
    },
};

const FAILOVER: &str = include_str!("examples/Failover.json");

pub(super) fn operations() -> Vec<Operation> {
    vec![
        of("FailoverState", "getFailoverState", "Role, last data, score and state, as the vendor's adapters say it")
            .answers(
                StatusCode::OK,
                "The state.",
                Content::answer::<FailoverStateBody>(
                    r#"{"Role":"Primary","LastDataProcessedTime":"2026-11-24T03:20:11.131Z","FailoverStatus":"100","AdapterState":"Running"}"#,
                ),
            ),
        of("Failover", "getFailover", "Everything that is known: role and why, lease, endpoint, score, warnings")
            .answers(StatusCode::OK, "What is known.", Content::answer::<FailoverBody>(FAILOVER)),
        of("Failover/Events", "watchFailover", "The same, as it changes")
            .more(
                "`Failover` comes at once, when something changes, and every second; `History` when the history grew. \
                 One user can have 64 of them.",
            )
            .answers(
                StatusCode::OK,
                "Events, until one side hangs up.",
                Content::events(
                    &[("Failover", Schemas::answer::<FailoverBody>), ("History", schemas::nothing)],
                    "event: History\ndata: {}\n\n",
                ),
            )
            .refuses(live::too_many()),
        of("FailoverHistory", "getFailoverHistory", "What happened, newest first")
            .asks(schemas::period())
            .asks(schemas::page(TransitionKind::ALL, TransitionKind::as_str))
            .answers(
                StatusCode::OK,
                "A page of it.",
                Content::answer::<HistoryBody>(include_str!("examples/FailoverHistory.json")),
            )
            .stores(),
        Operation {
            tag: Tag::Gate,
            ..of("Egress", "getEgress", "What waits for each data endpoint, and what became of the rest")
        }
        .answers(
            StatusCode::OK,
            "Each data endpoint.",
            Content::answer::<Vec<LaneBody>>(include_str!("examples/Egress.json")),
        ),
    ]
}

fn of(path: &str, id: &str, summary: &'static str) -> Operation {
    Operation::new(Method::GET, &format!("/api/v1/diagnostics/{path}"), id, Tag::Diagnostics, summary)
}
