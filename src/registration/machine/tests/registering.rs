//! Joining, changing and leaving.

use super::{super::*, *};

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
        retry_after: Some(Duration::from_secs(3_600)),
        ..CallFailure::new(FailureKind::TooManyRequests, "slow down")
    };
    world.answer(Err(failure));
    // Not everybody at the same instant.
    world.pass(T * 7 / 16 - Duration::from_millis(1));
    assert!(world.calls.is_empty());
    world.pass(T / 16 + Duration::from_millis(1));
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
    let answer = HeartbeatAnswer::new(ClientRole::Secondary);
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
    assert_eq!(world.calls[0].0, under_way, "it is still waited for");
    assert_eq!(world.calls.len(), 4, "and there are not ever more of them");
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
    assert!(!native.acting && native.leaving);
    assert_eq!((native.sequence, native.answered), (3, 2));
    assert_eq!(world.calls, [(world.calls[0].0, Call::Version)], "the other group does not wait");
    world.register(true);
    let native = world.role(ClientRole::Primary).native.unwrap();
    assert_eq!(native.epoch, None, "epochs belong to a group");
    assert!(!native.leaving);
}

#[test]
fn a_farewell_covers_an_answer_that_is_still_on_its_way() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.pass(T / 4);
    world.step(Event::Stop(world.now.uptime));
    let farewell = world.farewells.pop().unwrap();
    let said: Vec<_> = farewell.heartbeats.iter().filter_map(|heartbeat| heartbeat.native.as_ref()).collect();
    assert_eq!((said[0].sequence, said[0].answered), (4, 2));
    assert_eq!((said[1].sequence, said[1].answered), (5, 4));
}

#[test]
fn a_farewell_covers_an_answer_that_is_lost() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.pass(T / 4);
    world.fail(FailureKind::TimedOut);
    world.step(Event::Stop(world.now.uptime));
    let farewell = world.farewells.pop().unwrap();
    let said: Vec<_> = farewell.heartbeats.iter().filter_map(|heartbeat| heartbeat.native.as_ref()).collect();
    assert_eq!(said.len(), 2);
    assert_eq!(said[1].answered, said[0].sequence, "whoever hears this knows that nothing is under way");
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
    assert_eq!(world.standing.warnings, ["This adapter stays Secondary and cannot act: the key is missing."]);
}

#[test]
fn stopping_is_said_recorded_and_final() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.step(Event::Stop(world.now.uptime));
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
    world.role(ClientRole::Primary);
    assert!(world.calls.is_empty());
    world.pass(T / 20);
    assert_eq!(world.calls.len(), 1, "T/4 of its own timeout");
    world.pass(T / 5);
    assert_eq!(world.count(TransitionKind::EndpointLost), 1);
    assert_eq!(world.role_now(), Role::Primary);
}

#[test]
fn an_adapter_whose_session_another_process_uses_says_so_and_in_a_copied_folder_which_of_the_two_it_is() {
    for (copied, said) in
        [(false, "another process uses this adapter's session"), (true, "data folder is a copy")]
    {
        let new = if copied { World::copied } else { World::new };
        let mut world = new(EndpointLoss::StepDown, None);
        world.configure(target("g", Mode::Hot));
        world.register(true);
        world.fail(FailureKind::Conflict);
        assert_eq!(world.standing.reason, Some(Reason::Conflict));
        assert!(world.standing.explanation.contains(said), "{}", world.standing.explanation);
        assert_eq!(world.standing.warnings, Vec::<String>::new());
        world.pass(T);
        world.role(ClientRole::Secondary);
        assert_eq!(world.standing.reason, Some(Reason::ToldSecondary));
    }
    // A Primary knows why it is one, and is warned.
    let mut world = World::primary(EndpointLoss::KeepRole);
    world.pass(T / 4);
    world.fail(FailureKind::Conflict);
    assert_eq!(world.standing.reason, Some(Reason::ToldPrimary));
    assert!(world.standing.warnings[0].contains("another process uses"), "{:?}", world.standing.warnings);
}

#[test]
fn what_a_copied_folder_remembers_of_a_primary_is_not_taken_back() {
    let known = was_primary(5);
    for copied in [false, true] {
        let new = if copied { World::copied } else { World::new };
        let mut world = new(EndpointLoss::KeepRole, Some(known.clone()));
        world.configure(target("g", Mode::Hot));
        world.pass(T * 2);
        assert_eq!(world.role_now(), if copied { Role::Secondary } else { Role::Primary });
    }
}
