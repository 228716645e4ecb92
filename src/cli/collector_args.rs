//! What `serve` and the guard write on the command lines of the processes that they start for a collector.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Subcommand};

use crate::{
    collector::{Guarding, Launch},
    domain::StopSignal,
    settings::parse,
};

#[derive(Debug, Subcommand)]
pub(super) enum CollectorProcess {
    /// The parent of a collector; `serve` starts it.
    #[command(hide = true)]
    Guard(GuardArgs),
    /// What becomes a collector; the guard starts it.
    #[command(hide = true)]
    Launch(LaunchArgs),
}

#[derive(Debug, Args)]
pub(super) struct GuardArgs {
    #[arg(long, value_parser = parse::<StopSignal>)]
    stop_signal: StopSignal,
    #[arg(long)]
    lock: PathBuf,
    #[command(flatten)]
    collector: CollectorArgs,
}

#[derive(Debug, Args)]
pub(super) struct LaunchArgs {
    #[arg(long)]
    guard: u32,
    #[arg(long)]
    cgroup: Option<PathBuf>,
    #[command(flatten)]
    collector: CollectorArgs,
}

#[derive(Debug, Args)]
struct CollectorArgs {
    #[arg(long)]
    user: Option<String>,
    #[arg(long)]
    working_dir: Option<PathBuf>,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl GuardArgs {
    pub(super) fn guarding(self) -> Guarding {
        let CollectorArgs { user, working_dir, command } = self.collector;
        Guarding { lock: self.lock, stop_signal: self.stop_signal, user, working_dir, command }
    }
}

impl LaunchArgs {
    pub(super) fn launch(self) -> Launch {
        let CollectorArgs { user, working_dir, command } = self.collector;
        Launch { guard: self.guard, cgroup: self.cgroup, user, working_dir, command }
    }
}
