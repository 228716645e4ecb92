//! What the plant knows of each moment, and what must be true of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use client_failover::{
    domain::{Block, Order},
    egress::machine::proof::Evidence,
};

use super::{
    super::{
        World,
        clock::{Instant, MILLISECOND, SECOND},
        event::SiteId,
        plan::T,
    },
    Moment,
};

/// After so long with everything well a Primary's buffer holds nothing older than `FRESH`.
const FRESH: Instant = 5 * SECOND;

/// A request that waited takes no longer on its way to a destination that is well.
const DRAIN: Instant = 25 * MILLISECOND;

/// What became of each moment.
#[derive(Debug, Default)]
pub(super) struct Truth {
    moments: u32,
    /// What each destination has, and how often.
    delivered: BTreeMap<(usize, Moment), u32>,
    /// What each destination will never take.
    refused: BTreeSet<(usize, Moment)>,
    /// What each lane took, and answered so.
    accepted: BTreeSet<(SiteId, usize, Moment)>,
    /// What each lane dropped for space, and counted.
    dropped: BTreeSet<(SiteId, usize, Moment)>,
    proved: u64,
}

impl Truth {
    pub(super) const fn next_number(&mut self) -> u32 {
        self.moments += 1;
        self.moments
    }

    pub(super) fn delivered(&mut self, target: usize, moment: Moment) {
        *self.delivered.entry((target, moment)).or_default() += 1;
    }

    pub(super) fn refused(&mut self, target: usize, moment: Moment) {
        self.refused.insert((target, moment));
    }

    pub(super) fn accepted(&mut self, site: SiteId, lane: usize, moment: Moment) {
        self.accepted.insert((site, lane, moment));
    }

    pub(super) fn dropped(&mut self, site: SiteId, dropped: &[(usize, Moment)]) {
        self.dropped.extend(dropped.iter().map(|(lane, moment)| (site, *lane, *moment)));
    }

    fn is_settled(&self, target: usize, moment: Moment) -> bool {
        self.delivered.contains_key(&(target, moment)) || self.refused.contains(&(target, moment))
    }
}

impl World {
    /// The sources fall silent shortly before the end, so that what was said last has its time.
    pub(super) fn data_ends(&self) -> bool {
        self.healed_at.is_some_and(|healed| self.now + 2 * FRESH > healed + self.looked_at())
    }

    /// A block leaves a Secondary's buffer: its destination has, or has refused, all of it.
    pub(super) fn judge_trim(&mut self, site: SiteId, lane: usize, block: i64, evidence: &Evidence) {
        let place = self.place(site);
        let Some(of) = place.gate.as_ref().map(|gate| gate.lanes[lane].target) else { return };
        let moments = place.disk.lanes[lane].contents.get(&block).cloned().unwrap_or_default();
        let settled = place.disk.lanes[lane].blocks.iter().find(|found| found.id == block);
        let settled = settled.map_or(0, |block| usize::try_from(block.settled).unwrap_or(0));
        let times = place.disk.lanes[lane].blocks.iter().find(|found| found.id == block);
        let times = times.map(|block| (block.first.uptime, block.last.uptime));
        let truth = &mut self.data().truth;
        truth.proved += 1;
        let lost = moments.into_iter().skip(settled).find(|moment| !truth.is_settled(of, *moment));
        if let Some(moment) = lost {
            let what = format!(
                "moment {} at {} ms of group {} leaves the buffer of site {site}, and destination {of} has it \
                 not; received {times:?}, {evidence:?}",
                moment.number,
                moment.at / MILLISECOND,
                moment.group
            );
            self.accuse("LeftUnsettled", what);
        }
    }

    /// Blocks that are to make room for another: each request of them is counted.
    pub(super) fn judge_dropped(&mut self, site: SiteId, lane: usize, over: &[Block], counted: u64) {
        let disk = &self.place(site).disk.lanes[lane];
        let contents = |block: &Block| disk.contents.get(&block.id).map_or(0, Vec::len);
        let dropped: usize = over.iter().map(contents).sum();
        if u64::try_from(dropped).unwrap_or(0) < counted {
            self.accuse("Miscounted", format!("site {site} counts {counted} dropped of {dropped}"));
        }
    }

    /// At the end each moment that was taken is settled, counted as dropped, or waits where it was taken; what a
    /// Primary has kept is sent, and what was long proved has left the others' buffers.
    pub(crate) fn judge_data(&mut self) {
        if self.data.is_none() {
            return;
        }
        for site in 0..self.data().places.len() {
            self.attend_gate(site);
            for lane in 0..self.place(site).disk.lanes.len() {
                self.judge_lane(site, lane);
            }
        }
        let truth = &self.data().truth;
        let (delivered, doubled) =
            (truth.delivered.len(), truth.delivered.values().filter(|times| **times > 1).count());
        let (moments, dropped, proved) = (truth.moments, truth.dropped.len(), truth.proved);
        self.log(|_| {
            format!("{moments} moments; {delivered} delivered, {doubled} oftener than once; {dropped} dropped, {proved} blocks proved")
        });
    }

    fn judge_lane(&mut self, site: SiteId, lane: usize) {
        let now = self.now;
        let gate = self.place(site).gate.as_ref();
        let acts = gate.is_some_and(|gate| Order::of(&gate.standing).egress);
        let waited = gate.map_or(0, |gate| gate.lanes[lane].waited);
        let since = self.sites[site].process.as_ref().map_or(now, |process| process.turned);
        let proved_within = self.proved_within(site);
        let data = self.data();
        let targets = data.plan.members[site].targets.iter().flatten();
        let Some(target) = targets.copied().nth(lane) else { return };
        let (disk, truth) = (&data.places[site].disk.lanes[lane], &data.truth);
        let waiting: BTreeSet<Moment> = disk.contents.values().flatten().copied().collect();
        let lost = truth.accepted.iter().find(|(of, at, moment)| {
            (*of, *at) == (site, lane)
                && !truth.is_settled(target, *moment)
                && !truth.dropped.contains(&(site, lane, *moment))
                && !waiting.contains(moment)
        });
        if let Some((.., moment)) = lost {
            let what = format!("moment {} was taken at site {site}, and is nowhere", moment.number);
            return self.accuse("Lost", what);
        }
        let unsettled =
            waiting.iter().find(|moment| moment.at + FRESH + T < now && !truth.is_settled(target, **moment));
        let proved = waiting.iter().find(|moment| proved_within.contains(&moment.at));
        if let Some(moment) = unsettled.filter(|_| acts && since + FRESH + waited * DRAIN < now) {
            let number = moment.number;
            self.accuse("NotSent", format!("moment {number} still waits at site {site}, which is Primary"));
        } else if let Some(moment) = proved.filter(|_| !acts) {
            let number = moment.number;
            self.accuse(
                "NotTrimmed",
                format!("moment {number} waits at site {site}, and was proved long ago"),
            );
        }
    }

    /// When the source said what has left the buffers of those who stand by beside a Primary that has long been it;
    /// never, where not all is well.
    ///
    /// A Secondary asks every T/4, the last time shortly before the source fell silent. It hears of an arrival that
    /// was a period old at the most, and the lag's variation, when that was said; it is said every T/4, dated by the
    /// answer before, and kept until the Secondary asks. Clocks are 5 % off, and a tenth is taken off.
    fn proved_within(&mut self, site: SiteId) -> Range<Instant> {
        let (plan, healed) = (&self.plan, self.healed_at.unwrap_or_default());
        let Some(data) = self.data.as_ref().filter(|data| data.plan.proves(plan)) else { return 0..0 };
        let group = self.sites[site].disk.config.map_or(0, |config| config.group);
        let (timeout, hold_back) = (plan.groups[group].timeout, data.plan.hold_back);
        let jitter = data.plan.members.iter().map(|member| member.jitter).max().unwrap_or(0);
        let stall = if plan.stalls { timeout / 2 } else { 0 };
        let told = data.plan.period + jitter + 3 * timeout / 4 + stall;
        let margin = hold_back + timeout;
        let age = (105 * told + 100 * margin) * 10 / 855;
        let asked = (healed + self.looked_at()).saturating_sub(2 * FRESH + 27 * timeout / 100);
        let turned = self.sites.iter().filter_map(|site| Some(site.process.as_ref()?.turned)).max();
        let turned = turned.unwrap_or(asked);
        if turned + 3 * timeout > asked {
            return 0..0;
        }
        turned + 3 * margin..asked.saturating_sub(age + 106 * hold_back / 100 + SECOND)
    }
}
