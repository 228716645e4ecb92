//! A group and its members as they are shown.

use super::{ClientRole, Group, GroupStatus, Member, Moment, SessionId, SessionView};
use crate::domain::{FailoverScore, GroupHealth, GroupOverview, Name, OverrideView};

impl Group {
    /// The group's state at `now`.
    #[must_use]
    pub fn status(&self, now: Moment) -> GroupStatus {
        let primary = self.shown_primary(now);
        let since = primary.as_ref().and_then(|_| self.seat.tenure()?.since);
        let forced = self.forced.as_ref().map(|forced| OverrideView {
            session: forced.session.clone(),
            expires: forced.expires.map(|expires| expires.wall),
            asked: forced.asked.clone(),
        });
        GroupStatus {
            health: self.health(now),
            reason: self.reason(now, primary.is_some()),
            pending: self.shown_pending(),
            primary,
            since,
            last_data: self.last_data,
            epoch: self.books.epoch,
            forced,
            heard: self.live(now).count(),
            members: self.seen(now),
            warnings: self.all_warnings(now),
        }
    }

    /// The group at a glance at `now`.
    #[must_use]
    pub fn overview(&self, now: Moment) -> GroupOverview {
        let (primary, pending) = (self.shown_primary(now), self.shown_pending());
        let standing_by = self.live(now).filter(|member| Some(&member.spec.id) != primary.as_ref());
        let standby_score = standing_by.filter_map(|member| Some(member.heard.as_ref()?.score)).max();
        GroupOverview {
            id: self.spec().draft.id.clone(),
            name: self.spec().draft.name.clone(),
            timeout: self.timeout(),
            health: self.health(now),
            primary_score: self.score_of(primary.as_ref()),
            primary_name: self.name_of(primary.as_ref()),
            primary,
            standby_score,
            pending_name: self.name_of(pending.as_ref()),
            pending,
            forced: self.forced.as_ref().map(|forced| forced.session.clone()),
            members: self.members.len(),
            heard: self.live(now).count(),
            epoch: self.books.epoch,
            warnings: self.all_warnings(now),
        }
    }

    /// How the group is at `now`, in one word: whoever shows it or is alarmed by it is told the same.
    fn health(&self, now: Moment) -> GroupHealth {
        let primary = self.shown_primary(now);
        // Sessions are removed when they have been silent for long: that nobody acts is no less true then.
        let never_had_one = self.members.is_empty() && self.books.epoch.is_none();
        if primary.is_none() && never_had_one {
            GroupHealth::NoMembers
        } else if primary.is_none() {
            GroupHealth::NoPrimary
        } else if self.score_of(primary.as_ref()) == Some(FailoverScore::ZERO) {
            GroupHealth::CannotWork
        } else if self.shown_pending().is_some() {
            GroupHealth::HandOver
        } else if self.live(now).count() < 2 {
            GroupHealth::OneMember
        } else if self.forced.is_some() {
            GroupHealth::Forced
        } else {
            GroupHealth::Protected
        }
    }

    fn shown_primary(&self, now: Moment) -> Option<SessionId> {
        self.seat.primary(now).map(|holder| holder.session.clone())
    }

    fn shown_pending(&self) -> Option<SessionId> {
        let pending = self.challenge.as_ref().map(|challenge| &challenge.by.session);
        pending.filter(|pending| self.has(pending)).cloned()
    }

    fn live(&self, now: Moment) -> impl Iterator<Item = &Member> {
        self.members.values().filter(move |member| member.is_live(now, self.timeout()))
    }

    /// The score of the last heartbeat of `id`.
    fn score_of(&self, id: Option<&SessionId>) -> Option<FailoverScore> {
        Some(self.members.get(id?)?.heard.as_ref()?.score)
    }

    /// What people call `id`.
    fn name_of(&self, id: Option<&SessionId>) -> Option<Name> {
        self.members.get(id?)?.spec.name.clone()
    }

    /// Why the seat is as it is, and what is about to change.
    fn reason(&self, now: Moment, held: bool) -> String {
        let why = match self.seat.tenure().and_then(|tenure| tenure.why_empty(now)) {
            Some(why) => why,
            None if self.is_renewing() && !held => self.renewing_reason(now),
            None => self.why.sentence.clone(),
        };
        match &self.challenge {
            // Whoever holds the seat was told why; until then it is about the present Primary.
            Some(challenge) if challenge.why.sentence != why => {
                format!("{why}; {} is to take over: {}", challenge.by.session, challenge.why.sentence)
            }
            _ => why,
        }
    }

    /// The session `id` at `now`.
    #[must_use]
    pub fn session(&self, now: Moment, id: &SessionId) -> Option<SessionView> {
        self.members.get(id).map(|member| self.view(now, member))
    }

    /// All sessions at `now`, in the order of their registration.
    #[must_use]
    pub fn sessions(&self, now: Moment) -> Vec<SessionView> {
        let mut members: Vec<&Member> = self.members.values().collect();
        members.sort_by_key(|member| member.order);
        members.into_iter().map(|member| self.view(now, member)).collect()
    }

    fn view(&self, now: Moment, member: &Member) -> SessionView {
        let forced = self.forced.as_ref().filter(|forced| forced.session == member.spec.id);
        let role = if self.seat.primary(now).is_some_and(|holder| member.may_be(holder)) {
            ClientRole::Primary
        } else if self.challenge.as_ref().is_some_and(|challenge| member.is(&challenge.by)) {
            ClientRole::PendingPrimary
        } else {
            ClientRole::Secondary
        };
        SessionView {
            spec: member.spec.clone(),
            heartbeat: member.heard.as_ref().map(|heard| (heard.score, heard.last_data, heard.at.wall)),
            role,
            forced: forced.is_some(),
            forced_until: forced.and_then(|forced| forced.expires.as_ref().map(|expires| expires.wall)),
        }
    }
}
