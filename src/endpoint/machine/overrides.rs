//! Role overrides: an operator says who is to be Primary.

use crate::domain::{Asked, BootId, Description, Expiry, Name, OverrideRecord, Wall};

use super::{
    Group, GroupChangeKind, GroupReason, Member, Moment, SessionId, Uptime, Why, limit, seat::Tenure,
};

/// An override that is in force, or waits for its target to be heard.
#[derive(Debug, Clone)]
pub(super) struct Forced {
    pub(super) session: SessionId,
    /// When it was asked for, or taken up again after a restart; or when its target was heard last before it said farewell.
    pub(super) since: Uptime,
    /// When it ends, in this boot's uptime and in wall time.
    pub(super) expires: Option<Ends>,
    /// Who asked for it, and why.
    pub(super) asked: Asked,
}

/// When an override ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    /// By the boot clock: who asks for eight hours means hours that a stall and a suspend belong to.
    pub(super) clock: Uptime,
    pub(super) wall: Wall,
}

impl Group {
    /// Makes `record.session` the one who is to be Primary; the later override wins.
    ///
    /// An expiry counts by uptime within the boot it was asked in (`boot` is the present one), by
    /// wall time across boots.
    pub fn force(&mut self, now: Moment, record: OverrideRecord, boot: &BootId) {
        let OverrideRecord { session, asked, .. } = &record;
        let score = self.members.get(session).map_or(0, |member| member.score().get());
        let because = asked.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        let sentence = format!("an operator asks for {session}, whose score is {score}{because}");
        let why = Why::new(GroupReason::OperatorAsked, sentence);
        let mut change = self.change(now, GroupChangeKind::OverrideBegan, Some(session.clone()), why);
        change.asked_by.clone_from(&asked.by);
        self.changes.push(change);
        self.remember_override(now, record, boot);
    }

    /// Takes up an override that the store remembers; what it says happened before.
    pub fn remember_override(&mut self, now: Moment, record: OverrideRecord, boot: &BootId) {
        let OverrideRecord { session, expires, asked } = record;
        let expires = expires.map(|Expiry { uptime, wall, boot: set_in }| {
            let clock = if set_in == *boot { uptime } else { now.clock + wall.since(now.wall) };
            Ends { clock, wall }
        });
        self.forced = Some(Forced { session, since: now.uptime, expires, asked });
        self.override_ended = false;
        self.pass(now);
    }

    /// Ends the override of `session`, if it is the one in force; says who asked for that, and why.
    pub fn unforce(&mut self, now: Moment, session: &SessionId, asked: &Asked) {
        if self.forced.as_ref().is_some_and(|forced| forced.session == *session) {
            let because = asked.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
            let why = Why::new(GroupReason::OperatorEnded, format!("an operator ended it{because}"));
            self.end_override(now, why);
            // Whoever asked has removed it from the store before.
            self.override_ended = false;
            if let Some(change) = self.changes.last_mut() {
                change.asked_by.clone_from(&asked.by);
            }
            self.pass(now);
        }
    }

    /// That an operator asks for `member`; who that is, and why, as far as they said so.
    pub(super) fn why_forced(&self, member: &Member) -> Option<String> {
        let Asked { by, reason } = &self.forced.as_ref().filter(|_| self.is_forced(member))?.asked;
        let said = [by.as_ref().map(Name::as_str), reason.as_ref().map(Description::as_str)];
        let said: Vec<&str> = said.into_iter().flatten().filter(|said| !said.is_empty()).collect();
        let said = if said.is_empty() { String::new() } else { format!(" ({})", said.join(": ")) };
        Some(format!("an operator asks for {}, whose score is {}{said}", member.spec.id, member.score()))
    }

    /// Whether an override asks for `session`, which may be away.
    #[must_use]
    pub fn forces(&self, session: &SessionId) -> bool {
        self.forced.as_ref().is_some_and(|forced| forced.session == *session)
    }

    /// Whether the store still has an override that has ended.
    #[must_use]
    pub const fn override_to_remove(&self) -> bool {
        self.override_ended
    }

    /// The store has removed the override that had ended.
    pub fn override_removed(&mut self) {
        self.override_ended = false;
    }

    pub(super) fn end_override(&mut self, now: Moment, why: Why) {
        if let Some(forced) = self.forced.take() {
            self.override_ended = true;
            self.note(now, GroupChangeKind::OverrideEnded, Some(forced.session), why);
        }
    }

    /// An override ends as asked, and once its target was silent for T: whoever is forced and silent
    /// must not block the group, unless the group wants the vendor's behaviour.
    pub(super) fn forced_until(&self, now: Moment, forced: &Forced) -> Option<Uptime> {
        let sign = self.members.get(&forced.session).map_or(forced.since, Member::last_sign);
        let silent = (!self.spec.preferences.keep_silent_override)
            .then(|| sign.max(forced.since) + self.timeout().get());
        // Silence is attended time; what is left by the clock passes in it, too, unless a stall is yet to come.
        let expires = forced.expires.map(|expires| now.uptime + expires.clock.since(now.clock));
        [silent, expires].into_iter().flatten().min()
    }

    /// Whether the group wants that this Primary keeps the seat although it is silent: an override asks
    /// for it, and the group's creator chose the vendor's behaviour. Not one that was told to stop: it is never
    /// answered Primary again on this seat. Nor one that is heard and does not act: no answer reaches it. Nor one that
    /// leaves: it comes back as another, if at all.
    pub(super) fn is_kept_in_silence(&self, now: Moment, tenure: &Tenure) -> bool {
        let is_kept = |member: &Member| {
            let idles = member.native.as_ref().is_some_and(|native| !native.acting);
            // Its next run is another holder, which must not wait for this one for ever.
            member.may_be(&tenure.holder)
                && !member.is_leaving()
                && !(idles && member.is_live(now, self.timeout()))
        };
        self.spec.preferences.keep_silent_override
            && tenure.told.is_none()
            && tenure.stopped.is_none()
            && self.forced.as_ref().is_some_and(|forced| forced.session == tenure.holder.session)
            && self.members.get(&tenure.holder.session).is_some_and(is_kept)
    }

    pub(super) fn lapse_override(&mut self, now: Moment) {
        let Some(forced) = self
            .forced
            .as_ref()
            .filter(|forced| self.forced_until(now, forced).is_some_and(|until| now.uptime >= until))
        else {
            return;
        };
        let why = if forced.expires.is_some_and(|expires| now.clock >= expires.clock) {
            Why::new(GroupReason::OverrideExpired, "its time is over")
        } else {
            let sentence = format!("{} was silent for {}", forced.session, limit(self.timeout().get()));
            Why::new(GroupReason::OverrideTargetSilent, sentence)
        };
        self.end_override(now, why);
    }
}
