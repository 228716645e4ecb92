//! Collectors that listen and report, through real sockets and processes: the order, its stream and its hook;
//! components, probes, and the score they come to.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "../support/mod.rs"]
mod support;

mod hook;
mod pair;
mod probes;
mod signal;
mod stream;

use std::path::Path;

use support::Server;

/// Starts an adapter whose settings file is `text`, in a folder that also holds its data.
fn serve(folder: &Path, text: &str, more: &[&str]) -> Server {
    let settings = folder.join("settings.toml");
    std::fs::write(&settings, text).unwrap();
    let arguments = [&["--config", settings.to_str().unwrap()], more].concat();
    Server::serve(&folder.join("data"), &arguments)
}
