//! Told to stop and proven stopped are two things: what is said to the endpoint between them.

use super::{super::*, *};

/// What the collector's room and the gate say together.
fn health(obeyed: u64) -> Health {
    Health { obeyed, ..Health::NOTHING_PROTECTED }
}

impl World {
    fn obey(&mut self, order: u64) {
        self.step(Event::Health(health(order)));
    }

    /// A Primary whose collector has obeyed everything so far.
    fn protecting_primary(loss: EndpointLoss) -> Self {
        let mut world = Self::with_health(loss, None, health(0));
        world.configure(target("g", Mode::Hot));
        world.register(true);
        world.role_under(ClientRole::Primary, Some(5));
        world.obey(world.standing.order);
        world.role_under(ClientRole::Primary, Some(5));
        world
    }

    /// Lets the next heartbeat go out, answers it with Secondary, and says whether it said that it acts.
    fn next_says_acting(&mut self) -> bool {
        if self.calls.is_empty() {
            self.pass(T / 4);
        }
        self.role(ClientRole::Secondary).native.unwrap().acting
    }
}

#[test]
fn who_was_told_to_stop_says_that_it_acts_until_whoever_acted_has_stopped() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    let acted_under = world.standing.order;
    assert!(world.next_says_acting());
    assert_eq!(world.role_now(), Role::Secondary, "permission ends at once");
    assert!(world.standing.order > acted_under);
    assert!(world.calls.is_empty(), "there is nothing to say yet");
    assert!(world.next_says_acting());
    world.obey(acted_under);
    assert!(world.next_says_acting(), "an older order says nothing about stopping");
    world.obey(world.standing.order);
    assert_eq!(world.calls.len(), 1, "that it has stopped is said at once");
    assert!(!world.next_says_acting());
}

#[test]
fn a_deadline_that_has_passed_proves_that_acting_has_stopped() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    let Acting::Until(deadline) = world.standing.acting else { panic!("it acts until a deadline") };
    assert!(world.next_says_acting());
    while world.now.uptime + T / 4 < deadline + STOP_BUDGET {
        assert!(world.next_says_acting(), "at {:?}", world.now.uptime);
    }
    world.pass(T / 4);
    assert!(!world.next_says_acting(), "guard and gate hold the deadline themselves");
}

#[test]
fn whoever_has_not_stopped_yet_is_permitted_nothing_new() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    assert!(world.next_says_acting());
    world.pass(T / 4);
    world.role(ClientRole::Primary);
    assert_eq!(world.role_now(), Role::Secondary, "it is still stopping");
    world.pass(T / 4);
    world.obey(world.standing.order);
    assert_eq!(world.calls.len(), 2, "one from while it was stopping, and one that says that it has stopped");
    world.role(ClientRole::Primary);
    assert_eq!(world.role_now(), Role::Secondary, "the question is from before it had stopped (R5)");
    world.role(ClientRole::Primary);
    assert_eq!(world.role_now(), Role::Primary);
}

#[test]
fn another_group_is_joined_only_once_acting_for_the_old_one_has_stopped() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    let other = Target { revision: 2, ..target("other", Mode::Hot) };
    world.configure(other);
    assert_eq!(world.role_now(), Role::Secondary);
    assert_eq!((world.farewells.len(), world.standing.group.as_ref().map(GroupId::as_str)), (0, Some("g")));
    assert!(world.next_says_acting());
    world.obey(world.standing.order);
    let farewell = world.farewells.pop().unwrap();
    assert!(farewell.heartbeats.iter().all(|heartbeat| !heartbeat.native.as_ref().unwrap().acting));
    assert_eq!(world.standing.group.as_ref().map(GroupId::as_str), Some("other"));
}

#[test]
fn a_change_that_is_taken_back_while_acting_stops_leaves_nobody() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    world.configure(Target { revision: 2, ..target("other", Mode::Hot) });
    world.configure(Target { revision: 3, ..target("g", Mode::Hot) });
    assert!(world.next_says_acting());
    world.obey(world.standing.order);
    assert!(world.farewells.is_empty());
    assert_eq!(world.calls.len(), 1, "that it has stopped is said at once");
    assert!(!world.next_says_acting());
}

#[test]
fn a_stop_waits_until_acting_has_stopped() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    world.step(Event::Stop(world.now.uptime + T));
    assert!(!world.machine.has_stopped() && world.farewells.is_empty());
    assert_eq!(world.role_now(), Role::Secondary);
    world.configure(target("other", Mode::Hot));
    assert!(world.farewells.is_empty(), "a change comes too late");
    world.obey(world.standing.order);
    assert!(world.machine.has_stopped());
    assert!(!world.farewells[0].heartbeats[0].native.as_ref().unwrap().acting);
    assert_eq!(world.known.as_ref().map(|known| known.was_primary), Some(true));
}

#[test]
fn a_stop_that_cannot_wait_any_longer_says_no_last_word() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    world.step(Event::Stop(world.now.uptime + T / 10));
    world.pass(T / 10);
    assert!(world.machine.has_stopped());
    assert!(world.farewells[0].heartbeats.is_empty(), "the session is deleted, and the seat stays held");
}

#[test]
fn what_ran_as_if_alone_stops_before_its_adapter_registers() {
    let mut world = World::with_health(EndpointLoss::StepDown, None, health(0));
    world.step(Event::Configured(Desired::Nothing));
    world.obey(world.standing.order);
    world.configure(target("g", Mode::Cold));
    assert_eq!(world.role_now(), Role::Secondary);
    world.pass(10 * T);
    assert!(world.calls.is_empty());
    assert!(world.standing.warnings.iter().any(|warning| warning.contains("has not stopped yet")));
    world.obey(world.standing.order);
    assert_eq!(world.calls.len(), 1);
    assert_eq!(world.count(TransitionKind::EndpointLost), 0, "nobody was asked");
    world.pass(T);
    assert_eq!(world.count(TransitionKind::EndpointLost), 1);
}

#[test]
fn who_leaves_failover_acts_on_without_a_break() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    world.step(Event::Configured(Desired::Nothing));
    assert_eq!((world.role_now(), world.standing.acting), (Role::None, Acting::Unbounded));
    let said = world.farewells[0].heartbeats[0].native.clone().unwrap();
    assert!(!said.acting, "not for the group any more");
    assert_eq!(said.applied_for, Some(Duration::ZERO), "from now on");
}

#[test]
fn whoever_runs_alone_has_nothing_to_stop_whatever_changes() {
    let mut world = World::with_health(EndpointLoss::StepDown, None, health(0));
    world.step(Event::Configured(Desired::Nothing));
    world.configure(target("g", Mode::None));
    assert_eq!((world.role_now(), world.standing.score), (Role::None, FailoverScore::FULL));
    assert!(world.standing.warnings.is_empty(), "{:?}", world.standing.warnings);
}

#[test]
fn who_leaves_failover_while_it_stops_gives_the_seat_free() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    assert!(world.next_says_acting());
    world.step(Event::Configured(Desired::Nothing));
    assert!(!world.farewells[0].heartbeats[0].native.as_ref().unwrap().acting);
}

#[test]
fn whoever_is_stopping_cannot_take_the_role_and_scores_nothing() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    world.pass(T / 4);
    assert_eq!(world.role(ClientRole::Secondary).score, FailoverScore::FULL);
    world.pass(T / 4);
    assert_eq!(world.role(ClientRole::Secondary).score, FailoverScore::ZERO);
    world.obey(world.standing.order);
    assert_eq!(world.role(ClientRole::Secondary).score, FailoverScore::FULL);
}

#[test]
fn a_deadline_that_became_earlier_proves_nothing_to_whoever_still_holds_the_later_one() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    let Acting::Until(later) = world.standing.acting else { panic!("it acts until a deadline") };
    // The group was made anew with a smaller T, and its answer permits less.
    world.pass(T / 4);
    let small = HeartbeatAnswer {
        timeout: FailoverTimeout::new(T / 4).ok(),
        ..HeartbeatAnswer::new(ClientRole::Primary)
    };
    world.answer(Ok(Answer::Heartbeat(small)));
    let Acting::Until(earlier) = world.standing.acting else { panic!("it acts until a deadline") };
    assert!(earlier < later);
    world.pass(earlier.since(world.now.uptime) + STOP_BUDGET);
    assert_eq!(world.role_now(), Role::Secondary);
    assert!(world.machine.heartbeat(world.now).native.unwrap().acting);
    world.pass(later.since(world.now.uptime) + STOP_BUDGET);
    assert!(!world.machine.heartbeat(world.now).native.unwrap().acting);
}

#[test]
fn a_crash_while_it_stops_does_not_make_it_forget_that_it_was_primary() {
    let mut world = World::protecting_primary(EndpointLoss::KeepRole);
    world.step(Event::Stop(world.now.uptime + T));
    assert!(!world.machine.has_stopped());
    assert_eq!(world.known.as_ref().map(|known| known.was_primary), Some(true));
}

#[test]
fn an_order_has_a_new_number_only_where_it_demands_something_else() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    let number = world.standing.order;
    world.pass(T / 4);
    world.role_under(ClientRole::Primary, Some(5));
    assert_eq!(world.standing.order, number, "a deadline that moves is no other order");
    world.configure(Target { revision: 2, ..target("g", Mode::Cold) });
    assert_eq!(world.standing.order, number, "a mode waits for the next demotion");
    world.role(ClientRole::Secondary);
    assert_eq!(world.standing.order, number + 1);
}

#[test]
fn a_score_that_changes_is_heard_at_once_and_at_most_twice_a_second() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    let scoring = |world: &mut World, score| {
        let obeyed = world.standing.order;
        world.step(Event::Health(Health { score: FailoverScore::new(score), ..health(obeyed) }));
    };
    scoring(&mut world, 75);
    assert_eq!(world.standing.score.get(), 75);
    assert_eq!(world.role_under(ClientRole::Primary, Some(5)).score.get(), 75);
    scoring(&mut world, 75);
    assert!(world.calls.is_empty(), "it did not change");
    let (mut heard, end) = (0, world.now.uptime + Duration::from_secs(4));
    let mut flip = false;
    while world.now.uptime < end {
        flip = !flip;
        scoring(&mut world, if flip { 50 } else { 75 });
        while !world.calls.is_empty() {
            world.role_under(ClientRole::Primary, Some(5));
            heard += 1;
        }
        world.pass(Duration::from_millis(10));
    }
    assert!((8..=13).contains(&heard), "{heard} in 4 s: four at once, then two a second, and the pace");
}

#[test]
fn what_is_reported_is_shown_and_said() {
    let mut world = World::protecting_primary(EndpointLoss::StepDown);
    let at = world.now.wall;
    world.step(Event::Health(Health {
        obeyed: world.standing.order,
        score: Some(FailoverScore::ZERO),
        state: Some(AdapterState::Faulted),
        last_data: Some(at),
        warnings: vec!["The collector ended.".to_owned()],
        ..Health::NOTHING_PROTECTED
    }));
    assert_eq!(world.standing.adapter_state, AdapterState::Faulted);
    assert_eq!(world.standing.last_data, Some(at));
    assert!(world.standing.warnings.contains(&"The collector ended.".to_owned()));
    let heartbeat = world.role_under(ClientRole::Primary, Some(5));
    assert_eq!((heartbeat.score, heartbeat.last_data), (FailoverScore::ZERO, Some(at)));
}
