//! Destinations: up, down, slow, or answering what settles nothing; and what they have.

use super::{
    super::{
        World,
        clock::{MILLISECOND, SECOND, Span},
        plan::T,
    },
    DataEvent, Moment,
    plan::MOST_IDS,
};

/// How a destination does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Weather {
    #[default]
    Up,
    /// Nothing answers.
    Down,
    /// It answers 503.
    Fails,
    /// It takes what comes, and answers long afterwards, or never.
    Slow,
}

/// All destinations, by address.
#[derive(Debug, Default)]
pub(super) struct Targets {
    weather: [Weather; 2 * MOST_IDS],
}

/// What became of one request at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) delivered: bool,
    /// The status of its answer; none if none comes.
    pub(super) status: Option<u16>,
}

impl World {
    /// How long a request to `target` takes until its answer, or until nobody waits any longer.
    pub(super) fn way(&mut self, target: usize) -> Span {
        let weather = self.data().targets.weather[target];
        let dice = self.data_dice();
        match weather {
            Weather::Slow => dice.between(50 * MILLISECOND, 2 * SECOND),
            Weather::Up | Weather::Fails => dice.between(MILLISECOND, 20 * MILLISECOND),
            Weather::Down => dice.between(MILLISECOND, 300 * MILLISECOND),
        }
    }

    /// What the destination makes of a moment that reaches it now.
    pub(super) fn outcome(&mut self, target: usize, moment: Moment) -> Outcome {
        let (weather, refuses) = (self.data().targets.weather[target], self.data().plan.refuses);
        let unheard = self.data_dice().percent(if weather == Weather::Slow { 30 } else { 1 });
        let refused = refuses > 0 && moment.number % refuses == refuses - 1;
        match weather {
            Weather::Down => Outcome { delivered: false, status: None },
            Weather::Fails => Outcome { delivered: false, status: Some(503) },
            Weather::Up | Weather::Slow if refused => {
                self.data().truth.refused(target, moment);
                Outcome { delivered: false, status: Some(422) }
            }
            Weather::Up | Weather::Slow => {
                self.data().truth.delivered(target, moment);
                Outcome { delivered: true, status: (!unheard).then_some(204) }
            }
        }
    }

    pub(super) fn change_weather(&mut self, target: usize) {
        if self.healed_at.is_some() {
            return;
        }
        let next = self.data_dice().pick(&[Weather::Down, Weather::Fails, Weather::Slow]);
        let weather = &mut self.data().targets.weather[target];
        *weather = if *weather == Weather::Up { next } else { Weather::Up };
        let (weather, longest) = (*weather, if *weather == Weather::Up { 4 * T } else { 2 * T });
        self.log(|_| format!("destination {target} is {weather:?}"));
        let span = self.data_dice().between(T / 20, longest);
        self.push_data(span, DataEvent::Weather(target));
    }

    /// Destinations are well from now on.
    pub(crate) fn heal_destinations(&mut self) {
        if let Some(data) = self.data.as_mut() {
            data.targets = Targets::default();
        }
    }
}
