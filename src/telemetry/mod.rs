//! What the process says about itself while it runs: log lines on standard error.
//!
//! Promises: one line for each event, in UTC, for people or as JSON; our own crate from `info` on,
//! others from `warn` on, unless `CLIENT_FAILOVER_LOG` or `RUST_LOG` asks for something else. Warnings that repeat
//! are bounded (`repeats.rs`).
//!
//! Does not: know what a secret is. Who writes an event leaves secrets out of it.

mod repeats;

use std::{
    env, fmt,
    io::{self, IsTerminal},
};

pub use repeats::Repeats;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::LevelFilter,
    fmt::{format::Writer, time::FormatTime},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{clock, settings::LogFormat};

/// The variables that say what is logged, the stronger first.
const VARIABLES: [&str; 2] = ["CLIENT_FAILOVER_LOG", "RUST_LOG"];

/// What is logged when nobody asks for anything.
const DEFAULT_LEVEL: LevelFilter = LevelFilter::INFO;

/// A variable asks for something that cannot be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{variable} is neither a level (error, warn, info, debug, trace) nor a list of filters such as `info,sqlx=debug`"
)]
pub struct TelemetryError {
    variable: &'static str,
}

/// Begins to log; gives what tells which lines were passed over. Where a subscriber is installed already, it
/// stays.
///
/// # Errors
/// When `CLIENT_FAILOVER_LOG` or `RUST_LOG` is wrong.
pub fn install(format: LogFormat) -> Result<Repeats, TelemetryError> {
    let colours = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let repeats = Repeats::default();
    let lines = tracing_subscriber::fmt::layer().with_timer(Utc).with_ansi(colours).with_writer(io::stderr);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let wanted = filter(|name| env::var(name).ok())?;
    let subscriber = tracing_subscriber::registry().with(lines).with(wanted).with(repeats.clone());
    if let Err(already) = subscriber.try_init() {
        tracing::debug!(reason = %already, "logging was set up before");
    }
    Ok(repeats)
}

fn filter(variable: impl Fn(&str) -> Option<String>) -> Result<EnvFilter, TelemetryError> {
    for name in VARIABLES {
        let Some(wanted) = variable(name).filter(|wanted| !wanted.is_empty()) else { continue };
        // A bare level is about us: `debug` must not drown our lines in those of the HTTP stack.
        return match wanted.parse() {
            Ok(level) => Ok(ours_from(level)),
            Err(_) if !wanted.split(',').all(is_directive) => Err(TelemetryError { variable: name }),
            Err(_) => EnvFilter::try_new(wanted).map_err(|_parse| TelemetryError { variable: name }),
        };
    }
    Ok(ours_from(DEFAULT_LEVEL))
}

/// Whether a part of a list of filters is a level, or says for whom it is one. A mistyped level would
/// otherwise be taken for the name of a part of the program, and silence all others.
fn is_directive(part: &str) -> bool {
    part.contains('=') || part.parse::<LevelFilter>().is_ok()
}

fn ours_from(level: LevelFilter) -> EnvFilter {
    let others = level.min(LevelFilter::WARN);
    // It tells each certificate that is refused, as an error; so do we, once, and who showed it.
    EnvFilter::new(format!("{others},{}={level},rustls_platform_verifier=off", env!("CARGO_CRATE_NAME")))
}

/// RFC 3339 in UTC, to the microsecond, from the one clock that everything else reads too.
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:.6}", clock::now().wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter_of(variables: &[(&str, &str)]) -> Result<String, TelemetryError> {
        filter(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
            .map(|filter| filter.to_string())
    }

    #[test]
    fn a_level_is_about_us_and_filters_are_taken_as_they_are() -> Result<(), TelemetryError> {
        let quiet = |rest: &str| format!("rustls_platform_verifier=off,{rest}");
        assert_eq!(filter_of(&[])?, quiet("client_failover=info,warn"));
        assert_eq!(filter_of(&[("RUST_LOG", "")])?, quiet("client_failover=info,warn"));
        assert_eq!(
            filter_of(&[("CLIENT_FAILOVER_LOG", "debug"), ("RUST_LOG", "error")])?,
            quiet("client_failover=debug,warn")
        );
        assert_eq!(filter_of(&[("RUST_LOG", "error")])?, quiet("client_failover=error,error"));
        assert_eq!(filter_of(&[("RUST_LOG", "info,sqlx=debug")])?, "sqlx=debug,info");
        assert!(filter_of(&[("CLIENT_FAILOVER_LOG", "sqlx=loud")]).is_err());
        Ok(())
    }

    #[test]
    fn times_are_utc_and_equally_wide() {
        let mut text = String::new();
        let written = Utc.format_time(&mut Writer::new(&mut text));
        assert!(written.is_ok());
        assert_eq!((text.len(), text.ends_with('Z')), ("2026-01-01T00:00:00.000000Z".len(), true), "{text}");
    }

    #[test]
    fn it_installs_once() {
        for format in [LogFormat::Text, LogFormat::Json] {
            assert!(install(format).is_ok());
        }
    }
}
