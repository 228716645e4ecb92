//! What can be written on the command line about a failover endpoint, alone or beside an adapter.

use std::time::Duration;

use clap::Args;

use crate::{
    domain::Margin,
    settings::{Dwell, HostedPartial, parse},
};

#[derive(Debug, Args)]
#[command(next_help_heading = "How the endpoint keeps its groups")]
pub(super) struct HostedArgs {
    /// How long a silent session is remembered [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = parse::<Duration>)]
    session_retention: Option<Duration>,
    /// By how many points another adapter's score must be better to become Primary, in groups that
    /// say no Margin [default: 10]
    #[arg(long, value_name = "POINTS", value_parser = parse::<Margin>)]
    margin: Option<Margin>,
    /// For how long it must be better, in groups that say no Dwell [default: half of FailoverTimeout]
    #[arg(long, value_name = "DURATION", value_parser = parse::<Dwell>)]
    dwell: Option<Dwell>,
}

impl HostedArgs {
    /// What the command line says about the settings.
    pub(super) fn settings(self) -> HostedPartial {
        HostedPartial { session_retention: self.session_retention, margin: self.margin, dwell: self.dwell }
    }
}
