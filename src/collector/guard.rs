//! The guard: the collector's parent, a small process of one thread.
//!
//! It compares the deadline with the boot clock itself, so that an agent that is frozen or dead cannot keep a
//! collector acting: at the deadline, and when the agent's end of the socket is closed, it kills everything below
//! it. Whatever the collector forks becomes its child at the latest when its own parent dies (it is a subreaper), so
//! it knows that nothing is left. It ends when its collector has ended.

use std::{
    ffi::OsString,
    fs::{File, TryLockError},
    io::{self, PipeReader, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{fs::OpenOptionsExt, process::CommandExt},
    },
    path::PathBuf,
    process::{self, Command},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        UnixStream,
        unix::{self, pipe},
    },
    runtime::Builder,
    select,
    signal::unix::{Signal as Listener, SignalKind, signal},
};

use super::{
    SELF,
    cgroup::Cgroup,
    launcher::Launch,
    machine::{Cause, Ended, News, Status},
    talk::{self, Word},
    tree,
};
use crate::{
    clock::{self, Alarm},
    domain::{OrderSignal, StopSignal, Uptime},
};

/// How soon a guard looks again at a tree that it has killed and that is not gone.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What a guard is told on its command line.
#[derive(Debug)]
pub struct Guarding {
    /// The file that the guard of a collector holds locked: there is one at a time.
    pub lock: PathBuf,
    /// What asks the collector to stop.
    pub stop_signal: StopSignal,
    /// The user the collector is run as.
    pub user: Option<String>,
    /// The folder it is run in.
    pub working_dir: Option<PathBuf>,
    /// The program and its arguments.
    pub command: Vec<OsString>,
}

/// Guards a collector for the agent at the other end of standard input, until nothing is left of it.
///
/// # Errors
/// When it was not started by an agent, or the system refuses what it cannot work without.
pub fn guard(guarding: Guarding) -> io::Result<()> {
    set_child_subreaper(Some(getpid()))?;
    // One thread: the parent-death signal of a child is sent when the thread that started it ends.
    Builder::new_current_thread().enable_all().build()?.block_on(async { Guard::new(guarding)?.run().await })
}

struct Guard {
    guarding: Guarding,
    agent: Lines<BufReader<unix::OwnedReadHalf>>,
    answers: unix::OwnedWriteHalf,
    children: Listener,
    alarm: Alarm,
    /// Held by another guard still; the collector is started when it is free.
    awaited: Option<File>,
    /// Held until the end.
    held: Option<File>,
    cgroup: Option<Cgroup>,
    collector: Option<Pid>,
    /// Where the launcher says why it cannot become the collector; it ends when it has.
    launcher: Option<pipe::Receiver>,
    /// What it said.
    refused: Vec<u8>,
    status: Status,
    /// The end of the permission to act.
    until: Option<Uptime>,
    /// The end of a polite stop.
    stop_by: Option<Uptime>,
}

enum Happened {
    Said(Word),
    AgentGone,
    /// The launcher became the collector, or will not.
    Launched,
    ChildEnded,
    TimePassed,
}

impl Guard {
    fn new(guarding: Guarding) -> io::Result<Self> {
        // The agent decides when the collector stops, not whoever signals the whole group or session.
        for ignored in [
            SignalKind::terminate(),
            SignalKind::interrupt(),
            SignalKind::hangup(),
            SignalKind::quit(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
        ] {
            drop(signal(ignored)?);
        }
        let socket = std::os::unix::net::UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        socket.set_nonblocking(true)?;
        let (agent, answers) = UnixStream::from_std(socket)?.into_split();
        Ok(Self {
            guarding,
            agent: BufReader::new(agent).lines(),
            answers,
            children: signal(SignalKind::child())?,
            alarm: Alarm::new()?,
            awaited: None,
            held: None,
            cgroup: None,
            collector: None,
            launcher: None,
            refused: Vec::new(),
            status: Status::Unknown,
            until: None,
            stop_by: None,
        })
    }

    async fn run(mut self) -> io::Result<()> {
        loop {
            match self.next().await? {
                Happened::Said(word) => {
                    if let Err(error) = self.obey(word) {
                        let why = format!("its lock {} cannot be had: {error}", self.guarding.lock.display());
                        return self.refuse(&why).await;
                    }
                    self.say(News::Heard).await;
                }
                Happened::AgentGone => return self.finish(Cause::Deadline).await,
                Happened::Launched => {
                    self.launcher = None;
                    if let Some(pid) = self.collector.filter(|_| self.refused.is_empty()) {
                        self.say(News::Started(pid.as_raw_nonzero().get().unsigned_abs())).await;
                    }
                }
                Happened::ChildEnded | Happened::TimePassed => {}
            }
            if let Some(cause) = self.judge() {
                return self.finish(cause).await;
            }
            if self.awaited.as_ref().is_some_and(|lock| lock.try_lock().is_ok()) {
                self.held = self.awaited.take();
                if let Err(error) = self.start() {
                    return self.refuse(&format!("no process can be made: {error}")).await;
                }
            }
        }
    }

    /// What happens next. What the agent says comes first: a guard that was frozen for a while hears of a new
    /// deadline before it judges by the old one.
    async fn next(&mut self) -> io::Result<Happened> {
        let look = self.awaited.as_ref().map(|_| clock::now().uptime + LOOK_AGAIN);
        let due = [self.until, self.stop_by, look].into_iter().flatten().min();
        select! {
            biased;
            line = self.agent.next_line() => Ok(match line {
                Ok(Some(line)) => Word::parse(&line).map_or(Happened::AgentGone, Happened::Said),
                Ok(None) | Err(_) => Happened::AgentGone,
            }),
            woken = self.alarm.until(due.unwrap_or_default()), if due.is_some() => {
                woken.map(|()| Happened::TimePassed)
            }
            // Whatever was read stays read when something else happens first.
            _ = heard(&mut self.launcher, &mut self.refused), if self.launcher.is_some() => Ok(Happened::Launched),
            _ = self.children.recv() => Ok(Happened::ChildEnded),
        }
    }

    /// Does what the agent says.
    ///
    /// # Errors
    /// When there is no lock to be had. Whatever else fails keeps no guard from its post.
    fn obey(&mut self, word: Word) -> io::Result<()> {
        match word {
            Word::Until(until) => self.until = until,
            Word::Start => {
                let lock = File::options()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .mode(0o600)
                    .open(&self.guarding.lock)?;
                if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
                    let why = "a guard from before still holds its collector, and is waited for";
                    writeln!(io::stderr(), "client-failover: {why}").ok();
                }
                self.awaited = Some(lock);
            }
            Word::Stop(by) => {
                self.stop_by = Some(by);
                // All of them, as service managers do: the first may be a shell that passes nothing on.
                // One that has other rights than ours is not reached; the rest is, and the deadline stays.
                tree::signal_below(getpid(), signal_of(self.guarding.stop_signal)).ok();
            }
            Word::Signal(signal) => {
                let signal = match signal {
                    OrderSignal::Hup => Signal::HUP,
                    OrderSignal::Usr1 => Signal::USR1,
                    OrderSignal::Usr2 => Signal::USR2,
                };
                // The first process alone: whoever does not expect the signal is ended by it.
                if let Some(collector) = self.collector.filter(|_| self.status == Status::Unknown) {
                    // One with other rights than ours is not reached.
                    kill_process(collector, signal).ok();
                }
            }
        }
        Ok(())
    }

    /// Whether it is over, and why.
    fn judge(&mut self) -> Option<Cause> {
        let now = clock::now().uptime;
        let left = self.reap();
        if self.until.is_some_and(|until| until <= now) {
            return Some(Cause::Deadline);
        }
        match self.stop_by {
            Some(_) if !left => Some(Cause::Asked),
            Some(by) => (by <= now).then_some(Cause::Overdue),
            // What the launcher said is read first.
            None => (self.status != Status::Unknown && self.launcher.is_none()).then_some(Cause::Itself),
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let guard = process::id();
        self.cgroup = Cgroup::make(guard).ok();
        let launch = Launch {
            guard,
            cgroup: self.cgroup.as_ref().map(|cgroup| cgroup.path().to_owned()),
            user: self.guarding.user.clone(),
            working_dir: self.guarding.working_dir.clone(),
            command: self.guarding.command.clone(),
        };
        let (said, says) = io::pipe()?;
        let launched =
            Command::new(SELF).arg0("client-failover").args(launch.arguments()).stdin(says).spawn();
        if launched.is_err()
            && let Some(cgroup) = self.cgroup.take()
        {
            cgroup.remove();
        }
        self.collector = Some(Pid::from_child(&launched?));
        self.launcher = Some(receiver(said)?);
        Ok(())
    }

    /// Ends without a collector, and says why.
    async fn refuse(mut self, why: &str) -> io::Result<()> {
        self.refused = why.as_bytes().to_vec();
        self.finish(Cause::Itself).await
    }

    /// Kills whatever is left, tells the agent, and ends.
    async fn finish(mut self, cause: Cause) -> io::Result<()> {
        if let Some(collector) = self.collector.filter(|_| self.status == Status::Unknown) {
            // First of all, without looking for the others.
            kill_process(collector, Signal::KILL).ok();
        }
        while self.kill() {
            // A process that the kernel is busy with ends later; one with other rights than ours does when it likes.
            select! {
                _ = self.children.recv() => {}
                woken = self.alarm.after(LOOK_AGAIN) => woken?,
            }
        }
        if let Some(cgroup) = self.cgroup.take() {
            cgroup.remove();
        }
        let news = match String::from_utf8_lossy(&self.refused) {
            why if cause == Cause::Itself && !why.is_empty() => News::NotStarted(why.into_owned()),
            _ => News::Ended(Ended { cause, status: self.status }),
        };
        self.say(news).await;
        Ok(())
    }

    /// Kills all that can be seen. Whether something is left.
    ///
    /// Each way is tried whatever comes of the other, and nothing is said of it: standard error leads to an agent
    /// that may be frozen or gone, and a guard that waits for it, or dies of it, does not kill.
    fn kill(&mut self) -> bool {
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill().ok();
        }
        tree::signal_below(getpid(), Signal::KILL).ok();
        let left_in_cgroup = self.cgroup.as_ref().is_some_and(|cgroup| !cgroup.is_empty());
        self.reap() || left_in_cgroup
    }

    /// Takes note of children that ended. Whether there are others.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if Some(pid) == self.collector => {
                    let exit = status.exit_status().map(Status::Exit);
                    let signal = status.terminating_signal().map(Status::Signal);
                    self.status = exit.or(signal).unwrap_or(Status::Unknown);
                }
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_no_child) => return false,
            }
        }
    }

    /// Tells the agent. One that is gone or frozen does not hear it, and need not.
    async fn say(&mut self, news: News) {
        let line = talk::line(&news) + "\n";
        self.answers.write_all(line.as_bytes()).await.ok();
    }
}

fn receiver(pipe: PipeReader) -> io::Result<pipe::Receiver> {
    pipe::Receiver::from_owned_fd(OwnedFd::from(pipe))
}

/// Reads what the launcher says, to its end.
async fn heard(launcher: &mut Option<pipe::Receiver>, said: &mut Vec<u8>) {
    if let Some(launcher) = launcher {
        // What cannot be read ends, too.
        launcher.read_to_end(said).await.ok();
    }
}

/// The signal of this name.
fn signal_of(name: StopSignal) -> Signal {
    match name {
        StopSignal::Term => Signal::TERM,
        StopSignal::Int => Signal::INT,
        StopSignal::Quit => Signal::QUIT,
        StopSignal::Hup => Signal::HUP,
        StopSignal::Usr1 => Signal::USR1,
        StopSignal::Usr2 => Signal::USR2,
        StopSignal::Kill => Signal::KILL,
    }
}
