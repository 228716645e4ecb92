//! What the gate delivered of a hand-over is recorded once, with the receipt where there is one.

use super::*;
use crate::domain::{GroupReason, LastAct, Receipt};

fn deliveries(world: &World, epoch: u64, resent: u64) -> Health {
    let deliveries =
        Deliveries { epoch: Epoch::new(epoch), since: world.now, first: Some(world.now), resent, dropped: 0 };
    Health { deliveries: Some(deliveries), ..Health::NOTHING_PROTECTED }
}

pub(super) fn receipt(epoch: u64) -> Box<Receipt> {
    let ago = Duration::from_millis;
    Box::new(Receipt {
        epoch: Epoch::new(epoch).unwrap(),
        from: SessionId::new("other").unwrap(),
        to: SessionId::new("me").unwrap(),
        cause: GroupReason::StoppedActing,
        last_act: LastAct::Said,
        last_act_ago: ago(20),
        first_act_ago: ago(10),
        last_delivered_ago: Some(ago(30)),
    })
}

/// Answers the heartbeat under way with Primary under epoch 5, and a receipt or none.
fn renew(world: &mut World, receipt: Option<Box<Receipt>>) {
    let answer =
        HeartbeatAnswer { epoch: Epoch::new(5), receipt, ..HeartbeatAnswer::new(ClientRole::Primary) };
    world.answer(Ok(Answer::Heartbeat(answer)));
}

/// A machine that has just become Primary, whose next heartbeat is under way.
fn promoted() -> World {
    let mut world = World::new(EndpointLoss::StepDown, None);
    world.configure(target("g", Mode::Hot));
    world.register(true);
    world.role_under(ClientRole::Primary, Some(5));
    world
}

fn rows(world: &World) -> Vec<(Reason, Option<i64>)> {
    let rows = world.rows.iter().filter(|row| row.kind == TransitionKind::HandOver);
    rows.map(|row| (row.reason, row.gap_us)).collect()
}

#[test]
fn the_count_waits_for_the_receipt_and_is_recorded_once() {
    let mut world = promoted();
    world.step(Event::Health(deliveries(&world, 5, 3)));
    assert_eq!(
        rows(&world),
        [],
        "the receipt comes in the answer to the first heartbeat that says that it acts"
    );
    renew(&mut world, Some(receipt(5)));
    assert_eq!(rows(&world), [(Reason::TookOver, Some(10_000)), (Reason::Delivered, Some(30_000))]);
    let shown = world.standing.hand_over.clone().unwrap();
    assert_eq!(shown.deliveries.map(|gate| gate.resent), Some(3));
    world.pass(T / 4);
    renew(&mut world, Some(receipt(5)));
    assert_eq!(rows(&world).len(), 2);
}

#[test]
fn a_receipt_that_is_told_again_is_one_row_and_another_under_the_same_epoch_is_another() {
    let mut world = promoted();
    let later = |micros, back_after| {
        let passed = Duration::from_micros(micros);
        let receipt = *receipt(5);
        Box::new(Receipt {
            last_act_ago: receipt.last_act_ago + passed + back_after,
            first_act_ago: receipt.first_act_ago + passed + Duration::from_micros(micros % 3),
            ..receipt
        })
    };
    for (micros, back_after) in [(0, 0), (1, 0), (2, 0), (5, 7), (7, 7), (8, 7)] {
        renew(&mut world, Some(later(micros, Duration::from_secs(back_after))));
        world.pass(T / 4);
    }
    assert_eq!(rows(&world), [(Reason::TookOver, Some(10_000)), (Reason::TookOver, Some(7_009_998))]);
}

#[test]
fn a_run_records_the_receipt_of_what_came_after_the_run_before_and_no_other() {
    for (epoch, wanted) in [(4, Vec::new()), (5, Vec::new()), (6, vec![(Reason::HandedOver, Some(10_000))])] {
        let mut world = World::new(EndpointLoss::StepDown, Some(was_primary(5)));
        world.configure(target("g", Mode::Hot));
        world.register(true);
        let (from, to) = (SessionId::new("me").unwrap(), SessionId::new("other").unwrap());
        let receipt = Some(Box::new(Receipt { from, to, ..*receipt(epoch) }));
        for _ in 0..2 {
            let (epoch, receipt) = (Epoch::new(6), receipt.clone());
            let answer = HeartbeatAnswer { epoch, receipt, ..HeartbeatAnswer::new(ClientRole::Secondary) };
            world.answer(Ok(Answer::Heartbeat(answer)));
            world.pass(T / 4);
        }
        assert_eq!(rows(&world), wanted, "{epoch}");
        assert_eq!(world.standing.hand_over.as_ref().map(|shown| shown.epoch), Epoch::new(epoch));
    }
}

#[test]
fn without_a_receipt_it_is_recorded_where_it_says_something() {
    for (resent, wanted) in [(3, vec![(Reason::Delivered, None)]), (0, Vec::new())] {
        let mut world = promoted();
        renew(&mut world, None);
        world.step(Event::Health(deliveries(&world, 5, resent)));
        assert_eq!(rows(&world), wanted, "{resent}");
    }
}

#[test]
fn the_receipt_of_another_hand_over_is_none_of_this_one() {
    let mut world = promoted();
    renew(&mut world, Some(receipt(4)));
    world.step(Event::Health(deliveries(&world, 5, 1)));
    assert_eq!(rows(&world), [(Reason::TookOver, Some(10_000)), (Reason::Delivered, None)]);
    assert_eq!(world.standing.hand_over.as_ref().unwrap().deliveries, None);
}

#[test]
fn a_heartbeat_says_when_the_gate_delivered_last_also_once_it_stands_by() {
    let mut world = World::primary(EndpointLoss::StepDown);
    world.machine.hear_gate(GateCoverage::new(), Some(world.now.uptime));
    world.pass(T / 4);
    world.role(ClientRole::Secondary);
    let Some((_, Call::Heartbeat(_, _, heartbeat))) = world.calls.first() else { panic!("no heartbeat") };
    let native = heartbeat.native.clone().unwrap();
    assert_eq!((native.acting, native.delivered_ago), (false, Some(T / 4)));
}
