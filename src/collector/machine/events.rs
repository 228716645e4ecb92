//! What the supervisor of a collector hears, and what it wants done.

use crate::domain::{Order, OrderSignal, Standing, Transition, Uptime};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The adapter stands elsewhere; perhaps the order is another.
    Stands(Box<Standing>),
    /// The guard says something, or something was found out about it.
    Guard(News),
    /// The collector could not be started, or its guard could not; why.
    StartFailed(String),
    /// Time has passed.
    Tick,
    /// The adapter stops: the collector is stopped, and no other is started.
    Stop,
}

/// What is heard of a guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It has done what it was told.
    Heard,
    /// The collector's program runs, in the process with this number.
    Started(u32),
    /// The collector's program could not be run, and nothing is left; why.
    NotStarted(String),
    /// Nothing of the collector is left.
    Ended(Ended),
}

/// How a collector ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Who ended it.
    pub cause: Cause,
    /// How its first process ended.
    pub status: Status,
}

/// Who ended a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nobody else.
    Itself,
    /// It was asked to.
    Asked,
    /// It was asked to, did not in time, and was killed.
    Overdue,
    /// The guard, at the deadline.
    Deadline,
    /// The agent: the guard did not answer.
    Struck,
    /// The guard was gone, and the collector was not to outlive it.
    GuardGone,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// With this exit status.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// Nobody knows.
    Unknown,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start a guard, tell it until when, and then to start the collector under this order.
    Start {
        /// The order, as the collector finds it in its environment.
        order: Order,
        /// When the guard kills, if it is not told something else before.
        until: Option<Uptime>,
    },
    /// Tell the guard when it kills.
    Until(Option<Uptime>),
    /// Tell the guard to ask the collector to stop, and to kill it at this moment.
    Stop(Uptime),
    /// Tell the guard to send the collector this signal: its order is another.
    Signal(OrderSignal),
    /// Kill the collector and its guard, without asking either.
    Strike,
    /// Write a row of history.
    Record(Box<Transition>),
}
