//! Every reason of the closed list that is registration's has its row and its sentence.

use std::collections::BTreeMap;

use super::{deliveries::receipt, *};
use crate::domain::{FailureKind, Receipt};

/// Whether registration gives this reason; the others are those of the gate, the collector and the reports.
fn is_ours(reason: Reason) -> bool {
    match reason {
        Reason::Started
        | Reason::Stopping
        | Reason::NotConfigured
        | Reason::ModeNone
        | Reason::ConfigurationChanged
        | Reason::ConfigurationUnusable
        | Reason::Registering
        | Reason::RegistrationAccepted
        | Reason::SessionForgotten
        | Reason::ToldPrimary
        | Reason::ToldSecondary
        | Reason::TookOver
        | Reason::HandedOver
        | Reason::Delivered
        | Reason::LeaseExpired
        | Reason::TookBack
        | Reason::NoAnswer
        | Reason::Answered
        | Reason::RoleChanged
        | Reason::GroupTimeoutDiffers
        | Reason::Unreachable
        | Reason::TimedOut
        | Reason::Certificate
        | Reason::Redirected
        | Reason::TooLarge
        | Reason::BadAnswer
        | Reason::Unauthorized
        | Reason::Forbidden
        | Reason::NotFound
        | Reason::Conflict
        | Reason::TooManyRequests
        | Reason::ServerError
        | Reason::Refused
        | Reason::TokenFailed => true,
        Reason::DestinationFailed
        | Reason::DestinationRestored
        | Reason::DestinationRefused
        | Reason::BufferOverflowed
        | Reason::BufferFull
        | Reason::GateOverloaded
        | Reason::BufferDamaged
        | Reason::Reported
        | Reason::ReportExpired
        | Reason::ReportDeleted
        | Reason::ProbeSucceeded
        | Reason::ProbeFailed
        | Reason::Stopped
        | Reason::StopTimedOut
        | Reason::Fenced
        | Reason::Exited
        | Reason::StartFailed
        | Reason::GuardLost
        | Reason::Ceded
        | Reason::Recovered => false,
    }
}

/// An adapter that is configured in every way, and stops.
fn configured() -> World {
    let mut world = World::new(EndpointLoss::StepDown, None);
    for desired in [
        Desired::Nothing,
        Desired::Unusable("the key is missing".to_owned()),
        Desired::Target(target("g", Mode::None)),
        Desired::Target(target("g", Mode::Hot)),
    ] {
        world.step(Event::Configured(desired));
    }
    world.register(true);
    world.role(ClientRole::Secondary);
    world.configure(Target { revision: 2, ..target("g", Mode::Cold) });
    world.step(Event::Stop(world.now.uptime));
    world
}

/// A Primary whose mode was changed, and that loses the role.
fn demoted() -> World {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.configure(Target { revision: 2, ..target("g", Mode::Warm) });
    world.role(ClientRole::Secondary);
    world
}

/// A Primary that is forgotten, and hears nothing for long.
fn forgotten() -> World {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.pass(T / 4);
    world.fail(FailureKind::NotFound);
    world.answer(Ok(Answer::Group(GroupTimeout::Usable(FailoverTimeout::new(T * 2).unwrap()))));
    world.answer(Ok(Answer::Session));
    world.role(ClientRole::Primary);
    world.pass(T * 4);
    while let Some((_, Call::Heartbeat(..))) = world.calls.first() {
        world.role(ClientRole::Secondary);
    }
    world
}

/// A Primary that took over with a receipt, and whose gate has counted; and one that handed over.
fn handed_over() -> [World; 2] {
    let answered = |world: &mut World, role, receipt| {
        let answer =
            HeartbeatAnswer { epoch: Epoch::new(6), receipt: Some(receipt), ..HeartbeatAnswer::new(role) };
        world.answer(Ok(Answer::Heartbeat(answer)));
    };
    let mut from = World::new(EndpointLoss::StepDown, Some(was_primary(5)));
    from.configure(target("g", Mode::Hot));
    from.register(true);
    let (me, other) = (SessionId::new("me").unwrap(), SessionId::new("other").unwrap());
    answered(&mut from, ClientRole::Secondary, Box::new(Receipt { from: me, to: other, ..*receipt(6) }));
    let mut to = World::new(EndpointLoss::StepDown, None);
    to.configure(target("g", Mode::Hot));
    to.register(true);
    to.role_under(ClientRole::Primary, Some(6));
    let deliveries =
        Deliveries { epoch: Epoch::new(6), since: to.now, first: Some(to.now), resent: 3, dropped: 0 };
    to.step(Event::Health(Health { deliveries: Some(deliveries), ..Health::NOTHING_PROTECTED }));
    answered(&mut to, ClientRole::Primary, receipt(6));
    [from, to]
}

/// One that was Primary when its plant went down, and finds no endpoint.
fn took_back() -> World {
    let mut world = World::new(EndpointLoss::KeepRole, Some(was_primary(5)));
    world.configure(target("g", Mode::Hot));
    world.pass(T * 2);
    world
}

/// One whose registration fails in this way; or its heartbeat, where a session that is there already is no failure.
fn refused(kind: FailureKind) -> World {
    let mut world = World::new(EndpointLoss::StepDown, None);
    world.configure(target("g", Mode::Hot));
    world.answer(Ok(Answer::Version { version: None, native: true }));
    world.answer(Ok(Answer::Group(GroupTimeout::AsAsked)));
    if kind == FailureKind::Conflict {
        world.answer(Ok(Answer::Session));
    }
    world.fail(kind);
    world.pass(T);
    world
}

#[test]
fn every_reason_that_registration_gives_has_its_row_and_its_sentence() {
    let mut worlds = vec![configured(), demoted(), forgotten(), took_back()];
    worlds.extend(handed_over());
    worlds.extend(FailureKind::ALL.iter().copied().map(refused));
    let mut sentences: BTreeMap<Reason, String> = BTreeMap::new();
    for row in worlds.iter().flat_map(|world| &world.rows) {
        sentences.entry(row.reason).or_insert_with(|| row.explanation.clone());
    }
    let given: Vec<_> = sentences.keys().copied().collect();
    let ours: Vec<_> = Reason::ALL.iter().copied().filter(|reason| is_ours(*reason)).collect();
    assert_eq!(given, ours);
    for (reason, sentence) in sentences {
        assert!(sentence.len() > 10 && !sentence.ends_with('.'), "{reason}: {sentence:?}");
    }
}
