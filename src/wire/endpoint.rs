//! What a failover endpoint reads.
//!
//! Members that are not known are passed over: a newer adapter may say more. Enums are read as
//! numbers and as words.

use std::time::Duration;

use serde_json::Value;

use super::members::{Content, Field, Members, Reader, Unknown};
use crate::domain::{
    Asked, ClientRole, Description, Epoch, FailoverTimeout, Fault, Faults, GroupDraft, GroupId, GroupSpec,
    Margin, Name, Place, Preferences, RoleOverride, SessionId, SessionSpec, TextError, parse_span,
};

/// The longest AdditionalData, in bytes of JSON: room for settings and notes, not for data.
const ADDITIONAL_DATA_LIMIT: usize = 16 * 1024;

/// The longest dwell: as long as the longest FailoverTimeout.
const LONGEST_DWELL: Duration = FailoverTimeout::MAX;

const ID: &str = "An Id has 1 to 256 characters, and no control characters.";
const OVERRIDE: &str = "Value is Off or 0, or Primary or 1.";

/// The body of POST groups.
///
/// # Errors
/// Every fault of it.
pub fn read_group(place: Place, members: Members) -> Result<GroupSpec, Faults> {
    let mut reader = Reader::new(members);
    let id = required(&mut reader, "Id", ID, GroupId::new);
    let name = optional(
        &mut reader,
        "Name",
        "A Name has 1 to 256 characters, and no control characters.",
        Name::new,
    );
    let description = optional(
        &mut reader,
        "Description",
        "A Description has at most 1024 characters, and no control characters.",
        Description::new,
    );
    let timeout = read_timeout(&mut reader);
    let (additional_data, preferences) = read_additional_data(&mut reader);
    match (id, timeout, reader.finish(Unknown::Ignore)) {
        (Some(id), Some(timeout), faults) if faults.is_empty() => {
            let draft = GroupDraft { id, name, description, timeout };
            Ok(GroupSpec { place, draft, additional_data, preferences })
        }
        (_, _, faults) => Err(faults),
    }
}

fn read_timeout(reader: &mut Reader) -> Option<FailoverTimeout> {
    const RIGHT: &str = "FailoverTimeout is a time span such as 00:01:00, from 00:00:00.25 to 1.00:00:00.";
    let text = match reader.text("FailoverTimeout") {
        Field::Value(text) => text,
        Field::Null => return missing(reader, "FailoverTimeout", RIGHT),
        Field::Absent if reader.is_faulty_about("FailoverTimeout") => return None,
        Field::Absent => return missing(reader, "FailoverTimeout", RIGHT),
    };
    let timeout = parse_span(&text).and_then(|span| FailoverTimeout::new(span).ok());
    if timeout.is_none() {
        reader.fault(Fault::new("FailoverTimeout", "is no time span, or outside its limits", RIGHT));
    }
    timeout
}

/// AdditionalData is kept as it is; `Margin` and `Dwell` in it say how the group chooses its Primary.
fn read_additional_data(reader: &mut Reader) -> (Option<String>, Preferences) {
    let data = reader.typed("AdditionalData", "an object", |value| {
        if let Value::Object(data) = value { Ok(data) } else { Err(value) }
    });
    let Some(data) = data.value() else { return (None, Preferences::default()) };
    let text = Value::Object(data).to_string();
    if text.len() > ADDITIONAL_DATA_LIMIT {
        let reason = format!("has {} bytes, more than {ADDITIONAL_DATA_LIMIT}", text.len());
        reader.fault(Fault::new("AdditionalData", reason, "Keep AdditionalData small."));
    }
    let inner =
        Content::parse(text.as_bytes()).ok().and_then(|content| content.object().ok()).unwrap_or_default();
    let mut inner = Reader::new(inner);
    let margin =
        preference(&mut inner, "Margin", "Margin is a whole number of points, from 1 to 100.", |value| {
            value.as_i64().and_then(Margin::new)
        });
    let dwell = preference(
        &mut inner,
        "Dwell",
        "Dwell is a time span of at most a day, such as 00:00:05.",
        |value| value.as_str().and_then(parse_span).filter(|span| *span <= LONGEST_DWELL),
    );
    let keep_silent_override =
        preference(&mut inner, "KeepSilentOverride", "KeepSilentOverride is true or false.", Value::as_bool);
    for fault in inner.finish(Unknown::Ignore).as_slice() {
        reader.fault(Fault::new(
            format!("AdditionalData.{}", fault.member),
            &*fault.reason,
            &*fault.resolution,
        ));
    }
    let keep_silent_override = keep_silent_override.unwrap_or(false);
    (Some(text), Preferences { margin, dwell, keep_silent_override })
}

fn preference<T>(
    reader: &mut Reader,
    name: &'static str,
    right: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Option<T> {
    let value = reader.any(name).value()?;
    let read = read(&value);
    if read.is_none() {
        reader.fault(Fault::new(name, "cannot be used", right));
    }
    read
}

/// The body of POST clientsessions.
///
/// # Errors
/// Every fault of it.
pub fn read_session(members: Members) -> Result<SessionSpec, Faults> {
    let mut reader = Reader::new(members);
    let id = required(&mut reader, "Id", ID, SessionId::new);
    let name = optional(
        &mut reader,
        "Name",
        "A Name has 1 to 256 characters, and no control characters.",
        Name::new,
    );
    let (additional_data, _) = read_additional_data(&mut reader);
    match (id, reader.finish(Unknown::Ignore)) {
        (Some(id), faults) if faults.is_empty() => Ok(SessionSpec { id, name, additional_data }),
        (_, faults) => Err(faults),
    }
}

/// The body of POST roleoverride.
///
/// # Errors
/// Every fault of it.
pub fn read_override(members: Members) -> Result<(RoleOverride, Asked), Faults> {
    const PERIOD: &str = "ExpirationPeriod is a time span above zero, such as 01:00:00, or left out.";
    let mut reader = Reader::new(members);
    let primary = match reader.any("Value").value() {
        None => missing(&mut reader, "Value", OVERRIDE),
        Some(value) => {
            let primary = enumerated(&value, &["Off", "Primary"]);
            if primary.is_none() {
                reader.fault(Fault::new("Value", "is not an override", OVERRIDE));
            }
            primary
        }
    };
    let period = reader.text("ExpirationPeriod").value();
    let span = period.as_deref().and_then(parse_span).filter(|span| !span.is_zero());
    if period.is_some() && span.is_none() {
        reader.fault(Fault::new("ExpirationPeriod", "is no time span, or not above zero", PERIOD));
    }
    let by = optional(
        &mut reader,
        "RequestedBy",
        "RequestedBy is who asks for it: 1 to 256 characters.",
        Name::new,
    );
    let reason = optional(
        &mut reader,
        "Reason",
        "Reason is why it is asked for: at most 1024 characters, on one line.",
        Description::new,
    );
    let value = if primary == Some(1) { RoleOverride::Primary(span) } else { RoleOverride::Off };
    reader.finish(Unknown::Ignore).or((value, Asked { by, reason }))
}

pub(super) fn read_role(value: &Value) -> Option<ClientRole> {
    let roles = [ClientRole::Secondary, ClientRole::Primary, ClientRole::PendingPrimary];
    enumerated(value, &roles.map(ClientRole::as_str)).and_then(|number| roles.get(number).copied())
}

/// The number of an enum's value, which is written as that number or as a word.
fn enumerated(value: &Value, words: &[&str]) -> Option<usize> {
    match value {
        Value::Number(number) => number
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| *number < words.len()),
        Value::String(text) => words.iter().position(|word| word.eq_ignore_ascii_case(text)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

pub(super) fn missing<T>(reader: &mut Reader, name: &'static str, right: &str) -> Option<T> {
    reader.fault(Fault::new(name, "is missing", right));
    None
}

fn required<T>(
    reader: &mut Reader,
    name: &'static str,
    right: &str,
    read: impl FnOnce(String) -> Result<T, TextError>,
) -> Option<T> {
    match reader.text(name) {
        Field::Value(text) => checked(reader, name, right, read(text)),
        Field::Absent if reader.is_faulty_about(name) => None,
        Field::Absent | Field::Null => missing(reader, name, right),
    }
}

pub(super) fn optional<T>(
    reader: &mut Reader,
    name: &'static str,
    right: &str,
    read: impl FnOnce(String) -> Result<T, TextError>,
) -> Option<T> {
    let text = reader.text(name).value()?;
    checked(reader, name, right, read(text))
}

fn checked<T>(reader: &mut Reader, name: &'static str, right: &str, read: Result<T, TextError>) -> Option<T> {
    read.map_err(|error| reader.fault(Fault::new(name, error.to_string(), right))).ok()
}

/// A whole number that JSON readers keep exactly.
pub(super) fn counter(reader: &mut Reader, name: &'static str) -> Option<u64> {
    let read = reader.typed(name, "a whole number from 0 to 9007199254740991", |value| {
        value.as_u64().filter(|number| *number <= Epoch::MAX).ok_or(value)
    });
    read.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(body: &str) -> Members {
        Content::parse(body.as_bytes()).unwrap().object().unwrap()
    }

    fn faults(faults: Faults) -> Vec<String> {
        faults.as_slice().iter().map(|fault| format!("{} {}", fault.member, fault.reason)).collect()
    }

    #[test]
    fn a_group_needs_an_id_and_a_timeout_within_limits() {
        let group = |body: &str| read_group(Place::OnPremises, members(body)).map_err(faults);
        assert!(group(r#"{"ID":"g","failovertimeout":"00:00:00.25","Later":1}"#).is_ok());
        assert_eq!(group("{}").unwrap_err(), ["Id is missing", "FailoverTimeout is missing"]);
        for (body, fault) in [
            (r#"{"Id":"","FailoverTimeout":"00:01:00"}"#, "Id is empty"),
            (r#"{"Id":7,"FailoverTimeout":"00:01:00"}"#, "Id is a number, not a string"),
            (
                r#"{"Id":"g","FailoverTimeout":"00:00:00.249"}"#,
                "FailoverTimeout is no time span, or outside its limits",
            ),
            (
                r#"{"Id":"g","FailoverTimeout":"1.00:00:01"}"#,
                "FailoverTimeout is no time span, or outside its limits",
            ),
            (r#"{"Id":"g","FailoverTimeout":60}"#, "FailoverTimeout is a number, not a string"),
            (
                r#"{"Id":"g","FailoverTimeout":"00:01:00","AdditionalData":[]}"#,
                "AdditionalData is an array, not an object",
            ),
            (
                r#"{"Id":"g","FailoverTimeout":"00:01:00","AdditionalData":{"margin":0}}"#,
                "AdditionalData.Margin cannot be used",
            ),
        ] {
            assert_eq!(group(body).unwrap_err(), [fault], "{body}");
        }
    }

    #[test]
    fn additional_data_says_how_a_group_chooses() {
        let body = r#"{"Id":"g","FailoverTimeout":"00:01:00","AdditionalData":{"Margin":25,"Dwell":"00:00:05","x":[1]}}"#;
        let group = read_group(Place::OnPremises, members(body)).unwrap();
        assert_eq!(group.preferences.margin.map(Margin::get), Some(25));
        assert_eq!(group.preferences.dwell, Some(Duration::from_secs(5)));
        assert_eq!(group.additional_data.as_deref(), Some(r#"{"Dwell":"00:00:05","Margin":25,"x":[1]}"#));
    }

    #[test]
    fn an_override_is_off_or_primary() {
        let asked = |body: &str| read_override(members(body)).map(|(value, _)| value).map_err(faults);
        assert_eq!(asked(r#"{"Value":"off"}"#), Ok(RoleOverride::Off));
        assert_eq!(asked(r#"{"Value":1}"#), Ok(RoleOverride::Primary(None)));
        assert_eq!(
            asked(r#"{"Value":"Primary","ExpirationPeriod":"01:00:00"}"#),
            Ok(RoleOverride::Primary(Some(Duration::from_secs(3_600))))
        );
        assert_eq!(asked(r#"{"Value":2}"#).unwrap_err(), ["Value is not an override"]);
        assert_eq!(asked(r#"{"Value":"Secondary"}"#).unwrap_err(), ["Value is not an override"]);
        assert_eq!(asked("{}").unwrap_err(), ["Value is missing"]);
        assert_eq!(
            asked(r#"{"Value":1,"ExpirationPeriod":"-01:00:00"}"#).unwrap_err(),
            ["ExpirationPeriod is no time span, or not above zero"]
        );
    }
}
