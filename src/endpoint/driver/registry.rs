//! Groups, sessions and overrides as they are made and removed: the store first, then the machine.

use std::{collections::HashSet, sync::Arc};

use super::{
    Call, CallError, Cell, Created, Endpoint, Estate, Group, GroupKey, GroupSpec, Hosted, Registered,
    Remover, SessionId, SessionSpec, SessionView, StoreError, UserName, unpoisoned,
};
use crate::{
    clock,
    domain::{
        Asked, AuditRow, Expiry, FailoverTimeout, GroupId, OverrideRecord, RegisteredSession, RoleOverride,
        Wall,
    },
};

impl Hosted {
    /// Tells the groups whose Ids differ from that of `key` in case alone, and the one of `key`, of each other;
    /// gives one that the latter was told of. A group without sessions is nobody's, and not told of.
    pub(super) fn look_for_namesakes(&self, key: &GroupKey) -> Option<GroupId> {
        let folded = key.id.as_str().to_lowercase();
        let same = |other: &GroupKey| other.place == key.place && other.id.as_str().to_lowercase() == folded;
        let all: Vec<_> = self.groups.iter().filter(|(other, _)| same(other)).collect();
        let used: Vec<_> = all.iter().filter(|(_, cell)| !cell.lock().is_empty()).collect();
        let mut told = None;
        for (of, cell) in &all {
            let other = used.iter().map(|(other, _)| &other.id).find(|other| **other != of.id).cloned();
            if *of == key {
                told.clone_from(&other);
            }
            cell.lock().has_namesake(other);
        }
        told
    }

    /// The same for all groups, at the start.
    pub(super) fn look_for_all_namesakes(&self) {
        let mut seen = HashSet::new();
        for key in self.groups.keys() {
            if !seen.insert((&key.place, key.id.as_str().to_lowercase())) {
                self.look_for_namesakes(key);
            }
        }
    }
}

impl Endpoint {
    /// Creates a group, and keeps `told` in the audit trail; or finds it as it was asked for.
    ///
    /// # Errors
    /// When it exists and differs, there are too many, or the store refuses.
    pub async fn create_group(&self, spec: GroupSpec, told: &AuditRow) -> Call<Created<GroupSpec>> {
        let _turn = self.inner.turns.of(&told.by).await;
        let _registry = self.inner.registry.lock().await;
        let key = spec.key();
        if let Ok(cell) = self.cell(&key) {
            let kept = cell.lock().spec().clone();
            return if kept.agrees_with(&spec) {
                Ok(Created { kept, new: false })
            } else {
                Err(CallError::GroupDiffers(Box::new(kept)))
            };
        }
        self.has_place_for_a_group()?;
        self.inner.store.insert_group(&spec, told, clock::now().wall).await?;
        let mut hosted = unpoisoned(&self.inner.hosted);
        // Who acts in it may do so by the T that it had.
        let longest = FailoverTimeout::new(self.inner.longest).unwrap_or(spec.draft.timeout);
        let waits = spec.draft.timeout.max(longest);
        let new = || Estate::restore(None, waits, self.inner.knows_all, self.inner.begun);
        let estate = hosted.estates.remove(&key).unwrap_or_else(new);
        let (choosing, epoch) = (self.inner.settings.choosing, self.inner.known_epoch);
        let group = Group::create(spec.clone(), choosing, epoch, Some(estate));
        tracing::info!(group = %key, timeout = %spec.draft.timeout, "a group was created");
        let cell = Cell::new(key.clone(), group, &self.inner.closing);
        self.keep_books(&cell, &mut cell.lock());
        hosted.groups.insert(key, cell);
        drop(hosted);
        self.attend_now(|attention, now| attention.quicken(now, spec.draft.timeout));
        self.inner.quickened.notify_one();
        Ok(Created { kept: spec, new: true })
    }

    /// Deletes a group that has no session, and keeps `told` in the audit trail. Its seat is kept.
    ///
    /// # Errors
    /// When it is not known, has a session, or the store refuses.
    pub async fn delete_group(&self, key: &GroupKey, told: &AuditRow) -> Call<()> {
        let _registry = self.inner.registry.lock().await;
        let cell = self.cell(key)?;
        if !cell.lock().is_empty() {
            return Err(CallError::GroupInUse);
        }
        self.inner.store.delete_group(key, told).await?;
        // Nobody writes what happened in a group that is gone. Where the store refuses its seat, what follows from that
        // stays in the log alone; the seat is written once the group is created anew.
        self.hurry(&cell);
        self.write_changes(&cell).await;
        let mut hosted = unpoisoned(&self.inner.hosted);
        hosted.groups.remove(key);
        cell.audience.dismiss();
        let estate = cell.lock().leave_estate();
        unpoisoned(&self.inner.unsettled).forget(&cell);
        if estate.matters() {
            hosted.estates.insert(key.clone(), estate);
        }
        tracing::info!(group = %key, "a group was deleted");
        Ok(())
    }

    /// Registers a session, which is `owner`'s then, or finds it as it was asked for.
    ///
    /// # Errors
    /// When the group is not known, the session has another name or is another user's, there are too many, or the store
    /// refuses.
    pub async fn create_session(
        &self,
        key: &GroupKey,
        spec: SessionSpec,
        owner: Option<&UserName>,
    ) -> Call<Created<SessionView>> {
        let _turn = self.inner.turns.of(owner.map_or("", UserName::as_str)).await;
        let _registry = self.inner.registry.lock().await;
        let cell = self.cell(key)?;
        cell.check_owner(&spec.id, owner)?;
        let (outcome, order) = cell.lock().would_register(&spec.id, spec.name.as_ref());
        let id = spec.id.clone();
        let new = match outcome {
            Registered::Same => {
                if let Some(owner) = owner {
                    self.adopt(&cell, &id, owner).await?;
                }
                false
            }
            Registered::Differs => {
                let kept = self.session(key, &id)?.spec;
                return Err(CallError::SessionDiffers(Box::new(kept)));
            }
            Registered::New => {
                self.has_place_for_a_session(&cell, owner)?;
                let session = RegisteredSession { spec, order };
                let group = cell.lock().spec().clone();
                self.inner.store.insert_session(&group, &session, owner, clock::now().wall).await?;
                let mut group = cell.lock();
                let is_first = group.is_empty();
                if let Some(owner) = owner {
                    cell.belongs_to(&id, owner);
                }
                group.register(self.now(), session);
                drop(group);
                tracing::info!(group = %key, session = %id, "a session was registered");
                if is_first && let Some(other) = unpoisoned(&self.inner.hosted).look_for_namesakes(key) {
                    tracing::warn!(group = %key, %other, "there is another group whose Id differs in case alone");
                }
                true
            }
        };
        Ok(Created { kept: self.session(key, &id)?, new })
    }

    /// Removes a session of `user`, or of whomever where nobody logs in. Who may remove another's, too, gives
    /// `of_another`, which is kept in the audit trail then. A Primary that has not said that it stopped keeps the seat for T;
    /// of a stock one its own removal says so. An override of the session goes on only where it removes itself.
    ///
    /// # Errors
    /// When group or session is not known, the session is another user's, or the store refuses.
    pub async fn delete_session(
        &self,
        key: &GroupKey,
        id: &SessionId,
        user: Option<&UserName>,
        of_another: Option<&AuditRow>,
    ) -> Call<()> {
        let _turn = self.inner.turns.of(user.map_or("", UserName::as_str)).await;
        let _registry = self.inner.registry.lock().await;
        let cell = self.cell(key)?;
        if !cell.lock().has(id) {
            return Err(CallError::UnknownSession);
        }
        // Whoever gives up his own session changes nothing that another has.
        let told = match cell.check_owner(id, user) {
            Ok(()) => None,
            Err(refusal) => Some(of_another.ok_or(refusal)?),
        };
        // Of one that is nobody's, whoever removes it does not know whether its adapter has stopped.
        let by = if cell.is_owner(id, user) { Remover::Itself } else { Remover::Another };
        self.remove(&cell, id, by, told).await?;
        tracing::info!(group = %key, session = %id, "a session was removed");
        Ok(())
    }

    /// Removes a session that is known, while the registry is held.
    pub(super) async fn remove(
        &self,
        cell: &Arc<Cell>,
        id: &SessionId,
        by: Remover,
        told: Option<&AuditRow>,
    ) -> Result<(), StoreError> {
        let with_override = by != Remover::Itself;
        self.inner.store.delete_session(&cell.key, id, with_override, told).await?;
        let mut group = cell.lock();
        unpoisoned(&cell.owners).remove(id);
        unpoisoned(&cell.paces).forget(id);
        group.unregister(self.now(), id, by);
        self.keep_books(cell, &mut group);
        let was_last = group.is_empty();
        drop(group);
        if was_last {
            unpoisoned(&self.inner.hosted).look_for_namesakes(&cell.key);
        }
        Ok(())
    }

    /// Makes a session Primary by order of an operator, or ends that, also of one that is away; gives when it will end.
    /// What is changed keeps `told` in the audit trail.
    ///
    /// # Errors
    /// When the group is not known, or neither is the session nor an override of it; or the store refuses.
    pub async fn override_role(
        &self,
        key: &GroupKey,
        id: &SessionId,
        value: RoleOverride,
        asked: Asked,
        told: &AuditRow,
    ) -> Call<Option<Wall>> {
        let _registry = self.inner.registry.lock().await;
        let cell = self.cell(key)?;
        let (known, forced) = {
            let group = cell.lock();
            (group.has(id), group.forces(id))
        };
        match value {
            RoleOverride::Off if forced => {
                self.inner.store.replace_override(key, None, Some(told)).await?;
                cell.lock().unforce(self.now(), id, &asked);
            }
            _ if !known => return Err(CallError::UnknownSession),
            RoleOverride::Off => {}
            RoleOverride::Primary(period) => {
                let now = self.now();
                let expires = period.map(|period| Expiry {
                    uptime: now.clock + period,
                    wall: now.wall.plus(period),
                    boot: self.inner.boot.clone(),
                });
                let record = OverrideRecord { session: id.clone(), expires, asked };
                self.inner.store.replace_override(key, Some(&record), Some(told)).await?;
                // A store that took long has not kept the target waiting: the override begins now.
                cell.lock().force(self.now(), record, &self.inner.boot);
            }
        }
        let mut group = cell.lock();
        self.keep_books(&cell, &mut group);
        Ok(group.session(self.now(), id).and_then(|view| view.forced_until))
    }
}
