//! What an adapter sends to a failover endpoint, and how it reads the answers.
//!
//! Answers are read leniently (members in any case, enums as numbers or words, unknown members passed
//! over), because every version of the vendor's endpoint writes them a little differently.

use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;

use super::{
    coverage::{CoverageBody, coverage_bodies, read_coverages},
    members::{Content, Field, Reader},
};
use crate::domain::{
    ClientRole, Echo, EndpointLoss, Epoch, FailoverTimeout, GroupId, GroupReason, Heartbeat, HeartbeatAnswer,
    LastAct, Name, Receipt, SessionId, Wall, format_span, parse_span,
};

/// Body of POST groups: what a stock adapter sends, and no more.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GroupBody {
    id: String,
    failover_timeout: String,
}

impl GroupBody {
    /// The body that asks for `group` with `timeout`.
    #[must_use]
    pub fn new(group: &GroupId, timeout: FailoverTimeout) -> Self {
        Self { id: group.to_string(), failover_timeout: timeout.to_string() }
    }
}

/// Body of POST clientsessions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SessionBody {
    id: String,
    name: String,
}

impl SessionBody {
    /// The body that asks for `session` under its friendly name; without one it is its own: host name and a GUID.
    #[must_use]
    pub fn new(session: &SessionId, name: Option<&Name>) -> Self {
        let id = session.to_string();
        Self { name: name.map_or_else(|| id.clone(), ToString::to_string), id }
    }
}

/// Body of POST heartbeat. The extensions go only to an endpoint that knows them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct HeartbeatBody {
    failover_score: u8,
    last_data_processed_time: String,
    #[serde(flatten)]
    native: Option<NativeBody>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct NativeBody {
    incarnation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
    boot_id: String,
    sequence: u64,
    answered: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    echo: Option<String>,
    applied_role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_loss: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    egress: Vec<CoverageBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_delivered_age: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    leaving: bool,
}

impl From<&Heartbeat> for HeartbeatBody {
    fn from(heartbeat: &Heartbeat) -> Self {
        let native = heartbeat.native.as_ref().map(|native| NativeBody {
            incarnation: native.incarnation.to_string(),
            replaces: native.replaces.as_ref().map(ToString::to_string),
            boot_id: native.boot.as_str().to_owned(),
            sequence: native.sequence,
            answered: native.answered,
            echo: native.echo.as_ref().map(ToString::to_string),
            applied_role: if native.acting { "Primary" } else { "Secondary" },
            applied_for: native.applied_for.map(format_span),
            epoch: native.epoch.map(Epoch::get),
            endpoint_loss: native.loss.map(EndpointLoss::as_str),
            egress: coverage_bodies(&native.coverages),
            last_delivered_age: native.delivered_ago.map(format_span),
            leaving: native.leaving,
        });
        Self {
            failover_score: heartbeat.score.get(),
            // What stock adapters send before the first data.
            last_data_processed_time: heartbeat
                .last_data
                .map_or_else(|| "0001-01-01T00:00:00".to_owned(), |at| at.to_string()),
            native,
        }
    }
}

/// An answer that is not what the documents say; what was wrong, as part of a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAnswer(String);

fn read(body: &[u8]) -> Result<Reader, BadAnswer> {
    let content =
        Content::parse(body).map_err(|error| BadAnswer(format!("the answer is no JSON ({error})")))?;
    let members = content.object().map_err(|fault| BadAnswer(format!("the answer {}", fault.reason)))?;
    Ok(Reader::new(members))
}

/// The endpoint's version and whether it knows the extensions. Any answer will do.
#[must_use]
pub fn read_version(body: &[u8]) -> (Option<String>, bool) {
    let Ok(mut reader) = read(body) else { return (None, false) };
    let version = match reader.any("Version") {
        Field::Value(Value::String(text)) => Some(text),
        Field::Value(_) | Field::Null | Field::Absent => None,
    };
    (version, reader.any("Native") == Field::Value(Value::from(1)))
}

/// The FailoverTimeout of a group.
///
/// # Errors
/// When the answer has none that can be read.
pub fn read_group_timeout(body: &[u8]) -> Result<Duration, BadAnswer> {
    let mut reader = read(body)?;
    let text = reader.text("FailoverTimeout").value();
    let span = text.as_deref().and_then(parse_span);
    span.ok_or_else(|| BadAnswer("the answer has no FailoverTimeout that can be read".to_owned()))
}

/// The answer to a heartbeat.
///
/// # Errors
/// When it has no role that can be read.
pub fn read_heartbeat_answer(body: &[u8]) -> Result<HeartbeatAnswer, BadAnswer> {
    let mut reader = read(body)?;
    let role = reader
        .any("Role")
        .value()
        .and_then(|value| read_role(&value))
        .ok_or_else(|| BadAnswer("the answer has no Role that can be read".to_owned()))?;
    let last_data = reader.text("LastDataProcessedTime").value().and_then(|text| Wall::parse(&text));
    let epoch = reader.any("Epoch").value().and_then(|value| value.as_u64()).and_then(Epoch::new);
    let reason = reader.text("Reason").value();
    let timeout = reader.text("FailoverTimeout").value();
    let timeout = timeout.and_then(|text| FailoverTimeout::new(parse_span(&text)?).ok());
    let echo = reader.text("Echo").value().and_then(|text| Echo::new(text).ok()).map(Box::new);
    let coverages = read_coverages(&mut reader);
    let receipt = reader.any("HandOver").value().as_ref().and_then(read_receipt).map(Box::new);
    let warnings = match reader.any("Warnings") {
        Field::Value(Value::Array(warnings)) => {
            warnings.iter().filter_map(Value::as_str).take(MOST_WARNINGS).map(str::to_owned).collect()
        }
        Field::Value(_) | Field::Null | Field::Absent => Vec::new(),
    };
    Ok(HeartbeatAnswer { role, last_data, epoch, reason, timeout, echo, coverages, receipt, warnings })
}

/// So many of an endpoint's warnings are shown.
const MOST_WARNINGS: usize = 8;

/// A receipt that cannot be read, or has a cause that this version does not know, is none.
fn read_receipt(value: &Value) -> Option<Receipt> {
    let text = |name: &str| value.get(name)?.as_str();
    Some(Receipt {
        epoch: value.get("Epoch").and_then(Value::as_u64).and_then(Epoch::new)?,
        from: SessionId::new(text("From")?).ok()?,
        to: SessionId::new(text("To")?).ok()?,
        cause: GroupReason::parse(text("Cause")?)?,
        last_act: LastAct::parse(text("LastAct")?)?,
        last_act_ago: parse_span(text("LastActAgo")?)?,
        first_act_ago: parse_span(text("FirstActAgo")?)?,
        last_delivered_ago: text("LastDeliveredAgo").and_then(parse_span),
    })
}

fn read_role(value: &Value) -> Option<ClientRole> {
    let roles = [ClientRole::Secondary, ClientRole::Primary, ClientRole::PendingPrimary];
    roles.into_iter().find(|role| match value {
        Value::Number(number) => number.as_u64() == Some(u64::from(role.number())),
        Value::String(word) => word.eq_ignore_ascii_case(role.as_str()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    })
}

/// A token endpoint's answer.
#[derive(Debug)]
pub struct TokenAnswer {
    /// The token.
    pub token: SecretString,
    /// How long it lives, a day at the most.
    pub life: Option<Duration>,
}

/// The token that a token endpoint gave.
///
/// # Errors
/// When the answer has none that can be read.
pub fn read_token(body: &[u8]) -> Result<TokenAnswer, BadAnswer> {
    let mut reader = read(body)?;
    let token = reader.text("access_token").value().filter(|token| !token.is_empty());
    let token =
        token.ok_or_else(|| BadAnswer("the answer has no access_token that can be read".to_owned()))?;
    let life = match reader.any("expires_in") {
        Field::Value(Value::Number(seconds)) => seconds.as_u64(),
        Field::Value(Value::String(seconds)) => seconds.parse().ok(),
        Field::Value(_) | Field::Null | Field::Absent => None,
    };
    Ok(TokenAnswer {
        token: token.into(),
        life: life.map(|seconds| Duration::from_secs(seconds.min(86_400))),
    })
}

/// The token endpoint that an OpenID discovery document names.
///
/// # Errors
/// When it names none.
pub fn read_token_endpoint(body: &[u8]) -> Result<String, BadAnswer> {
    let found = read(body)?.text("token_endpoint").value();
    found.ok_or_else(|| BadAnswer("the answer names no token_endpoint".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_numbers_and_as_words() {
        let role = |body: &str| read_heartbeat_answer(body.as_bytes()).map(|answer| answer.role).ok();
        assert_eq!(role(r#"{"Role": 1}"#), Some(ClientRole::Primary));
        assert_eq!(role(r#"{"role": "pendingprimary", "x": []}"#), Some(ClientRole::PendingPrimary));
        assert_eq!(role(r#"{"Role": 0, "LastDataProcessedTime": null}"#), Some(ClientRole::Secondary));
        for bad in [r#"{"Role": 3}"#, r#"{"Role": null}"#, r#"{"Role": 1.5}"#, "{}", "[]", "nonsense", ""] {
            assert_eq!(role(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_stock_endpoint_gets_no_extension() {
        let heartbeat =
            Heartbeat { score: crate::domain::FailoverScore::FULL, last_data: None, native: None };
        let body = serde_json::to_string(&HeartbeatBody::from(&heartbeat)).unwrap();
        assert_eq!(body, r#"{"FailoverScore":100,"LastDataProcessedTime":"0001-01-01T00:00:00"}"#);
    }

    #[test]
    fn a_version_is_optional() {
        assert_eq!(read_version(b"garbage"), (None, false));
        assert_eq!(read_version(br#"{"Version":"1.2"}"#), (Some("1.2".to_owned()), false));
        assert_eq!(read_version(br#"{"version":"1","NATIVE":1}"#), (Some("1".to_owned()), true));
    }
}
