//! Heartbeats as a failover endpoint reads them, and their answers.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    coverage::{CoverageBody, coverage_bodies, read_coverages},
    endpoint::{counter, missing, optional, read_role},
    members::{Members, Reader, Unknown},
    receipt::ReceiptBody,
    schema,
};
use crate::domain::{
    BootId, ClientRole, Echo, EndpointLoss, Epoch, FailoverScore, Fault, Faults, Heartbeat, HeartbeatAnswer,
    Incarnation, NativeHeartbeat, Wall, parse_span,
};

const SCORE: &str = "FailoverScore is a number from 0 to 100.";
const APPLIED_ROLE: &str = "AppliedRole is Primary or 1, or Secondary or 0.";

/// The body of POST heartbeat.
///
/// # Errors
/// Every fault of it.
pub fn read_heartbeat(members: Members) -> Result<Heartbeat, Faults> {
    let mut reader = Reader::new(members);
    let score = read_score(&mut reader);
    // A time that cannot be read is no time: adapters write "nothing yet" in more than one way.
    let last_data = reader.text("LastDataProcessedTime").value().and_then(|text| Wall::parse(&text));
    let incarnation =
        optional(&mut reader, "Incarnation", "Incarnation has 1 to 64 characters.", Incarnation::new);
    let sequence = counter(&mut reader, "Sequence");
    let native = match (incarnation, sequence) {
        (Some(incarnation), Some(sequence)) => read_native(&mut reader, incarnation, sequence),
        _ => None,
    };
    match (score, reader.finish(Unknown::Ignore)) {
        (Some(score), faults) if faults.is_empty() => Ok(Heartbeat { score, last_data, native }),
        (_, faults) => Err(faults),
    }
}

fn read_native(reader: &mut Reader, incarnation: Incarnation, sequence: u64) -> Option<NativeHeartbeat> {
    let replaces = optional(reader, "Replaces", "Replaces has 1 to 64 characters.", Incarnation::new);
    let boot = reader.text("BootId").value().unwrap_or_default();
    let answered = counter(reader, "Answered").unwrap_or(0);
    if answered >= sequence {
        let reason = format!("is {answered}, and Sequence {sequence}");
        reader.fault(Fault::new(
            "Answered",
            reason,
            "Answered is the highest Sequence whose answer has arrived.",
        ));
    }
    let acting = match reader.any("AppliedRole").value().as_ref().and_then(read_role) {
        Some(role) => role == ClientRole::Primary,
        None => {
            reader.fault(Fault::new("AppliedRole", "is missing or no role", APPLIED_ROLE));
            false
        }
    };
    let epoch = counter(reader, "Epoch").and_then(Epoch::new);
    if let Some(epoch) = epoch.filter(|epoch| epoch.get() > Epoch::PLAUSIBLE) {
        reader.fault(Fault::new(
            "Epoch",
            format!("is {epoch}, which no group has reached"),
            "Epoch is the highest epoch that was answered in this group.",
        ));
    }
    let leaving = reader.boolean("Leaving").value().unwrap_or_default();
    // What cannot be read of these is not known; none changes a role.
    let applied_for = reader.text("AppliedFor").value().as_deref().and_then(parse_span);
    let loss = reader.text("EndpointLoss").value().as_deref().and_then(EndpointLoss::parse);
    let echo = reader.text("Echo").value().and_then(|text| Echo::new(text).ok()).map(Box::new);
    let delivered_ago = reader.text("LastDeliveredAge").value().as_deref().and_then(parse_span);
    Some(NativeHeartbeat {
        incarnation,
        replaces,
        boot: BootId::new(&boot),
        sequence,
        answered,
        echo,
        acting,
        applied_for,
        epoch,
        loss,
        coverages: read_coverages(reader),
        delivered_ago,
        leaving,
    })
}

/// The score, under its present name or its older one; a fraction counts as the nearest whole number,
/// but only nothing at all is 0, and only everything is 100.
fn read_score(reader: &mut Reader) -> Option<FailoverScore> {
    let (now, before) = (reader.any("FailoverScore"), reader.any("FailoverStatus"));
    let (name, value) = match (now.value(), before.value()) {
        (Some(value), _) => ("FailoverScore", value),
        (None, Some(value)) => ("FailoverStatus", value),
        (None, None) => return missing(reader, "FailoverScore", SCORE),
    };
    let number = match &value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let score = number.and_then(whole_score);
    if score.is_none() {
        reader.fault(Fault::new(name, "is not from 0 to 100", SCORE));
    }
    score
}

fn whole_score(number: f64) -> Option<FailoverScore> {
    if !(0.0..=100.0).contains(&number) {
        return None;
    }
    (0..=100_u8)
        .min_by(|a, b| (f64::from(*a) - number).abs().total_cmp(&(f64::from(*b) - number).abs()))
        .map(|nearest| match nearest {
            0 if number > 0.0 => 1,
            100 if number < 100.0 => 99,
            nearest => nearest,
        })
        .and_then(|score| FailoverScore::new(i64::from(score)))
}

/// The answer to a heartbeat. Stock adapters drop an answer with a null in it, so there is none.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "HeartbeatAnswer")]
pub struct HeartbeatAnswerBody {
    /// The role from now on. A Primary may act until 0.9 of its FailoverTimeout after it sent the heartbeat.
    #[schemars(with = "schema::RoleNumber")]
    role: u8,
    /// Up to when the Primary has processed data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "schema::Time")]
    last_data_processed_time: Option<String>,
    /// The epoch of the group's Primary.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "schema::EpochNumber")]
    epoch: Option<u64>,
    /// Why, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "schema::Sentence")]
    reason: Option<String>,
    /// The group's FailoverTimeout.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "schema::Span")]
    failover_timeout: Option<String>,
    /// What the next heartbeat is to say again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "schema::Sentence")]
    echo: Option<String>,
    /// What the Primary's gate has received and settled, of each destination.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    egress: Vec<CoverageBody>,
    /// The receipt of the last hand-over, for the two it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ReceiptBody")]
    hand_over: Option<ReceiptBody>,
    /// What the member should know, each a sentence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl From<HeartbeatAnswer> for HeartbeatAnswerBody {
    fn from(answer: HeartbeatAnswer) -> Self {
        Self {
            role: answer.role.number(),
            last_data_processed_time: answer.last_data.map(|at| at.to_string()),
            epoch: answer.epoch.map(Epoch::get),
            reason: answer.reason,
            failover_timeout: answer.timeout.map(|timeout| timeout.to_string()),
            echo: answer.echo.map(|echo| echo.to_string()),
            egress: coverage_bodies(&answer.coverages),
            hand_over: answer.receipt.as_deref().map(ReceiptBody::from),
            warnings: answer.warnings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::members::Content;

    fn members(body: &str) -> Members {
        Content::parse(body.as_bytes()).unwrap().object().unwrap()
    }

    fn faults(faults: Faults) -> Vec<String> {
        faults.as_slice().iter().map(|fault| format!("{} {}", fault.member, fault.reason)).collect()
    }

    #[test]
    fn a_score_is_a_number_from_0_to_100_under_either_name() {
        let score =
            |body: &str| read_heartbeat(members(body)).map(|heartbeat| heartbeat.score.get()).map_err(faults);
        for (body, expected) in [
            (r#"{"FailoverScore":75}"#, 75),
            (r#"{"failoverstatus":"75"}"#, 75),
            (r#"{"FailoverScore":33.34}"#, 33),
            (r#"{"FailoverScore":0.2}"#, 1),
            (r#"{"FailoverScore":99.9}"#, 99),
            (r#"{"FailoverScore":0}"#, 0),
            (r#"{"FailoverScore":100.0,"FailoverStatus":5}"#, 100),
        ] {
            assert_eq!(score(body), Ok(expected), "{body}");
        }
        assert_eq!(score("{}").unwrap_err(), ["FailoverScore is missing"]);
        for bad in ["-1", "101", "\"much\"", "true", "100.5", "\"NaN\""] {
            let body = format!("{{\"FailoverScore\":{bad}}}");
            assert_eq!(score(&body).unwrap_err(), ["FailoverScore is not from 0 to 100"], "{body}");
        }
    }

    #[test]
    fn a_heartbeat_is_native_when_it_says_incarnation_and_sequence() {
        let native =
            |body: &str| read_heartbeat(members(body)).map(|heartbeat| heartbeat.native).map_err(faults);
        assert_eq!(native(r#"{"FailoverScore":1,"LastDataProcessedTime":"0001-01-01T00:00:00"}"#), Ok(None));
        let body = r#"{"FailoverScore":1,"Incarnation":"i","Sequence":3,"Answered":2,"AppliedRole":1,"BootId":"b","Epoch":9}"#;
        let read = native(body).unwrap().unwrap();
        assert_eq!((read.sequence, read.answered, read.acting, read.epoch), (3, 2, true, Epoch::new(9)));
        assert!(!read.leaving);
        let last = body.replace("\"AppliedRole\":1", "\"AppliedRole\":0,\"leaving\":true");
        assert!(native(&last).unwrap().unwrap().leaving);
        let nonsense = last.replace("\"leaving\":true", "\"leaving\":1");
        assert_eq!(native(&nonsense).unwrap_err(), ["Leaving is a number, not true or false"]);
        let body = r#"{"FailoverScore":1,"Incarnation":"i","Sequence":3,"Answered":3,"AppliedRole":"x"}"#;
        let far =
            r#"{"FailoverScore":1,"Incarnation":"i","Sequence":3,"AppliedRole":1,"Epoch":9007199254740991}"#;
        assert_eq!(native(far).unwrap_err(), ["Epoch is 9007199254740991, which no group has reached"]);
        assert_eq!(
            native(body).unwrap_err(),
            ["Answered is 3, and Sequence 3", "AppliedRole is missing or no role"]
        );
    }

    #[test]
    fn an_answer_to_a_heartbeat_has_no_null() {
        let answer = HeartbeatAnswer::new(ClientRole::PendingPrimary);
        assert_eq!(serde_json::to_string(&HeartbeatAnswerBody::from(answer)).unwrap(), r#"{"Role":2}"#);
    }
}
