//! What can be written on the command line of what asks an adapter, and how addresses and Ids are read.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use url::{ParseError, Url};

use super::access_args::AccessArgs;
use crate::domain::ConfigurationId;

/// Which server is asked, and how its answer is shown.
#[derive(Debug, Args)]
pub(super) struct RemoteArgs {
    /// Where the adapter listens.
    #[arg(long, env = "CLIENT_FAILOVER_URL", hide_env_values = true, default_value = "http://127.0.0.1:5590", value_parser = server)]
    pub(super) url: Url,
    #[command(flatten)]
    pub(super) access: AccessArgs,
    /// How the answer is shown [default: table on a terminal, else json]
    #[arg(long, value_enum)]
    pub(super) output: Option<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// The answer as the server wrote it.
    Json,
    /// Aligned columns for people.
    Table,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Readable {
    /// The configuration.
    #[value(name = "clientfailover")]
    Configuration,
    /// Role, last data, score and adapter state, as the vendor's adapters show them.
    #[value(name = "failoverstate")]
    State,
    /// Everything about failover: why this role, since when, until when.
    #[value(name = "failover")]
    Diagnostics,
    /// What role and mode demand of the collector now.
    #[value(name = "order")]
    Order,
    /// What components report and probes see, and what each counts as.
    #[value(name = "components")]
    Components,
    /// What waits at the egress gate, and what became of the rest.
    #[value(name = "egress")]
    Egress,
}

/// What can be written. One word, which may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Writable {
    #[value(name = "clientfailover")]
    Configuration,
}

#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// What is shown.
    #[arg(value_enum, ignore_case = true, default_value = "clientfailover")]
    pub(super) what: Readable,
    /// The Id of the configuration.
    #[arg(long, value_parser = identifier)]
    pub(super) id: Option<ConfigurationId>,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

/// What `set` and `edit` write: the command says whether it is a whole configuration.
#[derive(Debug, Args)]
pub(super) struct WriteArgs {
    #[arg(value_enum, ignore_case = true, hide_possible_values = true, value_name = "clientfailover")]
    what: Option<Writable>,
    /// The Id of the configuration [default: that of the one there is]
    #[arg(long, value_parser = identifier)]
    pub(super) id: Option<ConfigurationId>,
    /// The file with what is written, in JSON; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    #[arg(value_enum, ignore_case = true, hide_possible_values = true, value_name = "clientfailover")]
    what: Option<Writable>,
    /// The file with the configuration in JSON; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    #[arg(value_enum, ignore_case = true, hide_possible_values = true, value_name = "clientfailover")]
    what: Option<Writable>,
    /// The Id of the configuration.
    #[arg(long, value_parser = identifier)]
    pub(super) id: Option<ConfigurationId>,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Only what happened then or later, such as 2026-01-31T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<String>,
    /// Only what happened before.
    #[arg(long, value_name = "TIME")]
    pub(super) to: Option<String>,
    /// Only this kind of event.
    #[arg(long)]
    pub(super) kind: Option<String>,
    /// At most so many events; the server has its own limit.
    #[arg(long, value_name = "COUNT", conflicts_with = "all")]
    pub(super) limit: Option<u32>,
    /// Everything, page by page.
    #[arg(long)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

/// An Id that can be a segment of a path. `.` and `..` cannot, however they are escaped: URLs are
/// resolved before they are sent, and a DELETE of `..` would go elsewhere.
pub(super) fn identifier(text: &str) -> Result<ConfigurationId, String> {
    let id = segment(text).ok_or("it cannot stand in a URL; leave --id out")?;
    ConfigurationId::new(id).map_err(|error| format!("it {error}"))
}

/// The same, if it can be one.
pub(super) fn segment(text: &str) -> Option<&str> {
    Some(text).filter(|text| !matches!(*text, "." | ".."))
}

const NO_SCHEME: &str = "it does not begin with http:// or https://, as http://127.0.0.1:5590 does";

/// The address of a server.
pub(super) fn server(text: &str) -> Result<Url, String> {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(ParseError::RelativeUrlWithoutBase) => return Err(NO_SCHEME.to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        Err(NO_SCHEME.to_owned())
    } else if url.query().is_some() || url.fragment().is_some() {
        Err("it has a query or fragment".to_owned())
    } else {
        Ok(url)
    }
}
