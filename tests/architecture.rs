//! The rooms of the program, who may import whom, and which crates only some may name.
//!
//! A text scan: it reads paths (`use` trees and paths in code) without comments and strings. Test
//! modules may use what they test with, and are left out of the rules about imports.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

/// A room: a folder of src/, or a file there.
struct Room {
    name: &'static str,
    /// The rooms it may import; only such as stand above it in the table, so that there is no circle.
    may_import: &'static [&'static str],
    /// The reserved crates that all of its files may name.
    crates: &'static [&'static str],
    /// The reserved crates that one of its files may name.
    files: &'static [(&'static str, &'static [&'static str])],
}

const ROOMS: &[Room] = &[
    // Values that cannot be wrong. See also PURE.
    Room { name: "domain", may_import: &[], crates: &[], files: &[] },
    // The only place that asks for the time, or waits for it.
    Room { name: "clock", may_import: &["domain"], crates: &["rustix"], files: &[] },
    // What is counted and measured, and how Prometheus is told.
    Room { name: "metrics", may_import: &[], crates: &["prometheus_client"], files: &[] },
    // What a service manager is told, and whether loops go round.
    Room { name: "service", may_import: &["clock"], crates: &[], files: &[] },
    // How many may be here at once, in all and of one user or source.
    Room { name: "crowd", may_import: &["domain"], crates: &[], files: &[] },
    // Runs a command of the operator's within a time limit.
    Room { name: "command", may_import: &["service"], crates: &["rustix"], files: &[] },
    // What servers show of themselves, and whom clients trust.
    Room {
        name: "tls",
        may_import: &["domain", "clock"],
        crates: &["rcgen", "ring", "tokio_rustls", "x509_parser"],
        files: &[],
    },
    // JSON shapes of both interfaces, to and from domain.
    Room { name: "wire", may_import: &["domain"], crates: &["schemars", "serde", "serde_json"], files: &[] },
    // SQLite, sealing. JSON only as the text of a configuration's changes, and of what was known of members. The clock
    // measures how long writes take; rustix says how full the disk is.
    Room {
        name: "store",
        may_import: &["domain", "clock", "metrics"],
        crates: &["sqlx", "chacha20poly1305"],
        // Whose process it is.
        files: &[
            ("folder.rs", &["rustix"]),
            ("configuration.rs", &["serde_json"]),
            ("data_endpoints.rs", &["serde_json"]),
            ("group_history.rs", &["serde_json"]),
            ("space.rs", &["rustix"]),
        ],
    },
    // Proves to a server who we are; what every client of ours is made of.
    Room { name: "login", may_import: &["domain", "wire", "clock", "tls"], crates: &["reqwest"], files: &[] },
    // Writes rows of the adapter's history, for every room that has something to tell.
    Room { name: "recorder", may_import: &["domain", "clock", "store"], crates: &[], files: &[] },
    // Keeps this adapter registered. rustix tells the driver the host's name.
    Room {
        name: "registration",
        may_import: &["domain", "wire", "clock", "service", "metrics", "store", "tls", "login", "recorder"],
        crates: &[],
        files: &[
            ("client.rs", &["reqwest", "serde", "serde_json"]),
            ("listener.rs", &["reqwest"]),
            ("driver.rs", &["rustix"]),
        ],
    },
    // Starts, stops and guards the collector. nix looks users up.
    Room {
        name: "collector",
        may_import: &["domain", "clock", "service", "store", "recorder"],
        crates: &["rustix"],
        files: &[("launcher.rs", &["nix"]), ("fitness.rs", &["nix"])],
    },
    // Tells collectors that listen what role and mode demand of them.
    Room { name: "orders", may_import: &["domain", "clock", "crowd", "command"], crates: &[], files: &[] },
    // What is reported of the collector's source: components, probes, the score.
    Room {
        name: "reports",
        may_import: &["domain", "clock", "command", "store", "tls", "recorder"],
        crates: &[],
        files: &[("probe.rs", &["reqwest"])],
    },
    // The gate that the collector sends through. Addresses of reqwest are resolved and rewritten; hyper's are text.
    Room {
        name: "egress",
        may_import: &["domain", "clock", "store", "tls", "login", "recorder"],
        crates: &[],
        files: &[
            ("forward.rs", &["http_body_util", "hyper", "hyper_rustls", "hyper_util"]),
            ("connection.rs", &["hyper", "hyper_util", "tower"]),
            ("pool.rs", &["futures_util", "http_body_util", "hyper", "hyper_rustls", "tower"]),
            ("body.rs", &["http_body_util", "hyper"]),
            ("gate.rs", &["hyper"]),
            ("request.rs", &["hyper"]),
            ("sender.rs", &["futures_util"]),
            ("tls.rs", &["rustls_platform_verifier"]),
            ("via.rs", &["hyper"]),
            ("view.rs", &["hyper"]),
        ],
    },
    // The failover endpoint we host.
    Room {
        name: "endpoint",
        may_import: &["domain", "clock", "service", "metrics", "crowd", "store"],
        crates: &[],
        files: &[],
    },
    // One file that has everything but the key and what waits at the gate.
    Room {
        name: "backup",
        may_import: &["domain", "clock", "store", "endpoint"],
        crates: &[],
        files: &[("file.rs", &["ring"])],
    },
    // Who changed what, and what was refused.
    Room { name: "audit", may_import: &["domain", "clock", "store"], crates: &[], files: &[] },
    // Users, passwords, and what a login costs.
    Room {
        name: "auth",
        may_import: &["domain", "clock", "crowd", "store", "tls"],
        crates: &[],
        files: &[
            ("password.rs", &["argon2"]),
            ("memory.rs", &["ring"]),
            ("issuer.rs", &["reqwest"]),
            ("token.rs", &["jsonwebtoken", "serde_json"]),
        ],
    },
    // Kit, adapter, endpoint, page: requests in, answers out.
    Room {
        name: "http",
        may_import: &[
            "domain",
            "wire",
            "clock",
            "crowd",
            "metrics",
            "store",
            "tls",
            "registration",
            "orders",
            "reports",
            "egress",
            "endpoint",
            "audit",
            "auth",
        ],
        crates: &[
            "axum",
            "futures_util",
            "tower",
            "tower_http",
            "http_body_util",
            "hyper",
            "hyper_util",
            "schemars",
            "serde",
            "serde_json",
            "tokio_rustls",
        ],
        // How many files the process may open.
        files: &[("crowd.rs", &["rustix"])],
    },
    // How it runs.
    Room {
        name: "settings",
        may_import: &["domain"],
        crates: &["toml"],
        files: &[("unknown.rs", &["strsim"])],
    },
    Room {
        name: "telemetry",
        may_import: &["domain", "clock", "settings"],
        crates: &["tracing_subscriber"],
        files: &[],
    },
    // Wiring and shutdown: knows everybody but the command line.
    Room {
        name: "app",
        may_import: &[
            "domain",
            "clock",
            "service",
            "wire",
            "store",
            "tls",
            "registration",
            "egress",
            "collector",
            "orders",
            "reports",
            "endpoint",
            "audit",
            "auth",
            "http",
            "settings",
            "telemetry",
        ],
        crates: &[],
        // The host's name for a certificate; the room on a disk; all destinations asked at once.
        files: &[
            ("entrance.rs", &["rustix", "tokio_rustls"]),
            ("place.rs", &["rustix"]),
            ("destinations.rs", &["futures_util"]),
        ],
    },
    // A pair to break, with a sink and a network of its own.
    Room {
        name: "demo",
        may_import: &["domain", "clock", "collector"],
        crates: &["rustix", "serde_json"],
        files: &[
            ("mod.rs", &["tempfile"]),
            ("ask.rs", &["reqwest"]),
            ("collector.rs", &["reqwest"]),
            ("sink.rs", &["axum"]),
        ],
    },
    // The command line. serde_json reads answers for tables.
    Room {
        name: "cli",
        may_import: &["domain", "tls", "collector", "backup", "auth", "settings", "telemetry", "app", "demo"],
        crates: &["clap"],
        files: &[
            ("client.rs", &["serde", "serde_json"]),
            ("groups.rs", &["serde_json"]),
            // A terminal that does not show what is typed.
            ("password.rs", &["rustix"]),
            ("remote.rs", &["reqwest", "serde", "serde_json"]),
            ("secret.rs", &["serde_json"]),
            ("table.rs", &["serde_json"]),
            // The user's number and the host's name.
            ("who.rs", &["rustix"]),
            ("why.rs", &["serde_json"]),
        ],
    },
    // Its allocator is the process's.
    Room { name: "main", may_import: &["cli"], crates: &["mimalloc"], files: &[] },
    Room { name: "lib", may_import: &[], crates: &[], files: &[] },
];

/// Crates that any room may name, except the pure ones.
const SHARED: &[&str] = &[
    "base64",
    "getrandom",
    "jiff",
    "percent_encoding",
    "rustls",
    "secrecy",
    "thiserror",
    "tokio",
    "tokio_util",
    "tracing",
    "url",
    "uuid",
];

/// All that `domain` may name besides the standard library.
const VALUES: &[&str] = &["jiff", "secrecy", "thiserror", "url"];

/// All that a machine may name besides the standard library and `domain`: the words of its errors.
const MACHINE: &[&str] = &["thiserror"];

/// Values in a module that is not pure otherwise.
const ADDRESSES: &[&str] = &["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr"];

/// What `domain` and machines may not do: no I/O, no waiting, no randomness, no clock.
const IMPURE: &[&str] = &["env", "fs", "io", "net", "process", "thread"];

/// Who wants to know the time asks clock.rs.
const CLOCKS: &[&str] = &["Instant", "SystemTime"];

/// A file answers one question; past this many lines it answers several.
const LONGEST_FILE: usize = 600;

#[test]
fn rooms_import_only_what_the_table_allows() -> Result<(), Box<dyn Error>> {
    let mut faults = Vec::new();
    for file in files(&root().join("src"))? {
        let name = file.strip_prefix(root().join("src"))?.to_string_lossy().into_owned();
        faults.extend(faults_of(&name, &fs::read_to_string(&file)?, &dependencies()?));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    Ok(())
}

#[test]
fn the_table_has_no_circle_and_every_crate_a_place() -> Result<(), Box<dyn Error>> {
    for (at, room) in ROOMS.iter().enumerate() {
        for import in room.may_import {
            assert!(ROOMS[..at].iter().any(|above| above.name == *import), "{} imports {import}", room.name);
        }
    }
    for dependency in dependencies()? {
        let reserved = ROOMS.iter().any(|room| {
            room.crates.contains(&dependency.as_str())
                || room.files.iter().any(|(_, crates)| crates.contains(&dependency.as_str()))
        });
        assert!(
            reserved != SHARED.contains(&dependency.as_str()),
            "{dependency} needs one place in the table"
        );
    }
    Ok(())
}

#[test]
fn nothing_names_the_workplace() -> Result<(), Box<dyn Error>> {
    // In pieces, so that this file does not name them either.
    let needles = [concat!("..", "/shared"), concat!("/wo", "rk/")];
    for file in files(&root())? {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (line, text) in text.lines().enumerate() {
            let named = needles.iter().find(|needle| text.contains(**needle));
            assert!(named.is_none(), "{}:{} names {named:?}", file.display(), line + 1);
        }
    }
    Ok(())
}

#[test]
fn the_scan_finds_what_it_looks_for() {
    let dependencies = ["axum", "reqwest", "serde", "sqlx", "tokio", "tracing"].map(str::to_owned);
    for (name, source, fault) in [
        ("store/a.rs", "use crate::http::Kit;", "imports http"),
        ("wire/a.rs", "use crate::{domain::{self, Now}, clock::now};", "imports clock"),
        ("store/a.rs", "fn f() { let a = \"\\\"\"; crate::wire::f() }", "imports wire"),
        ("store/a/b.rs", "use super::super::super::cli::X;", "imports cli"),
        ("main.rs", "use client_failover::app;", "imports app"),
        ("store/a.rs", "use axum::Router;", "names axum"),
        ("store/a.rs", "pub(crate) use axum as web;", "names axum"),
        ("store/a.rs", "use {std::fs, serde::Serialize};", "names serde"),
        ("registration/driver.rs", "fn f(a: &'static reqwest::Client) {}", "names reqwest"),
        ("registration/machine/a.rs", "use super::super::driver::X;", "leaves the machine"),
        ("registration/machine.rs", "use crate::clock;", "leaves the machine"),
        ("endpoint/machine.rs", "fn f() { tracing::info!(\"\") }", "names tracing"),
        ("endpoint/machine.rs", "async fn f() {}", "is async"),
        ("endpoint/machine.rs", "use std::{fmt, fs};", "names std::fs"),
        ("domain/a.rs", "use tokio::net::TcpStream;", "names tokio"),
        ("http/a.rs", "use std::time::{Duration, Instant};", "names Instant"),
        ("http/a.rs", "fn f() { todo!() }", "has todo!"),
        ("http/a.rs", "#[cfg(test)] mod tests { fn f() { dbg!(1) } }", "has dbg!"),
        ("attic/a.rs", "", "is no room"),
        ("http/mod.rs", "mod a;", "opens without a //! comment"),
        ("http/a.rs", "\n".repeat(601).as_str(), "has 601 lines"),
    ] {
        let faults = faults_of(name, source, &dependencies);
        assert!(faults.iter().any(|found| found.contains(fault)), "{name}: {source}: {faults:?}");
    }
    for (name, source) in [
        ("http/mod.rs", "//! Promises.\nuse axum::Router; use crate::store::Store;"),
        ("registration/client.rs", "use reqwest::Client; use super::machine::Call; use crate::wire::X;"),
        ("registration/machine/a.rs", "use super::Event; use crate::domain::Now; use std::net::SocketAddr;"),
        (
            "store/a.rs",
            "// use axum::Router;\n/* crate::http::X /* */ axum::Y */ const A: &str = \"axum::Z\";",
        ),
        ("store/a.rs", "const A: &str = r#\"\"axum::Z\"\"#; const B: char = '\"'; const C: char = '\\'';"),
        ("store/a.rs", "#[cfg(test)]\nmod tests { use axum::Router; fn f() { crate::http::x() } }"),
        ("store/a.rs", "fn f<'a>(sqlx: &'a str) { self::tokio::f(); a::axum::f() }"),
        ("store/tests.rs", "use axum::Router;"),
    ] {
        let faults = faults_of(name, source, &dependencies);
        assert!(faults.is_empty(), "{name}: {source}: {faults:?}");
    }
}

/// What is wrong with a file of src/.
fn faults_of(name: &str, source: &str, dependencies: &[String]) -> Vec<String> {
    let module = module(name);
    let Some(room) = ROOMS.iter().find(|room| Some(room.name) == module.first().map(String::as_str)) else {
        return vec![format!("src/{name} is no room of the table")];
    };
    let mut faults = Vec::new();
    let door = name.ends_with("mod.rs") || !name.contains('/');
    if door && !source.starts_with("//! ") {
        faults.push("opens without a //! comment".to_owned());
    }
    let lines = source.lines().count();
    if lines > LONGEST_FILE {
        faults.push(format!("has {lines} lines, more than {LONGEST_FILE}"));
    }
    let words = words(source);
    for pair in words.windows(2) {
        if pair[1] == "!" && ["todo", "unimplemented", "dbg"].contains(&pair[0].as_str()) {
            faults.push(format!("has {}!", pair[0]));
        }
    }
    if !name.ends_with("tests.rs") {
        let words = without_tests(&words);
        for path in paths(&words) {
            faults.extend(path_fault(room, &module, name, &path, dependencies));
        }
        let pure = room.name == "domain" || is_machine(&module);
        if pure && words.iter().any(|word| word == "async" || word == "await") {
            faults.push("is async".to_owned());
        }
        if room.name != "clock" {
            let asks = words.iter().find(|word| CLOCKS.contains(&word.as_str()));
            faults.extend(asks.map(|clock| format!("names {clock}")));
        }
    }
    faults.into_iter().map(|fault| format!("src/{name} {fault}")).collect()
}

/// What is wrong with a path that a file names.
fn path_fault(
    room: &Room,
    module: &[String],
    name: &str,
    path: &[String],
    dependencies: &[String],
) -> Option<String> {
    let said = path.join("::");
    let first = path.first()?.as_str();
    let machine = is_machine(module);
    let supers = path.iter().take_while(|segment| *segment == "super").count();
    let inside: Vec<String> = match first {
        "crate" | "client_failover" => path[1..].to_vec(),
        "super" => {
            let above = module.get(..module.len().checked_sub(supers)?)?;
            above.iter().chain(&path[supers..]).cloned().collect()
        }
        "std" | "core" | "alloc" => {
            let impure = path.get(1).is_some_and(|module| IMPURE.contains(&module.as_str()));
            let value = path.last().is_some_and(|name| ADDRESSES.contains(&name.as_str()));
            return (impure && !value && (machine || room.name == "domain")).then(|| format!("names {said}"));
        }
        _ if dependencies.iter().any(|dependency| dependency == first) => {
            let file = Path::new(name).file_name()?.to_str()?;
            let here = room.files.iter().find(|(own, _)| *own == file).map_or(&[][..], |(_, crates)| *crates);
            let may = if machine {
                MACHINE.contains(&first)
            } else {
                let free = if room.name == "domain" { VALUES } else { SHARED };
                [free, room.crates, here].iter().any(|crates| crates.contains(&first))
            };
            return (!may).then(|| format!("names {said}"));
        }
        _ => return None,
    };
    let target = inside.first()?.as_str();
    if machine && target != "domain" && !(target == room.name && inside.get(1)? == "machine") {
        return Some(format!("leaves the machine for {said}"));
    }
    let may = target == room.name || room.may_import.contains(&target);
    (!may && target != "self").then(|| format!("imports {target} ({said})"))
}

fn is_machine(module: &[String]) -> bool {
    module.get(1).is_some_and(|part| part == "machine")
}

/// The module of a file of src/.
fn module(name: &str) -> Vec<String> {
    let name = name.trim_end_matches(".rs").trim_end_matches("/mod");
    name.split('/').map(str::to_owned).collect()
}

/// The words and signs of a source, without comments, strings and characters.
fn words(source: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment_length(rest)
        } else if next == '"' {
            string_length(rest)
        } else if next == 'r' && rest[1..].trim_start_matches('#').starts_with('"') {
            let hashes = rest[1..].len() - rest[1..].trim_start_matches('#').len();
            let end = format!("\"{}", "#".repeat(hashes));
            rest[hashes + 2..].find(&end).map_or(rest.len(), |at| at + hashes + 2 + end.len())
        } else if next == '\'' {
            character_length(rest)
        } else if next.is_alphanumeric() || next == '_' {
            let end = |character: char| !character.is_alphanumeric() && character != '_';
            let length = rest.find(end).unwrap_or(rest.len());
            words.push(rest[..length].to_owned());
            length
        } else {
            let length = if rest.starts_with("::") { 2 } else { next.len_utf8() };
            if !next.is_whitespace() {
                words.push(rest[..length].to_owned());
            }
            length
        };
        rest = &rest[length..];
    }
    words
}

fn comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        let step = match rest {
            [b'/', b'*', ..] => (depth + 1, 2),
            [b'*', b'/', ..] => (depth - 1, 2),
            _ => (depth, 1),
        };
        (depth, at) = (step.0, at + step.1);
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character in quotes, or the quote of a lifetime alone.
fn character_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            text.char_indices().skip(3).find(|(_, end)| *end == '\'').map_or(1, |(at, _)| at + 1)
        }
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

/// The words without items under `#[cfg(test)]`.
fn without_tests(words: &[String]) -> Vec<String> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < words.len() {
        if words[at..].iter().map(String::as_str).take(mark.len()).eq(mark) {
            let mut depth = 0_usize;
            at += mark.len();
            while let Some(word) = words.get(at) {
                at += 1;
                match word.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                if depth == 0 && (word == "}" || word == ";") {
                    break;
                }
            }
        } else {
            kept.push(words[at].clone());
            at += 1;
        }
    }
    kept
}

/// Every path that is named, with the trees of `use` written out.
fn paths(words: &[String]) -> Vec<Vec<String>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < words.len() {
        let word = |at: usize| words.get(at).map(String::as_str);
        let used = word(at) == Some("use");
        let begins =
            word(at + 1) == Some("::") && is_name(&words[at]) && (at == 0 || word(at - 1) != Some("::"));
        if used || begins {
            at = tree(words, at + usize::from(used), &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Writes out the tree that begins at `at`, and says where it ends.
fn tree(words: &[String], mut at: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match words.get(at).map(String::as_str) {
            Some("::") => at += 1,
            Some("{") => {
                at += 1;
                while let Some(word) = words.get(at).filter(|word| *word != "}") {
                    at = if word == "," { at + 1 } else { tree(words, at, &path, found).max(at + 1) };
                }
                return at + 1;
            }
            Some(word) if is_name(word) => {
                path.push(word.to_owned());
                at += 1;
                if words.get(at).is_none_or(|next| next != "::") {
                    break;
                }
            }
            _ => break,
        }
    }
    found.push(path);
    at
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The names of the crates in `[dependencies]`, as code spells them.
fn dependencies() -> Result<Vec<String>, Box<dyn Error>> {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml"))?.parse()?;
    let table = manifest.get("dependencies").and_then(toml::Value::as_table).ok_or("no [dependencies]")?;
    Ok(table.keys().map(|name| name.replace('-', "_")).collect())
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, without what git and cargo, npm or a running adapter put there.
fn files(folder: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            if ["target", ".git", "node_modules", "data"].iter().any(|skipped| name == *skipped) {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}
