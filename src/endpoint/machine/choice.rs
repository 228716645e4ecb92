//! The choice of a Primary, and of who may challenge it.

use std::{cmp::Reverse, collections::VecDeque, time::Duration};

use super::{
    FailoverScore, FailoverTimeout, Group, GroupChangeKind, GroupReason, Holder, Member, Moment, Uptime, Why,
    hearing, limit,
};

/// Somebody who is to take over from the Primary. The incumbent is told only once it has confirmed.
#[derive(Debug, Clone)]
pub(super) struct Challenge {
    pub(super) by: Holder,
    /// Why it is better.
    pub(super) why: Why,
    /// The sequences that were answered PendingPrimary, the latest of them. An answer to any other was not this
    /// challenge's, and perhaps not even of this run of the endpoint.
    pub(super) asked: VecDeque<u64>,
    /// Whether it was heard again after that.
    pub(super) confirmed: bool,
}

/// So many sequences are remembered: more than whoever answers can reach asks at once.
const MOST_ASKED: usize = 32;

impl Challenge {
    /// A question of the challenger is answered PendingPrimary.
    pub(super) fn note_asked(&mut self, sequence: u64) {
        if self.asked.back() != Some(&sequence) {
            self.asked.push_back(sequence);
        }
        if self.asked.len() > MOST_ASKED {
            self.asked.pop_front();
        }
    }
}

/// After how much silence a member is taken to have missed its heartbeats: one that came every T/2, as of stock
/// members, or two at the native pace. The eighth is for those that come late.
pub(super) fn quiet_after(timeout: FailoverTimeout) -> Duration {
    timeout.get() * 5 / 8
}

/// For how many T the past counts: see [`Group::is_calm`] and [`Group::lost_lately`].
pub(super) const CALM: u32 = 10;

impl Group {
    /// Who may be made Primary: heard within T, not known to hear nothing, and not about to be gone.
    fn is_candidate(&self, now: Moment, member: &Member) -> bool {
        member.is_live(now, self.timeout()) && !member.is_deaf(now, self.timeout()) && !member.is_leaving()
    }

    /// Whether an operator asks for `member`. One that leaves takes no role, whoever asks: its next run may.
    pub(super) fn is_forced(&self, member: &Member) -> bool {
        self.forced.as_ref().is_some_and(|forced| forced.session == member.spec.id) && !member.is_leaving()
    }

    /// When `member` gave up the seat without having acted on it, in the last 10 T: answers reach it too
    /// late. It is chosen only if there is nobody else, or nobody for whom that is longer ago. An operator who asks
    /// for it since then knows that.
    fn idled_lately(&self, now: Moment, member: &Member) -> Option<Uptime> {
        let idle = member.native.as_ref().and_then(|native| native.idle);
        let asked = self.forced.as_ref().filter(|_| self.is_forced(member)).map(|forced| forced.since);
        let counts = |idle: &Uptime| asked.is_none_or(|asked| *idle >= asked);
        idle.filter(|idle| now.uptime < *idle + self.timeout().get() * CALM).filter(counts)
    }

    /// Whether `member` can act, or an operator asks for it.
    fn is_able(&self, member: &Member) -> bool {
        self.is_forced(member) || member.score() > FailoverScore::ZERO
    }

    /// Whether `member` would get the seat that `incumbent` gives up. One that would not makes it stop for nothing: the
    /// incumbent would be chosen again, and again be told. One that can do nothing may look well once it stands by, so that it
    /// hears better counts all the same; a seat that `member` gave up before does not, since it confirms first.
    fn may_follow(&self, now: Moment, member: &Member, incumbent: &Member) -> bool {
        let hears = |member: &Member| !member.hears_late(now, self.timeout());
        let idled = |member: &Member| self.idled_lately(now, member);
        member.spec.id != incumbent.spec.id
            && hears(member) >= hears(incumbent)
            && (!self.is_able(incumbent) || idled(member) <= idled(incumbent))
    }

    /// For how long `member` has been silent, if it has missed heartbeats.
    fn is_quiet_for(&self, now: Moment, member: &Member) -> Option<Duration> {
        let silent = now.uptime.since(member.last_sign());
        Some(silent).filter(|silent| *silent >= quiet_after(self.timeout()))
    }

    /// The best candidate among those that `may`: who can do anything, or is forced; then whom answers reach
    /// in time; then, for a free seat, whoever has missed no heartbeat (it would wait for the next one, which may never
    /// come; while somebody acts, silence costs nothing); then whoever has not given up a seat unused in the last 10 T, or
    /// has confirmed since that it takes over; then forced, then whoever has confirmed that it takes over (the one that is told to stop may look
    /// well again once it stood by), then who did not fail as Primary in the last 10 T (one that crashes and is
    /// started again looks well each time), then the highest score, then whoever was asked to take over, then the
    /// earliest registered.
    fn best_of(&self, now: Moment, may: impl Fn(&Member) -> bool) -> Option<&Member> {
        let free = self.seat.tenure().is_none();
        let successor =
            |member: &Member| self.challenge.as_ref().filter(|challenge| member.is(&challenge.by));
        self.members.values().filter(|member| may(member) && self.is_candidate(now, member)).max_by_key(
            |member| {
                let challenge = successor(member);
                let confirmed = challenge.is_some_and(|challenge| challenge.confirmed);
                (
                    self.is_able(member),
                    !member.hears_late(now, self.timeout()),
                    Reverse(self.is_quiet_for(now, member).filter(|_| free)),
                    Reverse(self.idled_lately(now, member).filter(|_| !confirmed)),
                    self.is_forced(member),
                    confirmed,
                    Reverse(self.failed_lately(now, member)),
                    member.score(),
                    challenge.is_some(),
                    Reverse(member.order),
                )
            },
        )
    }

    /// Who is to have a free seat.
    pub(super) fn best(&self, now: Moment) -> Option<&Member> {
        self.best_of(now, |_| true)
    }

    /// The member that holds the seat, while it is heard.
    fn incumbent(&self, now: Moment) -> Option<&Member> {
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

    pub(super) fn dwell(&self) -> Duration {
        self.choosing.dwell.unwrap_or(self.timeout().get() / 2)
    }

    /// Whether a better score may cost the Primary its role now: not if two members were made Primary
    /// in the last 10 T because something went wrong or was better. Whatever scores do, a group does not
    /// hand its role to and fro.
    fn is_calm(&self, now: Moment) -> bool {
        let since = now.uptime - self.timeout().get() * CALM;
        self.promotions.iter().filter(|promoted| **promoted > since).count() < 2
    }

    /// Whether a Primary that can do nothing keeps its role only because the role has moved so often.
    pub(super) fn is_kept_by_calm(&self, now: Moment) -> bool {
        let nothing = |incumbent: &Member| {
            let better =
                |member: &Member| member.score() > FailoverScore::ZERO && !member.is(&incumbent.holder());
            incumbent.score() == FailoverScore::ZERO
                && self.members.values().any(|member| better(member) && self.is_candidate(now, member))
        };
        !self.is_calm(now) && self.incumbent(now).is_some_and(nothing)
    }

    /// Whether `member` failed as Primary in the last 10 T.
    fn failed_lately(&self, now: Moment, member: &Member) -> bool {
        member.failed.is_some_and(|failed| now.uptime < failed + self.timeout().get() * CALM)
    }

    /// Whether `member` lost the seat in the last 10 T by its silence or its score: a better score does
    /// not bring it back so soon, or a member that fails whenever it is Primary would come and go.
    fn lost_lately(&self, now: Moment, member: &Member) -> bool {
        member.lost.is_some_and(|lost| now.uptime < lost + self.timeout().get() * CALM)
    }

    /// The best member that is better than the incumbent by the margin, and may take over for that.
    fn better(&self, now: Moment, incumbent: &Member) -> Option<&Member> {
        self.best_of(now, |member| {
            self.may_follow(now, member, incumbent)
                && self.is_better(member, incumbent)
                && !self.lost_lately(now, member)
        })
    }

    /// Who is better than the Primary by the margin, and does not take over only because it lost the role lately.
    pub(super) fn kept_back(&self, now: Moment) -> Option<(&Member, &Member)> {
        let stays = self.seat.tenure().is_some_and(|tenure| tenure.told.is_none() && !tenure.unrecorded);
        let incumbent = self.incumbent(now).filter(|_| stays)?;
        // A Primary at 0 hands over to whoever lost the role, too, and an operator's word comes before any score.
        let by_score = incumbent.score() > FailoverScore::ZERO && self.forced.is_none();
        if !by_score || self.better(now, incumbent).is_some() {
            return None;
        }
        let kept = self.best_of(now, |member| {
            self.may_follow(now, member, incumbent) && self.is_better(member, incumbent)
        })?;
        Some((kept, incumbent))
    }

    /// Who should take over from the incumbent now, and why.
    fn challenger(&self, now: Moment) -> Option<(&Member, Why)> {
        let incumbent = self.incumbent(now)?;
        let tenure = self.seat.tenure().filter(|tenure| tenure.told.is_none() && !tenure.unrecorded)?;
        // Nobody can take over before it is believed that the incumbent has stopped: it would stop long before.
        if self.is_forced(incumbent) || self.is_renewing() || tenure.is_not_believed(now) {
            return None;
        }
        let than = &incumbent.spec.id;
        let best = self.best_of(now, |member| self.may_follow(now, member, incumbent))?;
        if let Some(sentence) = self.why_forced(best) {
            return Some((best, Why::new(GroupReason::OperatorAsked, sentence)));
        }
        if !self.is_calm(now) {
            return None;
        }
        if incumbent.score() == FailoverScore::ZERO {
            // Starting takes time: a Primary that has not scored yet has T.
            let over = tenure.scored || now.uptime >= tenure.starting_since + self.timeout().get();
            let sentence =
                format!("{than} can do nothing, its score is 0; {} has {}", best.spec.id, best.score());
            return (over && best.score() > FailoverScore::ZERO)
                .then(|| (best, Why::new(GroupReason::ScoreZero, sentence)));
        }
        let better = self.better(now, incumbent)?;
        let dwelt = self.worse_since.is_some_and(|since| now.uptime.since(since) >= self.dwell());
        let sentence = format!(
            "the score of {}, {}, was better than that of {than}, {}, by {} or more for {}",
            better.spec.id,
            better.score(),
            incumbent.score(),
            self.choosing.margin.get(),
            limit(self.dwell())
        );
        dwelt.then(|| (better, Why::new(GroupReason::BetterScore, sentence)))
    }

    /// Looks again at who is better, and at who is to take over.
    pub(super) fn review(&mut self, now: Moment) {
        let calm_since = now.uptime - self.timeout().get() * CALM;
        self.promotions.retain(|promoted| *promoted > calm_since);
        let worse = self.incumbent(now).is_some_and(|incumbent| self.better(now, incumbent).is_some());
        self.worse_since = if worse { self.worse_since.or(Some(now.uptime)) } else { None };
        if self.seat.tenure().is_none_or(|tenure| tenure.told.is_some()) {
            // The incumbent was told, or is gone: whoever was asked stays first among equals.
            return;
        }
        let due = self.challenger(now).map(|(member, why)| (member.holder(), why));
        match (due, &self.challenge) {
            (Some((by, _)), Some(challenge)) if challenge.by == by => {}
            (Some((by, why)), _) => {
                self.drop_challenge(now, Why::new(GroupReason::NoLongerBetter, "somebody else is better"));
                self.note(now, GroupChangeKind::ChallengeBegan, Some(by.session.clone()), why.clone());
                self.challenge = Some(Challenge { by, why, asked: VecDeque::new(), confirmed: false });
            }
            (None, Some(challenge)) => {
                let challenger = self.members.get(&challenge.by.session);
                let sentence = if challenger.is_some_and(Member::is_leaving) {
                    "it leaves the group".to_owned()
                } else {
                    let silent = challenger.map(|member| hearing::silence(now, member));
                    format!("it is not better any more; it was heard {} ago", silent.unwrap_or_default())
                };
                self.drop_challenge(now, Why::new(GroupReason::NoLongerBetter, sentence));
            }
            (None, None) => {}
        }
    }

    pub(super) fn drop_challenge(&mut self, now: Moment, why: Why) {
        if let Some(challenge) = self.challenge.take() {
            self.note(now, GroupChangeKind::ChallengeDropped, Some(challenge.by.session), why);
        }
    }

    /// Why `member` was chosen for a free seat.
    pub(super) fn why_chosen(&self, now: Moment, member: &Member) -> String {
        let name = &member.spec.id;
        let alone =
            !self.members.values().any(|other| other.spec.id != *name && self.is_candidate(now, other));
        let again = self.why.reason == GroupReason::NoHeartbeat && self.freed_by.as_ref() == Some(name);
        let choice = if let Some(asked) = self.why_forced(member) {
            asked
        } else if again && alone {
            format!("{name} is heard again, and no other adapter is")
        } else if again {
            format!("{name} is heard again, and had the best score, {}", member.score())
        } else if alone {
            format!("{name} is the only adapter that is heard")
        } else {
            format!("{name} had the best score, {}", member.score())
        };
        let why = &self.why.sentence;
        if why.contains(&choice) { why.clone() } else { format!("{why}; {choice}") }
    }
}

impl Member {
    pub(super) fn holder(&self) -> Holder {
        Holder { session: self.spec.id.clone(), incarnation: self.incarnation().cloned() }
    }
}
