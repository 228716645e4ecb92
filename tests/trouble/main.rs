//! The adapter against failover endpoints that misbehave: what it shows, writes down and does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod changes;
mod failures;
mod farewells;
mod leases;
mod paces;

use std::ops::{Deref, DerefMut};

use serde_json::Value;
use support::{Server, configuration, scripted::Endpoint};
use tempfile::TempDir;

/// The group of every test.
const GROUP: &str = "Line 1/A";

/// An adapter as a process, with a data folder that goes with it.
struct Adapter {
    server: Server,
    data: TempDir,
    more: Vec<&'static str>,
}

impl Adapter {
    /// Starts one without a configuration.
    fn start(more: &[&'static str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        Self { server: Server::serve(data.path(), more), data, more: more.to_vec() }
    }

    /// Starts one that registers with `endpoint`.
    async fn registering(endpoint: &Endpoint, timeout: &str, more: &[&'static str]) -> Self {
        let adapter = Self::start(more);
        adapter.configure(&configuration(&endpoint.base(), GROUP, timeout)).await;
        adapter
    }

    /// Starts one that `endpoint` makes Primary.
    async fn primary(endpoint: &Endpoint, timeout: &str, more: &[&'static str]) -> Self {
        let adapter = Self::registering(endpoint, timeout, more).await;
        adapter.until_role("Primary").await;
        adapter
    }

    /// Ends the process without a chance to say anything, and starts it again.
    fn crash_and_restart(&mut self) {
        self.server.kill();
        self.server = Server::serve(self.data.path(), &self.more);
    }

    /// The one row that says that calls fail for this reason; there is no other such row, and the
    /// log has told it once.
    async fn only_failure(&self, reason: &str, sentence: &str) -> Value {
        let mut rows = self.history().await;
        rows.retain(|row| row["Kind"] == "EndpointFailed");
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(rows[0]["Reason"], reason, "{rows:?}");
        assert!(rows[0]["Explanation"].as_str().unwrap().contains(sentence), "{rows:?}");
        let lines = self.log_lines("EndpointFailed", reason);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(" WARN ") && lines[0].contains(sentence), "{lines:?}");
        rows.remove(0)
    }
}

impl Deref for Adapter {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl DerefMut for Adapter {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

/// A warning of the diagnostics that contains `text`.
fn warns(diagnostics: &Value, text: &str) -> bool {
    let warnings = diagnostics["Warnings"].as_array().unwrap();
    warnings.iter().any(|warning| warning.as_str().unwrap().contains(text))
}
