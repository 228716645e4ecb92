//! A pair to break: `client-failover demo`.
//!
//! Promises: an endpoint and two adapters, processes of this same program with ports and folders of their own, each
//! adapter with a collector that sends a numbered sample every 100 ms through its gate to a sink in this process.
//! A key or a word of a script stops, kills, freezes or cuts off the Primary; what follows is told as the endpoint's
//! history and the sink saw it. Nothing is left behind: every process below this one ends with it, also when it is
//! killed, and the folder is removed unless it is killed.
//!
//! Does not: decide or know anything that an operator could not: it asks the public interfaces. It imports domain,
//! clock, and collector, whose launcher makes processes die with their parent. Its clock is the boot clock.
//!
//! `stage` is the play, `site` what it is played with: `family` are the processes, `link` the network that can be
//! cut, `sink` counts what arrives, `collector` is the process that sends. `words` are what is asked for, `screen`
//! is where it is told, `receipt` the sentences.

mod ask;
mod collector;
mod family;
mod link;
mod receipt;
mod screen;
mod sink;
mod site;
mod stage;
mod terminal;
mod words;

use std::{io, path::PathBuf};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub use ask::AskError;
pub use collector::collect;

use crate::domain::{EndpointLoss, FailoverTimeout, Mode};
use family::Family;
use screen::Screen;
use sink::Sink;
use words::{BadWord, Words};

/// What the demo plays.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The pair's mode.
    pub mode: Mode,
    /// The group's FailoverTimeout.
    pub timeout: FailoverTimeout,
    /// What a Primary does that loses its endpoint.
    pub endpoint_loss: EndpointLoss,
    /// Where the words come from, one a line, instead of keys; `-` is standard input.
    pub script: Option<PathBuf>,
}

/// Why the demo could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The system refused something.
    #[error("the system refused")]
    System(#[from] io::Error),
    /// There are no keys to be pressed.
    #[error(
        "standard input is no terminal: give the words by --script FILE, or --script - for standard input"
    )]
    NoTerminal,
    /// The script cannot be read.
    #[error("the script {path} cannot be read")]
    Script {
        /// The script.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The script says what nobody understands.
    #[error(transparent)]
    BadWord(#[from] BadWord),
    /// This program's own file has a name that cannot be written in a setting.
    #[error("the path of this program is no text")]
    NoText,
    /// A process of the pair ended.
    #[error("{who} did not start; its log ends with: {log}")]
    NotStarted {
        /// The endpoint or an adapter.
        who: &'static str,
        /// The end of its log.
        log: String,
    },
    /// A process of the pair did not answer as it should.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// What had to happen did not.
    #[error("{0} was waited for, and did not happen in time")]
    TooLate(&'static str),
    /// Something of the demo could not be ended.
    #[error("{0} processes of the demo did not end")]
    LeftBehind(usize),
}

/// Plays until somebody leaves, the script is over, or the process is told to stop.
///
/// It must run on the thread that began the process: children die with the *thread* that started them.
///
/// # Errors
/// When the pair does not come to life, does not do what it must, or the system refuses something.
pub async fn run(plan: Plan) -> Result<(), DemoError> {
    let told_to_stop = stop_signals()?;
    let leave = CancellationToken::new();
    let mut words = Words::listen(plan.script.as_deref(), leave.clone())?;
    let mut screen = Screen::new(words.are_keys());
    let folder = tempfile::Builder::new().prefix("client-failover-demo-").tempdir()?;
    let mut family = Family::begin()?;
    let sink = Sink::start().await?;
    let outcome = tokio::select! {
        biased;
        () = told_to_stop => Ok(()),
        () = leave.cancelled() => Ok(()),
        played = stage::play(&plan, folder.path(), &mut family, &sink, &mut words, &mut screen) => played,
    };
    screen.close();
    let left = family.end().await?;
    let removed = folder.path().display().to_string();
    folder.close()?;
    if left > 0 {
        return Err(DemoError::LeftBehind(left));
    }
    for line in std::iter::once(String::new()).chain(receipt::farewell(&sink.totals(), &removed)) {
        // A terminal that is gone hears no farewell.
        screen.say(&line).ok();
    }
    outcome
}

/// Ends when the process is told to stop, or its terminal is closed.
fn stop_signals() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut quit = signal(SignalKind::quit())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
            _ = quit.recv() => {}
        }
    })
}
