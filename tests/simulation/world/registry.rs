//! Changes of groups, sessions and overrides: one at a time, the store first, then the machine.

use std::collections::VecDeque;

use client_failover::{
    domain::{
        Asked, CallFailure, Expiry, FailoverTimeout, FailureKind, GroupKey, GroupSpec, OverrideRecord,
        RegisteredSession, RoleOverride, SessionId, SessionSpec,
    },
    endpoint::machine::{Choosing, Estate, Group, Registered, Remover},
    registration::machine::{Answer, GroupTimeout},
};

use super::{
    World,
    clock::Instant,
    endpoint::{Cell, failure, span},
    event::{AtEndpoint, Event, Return},
    judge::at_most,
    store::Transaction,
};

/// So many steps of the store at the most until a seat that is on its way is on disk.
const MOST_STEPS: u32 = 50;

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    CreateGroup(GroupSpec),
    DeleteGroup(GroupKey),
    CreateSession(GroupKey, SessionId),
    DeleteSession(GroupKey, SessionId, Remover),
    Override(GroupKey, SessionId, RoleOverride),
    RemoveOverride(GroupKey),
}

/// An operation whose transaction is under way.
#[derive(Debug)]
struct Running {
    operation: Operation,
    transaction: Transaction,
    back: Option<Return>,
    keeps: bool,
    says_yes: bool,
    /// Whether the transaction has reached the disk, or failed to.
    reached: bool,
    /// When the store answers.
    ends: Instant,
}

/// The endpoint's registry lock: who has it, and who waits.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    running: Option<Running>,
    waiting: VecDeque<(Operation, Option<Return>)>,
}

impl Registry {
    /// When the store answers what is under way.
    pub(crate) fn ends(&self) -> Instant {
        self.running.as_ref().map_or(0, |running| running.ends)
    }
}

type Outcome = Result<Answer, CallFailure>;

impl World {
    /// Does `operation` as soon as those before it are done.
    pub(crate) fn operate(&mut self, operation: Operation, back: Option<Return>) {
        self.endpoint.registry.waiting.push_back((operation, back));
        self.begin_operation();
    }

    fn begin_operation(&mut self) {
        while self.endpoint.registry.running.is_none() {
            let Some((operation, back)) = self.endpoint.registry.waiting.pop_front() else { return };
            match self.prepare(&operation) {
                Ok(transaction) => {
                    let (latency, keeps, says_yes) = self.store_outcome();
                    let ends = self.now + latency;
                    self.endpoint.registry.running =
                        Some(Running { operation, transaction, back, keeps, says_yes, reached: false, ends });
                    let event = Event::Endpoint(self.endpoint.run, AtEndpoint::Registry);
                    self.push(latency, event);
                }
                Err(outcome) => self.answer_operation(back, *outcome),
            }
        }
    }

    fn answer_operation(&mut self, back: Option<Return>, outcome: Outcome) {
        if let Some(back) = back {
            self.send_down(back, outcome);
        }
    }

    /// What the store is to do; or the answer, where there is nothing to do.
    fn prepare(&mut self, operation: &Operation) -> Result<Transaction, Box<Outcome>> {
        if let Operation::Override(key, id, asked) = operation {
            return self.prepare_override(key, id, *asked);
        }
        let not_found = || Box::new(Err(failure(FailureKind::NotFound)));
        let cells = &self.endpoint.cells;
        match operation {
            Operation::CreateGroup(spec) => match cells.get(&spec.key()) {
                Some(cell) if cell.group.spec().agrees_with(spec) => {
                    Err(Box::new(group_answer(cell.group.spec())))
                }
                Some(_) => Err(Box::new(Err(failure(FailureKind::Conflict)))),
                None => Ok(Transaction::InsertGroup(spec.clone())),
            },
            Operation::DeleteGroup(key) => match cells.get(key) {
                Some(cell) if cell.group.is_empty() => Ok(Transaction::DeleteGroup(key.clone())),
                Some(_) => Err(Box::new(Err(failure(FailureKind::Conflict)))),
                None => Err(not_found()),
            },
            Operation::CreateSession(key, id) => {
                let Some(cell) = cells.get(key) else { return Err(not_found()) };
                let (outcome, order) = cell.group.would_register(id, None);
                let spec = SessionSpec { id: id.clone(), name: None, additional_data: None };
                match outcome {
                    Registered::New => {
                        let group = cell.group.spec().clone();
                        Ok(Transaction::InsertSession(group, RegisteredSession { spec, order }))
                    }
                    Registered::Same | Registered::Differs => Err(Box::new(Ok(Answer::Session))),
                }
            }
            Operation::DeleteSession(key, id, by) => match cells.get(key) {
                Some(cell) if cell.group.has(id) => {
                    let with_override = *by != Remover::Itself;
                    Ok(Transaction::DeleteSession(key.clone(), id.clone(), with_override))
                }
                _ => Err(not_found()),
            },
            Operation::Override(..) => Err(not_found()),
            Operation::RemoveOverride(key) => match cells.get(key) {
                Some(cell) if cell.group.override_to_remove() => {
                    Ok(Transaction::ReplaceOverride(key.clone(), None))
                }
                _ => Err(not_found()),
            },
        }
    }

    fn prepare_override(
        &mut self,
        key: &GroupKey,
        id: &SessionId,
        asked: RoleOverride,
    ) -> Result<Transaction, Box<Outcome>> {
        let now = self.endpoint_now();
        let group = self.endpoint.cells.get(key).map(|cell| &cell.group);
        let (known, forced) = group.map_or((false, false), |group| (group.has(id), group.forces(id)));
        match asked {
            RoleOverride::Off if forced => Ok(Transaction::ReplaceOverride(key.clone(), None)),
            _ if !known => Err(Box::new(Err(failure(FailureKind::NotFound)))),
            RoleOverride::Off => Err(Box::new(Ok(Answer::Session))),
            RoleOverride::Primary(period) => {
                let expires = period.map(|period| Expiry {
                    uptime: now.clock + period,
                    wall: now.wall.plus(period),
                    boot: self.endpoint.boot.clone(),
                });
                let record = OverrideRecord { session: id.clone(), expires, asked: Asked::default() };
                Ok(Transaction::ReplaceOverride(key.clone(), Some(record)))
            }
        }
    }

    /// The transaction reaches the disk, or does not.
    pub(crate) fn reach_registry_disk(&mut self) {
        let Some(running) = self.endpoint.registry.running.as_mut().filter(|running| !running.reached) else {
            return;
        };
        running.reached = true;
        if running.keeps && self.endpoint.folder.store.commit(&running.transaction).is_err() {
            running.says_yes = false;
        }
    }

    /// The process is killed while a transaction is under way: it is kept or not.
    pub(crate) fn abandon_operation(&mut self) {
        if self.dice.percent(50) {
            self.reach_registry_disk();
        }
    }

    pub(crate) fn registry_store_answered(&mut self) {
        let Some(running) = self.endpoint.registry.running.take() else { return };
        let outcome = if running.says_yes {
            self.finish(&running.operation, &running.transaction)
        } else {
            self.judge.endpoint_was_disturbed(self.now);
            Err(failure(FailureKind::ServerError))
        };
        self.answer_operation(running.back, outcome);
        self.begin_operation();
    }

    /// The machine follows the store.
    fn finish(&mut self, operation: &Operation, transaction: &Transaction) -> Outcome {
        let now = self.endpoint_now();
        let endpoint = &mut self.endpoint;
        match (operation, transaction) {
            (Operation::CreateGroup(spec), _) => {
                let key = spec.key();
                let longest = FailoverTimeout::new(endpoint.longest).unwrap_or(spec.draft.timeout);
                let waits = spec.draft.timeout.max(longest);
                let new = || Estate::restore(None, waits, endpoint.knows_all, endpoint.begun);
                let known = endpoint.estates.remove(&key);
                if known.is_none() && self.mark_was_lost {
                    // Whoever acts in it may do so by a T that the endpoint has forgotten with the mark.
                    let had = self.judge.lively.longest(&key.id).filter(|had| *had > span(waits));
                    let until = self.now + at_most(had.unwrap_or_default());
                    self.judge.sink.excuse(&key.id, until);
                }
                let estate = known.unwrap_or_else(new);
                self.judge.lively.group_has(self.now, &key.id, span(spec.draft.timeout));
                if estate.is_renewing(now) {
                    self.judge.lively.group_waits(self.now, &key.id, span(waits));
                }
                let (choosing, epoch) = (Choosing::default(), endpoint.known_epoch);
                let group = Group::create(spec.clone(), choosing, epoch, Some(estate));
                endpoint.cells_made += 1;
                endpoint.cells.insert(key.clone(), Cell::new(endpoint.cells_made, group));
                self.keep_books(&key);
                let now = self.endpoint_clock.now(self.now);
                if let Some(stall) = self.endpoint.attention.quicken(now, spec.draft.timeout) {
                    self.tell_stall(stall);
                }
                return group_answer(spec);
            }
            (Operation::DeleteGroup(key), _) => self.forget_group(key),
            (_, Transaction::InsertSession(group, session)) => {
                if let Some(cell) = endpoint.cells.get_mut(&group.key()) {
                    cell.group.register(now, session.clone());
                }
            }
            (Operation::DeleteSession(key, id, by), _) => {
                if let Some(cell) = endpoint.cells.get_mut(key) {
                    cell.group.unregister(now, id, *by);
                }
                for site in (0..self.sites.len()).filter(|site| self.sites[*site].disk.session == *id) {
                    self.judge.lively.contact_ends(self.now, site);
                }
                self.keep_books(key);
            }
            (Operation::RemoveOverride(key), _) => {
                if let Some(cell) = endpoint.cells.get_mut(key) {
                    cell.group.override_removed();
                }
            }
            (Operation::Override(key, id, _), Transaction::ReplaceOverride(_, record)) => {
                if let Some(cell) = endpoint.cells.get_mut(key) {
                    match record {
                        Some(record) => cell.group.force(now, record.clone(), &endpoint.boot),
                        None => cell.group.unforce(now, id, &Asked::default()),
                    }
                }
                self.keep_books(key);
            }
            (Operation::CreateSession(..) | Operation::Override(..), _) => {}
        }
        Ok(Answer::Session)
    }
}

impl World {
    /// A group is deleted: what stays of it, and what is to be written of it.
    fn forget_group(&mut self, key: &GroupKey) {
        if let Some(cell) = self.endpoint.cells.get_mut(key) {
            cell.group.hurry();
            self.keep_books(key);
        }
        // Whoever deletes it waits for the seat that is on its way; here that takes no time, and a store that refuses for
        // long is not waited for.
        for _ in 0..MOST_STEPS {
            if !self.endpoint.cells.get(key).is_some_and(|cell| cell.group.is_recording()) {
                break;
            }
            self.reach_seat_disk();
            self.seat_store_answered();
        }
        let Some(mut cell) = self.endpoint.cells.remove(key) else { return };
        self.endpoint.estates.insert(key.clone(), cell.group.leave_estate());
        let cut = self.endpoint.writer.leave_rows(key, &mut cell);
        self.judge.told.lose(&cut);
        for (_, back) in std::mem::take(&mut cell.waiting) {
            self.send_down(back, Err(failure(FailureKind::NotFound)));
        }
        self.write_what_is_left();
    }
}

fn group_answer(spec: &GroupSpec) -> Outcome {
    Ok(Answer::Group(GroupTimeout::Usable(spec.draft.timeout)))
}
