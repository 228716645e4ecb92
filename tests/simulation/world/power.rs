//! Whether the endpoint's process runs: its start with what store and mark say, its end, and its stalls.

use std::collections::BTreeMap;

use client_failover::endpoint::{
    Mark,
    machine::{Attention, Choosing, Estate, Group, Moment},
};

use super::{
    World,
    clock::{MILLISECOND, Span},
    endpoint::{Arrived, Cell, Power, span},
    event::{AtEndpoint, Event},
    registry::Registry,
    writing::Writer,
};

impl World {
    /// Takes up what the store remembers: `Endpoint::open`.
    pub(crate) fn start_endpoint(&mut self) {
        let begun = self.endpoint_clock.now(self.now);
        let now = Moment::attended(begun);
        let endpoint = &mut self.endpoint;
        endpoint.attention = Attention::new(begun);
        endpoint.catching_up = false;
        endpoint.power = Power::Up;
        endpoint.run += 1;
        endpoint.boot = self.endpoint_clock.boot_id();
        endpoint.inbox.clear();
        endpoint.registry = Registry::default();
        (endpoint.cells, endpoint.estates) = (BTreeMap::new(), BTreeMap::new());
        let records = endpoint.folder.store.clone();
        let found = endpoint.folder.mark.clone();
        let exact = found.as_ref().is_some_and(|mark| mark.proves(&endpoint.boot, records.seat_records));
        endpoint.knows_all =
            exact || (found.is_none() && records.groups.is_empty() && records.seat_records == 0);
        endpoint.begun = now;
        let timeouts = records.groups.values().map(|group| group.draft.timeout.get());
        let held = records.seats.values().map(|seat| seat.timeout.get());
        let marked = found.as_ref().map(|mark| mark.longest);
        let longest = timeouts.chain(held).chain(marked).max().unwrap_or_default();
        endpoint.longest = longest;
        let epoch = found.and_then(|mark| mark.epoch);
        let mut waits = BTreeMap::new();
        for (key, mut record) in records.seats {
            let group = records.groups.get(&key).map(|group| group.draft.timeout);
            record.timeout = record.timeout.max(group.unwrap_or(record.timeout));
            let timeout = record.timeout;
            if !exact {
                waits.insert(key.clone(), span(timeout));
            }
            endpoint.estates.insert(key, Estate::restore(Some(record), timeout, exact, now));
        }
        for (key, spec) in records.groups {
            let timeout = spec.draft.timeout;
            let estate =
                endpoint.estates.remove(&key).unwrap_or_else(|| Estate::restore(None, timeout, exact, now));
            let group = Group::create(spec, Choosing::default(), epoch, Some(estate));
            endpoint.cells_made += 1;
            self.judge.lively.group_has(self.now, &key.id, span(timeout));
            if let Some(waits) = waits.get(&key) {
                self.judge.lively.group_waits(self.now, &key.id, *waits);
            }
            endpoint.cells.insert(key, Cell::new(endpoint.cells_made, group));
        }
        for ((key, _), session) in records.sessions {
            if let Some(cell) = endpoint.cells.get_mut(&key) {
                cell.group.remember(now, vec![session]);
            }
        }
        for (key, record) in records.overrides {
            if let Some(cell) = endpoint.cells.get_mut(&key) {
                cell.group.remember_override(now, record, &endpoint.boot);
            }
        }
        endpoint.known_epoch = epoch;
        let seat_records = records.seat_records;
        let mark = Mark { boot: endpoint.boot.clone(), seat_records, epoch, longest, settled: exact };
        endpoint.writer = Writer::new(mark);
        self.judge.lively.endpoint_begins(self.now);
        self.judge.tenures.endpoint_begins();
        self.judge.endpoint_was_disturbed(self.now);
        self.log(|world| {
            format!("the endpoint begins, run {}, exact {exact}, mark {epoch:?}", world.endpoint.run)
        });
        self.tell_absence();
        self.endpoint.sign = None;
        self.replay_after_start();
        self.tick();
    }

    /// Whoever starts the endpoint does so, unless it runs, or its folder is empty and new.
    pub(crate) fn let_endpoint_start(&mut self) {
        if !matches!(self.endpoint.power, Power::Down { .. }) {
            return;
        }
        if self.now < self.endpoint.not_before {
            return self.queue.push(self.endpoint.not_before, Event::EndpointStart);
        }
        self.start_endpoint();
    }

    /// The process is gone; what its store had been handed may be durable or not.
    pub(crate) fn end_endpoint(&mut self, refuses: bool) {
        if matches!(self.endpoint.power, Power::Down { .. }) {
            return;
        }
        self.abandon_writes();
        if self.endpoint.sign.is_none() {
            self.leave_sign(false);
        }
        self.endpoint.power = Power::Down { refuses };
        self.endpoint.run += 1;
        self.judge.lively.endpoint_stops(self.now);
        self.judge.endpoint_was_disturbed(self.now);
    }

    pub(crate) fn freeze_endpoint(&mut self, span: u64) {
        if self.endpoint.is_up() {
            self.attend();
            self.endpoint.power = Power::Frozen;
            self.endpoint.frozen_at = self.now;
            self.judge.lively.endpoint_stops(self.now);
            self.log(|_| format!("the endpoint freezes for {} ms", span / MILLISECOND));
            self.push(span, Event::Endpoint(self.endpoint.run, AtEndpoint::Thaw));
        }
    }

    /// What waits in sockets and timers is found in any order.
    pub(crate) fn thaw_endpoint(&mut self) {
        if self.endpoint.power != Power::Frozen {
            return;
        }
        self.endpoint.power = Power::Up;
        let shortest = self.endpoint.cells.values().map(|cell| cell.group.spec().draft.timeout).min();
        let shortest = shortest.map_or(Span::MAX, |timeout| self.endpoint_clock.true_span(timeout.get()));
        self.judge.lively.endpoint_goes_on(self.now, shortest);
        self.log(|_| "the endpoint goes on".to_owned());
        let mut found: Vec<Arrived> = std::mem::take(&mut self.endpoint.inbox).into();
        let tick_at = self.dice.index(found.len() + 1);
        let turn = self.dice.index(found.len() + 1);
        found.rotate_left(turn);
        self.endpoint.catching_up = true;
        if self.dice.percent(50) {
            self.attend_late();
        }
        for (index, arrived) in found.into_iter().enumerate() {
            if index == tick_at {
                self.tick();
            }
            self.meet(arrived);
        }
        if self.endpoint.catching_up {
            self.attend_late();
        }
        self.tick();
    }

    /// The tick that comes late because the process did not run; nothing that came meanwhile is heard before it.
    pub(crate) fn attend_late(&mut self) {
        self.endpoint.catching_up = false;
        let now = self.endpoint_clock.now(self.now);
        if now.uptime >= self.endpoint.attention.next_tick()
            && let Some(stall) = self.endpoint.attention.tick(now)
        {
            self.tell_stall(stall);
        }
    }
}
