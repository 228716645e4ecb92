//! What can be written on the command line of the demo, and what it writes on that of its collectors.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use crate::{
    demo::Plan,
    domain::{EndpointLoss, FailoverTimeout, Mode, Uptime},
    settings::parse,
};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// What the standby does: Hot, Warm or Cold
    #[arg(long, value_name = "MODE", default_value = "Hot", value_parser = mode)]
    mode: Mode,
    /// The group's FailoverTimeout: how long a Primary may be silent
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = timeout)]
    timeout: FailoverTimeout,
    /// What a Primary does when it loses its endpoint: auto, step-down or keep-role
    #[arg(long, value_name = "POLICY", default_value = "auto", value_parser = parse::<EndpointLoss>)]
    endpoint_loss: EndpointLoss,
    /// Do what a file says instead of waiting for keys, one word a line (stop, kill, freeze, cut, back, quit); `-`
    /// is standard input
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
}

impl DemoArgs {
    pub(super) fn plan(self) -> Plan {
        let Self { mode, timeout, endpoint_loss, script } = self;
        Plan { mode, timeout, endpoint_loss, script }
    }
}

#[derive(Debug, Args)]
pub(super) struct DemoCollectorArgs {
    /// The adapter, whose supervisor says where it is.
    #[arg(long, env = "CLIENT_FAILOVER_URL")]
    pub(super) url: String,
    /// When the source began, in milliseconds since this machine was started.
    #[arg(long)]
    began_ms: u64,
}

impl DemoCollectorArgs {
    pub(super) const fn began(&self) -> Uptime {
        Uptime::new(Duration::from_millis(self.began_ms))
    }
}

fn mode(text: &str) -> Result<Mode, &'static str> {
    Mode::parse(text).filter(|mode| *mode != Mode::None).ok_or("it is not Hot, Warm or Cold")
}

fn timeout(text: &str) -> Result<FailoverTimeout, String> {
    FailoverTimeout::new(parse(text)?).map_err(|_error| "it is not between 250ms and 24h".to_owned())
}
