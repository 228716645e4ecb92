//! An installation of an adapter: its machine, its disk, its way to the endpoint, its process.

use std::{
    collections::{BTreeMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

use client_failover::{
    domain::{
        AdapterState, ConfigurationId, FailoverScore, FailoverTimeout, GroupId, HttpUrl, Incarnation, Known,
        Mode, Reason, Role, SessionId, Transition, TransitionKind, Uptime, Wall,
    },
    registration::machine::{self, CallId, Desired, Effect, Farewell, Machine, Target},
};

use super::{
    clock::{Clock, Instant, Span},
    collector::{Collector, Said},
    endpoint::{group_id, span},
    event::{AtSite, Pid},
    plan::{Member, Source},
    stock::Stock,
};

/// What a row of history says, as far as it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) pid: Pid,
    pub(crate) at: Wall,
    /// What it explains, as a number.
    pub(crate) said: u64,
    pub(crate) kind: TransitionKind,
    pub(crate) reason: Reason,
    pub(crate) role: Role,
    pub(crate) state: AdapterState,
}

impl Row {
    pub(crate) fn of(pid: Pid, row: &Transition) -> Self {
        let mut hasher = DefaultHasher::new();
        row.explanation.hash(&mut hasher);
        let (kind, reason, role, state) = (row.kind, row.reason, row.role, row.adapter_state);
        Self { pid, at: row.at, said: hasher.finish(), kind, reason, role, state }
    }
}

/// The stored configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config {
    pub(crate) group: usize,
    pub(crate) timeout: FailoverTimeout,
    pub(crate) mode: Mode,
    pub(crate) client: u64,
}

/// What is in the data folder.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    pub(crate) session: SessionId,
    pub(crate) incarnation: Option<Incarnation>,
    pub(crate) known: Option<Known>,
    pub(crate) rows: Vec<Row>,
    pub(crate) config: Option<Config>,
    pub(crate) revision: i64,
}

impl Disk {
    pub(crate) fn desired(&self) -> Desired {
        let Some(config) = self.config else { return Desired::Nothing };
        Desired::Target(Target {
            has_destination: false,
            revision: self.revision,
            configuration: ConfigurationId::new("c").expect("a short id is one"),
            endpoint: HttpUrl::parse("http://endpoint").expect("it is an address"),
            group: group_id(config.group),
            name: None,
            timeout: config.timeout,
            mode: config.mode,
            warnings: Vec::new(),
            client: config.client,
        })
    }
}

/// The way between a member and the endpoint.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Link {
    /// Until when nothing goes up, or down.
    pub(crate) up_cut: Instant,
    pub(crate) down_cut: Instant,
    /// Until when messages are lost more often, and how often, in percent.
    pub(crate) lossy_until: Instant,
    pub(crate) lossy: u64,
    /// Until when answers take long, and how long; perhaps longer than anybody waits for them.
    pub(crate) slow_until: Instant,
    pub(crate) slow_by: Span,
}

impl Link {
    /// Whether it carries everything.
    pub(crate) const fn is_good(&self, now: Instant) -> bool {
        now >= self.up_cut && now >= self.down_cut && now >= self.lossy_until && now >= self.slow_until
    }

    /// Whether answers come, but so late that there is little or nothing left of the lease they give.
    pub(crate) const fn is_late(&self, timeout: Span) -> bool {
        self.slow_by > 0 && self.slow_by <= timeout
    }
}

/// What was queued for the history's writer.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Row(Row),
    Known(Known),
}

/// The writer of history: one batch at a time, retried until it is kept.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) queue: Vec<Item>,
    pub(crate) writing: Vec<Item>,
    /// How many of these were in an attempt that was said to have failed.
    pub(crate) doubted: usize,
    pub(crate) busy: bool,
}

impl Recorder {
    pub(crate) const fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.busy
    }
}

/// A farewell under way: which of its words is next.
#[derive(Debug)]
pub(crate) struct Parting {
    pub(crate) id: u32,
    pub(crate) farewell: Farewell,
    pub(crate) said: usize,
    pub(crate) deleting: bool,
    /// When it is given up, by the time that the machine is awake.
    pub(crate) ends: Instant,
}

/// A native process: the machine, and what its driver holds.
#[derive(Debug)]
pub(crate) struct Native {
    pub(crate) machine: Machine,
    /// What it protects, if anything.
    pub(crate) collector: Option<Collector>,
    pub(crate) inbox: VecDeque<machine::Event>,
    pub(crate) todo: VecDeque<Effect>,
    /// The calls under way, each with when it was made, and when it is given up by the time that the machine is
    /// awake.
    pub(crate) calls: BTreeMap<CallId, (Instant, Instant)>,
    pub(crate) partings: Vec<Parting>,
    pub(crate) partings_made: u32,
    pub(crate) recorder: Recorder,
    /// The group and session whose nudges it listens to.
    pub(crate) listens: Option<(GroupId, SessionId)>,
    pub(crate) unwritten: bool,
    /// A promotion waits for its record; which wait.
    pub(crate) awaits_record: bool,
    pub(crate) waits: u32,
    pub(crate) waited: bool,
    pub(crate) alarm_at: Instant,
    /// When it is gone at the latest, if it was told to stop.
    pub(crate) stops_by: Option<Instant>,
}

/// What runs.
#[derive(Debug)]
pub(crate) enum Kind {
    Native(Box<Native>),
    Stock(Stock),
}

/// One run of a process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) started: Instant,
    /// Since when it acts, or stands by: its collector was started or stopped then.
    pub(crate) turned: Instant,
    pub(crate) frozen: bool,
    /// When it was last able to run again.
    pub(crate) went_on: Instant,
    /// Until when it may act by what it published, where that has an end.
    pub(crate) acts_until: Option<Uptime>,
    /// Whether the last heartbeat that ended was answered.
    pub(crate) was_answered: bool,
    /// What it last said of its score.
    pub(crate) said: Said,
    pub(crate) port: u16,
    /// What it will find when it goes on.
    pub(crate) found: Vec<AtSite>,
    pub(crate) kind: Kind,
}

impl Process {
    /// Whether all its heartbeats were answered, the last one well.
    pub(crate) fn is_answered(&self) -> bool {
        let waits = matches!(&self.kind, Kind::Native(native) if !native.calls.is_empty());
        self.was_answered && !waits
    }
}

/// An installation.
#[derive(Debug)]
pub(crate) struct Site {
    /// Which machine it is on; a copy of a data folder may be on the same.
    pub(crate) machine: usize,
    pub(crate) clock: Clock,
    pub(crate) link: Link,
    pub(crate) disk: Disk,
    pub(crate) member: Member,
    pub(crate) process: Option<Process>,
    /// A copy of another installation's data folder.
    pub(crate) is_copy: bool,
    /// Until when the disk is slow or refuses, and how often it refuses, in percent.
    pub(crate) disk_trouble_until: Instant,
    pub(crate) disk_fails: u64,
}

impl Site {
    pub(crate) const fn pid(&self) -> Option<Pid> {
        match &self.process {
            Some(process) => Some(process.pid),
            None => None,
        }
    }

    /// Whether a process runs here, now.
    pub(crate) fn runs(&self) -> bool {
        !self.clock.is_asleep() && self.process.as_ref().is_some_and(|process| !process.frozen)
    }

    pub(crate) fn native(&mut self) -> Option<&mut Native> {
        match self.process.as_mut().map(|process| &mut process.kind) {
            Some(Kind::Native(native)) => Some(native),
            Some(Kind::Stock(_)) | None => None,
        }
    }

    pub(crate) fn stock(&mut self) -> Option<&mut Stock> {
        match self.process.as_mut().map(|process| &mut process.kind) {
            Some(Kind::Stock(stock)) => Some(stock),
            Some(Kind::Native(_)) | None => None,
        }
    }

    /// By when the process that runs here asks the endpoint, if all is well from `now` on: a call under way that
    /// hangs delays a registration until it is given up, and a farewell that does until its end; then who was
    /// told to stop is started again. A heartbeat that hangs is overtaken by the next.
    pub(crate) fn asks_by(&self, now: Instant, longest: Span) -> Instant {
        let native = match self.process.as_ref().map(|process| &process.kind) {
            Some(Kind::Native(native)) => native,
            Some(Kind::Stock(stock)) => return stock.asks_by(now),
            None => return now,
        };
        // Who is not registered, or was refused, waits by its own T after that; and who is to change its group, until
        // what acted has stopped: its lease may be the longest there is.
        let own = self.disk.config.map_or(0, |config| span(config.timeout));
        let group = self.disk.config.map(|config| group_id(config.group));
        let answered = self.process.as_ref().is_some_and(|process| process.was_answered);
        let waits = match &native.listens {
            Some((at, _)) if Some(at) != group.as_ref() => longest,
            Some(_) if answered => 0,
            Some(_) | None => own / 2,
        };
        let calls = native.calls.values().map(|(_, ends)| *ends).filter(|_| native.listens.is_none());
        let partings = native.partings.iter().map(|parting| parting.ends);
        let left = calls.chain(partings).map(|ends| now + ends.saturating_sub(self.clock.awake(now)));
        left.chain(native.stops_by).max().unwrap_or(now).max(now) + waits
    }

    /// The score that a heartbeat says, in place of `own`.
    pub(crate) fn score(&self, now: Instant, acting: bool, own: FailoverScore) -> FailoverScore {
        let (started, turned) =
            self.process.as_ref().map_or((0, 0), |process| (process.started, process.turned));
        let running_for = |since: Instant| -> Span { now.saturating_sub(since) };
        let score = match self.member.source {
            Source::Own => return own,
            Source::Constant(score) => score,
            Source::Alternating(span, one, other) => {
                if (now / span).is_multiple_of(2) {
                    one
                } else {
                    other
                }
            }
            // A Hot standby's collector runs; any other is started when it begins to act.
            Source::SlowStart(span) => {
                let since = if self.member.mode == Mode::Hot { started } else { turned };
                if !acting && self.member.mode != Mode::Hot {
                    1
                } else if running_for(since) < span {
                    0
                } else {
                    100
                }
            }
            Source::ByRole(primary, secondary) => {
                if acting {
                    primary
                } else {
                    secondary
                }
            }
        };
        FailoverScore::new(i64::from(score)).unwrap_or(FailoverScore::ZERO)
    }
}
