//! What is said of the collector: its health, and the sentences of history.

use std::time::Duration;

use super::{Cause, Ended, Machine, Phase, Run, Status};
use crate::domain::{
    AdapterState, FailoverScore, Health, Now, Order, Reason, Transition, TransitionKind, Uptime,
};

impl Machine {
    /// How the collector does at `now`.
    #[must_use]
    pub fn health(&self, now: Uptime) -> Health {
        Health {
            obeyed: self.obeyed,
            score: self.ceded.map(|_| FailoverScore::ZERO),
            state: self.state(now),
            warnings: self.warnings(),
            ..Health::NOTHING_PROTECTED
        }
    }

    fn state(&self, now: Uptime) -> Option<AdapterState> {
        if self.ceded.is_some() {
            return Some(AdapterState::Faulted);
        }
        let wanted = self.may_start() && Order::told(&self.standing, now).started;
        let running = self.run.as_ref().is_some_and(|run| run.phase == Phase::Running);
        Some(match (wanted, running) {
            (false, _) => AdapterState::Stopped,
            (true, false) => AdapterState::Starting,
            (true, true) => AdapterState::Running,
        })
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.ceded.is_some() {
            warnings.push(format!(
                "The collector {} does not keep running: the role is left to others. Its last words are in the log.",
                self.settings.command.program()
            ));
        } else if self.failures > 0 {
            warnings.push(format!("The collector did not keep running, {} times in a row.", self.failures));
        }
        if self.run.as_ref().is_some_and(|run| run.phase == Phase::Struck) {
            warnings.push("The collector's guard does not answer; both are killed.".to_owned());
        }
        warnings
    }

    pub(super) fn record(&mut self, now: Now, reason: Reason, explanation: String) {
        let standing = &self.standing;
        let health = self.health(now.uptime);
        let row = Transition {
            adapter_state: health.state.unwrap_or(standing.adapter_state),
            score: Some(health.score.unwrap_or(standing.score)),
            ..Transition::observed(standing, now, TransitionKind::Collector, reason, explanation)
        };
        self.effects.push(super::Effect::Record(Box::new(row)));
    }

    pub(super) fn ending(&self, run: &Run, ended: Ended, now: Uptime) -> (Reason, String) {
        let status = said(ended.status);
        let took = run.ending_since.map_or(Duration::ZERO, |since| now.since(since));
        let signal = self.settings.stop_signal.as_str();
        match ended.cause {
            Cause::Itself if run.ending_since.is_none() => {
                (Reason::Exited, format!("the collector ended by itself: {status}"))
            }
            Cause::Itself | Cause::Asked => (
                Reason::Stopped,
                format!("the collector was stopped in {:.3} s: {status}", took.as_secs_f64()),
            ),
            Cause::Overdue => (
                Reason::StopTimedOut,
                format!(
                    "the collector did not stop within {:.3} s of {signal}, and was killed",
                    took.as_secs_f64()
                ),
            ),
            Cause::Deadline => (
                Reason::Fenced,
                "the permission to act ended before the collector did, and its guard killed it".to_owned(),
            ),
            Cause::Struck => (
                Reason::GuardLost,
                "the collector's guard did not answer: it and the collector were killed".to_owned(),
            ),
            Cause::GuardGone => {
                (Reason::GuardLost, "the collector's guard was gone: the collector was killed".to_owned())
            }
        }
    }

    pub(super) fn ceding(&self, wait: Option<Duration>) -> String {
        let times = self.failures;
        match wait {
            Some(wait) => format!(
                "the collector did not keep running, {times} times in a row: the score is 0 for {:.1} s, so that \
                 another takes over",
                wait.as_secs_f64()
            ),
            None => format!(
                "the collector did not keep running, {times} times in a row: the score is 0 until it runs well again"
            ),
        }
    }
}

fn said(status: Status) -> String {
    match status {
        Status::Exit(127) => "exit status 127, as of a program that is not there".to_owned(),
        Status::Exit(126) => "exit status 126, as of a program that cannot be run".to_owned(),
        Status::Exit(code) => format!("exit status {code}"),
        Status::Signal(signal) => format!("signal {signal}"),
        Status::Unknown => "nobody knows how".to_owned(),
    }
}
