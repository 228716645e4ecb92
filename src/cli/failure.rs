//! How a command failed: what is said about it, and the exit code.

use std::{error::Error, fmt::Display};

use super::{
    remote::{Refusal, RemoteError},
    table::plain,
};
use crate::{demo::DemoError, domain::chain, settings::SettingsError, telemetry::TelemetryError};

/// Wrong usage or settings, as clap's.
pub(super) const USAGE: u8 = 2;

const FAILED: u8 = 1;
const NOT_REACHED: u8 = 3;

/// Why a command was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The settings are wrong; each line is one fault.
    Settings(String),
    /// A half stopped with an error; the log has it.
    Stopped,
    /// Something on this machine went wrong.
    Failed(String),
    /// The server refused, or was not reached.
    Remote(RemoteError),
}

impl Failure {
    /// `what` could not be done because of `error`.
    pub(super) fn failed(what: impl Display, error: &dyn Error) -> Self {
        Self::Failed(format!("{what}: {}.", chain(error)))
    }

    /// A half stopped. Said in the log, where whoever reads JSON lines finds a JSON line.
    pub(super) fn stopped(error: &dyn Error) -> Self {
        if tracing::enabled!(tracing::Level::ERROR) {
            tracing::error!(error = chain(error), "stopped");
        } else {
            // Why it does not run is said even where nothing is to be logged.
            eprintln!("Error:       {}", chain(error));
        }
        Self::Stopped
    }

    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Settings(_) => USAGE,
            Self::Stopped | Self::Failed(_) | Self::Remote(RemoteError::Refused(_)) => FAILED,
            Self::Remote(RemoteError::NotReached { .. }) => NOT_REACHED,
        }
    }

    /// Says on standard error what went wrong.
    pub(super) fn tell(&self) {
        match self {
            Self::Settings(faults) => eprintln!("{faults}"),
            Self::Stopped => {}
            Self::Failed(what) => eprintln!("Error:       {what}"),
            Self::Remote(RemoteError::NotReached { url, reason, resolution }) => {
                tell(&format!("{url} was not reached."), reason, resolution);
            }
            Self::Remote(RemoteError::Refused(Refusal { error, reason, resolution })) => {
                tell(error, reason, resolution);
            }
        }
    }
}

fn tell(error: &str, reason: &str, resolution: &str) {
    eprintln!("Error:       {}", plain(error));
    eprintln!("Reason:      {}", plain(reason));
    eprintln!("Resolution:  {}", plain(resolution));
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Settings(error.to_string())
    }
}

impl From<TelemetryError> for Failure {
    fn from(error: TelemetryError) -> Self {
        Self::Settings(chain(&error))
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match &error {
            DemoError::NoTerminal | DemoError::Script { .. } | DemoError::BadWord(_) => {
                Self::Settings(chain(&error))
            }
            DemoError::System(_)
            | DemoError::NoText
            | DemoError::NotStarted { .. }
            | DemoError::Ask(_)
            | DemoError::TooLate(_)
            | DemoError::LeftBehind(_) => Self::failed("The demo failed", &error),
        }
    }
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        Self::Remote(error)
    }
}
