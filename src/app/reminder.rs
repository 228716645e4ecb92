//! What is warned about, in the log: once it is known, and every hour for as long as it lasts, so that who reads the log
//! tomorrow finds it, too.

use std::{collections::HashMap, io, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{self, Alarm},
    domain::{Standing, Uptime},
    http::Notices,
};

/// How often what is warned about is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often what is warned about is said again.
const REMIND_EVERY: Duration = Duration::from_secs(3_600);

/// Says what is warned about, until `stop`.
pub(super) async fn remind(
    notices: Notices,
    standing: Option<watch::Receiver<Standing>>,
    stop: CancellationToken,
) -> io::Result<()> {
    let (mut alarm, mut of_server, mut of_adapter) =
        (Alarm::new()?, Reminder::default(), Reminder::default());
    loop {
        let now = clock::now().uptime;
        let failed = notices.failed();
        for warning in of_server.due(notices.warnings(), now) {
            if failed { tracing::error!("{warning}") } else { tracing::warn!("{warning}") }
        }
        let warnings = standing.as_ref().map(|standing| standing.borrow().warnings.clone());
        for warning in of_adapter.due(warnings.unwrap_or_default(), now) {
            tracing::warn!("{warning}");
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            waited = alarm.after(LOOK_EVERY) => waited?,
        }
    }
}

/// When each warning was said last. One that only counts further is the same.
#[derive(Debug, Default)]
struct Reminder(HashMap<String, Uptime>);

impl Reminder {
    /// Those of `warnings` that are to be said now.
    fn due(&mut self, mut warnings: Vec<String>, now: Uptime) -> Vec<String> {
        self.0.retain(|_, said| now < *said + REMIND_EVERY);
        warnings.retain(|warning| {
            let same = warning.replace(|c: char| c.is_ascii_digit(), "");
            let is_due = !self.0.contains_key(&same);
            if is_due {
                self.0.insert(same, now);
            }
            is_due
        });
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_said_at_once_and_every_hour_while_it_lasts() {
        let at = |seconds: u64| Uptime::new(Duration::from_secs(1_000 + seconds));
        let mut reminder = Reminder::default();
        let mut due = |warnings: &[&str], seconds| {
            let warnings = warnings.iter().map(|warning| (*warning).to_owned()).collect();
            reminder.due(warnings, at(seconds)).join(", ")
        };
        assert_eq!(due(&["a"], 0), "a");
        assert_eq!(due(&["a", "b: 1 waits"], 1), "b: 1 waits");
        assert_eq!(due(&["a", "b: 20 waits"], 2), "", "it only counts further");
        assert_eq!(due(&[], 3), "");
        assert_eq!(due(&["a"], 3_599), "", "what comes and goes is said once an hour");
        assert_eq!(due(&["a", "b: 3 waits"], 3_600), "a");
        assert_eq!(due(&["a", "b: 3 waits"], 3_601), "b: 3 waits");
        assert_eq!(due(&["a"], 7_200), "a");
    }
}
