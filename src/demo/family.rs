//! The processes below this one: started, signalled, and ended to the last.
//!
//! Each is started through the collector's launcher, which asks the kernel to kill it when its parent dies. Guards
//! and collectors are ended by what they are built of. This process is a subreaper: what outlives its own parent
//! becomes a child of this one, so that the kernel can say when nothing is left.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};

use crate::{
    clock::{self, Alarm},
    collector::Launch,
};

/// How long everything may take to end once it was killed.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// How soon it is looked again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Variables of the shell that would be settings of the processes.
const SETTINGS: &str = "CLIENT_FAILOVER_";

/// The processes.
pub(super) struct Family {
    program: PathBuf,
    living: BTreeSet<i32>,
}

impl Family {
    pub(super) fn begin() -> io::Result<Self> {
        set_child_subreaper(Some(getpid()))?;
        Ok(Self { program: env::current_exe()?, living: BTreeSet::new() })
    }

    /// This program, for processes of the pair.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// Starts this program; what it logs goes to `log`.
    pub(super) fn start(
        &mut self,
        arguments: &[OsString],
        variables: &[(&str, String)],
        log: &Path,
    ) -> io::Result<Pid> {
        let log = File::options().create(true).append(true).open(log)?;
        let own = [self.program.clone().into_os_string()];
        let launch = Launch {
            guard: process::id(),
            cgroup: None,
            user: None,
            working_dir: None,
            command: own.iter().chain(arguments).cloned().collect(),
        };
        let mut command = Command::new(&self.program);
        command.args(launch.arguments()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with(SETTINGS) || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let pid = Pid::from_child(&command.spawn()?);
        self.living.insert(pid.as_raw_pid());
        Ok(pid)
    }

    /// Sends a signal to a process, if it has not ended.
    pub(super) fn signal(&mut self, pid: Pid, signal: Signal) -> io::Result<()> {
        if self.lives(pid) {
            kill_process(pid, signal)?;
        }
        Ok(())
    }

    /// Whether a process has not ended yet.
    pub(super) fn lives(&mut self, pid: Pid) -> bool {
        self.reap();
        self.living.contains(&pid.as_raw_pid())
    }

    /// Notices what has ended; whether anything is left.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, _))) => self.living.remove(&pid.as_raw_pid()),
                Ok(None) => return true,
                Err(_no_child) => return false,
            };
        }
    }

    /// Kills everything, and waits until nothing is left; gives how many processes of ours are, if any.
    pub(super) async fn end(&mut self) -> io::Result<usize> {
        self.reap();
        for pid in self.living.iter().copied().filter_map(Pid::from_raw) {
            // It may have ended since.
            kill_process(pid, Signal::KILL).ok();
        }
        let (mut alarm, limit) = (Alarm::new()?, clock::now().uptime + ENDS_WITHIN);
        while self.reap() {
            if clock::now().uptime >= limit {
                return Ok(self.living.len().max(1));
            }
            alarm.after(LOOK_AGAIN).await?;
        }
        Ok(0)
    }
}
