//! What a seed makes of a schedule: members, weather, and what may go wrong.

use std::time::Duration;

use client_failover::domain::{EndpointLoss, FailoverTimeout, Mode};

use super::{
    clock::{DRIFT, MILLISECOND, SECOND, Span, TRUE_RATE},
    dice::Dice,
};

/// T of every schedule, as the members ask for it.
pub(crate) const T: Span = 10 * SECOND;

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

/// A member of the plant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) native: bool,
    pub(crate) loss: EndpointLoss,
    pub(crate) mode: Mode,
    pub(crate) source: Source,
    pub(crate) rate: u64,
    /// Its machine's uptime when the schedule begins.
    pub(crate) uptime: u64,
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
}

const FAULTS: [Fault; 20] = [
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

fn source(dice: &mut Dice) -> Source {
    match dice.below(8) {
        0..=3 => Source::Own,
        4 => Source::Constant(dice.pick(&[0, 1, 50, 90, 95, 100])),
        5 => Source::Alternating(
            dice.between(T / 4, 2 * T),
            dice.pick(&[0, 1, 50, 100]),
            dice.pick(&[0, 60, 85, 100]),
        ),
        6 => Source::SlowStart(dice.between(T / 4, 3 * T / 2)),
        _ => dice.pick(&[Source::ByRole(0, 100), Source::ByRole(100, 1), Source::ByRole(50, 100)]),
    }
}

fn members(dice: &mut Dice, calm: bool) -> Vec<Member> {
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
    let member = |dice: &mut Dice| Member {
        native: pure || dice.percent(60),
        loss: if pure {
            EndpointLoss::StepDown
        } else {
            dice.pick(&[EndpointLoss::StepDown, EndpointLoss::KeepRole, EndpointLoss::Auto])
        },
        mode: if dice.percent(80) { mode } else { dice.pick(&[Mode::Hot, Mode::Warm, Mode::Cold]) },
        source: if all_own { Source::Own } else { source(dice) },
        rate: rate(dice),
        uptime: dice.between(0, 40 * SECOND),
    };
    (0..count).map(|_| member(dice)).collect()
}

impl Plan {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        // A calm plant: nothing goes wrong, so that the choice itself is judged.
        let calm = dice.percent(10);
        let members = members(dice, calm);
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
            timeout: T,
            members,
            weather,
            faults,
            pause: dice.between(T / 5, 2 * T),
            length: if calm { dice.between(12 * T, 25 * T) } else { dice.between(3 * T, 12 * T) },
            stalls: dice.percent(if calm { 40 } else { 8 }),
            freezes_between: if !calm && dice.percent(20) { dice.between(1, 10) } else { 0 },
            endpoint_rate: rate(dice),
            endpoint_uptime: dice.between(0, 40 * SECOND),
        }
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
