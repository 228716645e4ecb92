//! The choice of a Primary, and of who may challenge it.

use super::{ChangeKind, FailoverScore, Group, Holder, Member, Now, hearing, limit};

/// Somebody who is to take over from the Primary. The incumbent is told only once it has confirmed.
#[derive(Debug, Clone)]
pub(super) struct Challenge {
    pub(super) by: Holder,
    /// Why it is better, as a sentence.
    pub(super) reason: String,
    /// The sequence that was first answered PendingPrimary.
    pub(super) asked: Option<u64>,
    /// Whether it was heard again after that.
    pub(super) confirmed: bool,
}

impl Group {
    /// Who may be made Primary: heard within T, and not known to hear nothing.
    fn is_candidate(&self, now: Now, member: &Member) -> bool {
        member.is_live(now, self.timeout()) && !member.is_deaf()
    }

    fn is_forced(&self, member: &Member) -> bool {
        self.forced.as_ref().is_some_and(|forced| forced.session == member.spec.id)
    }

    /// The best candidate but `other`: forced, then the highest score, then whoever was asked to take
    /// over, then the earliest registered.
    fn best_but(&self, now: Now, other: Option<&Member>) -> Option<&Member> {
        let successor =
            |member: &Member| self.challenge.as_ref().is_some_and(|challenge| member.is(&challenge.by));
        self.members
            .values()
            .filter(|member| other.is_none_or(|other| other.spec.id != member.spec.id))
            .filter(|member| self.is_candidate(now, member))
            .max_by_key(|member| {
                (self.is_forced(member), member.score(), successor(member), std::cmp::Reverse(member.order))
            })
    }

    /// Who is to have a free seat.
    pub(super) fn best(&self, now: Now) -> Option<&Member> {
        self.best_but(now, None)
    }

    /// The member that holds the seat, while it is heard.
    fn incumbent(&self, now: Now) -> Option<&Member> {
        let holder = self.seat.holder()?;
        let member = self.members.get(&holder.session)?;
        (member.is(holder) && member.is_live(now, self.timeout())).then_some(member)
    }

    /// Whether `challenger` is better than `incumbent` by the margin.
    ///
    /// A score of 1 says that nobody looked. It is never better by a margin than one that is above 0,
    /// so that it takes over only from a Primary that can do nothing, and by the rule for that.
    fn is_better(&self, challenger: &Member, incumbent: &Member) -> bool {
        let (score, than) = (challenger.score().get(), incumbent.score().get());
        score >= than.saturating_add(self.choosing.margin.get())
    }

    pub(super) fn dwell(&self) -> std::time::Duration {
        self.choosing.dwell.unwrap_or(self.timeout().get() / 2)
    }

    /// Who should take over from the incumbent now, and why.
    fn challenger(&self, now: Now) -> Option<(&Member, String)> {
        let incumbent = self.incumbent(now)?;
        let tenure = self.seat.tenure().filter(|tenure| tenure.told.is_none() && !tenure.unrecorded)?;
        let best = self.best_but(now, Some(incumbent))?;
        let (name, than) = (&best.spec.id, &incumbent.spec.id);
        if self.is_forced(incumbent) || self.is_renewing() {
            return None;
        }
        if self.is_forced(best) {
            return Some((best, format!("an operator asks for {name}, whose score is {}", best.score())));
        }
        if incumbent.score() == FailoverScore::ZERO {
            // Starting takes time: a Primary that has not scored yet has T.
            let over = tenure.scored || now.uptime >= tenure.granted + self.timeout().get();
            let reason = format!("{than} can do nothing, its score is 0; {name} has {}", best.score());
            return (over && best.score() > FailoverScore::ZERO).then_some((best, reason));
        }
        let dwelt = self.worse_since.is_some_and(|since| now.uptime.since(since) >= self.dwell());
        let reason = format!(
            "the score of {name}, {}, was better than that of {than}, {}, by {} or more for {}",
            best.score(),
            incumbent.score(),
            self.choosing.margin.get(),
            limit(self.dwell())
        );
        (dwelt && self.is_better(best, incumbent)).then_some((best, reason))
    }

    /// Looks again at who is better, and at who is to take over.
    pub(super) fn review(&mut self, now: Now) {
        let worse = self.incumbent(now).is_some_and(|incumbent| {
            self.best_but(now, Some(incumbent)).is_some_and(|best| self.is_better(best, incumbent))
        });
        self.worse_since = if worse { self.worse_since.or(Some(now.uptime)) } else { None };
        if self.seat.tenure().is_none_or(|tenure| tenure.told.is_some()) {
            // The incumbent was told, or is gone: whoever was asked stays first among equals.
            return;
        }
        let due = self.challenger(now).map(|(member, reason)| (member.holder(), reason));
        match (due, &self.challenge) {
            (Some((by, _)), Some(challenge)) if challenge.by == by => {}
            (Some((by, reason)), _) => {
                self.drop_challenge("somebody else is better");
                self.note(ChangeKind::ChallengeBegan, Some(by.session.clone()), reason.clone());
                self.challenge = Some(Challenge { by, reason, asked: None, confirmed: false });
            }
            (None, Some(challenge)) => {
                let silent =
                    self.members.get(&challenge.by.session).map(|member| hearing::silence(now, member));
                let reason =
                    format!("it is not better any more; it was heard {} ago", silent.unwrap_or_default());
                self.drop_challenge(&reason);
            }
            (None, None) => {}
        }
    }

    pub(super) fn drop_challenge(&mut self, reason: &str) {
        if let Some(challenge) = self.challenge.take() {
            self.note(ChangeKind::ChallengeDropped, Some(challenge.by.session), reason.to_owned());
        }
    }

    /// Why `member` was chosen for a free seat.
    pub(super) fn why_chosen(&self, now: Now, member: &Member) -> String {
        let name = &member.spec.id;
        let alone =
            !self.members.values().any(|other| other.spec.id != *name && self.is_candidate(now, other));
        let choice = if self.is_forced(member) {
            format!("an operator asks for {name}, whose score is {}", member.score())
        } else if alone {
            format!("{name} is the only adapter that is heard")
        } else {
            format!("{name} had the best score, {}", member.score())
        };
        if self.why.contains(&choice) { self.why.clone() } else { format!("{}; {choice}", self.why) }
    }
}

impl Member {
    pub(super) fn holder(&self) -> Holder {
        Holder { session: self.spec.id.clone(), incarnation: self.incarnation().cloned() }
    }
}
