//! Values that cannot be wrong.
//!
//! Promises: a value of a type in this room is within its limits, because its constructor is the
//! only way to it; constructors report what is wrong, never only that something is.
//!
//! Does not: read or write, wait, ask for the time, or serialize. JSON is `wire`'s, rows are
//! `store`'s. It imports no other room.

#[macro_use]
mod words;

mod access;
mod access_draft;
mod audit;
mod buffer;
mod call_failure;
mod causes;
mod change;
mod collector;
mod component;
mod config;
mod coverage;
mod data_endpoint;
mod delivery;
mod draft;
mod fault;
mod field;
mod gate;
mod group;
mod health;
mod heartbeat;
mod known;
mod loss;
mod order;
mod overview;
mod role;
mod secret;
mod secret_draft;
mod standing;
mod text;
mod time;
mod timeout;
mod transition;
mod url;
mod user;

pub use access::{Access, Closed, OpenAccess};
pub use access_draft::{AccessDraft, SECRET_LIMIT};
pub use audit::{AuditAction, AuditKind, AuditRow, Deed, Refusal, network};
pub use buffer::{Arrival, Block, Membership, Tally, Waiting};
pub use call_failure::{CallFailure, FailureKind};
pub use causes::{chain, root_cause};
pub use change::{GroupChange, GroupChangeKind, GroupReason, LastAct, Receipt, Seen};
pub use collector::{
    CollectorCommand, CollectorSettings, OnOrder, OrderSignal, Restarts, StopSignal, Variables,
};
pub use component::{
    ComponentSource, ComponentView, DeviceStatus, Probe, ProbeTarget, Report, StreamCount, TimeToLive,
};
pub use config::{Credentials, FailoverConfig, MASK, MEMBERS, MemberChange};
pub use coverage::{Coverage, CoverageAges, Coverages, DestinationKey, GateCoverage, Proof};
pub use data_endpoint::{DataEndpoint, DataEndpointDraft, StandbyAnswer};
pub use delivery::{Deliveries, HandOver};
pub use draft::Draft;
pub use fault::{Fault, Faults};
pub use field::Field;
pub use gate::GateSettings;
pub use group::{
    Asked, Expiry, GroupKey, GroupSpec, GroupStatus, Holder, Margin, OverrideRecord, OverrideView, Place,
    Preferences, RegisteredSession, RoleOverride, SeatRecord, SessionSpec, SessionView,
};
pub use health::Health;
pub use heartbeat::{GroupDraft, Heartbeat, HeartbeatAnswer, NativeHeartbeat};
pub use known::Known;
pub use loss::EndpointLoss;
pub use order::Order;
pub use overview::{GroupHealth, GroupOverview};
pub use role::{ClientRole, Epoch, FailoverScore, Mode, Role};
pub use secret::{
    Audience, FoundSecret, GivenSecret, Protected, Recipient, SecretEntry, SecretId, SecretIdError,
    is_nearly_reference,
};
pub use secret_draft::{ORIGINS_LIMIT, SecretDraft};
pub use standing::{Acting, AdapterState, Standing};
pub use text::{
    ComponentId, ConfigurationId, DESCRIPTION_LIMIT, Description, Echo, GroupId, INCARNATION_LIMIT,
    Incarnation, NAME_LIMIT, Name, SessionId, TextError,
};
pub use time::{BootId, Now, Uptime, Wall};
pub use timeout::{FailoverTimeout, TimeoutError, format_span, parse_span};
pub use transition::{Reason, Transition, TransitionKind};
pub use url::{HttpUrl, Origin, URL_LIMIT, UrlError};
pub use user::{User, UserName, UserNameError, UserRole};
