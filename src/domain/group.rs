//! Groups as a failover endpoint keeps them, and what of them must outlive a crash.

use std::{fmt, time::Duration};

use super::{
    BootId, Description, Epoch, FailoverScore, FailoverTimeout, GroupDraft, GroupId, Incarnation, Name, Seen,
    SessionId, Uptime, Wall,
};

/// Whose groups: the on-premises base is a tenant of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// `/api/v1/clientfailover`.
    OnPremises,
    /// `/api/v1/Tenants/{tenant}/Namespaces/{namespace}/ClientFailover`.
    Cloud {
        /// The tenant.
        tenant: Name,
        /// The namespace in it.
        namespace: Name,
    },
}

/// Which group: an Id is unique only within its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// Whose it is.
    pub place: Place,
    /// Its Id there.
    pub id: GroupId,
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::OnPremises => self.id.fmt(f),
            Place::Cloud { tenant, namespace } => write!(f, "{tenant}/{namespace}/{}", self.id),
        }
    }
}

/// By how many points a score must be better to cost a Primary its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Margin(u8);

impl Margin {
    /// What holds when nothing is said: more than the flicker of a few streams among many.
    pub const DEFAULT: Self = Self(10);
    /// The least, in points: zero would let equal members take turns.
    pub const MIN: u8 = 1;
    /// The most: all points that there are.
    pub const MAX: u8 = 100;

    /// The margin, if it is within the limits.
    #[must_use]
    pub fn new(points: i64) -> Option<Self> {
        u8::try_from(points).ok().filter(|points| (Self::MIN..=Self::MAX).contains(points)).map(Self)
    }

    /// How many points.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// How a group chooses its Primary, where it differs from the endpoint's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preferences {
    /// By how much a score must be better; the endpoint's setting where empty.
    pub margin: Option<Margin>,
    /// For how long; the endpoint's setting where empty.
    pub dwell: Option<Duration>,
    /// Whether a Primary that an override asks for keeps its role although it is silent, as at the
    /// vendor's endpoint. Nobody acts then until the override ends.
    pub keep_silent_override: bool,
}

/// A group as it was created. No client can change it afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSpec {
    /// Whose it is.
    pub place: Place,
    /// What its creator said.
    pub draft: GroupDraft,
    /// A JSON object that is kept as it was given.
    pub additional_data: Option<String>,
    /// What the additional data says about the choice.
    pub preferences: Preferences,
}

impl GroupSpec {
    /// Which group it is.
    #[must_use]
    pub fn key(&self) -> GroupKey {
        GroupKey { place: self.place.clone(), id: self.draft.id.clone() }
    }

    /// Whether `asked` is this group, as far as it says anything.
    #[must_use]
    pub fn agrees_with(&self, asked: &Self) -> bool {
        fn agrees<T: PartialEq>(asked: Option<&T>, kept: Option<&T>) -> bool {
            asked.is_none() || asked == kept
        }
        asked.draft.timeout == self.draft.timeout
            && agrees(asked.draft.name.as_ref(), self.draft.name.as_ref())
            && agrees(asked.draft.description.as_ref(), self.draft.description.as_ref())
    }
}

/// A session as it was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSpec {
    /// Its Id.
    pub id: SessionId,
    /// A friendly name.
    pub name: Option<Name>,
    /// A JSON object that is kept as it was given.
    pub additional_data: Option<String>,
}

/// A session with its place in the order of registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredSession {
    /// What its adapter said.
    pub spec: SessionSpec,
    /// Rises with every registration in the group.
    pub order: u64,
}

/// Who holds a seat: one run of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The member.
    pub session: SessionId,
    /// Which run of it; empty for a stock member, which does not say.
    pub incarnation: Option<Incarnation>,
}

/// What must be known of a group's seat after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatRecord {
    /// Who holds it; empty when it is free.
    pub holder: Option<Holder>,
    /// The highest epoch of the group; the holder's, where there is one.
    pub epoch: Option<Epoch>,
    /// How long the holder keeps the seat after its last heartbeat that was answered Primary.
    pub timeout: FailoverTimeout,
    /// Why it is so, as a sentence.
    pub reason: String,
    /// When it became so.
    pub at: Wall,
}

impl SeatRecord {
    /// The number of this record, after the record numbered `last`.
    ///
    /// Wall time is in it so that another course of things, after an older copy of the database was put
    /// back, never comes to a number that was used before.
    #[must_use]
    pub fn number_after(&self, last: u64) -> u64 {
        (last + 1).max(u64::try_from(self.at.micros()).unwrap_or(0))
    }
}

/// When a role override ends. By uptime while the machine runs, by wall time after a boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// By the boot clock of `boot`.
    pub uptime: Uptime,
    /// By wall time.
    pub wall: Wall,
    /// Which boot `uptime` belongs to.
    pub boot: BootId,
}

/// What must be known of a role override after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideRecord {
    /// Who is to be Primary.
    pub session: SessionId,
    /// When it ends; empty when only somebody can end it.
    pub expires: Option<Expiry>,
    /// Who asked for it, and why.
    pub asked: Asked,
}

/// Who asked for something, and why, as far as they said so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Who.
    pub by: Option<Name>,
    /// Why.
    pub reason: Option<Description>,
}

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleOverride {
    /// End the override of this session. The vendor's number is 0.
    Off,
    /// Make this session Primary, for so long, or until somebody ends it. Number 1.
    Primary(Option<Duration>),
}

/// A session as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// As it was created.
    pub spec: SessionSpec,
    /// Its last heartbeat: score, up to when it had processed data, when it arrived.
    pub heartbeat: Option<(FailoverScore, Option<Wall>, Wall)>,
    /// Its role.
    pub role: super::ClientRole,
    /// Whether an override asks for it.
    pub forced: bool,
    /// When the override ends.
    pub forced_until: Option<Wall>,
}

/// A group's state as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// How it is, in one word.
    pub health: super::GroupHealth,
    /// Who holds the seat.
    pub primary: Option<SessionId>,
    /// When that was written down; empty where there is no Primary.
    pub since: Option<Wall>,
    /// Who is to take over.
    pub pending: Option<SessionId>,
    /// Up to when a Primary of the group has processed data.
    pub last_data: Option<Wall>,
    /// The highest epoch of the group that is on disk; the Primary's, where there is one.
    pub epoch: Option<Epoch>,
    /// Why it is so, as a sentence without its full stop.
    pub reason: String,
    /// The role override that is in force.
    pub forced: Option<OverrideView>,
    /// How many members were heard within T.
    pub heard: usize,
    /// What is known of each member, in the order of registration.
    pub members: Vec<Seen>,
    /// What an operator should look at, each a sentence.
    pub warnings: Vec<String>,
}

/// A role override as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideView {
    /// Who is to be Primary.
    pub session: SessionId,
    /// When it ends; empty when only somebody can end it.
    pub expires: Option<Wall>,
    /// Who asked for it, and why.
    pub asked: Asked,
}
