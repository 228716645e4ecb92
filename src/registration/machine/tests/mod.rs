//! Named situations, each a rule.

mod deliveries;
mod nudging;
mod obeying;
mod reasons;
mod registering;
mod roles;

use super::*;
use crate::domain::{BootId, ClientRole, ConfigurationId, FailoverScore, Incarnation, SessionId};

const T: Duration = Duration::from_secs(10);

/// What a run knows that follows one which was Primary of the group `g` under this epoch.
fn was_primary(epoch: u64) -> Known {
    let Target { endpoint, group, .. } = target("g", Mode::Hot);
    Known { endpoint: endpoint.as_str().to_owned(), group, epoch: Epoch::new(epoch), was_primary: true }
}

/// A machine, its clock, and the calls it waits for.
struct World {
    machine: Machine,
    now: Now,
    calls: Vec<(CallId, Call)>,
    standing: Standing,
    rows: Vec<Transition>,
    farewells: Vec<Farewell>,
    known: Option<Known>,
    listens: Option<Listen>,
    /// In which order the last step published and recorded.
    order: Vec<&'static str>,
}

impl World {
    fn new(loss: EndpointLoss, known: Option<Known>) -> Self {
        Self::with_health(loss, known, Health::NOTHING_PROTECTED)
    }

    /// The same in a data folder that was copied.
    fn copied(loss: EndpointLoss, known: Option<Known>) -> Self {
        Self::starting(loss, known, Health::NOTHING_PROTECTED, true)
    }

    fn with_health(loss: EndpointLoss, known: Option<Known>, health: Health) -> Self {
        Self::starting(loss, known, health, false)
    }

    fn starting(loss: EndpointLoss, known: Option<Known>, health: Health, copied: bool) -> Self {
        let now = Now {
            uptime: Uptime::new(Duration::from_secs(1_000)),
            wall: Wall::from_micros(1_700_000_000_000_000),
        };
        let identity = Identity {
            session: SessionId::new("me").unwrap(),
            incarnation: Incarnation::new("second").unwrap(),
            replaces: Incarnation::new("first").ok(),
            copied,
            boot: BootId::new("boot"),
            known,
            jitter_seed: 7,
        };
        Self {
            machine: Machine::new(identity, loss, health, now),
            now,
            calls: Vec::new(),
            standing: Standing::default(),
            rows: Vec::new(),
            farewells: Vec::new(),
            known: None,
            listens: None,
            order: Vec::new(),
        }
    }

    fn step(&mut self, event: Event) {
        self.order.clear();
        for effect in self.machine.step(self.now, event) {
            match effect {
                Effect::Publish(standing) => {
                    self.order.push("publish");
                    self.standing = *standing;
                }
                Effect::Record(row) => {
                    self.order.push("record");
                    self.rows.push(*row);
                }
                Effect::Remember(known) => self.known = Some(known),
                Effect::Farewell(farewell) => self.farewells.push(*farewell),
                Effect::Adopt => {
                    self.calls.clear();
                    self.listens = None;
                }
                Effect::Call { id, call, at_most } => {
                    assert!(at_most <= T, "no call outlives T");
                    self.calls.push((id, *call));
                }
                Effect::Cancel(id) => self.calls.retain(|(other, _)| *other != id),
                Effect::Listen(what) => {
                    assert!(self.listens.replace(*what).is_none(), "one stream at a time");
                }
                Effect::StopListening => assert!(self.listens.take().is_some(), "it listened"),
            }
        }
    }

    fn configure(&mut self, target: Target) {
        self.step(Event::Configured(Desired::Target(target)));
    }

    /// Lets time pass, with a tick at each moment the machine asks for.
    fn pass(&mut self, time: Duration) {
        let end = self.now.uptime + time;
        while let Some(wake) = self.machine.next_wake().filter(|wake| *wake <= end) {
            self.go_to(wake.max(self.now.uptime));
            self.step(Event::Tick);
            assert_ne!(self.machine.next_wake(), Some(wake), "a tick must get on");
        }
        self.go_to(end);
    }

    fn go_to(&mut self, uptime: Uptime) {
        self.now.wall = self.now.wall.plus(uptime.since(self.now.uptime));
        self.now.uptime = uptime;
    }

    /// Answers the oldest call under way.
    fn answer(&mut self, outcome: Result<Answer, CallFailure>) -> Call {
        let (id, call) = self.calls.remove(0);
        self.step(Event::Answered(id, outcome));
        call
    }

    fn role(&mut self, role: ClientRole) -> Heartbeat {
        self.role_under(role, None)
    }

    fn role_under(&mut self, role: ClientRole, epoch: Option<u64>) -> Heartbeat {
        let answer = HeartbeatAnswer { epoch: epoch.and_then(Epoch::new), ..HeartbeatAnswer::new(role) };
        let call = self.answer(Ok(Answer::Heartbeat(answer)));
        let Call::Heartbeat(_, _, heartbeat) = call else { panic!("{call:?} is no heartbeat") };
        heartbeat
    }

    fn fail(&mut self, kind: FailureKind) {
        self.answer(Err(CallFailure::new(kind, "it failed")));
    }

    /// Registers, with an endpoint that knows the extensions or not.
    fn register(&mut self, native: bool) {
        let version = self.answer(Ok(Answer::Version { version: None, native }));
        assert_eq!(version, Call::Version);
        let created = self.answer(Ok(Answer::Group(GroupTimeout::AsAsked)));
        assert!(matches!(created, Call::CreateGroup(..)));
        let session = self.answer(Ok(Answer::Session));
        assert!(matches!(session, Call::CreateSession(..)));
    }

    fn primary(loss: EndpointLoss) -> Self {
        let mut world = Self::new(loss, None);
        world.configure(target("g", Mode::Hot));
        world.register(true);
        world.role_under(ClientRole::Primary, Some(5));
        assert_eq!(world.role_now(), Role::Primary);
        // A native endpoint is told at once that this adapter acts.
        assert!(world.role_under(ClientRole::Primary, Some(5)).native.unwrap().acting);
        world
    }

    fn role_now(&self) -> Role {
        self.standing.role_at(self.now.uptime)
    }

    fn kinds(&self) -> Vec<TransitionKind> {
        self.rows.iter().map(|row| row.kind).collect()
    }

    fn count(&self, kind: TransitionKind) -> usize {
        self.rows.iter().filter(|row| row.kind == kind).count()
    }
}

fn target(group: &str, mode: Mode) -> Target {
    Target {
        has_destination: false,
        revision: 1,
        configuration: ConfigurationId::new("c").unwrap(),
        endpoint: HttpUrl::parse("http://endpoint").unwrap(),
        group: GroupId::new(group).unwrap(),
        name: None,
        timeout: FailoverTimeout::new(T).unwrap(),
        mode,
        warnings: Vec::new(),
        client: 1,
    }
}
