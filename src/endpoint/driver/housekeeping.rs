//! Notices what is over without a heartbeat. No loop here waits for a disk or for anybody, and each feeds the watchdog by
//! going round; what waits for the store is in `tidying.rs`.

use std::{io, sync::Arc, time::Duration};

use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Endpoint, unpoisoned};
use crate::{
    clock::{self, Alarm},
    service::{Pulse, Rounds},
};

/// How often a tick looks for what is over, at the least.
const TICK: Duration = Duration::from_secs(1);

/// The least pause between two ticks: a thousand small groups must not make the endpoint do nothing
/// else, and a silence that is noticed 5 ms late is noticed soon enough.
const PAUSE: Duration = Duration::from_millis(5);

impl Endpoint {
    /// Attends, notices what is over, and removes sessions that were silent for too long, until `stop`. Its loops are
    /// watched from now on.
    ///
    /// # Errors
    /// When the kernel refuses a timer.
    pub fn run(
        self,
        rounds: &Rounds,
        stop: CancellationToken,
    ) -> impl Future<Output = io::Result<()>> + Send + use<> {
        let (housekeeping, attention) = (rounds.watch("housekeeping"), rounds.watch("attention"));
        async move {
            let (mut loops, ticked) = (JoinSet::new(), Arc::new(Notify::new()));
            loops.spawn(self.clone().attend(attention, stop.clone()));
            loops.spawn(self.clone().keep_house(housekeeping, Arc::clone(&ticked), stop.clone()));
            loops.spawn(self.clone().tidy(ticked, stop.clone()));
            loops.spawn(self.clone().live(stop));
            // One that fails ends all of them.
            while let Some(ended) = loops.join_next().await {
                ended.map_err(io::Error::other)??;
            }
            self.close().await;
            Ok(())
        }
    }

    /// Ticks when something may be over, and says so to whoever tidies up.
    async fn keep_house(
        self,
        mut pulse: Pulse,
        ticked: Arc<Notify>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        loop {
            pulse.turn();
            self.tick();
            ticked.notify_one();
            let next = async {
                alarm.after(PAUSE).await?;
                self.inner.lookout.wait(&mut alarm).await
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                waited = next => waited?,
                () = pulse.asked() => {}
            }
        }
    }

    /// Keeps attended time going, and tells where the endpoint was stalled.
    pub(super) async fn attend(self, mut pulse: Pulse, stop: CancellationToken) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        loop {
            pulse.turn();
            let next = unpoisoned(&self.inner.attention).next_tick();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                waited = alarm.until(next) => waited?,
                () = self.inner.quickened.notified() => {}
            }
            self.attend_now(|attention, now| {
                // A heartbeat that was read first may have noticed the stall.
                if now.uptime < attention.next_tick() { None } else { attention.tick(now) }
            });
        }
    }

    /// Ends in order: what is being written is written first.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.cells().iter().for_each(|cell| self.hurry(cell));
        self.inner.writers.close();
        self.inner.writers.wait().await;
        self.tell_stop().await;
    }

    /// Looks at every group.
    fn tick(&self) {
        let cells = self.cells();
        let smallest = cells.iter().map(|cell| cell.lock().spec().draft.timeout).min();
        unpoisoned(&self.inner.attention).keep_pace(smallest);
        self.inner.lookout.begin(clock::now().uptime + TICK);
        for cell in &cells {
            let mut group = cell.lock();
            group.tick(self.now());
            self.keep_books(cell, &mut group);
        }
    }
}
