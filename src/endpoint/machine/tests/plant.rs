//! A group with its adapters, whose messages the test can lose, repeat and reorder.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use super::super::*;
use crate::domain::{
    Asked, BootId, ClientRole, Echo, EndpointLoss, Epoch, Expiry, FailoverScore, FailoverTimeout,
    GroupChange, GroupChangeKind, GroupDraft, GroupId, Heartbeat, Incarnation, NativeHeartbeat,
    OverrideRecord, Place, Preferences, SeatRecord, SessionId, SessionSpec, Wall,
};

pub(super) use ClientRole::{PendingPrimary, Primary, Secondary};

/// T of every group in these tests.
pub(super) const T: u64 = 10_000;

pub(super) fn id(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

pub(super) fn spec(timeout_ms: u64) -> GroupSpec {
    GroupSpec {
        place: Place::OnPremises,
        draft: GroupDraft {
            id: GroupId::new("g").unwrap(),
            name: None,
            description: None,
            timeout: FailoverTimeout::new(Duration::from_millis(timeout_ms)).unwrap(),
        },
        additional_data: None,
        preferences: Preferences::default(),
    }
}

/// An adapter that follows its answers.
#[derive(Debug, Clone)]
pub(super) struct Adapter {
    pub(super) native: bool,
    pub(super) run: u32,
    pub(super) replaces: Option<u32>,
    pub(super) boot: &'static str,
    pub(super) sequence: u64,
    pub(super) answered: u64,
    pub(super) echo: Option<Box<Echo>>,
    pub(super) acting: bool,
    /// Whether it says its last words.
    pub(super) leaving: bool,
    pub(super) epoch: Option<Epoch>,
    pub(super) score: u8,
    pub(super) connection: Option<SocketAddr>,
}

pub(super) struct Plant {
    pub(super) group: Group,
    pub(super) adapters: BTreeMap<&'static str, Adapter>,
    pub(super) now: Moment,
    /// What the store holds; the test may make it refuse.
    pub(super) disk: Option<SeatRecord>,
    pub(super) refuses: bool,
    /// What happened, in order.
    pub(super) changes: Vec<GroupChange>,
}

pub(super) fn moment(millis: u64) -> Moment {
    // Wall time in 2024, so that epochs have the size they have in life.
    let wall = Wall::from_micros(1_704_067_200_000_000 + i64::try_from(millis).unwrap() * 1_000);
    let uptime = Uptime::new(Duration::from_millis(1_000_000 + millis));
    Moment { uptime, wall, clock: uptime }
}

/// A group that is new to an endpoint that began just now and knows all there was.
pub(super) fn new_group(spec: GroupSpec) -> Group {
    let estate = Estate::restore(None, spec.draft.timeout, true, moment(0));
    Group::create(spec, Choosing::default(), None, Some(estate))
}

impl Plant {
    pub(super) fn new() -> Self {
        Self::with(spec(T))
    }

    pub(super) fn with(spec: GroupSpec) -> Self {
        Self {
            group: new_group(spec),
            adapters: BTreeMap::new(),
            now: moment(0),
            disk: None,
            refuses: false,
            changes: Vec::new(),
        }
    }

    /// A native adapter that is registered and has not been heard.
    pub(super) fn native(mut self, name: &'static str, score: u8) -> Self {
        self.join(name, true, score);
        self
    }

    /// A stock adapter that is registered and has not been heard.
    pub(super) fn stock(mut self, name: &'static str, score: u8) -> Self {
        self.join(name, false, score);
        self
    }

    fn join(&mut self, name: &'static str, native: bool, score: u8) {
        let port = 1_000 + u16::try_from(self.adapters.len()).unwrap();
        let adapter = Adapter {
            native,
            run: 1,
            replaces: None,
            boot: "boot",
            sequence: 0,
            answered: 0,
            echo: None,
            acting: false,
            leaving: false,
            epoch: None,
            score,
            connection: Some(SocketAddr::from(([127, 0, 0, 1], port))),
        };
        self.adapters.insert(name, adapter);
        self.register(name);
    }

    pub(super) fn register(&mut self, name: &'static str) {
        let (outcome, order) = self.group.would_register(&id(name), None);
        if outcome == Registered::New {
            let spec = SessionSpec { id: id(name), name: None, additional_data: None };
            self.group.register(self.now, RegisteredSession { spec, order });
        }
    }

    pub(super) fn at(&mut self, millis: u64) -> &mut Self {
        let now = moment(millis);
        assert!(now.uptime >= self.now.uptime, "time moves forward");
        self.now = now;
        self
    }

    pub(super) fn adapter(&mut self, name: &str) -> &mut Adapter {
        self.adapters.get_mut(name).unwrap()
    }

    /// The next heartbeat of an adapter.
    pub(super) fn compose(&mut self, name: &str) -> Heartbeat {
        let adapter = self.adapter(name);
        adapter.sequence += 1;
        let native = adapter.native.then(|| NativeHeartbeat {
            coverages: crate::domain::Coverages::new(),
            delivered_ago: None,
            incarnation: Incarnation::new(format!("run-{}", adapter.run)).unwrap(),
            replaces: adapter.replaces.map(|run| Incarnation::new(format!("run-{run}")).unwrap()),
            boot: BootId::new(adapter.boot),
            sequence: adapter.sequence,
            answered: adapter.answered,
            echo: adapter.echo.clone(),
            acting: adapter.acting,
            applied_for: None,
            epoch: adapter.epoch,
            loss: Some(EndpointLoss::StepDown),
            leaving: adapter.leaving,
        });
        Heartbeat { score: FailoverScore::new(i64::from(adapter.score)).unwrap(), last_data: None, native }
    }

    /// What the endpoint answers to `heartbeat`, with the store at work.
    pub(super) fn ask(
        &mut self,
        name: &str,
        heartbeat: &Heartbeat,
    ) -> Result<Option<HeartbeatAnswer>, Refusal> {
        let connection = self.adapters[name].connection;
        let question = self.group.hear(self.now, &id(name), heartbeat, connection)?;
        self.settle(&question)
    }

    /// As the driver does it; none for 503.
    pub(super) fn settle(&mut self, question: &Question) -> Result<Option<HeartbeatAnswer>, Refusal> {
        loop {
            let reply = self.group.answer(self.now, question)?;
            let record = self.group.take_record(self.now);
            let refused = record.is_some() && self.refuses;
            match record {
                Some(_) if self.refuses => {
                    self.group.doubt();
                    self.group.read_back(self.now, self.disk.as_ref());
                }
                Some(record) => {
                    self.disk = Some(record.seat);
                    self.group.recorded(self.now);
                    self.changes.extend(self.group.take_changes());
                    self.changes.extend(record.promotion);
                }
                None => assert_ne!(reply, Reply::Wait, "nothing to wait for"),
            }
            self.changes.extend(self.group.take_changes());
            match reply {
                Reply::Answer(answer) => return Ok(Some(answer)),
                Reply::Unsure => return Ok(None),
                Reply::Wait if refused => return Ok(None),
                Reply::Wait => {}
            }
        }
    }

    /// What the driver does at a tick.
    pub(super) fn tick(&mut self) {
        self.group.tick(self.now);
        if let Some(record) = self.group.take_record(self.now) {
            self.disk = Some(record.seat);
            self.group.recorded(self.now);
        }
    }

    /// An adapter that hears its answer follows it.
    pub(super) fn follow(&mut self, name: &str, sequence: u64, answer: &HeartbeatAnswer) {
        let adapter = self.adapter(name);
        adapter.answered = adapter.answered.max(sequence);
        adapter.echo.clone_from(&answer.echo);
        adapter.epoch = adapter.epoch.max(answer.epoch);
        match answer.role {
            Primary => adapter.acting = true,
            Secondary => adapter.acting = false,
            PendingPrimary => {}
        }
    }

    /// A heartbeat whose answer arrives.
    pub(super) fn beat(&mut self, name: &str) -> ClientRole {
        let heartbeat = self.compose(name);
        let answer = self.ask(name, &heartbeat).unwrap().unwrap();
        let sequence = self.adapter(name).sequence;
        self.follow(name, sequence, &answer);
        answer.role
    }

    /// A heartbeat whose answer is lost.
    pub(super) fn beat_unheard(&mut self, name: &str) -> ClientRole {
        let heartbeat = self.compose(name);
        self.ask(name, &heartbeat).unwrap().unwrap().role
    }

    /// Why, in the answer to the next heartbeat.
    pub(super) fn reason(&mut self, name: &str) -> String {
        let heartbeat = self.compose(name);
        self.ask(name, &heartbeat).unwrap().unwrap().reason.unwrap_or_default()
    }

    /// How often a member was made Primary.
    pub(super) fn promotions(&self) -> usize {
        self.changes.iter().filter(|change| change.kind == GroupChangeKind::Promoted).count()
    }

    pub(super) fn primary(&self) -> Option<String> {
        self.group.status(self.now).primary.map(|id| id.to_string())
    }

    pub(super) fn epoch(&self) -> u64 {
        self.disk.as_ref().and_then(|record| record.epoch).map_or(0, Epoch::get)
    }

    /// A new run of the adapter's process.
    pub(super) fn restart_adapter(&mut self, name: &str, replaces: bool) {
        let adapter = self.adapter(name);
        adapter.replaces = replaces.then_some(adapter.run);
        adapter.run += 1;
        (adapter.sequence, adapter.answered, adapter.echo) = (0, 0, None);
        (adapter.acting, adapter.leaving) = (false, false);
    }

    /// A new run of the endpoint, from what is on disk.
    pub(super) fn restart_endpoint(&mut self, exact: bool) {
        let spec = self.group.spec().clone();
        let members = self.group.sessions(self.now);
        let held = self.disk.as_ref().map_or(spec.draft.timeout, |record| record.timeout);
        let estate = Estate::restore(self.disk.clone(), held.max(spec.draft.timeout), exact, self.now);
        self.group = Group::create(spec, Choosing::default(), None, Some(estate));
        let members = members.into_iter().zip(1..);
        let members = members.map(|(view, order)| RegisteredSession { spec: view.spec, order }).collect();
        self.group.remember(self.now, members);
    }

    pub(super) fn force(&mut self, name: &str, period_ms: Option<u64>) {
        let expires = period_ms.map(|millis| Expiry {
            uptime: self.now.uptime + Duration::from_millis(millis),
            wall: self.now.wall.plus(Duration::from_millis(millis)),
            boot: BootId::new("endpoint"),
        });
        self.group.force(
            self.now,
            OverrideRecord { session: id(name), expires, asked: Asked::default() },
            &BootId::new("endpoint"),
        );
    }

    /// All adapters beat every quarter of T, from `from` to `to`, and at once where adapters do so; who
    /// was Primary at the end.
    pub(super) fn run(&mut self, names: &[&'static str], from: u64, to: u64) -> Option<String> {
        let mut millis = from;
        while millis <= to {
            self.at(millis);
            for name in names {
                let acted = self.adapters[name].acting && self.adapters[name].native;
                let role = self.beat(name);
                if role == PendingPrimary || (acted && role == Secondary) {
                    self.beat(name);
                }
            }
            millis += T / 4;
        }
        self.primary()
    }
}
