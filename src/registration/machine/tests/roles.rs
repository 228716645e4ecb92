//! What an answer, or none, does to the role.

use super::{super::*, *};
use crate::domain::{Coverage, CoverageAges, Coverages, DestinationKey, Echo, GateCoverage, Proof};

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
    let mut world = World::new(EndpointLoss::StepDown, None);
    world.configure(target("g", Mode::Hot));
    world.register(true);
    world.role(ClientRole::Primary);
    assert_eq!(world.order, ["record", "publish"]);
    world.role(ClientRole::Primary);
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
    let answer = HeartbeatAnswer::new(ClientRole::Primary);
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
        let answer = HeartbeatAnswer::new(ClientRole::Primary);
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
    let said = |text: &str| world.standing.warnings.iter().any(|warning| warning.contains(text));
    assert!(said("role is kept without the endpoint") && said("nobody here knows who is Primary"));
    world.role(ClientRole::Secondary);
    assert_eq!(world.role_now(), Role::Secondary);
    assert!(world.standing.warnings.is_empty());
}

#[test]
fn auto_steps_down_where_the_gates_keep_everything() {
    for (mode, has_destination, wanted) in [
        (Mode::Hot, true, Role::Secondary),
        (Mode::Hot, false, Role::Primary),
        (Mode::Warm, true, Role::Primary),
        (Mode::Cold, true, Role::Primary),
    ] {
        let mut world = World::new(EndpointLoss::Auto, None);
        world.configure(Target { has_destination, ..target("g", mode) });
        world.register(true);
        world.role(ClientRole::Primary);
        let said = world.role(ClientRole::Primary).native.unwrap().loss;
        world.pass(T);
        assert_eq!(world.role_now(), wanted, "{mode} {has_destination}");
        let steps_down = wanted == Role::Secondary;
        assert_eq!(said, Some(if steps_down { EndpointLoss::StepDown } else { EndpointLoss::KeepRole }));
    }
}

#[test]
fn a_mode_that_waits_for_a_demotion_is_warned_about_with_what_it_will_change() {
    for (now, then, what) in [
        (Mode::Warm, Mode::Hot, " Only then will it step down without the endpoint."),
        (Mode::Hot, Mode::Warm, " Only then will it keep its role without the endpoint."),
        (Mode::Warm, Mode::Cold, ""),
    ] {
        let mut world = World::new(EndpointLoss::Auto, None);
        world.configure(Target { has_destination: true, ..target("g", now) });
        world.register(true);
        world.role(ClientRole::Primary);
        world.configure(Target { revision: 2, has_destination: true, ..target("g", then) });
        let waits = format!(
            "The mode {then} is applied once this adapter is Secondary; until then it is {now}.{what}"
        );
        assert_eq!(world.standing.warnings, [waits]);
        world.role(ClientRole::Secondary);
        assert_eq!(world.standing.warnings, [""; 0]);
    }
}

#[test]
fn what_the_gate_has_settled_is_said_and_what_the_others_gate_has_is_published() {
    let mut world = World::primary(EndpointLoss::StepDown);
    let from = |secs| world.now.uptime - Duration::from_secs(secs);
    let key = DestinationKey::parse("historian").unwrap();
    let coverage = Coverage { covered_from: from(60), settled_until: from(2) };
    world.machine.hear_gate(GateCoverage::from([(key.clone(), coverage)]), None);
    world.pass(T / 4);
    world.machine.hear_gate(GateCoverage::new(), None);
    let said = world.role(ClientRole::Secondary).native.unwrap().coverages;
    let quarter = T / 4;
    let ages = CoverageAges {
        covered_from: Duration::from_secs(60) + quarter,
        oldest_unsettled: Duration::from_secs(2) + quarter,
    };
    assert_eq!(said, Coverages::from([(key, ages)]));

    let asked = world.now.uptime;
    let answer = HeartbeatAnswer { coverages: said.clone(), ..HeartbeatAnswer::new(ClientRole::Secondary) };
    let Call::Heartbeat(_, _, heartbeat) = world.answer(Ok(Answer::Heartbeat(answer))) else { panic!() };
    assert_eq!(heartbeat.native.unwrap().coverages, Coverages::new());
    assert_eq!(world.standing.proof, Some(Proof { asked, heard: asked, coverages: said }));
    world.pass(T / 4);
    world.role(ClientRole::Primary);
    assert_eq!(world.standing.proof, None);
}

#[test]
fn what_an_answer_asks_to_hear_again_the_next_heartbeat_says() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.pass(T / 4);
    let echo = Echo::new("which answer this was").ok().map(Box::new);
    let answer = HeartbeatAnswer { echo: echo.clone(), ..HeartbeatAnswer::new(ClientRole::Primary) };
    world.answer(Ok(Answer::Heartbeat(answer)));
    world.pass(T / 4);
    assert_eq!(world.role(ClientRole::Primary).native.unwrap().echo, echo);
    world.pass(T / 4);
    assert_eq!(world.role(ClientRole::Primary).native.unwrap().echo, None, "the last one asked for nothing");
}

#[test]
fn a_demotion_is_said_at_once() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.pass(T / 4);
    world.role(ClientRole::Secondary);
    let Some((_, Call::Heartbeat(_, _, heartbeat))) = world.calls.first() else { panic!("no heartbeat") };
    let native = heartbeat.native.clone().unwrap();
    assert!(!native.acting);
    assert_eq!((native.sequence, native.answered), (4, 3));
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
fn a_role_lost_with_the_power_is_taken_back_under_keep_role_only() {
    for (loss, expected) in
        [(EndpointLoss::KeepRole, Role::Primary), (EndpointLoss::StepDown, Role::Secondary)]
    {
        let mut world = World::new(loss, Some(was_primary(9)));
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
fn a_role_is_taken_back_one_t_after_the_endpoint_was_first_asked_however_long_the_start_took() {
    let mut world = World::new(EndpointLoss::KeepRole, Some(was_primary(9)));
    world.pass(T * 3);
    world.configure(target("g", Mode::Hot));
    world.pass(T - Duration::from_millis(1));
    assert_eq!(world.role_now(), Role::Secondary);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.role_now(), Role::Primary);
}

#[test]
fn a_role_is_not_taken_back_once_the_endpoint_was_heard() {
    let mut world = World::new(EndpointLoss::KeepRole, Some(was_primary(9)));
    world.configure(target("g", Mode::Hot));
    world.register(true);
    assert_eq!(world.role(ClientRole::Secondary).native.unwrap().epoch, Epoch::new(9));
    world.pass(T * 3);
    assert_eq!(world.role_now(), Role::Secondary);
}
