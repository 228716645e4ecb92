//! What can be written on the command line of what runs a half.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

use super::{hosted_args::HostedArgs, listening_args::ListeningArgs};
use crate::{
    domain::EndpointLoss,
    settings::{EndpointPartial, HistoryDays, LogFormat, ServePartial, parse},
};

/// What both halves have.
#[derive(Debug, Args)]
pub(super) struct HalfArgs {
    /// A settings file in TOML [env: CLIENT_FAILOVER_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    listening: ListeningArgs,
    /// The folder of the database and its key [default: ./data]
    #[arg(long, value_name = "FOLDER", value_parser = parse::<PathBuf>)]
    data_dir: Option<PathBuf>,
    /// The key that seals secrets, elsewhere than in the data folder
    #[arg(long, value_name = "FILE", value_parser = parse::<PathBuf>)]
    key_file: Option<PathBuf>,
    /// For how many days history is kept [default: 365]
    #[arg(long, value_name = "DAYS", value_parser = parse::<HistoryDays>)]
    history_days: Option<HistoryDays>,
    /// How log lines are written: text or json [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = parse::<LogFormat>)]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Where the interface listens [default: 127.0.0.1:5590]
    #[arg(long, value_name = "ADDRESS", value_parser = parse::<SocketAddr>)]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(super) half: HalfArgs,
    /// What a Primary does when it loses its endpoint: auto, step-down or keep-role [default: auto]
    #[arg(long, value_name = "POLICY", value_parser = parse::<EndpointLoss>)]
    endpoint_loss: Option<EndpointLoss>,
    /// Host a failover endpoint too, for trying out: it dies with this machine [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    with_endpoint: Option<bool>,
    #[command(flatten)]
    hosted: HostedArgs,
}

impl ServeArgs {
    /// What the command line says about the settings.
    pub(super) fn settings(self) -> ServePartial {
        ServePartial {
            listen: self.listen,
            listening: self.half.listening.settings(),
            data_dir: self.half.data_dir,
            key_file: self.half.key_file,
            history_days: self.half.history_days,
            log_format: self.half.log_format,
            endpoint_loss: self.endpoint_loss,
            with_endpoint: self.with_endpoint,
            hosted: self.hosted.settings(),
            // A command line can be read by others, and is no place for a collector's variables.
            ..ServePartial::default()
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct EndpointArgs {
    /// Where the interface listens [default: 127.0.0.1:5591]
    #[arg(long, value_name = "ADDRESS", value_parser = parse::<SocketAddr>)]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(super) half: HalfArgs,
    #[command(flatten)]
    hosted: HostedArgs,
}

impl EndpointArgs {
    /// What the command line says about the settings.
    pub(super) fn settings(self) -> EndpointPartial {
        EndpointPartial {
            listen: self.listen,
            listening: self.half.listening.settings(),
            data_dir: self.half.data_dir,
            key_file: self.half.key_file,
            history_days: self.half.history_days,
            log_format: self.half.log_format,
            hosted: self.hosted.settings(),
        }
    }
}
