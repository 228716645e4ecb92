//! How many groups and sessions there may be, and whose turn it is to change them: one user's requests, however many,
//! neither fill the endpoint nor keep others waiting.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};

use tokio::sync::OwnedMutexGuard;

use super::{Call, CallError, Cell, Endpoint, UserName, unpoisoned};

/// Groups at the most, of all places together: each costs some kilobytes, its AdditionalData, and a look each second.
const MOST_GROUPS: usize = 10_000;

/// Sessions of a group at the most: each answer of its state names them all.
const MOST_SESSIONS: usize = 1_000;

/// Sessions of one user at the most, in all groups together: as many as one login for all of a plant's adapters needs.
const MOST_SESSIONS_OF_A_USER: usize = 10_000;

/// Of what there may be no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// Groups of the endpoint.
    #[error("There are {MOST_GROUPS} failover groups, which is the most")]
    Groups,
    /// Sessions of a group.
    #[error("The group has {MOST_SESSIONS} client sessions, which is the most")]
    Sessions,
    /// Sessions that belong to one user.
    #[error("{MOST_SESSIONS_OF_A_USER} client sessions belong to this user, which is the most")]
    SessionsOfAUser,
}

impl Endpoint {
    /// Whether there is a place for another group. Those that are there stay, however many there are.
    pub(super) fn has_place_for_a_group(&self) -> Call<()> {
        let groups = unpoisoned(&self.inner.hosted).groups.len();
        if groups < MOST_GROUPS { Ok(()) } else { Err(CallError::Full(Full::Groups)) }
    }

    /// Whether there is a place for another session, of `owner`, in the group of `cell`.
    pub(super) fn has_place_for_a_session(&self, cell: &Cell, owner: Option<&UserName>) -> Call<()> {
        if cell.lock().len() >= MOST_SESSIONS {
            return Err(CallError::Full(Full::Sessions));
        }
        let Some(owner) = owner else { return Ok(()) };
        let of_cell = |cell: &Arc<Cell>| unpoisoned(&cell.owners).values().filter(|of| *of == owner).count();
        let owned: usize = self.cells().iter().map(of_cell).sum();
        if owned < MOST_SESSIONS_OF_A_USER { Ok(()) } else { Err(CallError::Full(Full::SessionsOfAUser)) }
    }
}

/// Whose turn it is: each user has one change under way, so that whoever waits for the registry waits for one of each
/// other user's at the most.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// The turn of `user`, once all of his requests that came before are done. Those of nobody have one turn, too.
    pub(super) async fn of(&self, user: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = unpoisoned(&self.0);
            turns.retain(|_, turn| turn.strong_count() > 0);
            turns.get(user).and_then(Weak::upgrade).unwrap_or_else(|| {
                let turn = Arc::default();
                turns.insert(user.to_owned(), Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_changes_of_a_user_come_one_after_the_other_and_nobody_elses_wait_for_them() {
        let turns = Turns::default();
        let first = turns.of("a").await;
        let mut second = Box::pin(turns.of("a"));
        assert!((&mut second).now_or_never().is_none());
        let other = turns.of("b").now_or_never();
        assert!(other.is_some());
        drop(first);
        let second = second.now_or_never();
        assert!(second.is_some());
        assert_eq!(unpoisoned(&turns.0).len(), 2);
        drop((second, other));
        drop(turns.of("c").await);
        assert_eq!(unpoisoned(&turns.0).len(), 1, "nothing is kept of who has no change under way");
    }
}
