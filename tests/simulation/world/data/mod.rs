//! The data side of a plant: sources, collectors, gates and destinations.
//!
//! Each group has a source, which has something to say every so often: a *moment*. The collector at each member reads
//! it, and hands it in at its gate, late by a lag of its own. Gates are the product's own books (`egress::machine`)
//! and proofs; disks, connections and destinations around them are virtual. The plant knows which moments a
//! destination has, and so what may leave a buffer.

mod collecting;
mod destination;
mod gate;
mod judging;
mod parts;
mod plan;
mod sending;
mod writing;

use super::{
    World,
    clock::Instant,
    dice::Dice,
    event::{Event, Pid, SiteId},
};

use collecting::Collector;
use destination::Targets;
use gate::{Disk, Gate, Waits};
use judging::Truth;
pub(crate) use plan::DataPlan;
use writing::Kept;

/// A moment of a group's source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(super) group: usize,
    pub(super) number: u32,
    /// When it was.
    pub(super) at: Instant,
}

/// What happens on the data side.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DataEvent {
    /// The sources have something to say.
    Moment,
    /// The collector of this run hands a moment in, for the lanes of these bits.
    HandIn(SiteId, u32, Moment, u8),
    /// The body of what it handed in to this process is whole.
    Whole(SiteId, Pid, Kept),
    /// What was sent arrives at its destination, or does not, and the answer comes back.
    Reaches(SiteId, Pid, u64),
    /// What waits is sent, again.
    Send(SiteId, Pid, usize),
    /// The disk has answered.
    Committed(SiteId, Pid),
    /// A collector breaks, and goes on.
    Break(SiteId),
    Resume(SiteId, u32),
    /// A collector misses a part of its source, or does so no longer; and that is reported.
    Part(SiteId),
    Reported(SiteId),
    /// A destination changes.
    Weather(usize),
}

/// What belongs to a member: disk and collector last, the gate is the process'.
#[derive(Debug)]
struct Place {
    disk: Disk,
    collector: Collector,
    gate: Option<Gate>,
    /// What waits until the process goes on.
    waits: Vec<Waits>,
}

/// The data side.
#[derive(Debug)]
pub(crate) struct Data {
    plan: DataPlan,
    dice: Dice,
    part_dice: Dice,
    /// By site; copies of data folders have none.
    places: Vec<Place>,
    targets: Targets,
    truth: Truth,
}

impl Data {
    fn new(plan: DataPlan, dice: Dice, part_dice: Dice) -> Self {
        let place = |member: &plan::CollectorPlan| Place {
            disk: Disk::new(member),
            collector: Collector::default(),
            gate: None,
            waits: Vec::new(),
        };
        Self {
            places: plan.members.iter().map(place).collect(),
            targets: Targets::default(),
            truth: Truth::default(),
            plan,
            dice,
            part_dice,
        }
    }
}

impl World {
    /// The data side as it is at first, where the schedule of `seed` has one.
    pub(super) fn settle_data_in(&mut self, seed: u64) {
        let Some((plan, dice, part_dice)) = DataPlan::draw(seed, &self.plan) else { return };
        self.log(|_| format!("{plan:?}"));
        let (breaks, outages, sites) = (plan.breaks, plan.outages, plan.members.len());
        let parts = plan.part > 0;
        self.data = Some(Data::new(plan, dice, part_dice));
        self.push(0, Event::Data(DataEvent::Moment));
        for site in (0..sites).filter(|_| breaks) {
            let at = self.data_dice().between(0, 4 * super::plan::T);
            self.push(at, Event::Data(DataEvent::Break(site)));
        }
        for site in (0..sites).filter(|_| parts) {
            let at = self.part_dice().between(0, 4 * super::plan::T);
            self.push(at, Event::Data(DataEvent::Part(site)));
        }
        for target in (0..2 * plan::MOST_IDS).filter(|_| outages) {
            let at = self.data_dice().between(0, 4 * super::plan::T);
            self.push(at, Event::Data(DataEvent::Weather(target)));
        }
    }

    pub(super) fn take_data(&mut self, event: DataEvent) {
        match event {
            DataEvent::Moment => self.moment(),
            DataEvent::HandIn(site, run, moment, lanes) => self.hand_in(site, run, moment, lanes),
            DataEvent::Whole(site, pid, kept) => self.body_is_whole(site, pid, kept),
            DataEvent::Reaches(site, pid, flight) => self.reaches(site, pid, flight),
            DataEvent::Send(site, pid, lane) => self.send_again(site, pid, lane),
            DataEvent::Committed(site, pid) => self.committed(site, pid),
            DataEvent::Break(site) => self.break_collector(site),
            DataEvent::Resume(site, run) => self.resume_collector(site, run),
            DataEvent::Part(site) => self.part_changes(site),
            DataEvent::Reported(site) => drop(self.attend_gate(site)),
            DataEvent::Weather(target) => self.change_weather(target),
        }
    }

    fn data(&mut self) -> &mut Data {
        self.data.as_mut().expect("only a schedule with data has events of data")
    }

    fn data_dice(&mut self) -> &mut Dice {
        &mut self.data().dice
    }

    fn part_dice(&mut self) -> &mut Dice {
        &mut self.data().part_dice
    }

    fn place(&mut self, site: SiteId) -> &mut Place {
        &mut self.data().places[site]
    }

    fn push_data(&mut self, span: super::clock::Span, event: DataEvent) {
        self.push(span, Event::Data(event));
    }
}
