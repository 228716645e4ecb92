//! The launcher: becomes the collector.
//!
//! Between the guard and the collector there is a moment in which things are done to the new process itself: it
//! joins its control group, begins a session of its own, becomes another user, and asks the kernel to be killed when
//! its guard dies. That last comes after the change of user, which would undo it, and the guard is looked at
//! afterwards, because it may have died before. Then the process becomes the collector.

use std::{
    env,
    ffi::{CString, OsString},
    fmt,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, ExitCode},
};

use nix::unistd::{Uid, User, getgrouplist, setgid, setgroups, setuid};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal, setsid};

use super::cgroup;

/// What a shell answers for a program that is not there.
const NOT_FOUND: u8 = 127;

/// What a shell answers for a program that cannot be run.
const NOT_RUN: u8 = 126;

/// What a launcher is told on its command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The guard's process number: whoever else is its parent is not.
    pub guard: u32,
    /// The control group to join.
    pub cgroup: Option<PathBuf>,
    /// The user to become.
    pub user: Option<String>,
    /// The folder to be in.
    pub working_dir: Option<PathBuf>,
    /// The program to become, and its arguments.
    pub command: Vec<OsString>,
}

impl Launch {
    /// The command line that says all this.
    #[must_use]
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> =
            vec!["launch".into(), "--guard".into(), self.guard.to_string().into()];
        let places = [("--cgroup", &self.cgroup), ("--working-dir", &self.working_dir)];
        for (name, place) in places {
            arguments.extend(place.iter().flat_map(|place| [name.into(), place.into()]));
        }
        arguments.extend(self.user.iter().flat_map(|user| ["--user".into(), user.into()]));
        arguments.push("--".into());
        arguments.extend(self.command.iter().cloned());
        arguments
    }
}

/// Becomes the collector. It returns only where that fails, which is said on standard error.
#[must_use]
pub fn launch(launch: Launch) -> ExitCode {
    let Some((program, arguments)) = launch.command.split_first() else { return ExitCode::from(NOT_RUN) };
    let mut command = Command::new(program);
    command.args(arguments);
    if let Err(error) = prepare(&launch, &mut command) {
        return refuse(&error, NOT_RUN);
    }
    let error = command.exec();
    let code = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUN };
    let place = launch.working_dir.map(|folder| format!(" in {}", folder.display())).unwrap_or_default();
    refuse(&format_args!("{} cannot be run{place}: {error}", program.display()), code)
}

fn refuse(why: &dyn fmt::Display, code: u8) -> ExitCode {
    say(why);
    ExitCode::from(code)
}

/// Standard error leads to the agent's log, unless the agent is gone.
fn say(what: &dyn fmt::Display) {
    writeln!(io::stderr(), "client-failover: {what}").ok();
}

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("there is no user {0}")]
    NoUser(String),
    #[error("the user {0} cannot be looked up: {1}")]
    LookUp(String, nix::Error),
    #[error("the collector cannot become the user {0}, which only root may: {1}")]
    Become(String, nix::Error),
    #[error("the guard is gone")]
    GuardGone,
    #[error("the system refused: {0}")]
    System(#[from] rustix::io::Errno),
}

fn prepare(launch: &Launch, command: &mut Command) -> Result<(), Refused> {
    if let Some(group) = &launch.cgroup
        && let Err(error) = cgroup::enter(group)
    {
        say(&format_args!("the collector is in no cgroup of its own: {error}"));
    }
    // A session of its own: signals of the terminal are not for it, and it can signal its own group alone.
    setsid()?;
    if let Some(name) = &launch.user {
        become_user(name, command)?;
    }
    if let Some(folder) = &launch.working_dir {
        command.current_dir(folder);
    }
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent = getppid().map(Pid::as_raw_nonzero).map(|pid| pid.get().unsigned_abs());
    if parent == Some(launch.guard) { Ok(()) } else { Err(Refused::GuardGone) }
}

/// Becomes the user, with the groups that the system says it is in, and tells the collector whose home is its own
/// unless the settings do.
fn become_user(name: &str, command: &mut Command) -> Result<(), Refused> {
    let looked_up = |error| Refused::LookUp(name.to_owned(), error);
    let user = match name.parse() {
        Ok(number) => User::from_uid(Uid::from_raw(number)),
        Err(_not_a_number) => User::from_name(name),
    };
    let user = user.map_err(looked_up)?.ok_or_else(|| Refused::NoUser(name.to_owned()))?;
    if user.uid != Uid::effective() {
        let account = CString::new(user.name.as_str()).map_err(|_nul| Refused::NoUser(name.to_owned()))?;
        let groups = getgrouplist(&account, user.gid).map_err(looked_up)?;
        let became = setgroups(&groups).and_then(|()| setgid(user.gid)).and_then(|()| setuid(user.uid));
        became.map_err(|error| Refused::Become(name.to_owned(), error))?;
    }
    let own = [
        ("HOME", user.dir.into_os_string()),
        ("USER", user.name.clone().into()),
        ("LOGNAME", user.name.into()),
    ];
    for (variable, value) in own {
        if env::var_os(variable).is_none() {
            command.env(variable, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launchers_command_line_says_everything() {
        let launch = Launch {
            guard: 7,
            cgroup: Some("/sys/fs/cgroup/a".into()),
            user: Some("telegraf".to_owned()),
            working_dir: Some("/var/lib/telegraf".into()),
            command: vec!["telegraf".into(), "--config".into(), "a b".into()],
        };
        let arguments: Vec<_> =
            launch.arguments().into_iter().map(|word| word.into_string().unwrap()).collect();
        assert_eq!(
            arguments.join("|"),
            "launch|--guard|7|--cgroup|/sys/fs/cgroup/a|--working-dir|/var/lib/telegraf|--user|telegraf|--|\
             telegraf|--config|a b"
        );
    }
}
