//! What the machine shows and records: the Standing, the rows of history, what outlives a crash.

use super::{
    Acting, AdapterState, CallFailure, Desired, Effect, Known, Machine, Mode, Now, Order, Phase, Reason,
    Role, Standing, Transition, TransitionKind,
};
use crate::domain::{HandOver, LastAct, Receipt};

/// Gaps that differ by less are one that was told twice.
const SAME_GAP_US: u64 = 1_000;

impl Machine {
    pub(super) fn endpoint_name(&self) -> String {
        self.target().map_or_else(|| "the endpoint".to_owned(), |target| target.endpoint.to_string())
    }

    pub(super) fn set_role(&mut self, now: Now, role: Role, reason: Reason, explanation: String) {
        // The role that is found at a start is a row as well, although it is no change.
        let first = self.published.is_none();
        if role != self.role || first {
            self.role_since = now.wall;
        }
        let changed = role != self.role || first || reason == Reason::TookBack;
        self.role = role;
        self.reason = reason;
        self.explanation.clone_from(&explanation);
        if changed {
            self.record(now, TransitionKind::Role, reason, explanation);
        }
    }

    /// Applies the configured mode, unless a Primary has to keep the one it has.
    pub(super) fn apply_mode(&mut self, now: Now, reason: Reason) {
        let Some(mode) = self.target().map(|target| target.mode).filter(|_| self.role != Role::Primary)
        else {
            return;
        };
        if let Some(applied) = self.applied_mode.replace(mode)
            && applied != mode
        {
            let explanation = format!("the mode that is applied changed from {applied} to {mode}");
            self.record(now, TransitionKind::Mode, reason, explanation);
        }
    }

    /// Records that the group's timeout is not ours, once for each pair.
    pub(super) fn note_timeouts(&mut self, now: Now) {
        if self.recorded_unfit != self.unfit {
            self.recorded_unfit = self.unfit;
            if let Some(explanation) = self.why_unfit() {
                self.record(now, TransitionKind::EffectiveTimeout, Reason::GroupTimeoutDiffers, explanation);
            }
        }
        let (Some(own), Some(group)) = (self.target().map(|target| target.timeout), self.group_timeout)
        else {
            return;
        };
        if own == group {
            self.recorded_timeouts = None;
        } else if self.recorded_timeouts != Some((own, group)) {
            self.recorded_timeouts = Some((own, group));
            let explanation = format!("the group's FailoverTimeout is {group}; {own} is configured here");
            self.record(now, TransitionKind::EffectiveTimeout, Reason::GroupTimeoutDiffers, explanation);
        }
    }

    /// The endpoint answered.
    pub(super) fn contact(&mut self, now: Now) {
        self.last_contact = now.uptime;
        self.may_take_back = false;
        self.last_error = None;
        if std::mem::take(&mut self.lost) {
            let explanation = format!("{} answers again", self.endpoint_name());
            self.record(now, TransitionKind::EndpointRestored, Reason::Answered, explanation);
        }
        // A trouble is over when a whole T passed without a failure; until then each kind is one row,
        // however often it comes and goes.
        if now.uptime.since(self.last_failure) >= self.pace_timeout().get() {
            self.troubles.clear();
        }
    }

    /// A call failed.
    pub(super) fn trouble(&mut self, now: Now, what: &str, failure: &CallFailure) {
        let explanation =
            format!("{what} at {} failed: {}. {}", self.endpoint_name(), failure.detail, failure.remedy());
        self.last_error = Some(explanation.clone());
        self.last_failure = now.uptime;
        if failure.kind.is_an_answer() {
            // Whoever refuses us has been reached, and may have made another adapter Primary.
            self.may_take_back = false;
        }
        if self.troubles.insert(failure.kind) {
            self.record(now, TransitionKind::EndpointFailed, failure.kind.reason(), explanation);
        }
    }

    pub(super) fn record(&mut self, now: Now, kind: TransitionKind, reason: Reason, explanation: String) {
        let target = self.target();
        let transition = Transition {
            at: now.wall,
            kind,
            reason,
            explanation,
            role: self.role,
            mode: self.applied_mode,
            adapter_state: self.adapter_state(),
            group: target.map(|target| target.group.clone()),
            session: target.map(|_| self.identity.session.clone()),
            epoch: self.epoch,
            score: Some(self.score()),
            last_data: self.health.last_data,
            round_trip: self.round_trip,
            gap_us: None,
        };
        self.records.push(transition);
    }

    /// Records the receipt of a hand-over from or to this adapter, once.
    pub(super) fn note_receipt(&mut self, now: Now, receipt: &Receipt) {
        // Under one epoch there may be more than one: a Primary that was back after the endpoint was away.
        // A gap is told again and again, each time rounded anew.
        let is_old = |known: &HandOver| {
            let same = receipt.gap_us().abs_diff(known.gap_us) < SAME_GAP_US;
            receipt.epoch < known.epoch || (receipt.epoch == known.epoch && same)
        };
        if self.hand_over.as_deref().is_some_and(is_old) {
            return;
        }
        let is_first = self.hand_over.replace(Box::new(HandOver::new(receipt, now))).is_none();
        if is_first && Some(receipt.epoch) <= self.recorded_before {
            return;
        }
        let took = receipt.to == self.identity.session;
        let reason = if took { Reason::TookOver } else { Reason::HandedOver };
        let [last, first] =
            [receipt.last_act_ago, receipt.first_act_ago].map(|ago| now.wall.minus(ago).to_string());
        let (sentence, cause) = (receipt.sentence(), receipt.cause.as_cause());
        let last_act = match receipt.last_act {
            LastAct::Said => "last act",
            LastAct::LastHeartbeat => "last heartbeat",
        };
        let explanation = format!("{sentence}; {last_act} {last}, first act {first}, cause {cause}");
        self.record(now, TransitionKind::HandOver, reason, explanation);
        if let Some(row) = self.records.last_mut() {
            row.gap_us = Some(receipt.gap_us());
        }
    }

    /// Records what the gate delivered of a hand-over to this adapter, once, when it has counted to the end.
    pub(super) fn note_deliveries(&mut self, now: Now) {
        let Some(deliveries) = self.health.deliveries.filter(|gate| gate.epoch.is_some()) else { return };
        if self.recorded_deliveries == Some(deliveries) {
            return;
        }
        let session = &self.identity.session;
        let receipt = self
            .hand_over
            .as_mut()
            .filter(|receipt| Some(receipt.epoch) == deliveries.epoch && receipt.to == *session);
        if receipt.is_none() && self.role == Role::Primary && self.answered <= self.promoted_after {
            return;
        }
        self.recorded_deliveries = Some(deliveries);
        let is_news = receipt.is_some() || deliveries.resent + deliveries.dropped > 0;
        let receipt = receipt.map(|receipt| {
            receipt.deliveries = Some(deliveries);
            &**receipt
        });
        let (sentence, gap) = (deliveries.sentence(receipt), receipt.and_then(HandOver::delivery_gap_us));
        if is_news {
            self.record(now, TransitionKind::HandOver, Reason::Delivered, sentence);
            if let Some(row) = self.records.last_mut() {
                row.gap_us = gap;
            }
        }
    }

    pub(super) fn known(&self, was_primary: bool) -> Option<Known> {
        let target = self.target()?;
        Some(Known {
            endpoint: target.endpoint.as_str().to_owned(),
            group: target.group.clone(),
            epoch: self.epoch,
            was_primary,
        })
    }

    pub(super) fn remember(&mut self, known: Known) {
        if self.remembered.as_ref() != Some(&known) {
            self.remembered = Some(known.clone());
            self.effects.push(Effect::Remember(known));
        }
    }

    fn adapter_state(&self) -> AdapterState {
        if self.phase == Phase::Stopped {
            return AdapterState::Stopped;
        }
        match (&self.desired, self.role, self.applied_mode) {
            (Desired::Unusable(_), _, _) => AdapterState::Faulted,
            _ if self.unfit.is_some() => AdapterState::Faulted,
            _ if self.health.state.is_some() => self.health.state.unwrap_or_default(),
            (_, Role::Secondary, Some(Mode::Cold)) => AdapterState::Stopped,
            _ => AdapterState::Running,
        }
    }

    /// Why the group's timeout keeps this adapter Secondary, where it does.
    fn why_unfit(&self) -> Option<String> {
        let timeout = self.unfit?.as_millis();
        Some(format!(
            "FailoverTimeout of this group is {timeout} ms, too small to keep a lease by (250 ms at least): \
             this adapter stays Secondary"
        ))
    }

    /// Why the endpoint hears another process under this adapter's session, and what to do.
    pub(super) const fn why_in_use(&self) -> &'static str {
        if self.identity.copied {
            "this adapter's data folder is a copy, and the adapter that it was copied from uses the same session: stop this \
             one, and start it with an empty folder"
        } else {
            "another process uses this adapter's session: if its data folder was copied, stop the copy and start that with \
             an empty folder; if this adapter was only started anew, it is let in within a FailoverTimeout"
        }
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.health.warnings.clone();
        if let Desired::Unusable(why) = &self.desired {
            warnings.push(format!("This adapter stays Secondary and cannot act: {why}."));
        }
        let Some(target) = self.target() else { return warnings };
        warnings.extend(target.warnings.iter().cloned());
        if self.lost && self.is_member() {
            let why = self.last_error.as_deref().unwrap_or("nothing was heard of it");
            warnings.push(format!(
                "The endpoint has given no good answer for a FailoverTimeout, so nobody here knows who is Primary: {why}."
            ));
        }
        if let Some(applied) = self.applied_mode.filter(|applied| self.is_member() && *applied != target.mode)
        {
            let keeps = |mode| self.loss.keeps_role(self.is_buffered_in(Some(mode)));
            let policy = match (keeps(applied), keeps(target.mode)) {
                (false, true) => " Only then will it keep its role without the endpoint.",
                (true, false) => " Only then will it step down without the endpoint.",
                (true, true) | (false, false) => "",
            };
            warnings.push(format!(
                "The mode {} is applied once this adapter is Secondary; until then it is {applied}.{policy}",
                target.mode
            ));
        }
        if self.stopping.is_some() {
            warnings.push(
                "The role ended, and what acted under it has not stopped yet: the adapter waits for it."
                    .to_owned(),
            );
        }
        if self.session_in_use && self.role == Role::Primary {
            warnings.push(format!("Nothing is heard of this adapter: {}.", self.why_in_use()));
        } else if self.identity.copied && !self.session_in_use {
            warnings.push(
                "This adapter's data folder was copied, or moved to another disk, before this start. If the original is \
                 still used, stop this adapter and start it with an empty folder; if not, this is not said again after \
                 the next start."
                    .to_owned(),
            );
        }
        warnings.extend(self.said_warnings.iter().filter(|_| self.is_member()).cloned());
        if let Some(group) = self.group_timeout.filter(|_| self.is_member())
            && group != target.timeout
        {
            warnings.push(format!(
                "The group's FailoverTimeout is {group}; the configured {} does not change it. Configure {group} here; or, to \
                 change the group's, stop all its adapters, delete the group at the endpoint (client-failover delete), and \
                 start one with the new value first.",
                target.timeout
            ));
        }
        if let Some(why) = self.why_unfit() {
            warnings.push(format!("{why}."));
        }
        if self.role == Role::Primary && self.acting == Acting::Unbounded {
            warnings.push(
                "The role is kept without the endpoint; another adapter may be Primary too. \
                 The endpoint-loss policy step-down would prevent it."
                    .to_owned(),
            );
        }
        warnings
    }

    fn standing(&self) -> Standing {
        let target = self.target();
        Standing {
            configuration: target.map(|target| target.configuration.clone()),
            mode: target.map(|target| target.mode),
            applied_mode: self.applied_mode.filter(|_| target.is_some()),
            group: target.map(|target| target.group.clone()),
            session: target.filter(|_| self.is_member()).map(|_| self.identity.session.clone()),
            role: self.role,
            acting: self.acting,
            order: self.order,
            role_since: Some(self.role_since),
            reason: Some(self.reason),
            explanation: self.explanation.clone(),
            epoch: self.epoch.filter(|_| self.is_member()),
            group_timeout: self.group_timeout.filter(|_| self.is_member()),
            last_heartbeat: self.last_heartbeat.filter(|_| self.is_member()),
            round_trip: self.round_trip.filter(|_| self.is_member()),
            last_error: self.last_error.clone().filter(|_| self.is_member()),
            endpoint_version: self.version.clone().filter(|_| self.is_member()),
            endpoint_native: self.native.filter(|_| self.is_member()),
            endpoint_loss: self.loss,
            keeps_role: self.loss.keeps_role(self.is_buffered()),
            score: self.score(),
            last_data: self.health.last_data,
            proof: self.proof.clone().filter(|_| self.is_member()),
            gated: self.health.gated,
            hand_over: self.hand_over.clone(),
            adapter_state: self.adapter_state(),
            warnings: self.warnings(),
        }
    }

    /// The standing, with a new number where it demands something else of whoever obeys than the one before.
    fn number_order(&mut self) -> Standing {
        let mut standing = self.standing();
        let demands = |standing: &Standing| Order { acting: Acting::No, ..Order::of(standing) };
        if self.published.as_ref().is_none_or(|old| demands(old) != demands(&standing)) {
            self.order += 1;
            standing.order = self.order;
        }
        standing
    }

    /// Orders what this step decided: a promotion is recorded before it is acted on, a demotion after.
    pub(super) fn close_books(&mut self, now: Now) -> Vec<Effect> {
        let standing = self.number_order();
        self.number_stop(self.order);
        if standing.adapter_state != self.recorded_state {
            self.recorded_state = standing.adapter_state;
            let explanation = format!("the adapter's state is {}", standing.adapter_state);
            let reason = if self.published.is_none() { Reason::Started } else { self.reason };
            self.record(now, TransitionKind::AdapterState, reason, explanation);
        }
        // While a role may still be taken back, a second crash must not forget it.
        if self.is_member()
            && let Some(known) =
                self.known(self.role == Role::Primary || self.may_take_back || self.was_primary_at_stop)
        {
            self.remember(known);
        }
        let acted = self.published.as_ref().is_some_and(|old| old.acting != Acting::No);
        let promotes = !acted && standing.acting != Acting::No;
        let publish =
            (self.published.as_ref() != Some(&standing)).then(|| Effect::Publish(Box::new(standing.clone())));
        self.published = Some(standing);
        let records = std::mem::take(&mut self.records).into_iter().map(|row| Effect::Record(Box::new(row)));
        let (remember, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.effects)
            .into_iter()
            .partition(|effect| matches!(effect, Effect::Remember(_)));
        let written = records.chain(remember);
        let mut effects = Vec::new();
        if promotes {
            effects.extend(written);
            effects.extend(publish);
        } else {
            effects.extend(publish);
            effects.extend(written);
        }
        effects.extend(rest);
        effects
    }
}
