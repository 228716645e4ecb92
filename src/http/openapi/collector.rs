//! For collectors: what they are to do, how they are, and the gate they send through.

use axum::http::{Method, StatusCode};

use super::{
    operation::{Content, Operation, Tag},
    schemas::Schemas,
};
use crate::{
    egress::{Refusal, Unread},
    http::{components, gate},
    orders::TooManyListeners,
    reports::ReportError,
    wire::{
        component::ComponentBody,
        order::OrderBody,
        request::{ComponentRequest, One},
    },
};

const ORDER: &str = r#"{"Started":true,"Collecting":true,"Buffering":false,"Egress":true,"Role":"Primary","Mode":"Hot","Epoch":217653611,"LeaseRemaining":"00:00:08.9100000"}"#;
const REPORT: &str = r#"{"StreamCount": 1000, "DeviceStatus": "Good", "TimeToLive": "00:01:00"}"#;
const COMPONENT: &str = r#"{"Id":"PLC-1","Source":"Report","StreamCount":1000,"DeviceStatus":"Good","CountsAs":"Good","LastDataProcessedTime":null,"TimeToLive":"00:01:00","Heard":"2026-11-24T03:20:11.131Z","Explanation":"component \"PLC-1\" reports Good"}"#;

pub(super) fn operations() -> Vec<Operation> {
    order().into_iter().chain(components()).chain([through_the_gate()]).collect()
}

fn of(method: Method, path: &str, id: &str, summary: &'static str) -> Operation {
    Operation::new(method, &format!("/api/v1/diagnostics/{path}"), id, Tag::Collector, summary)
}

fn order() -> [Operation; 2] {
    [
        of(Method::GET, "Order", "getOrder", "What role and mode demand of the collector now")
            .answers(StatusCode::OK, "The order.", Content::answer::<OrderBody>(ORDER)),
        of(Method::GET, "Order/Events", "listenToOrder", "The same, as it changes")
            .more(
                "`Order` comes at once, and at each change; also when the permission to send ends, at that moment. One \
                 user can have 64 of them. A proxy in front must pass it on unbuffered, with a read timeout above 15 s.",
            )
            .answers(
                StatusCode::OK,
                "Events, until one side hangs up.",
                Content::events(
                    &[("Order", Schemas::answer::<OrderBody>)],
                    &format!("event: Order\ndata: {ORDER}\n\n"),
                ),
            )
            .refuses(TooManyListeners),
    ]
}

fn components() -> [Operation; 4] {
    let refused = |error| components::refused(error, "PLC-1");
    [
        of(Method::GET, "Components", "listComponents", "What components report and probes see").answers(
            StatusCode::OK,
            "Each of them.",
            Content::answer::<Vec<ComponentBody>>(&format!("[{COMPONENT}]")),
        ),
        of(Method::GET, "Components/{id}", "getComponent", "What a component reports, or a probe sees")
            .answers(StatusCode::OK, "The component.", Content::answer::<ComponentBody>(COMPONENT))
            .refuses(refused(ReportError::Unknown)),
        of(Method::PUT, "Components/{id}", "reportComponent", "Report how a component stands to its source")
            .more(
                "To be repeated within `TimeToLive`. The FailoverScore is the share of streams that are connected. \
                 Reports live in memory.",
            )
            .takes(Content::request::<One<ComponentRequest>>(&[("report", REPORT)]))
            .done(StatusCode::NO_CONTENT, "It counts.")
            .refuses(refused(ReportError::IsProbe))
            .refuses(refused(ReportError::TooMany)),
        of(Method::DELETE, "Components/{id}", "removeComponent", "Forget a component that is gone")
            .done(StatusCode::NO_CONTENT, "It does not count any more.")
            .refuses(refused(ReportError::Unknown))
            .refuses(refused(ReportError::IsProbe)),
    ]
}

fn through_the_gate() -> Operation {
    let refusals = [
        Refusal::BadId,
        Refusal::Unknown("other".to_owned()),
        Unread::TooSlow.into(),
        Unread::TooLarge(16 * 1024 * 1024).into(),
        Refusal::Unreachable("it could not be reached".to_owned()),
        Refusal::NotLoggedIn,
        Refusal::GoesRound("metrics".to_owned()),
        Refusal::StandsBy,
        Refusal::Full,
        Unread::NoMemory.into(),
    ];
    let gate = Operation::new(
        Method::POST,
        "/egress/{id}/{path}",
        "sendThroughGate",
        Tag::Gate,
        "Send through the egress gate",
    )
    .more(
        "Any method, any body, and any path of any length, which are passed on byte for byte: as Primary, and where \
         no failover is configured, to the data endpoint `id`. A Hot Secondary keeps it on disk instead, a Warm or \
         Cold one refuses it, or drops it (`StandbyAnswer`). Unlike elsewhere, the path is taken as it is written.",
    )
    .takes(Content::any("samples"))
    .otherwise("What the data endpoint answers; or `BufferedAnswer`, 204 by default, for what is kept.");
    refusals.into_iter().fold(gate, |gate, refusal| gate.refuses(gate::failure(refusal)))
}
