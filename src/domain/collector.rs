//! How the collector that this adapter protects is started, stopped and kept running.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, time::Duration};

/// The program that is protected, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorCommand(Vec<String>);

impl CollectorCommand {
    /// The command, if `words` begin with a program and none holds a NUL.
    #[must_use]
    pub fn new(words: Vec<String>) -> Option<Self> {
        let named = words.first().is_some_and(|program| !program.is_empty());
        (named && words.iter().all(|word| !word.contains('\0'))).then_some(Self(words))
    }

    /// The program, for people.
    #[must_use]
    pub fn program(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// The program and its arguments.
    pub fn words(&self) -> impl Iterator<Item = OsString> {
        self.0.iter().map(OsString::from)
    }
}

/// Variables of the collector's environment, by their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// The variables, if a process can have them: names are not empty and hold no `=`, nothing holds a NUL.
    #[must_use]
    pub fn new(variables: BTreeMap<String, String>) -> Option<Self> {
        let possible = |(name, value): (&String, &String)| {
            !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
        };
        variables.iter().all(possible).then_some(Self(variables))
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The signal that asks a collector to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StopSignal {
    /// SIGTERM.
    #[default]
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
    /// SIGHUP.
    Hup,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
    /// SIGKILL: it is not asked.
    Kill,
}

impl StopSignal {
    const ALL: [Self; 7] = [Self::Term, Self::Int, Self::Quit, Self::Hup, Self::Usr1, Self::Usr2, Self::Kill];

    /// The signal's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Term => "SIGTERM",
            Self::Int => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Hup => "SIGHUP",
            Self::Usr1 => "SIGUSR1",
            Self::Usr2 => "SIGUSR2",
            Self::Kill => "SIGKILL",
        }
    }

    /// Reads a name, with or without `SIG`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let named = |signal: &Self| signal.as_str() == text || signal.as_str()[3..] == *text;
        Self::ALL.into_iter().find(named)
    }
}

/// The signal that tells a collector that its order is another: one that programs take for news, not for a
/// request to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderSignal {
    /// SIGHUP.
    Hup,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
}

impl OrderSignal {
    const ALL: [Self; 3] = [Self::Hup, Self::Usr1, Self::Usr2];

    /// The signal's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hup => "SIGHUP",
            Self::Usr1 => "SIGUSR1",
            Self::Usr2 => "SIGUSR2",
        }
    }

    /// Reads a name, with or without `SIG`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let named = |signal: &Self| signal.as_str() == text || signal.as_str()[3..] == *text;
        Self::ALL.into_iter().find(named)
    }
}

/// What happens to a running collector when its order changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnOrder {
    /// It is ended, and started anew with the new order in its environment. Safe for a collector that knows
    /// nothing of failover: what acted under the old order is gone.
    #[default]
    Restart,
    /// It runs on: it hears its orders and obeys them itself, or all that it sends goes through a gate.
    Keep,
}

impl OnOrder {
    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "restart" => Some(Self::Restart),
            "keep" => Some(Self::Keep),
            _ => None,
        }
    }
}

/// When a collector that ended by itself is started again, and when it is given up for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restarts {
    /// The wait before the first restart; doubled for each that follows, up to a minute.
    pub backoff: Duration,
    /// After so many restarts in a row the collector is taken to be unable to run.
    pub limit: u32,
    /// A run that lasted this long was a good one: the row begins anew.
    pub window: Duration,
}

impl Default for Restarts {
    fn default() -> Self {
        Self { backoff: Duration::from_secs(1), limit: 3, window: Duration::from_secs(60) }
    }
}

/// Everything about the collector that is a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectorSettings {
    /// What is run.
    pub command: CollectorCommand,
    /// The folder it is run in; the adapter's own if empty.
    pub working_dir: Option<PathBuf>,
    /// The user it is run as; the adapter's own if empty.
    pub user: Option<String>,
    /// Variables beside those of the adapter.
    pub env: Variables,
    /// What asks it to stop.
    pub stop_signal: StopSignal,
    /// How long it may take to stop; a lease that ends earlier ends it earlier.
    pub stop_timeout: Duration,
    /// When it is started again.
    pub restarts: Restarts,
    /// What happens to it when its order changes.
    pub on_order: OnOrder,
    /// What tells one that keeps running that its order is another; nothing if empty.
    pub order_signal: Option<OrderSignal>,
}

impl CollectorSettings {
    /// How long a collector may take to stop unless something else is said.
    pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_variables_are_such_as_a_process_can_have() {
        let words = |words: &[&str]| CollectorCommand::new(words.iter().map(|&word| word.into()).collect());
        assert_eq!(words(&["telegraf", "--config", ""]).map(|command| command.words().count()), Some(3));
        for refused in [&[][..], &[""], &["", "a"], &["a", "b\0"]] {
            assert_eq!(words(refused), None, "{refused:?}");
        }
        let variable = |name: &str, value: &str| Variables::new([(name.into(), value.into())].into());
        assert!(variable("LANG", "a=b").is_some() && variable("LANG", "").is_some());
        for (name, value) in [("", "a"), ("A=B", "c"), ("A\0", "b"), ("A", "\0")] {
            assert_eq!(variable(name, value), None, "{name:?} {value:?}");
        }
    }

    #[test]
    fn signals_are_named_as_people_name_them() {
        for signal in StopSignal::ALL {
            assert_eq!(StopSignal::parse(signal.as_str()), Some(signal));
            assert_eq!(StopSignal::parse(&signal.as_str()[3..]), Some(signal));
        }
        for text in ["", "SIG", "term", "15", "SIGSTOP"] {
            assert_eq!(StopSignal::parse(text), None, "{text}");
        }
        for signal in OrderSignal::ALL {
            assert_eq!(OrderSignal::parse(signal.as_str()), Some(signal));
            assert_eq!(OrderSignal::parse(&signal.as_str()[3..]), Some(signal));
        }
        assert_eq!(OrderSignal::parse("SIGTERM"), None, "it would end the collector");
    }
}
