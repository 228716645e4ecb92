//! What can happen in the world, and when: a queue in the order of true time.

use std::{cmp::Ordering, collections::BinaryHeap};

use client_failover::{
    domain::{CallFailure, FailoverScore, GroupId, SessionId},
    registration::machine::{Answer, Call, CallId},
};

use super::{
    clock::{Instant, Span},
    data::DataEvent,
    drills::Step,
};

/// Which installation of an adapter: a machine, a disk, and at most one process at a time.
pub(crate) type SiteId = usize;

/// Which process; never used again.
pub(crate) type Pid = u32;

/// Which call of a process an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A call of the machine.
    Call(CallId),
    /// A step of a farewell.
    Farewell(u32),
    /// A call of a stock member.
    Stock(u32),
}

/// What a request asks.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Call(Call),
    Delete(GroupId, SessionId),
}

/// A request on its way to the endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) back: Return,
    pub(crate) port: u16,
    pub(crate) ask: Ask,
    pub(crate) sent: Instant,
}

/// Where an answer goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Return {
    pub(crate) site: SiteId,
    pub(crate) pid: Pid,
    pub(crate) route: Route,
}

/// An answer on its way to a process.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) back: Return,
    pub(crate) outcome: Result<Answer, CallFailure>,
    pub(crate) sent: Instant,
}

/// What happens at an installation, to one of its processes.
#[derive(Debug, Clone)]
pub(crate) enum AtSite {
    /// The alarm that was set for this instant.
    Alarm,
    /// A call's time-out, and when it is by the time that the machine was awake: time-outs are on the
    /// monotonic clock, which stands still while the machine sleeps.
    CallEnds(Route, Span),
    /// The write of history that was under way has ended.
    Written,
    /// A promotion has waited long enough for its record.
    WaitedForRecord(u32),
    /// The endpoint lets it be known that it waits for a heartbeat.
    Nudge,
    /// The process goes on.
    Thaw,
    /// The collector has obeyed this order whole, and says so.
    Obeyed(u64),
    /// The source may be worth something else; one that alternates is, and will be again.
    Look,
    Source,
    /// A score that changed then has been said by now.
    Said(FailoverScore, Instant),
    /// A process that was told to stop is gone.
    Exit,
}

/// What happens at the endpoint, to one run of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AtEndpoint {
    Tick(u32),
    /// The store has answered whoever writes seats.
    Seat,
    /// The store has answered whoever changes groups, sessions and overrides.
    Registry,
    Thaw,
}

/// Anything.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Request(Box<Request>),
    Reply(Box<Reply>),
    Site(SiteId, Pid, AtSite),
    Start(SiteId),
    WakeUp(SiteId),
    Endpoint(u32, AtEndpoint),
    EndpointStart,
    Misfortune,
    Stall,
    Heal,
    Drill(Step),
    Data(DataEvent),
    End,
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    order: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The earliest is the greatest, so that the heap gives it first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// What is to happen.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Entry>,
    pushed: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Instant, event: Event) {
        self.pushed += 1;
        self.heap.push(Entry { at, order: self.pushed, event });
    }

    pub(crate) fn pop(&mut self) -> Option<(Instant, Event)> {
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }
}
