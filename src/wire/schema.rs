//! What values look like in JSON Schema: the formats, limits and words of members, from `domain`'s constants.
//!
//! A member is described by its type here (`#[schemars(with = "…")]`) and by the comment on its field.

use std::{borrow::Cow, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::domain::{
    AdapterState, AuditAction, AuditKind, ClientRole, DESCRIPTION_LIMIT, DataEndpoint, DeviceStatus,
    EndpointLoss, Epoch, FailoverScore, FailoverTimeout, GroupChangeKind, GroupHealth, GroupReason,
    INCARNATION_LIMIT, LastAct, Mode, NAME_LIMIT, Reason, Role, SECRET_LIMIT, StandbyAnswer, TimeToLive,
    TransitionKind, URL_LIMIT, format_span,
};

/// No control character, as ECMA-262 writes it.
pub const NO_CONTROL: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

/// Nor a curly brace.
const NO_BRACE: &str = r"^[^{}\u0000-\u001f\u007f-\u009f]*$";

/// A time span of .NET: days up to five digits, hours, minutes, seconds, a fraction of up to seven digits.
pub const TIME_SPAN: &str = r"^([0-9]{1,5}\.)?([01]?[0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,7})?$";

/// An absolute address; what else is wrong with one is said by the refusal.
const ADDRESS: &str = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s\\]+$";

/// A token of HTTP.
const METHOD: &str = r"^[0-9A-Za-z!#$%&'*+.^_`|~-]+$";

macro_rules! described {
    ($($(#[$doc:meta])* $name:ident: $schema:expr,)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )+};
}

described! {
    /// A moment, for people.
    Time: json_schema!({ "type": "string", "format": "date-time" }),
    /// A length of time.
    Span: json_schema!({ "type": "string", "format": "time-span", "pattern": TIME_SPAN }),
    /// An identifier; it becomes a segment of a path.
    Id: json_schema!({
        "type": "string", "minLength": 1, "maxLength": NAME_LIMIT, "pattern": NO_CONTROL, "not": { "enum": [".", ".."] },
    }),
    /// The Id of a secret.
    SecretName: json_schema!({
        "type": "string", "minLength": 1, "maxLength": NAME_LIMIT, "pattern": NO_BRACE, "not": { "enum": [".", ".."] },
    }),
    /// A friendly name, a user name, a client id.
    Label: json_schema!({ "type": "string", "minLength": 1, "maxLength": NAME_LIMIT, "pattern": NO_CONTROL }),
    /// A description.
    Text: json_schema!({ "type": "string", "maxLength": DESCRIPTION_LIMIT, "pattern": NO_CONTROL }),
    /// A sentence, or several.
    Sentence: json_schema!({ "type": "string" }),
    /// A secret.
    Secret: json_schema!({
        "type": "string", "format": "password", "minLength": 1, "maxLength": SECRET_LIMIT,
    }),
    /// The address of a server.
    Address: json_schema!({ "type": "string", "format": "uri", "maxLength": URL_LIMIT, "pattern": ADDRESS }),
    /// One run of one process.
    Run: json_schema!({
        "type": "string", "minLength": 1, "maxLength": INCARNATION_LIMIT, "pattern": NO_CONTROL,
    }),
    /// How well an adapter can do its work.
    Score: json_schema!({ "type": "integer", "minimum": 0, "maximum": FailoverScore::FULL.get() }),
    /// A fencing token.
    EpochNumber: json_schema!({ "type": "integer", "minimum": 1, "maximum": Epoch::MAX }),
    /// A whole number that JSON readers keep exactly.
    Counter: json_schema!({ "type": "integer", "minimum": 0, "maximum": Epoch::MAX }),
    /// How long a group's Primary may be silent.
    Timeout: span(FailoverTimeout::MIN, FailoverTimeout::MAX),
    /// For how long a report counts.
    ReportSpan: span(TimeToLive::MIN, TimeToLive::MAX),
    /// For how long a better score must last.
    DwellSpan: span(Duration::ZERO, FailoverTimeout::MAX),
    /// A JSON object that is kept as it is.
    Anything: json_schema!({ "type": "object" }),
    /// A role as an endpoint writes it.
    RoleNumber: json_schema!({
        "type": "integer", "enum": CLIENT_ROLES.map(ClientRole::number),
        "x-enum-varnames": CLIENT_ROLES.map(ClientRole::as_str),
    }),
    /// Whether an operator asks for the role.
    OverrideNumber: json_schema!({ "type": "integer", "enum": [0, 1], "x-enum-varnames": ["Off", "Primary"] }),
    /// The role an adapter applies.
    RoleWord: words([Role::None, Role::Secondary, Role::Primary].map(Role::as_str)),
    /// A mode.
    ModeWord: words([Mode::Hot, Mode::Warm, Mode::Cold, Mode::None].map(Mode::as_str)),
    /// An adapter's state.
    StateWord: words(
        [AdapterState::Starting, AdapterState::Running, AdapterState::Stopped, AdapterState::Faulted]
            .map(AdapterState::as_str),
    ),
    /// What a Primary does that loses its endpoint.
    LossWord: words(
        [EndpointLoss::Auto, EndpointLoss::StepDown, EndpointLoss::KeepRole].map(EndpointLoss::as_str),
    ),
    /// How a component stands to its source.
    DeviceWord: words(DeviceStatus::ALL.iter().map(|word| word.as_str())),
    /// Who speaks for a component.
    SourceWord: words(["Report", "Probe"]),
    /// What a standby answers.
    StandbyWord: words(StandbyAnswer::ALL.iter().map(|word| word.as_str())),
    /// What kind of row of an adapter's history.
    TransitionWord: words(TransitionKind::ALL.iter().map(|word| word.as_str())),
    /// Why something happened to an adapter.
    ReasonWord: words(Reason::ALL.iter().map(|word| word.as_str())),
    /// What kind of change in a group.
    ChangeWord: words(GroupChangeKind::ALL.iter().map(|word| word.as_str())),
    /// Why something changed in a group.
    GroupReasonWord: words(GroupReason::ALL.iter().map(|word| word.as_str())),
    /// What a row of the audit trail is about.
    AuditWord: words(AuditKind::ALL.iter().map(|word| word.as_str())),
    /// What was done, or refused.
    ActionWord: words(AuditAction::ALL.iter().map(|word| word.as_str())),
    /// How a group is.
    HealthWord: words(GroupHealth::ALL.iter().map(|word| word.as_str())),
    /// How it is known when a Primary acted last.
    LastActWord: words(LastAct::ALL.iter().map(|word| word.as_str())),
    /// A mode as it is read.
    ModeRequest: any_case([Mode::Hot, Mode::Warm, Mode::Cold, Mode::None].map(Mode::as_str), &["Warn"]),
    /// How a component stands to its source, as it is read.
    DeviceRequest: any_case(DeviceStatus::ALL.iter().map(|word| word.as_str()), &[]),
    /// What a standby answers, as it is read.
    StandbyRequest: any_case(StandbyAnswer::ALL.iter().map(|word| word.as_str()), &[]),
    /// What an operator asks for, as it is read.
    OverrideRequest: number_or_word(["Off", "Primary"]),
    /// A role as it is read.
    RoleRequest: number_or_word(CLIENT_ROLES.map(ClientRole::as_str)),
    /// A score as it is read: a number, also as text; a fraction counts as the nearest whole number.
    ScoreRequest: json_schema!({ "anyOf": [
        { "type": "number", "minimum": 0, "maximum": FailoverScore::FULL.get() },
        { "type": "string", "pattern": r"^([0-9]{1,2}(\.[0-9]+)?|100(\.0+)?)$" },
    ] }),
    /// A name of a method of HTTP.
    MethodName: json_schema!({
        "type": "string", "minLength": 1, "maxLength": DataEndpoint::METHODS_LIMIT, "pattern": METHOD,
    }),
}

const CLIENT_ROLES: [ClientRole; 3] =
    [ClientRole::Secondary, ClientRole::Primary, ClientRole::PendingPrimary];

fn words(words: impl IntoIterator<Item = &'static str>) -> Schema {
    let words: Vec<_> = words.into_iter().collect();
    json_schema!({ "type": "string", "enum": words })
}

/// Words that are read in any case; `others` are read, too, and mean one of them.
pub fn any_case(words: impl IntoIterator<Item = &'static str>, others: &[&str]) -> Schema {
    let words: Vec<&str> = words.into_iter().collect();
    let both = |letter: char| match (letter.to_ascii_uppercase(), letter.to_ascii_lowercase()) {
        (upper, lower) if upper != lower => format!("[{upper}{lower}]"),
        (same, _) => same.to_string(),
    };
    let any: Vec<String> =
        words.iter().chain(others).map(|word| word.chars().map(both).collect::<String>()).collect();
    let pattern = format!("^({})$", any.join("|"));
    json_schema!({ "type": "string", "anyOf": [{ "enum": words }, { "pattern": pattern }] })
}

/// Words that are read in any case, or as their number.
fn number_or_word<const N: usize>(words: [&'static str; N]) -> Schema {
    let numbers: Vec<usize> = (0..N).collect();
    json_schema!({ "anyOf": [any_case(words, &[]), { "type": "integer", "enum": numbers }] })
}

/// A time span within limits, which no pattern can say.
fn span(least: Duration, most: Duration) -> Schema {
    json_schema!({
        "type": "string", "format": "time-span", "pattern": TIME_SPAN,
        "x-minimum": format_span(least), "x-maximum": format_span(most),
    })
}
