//! What the endpoint answers: calls at once, a heartbeat once what it needs is on disk.

use std::net::SocketAddr;

use client_failover::{
    domain::{
        CallFailure, ClientRole, FailureKind, GroupChange, GroupChangeKind, GroupKey, Heartbeat, SessionId,
    },
    endpoint::machine::{Question, Refusal, Remover, Reply as Decision},
    registration::machine::{Answer, Call, GroupTimeout},
};

use super::{
    World,
    endpoint::{failure, group_key, group_spec, not_recorded},
    event::{Ask, Request, Return},
    registry::Operation,
};

impl World {
    pub(crate) fn serve(&mut self, request: Request) {
        let Request { back, port, ask, .. } = request;
        match ask {
            Ask::Call(Call::Version) => {
                self.send_down(back, Ok(Answer::Version { version: None, native: true }));
            }
            Ask::Call(Call::CreateGroup(group, timeout)) => {
                let keeps_silent = self.plan.group(&group).keeps_silent;
                self.operate(Operation::CreateGroup(group_spec(&group, timeout, keeps_silent)), Some(back));
            }
            Ask::Call(Call::ReadGroup(group)) => {
                let cell = self.endpoint.cells.get(&group_key(&group));
                let found = cell.map(|cell| cell.group.spec().draft.timeout);
                let outcome = found.ok_or_else(|| failure(FailureKind::NotFound));
                self.send_down(back, outcome.map(|timeout| Answer::Group(GroupTimeout::Usable(timeout))));
            }
            Ask::Call(Call::CreateSession(group, session, _)) => {
                self.operate(Operation::CreateSession(group_key(&group), session), Some(back));
            }
            Ask::Call(Call::ReadSession(group, session)) => {
                let cell = self.endpoint.cells.get(&group_key(&group));
                let known = cell.is_some_and(|cell| cell.group.has(&session));
                let outcome = if known { Ok(Answer::Session) } else { Err(failure(FailureKind::NotFound)) };
                self.send_down(back, outcome);
            }
            Ask::Call(Call::Heartbeat(group, session, heartbeat)) => {
                self.heartbeat(group_key(&group), &session, &heartbeat, port, back);
            }
            Ask::Delete(group, session) => {
                let farewell = Operation::DeleteSession(group_key(&group), session, Remover::Itself);
                self.operate(farewell, Some(back));
            }
        }
    }

    fn heartbeat(&mut self, key: GroupKey, id: &SessionId, heartbeat: &Heartbeat, port: u16, back: Return) {
        if self.endpoint.catching_up {
            self.attend_late();
        }
        let now = self.endpoint_now();
        let Some(cell) = self.endpoint.cells.get_mut(&key) else {
            return self.send_down(back, Err(failure(FailureKind::NotFound)));
        };
        let connection = SocketAddr::from(([127, 0, 0, 1], port));
        match cell.group.hear(now, id, heartbeat, Some(connection)) {
            Ok(question) => self.answer(&key, question, back),
            Err(refusal) => self.send_down(back, Err(refused(&refusal))),
        }
    }

    /// Takes note of what happened in a group, which is to be written.
    pub(crate) fn hear_changes(&mut self, key: &GroupKey, changes: Vec<GroupChange>) {
        for change in changes {
            let id = self.judge.told.tell(self.endpoint.run, key, &change);
            if let Some(cell) = self.endpoint.cells.get_mut(key) {
                cell.unwritten.push(id);
                cell.due |= change.kind != GroupChangeKind::EndpointAway;
            }
            self.say(key, &change);
        }
    }

    /// Answers, or lets the question wait until its group's record is on disk.
    pub(crate) fn answer(&mut self, key: &GroupKey, question: Question, back: Return) {
        let (now, session) = (self.endpoint_now(), self.sites[back.site].disk.session.clone());
        let Some(cell) = self.endpoint.cells.get_mut(key) else {
            return self.send_down(back, Err(failure(FailureKind::NotFound)));
        };
        let decision = cell.group.answer(now, &question);
        if decision == Ok(Decision::Wait) {
            cell.waiting.push((question, back));
        }
        self.keep_books(key);
        match decision {
            Ok(Decision::Answer(answer)) => {
                if answer.role == ClientRole::Primary {
                    self.judge_holder(key, Some(&session));
                }
                self.send_down(back, Ok(Answer::Heartbeat(answer)));
            }
            Ok(Decision::Unsure) => self.send_down(back, Err(not_recorded())),
            Ok(Decision::Wait) => {}
            Err(refusal) => self.send_down(back, Err(refused(&refusal))),
        }
    }

    /// Says what happened, and has written down what the machine wants written.
    pub(crate) fn keep_books(&mut self, key: &GroupKey) {
        let now = self.endpoint_now();
        let Some(cell) = self.endpoint.cells.get_mut(key) else { return };
        let changes = cell.group.take_changes();
        let nudge = cell.group.take_nudge(now);
        let wake = cell.group.next_wake(now);
        let record = cell.group.take_record(now);
        let id = cell.id;
        self.hear_changes(key, changes);
        if let Some(session) = nudge {
            self.nudge(&key.id, &session);
        }
        if let Some(wake) = wake {
            let wake = self.endpoint.attention.clock_at(wake);
            self.look_by(self.endpoint_clock.when(wake));
        }
        if let Some(record) = record {
            self.write_seat(key.clone(), id, record);
        }
    }

    /// Something happened in a group.
    pub(crate) fn say(&mut self, key: &GroupKey, change: &GroupChange) {
        self.log(|_| {
            let session = change.session.as_ref().map_or("", SessionId::as_str);
            let (kind, reason) = (change.kind, change.reason);
            format!("{}: {kind} {reason} {session} {:?}: {}", key.id, change.epoch, change.explanation)
        });
        if change.kind == GroupChangeKind::StoreWasSetBack {
            self.group_waits_by_the_longest(key);
        }
        self.judge.group_changed(self.now, self.group_timeout(key), key, change);
        self.note_tenure(key, change);
    }
}

impl World {
    /// A member shows that an earlier run of the endpoint knew what this one does not: while its permission may last,
    /// the group waits, and by the longest T there was if it is new to this run.
    fn group_waits_by_the_longest(&mut self, key: &GroupKey) {
        let now = self.endpoint_now();
        let longest = self.endpoint.longest;
        if now.uptime < self.endpoint.begun.uptime + longest {
            let longest = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
            self.judge.lively.group_waits(self.now, &key.id, longest);
        }
    }
}

fn refused(refusal: &Refusal) -> CallFailure {
    match refusal {
        Refusal::Unknown => failure(FailureKind::NotFound),
        Refusal::InUse { .. } => failure(FailureKind::Conflict),
    }
}
