//! What a seed makes of the data side of a schedule.

use client_failover::domain::Mode;

use super::super::{
    clock::{MILLISECOND, SECOND, Span},
    dice::Dice,
    plan::{Plan, T},
};

/// Other dice than those of the plant: what goes wrong with roles does not change with what data there is.
const OTHER_DICE: u64 = 0x5eed_da7a;

/// Other dice again: where one at a time is sent, all is as it was before more were.
const DRAIN_DICE: u64 = 0x000d_7a11;

/// And others, for parts of a source and for bodies that come slowly.
const PART_DICE: u64 = 0x9a47_5000;

/// How many Ids of destinations there are at the most; each may have two addresses.
pub(super) const MOST_IDS: usize = 3;

/// Room for whatever comes in a schedule.
const ROOM: u64 = 10_000;

/// What collectors and destinations are like.
#[derive(Debug, Clone)]
pub(crate) struct DataPlan {
    /// Between two moments of a source.
    pub(super) period: Span,
    /// How long a collector may keep what it has read, by its machine's clock.
    pub(super) hold_back: Span,
    /// How many requests a buffer has room for.
    pub(super) room: u64,
    /// How each member collects.
    pub(super) members: Vec<CollectorPlan>,
    /// Whether nothing goes wrong.
    calm: bool,
    /// Whether collectors stop reading for a while.
    pub(super) breaks: bool,
    /// Whether destinations go down, are slow, or answer nonsense.
    pub(super) outages: bool,
    /// How many requests that wait are sent to a destination at a time.
    pub(super) at_once: usize,
    /// One moment in so many is refused by destinations for good; none if 0.
    pub(super) refuses: u32,
    /// One moment in so many is of a part of the source that a member may miss while it has the rest; none if 0.
    pub(super) part: u32,
    /// How long it takes at the most until that is reported, or that it is over.
    pub(super) reported_within: Span,
    /// How many bodies of a hundred come slowly, and how long they take at the most.
    pub(super) slow_bodies: (u64, Span),
}

/// How a member collects.
#[derive(Debug, Clone)]
pub(crate) struct CollectorPlan {
    /// How late it usually hands in what it has read, and how much that varies.
    pub(super) lag: Span,
    pub(super) jitter: Span,
    /// Whether the agent starts and watches it.
    pub(super) supervised: bool,
    /// Whether it keeps what was refused until it is taken; else it gives up after the hold-back.
    pub(super) keeps: bool,
    /// For each Id, the address that is configured; none where the Id is not.
    pub(super) targets: [Option<usize>; MOST_IDS],
}

impl DataPlan {
    /// Whether all members read the same, often, and send it to the same: then each proves what another keeps.
    pub(super) fn proves(&self, plan: &Plan) -> bool {
        let alike = self.members.iter().all(|member| member.targets == self.members[0].targets);
        let keep = plan.members.iter().all(|member| member.native && member.mode == Mode::Hot);
        // No pause of theirs is as long as a break.
        let steady = self.members.iter().all(|member| self.period + member.jitter < 9 * self.hold_back / 10);
        self.calm && alike && keep && steady && self.room == ROOM
    }

    /// The data side of the schedule of `seed`, if it has one, and its dice.
    pub(crate) fn draw(seed: u64, plan: &Plan) -> Option<(Self, Dice, Dice)> {
        let (mut dice, mut drain) = (Dice::new(seed ^ OTHER_DICE), Dice::new(seed ^ DRAIN_DICE));
        let keep = |group| {
            plan.members.iter().filter(|of| of.native && of.mode == Mode::Hot && of.group == group).count()
        };
        // Where no two of a group keep what they read, nobody has anything to prove.
        if keep(0) < 2 && keep(1) < 2 {
            return None;
        }
        let hold_back = match dice.below(6) {
            0..=2 => dice.between(200 * MILLISECOND, SECOND),
            3 | 4 => dice.between(SECOND, 4 * SECOND),
            _ => dice.between(4 * SECOND, T),
        };
        // Mostly several moments in the hold-back; in some plants fewer than one, and then nothing is ever proved.
        let period = if dice.percent(90) {
            dice.between(T / 40, (hold_back / 2).clamp(T / 40 + 1, T / 6))
        } else {
            dice.between(hold_back, 2 * hold_back)
        };
        let ids = if dice.percent(60) { 1 } else { dice.index(MOST_IDS) + 1 };
        let alike = dice.percent(80);
        let member = |dice: &mut Dice| {
            let lag =
                if dice.percent(50) { dice.between(0, hold_back) } else { dice.between(0, hold_back / 8) };
            let jitter =
                if dice.percent(50) { hold_back - lag } else { (hold_back - lag).min(5 * MILLISECOND) };
            let mut targets = [None; MOST_IDS];
            for (id, target) in targets.iter_mut().enumerate().take(ids) {
                *target = match dice.below(4) {
                    0 if !alike => None,
                    1 if !alike => Some(MOST_IDS + id),
                    _ => Some(id),
                };
            }
            CollectorPlan { lag, jitter, supervised: dice.percent(50), keeps: dice.percent(40), targets }
        };
        let members = plan.members.iter().map(|_| member(&mut dice)).collect();
        let calm = plan.is_calm();
        let mut parts = Dice::new(seed ^ PART_DICE);
        let shortest = plan.groups.iter().map(|group| group.timeout).min().unwrap_or(T);
        let plan = Self {
            period,
            hold_back,
            room: if dice.percent(60) { ROOM } else { dice.between(5, 60) },
            members,
            calm,
            breaks: !calm && dice.percent(60),
            outages: !calm && dice.percent(60),
            refuses: if dice.percent(70) { 0 } else { 7 },
            at_once: if drain.percent(50) { 1 } else { drain.index(15) + 2 },
            part: if !calm && parts.percent(40) { parts.pick(&[2, 3, 7]) } else { 0 },
            reported_within: parts.between(MILLISECOND, shortest / 2),
            slow_bodies: (if !calm && parts.percent(50) { parts.between(1, 20) } else { 0 }, 2 * T),
        };
        Some((plan, dice, parts))
    }
}
