//! The page for people, in a real browser. What it must do is in the `.mjs` files beside this one; this
//! starts them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "../support/mod.rs"]
mod support;

mod files;

use std::{
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
};

/// One browser at a time: it wants a processor for itself.
static BROWSER: Mutex<()> = Mutex::new(());

fn holds(file: &str) {
    let _alone = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page");
    assert!(
        folder.join("node_modules/playwright-core").exists(),
        "what drives the browser is not installed: run scripts/test-node-setup first"
    );
    let ran = Command::new("node")
        .args(["--test", "--test-reporter=spec"])
        .arg(folder.join(file))
        .env("CLIENT_FAILOVER_PROGRAM", env!("CARGO_BIN_EXE_client-failover"))
        .output()
        .expect("node runs the browser's tests; install nodejs");
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}");
}

#[test]
fn the_adapter_is_shown_as_it_is_and_never_as_it_was() {
    holds("adapter.test.mjs");
}

#[test]
fn many_groups_are_shown_at_a_glance() {
    holds("groups.test.mjs");
}

#[test]
fn a_group_is_shown_with_its_past_and_can_be_overridden() {
    holds("group.test.mjs");
}

#[test]
fn the_audit_trail_is_shown_as_it_grows_and_never_as_if_it_were_live() {
    holds("audit.test.mjs");
}

#[test]
fn the_interfaces_are_shown_as_the_server_describes_them() {
    holds("api.test.mjs");
}

#[test]
fn a_page_of_somebody_else_changes_and_reads_nothing() {
    holds("stranger.test.mjs");
}

#[test]
fn who_needs_a_login_is_asked_for_it_by_the_browser() {
    holds("login.test.mjs");
}

#[test]
fn a_token_that_is_pasted_logs_in_and_is_kept_nowhere() {
    holds("token.test.mjs");
}

#[test]
fn lanes_show_what_the_history_says() {
    holds("lanes.test.mjs");
}
