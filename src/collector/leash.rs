//! The agent's end of a guard: tells it, hears it, and does its work when it cannot.

use std::{
    ffi::OsString,
    io::{self, Write},
    os::{fd::OwnedFd, unix::net::UnixStream as Socket},
    path::Path,
    process::Stdio,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, kill_process, pidfd_send_signal},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::UnixStream,
    process::{Child, ChildStderr, ChildStdout, Command},
    time::timeout,
};

use super::{
    SELF,
    cgroup::Cgroup,
    machine::{Cause, Ended, News, Status},
    talk::{self, Word},
    tree,
};
use crate::{clock::Alarm, domain::CollectorSettings};

/// How soon the agent looks again at a collector that it has killed and that is not gone.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A guard, and the collector behind it.
#[derive(Debug)]
pub(super) struct Leash {
    guard: Child,
    pid: Pid,
    /// Written to at once: a runtime's socket would first have to hear that it can be.
    words: Socket,
    news: Lines<BufReader<UnixStream>>,
    alarm: Alarm,
    /// The collector's first process: a name that no other process can get.
    collector: Option<OwnedFd>,
    /// Why the agent kills the collector, once it does.
    kills: Option<Cause>,
}

/// What the collector writes.
pub(super) type Output = (Option<ChildStdout>, Option<ChildStderr>);

impl Leash {
    /// Starts a guard whose collector will find `environment`; it starts the collector when it is told.
    ///
    /// # Errors
    /// When the system has no process, or no file descriptor, left.
    pub(super) fn start(
        settings: &CollectorSettings,
        lock: &Path,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> io::Result<(Self, Output)> {
        let (ours, guards) = Socket::pair()?;
        ours.set_nonblocking(true)?;
        let words = ours.try_clone()?;
        let news = BufReader::new(UnixStream::from_std(ours)?).lines();
        let alarm = Alarm::new()?;
        let mut command = Command::new(SELF);
        command
            .arg0("client-failover")
            .args(["guard", "--stop-signal", settings.stop_signal.as_str(), "--lock"])
            .arg(lock)
            .args(settings.user.iter().flat_map(|user| ["--user", user]))
            .args(
                settings.working_dir.iter().flat_map(|folder| ["--working-dir".as_ref(), folder.as_os_str()]),
            )
            .arg("--")
            .args(settings.command.words())
            .env_clear()
            .envs(environment)
            // Signals of the terminal are for the agent, which knows what to do about its collector.
            .process_group(0)
            .stdin(OwnedFd::from(guards))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A leash that is dropped closes the socket, and the guard, which is not killed, kills.
        let mut guard = command.spawn()?;
        let output = (guard.stdout.take(), guard.stderr.take());
        let number = guard.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = number.ok_or_else(|| io::Error::other("the guard ended at once"))?;
        Ok((Self { guard, pid, words, news, alarm, collector: None, kills: None }, output))
    }

    /// Tells the guard. A guard that takes no more words is silent too, and that is noticed.
    pub(super) fn say(&self, word: Word) {
        let line = format!("{word}\n");
        if (&self.words).write(line.as_bytes()).ok() != Some(line.len()) {
            tracing::debug!(%word, "the guard does not hear");
        }
    }

    /// Kills the collector and its guard; [`Leash::next`] says when they are gone.
    pub(super) fn strike(&mut self) {
        self.kills = self.kills.or(Some(Cause::Struck));
    }

    /// What is heard next. Dropping the wait is harmless.
    ///
    /// # Errors
    /// When the kernel refuses a timer.
    pub(super) async fn next(&mut self) -> io::Result<News> {
        while self.kills.is_none() {
            match self.news.next_line().await.ok().flatten().as_deref().map(talk::news) {
                Some(Some(news)) => {
                    if let News::Started(pid) = news {
                        self.know(pid);
                    }
                    return Ok(news);
                }
                Some(None) => tracing::warn!("a guard speaks in tongues"),
                None => self.kills = Some(Cause::GuardGone),
            }
        }
        let cause = self.kills.unwrap_or(Cause::Struck);
        while self.kill() {
            self.alarm.after(LOOK_AGAIN).await?;
        }
        Ok(self.last_words().await.unwrap_or(News::Ended(Ended { cause, status: Status::Unknown })))
    }

    /// What the guard said before it was killed and nobody has read: an agent that stood still finds that it has to
    /// strike before it has read that its guard did.
    async fn last_words(&mut self) -> Option<News> {
        while let Ok(Ok(Some(line))) = timeout(LOOK_AGAIN, self.news.next_line()).await {
            match talk::news(&line) {
                Some(news @ (News::Started(_) | News::NotStarted(_) | News::Ended(_))) => return Some(news),
                Some(News::Heard) | None => {}
            }
        }
        None
    }

    /// Whether the collector is in a control group of its own.
    pub(super) fn has_cgroup(&self) -> bool {
        self.cgroup().is_some()
    }

    fn know(&mut self, pid: u32) {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        self.collector = pid.and_then(|pid| tree::hold_child(self.pid, pid));
    }

    /// Kills all that can be found of the collector, and then its guard. Whether something is left.
    fn kill(&mut self) -> bool {
        if let Some(collector) = &self.collector {
            // It may have ended.
            pidfd_send_signal(collector, Signal::KILL).ok();
        }
        let cgroup = self.cgroup();
        if let Some(Err(error)) = cgroup.as_ref().map(Cgroup::kill) {
            tracing::warn!(%error, "the collector's cgroup cannot be killed");
        }
        let below = if self.is_guarded() { tree::signal_below(self.pid, Signal::KILL) } else { Ok(0) };
        // The guard goes last: whoever is below it can be found as long as it is there.
        if self.is_guarded() && matches!(below, Ok(0)) {
            kill_process(self.pid, Signal::KILL).ok();
        }
        let left = self.is_guarded()
            || self.collector.as_ref().is_some_and(|collector| !has_ended(collector))
            || cgroup.as_ref().is_some_and(|cgroup| !cgroup.is_empty());
        if !left && let Some(cgroup) = cgroup {
            cgroup.remove();
        }
        left
    }

    /// Whether the guard's process is still there; as long as it is, its number is its own.
    fn is_guarded(&mut self) -> bool {
        matches!(self.guard.try_wait(), Ok(None))
    }

    fn cgroup(&self) -> Option<Cgroup> {
        Cgroup::of(self.pid.as_raw_nonzero().get().unsigned_abs())
    }
}

/// A process's descriptor can be read from as soon as the process has ended.
fn has_ended(process: &OwnedFd) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&at_once)).is_ok_and(|ready| ready > 0)
}
