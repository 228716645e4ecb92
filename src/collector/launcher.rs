//! The launcher: becomes the collector.
//!
//! Between the guard and the collector there is a moment in which things are done to the new process itself: it
//! joins its control group, begins a session of its own, becomes another user, and asks the kernel to be killed when
//! its guard dies. That last comes after the change of user, which would undo it, and the guard is looked at
//! afterwards, because it may have died before. Then the process becomes the collector. Its standard input leads to
//! the guard until then: the guard hears why nothing came of it, or the end that the kernel makes when it did.

use std::{
    env,
    ffi::{CString, OsStr, OsString},
    fs::File,
    io::{self, Write},
    os::{fd::AsFd, unix::process::CommandExt},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
};

use nix::unistd::{Uid, User, getgrouplist, setgid, setgroups, setuid};
use rustix::{
    io::Errno,
    process::{Pid, Signal, getppid, set_parent_process_death_signal, setsid},
};

use super::{cgroup, program};

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

/// Becomes the collector. It returns only where that fails, which the guard is told.
#[must_use]
pub fn launch(launch: &Launch) -> ExitCode {
    // A descriptor that the collector does not inherit.
    let guard = io::stdin().as_fd().try_clone_to_owned();
    let refused = become_collector(launch);
    if let Ok(guard) = guard {
        // A guard that is gone need not know.
        write!(File::from(guard), "{refused}").ok();
    }
    ExitCode::FAILURE
}

fn become_collector(launch: &Launch) -> Refused {
    let Some((program, arguments)) = launch.command.split_first() else { return Refused::NoCommand };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    match prepare(launch, &mut command) {
        Ok(()) => Refused::run(program, command.exec()),
        Err(refused) => refused,
    }
}

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("no command is given")]
    NoCommand,
    #[error("its folder {folder} cannot be entered: {error}")]
    Folder { folder: String, error: io::Error },
    #[error("{0}")]
    NoProgram(String),
    #[error("{0} is there, but what is to run it is not: look at the interpreter in its first line")]
    NoInterpreter(String),
    #[error("{0} is there, but may not be executed: {1}")]
    NotExecutable(String, io::Error),
    #[error("{0} cannot be run: {1}")]
    NotRun(String, io::Error),
    #[error("there is no user {0}")]
    NoUser(String),
    #[error("the user {0} cannot be looked up: {1}")]
    LookUp(String, nix::Error),
    #[error("the collector cannot become the user {0}, which only root may: {1}")]
    Become(String, nix::Error),
    #[error("the guard is gone")]
    GuardGone,
    #[error("the system refused: {0}")]
    System(#[from] Errno),
}

impl Refused {
    /// Why `program` did not run.
    fn run(program: &OsStr, error: io::Error) -> Self {
        let name = program.display().to_string();
        match Errno::from_io_error(&error) {
            Some(Errno::NOENT) => match program::missing(&name, env::var_os("PATH").as_ref()) {
                Some(why) => Self::NoProgram(why),
                None => Self::NoInterpreter(name),
            },
            Some(Errno::ACCESS | Errno::PERM) => Self::NotExecutable(name, error),
            _ => Self::NotRun(name, error),
        }
    }
}

fn prepare(launch: &Launch, command: &mut Command) -> Result<(), Refused> {
    if let Some(group) = &launch.cgroup
        && let Err(error) = cgroup::enter(group)
    {
        // Standard error leads to the agent's log, unless the agent is gone.
        writeln!(io::stderr(), "client-failover: the collector is in no cgroup of its own: {error}").ok();
    }
    // A session of its own: signals of the terminal are not for it, and it can signal its own group alone.
    setsid()?;
    if let Some(name) = &launch.user {
        become_user(name, command)?;
    }
    if let Some(folder) = &launch.working_dir {
        env::set_current_dir(folder)
            .map_err(|error| Refused::Folder { folder: folder.display().to_string(), error })?;
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
