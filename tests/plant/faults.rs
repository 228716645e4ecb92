//! The faults: how each begins and how it is healed.

use std::{fmt, fs, path::PathBuf, time::Duration};

use client_failover::{clock, domain::Uptime};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{
    Plan, Plant,
    calm::Calm,
    link::{Way, Ways},
    random::Random,
};

/// Something that goes wrong, and with which member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    KillAgent,
    FreezeAgent,
    StopAgent,
    KillEndpoint,
    FreezeEndpoint,
    StopEndpoint,
    SetBackEndpoint,
    CutToEndpoint,
    CutToAdapter,
    CutBoth,
    Delay,
    Override,
    DeleteSession,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KillAgent => "SIGKILL of an agent",
            Self::FreezeAgent => "SIGSTOP of an agent",
            Self::StopAgent => "SIGTERM of an agent",
            Self::KillEndpoint => "SIGKILL of the endpoint",
            Self::FreezeEndpoint => "SIGSTOP of the endpoint",
            Self::StopEndpoint => "SIGTERM of the endpoint",
            Self::SetBackEndpoint => "endpoint's database set back",
            Self::CutToEndpoint => "heartbeats cut",
            Self::CutToAdapter => "answers cut",
            Self::CutBoth => "link cut",
            Self::Delay => "link slow",
            Self::Override => "override",
            Self::DeleteSession => "session deleted",
        })
    }
}

/// A fault.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub kind: Kind,
    pub member: usize,
    ways: Ways,
}

impl Fault {
    /// Any fault, of any member.
    pub fn random(random: &mut Random, members: usize) -> Self {
        const KINDS: [Kind; 13] = [
            Kind::KillAgent,
            Kind::FreezeAgent,
            Kind::StopAgent,
            Kind::KillEndpoint,
            Kind::FreezeEndpoint,
            Kind::StopEndpoint,
            Kind::SetBackEndpoint,
            Kind::CutToEndpoint,
            Kind::CutToAdapter,
            Kind::CutBoth,
            Kind::Delay,
            Kind::Override,
            Kind::DeleteSession,
        ];
        let kind = random.one_of(&KINDS);
        let everybody: Vec<usize> = (0..members).collect();
        let gone = random.one_of(&[Way::Held, Way::Lost]);
        let slow = Way::Delayed(random.time(Duration::from_millis(20), Duration::from_millis(700)));
        let ways = match kind {
            Kind::CutToEndpoint => Ways { to_endpoint: gone, ..Ways::OPEN },
            Kind::CutToAdapter => Ways { to_adapter: gone, ..Ways::OPEN },
            Kind::CutBoth => Ways { to_endpoint: gone, to_adapter: random.one_of(&[Way::Held, Way::Lost]) },
            Kind::KillAgent
            | Kind::FreezeAgent
            | Kind::StopAgent
            | Kind::KillEndpoint
            | Kind::FreezeEndpoint
            | Kind::StopEndpoint
            | Kind::SetBackEndpoint
            | Kind::Delay
            | Kind::Override
            | Kind::DeleteSession => random.one_of(&[
                Ways { to_endpoint: slow, ..Ways::OPEN },
                Ways { to_adapter: slow, ..Ways::OPEN },
                Ways { to_endpoint: slow, to_adapter: slow },
            ]),
        };
        Self { kind, member: random.one_of(&everybody), ways }
    }
}

/// A fault that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    pub kind: Kind,
    pub member: usize,
    pub at: Uptime,
    /// Whether the member that it happened to was acting; for the endpoint, whether somebody was.
    pub acting: bool,
}

/// What is wrong with a process at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ill {
    Gone,
    Frozen,
}

/// Whom a fault concerns, and so what another fault of the same must not meet half-way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Endpoint,
    Agent(usize),
    Link(usize),
}

/// A plant with what is wrong in it.
pub struct Chaos {
    pub plant: Plant,
    /// All faults so far.
    pub log: Vec<Begun>,
    /// How it was when nothing was wrong, now and then.
    pub calms: Vec<Calm>,
    ill: Vec<(Subject, Option<Ill>, Uptime)>,
    /// An older copy of the endpoint's database.
    copy: TempDir,
}

/// From one fault to the next: some end before the next begins, some do not.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(900);

/// After so many faults all is healed, and looked at.
const FAULTS_BETWEEN_CALMS: usize = 20;

/// How long a run may take for each fault, at the most.
const LIMIT_FOR_EACH: Duration = Duration::from_secs(3);

impl Chaos {
    /// Does `count` random faults to a plant of `members` under step-down, one over the other; now and then, and in the end,
    /// heals it and looks whether somebody acts.
    pub fn run(count: usize, members: usize, timeout: Duration, random: &mut Random) -> Self {
        let plan = Plan { members, log: "client_failover=info", ..Plan::pair(timeout) };
        let mut chaos = Self::new(Plant::start(plan));
        let deadline = clock::now().uptime + LIMIT_FOR_EACH * u32::try_from(count).unwrap();
        while chaos.log.len() < count {
            assert!(clock::now().uptime < deadline, "the run takes too long");
            let fault = Fault::random(random, members);
            let lasts = random.time(Duration::from_millis(10), timeout * 2);
            chaos.begin(fault, lasts);
            chaos.until(clock::now().uptime + random.time(SHORTEST_PAUSE, LONGEST_PAUSE));
            if chaos.log.len() >= (chaos.calms.len() + 1) * FAULTS_BETWEEN_CALMS || chaos.log.len() == count {
                chaos.heal();
                chaos.calms.push(Calm::watch(&chaos.plant));
            }
        }
        chaos
    }

    /// What was wrong although nothing was done to the plant.
    pub fn faults_in_calm(&self) -> Vec<String> {
        self.calms.iter().filter_map(Calm::fault).collect()
    }

    pub fn new(plant: Plant) -> Self {
        Self {
            plant,
            log: Vec::new(),
            calms: Vec::new(),
            ill: Vec::new(),
            copy: tempfile::tempdir().unwrap(),
        }
    }

    /// Begins a fault that lasts this long, unless its subject is still ill with another.
    pub fn begin(&mut self, fault: Fault, lasts: Duration) {
        let subject = subject(fault);
        if self.ill.iter().any(|(ill, _, _)| *ill == subject) {
            return;
        }
        let now = clock::now().uptime;
        let acting = self.plant.sink.last().filter(|write| now.since(write.at) < self.plant.plan.pace * 4);
        let concerns = |write: super::sink::Write| match subject {
            Subject::Endpoint => true,
            Subject::Agent(member) | Subject::Link(member) => write.member == member,
        };
        let acting = acting.is_some_and(concerns);
        self.log.push(Begun { kind: fault.kind, member: fault.member, at: clock::now().uptime, acting });
        if let Some(ill) = self.strike(fault) {
            self.ill.push((subject, ill, clock::now().uptime + lasts));
        }
    }

    /// Does it; gives what is to be healed later.
    fn strike(&mut self, fault: Fault) -> Option<Option<Ill>> {
        let (plant, member) = (&mut self.plant, fault.member);
        match fault.kind {
            Kind::KillAgent => plant.members[member].process.kill(),
            Kind::StopAgent => plant.members[member].process.signal(Signal::TERM),
            Kind::KillEndpoint => plant.endpoint.kill(),
            Kind::StopEndpoint => plant.endpoint.signal(Signal::TERM),
            Kind::SetBackEndpoint => {
                plant.endpoint.kill();
                self.swap_database();
            }
            Kind::FreezeAgent => {
                plant.members[member].process.freeze();
                return Some(Some(Ill::Frozen));
            }
            Kind::FreezeEndpoint => {
                plant.endpoint.freeze();
                return Some(Some(Ill::Frozen));
            }
            Kind::CutToEndpoint | Kind::CutToAdapter | Kind::CutBoth | Kind::Delay => {
                plant.set_link(member, fault.ways);
                return Some(None);
            }
            Kind::Override => {
                plant.override_role(member, "Primary");
                return None;
            }
            Kind::DeleteSession => {
                plant.delete_session(member);
                return None;
            }
        }
        Some(Some(Ill::Gone))
    }

    /// Puts back the copy of the endpoint's database that was made the last time, and makes a new one. The
    /// mark beside it stays, as it does where a backup of the database is restored.
    fn swap_database(&self) {
        const FILES: [&str; 2] = ["failover.db", "failover.db-wal"];
        let (data, copy): (&PathBuf, _) = (&self.plant.endpoint.data, self.copy.path());
        let put_back = copy.join(FILES[0]).exists();
        for file in FILES {
            let (live, old, new) = (data.join(file), copy.join(file), copy.join("new"));
            if live.exists() {
                fs::copy(&live, &new).unwrap();
            }
            if put_back {
                fs::remove_file(&live).ok();
                if old.exists() {
                    fs::copy(&old, &live).unwrap();
                }
            }
            if new.exists() {
                fs::rename(&new, &old).unwrap();
            }
        }
        if put_back {
            fs::remove_file(data.join("failover.db-shm")).ok();
        }
    }

    /// Lets the plant work until this moment, and heals what is due.
    pub fn until(&mut self, moment: Uptime) {
        loop {
            let next = self.ill.iter().map(|(_, _, at)| *at).min().filter(|at| *at < moment);
            self.plant.until_moment(next.unwrap_or(moment));
            if next.is_none() {
                return;
            }
            self.heal_due(clock::now().uptime);
        }
    }

    /// Heals everything.
    pub fn heal(&mut self) {
        self.heal_due(Uptime::new(Duration::MAX));
    }

    fn heal_due(&mut self, now: Uptime) {
        let (due, ill) = self.ill.drain(..).partition(|(_, _, at)| *at <= now);
        self.ill = ill;
        let due: Vec<(Subject, Option<Ill>, Uptime)> = due;
        for (subject, ill, _) in due {
            let plant = &mut self.plant;
            match (subject, ill) {
                (Subject::Endpoint, Some(Ill::Gone)) => {
                    plant.endpoint.wait();
                    plant.start_endpoint();
                }
                (Subject::Endpoint, _) => plant.endpoint.thaw(),
                (Subject::Agent(member), Some(Ill::Gone)) => {
                    // Its farewell may wait for an endpoint that does not answer.
                    plant.members[member].process.wait();
                    plant.members[member].start();
                }
                (Subject::Agent(member), _) => plant.members[member].process.thaw(),
                (Subject::Link(member), _) => plant.set_link(member, Ways::OPEN),
            }
        }
    }
}

fn subject(fault: Fault) -> Subject {
    match fault.kind {
        Kind::KillAgent | Kind::FreezeAgent | Kind::StopAgent => Subject::Agent(fault.member),
        Kind::CutToEndpoint | Kind::CutToAdapter | Kind::CutBoth | Kind::Delay => Subject::Link(fault.member),
        Kind::KillEndpoint
        | Kind::FreezeEndpoint
        | Kind::StopEndpoint
        | Kind::SetBackEndpoint
        // They are asked of an endpoint that is well.
        | Kind::Override
        | Kind::DeleteSession => Subject::Endpoint,
    }
}
