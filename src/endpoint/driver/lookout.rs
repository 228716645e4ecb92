//! When the next tick is wanted: a moment that heartbeats and operators may bring forward.

use std::{
    io,
    sync::{Mutex, MutexGuard},
};

use tokio::sync::Notify;

use super::unpoisoned;
use crate::{clock::Alarm, domain::Uptime};

/// The earliest moment at which any group has something to notice. It only moves earlier, until the
/// tick begins anew; so it may be too early, which costs a tick, but never too late.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    at: Mutex<Uptime>,
    earlier: Notify,
}

impl Lookout {
    /// A tick begins; the next one comes at `latest`, or before.
    pub(super) fn begin(&self, latest: Uptime) {
        *self.at() = latest;
    }

    /// A group has something to notice at `moment`.
    pub(super) fn look_by(&self, moment: Uptime) {
        let mut at = self.at();
        if moment < *at {
            *at = moment;
            self.earlier.notify_one();
        }
    }

    /// Waits for the moment, also when it is brought forward meanwhile.
    pub(super) async fn wait(&self, alarm: &mut Alarm) -> io::Result<()> {
        loop {
            let at = *self.at();
            tokio::select! {
                waited = alarm.until(at) => return waited,
                () = self.earlier.notified() => {}
            }
        }
    }

    fn at(&self) -> MutexGuard<'_, Uptime> {
        unpoisoned(&self.at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock;

    #[tokio::test]
    async fn a_moment_that_is_brought_forward_is_not_slept_through() {
        let (lookout, mut alarm) = (Lookout::default(), Alarm::new().unwrap());
        let begun = clock::now().uptime;
        lookout.begin(begun + Duration::from_secs(3_600));
        let brought_forward = async {
            tokio::task::yield_now().await;
            lookout.look_by(begun + Duration::from_millis(20));
            // A later moment changes nothing.
            lookout.look_by(begun + Duration::from_secs(7_200));
        };
        let (waited, ()) = tokio::join!(lookout.wait(&mut alarm), brought_forward);
        waited.unwrap();
        assert!(clock::now().uptime >= begun + Duration::from_millis(20));
    }
}
