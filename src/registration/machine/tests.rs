use super::*;
use crate::domain::{ClientRole, FailoverScore};

const T: Duration = Duration::from_secs(10);

/// A machine, its clock, and the calls it waits for.
struct World {
    machine: Machine,
    now: Now,
    calls: Vec<(CallId, Call)>,
    standing: Standing,
    rows: Vec<Transition>,
    farewells: Vec<Farewell>,
    known: Option<Known>,
    /// In which order the last step published and recorded.
    order: Vec<&'static str>,
}

impl World {
    fn new(loss: EndpointLoss, known: Option<Known>) -> Self {
        let now = Now {
            uptime: Uptime::new(Duration::from_secs(1_000)),
            wall: Wall::from_micros(1_700_000_000_000_000),
        };
        let identity = Identity {
            session: SessionId::new("me").unwrap(),
            incarnation: Incarnation::new("second").unwrap(),
            replaces: Incarnation::new("first").ok(),
            boot: BootId::new("boot"),
            known,
            jitter_seed: 7,
        };
        Self {
            machine: Machine::new(identity, loss, now),
            now,
            calls: Vec::new(),
            standing: Standing::default(),
            rows: Vec::new(),
            farewells: Vec::new(),
            known: None,
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
                Effect::Adopt => self.calls.clear(),
                Effect::Call { id, call, at_most } => {
                    assert!(at_most <= T, "no call outlives T");
                    self.calls.push((id, call));
                }
                Effect::Cancel(id) => self.calls.retain(|(other, _)| *other != id),
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
        let answer =
            HeartbeatAnswer { role, last_data: None, epoch: epoch.and_then(Epoch::new), reason: None };
        let call = self.answer(Ok(Answer::Heartbeat(answer)));
        let Call::Heartbeat(_, _, heartbeat) = call else { panic!("{call:?} is no heartbeat") };
        heartbeat
    }

    fn fail(&mut self, kind: FailureKind) {
        self.answer(Err(CallFailure { kind, detail: "it failed".to_owned(), retry_after: None }));
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
        revision: 1,
        configuration: ConfigurationId::new("c").unwrap(),
        endpoint: HttpUrl::parse("http://endpoint").unwrap(),
        group: GroupId::new(group).unwrap(),
        timeout: FailoverTimeout::new(T).unwrap(),
        mode,
        warnings: Vec::new(),
        client: 1,
    }
}

#[test]
fn without_a_configuration_the_collector_runs_as_if_alone() {
    let mut world = World::new(EndpointLoss::Auto, None);
    world.step(Event::Configured(Desired::Nothing));
    assert_eq!(world.standing.role, Role::None);
    assert!(world.standing.acting.permits(world.now.uptime));
    assert_eq!(
        world.kinds(),
        [TransitionKind::ServerStarted, TransitionKind::Role, TransitionKind::AdapterState]
    );
    assert_eq!(world.machine.next_wake(), None);
}

#[test]
fn it_is_secondary_from_registering_on_until_it_is_told() {
    let mut world = World::new(EndpointLoss::Auto, None);
    world.configure(target("g", Mode::Hot));
    assert_eq!(world.role_now(), Role::Secondary);
    world.register(true);
    assert_eq!(world.role_now(), Role::Secondary);
    let heartbeat = world.role_under(ClientRole::Primary, Some(5));
    let native = heartbeat.native.unwrap();
    assert_eq!((native.sequence, native.answered, native.acting, native.epoch), (1, 0, false, None));
    assert_eq!(world.role_now(), Role::Primary);
    assert_eq!(world.standing.epoch, Epoch::new(5));
    assert_eq!(
        world.known.as_ref().map(|known| (known.epoch, known.was_primary)),
        Some((Epoch::new(5), true))
    );
}

#[test]
fn a_promotion_is_recorded_before_it_is_acted_on_and_a_demotion_after() {
    let mut world = World::primary(EndpointLoss::StepDown);
    assert_eq!(world.order, ["record", "publish"]);
    world.pass(T / 4);
    world.role(ClientRole::Secondary);
    assert_eq!(world.order, ["publish", "record"]);
    assert_eq!(world.role_now(), Role::Secondary);
}

#[test]
fn permission_ends_nine_tenths_of_t_after_the_question_was_sent() {
    let mut world = World::new(EndpointLoss::StepDown, None);
    world.configure(target("g", Mode::Hot));
    world.register(true);
    let sent = world.now.uptime;
    world.pass(Duration::from_secs(2));
    world.role(ClientRole::Primary);
    let end = sent + T * 9 / 10 - STOP_BUDGET;
    assert_eq!(world.standing.acting, Acting::Until(end));
    assert_eq!(world.standing.role_at(end - Duration::from_nanos(1)), Role::Primary);
    assert_eq!(world.standing.role_at(end), Role::Secondary);
    world.pass(T);
    assert_eq!(world.count(TransitionKind::SteppedDown), 1);
    assert_eq!(world.role_now(), Role::Secondary);
    let row = world.rows.iter().find(|row| row.kind == TransitionKind::SteppedDown).unwrap();
    assert_eq!(row.reason, Reason::LeaseExpired);
    assert_eq!(world.known.as_ref().map(|known| known.was_primary), Some(false));
}

#[test]
fn an_answer_that_comes_after_its_own_lease_permits_nothing() {
    let mut world = World::new(EndpointLoss::StepDown, None);
    world.configure(target("g", Mode::Hot));
    world.register(true);
    let (late, _) = world.calls[0];
    world.go_to(world.now.uptime + T * 9 / 10);
    let answer = HeartbeatAnswer { role: ClientRole::Primary, last_data: None, epoch: None, reason: None };
    world.step(Event::Answered(late, Ok(Answer::Heartbeat(answer))));
    assert_eq!(world.role_now(), Role::Secondary);
    assert_eq!(world.standing.acting, Acting::No);
}

#[test]
fn who_stopped_acts_again_only_on_a_question_asked_afterwards() {
    let mut world = World::primary(EndpointLoss::StepDown);
    // Heartbeats go out and stay unanswered until the lease is over.
    world.pass(T * 9 / 10);
    assert_eq!(world.role_now(), Role::Secondary);
    let before: Vec<_> = std::mem::take(&mut world.calls);
    assert!(before.len() > 1);
    for (id, _) in before {
        let answer =
            HeartbeatAnswer { role: ClientRole::Primary, last_data: None, epoch: None, reason: None };
        world.step(Event::Answered(id, Ok(Answer::Heartbeat(answer))));
        assert_eq!(world.role_now(), Role::Secondary, "asked before it stopped");
    }
    world.pass(T / 4);
    assert_eq!(world.calls.len(), 1);
    world.role(ClientRole::Primary);
    assert_eq!(world.role_now(), Role::Primary);
}

#[test]
fn one_failed_heartbeat_inside_the_lease_changes_nothing() {
    for kind in
        [FailureKind::Unreachable, FailureKind::TimedOut, FailureKind::ServerError, FailureKind::BadAnswer]
    {
        let mut world = World::primary(EndpointLoss::StepDown);
        world.pass(T / 4);
        world.fail(kind);
        assert_eq!(world.role_now(), Role::Primary);
        assert_eq!(world.count(TransitionKind::EndpointFailed), 1);
        // It asks again soon, not at the next pace.
        world.pass(Duration::from_millis(50));
        assert_eq!(world.calls.len(), 1, "{kind}");
        world.role(ClientRole::Primary);
        assert_eq!(world.role_now(), Role::Primary);
        assert_eq!(world.standing.last_error, None);
    }
}

#[test]
fn a_failure_is_one_row_however_often_it_repeats() {
    let mut world = World::primary(EndpointLoss::KeepRole);
    for _ in 0..50 {
        world.pass(Duration::from_secs(1));
        while !world.calls.is_empty() {
            world.fail(FailureKind::Unreachable);
        }
    }
    assert_eq!(world.count(TransitionKind::EndpointFailed), 1);
    assert_eq!(world.count(TransitionKind::EndpointLost), 1);
    assert_eq!(world.count(TransitionKind::RoleKept), 1);
    world.pass(T);
    world.role(ClientRole::Primary);
    assert_eq!(world.count(TransitionKind::EndpointRestored), 1);
    assert!(matches!(world.standing.acting, Acting::Until(_)), "the lease is in force again");
}

#[test]
fn keep_role_keeps_it_loudly_and_gives_it_up_when_told() {
    let mut world = World::primary(EndpointLoss::Auto);
    world.pass(T);
    assert_eq!(world.role_now(), Role::Primary);
    assert_eq!(world.standing.acting, Acting::Unbounded);
    assert_eq!(world.standing.warnings.len(), 1);
    world.role(ClientRole::Secondary);
    assert_eq!(world.role_now(), Role::Secondary);
    assert!(world.standing.warnings.is_empty());
}

#[test]
fn a_demotion_is_said_at_once() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.pass(T / 4);
    world.role(ClientRole::Secondary);
    let Some((_, Call::Heartbeat(_, _, heartbeat))) = world.calls.first() else { panic!("no heartbeat") };
    let native = heartbeat.native.clone().unwrap();
    assert!(!native.acting);
    assert_eq!((native.sequence, native.answered), (3, 2));
}

#[test]
fn pending_primary_is_confirmed_ten_times_in_a_row() {
    let mut world = World::new(EndpointLoss::StepDown, None);
    world.configure(target("g", Mode::Hot));
    world.register(true);
    for _ in 0..10 {
        world.role(ClientRole::PendingPrimary);
        assert_eq!(world.calls.len(), 1, "confirmed at once");
        assert_eq!(world.role_now(), Role::Secondary);
    }
    world.role(ClientRole::PendingPrimary);
    assert!(world.calls.is_empty(), "then at the pace");
    world.pass(T / 4);
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn a_stock_endpoint_is_asked_at_once_after_a_second_and_then_every_half_t() {
    let mut world = World::new(EndpointLoss::StepDown, None);
    world.configure(target("g", Mode::Hot));
    world.register(false);
    assert_eq!(world.role(ClientRole::Secondary).native, None);
    world.pass(Duration::from_secs(1));
    world.role(ClientRole::Secondary);
    world.pass(T / 2 - Duration::from_millis(1));
    assert!(world.calls.is_empty());
    world.pass(Duration::from_millis(1));
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn a_group_that_exists_is_read_and_its_timeout_adopted() {
    let mut world = World::new(EndpointLoss::StepDown, None);
    world.configure(target("g", Mode::Hot));
    world.answer(Ok(Answer::Version { version: None, native: true }));
    world.fail(FailureKind::Conflict);
    let group = FailoverTimeout::new(T / 2).unwrap();
    let read = world.answer(Ok(Answer::Group(GroupTimeout::Usable(group))));
    assert!(matches!(read, Call::ReadGroup(_)));
    world.fail(FailureKind::Conflict);
    assert!(matches!(world.answer(Ok(Answer::Session)), Call::ReadSession(..)));
    let sent = world.now.uptime;
    world.role(ClientRole::Primary);
    assert_eq!(world.standing.acting, Acting::Until(sent + T / 2 * 9 / 10 - STOP_BUDGET));
    assert_eq!(world.standing.group_timeout, Some(group));
    assert_eq!(world.standing.warnings.len(), 1);
    assert_eq!(world.count(TransitionKind::EffectiveTimeout), 1);
}

#[test]
fn a_group_timeout_that_is_too_small_keeps_it_secondary_at_score_0() {
    let mut world = World::new(EndpointLoss::StepDown, None);
    world.configure(target("g", Mode::Hot));
    world.answer(Ok(Answer::Version { version: None, native: true }));
    world.answer(Ok(Answer::Group(GroupTimeout::TooSmall(Duration::from_millis(100)))));
    world.answer(Ok(Answer::Session));
    assert_eq!(world.role(ClientRole::Primary).score, FailoverScore::ZERO);
    assert_eq!(world.role_now(), Role::Secondary);
    assert_eq!(world.standing.adapter_state, AdapterState::Faulted);
    assert_eq!(world.standing.warnings.len(), 1);
}

#[test]
fn a_session_that_was_forgotten_is_registered_again_while_the_lease_goes_on() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.pass(T / 4);
    world.fail(FailureKind::NotFound);
    assert_eq!(world.role_now(), Role::Primary);
    assert!(matches!(world.answer(Ok(Answer::Group(GroupTimeout::AsAsked))), Call::CreateGroup(..)));
    world.answer(Ok(Answer::Session));
    assert!(world.role(ClientRole::Primary).native.unwrap().acting);
    assert_eq!(world.role_now(), Role::Primary);
    assert_eq!(world.count(TransitionKind::Registered), 2);
    assert_eq!(world.count(TransitionKind::Unregistered), 1);
}

#[test]
fn an_endpoint_that_keeps_forgetting_is_not_asked_in_a_tight_loop() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.pass(T / 4);
    world.fail(FailureKind::NotFound);
    for _ in 0..3 {
        world.pass(T / 4);
        world.answer(Ok(Answer::Group(GroupTimeout::AsAsked)));
        world.answer(Ok(Answer::Session));
        world.fail(FailureKind::NotFound);
        assert!(world.calls.is_empty(), "the second time waits");
    }
}

#[test]
fn retry_after_never_waits_longer_than_half_of_t() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.pass(T / 4);
    let failure = CallFailure {
        kind: FailureKind::TooManyRequests,
        detail: "slow down".to_owned(),
        retry_after: Some(Duration::from_secs(3_600)),
    };
    world.answer(Err(failure));
    world.pass(T / 2 - Duration::from_millis(1));
    assert!(world.calls.is_empty());
    world.pass(Duration::from_millis(1));
    assert_eq!(world.calls.len(), 1);
    assert_eq!(world.role_now(), Role::Primary, "0.75 T have passed");
}

#[test]
fn a_login_that_was_refused_is_not_tried_in_haste() {
    for kind in [FailureKind::Unauthorized, FailureKind::Forbidden, FailureKind::TokenFailed] {
        let mut world = World::new(EndpointLoss::StepDown, None);
        world.configure(target("g", Mode::Hot));
        world.answer(Ok(Answer::Version { version: None, native: true }));
        world.fail(kind);
        world.pass(Duration::from_millis(999));
        assert!(world.calls.is_empty(), "{kind}");
        world.pass(T / 2);
        assert_eq!(world.calls.len(), 1);
    }
}

#[test]
fn an_endpoint_that_does_not_tell_its_version_is_taken_as_stock() {
    for kind in [FailureKind::NotFound, FailureKind::Refused, FailureKind::Forbidden] {
        let mut world = World::new(EndpointLoss::StepDown, None);
        world.configure(target("g", Mode::Hot));
        world.fail(kind);
        assert!(matches!(world.answer(Ok(Answer::Group(GroupTimeout::AsAsked))), Call::CreateGroup(..)));
        world.answer(Ok(Answer::Session));
        assert_eq!(world.role(ClientRole::Secondary).native, None);
        assert_eq!(world.count(TransitionKind::EndpointFailed), 0);
    }
}

#[test]
fn a_change_in_place_does_not_unregister_and_overtakes_a_call_that_hangs() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.pass(T / 4);
    let (hanging, _) = world.calls[0];
    let changed = Target { revision: 2, mode: Mode::Warm, client: 2, ..target("g", Mode::Hot) };
    world.configure(changed);
    assert!(world.farewells.is_empty());
    assert_eq!(world.calls.len(), 1, "a heartbeat goes out at once");
    assert_ne!(world.calls[0].0, hanging);
    // The old call's answer is ignored.
    let answer = HeartbeatAnswer { role: ClientRole::Secondary, last_data: None, epoch: None, reason: None };
    world.step(Event::Answered(hanging, Ok(Answer::Heartbeat(answer))));
    assert_eq!(world.role_now(), Role::Primary);
    assert_eq!(world.standing.mode, Some(Mode::Warm));
    assert_eq!(world.standing.applied_mode, Some(Mode::Hot), "a Primary keeps its mode");
    world.role(ClientRole::Secondary);
    assert_eq!(world.standing.applied_mode, Some(Mode::Warm), "until its demotion");
    assert_eq!(world.standing.score, FailoverScore::STANDBY);
}

#[test]
fn a_configuration_that_is_put_again_and_again_keeps_no_heartbeat_from_being_answered() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.pass(T / 4);
    let under_way = world.calls[0].0;
    for revision in 2..10 {
        world.configure(Target { revision, ..target("g", Mode::Hot) });
    }
    assert_eq!(world.calls.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [under_way]);
    world.role(ClientRole::Primary);
    assert_eq!(world.role_now(), Role::Primary);
}

#[test]
fn another_group_means_stopping_saying_so_and_registering_anew() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.configure(Target { revision: 2, ..target("other", Mode::Hot) });
    assert_eq!(world.role_now(), Role::Secondary);
    let farewell = world.farewells.pop().unwrap();
    assert_eq!(farewell.group.as_str(), "g");
    let native = farewell.heartbeats[0].native.clone().unwrap();
    assert!(!native.acting);
    assert_eq!((native.sequence, native.answered), (2, 1));
    assert_eq!(world.calls, [(world.calls[0].0, Call::Version)], "the other group does not wait");
    world.register(true);
    let native = world.role(ClientRole::Primary).native.unwrap();
    assert_eq!(native.epoch, None, "epochs belong to a group");
}

#[test]
fn a_farewell_covers_an_answer_that_is_still_on_its_way() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.pass(T / 4);
    world.step(Event::Stop);
    let farewell = world.farewells.pop().unwrap();
    let said: Vec<_> = farewell.heartbeats.iter().filter_map(|heartbeat| heartbeat.native.as_ref()).collect();
    assert_eq!((said[0].sequence, said[0].answered), (3, 1));
    assert_eq!((said[1].sequence, said[1].answered), (4, 3));
}

#[test]
fn the_same_group_waits_for_its_farewell() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.step(Event::Configured(Desired::Nothing));
    assert_eq!(world.role_now(), Role::None);
    world.configure(Target { revision: 2, ..target("g", Mode::Hot) });
    assert!(world.calls.is_empty(), "the DELETE must not come second");
    let farewell = world.farewells.pop().unwrap();
    world.step(Event::FarewellEnded(farewell.endpoint, farewell.group));
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn mode_none_leaves_the_group_and_runs_as_if_alone() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.configure(Target { revision: 2, ..target("g", Mode::None) });
    assert_eq!(world.role_now(), Role::None);
    assert_eq!(world.farewells.len(), 1);
    assert!(world.standing.acting.permits(world.now.uptime));
    assert_eq!(world.machine.next_wake(), None);
}

#[test]
fn a_configuration_that_cannot_be_read_is_secondary_and_faulted_never_alone() {
    let mut world = World::new(EndpointLoss::KeepRole, None);
    world.step(Event::Configured(Desired::Unusable("the key is missing".to_owned())));
    assert_eq!(world.role_now(), Role::Secondary);
    assert_eq!(world.standing.adapter_state, AdapterState::Faulted);
    assert!(!world.standing.acting.permits(world.now.uptime));
    assert_eq!(world.count(TransitionKind::ConfigurationUnusable), 1);
}

#[test]
fn stopping_is_said_recorded_and_final() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.step(Event::Stop);
    assert_eq!(world.farewells.len(), 1);
    assert_eq!(world.rows.last().map(|row| row.kind), Some(TransitionKind::ServerStopped));
    assert_eq!(world.standing.adapter_state, AdapterState::Stopped);
    assert_eq!(
        world.known.as_ref().map(|known| known.was_primary),
        Some(true),
        "for a whole plant that restarts"
    );
    assert_eq!(world.machine.next_wake(), None);
    world.configure(target("g", Mode::Hot));
    assert!(world.calls.is_empty());
}

#[test]
fn a_role_lost_with_the_power_is_taken_back_under_keep_role_only() {
    for (loss, expected) in
        [(EndpointLoss::KeepRole, Role::Primary), (EndpointLoss::StepDown, Role::Secondary)]
    {
        let known = Known {
            endpoint: "http://endpoint".to_owned(),
            group: GroupId::new("g").unwrap(),
            epoch: Epoch::new(9),
            was_primary: true,
        };
        let mut world = World::new(loss, Some(known));
        world.configure(target("g", Mode::Hot));
        world.pass(T - Duration::from_millis(1));
        assert_eq!(world.role_now(), Role::Secondary);
        let remembers = world.known.as_ref().is_none_or(|known| known.was_primary);
        assert_eq!(remembers, loss == EndpointLoss::KeepRole, "a second crash must not forget it");
        world.pass(Duration::from_millis(1));
        assert_eq!(world.role_now(), expected, "{loss}");
        assert_eq!(world.standing.epoch, Epoch::new(9));
    }
}

#[test]
fn a_role_is_not_taken_back_once_the_endpoint_was_heard() {
    let known = Known {
        endpoint: "http://endpoint".to_owned(),
        group: GroupId::new("g").unwrap(),
        epoch: Epoch::new(9),
        was_primary: true,
    };
    let mut world = World::new(EndpointLoss::KeepRole, Some(known));
    world.configure(target("g", Mode::Hot));
    world.register(true);
    assert_eq!(world.role(ClientRole::Secondary).native.unwrap().epoch, Epoch::new(9));
    world.pass(T * 3);
    assert_eq!(world.role_now(), Role::Secondary);
}

#[test]
fn an_own_timeout_that_is_smaller_paces_but_does_not_shorten_the_lease() {
    let mut world = World::new(EndpointLoss::StepDown, None);
    let own = Target { timeout: FailoverTimeout::new(T / 5).unwrap(), ..target("g", Mode::Hot) };
    world.configure(own);
    world.answer(Ok(Answer::Version { version: None, native: true }));
    world.fail(FailureKind::Conflict);
    world.answer(Ok(Answer::Group(GroupTimeout::Usable(FailoverTimeout::new(T).unwrap()))));
    world.answer(Ok(Answer::Session));
    let sent = world.now.uptime;
    world.role(ClientRole::Primary);
    assert_eq!(world.standing.acting, Acting::Until(sent + T * 9 / 10 - STOP_BUDGET));
    world.pass(T / 20);
    assert_eq!(world.calls.len(), 1, "T/4 of its own timeout");
    world.pass(T / 5);
    assert_eq!(world.count(TransitionKind::EndpointLost), 1);
    assert_eq!(world.role_now(), Role::Primary);
}
