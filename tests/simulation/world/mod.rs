//! A plant in which everything goes wrong that may: adapters and their endpoint are the real machines;
//! networks, clocks, disks and processes around them are virtual.
//!
//! A schedule is drawn from its seed alone. Time is true time in microseconds, and moves from event to
//! event. The judge looks after every event; the first violation ends the schedule.

mod agent;
mod clock;
mod collector;
mod data;
mod dice;
mod drills;
mod endpoint;
mod event;
mod faults;
mod healing;
mod history;
mod judge;
mod leaving;
mod lively;
mod network;
mod plan;
mod power;
mod recorder;
mod registry;
mod serving;
mod sink;
mod site;
mod steady;
mod stock;
mod store;
mod tenures;
mod told;
mod writing;

use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
};

use client_failover::domain::{GroupId, Mode, SessionId};

use clock::{Clock, Instant, MILLISECOND, Span};
use data::Data;
use dice::Dice;
use drills::Drills;
use endpoint::Endpoint;
use event::{AtSite, Event, Pid, Queue, Request, SiteId};
use judge::Judge;
use plan::Plan;
use sink::Accusation;
use site::{Config, Disk, Link, Site};

/// No schedule has so many events; one that does goes in circles.
const MOST_EVENTS: u64 = 2_000_000;

/// Tells the dice of disks from those of the schedule.
const DISK_DICE: u64 = 0xd15c;

/// What became of a schedule.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) events: u64,
    pub(crate) violation: Option<Violation>,
    /// What happened, line by line, where it was asked for.
    pub(crate) log: Vec<String>,
}

/// A rule that was broken.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) kind: &'static str,
    pub(crate) at_ms: u64,
    pub(crate) what: String,
}

/// A plant.
pub(crate) struct World {
    now: Instant,
    events: u64,
    queue: Queue,
    dice: Dice,
    /// Other dice, for what disks do beyond what the schedule draws: whatever else goes wrong stays the same.
    disk_dice: Dice,
    plan: Plan,
    /// The Ids of the two groups there may be.
    ids: [GroupId; 2],
    sites: Vec<Site>,
    endpoint: Endpoint,
    endpoint_clock: Clock,
    judge: Judge,
    drills: Drills,
    /// The data side, where the schedule has one.
    data: Option<Data>,
    pids: Pid,
    /// What each member said lately, for a network that says it again.
    said: Vec<VecDeque<Request>>,
    /// Since when nothing goes wrong any more.
    healed_at: Option<Instant>,
    /// Whether the endpoint's wall clock was ever set back, and its mark lost or put back.
    clock_was_set_back: bool,
    mark_was_lost: bool,
    /// The longest FailoverTimeout that any group may have.
    longest_timeout: Span,
    violation: Option<Violation>,
    log: Option<Vec<String>>,
}

/// Runs the schedule of `seed`.
pub(crate) fn run(seed: u64, logs: bool) -> Outcome {
    observe(seed, logs, World::live)
}

/// Lets a world live. That anything in it panics is a violation, and has its seed and its log.
pub(crate) fn observe(seed: u64, logs: bool, live: impl FnOnce(&mut World)) -> Outcome {
    let mut world = World::new(seed, logs);
    if let Err(why) = catch_unwind(AssertUnwindSafe(|| live(&mut world))) {
        world.accuse("Panic", said(why.as_ref()).to_owned());
    }
    Outcome { events: world.events, violation: world.violation, log: world.log.unwrap_or_default() }
}

/// What a panic said.
fn said(why: &(dyn Any + Send)) -> &str {
    let text = why.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| why.downcast_ref::<&str>().copied()).unwrap_or("it said nothing")
}

impl World {
    fn live(&mut self) {
        while self.violation.is_none() {
            let Some((at, event)) = self.queue.pop() else { return };
            self.now = at;
            self.events += 1;
            if let Event::Data(event) = event {
                // Nothing of it changes a role.
                self.take_data(event);
                continue;
            }
            self.note_acts();
            if matches!(event, Event::End) {
                self.judge_now();
                self.judge_end();
                self.judge_data();
                self.judge_endpoint_end();
                return;
            }
            self.take(event);
            self.judge_now();
            if self.events > MOST_EVENTS {
                self.accuse("Stuck", "the schedule goes in circles".to_owned());
            }
        }
    }

    fn new(seed: u64, logs: bool) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(seed, &mut dice);
        let endpoint_clock = Clock::new(0, plan.endpoint_rate, plan.endpoint_uptime);
        let longest_timeout = plan.groups.iter().map(|group| group.timeout).max().unwrap_or_default();
        let mut world = Self {
            now: 0,
            events: 0,
            queue: Queue::default(),
            sites: Vec::new(),
            endpoint: Endpoint::new(endpoint_clock.boot_id()),
            endpoint_clock,
            judge: Judge::default(),
            data: None,
            pids: 0,
            said: Vec::new(),
            healed_at: None,
            clock_was_set_back: false,
            mark_was_lost: false,
            longest_timeout,
            drills: Drills::draw(seed, &plan, longest_timeout),
            violation: None,
            log: logs.then(Vec::new),
            ids: [0, 1].map(endpoint::group_id),
            disk_dice: Dice::new(seed ^ DISK_DICE),
            dice,
            plan,
        };
        world.judge.sink.judges = world.plan.is_pure();
        world.judge.sink.judges_epochs = world.plan.is_pure();
        world.judge.judges_epochs = world.plan.is_pure();
        world.judge.is_calm = world.plan.is_calm();
        world.log(|world| format!("{:?}", world.plan));
        world.settle_in();
        if world.plan.timeout == plan::T {
            // Its spans are parts of that T.
            world.settle_data_in(seed);
        }
        world
    }

    /// The plant as it is at first, and what is to come.
    fn settle_in(&mut self) {
        for (index, member) in self.plan.members.clone().into_iter().enumerate() {
            let config = Config {
                group: member.group,
                timeout: plan::timeout(self.plan.groups[member.group].timeout),
                mode: if member.mode == Mode::None { Mode::Hot } else { member.mode },
                client: 1,
            };
            self.sites.push(Site {
                machine: index + 1,
                clock: Clock::new(index + 1, member.rate, member.uptime),
                link: Link::default(),
                disk: Disk {
                    session: SessionId::new(format!("session-{index}")).expect("a short id is one"),
                    incarnation: None,
                    known: None,
                    rows: Vec::new(),
                    config: Some(config),
                    revision: 1,
                },
                member,
                process: None,
                is_copy: false,
                disk_trouble_until: 0,
                disk_fails: 0,
            });
            let late = if self.dice.percent(80) { 100 * MILLISECOND } else { 2 * self.plan.timeout };
            let at = self.dice.between(0, late);
            self.queue.push(at, Event::Start(index));
        }
        self.queue.push(0, Event::EndpointStart);
        let first = self.dice.between(MILLISECOND, self.plan.timeout);
        self.queue.push(first, Event::Misfortune);
        if self.plan.stalls {
            self.queue.push(first, Event::Stall);
        }
        self.queue.push(self.plan.length, Event::Heal);
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Request(request) => self.request_comes(request),
            Event::Reply(reply) => self.reply_comes(*reply),
            Event::Site(site, pid, event) => self.at_site(site, pid, event),
            Event::Start(site) => self.start(site),
            Event::WakeUp(site) => self.wake_up(site),
            Event::Endpoint(run, event) => self.at_endpoint(run, event),
            Event::EndpointStart => self.let_endpoint_start(),
            Event::Misfortune => self.misfortune(),
            Event::Stall => self.stall(),
            Event::Heal => self.heal(),
            Event::Drill(step) => self.drill(step),
            Event::Data(_) | Event::End => {}
        }
    }

    fn at_site(&mut self, site: SiteId, pid: Pid, event: AtSite) {
        if self.sites[site].pid() != Some(pid) {
            return;
        }
        if matches!(event, AtSite::Thaw) {
            return self.thaw_agent(site);
        }
        if !self.sites[site].runs() {
            // What the kernel has ready is found when the process goes on.
            if let Some(process) = self.sites[site].process.as_mut() {
                process.found.push(event);
            }
            return;
        }
        match event {
            AtSite::Alarm => self.go_on(site),
            AtSite::Nudge => self.nudged(site),
            AtSite::CallEnds(route, end) => {
                let left = end.saturating_sub(self.sites[site].clock.awake(self.now));
                if left > 0 {
                    self.push(left, Event::Site(site, pid, AtSite::CallEnds(route, end)));
                } else {
                    self.call_timed_out(site, route);
                }
            }
            AtSite::Written => self.history_written(site),
            AtSite::WaitedForRecord(waits) => self.waited_for_record(site, waits),
            AtSite::Exit => self.exit(site, pid),
            AtSite::Obeyed(order) => self.order_obeyed(site, order),
            AtSite::Look => self.say_score(site),
            AtSite::Source => self.watch_source(site),
            AtSite::Said(score, since) => self.judge_score(site, score, since),
            AtSite::Thaw => {}
        }
    }

    /// A process that was stopped goes on.
    fn thaw_agent(&mut self, site: SiteId) {
        if let Some(process) = self.sites[site].process.as_mut().filter(|process| process.frozen) {
            process.frozen = false;
            process.went_on = self.now;
            self.judge.member_was_disturbed(site, self.now);
            self.log(|_| format!("site {site}: goes on"));
            self.catch_up(site);
        }
    }

    /// What became ready in the meantime is found now.
    fn catch_up(&mut self, site: SiteId) {
        self.gate_goes_on(site);
        let Some(process) = self.sites[site].process.as_mut() else { return };
        let pid = process.pid;
        for event in std::mem::take(&mut process.found) {
            self.at_site(site, pid, event);
        }
        self.go_on(site);
    }

    /// Lets `event` happen `span` from now.
    fn push(&mut self, span: Span, event: Event) {
        self.queue.push(self.now.saturating_add(span), event);
    }

    fn log(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.log.is_some() {
            let line = format!("{:>9.3} {}", (self.now / MILLISECOND) as f64 / 1_000.0, line(self));
            if let Some(log) = self.log.as_mut() {
                log.push(line);
            }
        }
    }

    /// A rule is broken; the first one ends the schedule.
    fn accuse(&mut self, kind: &'static str, what: String) {
        if self.violation.is_none() {
            let violation = Violation { kind, at_ms: self.now / MILLISECOND, what };
            self.log(|_| format!("VIOLATION {}: {}", violation.kind, violation.what));
            self.violation = Some(violation);
        }
    }

    fn accuse_if(&mut self, accusation: Option<Accusation>) {
        if let Some((kind, what)) = accusation {
            self.accuse(kind, what);
        }
    }
}
