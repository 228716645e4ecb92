//! The writer of a gate's buffer: what `egress::keeper` does, over a virtual disk.

use client_failover::{
    domain::{Arrival, Block, BootId, Membership, Now},
    egress::machine::ledger::Ticket,
};

use super::{
    super::{
        World,
        clock::MILLISECOND,
        event::{Pid, SiteId},
    },
    DataEvent, Moment,
    gate::{Disk, Waits},
};

/// A piece of work for the disk.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// A request, and the blocks that make room for it.
    Keep(Kept, Vec<Block>),
    Settled(usize, i64, u32),
    Over(usize, i64),
    Arrived(usize, Arrival),
    Joined(Membership),
}

/// A request that is to be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(super) lane: usize,
    pub(super) moment: Moment,
    pub(super) ticket: Ticket,
    pub(super) arrival: Now,
    /// The run of the collector that waits for its answer.
    pub(super) run: u32,
}

/// What changes of a disk come to.
struct Applied {
    appended: Vec<(usize, Block)>,
    /// What had to make room, by lane.
    dropped: Vec<(usize, Moment)>,
}

impl World {
    /// Hands work to the writer of the gate at `site`: while one commit is on its way, what comes gathers.
    pub(super) fn write(&mut self, site: SiteId, work: Work) {
        if let Some(gate) = self.place(site).gate.as_mut() {
            gate.gathered.push(work);
        }
        self.start_commit(site);
    }

    fn start_commit(&mut self, site: SiteId) {
        let slow = self.now < self.sites[site].disk_trouble_until;
        let latency = self.data_dice().between(0, if slow { 2_000 } else { 6 }) * MILLISECOND;
        let Some(gate) = self.place(site).gate.as_mut() else { return };
        if gate.writing.is_empty() && !gate.gathered.is_empty() {
            gate.writing = std::mem::take(&mut gate.gathered);
            let pid = gate.pid;
            self.push_data(latency, DataEvent::Committed(site, pid));
        }
    }

    /// The disk has answered the writer, and it is found by a process that runs.
    pub(super) fn committed(&mut self, site: SiteId, pid: Pid) {
        let runs = self.attend_gate(site);
        if self.place(site).gate.as_ref().is_none_or(|gate| gate.pid != pid) {
            return;
        }
        if !runs {
            return self.place(site).waits.push(Waits::Committed(pid));
        }
        let trouble = self.now < self.sites[site].disk_trouble_until;
        let fails = trouble && {
            let percent = self.sites[site].disk_fails;
            self.data_dice().percent(percent)
        };
        let boot = self.sites[site].clock.boot_id();
        let place = self.place(site);
        let Some(gate) = place.gate.as_mut() else { return };
        let works = std::mem::take(&mut gate.writing);
        if fails {
            // What was to be kept is given up; other changes are tried again.
            let (kept, others): (Vec<_>, Vec<_>) =
                works.into_iter().partition(|work| matches!(work, Work::Keep(..)));
            gate.gathered.splice(0..0, others);
            for work in kept {
                let Work::Keep(kept, over) = work else { continue };
                let Some(gate) = self.place(site).gate.as_mut() else { return };
                let ledger = &mut gate.lanes[kept.lane].ledger;
                ledger.not_written(kept.ticket, 1, over);
                self.hand_in_again(site, kept.run, kept.moment, 1 << kept.lane);
            }
        } else {
            let Applied { appended, dropped } = place.disk.apply(&works, &boot);
            for (lane, block) in appended {
                gate.lanes[lane].ledger.written(block.clone(), u64::from(block.entries));
            }
            self.data().truth.dropped(site, &dropped);
            for work in works {
                let Work::Keep(kept, _) = work else { continue };
                let Some(gate) = self.place(site).gate.as_mut() else { return };
                gate.lanes[kept.lane].ledger.arrived(kept.ticket);
                self.data().truth.accepted(site, kept.lane, kept.moment);
            }
            self.send_what_waits(site);
        }
        self.start_commit(site);
    }

    /// What the process left behind that is gone: a commit that was on its way is on the disk, or not; its
    /// connections are broken.
    pub(super) fn abandon_gate(&mut self, site: SiteId) {
        let reached = self.data_dice().percent(50);
        let place = self.place(site);
        let Some(gate) = place.gate.take() else { return };
        let waits = std::mem::take(&mut place.waits);
        if reached {
            let Applied { dropped, .. } = place.disk.apply(&gate.writing, &gate.boot);
            self.data().truth.dropped(site, &dropped);
        }
        self.collector_ends(site);
        for waits in waits {
            match waits {
                Waits::HandIn(run, moment, lanes) => self.hand_in_again(site, run, moment, lanes),
                Waits::Whole(_, kept) => self.hand_in_again(site, kept.run, kept.moment, 1 << kept.lane),
                Waits::Reaches(..) | Waits::Committed(_) => {}
            }
        }
    }
}

impl Disk {
    /// Makes all the changes.
    fn apply(&mut self, works: &[Work], boot: &BootId) -> Applied {
        let mut dropped = Vec::new();
        let mut growing: Vec<(usize, Block, Vec<Moment>)> = Vec::new();
        for work in works {
            match work {
                Work::Keep(kept, over) => {
                    for block in over {
                        let lost = self.remove(kept.lane, block.id);
                        dropped.extend(lost.into_iter().map(|moment| (kept.lane, moment)));
                    }
                    self.grow(&mut growing, kept, boot);
                }
                Work::Settled(lane, id, settled) => {
                    let block = self.lanes[*lane].blocks.iter_mut().find(|block| block.id == *id);
                    if let Some(block) = block {
                        block.settled = *settled;
                    }
                }
                Work::Over(lane, id) => drop(self.remove(*lane, *id)),
                Work::Arrived(lane, arrival) => self.lanes[*lane].arrival = Some(arrival.clone()),
                Work::Joined(membership) => self.membership = Some(membership.clone()),
            }
        }
        for (lane, block, moments) in &growing {
            self.lanes[*lane].blocks.push(block.clone());
            self.lanes[*lane].contents.insert(block.id, moments.clone());
        }
        let appended = growing.into_iter().map(|(lane, block, _)| (lane, block)).collect();
        Applied { appended, dropped }
    }

    /// Removes a block; gives what it had.
    fn remove(&mut self, lane: usize, id: i64) -> Vec<Moment> {
        self.lanes[lane].blocks.retain(|block| block.id != id);
        self.lanes[lane].contents.remove(&id).unwrap_or_default()
    }

    fn grow(&mut self, growing: &mut Vec<(usize, Block, Vec<Moment>)>, kept: &Kept, boot: &BootId) {
        let Kept { lane, moment, ticket, arrival, .. } = *kept;
        if !growing.iter().any(|(of, ..)| *of == lane) {
            self.rows += 1;
            let block = Block {
                id: self.rows,
                first_sequence: 0,
                entries: 0,
                settled: 0,
                bytes: 0,
                boot: boot.clone(),
                first: arrival,
                last: arrival,
            };
            growing.push((lane, block, Vec::new()));
        }
        let Some((_, block, moments)) = growing.iter_mut().find(|(of, ..)| *of == lane) else { return };
        block.first.uptime = block.first.uptime.min(ticket.since());
        block.last.uptime = block.last.uptime.max(arrival.uptime);
        block.entries += 1;
        block.bytes += 1;
        moments.push(moment);
    }
}
