//! What a seed makes of a schedule: members, weather, and what may go wrong.

use std::time::Duration;

use client_failover::domain::{EndpointLoss, FailoverTimeout, GroupId, Mode};

use super::{
    clock::{DRIFT, MILLISECOND, SECOND, Span, TRUE_RATE},
    dice::Dice,
};

/// T of most schedules, as the members ask for it.
pub(crate) const T: Span = 10 * SECOND;

/// The smallest T there may be, of all others. What takes as long whatever T is, such as a message, a commit, a tick or the
/// time to fence, is a large part of it.
const SMALLEST: Span = 250 * MILLISECOND;

/// Tells the dice that choose T from those of the schedule.
const TIMEOUT_DICE: u64 = 0x0007_1eee;

/// How a member scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// As its machine says: by role and mode.
    Own,
    Constant(u8),
    /// One score, then the other, each for so long.
    Alternating(Span, u8, u8),
    /// Nothing for so long after its collector was started, then everything.
    SlowStart(Span),
    /// One score while it acts, another while it stands by.
    ByRole(u8, u8),
}

impl Source {
    /// Whether the source itself stays as it is.
    pub(crate) const fn is_constant(self) -> bool {
        !matches!(self, Self::Alternating(..))
    }
}

/// How long a collector takes to stop, never where empty, and how much later that is said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stops {
    pub(crate) after: Option<Span>,
    pub(crate) says_after: Span,
}

/// A group of the plant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupPlan {
    /// T, as its members ask for it.
    pub(crate) timeout: Span,
    /// Whether a Primary that an override asks for keeps its seat although it is silent.
    pub(crate) keeps_silent: bool,
}

/// A member of the plant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) native: bool,
    pub(crate) loss: EndpointLoss,
    pub(crate) mode: Mode,
    pub(crate) source: Source,
    /// How its collector stops; empty where it protects nothing.
    pub(crate) collector: Option<Stops>,
    /// Which of the two groups it is a member of at first.
    pub(crate) group: usize,
    /// Whether it claims higher epochs than there are.
    pub(crate) lies: bool,
    pub(crate) rate: u64,
    /// Its machine's uptime when the schedule begins.
    pub(crate) uptime: u64,
}

impl Member {
    /// How long its collector may take to stop, and to say so; whatever it does, it is over with the lease.
    pub(crate) fn stops_within(&self, lease: Span) -> Span {
        let stops = |stops: Stops| stops.after.map_or(lease, |after| (after + stops.says_after).min(lease));
        self.collector.map_or(0, stops)
    }
}

/// What may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    AgentCrash,
    AgentStop,
    AgentReboot,
    AgentFreeze,
    AgentSuspend,
    AgentDisk,
    AgentCopy,
    WallJump,
    Cut,
    Lossy,
    SlowAnswers,
    EndpointCrash,
    EndpointReboot,
    EndpointFreeze,
    StoreSetBack,
    StoreTrouble,
    Override,
    DeleteSession,
    RecreateGroup,
    Configure,
    Replay,
}

const FAULTS: [Fault; 21] = [
    Fault::AgentCrash,
    Fault::AgentStop,
    Fault::AgentReboot,
    Fault::AgentFreeze,
    Fault::AgentSuspend,
    Fault::AgentDisk,
    Fault::AgentCopy,
    Fault::WallJump,
    Fault::Cut,
    Fault::Lossy,
    Fault::SlowAnswers,
    Fault::EndpointCrash,
    Fault::EndpointReboot,
    Fault::EndpointFreeze,
    Fault::StoreSetBack,
    Fault::StoreTrouble,
    Fault::Override,
    Fault::DeleteSession,
    Fault::RecreateGroup,
    Fault::Configure,
    Fault::Replay,
];

/// How the network treats messages, in percent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    pub(crate) lost: u64,
    pub(crate) late: u64,
    pub(crate) doubled: u64,
}

/// A schedule.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) timeout: Span,
    pub(crate) groups: [GroupPlan; 2],
    pub(crate) members: Vec<Member>,
    pub(crate) weather: Weather,
    pub(crate) faults: Vec<Fault>,
    /// The longest pause between two misfortunes.
    pub(crate) pause: Span,
    /// How long things go wrong.
    pub(crate) length: Span,
    /// Whether the endpoint stalls for 0.2 T every 0.5 T.
    pub(crate) stalls: bool,
    /// The chance, in a thousand, that an agent is stopped between two things it does.
    pub(crate) freezes_between: u64,
    /// The endpoint's clock.
    pub(crate) endpoint_rate: u64,
    pub(crate) endpoint_uptime: u64,
}

fn rate(dice: &mut Dice) -> u64 {
    match dice.below(4) {
        0 => TRUE_RATE - DRIFT,
        1 => TRUE_RATE + DRIFT,
        _ => dice.between(TRUE_RATE - DRIFT, TRUE_RATE + DRIFT),
    }
}

fn source(dice: &mut Dice, t: Span) -> Source {
    match dice.below(8) {
        0..=3 => Source::Own,
        4 => Source::Constant(dice.pick(&[0, 1, 50, 90, 95, 100])),
        5 => Source::Alternating(
            dice.between(t / 4, 2 * t),
            dice.pick(&[0, 1, 50, 100]),
            dice.pick(&[0, 60, 85, 100]),
        ),
        6 => Source::SlowStart(dice.between(t / 4, 3 * t / 2)),
        _ => dice.pick(&[Source::ByRole(0, 100), Source::ByRole(100, 1), Source::ByRole(50, 100)]),
    }
}

/// What a collector without a deadline takes to stop at the most: nothing else would end it.
pub(crate) const fn soon(timeout: Span) -> Span {
    timeout / 50
}

/// Most collectors stop in no time, or soon; some take longer than their deadline gives them, or never stop. One
/// that keeps its role has no deadline.
fn collector(dice: &mut Dice, t: Span, loss: EndpointLoss) -> Option<Stops> {
    let after = match dice.below(8) {
        0..=2 => return None,
        3 => Some(0),
        4..=5 => Some(dice.between(0, soon(t))),
        _ if loss != EndpointLoss::StepDown => Some(soon(t)),
        6 => Some(dice.between(0, t / 2)),
        _ => dice.pick(&[None, Some(3 * t / 2)]),
    };
    let says_after = if dice.percent(70) { 0 } else { dice.between(0, t / 20) };
    Some(Stops { after, says_after })
}

/// In some plants there are two groups, and their T differ.
fn groups(dice: &mut Dice, t: Span, two: bool) -> [GroupPlan; 2] {
    let other = if two { dice.pick(&[t / 5, t / 2, t, 2 * t]).max(SMALLEST) } else { t };
    [t, other].map(|timeout| GroupPlan { timeout, keeps_silent: dice.percent(10) })
}

fn members(dice: &mut Dice, t: Span, calm: bool, two: bool) -> Vec<Member> {
    let count = match dice.below(10) {
        0 => 1,
        1..=5 => 2,
        6..=7 => 3,
        _ => dice.between(4, 7),
    };
    // In most schedules the promise holds whole: native members that step down.
    let pure = dice.percent(70);
    let all_own = dice.percent(50) && !calm;
    let mode = dice.pick(&[Mode::Hot, Mode::Hot, Mode::Warm, Mode::Cold]);
    let liar = dice.percent(3);
    let member = |dice: &mut Dice| {
        let loss = if pure {
            EndpointLoss::StepDown
        } else {
            dice.pick(&[EndpointLoss::StepDown, EndpointLoss::KeepRole, EndpointLoss::Auto])
        };
        Member {
            native: pure || dice.percent(60),
            loss,
            mode: if dice.percent(80) { mode } else { dice.pick(&[Mode::Hot, Mode::Warm, Mode::Cold]) },
            source: if all_own { Source::Own } else { source(dice, t) },
            collector: collector(dice, t, loss),
            group: if two { dice.index(2) } else { 0 },
            lies: liar && !calm && dice.percent(40),
            rate: rate(dice),
            uptime: dice.between(0, 40 * SECOND),
        }
    };
    (0..count).map(|_| member(dice)).collect()
}

impl Plan {
    /// The schedule of `seed`, whose dice are `dice`.
    pub(crate) fn draw(seed: u64, dice: &mut Dice) -> Self {
        let t = if Dice::new(seed ^ TIMEOUT_DICE).percent(12) { SMALLEST } else { T };
        // A calm plant: nothing goes wrong, so that the choice itself is judged.
        let calm = dice.percent(10);
        let two = dice.percent(20);
        let (groups, members) = (groups(dice, t, two), members(dice, t, calm, two));
        let some = |dice: &mut Dice, most: u64| if dice.percent(50) { 0 } else { dice.between(1, most) };
        let mut faults: Vec<Fault> = Vec::new();
        // Few kinds at once, so that each has its time.
        let kinds = if calm { 0 } else { dice.between(1, 6) };
        if calm && dice.percent(40) {
            // A stall of the endpoint, however long, must not cost anybody who lives his role.
            faults.push(Fault::EndpointFreeze);
        }
        while u64::try_from(faults.len()).is_ok_and(|count| count < kinds) {
            let fault = dice.pick(&FAULTS);
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        let weather = if calm {
            Weather::default()
        } else {
            Weather { lost: some(dice, 30), late: some(dice, 20), doubled: some(dice, 20) }
        };
        Self {
            timeout: t,
            groups,
            members,
            weather,
            faults,
            pause: dice.between(t / 5, 2 * t),
            length: if calm { dice.between(12 * t, 25 * t) } else { dice.between(3 * t, 12 * t) },
            stalls: dice.percent(if calm { 40 } else { 8 }),
            freezes_between: if !calm && dice.percent(20) { dice.between(1, 10) } else { 0 },
            endpoint_rate: rate(dice),
            endpoint_uptime: dice.between(0, 40 * SECOND),
        }
    }

    /// The group of this Id, which ends with its number.
    pub(crate) fn group(&self, id: &GroupId) -> GroupPlan {
        self.groups[usize::from(id.as_str().ends_with('1'))]
    }

    /// Whether a group may come back with a smaller T. Not where the store may be set back as well: such
    /// an endpoint cannot know that a lease was given under a larger T, and nobody promises that it does.
    /// Nor where there are stock members: they keep the pace of their own T, and would be too slow.
    pub(crate) fn shrinks(&self) -> bool {
        self.is_native() && !self.faults.contains(&Fault::StoreSetBack)
    }

    /// Whether the promise that no two act covers the schedule: native members that step down.
    pub(crate) fn is_pure(&self) -> bool {
        self.members.iter().all(|member| member.native && member.loss == EndpointLoss::StepDown)
    }

    pub(crate) fn is_native(&self) -> bool {
        self.members.iter().all(|member| member.native)
    }

    /// Whether nothing goes wrong, and sources stay as they are: the choice itself is judged.
    pub(crate) fn is_calm(&self) -> bool {
        self.faults.iter().all(|fault| *fault == Fault::EndpointFreeze)
            && self.weather == Weather::default()
            && self.freezes_between == 0
            && self.members.iter().all(|member| member.source.is_constant())
    }
}

/// A FailoverTimeout of `span`, which is within its limits.
pub(crate) fn timeout(span: Span) -> FailoverTimeout {
    FailoverTimeout::new(Duration::from_micros(span.max(250 * MILLISECOND)))
        .unwrap_or(FailoverTimeout::DEFAULT)
}
