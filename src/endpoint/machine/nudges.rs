//! Whose heartbeat the group waits for, and when it will have something to notice.
//!
//! A nudge has no authority: whoever gets one sends a heartbeat and believes its answer. Whom to nudge
//! follows from the group's state after each step, so that no rule elsewhere has to remember it.

use super::{Group, Member, Moment, SessionId, Tenure, Uptime, choice::quiet_after};

/// Whose heartbeat is waited for, and what for. Each is nudged once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Awaited {
    /// To be told PendingPrimary.
    Challenger(SessionId),
    /// To be told to stop, because its successor has confirmed.
    Incumbent(SessionId),
    /// To be given the free seat.
    Candidate(SessionId),
}

impl Awaited {
    const fn session(&self) -> &SessionId {
        match self {
            Self::Challenger(session) | Self::Incumbent(session) | Self::Candidate(session) => session,
        }
    }
}

impl Group {
    /// Whom to nudge now, if anybody. A stock member is never nudged: it does not listen.
    pub fn take_nudge(&mut self, now: Moment) -> Option<SessionId> {
        let awaited = self.awaited(now);
        if awaited == self.awaited {
            return None;
        }
        self.awaited = awaited;
        self.nudged().cloned()
    }

    /// Who was nudged last and is still waited for: whoever begins to listen may have missed it.
    #[must_use]
    pub fn nudged(&self) -> Option<&SessionId> {
        let session = self.awaited.as_ref()?.session();
        self.members.get(session).is_some_and(|member| member.native.is_some()).then_some(session)
    }

    /// Whether what `session` says next moves the group: it is the Primary, was told PendingPrimary, or was
    /// nudged.
    #[must_use]
    pub fn waits_for(&self, session: &SessionId) -> bool {
        let holder = self.seat.tenure().map(|tenure| &tenure.holder.session);
        let challenger = self.challenge.as_ref().map(|challenge| &challenge.by.session);
        let awaited = self.awaited.as_ref().map(Awaited::session);
        [holder, challenger, awaited].into_iter().flatten().any(|waited| waited == session)
    }

    fn awaited(&self, now: Moment) -> Option<Awaited> {
        let Some(tenure) = self.seat.tenure() else {
            let best = self.best(now).filter(|_| !self.is_renewing())?;
            return Some(Awaited::Candidate(best.spec.id.clone()));
        };
        let challenge = self.challenge.as_ref().filter(|_| tenure.told.is_none())?;
        if challenge.confirmed {
            return Some(Awaited::Incumbent(tenure.holder.session.clone()));
        }
        // Whoever was told PendingPrimary asks again by itself.
        challenge.asked.is_empty().then(|| Awaited::Challenger(challenge.by.session.clone()))
    }

    /// When [`Group::tick`] will have something to notice after `now`, if nothing is heard before.
    ///
    /// What is over at `now` is left out: a step at `now` has dealt with it.
    #[must_use]
    pub fn next_wake(&self, now: Moment) -> Option<Uptime> {
        let timeout = self.timeout().get();
        let tenure = self.seat.tenure();
        let seat = tenure.filter(|tenure| !self.is_kept_in_silence(now, tenure)).map(Tenure::ends_at);
        let unscored = tenure.filter(|tenure| !tenure.scored).map(|tenure| tenure.starting_since + timeout);
        // From then on somebody may take over.
        let believed = tenure.filter(|tenure| tenure.is_not_believed(now)).map(|tenure| tenure.believed_from);
        let dwelt = self.worse_since.map(|since| since + self.dwell());
        let forced = self.forced.as_ref().and_then(|forced| self.forced_until(now, forced));
        let silent = |session: &SessionId| self.members.get(session).map(Member::last_sign);
        // Once the one who is to have a free seat has missed its heartbeats, and at the latest once one of these is silent
        // for T, somebody else is.
        let awaited = self.awaited.as_ref().and_then(|awaited| silent(awaited.session()));
        let challenger = self.challenge.as_ref().and_then(|challenge| silent(&challenge.by.session));
        let misses = |sign| [sign + quiet_after(self.timeout()), sign + timeout];
        let silences = awaited.into_iter().chain(challenger).flat_map(misses);
        [seat, unscored, believed, dwelt, forced, self.renewing_until, self.books.due()]
            .into_iter()
            .flatten()
            .chain(silences)
            .filter(|at| *at > now.uptime)
            .min()
    }
}
