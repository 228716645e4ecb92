//! docs/operations.md has an answer to whatever asks for a human: each line of log at WARN or ERROR, each alert.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
};

const DOCUMENT: &str = include_str!("../docs/operations.md");

/// Files whose lines say a sentence of the history, or a warning that says itself what to do.
const SENTENCES: [&str; 3] = ["src/recorder.rs", "src/endpoint/driver/recording.rs", "src/app/reminder.rs"];

#[test]
fn each_line_of_log_that_needs_a_human_has_its_row_and_each_row_a_line() {
    let mut logged = Vec::new();
    for file in files(&root().join("src"), "rs") {
        let name = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let source = fs::read_to_string(&file).unwrap();
        let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
        logged.extend(messages(source).into_iter().map(|message| (name.clone(), message)));
    }
    assert!(logged.len() > 50, "the scan finds what it looks for: {}", logged.len());
    let rows: Vec<_> = rows().filter(|row| row.contains(' ') || *row == "stopped").collect();
    for (file, message) in &logged {
        let sentence = ["{}", "{warning}"].contains(&message.as_str()) && SENTENCES.contains(&file.as_str());
        let known = rows.iter().any(|row| begins(message, row));
        assert!(sentence || known, "`{message}` of {file} has no row in docs/operations.md");
    }
    for row in rows {
        let meant = logged.iter().any(|(_, message)| begins(message, row));
        assert!(meant, "`{row}` of docs/operations.md is logged nowhere");
    }
}

#[test]
fn each_reason_that_is_logged_as_a_warning_has_its_row() {
    for (file, before, kinds) in [
        ("src/recorder.rs", "TransitionKind::ServerStarted", ["Reason::", "TransitionKind::"]),
        ("src/endpoint/driver/recording.rs", "GroupChangeKind::Promoted", ["GroupChangeKind::"; 2]),
    ] {
        let source = fs::read_to_string(root().join(file)).unwrap();
        let (_, logging) = source.split_once("let (kind, reason").unwrap();
        let (alarming, _) = logging.split_once(before).unwrap();
        for kind in kinds {
            for rest in alarming.split(kind).skip(1) {
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
                // Which components alarm is said by their reasons.
                let said = name == "Component" || rows().any(|row| row == name);
                assert!(said, "{kind}{name} has no row in docs/operations.md");
            }
        }
    }
}

#[test]
fn each_alert_has_its_row() {
    for file in files(&root().join("contrib"), "yml") {
        for line in fs::read_to_string(&file).unwrap().lines() {
            if let Some((_, alert)) = line.split_once("alert: ") {
                let said = rows().any(|row| row == alert.trim());
                assert!(said, "{} has no row in docs/operations.md", alert.trim());
            }
        }
    }
}

#[test]
fn the_scan_finds_the_message_of_a_line() {
    let source = "tracing::warn!(%error, at = f(\"x\"), \"what \\\"waits\\\" is damaged, and is given up\")";
    assert_eq!(messages(source), ["what \\\"waits\\\" is damaged, and is given up"]);
}

/// Whether a line of this message begins as the row says, after what the line is about, where that comes first.
fn begins(message: &str, row: &str) -> bool {
    let after = message.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    message.starts_with(row)
        || after.is_some_and(|(_, rest)| rest.trim_start_matches([':', ';', ' ']).starts_with(row))
}

/// What each row of a table of the document is about: its first column, as far as it is literal.
fn rows() -> impl Iterator<Item = &'static str> {
    let literal = |line: &'static str| line.strip_prefix("| `")?.split_once('`').map(|(row, _)| row);
    DOCUMENT.lines().filter_map(literal)
}

/// The last text in each `warn!` and `error!`.
fn messages(source: &str) -> Vec<String> {
    let mut messages = Vec::new();
    for begin in ["warn!(", "error!("] {
        for (at, _) in source.match_indices(begin) {
            let (mut depth, mut text, mut last) = (1, None::<String>, None);
            let mut characters = source[at + begin.len()..].chars();
            while let Some(character) = characters.next().filter(|_| depth > 0) {
                match (&mut text, character) {
                    (Some(text), '\\') => {
                        text.push('\\');
                        text.extend(characters.next());
                    }
                    (Some(_), '"') => last = text.take(),
                    (Some(text), _) => text.push(character),
                    (None, '"') => text = Some(String::new()),
                    (None, '(') => depth += 1,
                    (None, ')') => depth -= 1,
                    (None, _) => {}
                }
            }
            messages.extend(last);
        }
    }
    messages
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file with this extension below a folder; none where there is no folder.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                files.push(path);
            }
        }
    }
    files
}
