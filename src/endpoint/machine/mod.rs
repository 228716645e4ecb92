//! One group: who is a member, who holds the seat, what a heartbeat is answered.
//!
//! Pure: `now` is a parameter; nothing is read, written, logged or left to chance. The driver calls
//! [`Group::hear`], then [`Group::answer`] until it is no [`Reply::Wait`], and writes down what
//! [`Group::take_record`] gives it in between. Invariants, which the tests hold it to:
//!
//! - The seat has one holder, one run of one member. It is freed only by that run saying that it has
//!   stopped, or by T after the receipt of its last heartbeat that was answered Primary (R3); or when it is to stop,
//!   and was never answered Primary.
//! - Primary is answered only to the holder, only once its seat is on disk, and never again once it
//!   was told to stop (R1).
//! - For T after the endpoint began to answer, if it does not know what it answered before, only a member
//!   that acts already is answered Primary (R4).

mod answering;
mod attention;
mod away;
mod choice;
mod coverage;
mod handover;
mod hearing;
mod nudges;
mod overrides;
mod records;
mod seat;
mod status;
mod warnings;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use crate::domain::{
    BootId, ClientRole, EndpointLoss, Epoch, FailoverScore, FailoverTimeout, GroupChange, GroupChangeKind,
    GroupId, GroupReason, GroupSpec, GroupStatus, HeartbeatAnswer, Holder, Incarnation, LastAct, Margin,
    Name, RegisteredSession, SeatRecord, SessionId, SessionSpec, SessionView, Uptime, Wall,
};

use away::Stalls;
use choice::Challenge;
use handover::{Former, Handed};
use nudges::Awaited;
use overrides::Forced;
use records::Books;
use seat::{Inherited, Seat, Tenure};

pub use attention::{Attention, Moment};
pub use away::{Away, SignOfLife};
pub use records::Record;
pub use seat::Estate;

/// How Primaries are chosen where a group says nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choosing {
    /// By how many points another member must be better.
    pub margin: Margin,
    /// For how long; T/2 where empty.
    pub dwell: Option<Duration>,
}

impl Default for Choosing {
    fn default() -> Self {
        Self { margin: Margin::DEFAULT, dwell: None }
    }
}

/// A heartbeat that was heard and waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    session: SessionId,
    incarnation: Option<Incarnation>,
    /// Its number; 0 for a stock member.
    sequence: u64,
    /// Whether it was newer than all that were heard before.
    newer: bool,
    /// Whether it freed the seat; it is never answered Primary then.
    vacated: bool,
    connection: Option<SocketAddr>,
}

/// Why a heartbeat is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The session is not known.
    #[error("the session is not known")]
    Unknown,
    /// Another run of a process holds the session and was heard within T.
    #[error("another process uses the session; it was heard {:.1} s ago", .heard_ago.as_secs_f64())]
    InUse {
        /// How long ago that other process was heard.
        heard_ago: Duration,
        /// When it will have been silent for T.
        free_in: Duration,
    },
}

/// What to do about a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Give this answer.
    Answer(HeartbeatAnswer),
    /// Write down what [`Group::take_record`] gives, then ask again.
    Wait,
    /// It is not known what the store holds: give no answer.
    Unsure,
}

/// Who removes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remover {
    /// Its adapter, or whoever logs in as it does: a farewell.
    Itself,
    /// Somebody else, who does not know whether its adapter acts.
    Another,
    /// Nobody asked for it: it was silent for too long.
    Silence,
}

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// The session is new.
    New,
    /// It was there, and is the same.
    Same,
    /// It was there with another name.
    Differs,
}

/// Why something is so.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Why {
    reason: GroupReason,
    /// As a sentence without its full stop.
    sentence: String,
}

impl Why {
    fn new(reason: GroupReason, sentence: impl Into<String>) -> Self {
        Self { reason, sentence: sentence.into() }
    }
}

/// One member of a group.
#[derive(Debug, Clone)]
struct Member {
    spec: SessionSpec,
    /// Its place in the order of registration.
    order: u64,
    /// When it was registered, or the endpoint began: silence before its first heartbeat counts from here.
    known_since: Uptime,
    /// Its last heartbeat; empty before the first in this run of the endpoint.
    heard: Option<Heard>,
    /// What only a native member says; empty for a stock member.
    native: Option<Native>,
    /// When it last lost the seat by falling silent or by its score.
    lost: Option<Uptime>,
    /// When it last lost the seat because it failed: it fell silent, or could do nothing.
    failed: Option<Uptime>,
    /// When another process was refused under its session.
    contested: Option<Uptime>,
    /// When it last showed that the store had been set back.
    showed: Option<Uptime>,
}

/// A member's last heartbeat.
#[derive(Debug, Clone)]
struct Heard {
    at: Moment,
    score: FailoverScore,
    last_data: Option<Wall>,
}

/// What a native member said in its last heartbeat.
#[derive(Debug, Clone)]
struct Native {
    incarnation: Incarnation,
    /// The run whose place it took, and when.
    replaced: Option<(Incarnation, Uptime)>,
    boot: BootId,
    sequence: u64,
    answered: u64,
    acting: bool,
    epoch: Option<Epoch>,
    loss: Option<EndpointLoss>,
    /// Whether it gives its session up, and nothing makes it act any more.
    leaving: bool,
    /// When it last proved that answers reach it: `answered` rose; or when this run was first heard.
    proved: Uptime,
    /// Since when more than two of its questions had no answer yet.
    late_since: Option<Uptime>,
    /// When it last gave up a seat that it had not acted on: answers reach it too late, or not at all.
    idle: Option<Uptime>,
}

impl Member {
    fn new(session: RegisteredSession, now: Moment) -> Self {
        Self {
            spec: session.spec,
            order: session.order,
            known_since: now.uptime,
            heard: None,
            native: None,
            lost: None,
            failed: None,
            contested: None,
            showed: None,
        }
    }

    fn incarnation(&self) -> Option<&Incarnation> {
        self.native.as_ref().map(|native| &native.incarnation)
    }

    fn score(&self) -> FailoverScore {
        self.heard.as_ref().map_or(FailoverScore::ZERO, |heard| heard.score)
    }

    fn is_live(&self, now: Moment, timeout: FailoverTimeout) -> bool {
        self.heard.as_ref().is_some_and(|heard| now.uptime < heard.at.uptime + timeout.get())
    }

    /// Whether it has not proved for T that answers reach it. One that they do not reach would hold the seat
    /// for 2 T without acting.
    fn is_deaf(&self, now: Moment, timeout: FailoverTimeout) -> bool {
        self.native.as_ref().is_some_and(|native| now.uptime >= native.proved + timeout.get())
    }

    /// Whether its last heartbeat was a last word.
    fn is_leaving(&self) -> bool {
        self.native.as_ref().is_some_and(|native| native.leaving)
    }

    fn is(&self, holder: &Holder) -> bool {
        self.spec.id == holder.session && self.incarnation() == holder.incarnation.as_ref()
    }

    /// Whether it is `holder`, or has not been heard since the endpoint began and so may still be.
    fn may_be(&self, holder: &Holder) -> bool {
        self.is(holder) || (self.heard.is_none() && self.spec.id == holder.session)
    }

    /// Whether answers reach it late: it asks every T/4, and the answer to the last question but one, which is
    /// T/2 old, has not arrived. Little would be left of a lease. It must have been so for T/8 in which the
    /// endpoint attended: after a stall everybody looks like that for a moment.
    fn hears_late(&self, now: Moment, timeout: FailoverTimeout) -> bool {
        let late_since = self.native.as_ref().and_then(|native| native.late_since);
        late_since.is_some_and(|since| now.uptime >= since + timeout.get() / 8)
    }

    fn last_sign(&self) -> Uptime {
        self.heard.as_ref().map_or(self.known_since, |heard| heard.at.uptime)
    }
}

/// A group of members that are each other's backup.
#[derive(Debug, Clone)]
pub struct Group {
    spec: GroupSpec,
    choosing: Choosing,
    members: BTreeMap<SessionId, Member>,
    next_order: u64,
    seat: Seat,
    /// The highest epoch of the group, as the store has it or is about to.
    floor: Option<Epoch>,
    /// The highest epoch that the high-water mark knew at the start, of any group.
    mark: Option<Epoch>,
    /// Until when only a member that acts already is answered Primary (R4).
    renewing_until: Option<Uptime>,
    /// What an earlier run of the endpoint may have permitted.
    inherited: Option<Inherited>,
    challenge: Option<Challenge>,
    /// Since when some live member has been better than the Primary by the margin.
    worse_since: Option<Uptime>,
    forced: Option<Forced>,
    /// Whose heartbeat is waited for, as far as it was nudged.
    awaited: Option<Awaited>,
    /// Whether the store still has an override that has ended.
    override_ended: bool,
    last_data: Option<Wall>,
    /// What the Primary's gate said last.
    said: Option<coverage::Said>,
    /// The answers that this run of the endpoint gives; empty before the first.
    answers: Option<coverage::Answers>,
    /// Why the seat is as it is.
    why: Why,
    /// Who held the seat before it was freed; empty where that was before this run of the endpoint.
    freed_by: Option<SessionId>,
    /// When the endpoint was away before this run of it.
    absence: Option<Away>,
    /// When it was stalled last.
    stalled: Option<Away>,
    stalls: Stalls,
    /// Who held the seat before, and acted.
    former: Option<Former>,
    /// The last hand-over that is known from both its sides.
    handed: Option<Handed>,
    /// When members were made Primary because something went wrong or was better, in the last 10 T.
    promotions: Vec<Uptime>,
    /// Whether members do not agree on what to do without the endpoint.
    policies_differ: bool,
    /// When it was last seen that they do not.
    policies_noted: Option<Uptime>,
    /// Another group whose Id differs in case alone.
    namesake: Option<GroupId>,
    books: Books,
    changes: Vec<GroupChange>,
}

impl Group {
    /// A group that is new, or comes back: `estate` is what a group of this key left behind.
    ///
    /// A new group chooses at once; `mark` is the highest epoch that the high-water mark knows.
    #[must_use]
    pub fn create(spec: GroupSpec, choosing: Choosing, mark: Option<Epoch>, estate: Option<Estate>) -> Self {
        let choosing = Choosing {
            margin: spec.preferences.margin.unwrap_or(choosing.margin),
            dwell: spec.preferences.dwell.or(choosing.dwell),
        };
        let Estate { seat, floor, renewing_until, inherited, books, why } = estate.unwrap_or_default();
        let mut group = Self {
            spec,
            choosing,
            members: BTreeMap::new(),
            next_order: 1,
            seat,
            floor,
            mark,
            renewing_until,
            inherited,
            challenge: None,
            worse_since: None,
            forced: None,
            awaited: None,
            override_ended: false,
            last_data: None,
            said: None,
            answers: None,
            why: why.unwrap_or_else(|| Why::new(GroupReason::NobodyWasPrimary, "nobody was Primary")),
            freed_by: None,
            absence: None,
            stalled: None,
            stalls: Stalls::default(),
            former: None,
            handed: None,
            promotions: Vec::new(),
            policies_differ: false,
            policies_noted: None,
            namesake: None,
            books,
            changes: Vec::new(),
        };
        group.keep_longer_leases();
        group
    }

    /// There is another group whose Id differs in case alone, or none any more.
    pub fn has_namesake(&mut self, other: Option<GroupId>) {
        self.namesake = other;
    }

    /// Takes up the members that the store remembers, in the order of their registration.
    pub fn remember(&mut self, now: Moment, sessions: Vec<RegisteredSession>) {
        for session in sessions {
            self.next_order = self.next_order.max(session.order + 1);
            self.members.insert(session.spec.id.clone(), Member::new(session, now));
        }
    }

    /// The group as it was created.
    #[must_use]
    pub const fn spec(&self) -> &GroupSpec {
        &self.spec
    }

    const fn timeout(&self) -> FailoverTimeout {
        self.spec.draft.timeout
    }

    /// What a registration would do, and its place in the order.
    #[must_use]
    pub fn would_register(&self, id: &SessionId, name: Option<&Name>) -> (Registered, u64) {
        let outcome = match self.members.get(id) {
            None => Registered::New,
            Some(member) if name.is_none() || member.spec.name.as_ref() == name => Registered::Same,
            Some(_) => Registered::Differs,
        };
        (outcome, self.next_order)
    }

    /// Registers a session.
    pub fn register(&mut self, now: Moment, session: RegisteredSession) {
        self.next_order = self.next_order.max(session.order + 1);
        self.members.entry(session.spec.id.clone()).or_insert_with(|| Member::new(session, now));
    }

    /// Removes a session. Of a native member the seat stays held; a stock member that removes itself has stopped.
    ///
    /// An override outlives the farewell of its target, which may only be started anew: it waits for it as for one that
    /// is silent.
    pub fn unregister(&mut self, now: Moment, id: &SessionId, by: Remover) {
        let Some(member) = self.members.remove(id) else { return };
        let why = Why::new(GroupReason::SessionRemoved, format!("{id} was removed"));
        let stopped = |tenure: &&Tenure| {
            by == Remover::Itself
                && tenure.holder.session == *id
                && tenure.holder.incarnation.is_none()
                && !tenure.unrecorded
        };
        if let Some(tenure) = self.seat.tenure().filter(stopped).cloned() {
            self.remember_former(&tenure, LastAct::Said, now.clock);
            self.free(now, why.clone());
        }
        if let Some(forced) = self.forced.as_mut().filter(|forced| forced.session == *id) {
            if by == Remover::Itself {
                forced.since = forced.since.max(member.last_sign());
            } else {
                self.end_override(now, why);
            }
        }
        self.pass(now);
    }

    /// How many sessions the group has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether the group has any session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether `id` is a session of the group.
    #[must_use]
    pub fn has(&self, id: &SessionId) -> bool {
        self.members.contains_key(id)
    }

    /// Lets what is over be over, so that it is noticed without a heartbeat.
    pub fn tick(&mut self, now: Moment) {
        self.pass(now);
    }

    /// The sessions that have been silent for `limit`, and for 2 T: whoever lives is heard oftener, and nobody holds the
    /// seat for so long without being heard.
    #[must_use]
    pub fn silent_for(&self, now: Moment, limit: Duration) -> Vec<SessionId> {
        let limit = limit.max(self.timeout().get() * 2);
        let silent = |member: &&Member| now.uptime.since(member.last_sign()) >= limit;
        self.members.values().filter(silent).map(|member| member.spec.id.clone()).collect()
    }

    /// What happened since this was last asked.
    pub fn take_changes(&mut self) -> Vec<GroupChange> {
        std::mem::take(&mut self.changes)
    }
}

/// A span that was measured.
fn seconds(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}

/// A span that was set.
fn limit(span: Duration) -> String {
    format!("{} s", span.as_secs_f64())
}
