//! The table `[order]`: who is told what role and mode demand of the collector.

use std::time::Duration;

use super::{
    source::{SettingsError, Source, texts},
    value::Value,
};
use crate::domain::{CollectorSettings, OnOrder, OrderSignal};

/// How long a run of the hook may take unless something else is said.
const HOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest that a run may take: a role is given back only once the hook was told to its end.
const LONGEST_HOOK: Duration = Duration::from_secs(60);

/// How the order is told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderSettings {
    /// What is run at each change.
    pub hook: Option<HookSettings>,
}

/// The command that is run at each change of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookSettings {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How long a run may take.
    pub timeout: Duration,
}

/// What one source says about the order; nothing where it is silent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the setting of the same name")]
pub struct OrderPartial {
    pub hook: Option<Words>,
    pub hook_timeout: Option<Duration>,
    pub signal: Option<OrderSignal>,
}

impl OrderPartial {
    pub(super) fn take(source: &mut impl Source) -> Self {
        Self {
            hook: source.take("order.hook"),
            hook_timeout: source.take("order.hook_timeout"),
            signal: source.take("order.signal"),
        }
    }

    pub(super) fn or(self, weaker: Self) -> Self {
        Self {
            hook: self.hook.or(weaker.hook),
            hook_timeout: self.hook_timeout.or(weaker.hook_timeout),
            signal: self.signal.or(weaker.signal),
        }
    }

    /// How the order is told; the supervised collector is told by its supervisor.
    pub(super) fn complete(
        self,
        collector: Option<&mut CollectorSettings>,
    ) -> Result<OrderSettings, SettingsError> {
        match collector {
            Some(collector) if collector.on_order == OnOrder::Keep => collector.order_signal = self.signal,
            Some(_) | None if self.signal.is_some() => {
                let fault = "order.signal: it is for a [collector] with on_order = \"keep\"; any other is ended and \
                             started anew, with the order in its environment";
                return Err(SettingsError::one(fault.to_owned()));
            }
            Some(_) | None => {}
        }
        let timeout = self.hook_timeout.unwrap_or(HOOK_TIMEOUT);
        if timeout > LONGEST_HOOK {
            let fault =
                "order.hook_timeout: it is longer than 60s; a hook that has more to do starts it and ends";
            return Err(SettingsError::one(fault.to_owned()));
        }
        match self.hook {
            Some(Words(command)) => Ok(OrderSettings { hook: Some(HookSettings { command, timeout }) }),
            None if self.hook_timeout.is_some() => Err(SettingsError::one(
                "order.hook_timeout: order.hook is missing, and without it there is nothing to limit"
                    .to_owned(),
            )),
            None => Ok(OrderSettings::default()),
        }
    }
}

impl Value for OrderSignal {
    const EXPECTED: &'static str = "SIGHUP, SIGUSR1 or SIGUSR2";

    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words(pub(super) Vec<String>);

impl Value for Words {
    const EXPECTED: &'static str =
        r#"a list of texts, the program first, such as ["/usr/bin/test", "-e", "/run/a"]"#;

    fn read(text: &str) -> Option<Self> {
        let words = texts(text)?;
        let named = words.first().is_some_and(|program| !program.is_empty());
        (named && words.iter().all(|word| !word.contains('\0'))).then_some(Self(words))
    }
}
