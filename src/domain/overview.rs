//! A failover group at a glance: for whoever watches many of them.

use super::{Epoch, FailoverScore, FailoverTimeout, GroupId, Name, SessionId};

words! {
    /// How a group is, in one word: the first of these that is true of it.
    GroupHealth {
        /// It has no member, and never had a Primary.
        NoMembers,
        /// Nobody is Primary.
        NoPrimary,
        /// There is a Primary, and its score is 0: it can do nothing.
        CannotWork,
        /// Somebody else is about to take over.
        HandOver,
        /// One member is heard: nobody could take over.
        OneMember,
        /// An operator said who is Primary.
        Forced,
        /// There is a Primary, and somebody who could take over.
        Protected,
    }
}

/// A group as it is shown among many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOverview {
    /// Its Id.
    pub id: GroupId,
    /// A friendly name.
    pub name: Option<Name>,
    /// Its T.
    pub timeout: FailoverTimeout,
    /// How it is.
    pub health: GroupHealth,
    /// Who holds the seat.
    pub primary: Option<SessionId>,
    /// What people call it, where it has a name.
    pub primary_name: Option<Name>,
    /// The score of the Primary's last heartbeat.
    pub primary_score: Option<FailoverScore>,
    /// The best score of those who are heard and could take over.
    pub standby_score: Option<FailoverScore>,
    /// Who is to take over.
    pub pending: Option<SessionId>,
    /// What people call that, where it has a name.
    pub pending_name: Option<Name>,
    /// Whom an operator asks for.
    pub forced: Option<SessionId>,
    /// How many sessions it has.
    pub members: usize,
    /// How many of them were heard within T.
    pub heard: usize,
    /// The highest epoch of the group that is on disk.
    pub epoch: Option<Epoch>,
    /// What an operator should look at, each a sentence.
    pub warnings: Vec<String>,
}
