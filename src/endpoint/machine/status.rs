//! A group and its members as they are shown.

use super::{ClientRole, Group, GroupStatus, Member, Moment, SessionId, SessionView};
use crate::domain::{FailoverScore, GroupHealth, GroupOverview, OverrideView};

impl Group {
    /// The group's state at `now`.
    #[must_use]
    pub fn status(&self, now: Moment) -> GroupStatus {
        let primary = self.seat.primary(now).map(|holder| holder.session.clone());
        let pending = self.challenge.as_ref().map(|challenge| challenge.by.session.clone());
        let forced = self.forced.as_ref().map(|forced| OverrideView {
            session: forced.session.clone(),
            expires: forced.expires.map(|expires| expires.wall),
            asked: forced.asked.clone(),
        });
        GroupStatus {
            reason: self.reason(now, primary.is_some()),
            pending: pending.filter(|pending| self.has(pending)),
            primary,
            last_data: self.last_data,
            epoch: self.books.epoch,
            forced,
            members: self.seen(now),
            warnings: self.all_warnings(now),
        }
    }

    /// The group at a glance at `now`.
    #[must_use]
    pub fn overview(&self, now: Moment) -> GroupOverview {
        let primary = self.seat.primary(now).map(|holder| holder.session.clone());
        let score =
            primary.as_ref().and_then(|id| self.members.get(id)?.heard.as_ref()).map(|heard| heard.score);
        let pending = self.challenge.as_ref().map(|challenge| challenge.by.session.clone());
        let pending = pending.filter(|pending| self.has(pending));
        let live = || self.members.values().filter(|member| member.is_live(now, self.timeout()));
        let standing_by = live().filter(|member| Some(&member.spec.id) != primary.as_ref());
        let standby_score = standing_by.filter_map(|member| Some(member.heard.as_ref()?.score)).max();
        let heard = live().count();
        let health = if self.members.is_empty() && primary.is_none() {
            GroupHealth::NoMembers
        } else if primary.is_none() {
            GroupHealth::NoPrimary
        } else if score == Some(FailoverScore::ZERO) {
            GroupHealth::CannotWork
        } else if pending.is_some() {
            GroupHealth::HandOver
        } else if heard < 2 {
            GroupHealth::OneMember
        } else if self.forced.is_some() {
            GroupHealth::Forced
        } else {
            GroupHealth::Protected
        };
        GroupOverview {
            id: self.spec().draft.id.clone(),
            name: self.spec().draft.name.clone(),
            timeout: self.timeout(),
            health,
            primary,
            primary_score: score,
            standby_score,
            pending,
            forced: self.forced.as_ref().map(|forced| forced.session.clone()),
            members: self.members.len(),
            heard,
            epoch: self.books.epoch,
            warnings: self.all_warnings(now),
        }
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
