//! What a member should know beside its role.

use super::{
    FailoverScore, Group, GroupChangeKind, GroupReason, Member, Moment, SessionId, Why, choice::CALM, limit,
};

const POLICIES_DIFFER: &str = "The members of the group do not agree on what a Primary does that loses the \
     endpoint: some keep the role, others step down. Set the same endpoint-loss policy on all. Under auto it follows mode and \
     data endpoints; the new mode of a Primary waits for its next demotion.";

impl Group {
    /// Another process was refused under a session that is in use.
    pub(super) fn note_contest(&mut self, now: Moment, id: &SessionId) {
        let timeout = self.timeout().get();
        let Some(member) = self.members.get_mut(id) else { return };
        let noted = member.contested.replace(now.uptime).is_some_and(|last| now.uptime < last + timeout);
        if !noted {
            let why =
                Why::new(GroupReason::AnotherProcess, format!("another process uses the session of {id}"));
            self.note(now, GroupChangeKind::SessionContested, Some(id.clone()), why);
        }
    }

    /// Looks whether the members agree on what a Primary does that loses the endpoint.
    pub(super) fn compare_policies(&mut self, now: Moment) {
        let timeout = self.timeout();
        let policies = || {
            self.members.values().filter(|member| member.is_live(now, timeout)).filter_map(|member| {
                let loss = member.native.as_ref()?.loss?;
                Some((loss.keeps_role(false), member))
            })
        };
        let (keeps, steps) = (policies().find(|(keeps, _)| *keeps), policies().find(|(keeps, _)| !keeps));
        let differ = keeps.zip(steps).map(|((_, keeps), (_, steps))| {
            format!("{} keeps its role without the endpoint, {} steps down", keeps.spec.id, steps.spec.id)
        });
        self.policies_differ = differ.is_some();
        // A member that says now this and now that is one row for each T.
        let noted = self.policies_noted.is_some_and(|last| now.uptime < last + timeout.get());
        if let Some(sentence) = differ {
            self.policies_noted = Some(now.uptime);
            if noted {
                return;
            }
            let why = Why::new(GroupReason::DifferentPolicies, sentence);
            self.note(now, GroupChangeKind::PoliciesDiffer, None, why);
        }
    }

    /// What `member` should know, each a sentence.
    pub(super) fn warnings(&self, now: Moment, member: &Member) -> Vec<String> {
        let mut warnings = Vec::new();
        if member.contested.is_some_and(|last| now.uptime < last + self.timeout().get()) {
            warnings.push(
                "Another process sends heartbeats under this adapter's session. Was the data folder copied? Stop \
                 one of the two, and start it with an empty folder."
                    .to_owned(),
            );
        }
        if self.policies_differ {
            warnings.push(POLICIES_DIFFER.to_owned());
        }
        warnings.extend(self.namesake());
        if self.is_kept_by_calm(now) {
            warnings.push(
                "The Primary can do nothing, its score is 0, and the role has moved twice in the last ten \
                 FailoverTimeouts: it moves again once they are over, or by a role override."
                    .to_owned(),
            );
        }
        if self.is_forced(member) && member.score() == FailoverScore::ZERO {
            warnings.push(
                "A role override asks for this adapter, although its score is 0. End the override, or mend the \
                 adapter."
                    .to_owned(),
            );
        }
        warnings
    }

    /// Who wrote an Id in another case has another group than he thinks, with a Primary of its own.
    fn namesake(&self) -> Option<String> {
        let other = self.namesake.as_ref()?;
        Some(format!(
            "There is another group, {other}, whose Id differs from {} in case alone: their members do not back each \
             other up. Write one FailoverGroupId in all of them; then the other group is empty, and can be deleted \
             (client-failover delete).",
            self.spec.draft.id
        ))
    }

    /// What an operator should look at in the whole group, each a sentence.
    pub(super) fn all_warnings(&self, now: Moment) -> Vec<String> {
        let timeout = self.timeout();
        let contested = self
            .members
            .values()
            .filter(|member| member.contested.is_some_and(|last| now.uptime < last + timeout.get()));
        let contested = contested.map(|member| {
            format!(
                "Another process sends heartbeats under the session {}. Was its data folder copied? Stop one of \
                 the two, and start it with an empty folder.",
                member.spec.id
            )
        });
        let policies = self.policies_differ.then(|| POLICIES_DIFFER.to_owned());
        let namesake = self.namesake();
        let forced = self.forced.as_ref().and_then(|forced| self.members.get(&forced.session));
        let forced = forced.and_then(|member| {
            let id = &member.spec.id;
            if !member.is_live(now, timeout) {
                Some(format!(
                    "A role override asks for {id}, which is silent. End the override, or start the adapter."
                ))
            } else if member.score() == FailoverScore::ZERO {
                Some(format!(
                    "A role override asks for {id}, although its score is 0. End the override, or mend the adapter."
                ))
            } else {
                None
            }
        });
        contested.chain(policies).chain(namesake).chain(forced).chain(self.kept_back_warning(now)).collect()
    }

    /// Why nobody follows a much better score yet.
    fn kept_back_warning(&self, now: Moment) -> Option<String> {
        let (kept, primary) = self.kept_back(now)?;
        let (kept, score) = (&kept.spec.id, kept.score());
        let span = limit(self.timeout().get() * CALM);
        Some(format!(
            "{kept} has a better score, {score}, than the Primary, {}, and is kept back, because it lost the role in the \
             last ten FailoverTimeouts ({span}): it takes over once they are over, or by a role override.",
            primary.score()
        ))
    }
}
