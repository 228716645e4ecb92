//! The endpoint's database, as its tables behave.

use std::collections::BTreeMap;

use client_failover::{
    domain::{GroupKey, GroupSpec, OverrideRecord, RegisteredSession, SeatRecord, SessionId, Wall},
    endpoint::Mark,
};

use super::told::RowId;

/// What is on the endpoint's disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    pub(crate) groups: BTreeMap<GroupKey, GroupSpec>,
    pub(crate) sessions: BTreeMap<(GroupKey, SessionId), RegisteredSession>,
    pub(crate) overrides: BTreeMap<GroupKey, OverrideRecord>,
    pub(crate) seats: BTreeMap<GroupKey, SeatRecord>,
    pub(crate) seat_records: u64,
    /// What happened in each group, and when something did last in any.
    pub(crate) changes: BTreeMap<GroupKey, Vec<RowId>>,
    pub(crate) changed_at: Option<Wall>,
}

/// A transaction.
#[derive(Debug, Clone)]
pub(crate) enum Transaction {
    InsertGroup(GroupSpec),
    DeleteGroup(GroupKey),
    /// With its group, should that be missing.
    InsertSession(GroupSpec, RegisteredSession),
    /// With an override of it, or without.
    DeleteSession(GroupKey, SessionId, bool),
    ReplaceOverride(GroupKey, Option<OverrideRecord>),
    RecordSeat(GroupKey, SeatRecord),
}

/// A constraint of the database forbids it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Forbidden;

impl Store {
    pub(crate) fn commit(&mut self, transaction: &Transaction) -> Result<(), Forbidden> {
        match transaction {
            Transaction::InsertGroup(spec) => {
                self.groups.insert(spec.key(), spec.clone());
            }
            Transaction::DeleteGroup(key) => {
                self.groups.remove(key);
                self.sessions.retain(|(group, _), _| group != key);
                self.overrides.remove(key);
            }
            Transaction::InsertSession(group, session) => {
                self.groups.insert(group.key(), group.clone());
                self.sessions.insert((group.key(), session.spec.id.clone()), session.clone());
            }
            Transaction::DeleteSession(key, id, with_override) => {
                self.sessions.remove(&(key.clone(), id.clone()));
                if *with_override && self.overrides.get(key).is_some_and(|record| record.session == *id) {
                    self.overrides.remove(key);
                }
            }
            Transaction::ReplaceOverride(key, record) => {
                self.overrides.remove(key);
                if let Some(record) = record {
                    if !self.groups.contains_key(key) {
                        return Err(Forbidden);
                    }
                    self.overrides.insert(key.clone(), record.clone());
                }
            }
            Transaction::RecordSeat(key, record) => {
                self.seats.insert(key.clone(), record.clone());
                self.seat_records = record.number_after(self.seat_records);
            }
        }
        Ok(())
    }
}

/// The endpoint's data folder: the database and the high-water mark beside it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Folder {
    pub(crate) store: Store,
    pub(crate) mark: Option<Mark>,
}
