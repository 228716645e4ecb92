//! Answers as people read them: aligned, in one order, without secrets.

use serde_json::Value;

use crate::domain::Protected;

/// Between two columns.
const GAP: &str = "  ";

/// What stands where there is no value.
const NOTHING: &str = "-";

/// What stands for a secret that is set, masked by the server or not.
const SECRET: &str = "(set)";

/// The members that hold secrets.
const SECRETS: [&str; 2] = ["Password", "ClientSecret"];

/// The order in which members are shown. One that is not here comes last, by its name.
const ORDER: [&str; 40] = [
    "Id",
    "ConfigurationId",
    "FailoverGroupId",
    "Name",
    "Description",
    "FailoverTimeout",
    "Mode",
    "AppliedMode",
    "Endpoint",
    "EndpointVersion",
    "EndpointNative",
    "EndpointLoss",
    "UserName",
    "Password",
    "ClientId",
    "ClientSecret",
    "TokenEndpoint",
    "ValidateEndpointCertificate",
    "SessionId",
    "Started",
    "Collecting",
    "Buffering",
    "Egress",
    "Role",
    "RoleSince",
    "Reason",
    "Explanation",
    "Epoch",
    "LeaseRemaining",
    "GroupTimeout",
    "LastHeartbeat",
    "RoundTrip",
    "LastError",
    "LastDataProcessedTime",
    "FailoverStatus",
    "FailoverScore",
    "AdapterState",
    "Time",
    "Kind",
    "Warnings",
];

/// An object, a member on each line.
#[must_use]
pub fn members(object: &Value) -> String {
    let Value::Object(object) = object else { return plain(&object.to_string()) };
    let mut names: Vec<&String> = object.keys().collect();
    let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
    names.sort_by_key(|name| (place(name), *name));
    let mut rows = Vec::new();
    for name in names {
        let mut label = plain(name);
        for line in lines(name, &object[name]) {
            rows.push(vec![std::mem::take(&mut label), line]);
        }
    }
    align(&rows)
}

/// Objects, one on each line below the names of the members that are shown.
#[must_use]
pub fn columns(names: &[&str], objects: &[Value]) -> String {
    let header = names.iter().map(|name| name.to_uppercase()).collect();
    let rows = objects.iter().map(|object| {
        names.iter().map(|name| lines(name, object.get(name).unwrap_or(&Value::Null)).join("; ")).collect()
    });
    align(&std::iter::once(header).chain(rows).collect::<Vec<_>>())
}

/// A value's lines: one, or one for each element of a list or member of an object.
fn lines(name: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Null => vec![NOTHING.to_owned()],
        Value::String(text) if SECRETS.contains(&name) && is_reference(text) => vec![plain(text)],
        _ if SECRETS.contains(&name) => vec![SECRET.to_owned()],
        Value::Array(values) if values.is_empty() => vec![NOTHING.to_owned()],
        Value::Array(values) => values.iter().flat_map(|value| lines(name, value)).collect(),
        Value::String(text) => vec![plain(text)],
        Value::Object(members) if !members.is_empty() => members
            .iter()
            .map(|(name, value)| format!("{} {}", plain(name), lines(name, value).join(", ")))
            .collect(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![plain(&value.to_string())],
    }
}

/// Whether a secret is shown by what it refers to.
fn is_reference(text: &str) -> bool {
    matches!(Protected::read(text.into()), Ok(Protected::Reference(_)))
}

/// Text without control characters: what a name contains must not steer the terminal.
#[must_use]
pub fn plain(text: &str) -> String {
    let shown = |character: char| if character.is_control() { '\u{fffd}' } else { character };
    text.chars().map(shown).collect()
}

/// The width of a column at the most, in characters: a longer cell moves what follows it on its line alone.
const WIDEST: usize = 200;

/// A cell, and the space up to the next column.
pub(super) fn padded(cell: &str, width: usize) -> String {
    let width = width.min(WIDEST);
    format!("{cell:<width$}")
}

fn align(rows: &[Vec<String>]) -> String {
    let mut widths = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| padded(cell, *width));
        text.push_str(cells.collect::<Vec<_>>().join(GAP).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_aligned_and_secrets_are_not_shown() {
        let object = json!({
            "Zeta": {"a": 1, "b": null}, "ClientSecret": "{{plc}}", "Password": "Password1", "Id": "x\u{1b}[2J",
            "Warnings": ["one", "two"], "ValidateEndpointCertificate": false, "Name": null,
        });
        assert_eq!(
            members(&object),
            "Id                           x\u{fffd}[2J\n\
             Name                         -\n\
             Password                     (set)\n\
             ClientSecret                 {{plc}}\n\
             ValidateEndpointCertificate  false\n\
             Warnings                     one\n\
             \x20                            two\n\
             Zeta                         a 1\n\
             \x20                            b -\n"
        );
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let objects = [json!({"Time": "08:00", "Kind": "ä"}), json!({"Kind": "Promoted", "Role": "Primary"})];
        assert_eq!(
            columns(&["Time", "Kind", "Role"], &objects),
            "TIME   KIND      ROLE\n08:00  ä         -\n-      Promoted  Primary\n"
        );
    }

    #[test]
    fn a_cell_of_any_length_is_shown_and_makes_no_other_line_as_long() {
        let long = "x".repeat(100_000);
        let objects = [json!({"Name": long, "Role": "a"}), json!({"Name": "n", "Role": "b"})];
        let shown = columns(&["Name", "Role"], &objects);
        assert!(shown.contains(&long));
        assert!(shown.len() < long.len() + 1_000, "{}", shown.len());
    }
}
