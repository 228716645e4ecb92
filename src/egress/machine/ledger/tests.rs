//! The books of one destination, as tables of situations.

use super::*;
use crate::domain::{Acting, Mode, Role, Standing};

const HOLD_BACK: Duration = Duration::from_secs(10);

const TERMS: Terms = Terms { standby: StandbyAnswer::Refuse, limit: 1_000 };

fn at(secs: u64) -> Uptime {
    Uptime::new(Duration::from_secs(secs))
}

fn ledger() -> Ledger {
    Ledger::new(None, HOLD_BACK, &BootId::new("this"), at(200))
}

fn moment(secs: u64) -> Now {
    Now { uptime: at(secs), wall: Wall::from_micros(i64::try_from(secs).unwrap()) }
}

fn primary() -> Order {
    let standing = Standing { role: Role::Primary, acting: Acting::Unbounded, ..Standing::default() };
    Order::of(&standing)
}

/// A request that arrives, and is settled at once.
fn arrives(ledger: &mut Ledger, secs: u64) {
    let ticket = enters(ledger, secs);
    assert_eq!(ledger.take(&primary(), TERMS, 10, false), Ok(Taken::Pass));
    ledger.settle(ticket, Settlement::Acknowledged, 200, moment(secs));
}

/// A request whose head is read.
fn enters(ledger: &mut Ledger, secs: u64) -> Ticket {
    ledger.look(at(secs));
    ledger.enter(&primary(), TERMS, moment(secs)).unwrap()
}

fn covered(ledger: &Ledger) -> Option<(Uptime, Uptime)> {
    let coverage = ledger.coverage(&BootId::new("this"))?;
    Some((coverage.covered_from, coverage.settled_until))
}

/// One request a second.
fn run(ledger: &mut Ledger, from: u64, to: u64) {
    (from..=to).for_each(|secs| arrives(ledger, secs));
}

#[test]
fn what_comes_late_after_a_break_is_as_old_as_it_may_be() {
    let mut ledger = ledger();
    run(&mut ledger, 200, 205);
    arrives(&mut ledger, 216);
    enters(&mut ledger, 217);
    assert_eq!(covered(&ledger).unwrap(), (at(227), at(206)), "what comes now may be 11 s late");
    ledger.cover_anew();
    assert_eq!(covered(&ledger), None, "something was refused");
}

#[test]
fn a_request_is_under_way_while_its_body_comes_and_lost_if_it_does_not() {
    let mut ledger = ledger();
    run(&mut ledger, 200, 205);
    let (slow, broken) = (enters(&mut ledger, 206), enters(&mut ledger, 207));
    run(&mut ledger, 208, 230);
    assert_eq!(covered(&ledger).unwrap(), (at(200), at(206)), "others pass meanwhile");
    assert_eq!(ledger.open_since(), Some(Wall::from_micros(206)));
    ledger.settle(slow, Settlement::Acknowledged, 200, moment(230));
    assert_eq!(covered(&ledger).unwrap(), (at(200), at(207)));
    ledger.lose(broken);
    assert_eq!((covered(&ledger), ledger.open_since()), (None, None));
    arrives(&mut ledger, 231);
    assert_eq!(covered(&ledger).unwrap(), (at(255), at(231)), "it may come again, 24 s late");
}

fn block(id: i64, first: u64) -> Block {
    let (first, boot) = (moment(first), BootId::new("this"));
    Block { id, first_sequence: 1, entries: 1, settled: 0, bytes: 10, boot, first, last: first }
}

#[test]
fn what_is_not_settled_is_as_old_as_the_oldest_whichever_block_has_it() {
    let mut ledger = ledger();
    run(&mut ledger, 200, 205);
    // The second was passed on first, and hung.
    ledger.written(block(1, 204), 0);
    ledger.written(block(2, 201), 0);
    assert_eq!(covered(&ledger).unwrap().1, at(201));
    assert_eq!(ledger.open_since(), Some(Wall::from_micros(201)));
    let other = ledger.coverage(&BootId::new("another"));
    assert_eq!(other.unwrap().settled_until, Uptime::default(), "older than any uptime of this boot");
}

#[test]
fn a_full_standby_drops_its_oldest_and_a_full_primary_takes_nothing() {
    let hot = Standing { applied_mode: Some(Mode::Hot), role: Role::Secondary, ..Standing::default() };
    let hot = Order::of(&hot);
    let mut ledger = ledger();
    for id in 1..=3 {
        ledger.waiting += 1;
        ledger.written(Block { bytes: 300, ..block(id, 200) }, 0);
    }
    let mut take = |order: &Order, size| {
        let taken = ledger.take(order, TERMS, size, false);
        (
            taken.map(|taken| matches!(taken, Taken::Keep(over) if over[0].id == 1 && over.len() == 1)),
            ledger.load(),
            ledger.tally().dropped,
        )
    };
    assert_eq!(take(&primary(), 101), (Err(Turned::Full), (3, 900), 0));
    assert_eq!(take(&hot, 101), (Ok(true), (3, 701), 1));
    // What is being written leaves no room, however much is dropped.
    assert_eq!(take(&hot, 900), (Err(Turned::Full), (3, 701), 1));
    let ticket = enters(&mut ledger, 300);
    ledger.not_written(ticket, 101, vec![Block { bytes: 300, ..block(1, 200) }]);
    assert_eq!((ledger.load(), ledger.tally().dropped), ((3, 900), 0), "nothing was dropped after all");
    assert_eq!(ledger.first(u64::MAX).iter().map(|block| block.id).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn when_something_arrived_last_is_noted_once_in_the_hold_back_and_at_the_end() {
    let (mut ledger, boot) = (ledger(), BootId::new("this"));
    let noted = |ledger: &mut Ledger, secs, at_last| {
        let arrival = ledger.arrival_to_note(&boot, at(secs), at_last)?;
        Some((arrival.since.since_boot().as_secs(), arrival.last.since_boot().as_secs()))
    };
    assert_eq!(noted(&mut ledger, 200, true), None, "nothing came");
    run(&mut ledger, 200, 205);
    assert_eq!(noted(&mut ledger, 205, false), Some((205, 205)));
    run(&mut ledger, 206, 214);
    assert_eq!(noted(&mut ledger, 214, false), None, "not yet again");
    let slow = enters(&mut ledger, 215);
    run(&mut ledger, 216, 218);
    assert_eq!(noted(&mut ledger, 218, false), Some((215, 218)), "what is under way may come again");
    assert_eq!(noted(&mut ledger, 240, true), None, "there is nothing new");
    ledger.lose(slow);
    run(&mut ledger, 219, 219);
    assert_eq!(noted(&mut ledger, 219, true), Some((215, 219)), "what was missed, too");
}
