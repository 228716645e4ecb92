//! The table `[collector]`: which program is protected, and how it is run.

use std::{path::PathBuf, time::Duration};

use toml::de::DeValue;

use super::{
    source::{SettingsError, Source, scalar, texts},
    value::Value,
};
use crate::domain::{CollectorCommand, CollectorSettings, OnOrder, Restarts, StopSignal, Variables};

/// What one source says about the collector; nothing where it is silent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the setting of the same name")]
pub struct CollectorPartial {
    pub command: Option<CollectorCommand>,
    pub working_dir: Option<PathBuf>,
    pub user: Option<UserName>,
    pub env: Option<Variables>,
    pub stop_signal: Option<StopSignal>,
    pub stop_timeout: Option<Duration>,
    pub restart_backoff: Option<Duration>,
    pub restart_limit: Option<RestartLimit>,
    pub restart_window: Option<Duration>,
    pub on_order: Option<OnOrder>,
}

impl CollectorPartial {
    pub(super) fn take(source: &mut impl Source) -> Self {
        Self {
            command: source.take("collector.command"),
            working_dir: source.take("collector.working_dir"),
            user: source.take("collector.user"),
            env: source.take_variables("collector.env"),
            stop_signal: source.take("collector.stop_signal"),
            stop_timeout: source.take("collector.stop_timeout"),
            restart_backoff: source.take("collector.restart_backoff"),
            restart_limit: source.take("collector.restart_limit"),
            restart_window: source.take("collector.restart_window"),
            on_order: source.take("collector.on_order"),
        }
    }

    pub(super) fn or(self, weaker: Self) -> Self {
        Self {
            command: self.command.or(weaker.command),
            working_dir: self.working_dir.or(weaker.working_dir),
            user: self.user.or(weaker.user),
            env: self.env.or(weaker.env),
            stop_signal: self.stop_signal.or(weaker.stop_signal),
            stop_timeout: self.stop_timeout.or(weaker.stop_timeout),
            restart_backoff: self.restart_backoff.or(weaker.restart_backoff),
            restart_limit: self.restart_limit.or(weaker.restart_limit),
            restart_window: self.restart_window.or(weaker.restart_window),
            on_order: self.on_order.or(weaker.on_order),
        }
    }

    /// The collector, if there is one.
    pub(super) fn complete(self) -> Result<Option<CollectorSettings>, SettingsError> {
        let silent = self == Self::default();
        let Some(command) = self.command else {
            let fault =
                "collector.command: it is missing; without it the other settings of [collector] mean nothing";
            return if silent { Ok(None) } else { Err(SettingsError::one(fault.to_owned())) };
        };
        let usual = Restarts::default();
        Ok(Some(CollectorSettings {
            command,
            working_dir: self.working_dir,
            user: self.user.map(|user| user.0),
            env: self.env.unwrap_or_default(),
            stop_signal: self.stop_signal.unwrap_or_default(),
            stop_timeout: self.stop_timeout.unwrap_or(CollectorSettings::STOP_TIMEOUT),
            restarts: Restarts {
                backoff: self.restart_backoff.unwrap_or(usual.backoff),
                limit: self.restart_limit.map_or(usual.limit, |limit| limit.0),
                window: self.restart_window.unwrap_or(usual.window),
            },
            on_order: self.on_order.unwrap_or_default(),
            order_signal: None,
        }))
    }
}

impl Value for CollectorCommand {
    const EXPECTED: &'static str =
        r#"a list of texts, the program first, such as ["telegraf", "--config", "/etc/telegraf.conf"]"#;

    fn read(text: &str) -> Option<Self> {
        Self::new(texts(text)?)
    }
}

impl Value for Variables {
    const EXPECTED: &'static str = r#"a table of texts, such as { LANG = "C", ZONE = "north" }"#;

    /// Written in the environment as an inline table of the settings file.
    fn read(text: &str) -> Option<Self> {
        let DeValue::Table(table) = DeValue::parse(text).ok()?.into_inner() else { return None };
        let variable = |(name, value): (_, toml::Spanned<DeValue<'_>>)| {
            let name: toml::Spanned<std::borrow::Cow<'_, str>> = name;
            Some((name.into_inner().into_owned(), scalar(value.get_ref())?))
        };
        Self::new(table.into_iter().map(variable).collect::<Option<_>>()?)
    }
}

/// A user of this machine, by name or number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserName(String);

impl Value for UserName {
    const EXPECTED: &'static str = "the name or number of a user of this machine";

    fn read(text: &str) -> Option<Self> {
        let possible =
            |character: char| !character.is_control() && !character.is_whitespace() && character != ':';
        (!text.is_empty() && !text.starts_with('-') && text.chars().all(possible))
            .then(|| Self(text.to_owned()))
    }
}

/// After how many restarts in a row a collector is given up for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartLimit(u32);

impl Value for RestartLimit {
    const EXPECTED: &'static str = "a number of restarts from 0 to 1000";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|limit| *limit <= 1_000).map(Self)
    }
}

impl Value for StopSignal {
    const EXPECTED: &'static str = "SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 or SIGKILL";

    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl Value for OnOrder {
    const EXPECTED: &'static str = "restart or keep";

    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}
