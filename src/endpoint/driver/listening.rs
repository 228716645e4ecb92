//! Tells whoever listens what happened in a group, and that a heartbeat is waited for.

use std::sync::Arc;

use tokio::sync::{broadcast, broadcast::error::RecvError};
use tokio_util::sync::CancellationToken;

use super::{Call, CallError, Endpoint, GroupChange, GroupKey, SessionId};
use crate::crowd::{Admission, Crowd, Who};

/// Listeners at the same time, of all groups together, and of one user or source: each holds a connection and some
/// kilobytes. A member without a place goes on by polling.
const MOST_LISTENERS: usize = 6_144;
const MOST_LISTENERS_OF_ONE: usize = 4_096;

/// Events that may wait for a slow listener. One that misses some is told to ask without being named.
const BACKLOG: usize = 64;

/// What a listener is told. It carries no authority: the answer to a heartbeat does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupEvent {
    /// A heartbeat of this session is waited for; of any session where none is named.
    Nudge(Option<SessionId>),
    /// This happened.
    Change(Arc<GroupChange>),
}

/// How many may listen, and who does.
#[derive(Debug)]
pub(super) struct Places(Arc<Crowd>);

impl Default for Places {
    fn default() -> Self {
        Self(Crowd::new(MOST_LISTENERS, MOST_LISTENERS_OF_ONE))
    }
}

/// Whom a group tells.
#[derive(Debug)]
pub(super) struct Audience {
    events: broadcast::Sender<GroupEvent>,
    /// The group was deleted, or the endpoint ends.
    over: CancellationToken,
}

impl Audience {
    pub(super) fn new(over: CancellationToken) -> Self {
        Self { events: broadcast::Sender::new(BACKLOG), over }
    }

    /// Tells all listeners there are; there may be none.
    pub(super) fn tell(&self, event: GroupEvent) {
        self.events.send(event).ok();
    }

    /// Ends all streams.
    pub(super) fn dismiss(&self) {
        self.over.cancel();
    }
}

/// What one listener hears of its group. Dropping it gives its place free.
#[derive(Debug)]
pub struct Listener {
    /// Who was nudged before it listened, and is still waited for.
    missed: Option<SessionId>,
    events: broadcast::Receiver<GroupEvent>,
    over: CancellationToken,
    _place: Admission,
}

impl Listener {
    /// What is to be told next; `None` once the group was deleted or the endpoint ends.
    ///
    /// Dropping the wait loses nothing.
    pub async fn next(&mut self) -> Option<GroupEvent> {
        if self.over.is_cancelled() {
            return None;
        }
        if let Some(missed) = self.missed.take() {
            return Some(GroupEvent::Nudge(Some(missed)));
        }
        tokio::select! {
            biased;
            () = self.over.cancelled() => None,
            told = self.events.recv() => match told {
                Ok(event) => Some(event),
                Err(RecvError::Lagged(_)) => Some(GroupEvent::Nudge(None)),
                Err(RecvError::Closed) => None,
            },
        }
    }
}

impl Endpoint {
    /// Begins to listen to a group, for `who`.
    ///
    /// # Errors
    /// When the group is not known, or too many listen.
    pub fn listen(&self, key: &GroupKey, who: Who) -> Call<Listener> {
        let cell = self.cell(key)?;
        let place = self.inner.places.0.admit(who).ok_or(CallError::TooManyListeners)?;
        // Events are told under the same lock, so none falls between the two.
        let group = cell.lock();
        Ok(Listener {
            missed: group.nudged().cloned(),
            events: cell.audience.events.subscribe(),
            over: cell.audience.over.clone(),
            _place: place,
        })
    }

    /// How many listen, to any group.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.inner.places.0.present()
    }
}
