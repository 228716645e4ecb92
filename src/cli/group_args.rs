//! What can be written on the command line about the groups of a failover endpoint.

use std::time::Duration;

use clap::Args;
use url::Url;

use super::access_args::AccessArgs;
use super::adapter_args::{Output, segment, server};
use crate::domain::{Description, GroupId, Name, SessionId, TextError, parse_span};

/// Which failover endpoint is asked, and how its answer is shown.
#[derive(Debug, Args)]
pub(super) struct EndpointRemoteArgs {
    /// The failover endpoint's base address, as in the configuration's Endpoint; without a path, the
    /// on-premises base there.
    #[arg(long, env = "CLIENT_FAILOVER_ENDPOINT", hide_env_values = true, value_name = "URL",
        default_value = "http://127.0.0.1:5591", value_parser = server)]
    pub(super) endpoint: Url,
    #[command(flatten)]
    pub(super) access: AccessArgs,
    /// How the answer is shown [default: table on a terminal, else json]
    #[arg(long, value_enum)]
    pub(super) output: Option<Output>,
}

#[derive(Debug, Args)]
pub(super) struct GroupsArgs {
    #[command(flatten)]
    pub(super) remote: EndpointRemoteArgs,
}

#[derive(Debug, Args)]
pub(super) struct SessionsArgs {
    /// The failover group.
    #[arg(long, value_name = "ID", value_parser = group)]
    pub(super) group: GroupId,
    #[command(flatten)]
    pub(super) remote: EndpointRemoteArgs,
}

#[derive(Debug, Args)]
pub(super) struct OverrideArgs {
    /// The failover group.
    #[arg(long, value_name = "ID", value_parser = group)]
    pub(super) group: GroupId,
    /// The session of the adapter that is to be Primary, by its Id or, where only one has it, its Name; `sessions` shows both.
    #[arg(long, value_name = "ID", value_parser = session)]
    pub(super) session: SessionId,
    /// For how long, such as 08:00:00 ([d.]hh:mm:ss) [default: until somebody ends it]
    #[arg(long = "for", value_name = "SPAN", value_parser = period, conflicts_with = "off")]
    pub(super) period: Option<Duration>,
    /// End the override of this session.
    #[arg(long)]
    pub(super) off: bool,
    /// Why, for whoever reads the history.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(super) reason: Option<Description>,
    /// Who asks for it [default: user@host of this process]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(super) by: Option<Name>,
    #[command(flatten)]
    pub(super) remote: EndpointRemoteArgs,
}

#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// The failover group.
    #[arg(long, value_name = "ID", value_parser = group)]
    pub(super) group: GroupId,
    /// Delete its sessions first that have been silent for its FailoverTimeout.
    #[arg(long)]
    pub(super) with_silent: bool,
    #[command(flatten)]
    pub(super) remote: EndpointRemoteArgs,
}

#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// The failover group, also one that was deleted.
    #[arg(long, value_name = "ID", value_parser = group)]
    pub(super) group: GroupId,
    /// At most so many changes.
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) limit: u16,
    #[command(flatten)]
    pub(super) remote: EndpointRemoteArgs,
}

fn group(text: &str) -> Result<GroupId, String> {
    identifier(text, |text| GroupId::new(text))
}

fn session(text: &str) -> Result<SessionId, String> {
    identifier(text, |text| SessionId::new(text))
}

fn identifier<T>(text: &str, read: impl FnOnce(&str) -> Result<T, TextError>) -> Result<T, String> {
    let id = segment(text).ok_or("it cannot stand in a URL")?;
    read(id).map_err(|error| format!("it {error}"))
}

fn reason(text: &str) -> Result<Description, String> {
    Description::new(text).map_err(|error| format!("it {error}"))
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| format!("it {error}"))
}

fn period(text: &str) -> Result<Duration, &'static str> {
    parse_span(text)
        .filter(|span| !span.is_zero())
        .ok_or("it is no time span above zero, such as 08:00:00 or 1.00:00:00")
}
