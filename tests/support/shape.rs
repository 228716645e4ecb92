//! Answers as snapshots: indented in the order they were written, without what changes from run to run.

use std::path::Path;

use super::Answer;

/// Compares the whole answer with tests/snapshots/`name`.snap.
pub fn snapshot(name: &str, answer: &Answer) {
    let mut text = format!("{}\n", answer.status);
    for header in ["content-type", "location", "allow", "retry-after"] {
        if let Some(value) = answer.headers.get(header) {
            text.push_str(&format!("{header}: {}\n", redacted(value.to_str().unwrap())));
        }
    }
    text.push_str(&format!("\n{}", indented(&answer.body)));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name.to_owned(), text));
}

/// JSON text with line breaks, in its own order, its strings redacted.
pub fn indented(json: &str) -> String {
    let (mut text, mut depth) = (String::new(), 0);
    let new_line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.push_str(&"  ".repeat(depth));
    };
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        match first {
            '"' => {
                length = string_length(rest);
                text.push_str(&redacted(&rest[..length]));
            }
            '{' | '[' => {
                text.push(first);
                if !rest[1..].starts_with(['}', ']']) {
                    depth += 1;
                    new_line(&mut text, depth);
                }
            }
            '}' | ']' => {
                if !text.ends_with(['{', '[']) {
                    depth -= 1;
                    new_line(&mut text, depth);
                }
                text.push(first);
            }
            ',' => {
                text.push(',');
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            other => text.push(other),
        }
        rest = &rest[length..];
    }
    text
}

/// The length of the string literal that `text` begins with.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return index + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// `text` with its times, GUIDs, ports and short durations replaced.
fn redacted(text: &str) -> String {
    let words = text.split_inclusive([' ', '"', '/', '(', ')', ',']);
    words.map(redacted_word).collect()
}

fn redacted_word(word: &str) -> String {
    let plain = word.trim_end_matches([' ', '"', '/', '(', ')', ',', '.']);
    let end = &word[plain.len()..];
    let is = |pattern: &str| {
        plain.len() == pattern.len()
            && plain.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
                b'9' => byte.is_ascii_digit(),
                b'f' => byte.is_ascii_hexdigit(),
                _ => byte == wanted,
            })
    };
    const GUID: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";
    let guid_at = plain.len().checked_sub(GUID.len()).filter(|at| plain.is_char_boundary(*at));
    if plain.starts_with("20") && plain.ends_with('Z') && plain.get(..20).is_some_and(|t| t.contains('T')) {
        format!("[time]{end}")
    } else if is(GUID) {
        format!("[guid]{end}")
    } else if guid_at.is_some_and(|at| plain[at..].split('-').map(str::len).eq([8, 4, 4, 4, 12])) {
        format!("[host]-[guid]{end}")
    } else if let Some(port) = plain.strip_prefix("127.0.0.1:") {
        format!("127.0.0.1:[port]{}{end}", port.trim_start_matches(|c: char| c.is_ascii_digit()))
    } else if is("99:99:99.9999999") {
        format!("[span]{end}")
    } else {
        word.to_owned()
    }
}

/// The names of an object's members, in the order they were written.
pub fn members(body: &str) -> Vec<String> {
    let text = indented(body);
    let lines = text.lines().filter(|line| line.starts_with("  \""));
    lines.filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect()
}
