//! The command line: `serve` and `endpoint` run a half; `user` says who may log in, `backup` and `restore`
//! copy a data folder and put it back, `check` looks at what a half needs; every other command asks a running adapter, or a running failover endpoint
//! about its groups.
//!
//! Promises: it ends with 0 when it was done, 1 when it was refused or failed, 2 when the usage or
//! the settings are wrong, 3 when the server was not reached. Answers go to standard output,
//! everything else to standard error. A table never shows a secret, and no flag takes one.
//!
//! `guard` and `launch`, which nobody is shown, are what `serve` starts for a collector; `demo-collector` is the
//! collector of the demo.
//!
//! Does not: decide anything about failover, or touch a database; `user.rs` has `auth` change the users of
//! this machine, `key.rs` has `app` rotate its key, `backup.rs` has `backup` copy. It imports only settings, collector,
//! telemetry, app, demo, auth, backup, tls and domain; `remote.rs` alone speaks HTTP.

mod access_args;
mod adapter_args;
mod args;
mod backup;
mod check;
mod client;
mod collector_args;
mod demo_args;
mod failure;
mod folder_args;
mod group_args;
mod groups;
mod half_args;
mod hosted_args;
mod key;
mod listening_args;
mod password;
mod remote;
mod secret;
mod table;
mod user;
mod who;
mod why;

pub use remote::Refusal;
pub use table::{columns, members, plain};
pub use why::{Names, told};

use std::{env, io, num::NonZero, process::ExitCode, thread, time::Duration};

use tokio::runtime::{Builder, Runtime};

use clap::CommandFactory;

use crate::{app, collector, demo, settings, telemetry};
use args::{Command, Line};
use collector_args::{CollectorProcess, GuardArgs};
use demo_args::DemoCollectorArgs;
use failure::Failure;
use half_args::{EndpointArgs, ServeArgs};

/// Two workers at least: one stalled disk must not keep heartbeats waiting on a small machine.
const WORKERS: usize = 2;

/// How long a write that blocks may keep the process from ending.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// The command line's definition, for manuals and completions.
#[must_use]
pub fn command() -> clap::Command {
    args::CommandLine::command()
}

/// Runs the command that this process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let line = match args::read(env::args_os()) {
        Ok(line) => line,
        Err(error) => {
            // Nobody can be told when the terminal is gone; the exit code still says it.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::USAGE));
        }
    };
    let outcome = match line {
        Line::Command(command) => run(command),
        // These have no thread but their own.
        Line::Collector(CollectorProcess::Guard(args)) => guard(args),
        Line::Collector(CollectorProcess::Launch(args)) => return collector::launch(&args.launch()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            ExitCode::from(failure.code())
        }
    }
}

fn guard(args: GuardArgs) -> Result<(), Failure> {
    collector::guard(args.guarding())
        .map_err(|error| Failure::failed("The guard of the collector failed", &error))
}

fn run(command: Command) -> Result<(), Failure> {
    // An error means that a provider is installed already, and any provider will do.
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = runtime().map_err(|error| Failure::failed("The runtime could not be started", &error))?;
    let outcome = match command {
        Command::Serve(args) => serve(&runtime, *args),
        Command::Endpoint(args) => endpoint(&runtime, *args),
        Command::Get(args) => runtime.block_on(client::get(args)),
        Command::Set(args) => runtime.block_on(client::set(args)),
        Command::Add(args) => runtime.block_on(client::add(args)),
        Command::Edit(args) => runtime.block_on(client::edit(args)),
        Command::Remove(args) => runtime.block_on(client::remove(args)),
        Command::History(args) => runtime.block_on(client::history(args)),
        Command::Groups(args) => runtime.block_on(groups::groups(args)),
        Command::Sessions(args) => runtime.block_on(groups::sessions(args)),
        Command::Override(args) => runtime.block_on(groups::override_role(args)),
        Command::Key(args) => runtime.block_on(key::key(args)),
        Command::Secret(args) => runtime.block_on(secret::secret(*args)),
        Command::Backup(args) => runtime.block_on(backup::back_up(args)),
        Command::Restore(args) => runtime.block_on(backup::restore(args)),
        Command::Check(args) => runtime.block_on(check::check(*args)),
        Command::User(args) => runtime.block_on(user::user(args)),
        Command::Why(args) => runtime.block_on(groups::why(args)),
        Command::Delete(args) => runtime.block_on(groups::delete(args)),
        Command::Demo(args) => runtime.block_on(demo::run(args.plan())).map_err(Failure::from),
        Command::DemoCollector(args) => demo_collector(&runtime, &args),
    };
    // Whatever still blocks has had its time; the process ends all the same.
    runtime.shutdown_timeout(LAST_WAIT);
    outcome
}

fn runtime() -> io::Result<Runtime> {
    let workers = thread::available_parallelism().map_or(WORKERS, NonZero::get).max(WORKERS);
    Builder::new_multi_thread().worker_threads(workers).enable_all().build()
}

fn serve(runtime: &Runtime, mut args: ServeArgs) -> Result<(), Failure> {
    let file = args.half.config.take();
    let settings = settings::serve(args.settings(), file.as_deref(), &|name| env::var_os(name))?;
    let repeats = telemetry::install(settings.log_format)?;
    tell_unknown_variables();
    runtime.block_on(app::serve(settings, repeats)).map_err(|error| Failure::stopped(&error))
}

fn endpoint(runtime: &Runtime, mut args: EndpointArgs) -> Result<(), Failure> {
    let file = args.half.config.take();
    let settings = settings::endpoint(args.settings(), file.as_deref(), &|name| env::var_os(name))?;
    let repeats = telemetry::install(settings.log_format)?;
    tell_unknown_variables();
    runtime.block_on(app::endpoint(settings, repeats)).map_err(|error| Failure::stopped(&error))
}

/// Warns of variables that are passed over. Their values may be secret, and are not said.
fn tell_unknown_variables() {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for (name, nearest) in settings::unknown_variables(names) {
        tracing::warn!(
            "the environment variable {name} is not known and was passed over; was {nearest} meant?"
        );
    }
}

fn demo_collector(runtime: &Runtime, args: &DemoCollectorArgs) -> Result<(), Failure> {
    runtime
        .block_on(demo::collect(&args.url, args.began()))
        .map_err(|error| Failure::failed("The collector of the demo failed", &error))
}
