//! A process of the plant that is killed, frozen, stopped and started again in the same data folder.

use std::{path::PathBuf, process::Command};

use rustix::process::Signal;

use super::Plan;
use crate::support::{PROGRAM, Server};

/// One half, with a data folder that outlives its runs.
pub struct Process {
    half: &'static str,
    /// Its data folder.
    pub data: PathBuf,
    arguments: Vec<&'static str>,
    log: &'static str,
    environment: Vec<(&'static str, String)>,
    server: Server,
    earlier: String,
}

impl Process {
    /// Starts a half for the first time.
    pub fn begin(half: &'static str, data: PathBuf, plan: &Plan, arguments: &[&'static str]) -> Self {
        let (log, environment) = (plan.log, plan.environment.clone());
        let server = run(half, &data, arguments, log, &environment);
        Self { half, data, arguments: arguments.to_vec(), log, environment, server, earlier: String::new() }
    }

    /// Starts it again, after it has ended.
    pub fn start(&mut self) {
        self.earlier.push_str(&self.server.log());
        self.earlier.push_str("-- the next run\n");
        self.server = run(self.half, &self.data, &self.arguments, self.log, &self.environment);
    }

    /// `HOST:PORT` of the present run.
    pub fn address(&self) -> String {
        self.server.address().to_owned()
    }

    /// The present run's number in the system.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// SIGKILL; it is gone when this returns.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// SIGTERM; it has ended in order when this returns.
    pub fn terminate(&mut self) {
        assert!(self.server.terminate().success(), "{}", self.log());
    }

    /// Waits until it has ended, if it has not yet.
    pub fn wait(&mut self) {
        self.server.wait();
    }

    /// SIGSTOP.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.server.signal(signal);
    }

    /// What all of its runs have logged.
    pub fn log(&self) -> String {
        format!("{}{}", self.earlier, self.server.log())
    }
}

fn run(
    half: &str,
    data: &std::path::Path,
    arguments: &[&str],
    log: &str,
    environment: &[(&'static str, String)],
) -> Server {
    let mut command = Command::new(PROGRAM);
    command.args([half, "--listen", "127.0.0.1:0", "--data-dir"]).arg(data).args(arguments);
    command.env("CLIENT_FAILOVER_LOG", log);
    command.envs(environment.iter().map(|(name, value)| (*name, value)));
    Server::from_command(command, data)
}
