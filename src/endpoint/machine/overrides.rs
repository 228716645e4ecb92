//! Role overrides: an operator says who is to be Primary.

use crate::domain::{Expiry, OverrideRecord, Wall};

use super::{ChangeKind, Group, Now, SessionId, Uptime, seconds};

/// An override that is in force, or waits for its target to be heard.
#[derive(Debug, Clone)]
pub(super) struct Forced {
    pub(super) session: SessionId,
    /// When it was asked for, or taken up again after a restart.
    pub(super) since: Uptime,
    /// When it ends, in this boot's uptime and in wall time.
    pub(super) expires: Option<Ends>,
}

/// When an override ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) uptime: Uptime,
    pub(super) wall: Wall,
}

impl Group {
    /// Makes `record.session` the one who is to be Primary; the later override wins.
    ///
    /// An expiry counts by uptime within the boot it was asked in (`boot` is the present one), by
    /// wall time across boots.
    pub fn force(&mut self, now: Now, record: OverrideRecord, boot: &crate::domain::BootId) {
        let OverrideRecord { session, expires } = record;
        let expires = expires.map(|Expiry { uptime, wall, boot: set_in }| {
            let uptime = if set_in == *boot { uptime } else { now.uptime + wall.since(now.wall) };
            Ends { uptime, wall }
        });
        let score = self.members.get(&session).map_or(0, |member| member.score().get());
        let reason = format!("an operator asks for {session}, whose score is {score}");
        self.note(ChangeKind::OverrideBegan, Some(session.clone()), reason);
        self.forced = Some(Forced { session, since: now.uptime, expires });
        self.override_ended = false;
        self.pass(now);
    }

    /// Ends the override of `session`, if it is the one in force.
    pub fn unforce(&mut self, now: Now, session: &SessionId) {
        if self.forced.as_ref().is_some_and(|forced| forced.session == *session) {
            self.end_override("an operator ended it".to_owned());
            self.pass(now);
        }
    }

    /// Whether the store still has an override that has ended.
    #[must_use]
    pub const fn override_to_remove(&self) -> bool {
        self.override_ended
    }

    /// The store has removed the override that had ended.
    pub fn override_removed(&mut self) {
        self.override_ended = self.override_ended && self.forced.is_some();
    }

    pub(super) fn end_override(&mut self, reason: String) {
        if let Some(forced) = self.forced.take() {
            self.override_ended = true;
            self.note(ChangeKind::OverrideEnded, Some(forced.session), reason);
        }
    }

    /// An override ends as asked, and once its target was silent for T: whoever is forced and silent
    /// must not block the group.
    pub(super) fn forced_until(&self, forced: &Forced) -> Uptime {
        let sign = self.members.get(&forced.session).map_or(forced.since, super::Member::last_sign);
        let lapse = sign.max(forced.since) + self.timeout().get();
        forced.expires.map_or(lapse, |expires| expires.uptime.min(lapse))
    }

    pub(super) fn lapse_override(&mut self, now: Now) {
        let Some(forced) = self.forced.as_ref().filter(|forced| now.uptime >= self.forced_until(forced))
        else {
            return;
        };
        let expired = forced.expires.is_some_and(|expires| now.uptime >= expires.uptime);
        let reason = if expired {
            "its time is over".to_owned()
        } else {
            format!("{} was silent for {}", forced.session, seconds(self.timeout().get()))
        };
        self.end_override(reason);
    }
}
