//! The interfaces as a document for programs: OpenAPI 3.1, made from the program that serves it.
//!
//! Promises: it has what this server serves and nothing else (`tests/security` asks the router); shapes are those of
//! `wire`, limits those of `domain`, refusals and their examples those that handlers answer with, and whom an operation
//! serves is what `access` says.
//!
//! Does not: know what is served. Each half lists its operations in a file here, beside what a test holds them to.

mod collector;
mod configuration;
mod diagnostics;
mod document;
mod endpoint;
mod operation;
mod refusals;
mod schemas;
mod server;
mod tree;

use axum::{http::HeaderMap, routing::get};

use self::operation::Operation;
use super::{
    kit::Routes,
    page::{Asset, Halves},
};

/// Where the document is.
pub const PATH: &str = "/api/openapi.json";

/// The route of the document of a server with these halves.
#[must_use]
pub fn routes(halves: Halves) -> Routes {
    let document = Asset::new("application/json", document::of(halves, &operations(halves)).into());
    Routes::new().route(PATH, get(async move |headers: HeaderMap| document.answer(&headers)))
}

/// What a server with these halves serves, in the order in which it is shown.
fn operations(halves: Halves) -> Vec<Operation> {
    let mut all = Vec::new();
    if halves.adapter {
        all.extend(configuration::operations());
        all.extend(diagnostics::operations());
        all.extend(collector::operations());
    }
    if halves.endpoint {
        all.extend(endpoint::operations());
    }
    all.extend(server::operations());
    all
}
