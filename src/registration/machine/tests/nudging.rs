//! Nudges bring heartbeats forward, and only so many; and when there is a stream to hear them by.

use super::{super::*, *};

const MILLI: Duration = Duration::from_millis(1);

/// A member that was told Secondary, with no call under way.
fn member(native: bool) -> World {
    let mut world = World::new(EndpointLoss::Auto, None);
    world.configure(target("g", Mode::Hot));
    world.register(native);
    world.role(ClientRole::Secondary);
    world.pass(MILLI);
    assert!(world.calls.is_empty());
    world
}

#[test]
fn a_nudge_makes_the_next_heartbeat_due_now_and_the_pace_begins_anew() {
    let mut world = member(true);
    let nudged = world.now.uptime;
    world.step(Event::Nudged);
    assert_eq!(world.calls.len(), 1);
    world.role(ClientRole::Secondary);
    assert!(world.calls.is_empty(), "one heartbeat for one nudge");
    assert_eq!(world.machine.next_wake(), Some(nudged + T / 4));
}

#[test]
fn a_nudge_is_obeyed_although_a_heartbeat_is_under_way() {
    let mut world = member(true);
    world.pass(T / 4);
    assert_eq!(world.calls.len(), 1);
    world.step(Event::Nudged);
    assert_eq!(world.calls.len(), 2, "the one under way may have been heard before the nudge");
}

#[test]
fn nudges_while_a_nudged_heartbeat_is_under_way_bring_one_more_after_its_answer() {
    let mut world = member(true);
    for _ in 0..3 {
        world.step(Event::Nudged);
        assert_eq!(world.calls.len(), 1, "one at a time");
    }
    world.role(ClientRole::Secondary);
    assert_eq!(world.calls.len(), 1);
    world.role(ClientRole::Secondary);
    assert!(world.calls.is_empty());
}

#[test]
fn a_flood_of_nudges_brings_forty_heartbeats_at_once_and_then_twenty_a_second() {
    let mut world = member(true);
    let mut sent = 0;
    let mut flood = |world: &mut World, time: Duration| {
        let (mut count, end) = (0, world.now.uptime + time);
        while world.now.uptime < end {
            world.step(Event::Nudged);
            while !world.calls.is_empty() {
                world.role(ClientRole::Secondary);
                count += 1;
            }
            world.pass(MILLI);
        }
        sent += count;
        count
    };
    let first = flood(&mut world, Duration::from_secs(1));
    assert!((58..=61).contains(&first), "{first}");
    let second = flood(&mut world, Duration::from_secs(1));
    assert!((19..=21).contains(&second), "{second}");
    // After two seconds without a nudge there may be a burst again.
    world.pass(Duration::from_secs(2));
    let burst = flood(&mut world, MILLI * 45);
    assert!((39..=41).contains(&burst), "{burst}");
}

#[test]
fn what_the_flood_left_waiting_goes_out_as_soon_as_it_may() {
    let mut world = member(true);
    for _ in 0..40 {
        world.step(Event::Nudged);
        world.role(ClientRole::Secondary);
    }
    world.step(Event::Nudged);
    assert!(world.calls.is_empty());
    world.pass(MILLI * 50);
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn nudges_do_not_shorten_the_wait_after_a_refusal_that_will_not_pass_soon() {
    for (kind, obeyed) in [
        (FailureKind::Unauthorized, false),
        (FailureKind::TokenFailed, false),
        (FailureKind::Conflict, false),
        (FailureKind::TooManyRequests, false),
        (FailureKind::Unreachable, true),
        (FailureKind::ServerError, true),
    ] {
        let mut world = member(true);
        world.pass(T / 4);
        world.fail(kind);
        world.step(Event::Nudged);
        assert_eq!(!world.calls.is_empty(), obeyed, "{kind:?}");
        if !obeyed {
            // Once one is answered, the nudge that waited is obeyed.
            world.pass(T / 4);
            assert_eq!(world.calls.len(), 1, "{kind:?}");
            world.role(ClientRole::Secondary);
            world.step(Event::Nudged);
            assert_eq!(world.calls.len(), 1, "{kind:?}");
        }
    }
}

#[test]
fn a_nudge_changes_no_role_by_itself() {
    let mut world = World::primary(EndpointLoss::StepDown);
    let standing = world.standing.clone();
    world.step(Event::Nudged);
    assert_eq!(world.standing, standing);
    let mut world = member(true);
    world.step(Event::Nudged);
    assert_eq!(world.role_now(), Role::Secondary);
}

#[test]
fn a_nudge_while_registering_or_out_of_failover_means_nothing() {
    let mut world = World::new(EndpointLoss::Auto, None);
    world.step(Event::Nudged);
    world.configure(target("g", Mode::Hot));
    world.step(Event::Nudged);
    assert_eq!(world.calls.len(), 1, "the version is asked for once");
    world.register(true);
    assert_eq!(world.calls.len(), 1, "one first heartbeat");
    world.role(ClientRole::Secondary);
    assert!(world.calls.is_empty());
}

#[test]
fn a_new_primary_posts_a_heartbeat_at_once_so_that_a_native_endpoint_knows_that_it_acts() {
    let mut world = member(true);
    world.step(Event::Nudged);
    world.role(ClientRole::Primary);
    let (_, call) = world.calls.last().unwrap();
    let Call::Heartbeat(_, _, heartbeat) = call else { panic!("{call:?}") };
    assert!(heartbeat.native.as_ref().unwrap().acting);
    world.role(ClientRole::Primary);
    assert!(world.calls.is_empty(), "once");

    let mut world = member(false);
    world.pass(T / 2);
    world.role(ClientRole::Primary);
    assert!(world.calls.is_empty(), "a stock endpoint learns nothing from it");
}

#[test]
fn it_listens_while_it_is_a_member_at_a_native_endpoint() {
    let mut world = World::new(EndpointLoss::Auto, None);
    world.configure(target("g", Mode::Hot));
    assert_eq!(world.listens, None, "it is no member yet");
    world.register(true);
    let listens = world.listens.clone().unwrap();
    assert_eq!((listens.group.as_str(), listens.session.as_str()), ("g", "me"));
    assert_eq!(listens.longest_wait, T);
    world.role(ClientRole::Secondary);
    // In place, with the same client: the stream stays.
    world.configure(Target { mode: Mode::Warm, revision: 2, ..target("g", Mode::Hot) });
    assert!(world.listens.is_some());
    // Another client: another stream.
    world.configure(Target { client: 2, ..target("g", Mode::Hot) });
    assert!(world.listens.is_some());
    world.role(ClientRole::Secondary);
    // The session is not known any more: it listens again once it is a member again.
    world.pass(T / 4);
    world.fail(FailureKind::NotFound);
    assert_eq!(world.listens, None);
    world.answer(Ok(Answer::Group(GroupTimeout::AsAsked)));
    world.answer(Ok(Answer::Session));
    assert!(world.listens.is_some());
    world.step(Event::Configured(Desired::Nothing));
    assert_eq!(world.listens, None);
}

#[test]
fn another_group_is_listened_to_once_it_is_joined() {
    let mut world = member(true);
    world.configure(target("h", Mode::Hot));
    assert_eq!(world.listens, None);
    world.register(true);
    assert_eq!(world.listens.as_ref().unwrap().group.as_str(), "h");
    world.step(Event::Stop(world.now.uptime));
    assert_eq!(world.listens, None);
}

#[test]
fn a_stock_endpoint_is_never_asked_for_events() {
    let mut world = member(false);
    world.pass(T * 2);
    assert_eq!(world.listens, None);
}
