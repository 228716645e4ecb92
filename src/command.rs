//! Runs a command of the operator's within a time limit.
//!
//! Promises: past the limit, or when nobody waits for it any more, the command is killed with everything that
//! it started in its process group; it has no standard input; of what it writes the beginning is kept, the
//! rest thrown away, so that neither a silent nor a talkative one hangs. It imports only `service`.
//!
//! Does not: end what a command left behind that ended in time, or what it moved into another process group.

use std::{io, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::timeout,
};

use crate::service;

/// How much of what a command writes is kept, in bytes: enough for an error message.
const KEPT: usize = 1_024;

/// How a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No program was named.
    #[error("no program is named")]
    Nothing,
    /// The program could not be started.
    #[error("it cannot be started: {0}")]
    Start(#[source] io::Error),
    /// The system did not tell how it ended.
    #[error("how it ended is not known: {0}")]
    Lost(#[source] io::Error),
    /// It did not end in time, and was killed.
    #[error("it took longer than {0:?} and was killed")]
    TooLong(Duration),
    /// It ended with a failure.
    #[error("it ended with {status}{said}")]
    Failed {
        /// Exit code or signal.
        status: std::process::ExitStatus,
        /// What it wrote, if anything, after a colon.
        said: String,
    },
}

/// Runs `command`, a program and its arguments, with `variables` added to the environment.
///
/// # Errors
/// When it cannot be started, does not end within `limit`, or ends with anything but 0.
pub async fn run(
    command: &[String],
    variables: &[(&'static str, String)],
    limit: Duration,
) -> Result<(), CommandError> {
    let (program, arguments) = command.split_first().ok_or(CommandError::Nothing)?;
    let mut command = Command::new(program);
    command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
    for name in service::VARIABLES {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut running = Running::new(command.spawn().map_err(CommandError::Start)?);
    let (status, said) = timeout(limit, running.ended())
        .await
        .map_err(|_elapsed| CommandError::TooLong(limit))?
        .map_err(CommandError::Lost)?;
    if status.success() { Ok(()) } else { Err(CommandError::Failed { status, said: quoted(&said) }) }
}

/// A command that is killed with its group when this is dropped before it has ended.
struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Running {
    fn new(child: Child) -> Self {
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, group }
    }

    /// How it ended, and the beginning of what it wrote.
    async fn ended(&mut self) -> io::Result<(std::process::ExitStatus, Vec<u8>)> {
        let (mut out, mut err) = (self.child.stdout.take(), self.child.stderr.take());
        let mut said = Vec::new();
        loop {
            // What it left behind may write without a pause: beyond what is kept, its end comes first.
            if said.len() == KEPT
                && let Some(status) = self.child.try_wait()?
            {
                self.group = None;
                return Ok((status, said));
            }
            // What it wrote before it ended is read before its end is noticed.
            tokio::select! {
                biased;
                piece = read(&mut out), if out.is_some() => keep(&mut said, &piece),
                piece = read(&mut err), if err.is_some() => keep(&mut said, &piece),
                status = self.child.wait() => {
                    // Its number may be another's from now on.
                    self.group = None;
                    return Ok((status?, said));
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group
            && let Err(error) = kill_process_group(group, Signal::KILL)
        {
            tracing::warn!(%error, "a command could not be killed");
        }
    }
}

/// Reads a piece of a pipe; takes the pipe away at its end.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut piece = vec![0; KEPT];
    let read = match pipe {
        Some(pipe) => pipe.read(&mut piece).await.unwrap_or(0),
        None => 0,
    };
    if read == 0 {
        *pipe = None;
    }
    piece.truncate(read);
    piece
}

/// Keeps what there is room for.
fn keep(said: &mut Vec<u8>, piece: &[u8]) {
    said.extend(piece.iter().take(KEPT.saturating_sub(said.len())));
}

/// What was written, as the end of a sentence: one line, whatever it was.
#[must_use]
pub fn quoted(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let line: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    async fn shell(script: &str, limit: Duration) -> Result<(), String> {
        let command = ["sh", "-c", script].map(str::to_owned);
        run(&command, &[("ORDER", "given".to_owned())], limit).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_command_is_good_when_it_ends_with_0() {
        assert_eq!(shell("test $ORDER = given", LIMIT).await, Ok(()));
        let failed = shell("echo first; echo second >&2; exit 3", LIMIT).await.unwrap_err();
        assert!(failed.starts_with("it ended with exit status: 3: "), "{failed}");
        assert!(failed.contains("first") && failed.contains("second"), "{failed}");
        let missing = run(&["/nowhere/program".to_owned()], &[], LIMIT).await.unwrap_err().to_string();
        assert!(missing.starts_with("it cannot be started: "), "{missing}");
    }

    #[tokio::test]
    async fn one_that_writes_without_end_is_read_and_what_is_kept_is_bounded() {
        let failed = shell("head -c 1000000 /dev/zero | tr '\\0' x; exit 1", LIMIT).await.unwrap_err();
        assert!((KEPT..2 * KEPT).contains(&failed.len()), "{}", failed.len());
    }

    #[tokio::test]
    async fn past_its_limit_it_is_killed_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        // The grandchild holds the fifo open; the read ends only once both are gone.
        let script = format!("exec 3>{}; sleep 600 & wait", fifo.display());
        let reading = tokio::task::spawn_blocking(move || std::fs::read(fifo));
        let killed = shell(&script, Duration::from_millis(300)).await.unwrap_err();
        assert!(killed.contains("was killed"), "{killed}");
        assert_eq!(timeout(LIMIT, reading).await.unwrap().unwrap().unwrap(), b"");
    }

    #[tokio::test]
    async fn what_it_leaves_behind_keeps_nobody_waiting() {
        // It keeps the pipes open, as a service does that a hook starts.
        assert_eq!(shell("sleep 5 & exit 0", LIMIT).await, Ok(()));
        // It ends of the pipe that nobody reads any more.
        assert_eq!(shell("yes & exit 0", LIMIT).await, Ok(()), "however much it writes");
    }
}
