//! Times in which nothing is wrong: somebody acts soon, and then without a gap.

use std::time::Duration;

use client_failover::{clock, domain::Uptime};

use super::{Plant, sink::Write};

/// What processes that are started, messages, alarms and records that are well, and a disk that others use take on top.
const ON_TOP: Duration = Duration::from_millis(500);

/// A time of calm after faults.
#[derive(Debug, Clone)]
pub struct Calm {
    /// When all was well again.
    pub healed: Uptime,
    /// How long after that somebody acted.
    pub idle: Duration,
    /// How long that may take: 2 T, and T/2 for whoever has to register first, by the slowest clock that is allowed; and what a
    /// machine takes that is loaded as this one was.
    pub allowed: Duration,
    /// The longest time without a write after that, and what is no gap yet on a machine that is loaded so.
    pub longest_gap: Duration,
    pub allowed_gap: Duration,
    /// How many acted after that, and under how many epochs.
    pub acted: usize,
}

impl Calm {
    /// Watches a plant that was healed just now, until it is known.
    pub fn watch(plant: &Plant) -> Self {
        let (t, healed, from) = (plant.timeout(), clock::now().uptime, plant.sink.len());
        let acts = plant.until_write("somebody acts after healing", from, |_| true);
        let loaded = |from, to| plant.control.late_in(from, to) * 2;
        let allowed = t * 5 / 2 * 20 / 19 + ON_TOP + loaded(healed, acts.at);
        let settled = acts.at.max(healed + allowed);
        let until = settled + t * 2;
        plant.until_moment(until);
        let writes: Vec<Write> = plant
            .sink
            .from(from)
            .into_iter()
            .filter(|write| write.at >= settled && write.at < until)
            .collect();
        let moments = [settled].into_iter().chain(writes.iter().map(|write| write.at)).chain([until]);
        let gaps = moments.clone().zip(moments.skip(1)).map(|(one, next)| next.since(one));
        let mut acted: Vec<(usize, u64)> = writes.iter().map(|write| (write.member, write.epoch)).collect();
        acted.sort_unstable();
        acted.dedup();
        Self {
            healed,
            idle: acts.at.since(healed),
            allowed,
            longest_gap: gaps.max().unwrap_or_default(),
            allowed_gap: t / 4 + ON_TOP + loaded(settled, until),
            acted: acted.len(),
        }
    }

    /// What is wrong with it.
    pub fn fault(&self) -> Option<String> {
        let late = self.idle > self.allowed;
        let gap = self.longest_gap > self.allowed_gap || self.acted != 1;
        (late || gap).then(|| format!("{self:?}"))
    }
}
