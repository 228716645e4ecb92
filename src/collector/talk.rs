//! What an agent and its guard say to each other: lines of text over a socket.

use std::{fmt, time::Duration};

use super::machine::{Cause, Ended, News, Status};
use crate::domain::{OrderSignal, Uptime};

/// What the agent tells the guard. Each is answered by [`News::Heard`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Kill everything at this moment, or never; it replaces the moment that was said before.
    Until(Option<Uptime>),
    /// Start the collector.
    Start,
    /// Ask the collector to stop, and kill what is left of it at this moment.
    Stop(Uptime),
    /// Tell the collector that its order is another.
    Signal(OrderSignal),
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Until(Some(at)) => write!(f, "until {}", at.since_boot().as_nanos()),
            Self::Until(None) => f.write_str("until never"),
            Self::Start => f.write_str("start"),
            Self::Stop(at) => write!(f, "stop {}", at.since_boot().as_nanos()),
            Self::Signal(signal) => write!(f, "signal {}", signal.as_str()),
        }
    }
}

impl Word {
    /// Reads a line.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ') {
            None => (line == "start").then_some(Self::Start),
            Some(("until", "never")) => Some(Self::Until(None)),
            Some(("until", at)) => moment(at).map(|at| Self::Until(Some(at))),
            Some(("stop", at)) => moment(at).map(Self::Stop),
            Some(("signal", name)) => OrderSignal::parse(name).map(Self::Signal),
            Some(_) => None,
        }
    }
}

fn moment(nanos: &str) -> Option<Uptime> {
    nanos.parse().ok().map(|nanos| Uptime::new(Duration::from_nanos(nanos)))
}

/// Writes what the guard says.
#[must_use]
pub fn line(news: &News) -> String {
    match news {
        News::Heard => "heard".to_owned(),
        News::Started(pid) => format!("started {pid}"),
        News::NotStarted(why) => format!("not-started {}", why.replace(['\n', '\r'], " ")),
        News::Ended(Ended { cause, status }) => {
            let cause = CAUSES.iter().find(|(_, known)| known == cause).map_or("itself", |(word, _)| *word);
            match status {
                Status::Exit(code) => format!("ended {cause} exit {code}"),
                Status::Signal(signal) => format!("ended {cause} signal {signal}"),
                Status::Unknown => format!("ended {cause} unknown"),
            }
        }
    }
}

/// What a guard can tell; the others are an agent's own findings.
const CAUSES: [(&str, Cause); 4] = [
    ("itself", Cause::Itself),
    ("asked", Cause::Asked),
    ("overdue", Cause::Overdue),
    ("deadline", Cause::Deadline),
];

/// Reads what the guard says.
#[must_use]
pub fn news(line: &str) -> Option<News> {
    if let Some(why) = line.strip_prefix("not-started ") {
        return Some(News::NotStarted(why.to_owned()));
    }
    let words: Vec<_> = line.split(' ').collect();
    let ended = |cause: &str, status: Option<Status>| {
        let cause = CAUSES.iter().find(|(word, _)| *word == cause)?.1;
        Some(News::Ended(Ended { cause, status: status? }))
    };
    match *words.as_slice() {
        ["heard"] => Some(News::Heard),
        ["started", pid] => pid.parse().ok().map(News::Started),
        ["ended", cause, "exit", code] => ended(cause, code.parse().ok().map(Status::Exit)),
        ["ended", cause, "signal", signal] => ended(cause, signal.parse().ok().map(Status::Signal)),
        ["ended", cause, "unknown"] => ended(cause, Some(Status::Unknown)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let at = Uptime::new(Duration::new(1_234, 567_890_123));
        let signal = Word::Signal(OrderSignal::Usr1);
        for word in [Word::Until(Some(at)), Word::Until(None), Word::Start, Word::Stop(at), signal] {
            assert_eq!(Word::parse(&word.to_string()), Some(word));
        }
        let ended = |cause, status| News::Ended(Ended { cause, status });
        let refused = News::NotStarted("/a b is not there: look".to_owned());
        let mut all = vec![News::Heard, News::Started(4711), refused];
        for (_, cause) in CAUSES {
            all.extend(
                [Status::Exit(3), Status::Signal(9), Status::Unknown].map(|status| ended(cause, status)),
            );
        }
        for said in all {
            assert_eq!(news(&line(&said)).as_ref(), Some(&said));
        }
    }

    #[test]
    fn what_nobody_says_is_not_understood() {
        for text in ["", "until", "until soon", "stop", "stop -1", "start now", "begin"] {
            assert_eq!(Word::parse(text), None, "{text}");
        }
        for text in
            ["", "started", "started x", "ended", "ended badly exit 1", "ended asked exit x", "heard it"]
        {
            assert_eq!(news(text), None, "{text}");
        }
    }
}
