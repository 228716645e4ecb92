//! In a plant where nothing goes wrong a better score takes over by the margin, after the dwell, and never back to one that
//! has lost the role not long ago; and nobody stops for one that does not follow.

use std::collections::BTreeMap;

use client_failover::domain::{GroupChange, GroupChangeKind, GroupKey, GroupReason, Margin, SessionId};

use super::{
    clock::{DRIFT, Instant, MILLISECOND, Span, TRUE_RATE},
    sink::Accusation,
    tenures::is_for_a_challenger,
};

/// How long one that lost the role by its silence or its score does not get it back for a better score, in T.
const CALM_TS: u64 = 10;

/// The dwell may begin with the grant, which is told once it is on disk.
const RECORDED: Span = 50 * MILLISECOND;

/// What is known of who was Primary.
#[derive(Debug, Default)]
pub(crate) struct Steady {
    /// Who was made Primary last, and when.
    primary: BTreeMap<GroupKey, (SessionId, Instant)>,
    lost: BTreeMap<(GroupKey, SessionId), Instant>,
    /// Who was told last to stop for somebody else, and when.
    told: BTreeMap<GroupKey, (SessionId, Instant)>,
}

impl Steady {
    /// Something happened in a group of this T. It is judged from `from` on, and what was before does not count: something else
    /// happened then, and an endpoint or a session that began anew knows nothing of it.
    pub(crate) fn changed(
        &mut self,
        now: Instant,
        from: Option<Instant>,
        timeout: Span,
        key: &GroupKey,
        change: &GroupChange,
    ) -> Option<Accusation> {
        let session = change.session.clone()?;
        if change.kind == GroupChangeKind::Promoted {
            let told = self.told.remove(key).filter(|told| from.is_some_and(|from| told.1 >= from));
            self.primary.insert(key.clone(), (session.clone(), now));
            return told.filter(|(told, _)| *told == session).map(|_| {
                ("InVain", format!("{session} was told to stop for somebody else, and is Primary again"))
            });
        } else if change.kind == GroupChangeKind::ToldToStop && is_for_a_challenger(change.reason) {
            self.told.insert(key.clone(), (session, now));
        } else if change.kind == GroupChangeKind::SeatFreed
            && change.reason.is_a_loss()
            && change.members.iter().any(|seen| seen.session == session)
        {
            // One that was no member any more may come back as a new one.
            self.lost.insert((key.clone(), session), now);
        } else if change.kind == GroupChangeKind::ChallengeBegan && change.reason == GroupReason::BetterScore
        {
            return self.challenged(now, from?, timeout, key, change, session);
        }
        None
    }

    fn challenged(
        &self,
        now: Instant,
        from: Instant,
        timeout: Span,
        key: &GroupKey,
        change: &GroupChange,
        by: SessionId,
    ) -> Option<Accusation> {
        // A promotion from before may have been taken back since.
        let (primary, since) = self.primary.get(key).filter(|(_, since)| *since >= from)?;
        let score = |session: &SessionId| {
            let seen = change.members.iter().find(|seen| seen.session == *session)?;
            seen.score.map(|score| u64::from(score.get()))
        };
        // By the fastest clock that is allowed.
        let has_passed = |from: Instant, span: Span| now - from >= span * TRUE_RATE / (TRUE_RATE + DRIFT);
        let (better, than) = (score(&by)?, score(primary)?);
        if better < than + u64::from(Margin::DEFAULT.get()) {
            return Some(("Margin", format!("{by}, {better}, is to take over from {primary}, {than}")));
        }
        if !has_passed(*since, timeout / 2 - RECORDED) {
            return Some(("Dwell", format!("{by} is to take over from {primary} at once")));
        }
        let lost = self.lost.get(&(key.clone(), by.clone()));
        lost.is_some_and(|lost| *lost >= from && !has_passed(*lost, CALM_TS * timeout)).then(|| {
            ("CameBack", format!("{by} is to take over from {primary} so soon after it lost the role"))
        })
    }
}
