//! Decides when the collector is started, stopped, killed, started again and given up.
//!
//! Pure: `now` is a parameter, everything to be done goes out as effects. There is one collector at a time, and the
//! next is started only when nothing of the one before is left.

mod events;
mod telling;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use events::{Cause, Effect, Ended, Event, News, Status};

use crate::domain::{Acting, CollectorSettings, Now, OnOrder, Order, Reason, Role, Standing, Uptime};

/// How long a guard that is not frozen takes to answer, on a machine that is busy with other things.
pub(in crate::collector) const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// How long it may take to begin, which is more to do. Nothing runs before.
const BEGIN_WAIT: Duration = Duration::from_secs(10);

/// How long after a deadline the agent does the guard's work, if the guard has not done it: half of the time between
/// the end of acting and the end of the lease.
const STRIKE_AFTER: Duration = Duration::from_millis(25);

/// How long after a deadline a guard waits to be told that a collector that keeps running has heard its new order.
const KEEP_GRACE: Duration = Duration::from_millis(25);

/// The longest wait between two attempts to start, unless the first wait is set to more.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// For how many FailoverTimeouts the role is left to others.
const CEDED_TIMEOUTS: u32 = 10;

/// One run of the collector, from the start of its guard until nothing is left.
#[derive(Debug, Clone)]
struct Run {
    /// What it was started for, or was told since.
    demand: Order,
    /// What it knows of, from its environment or by a signal.
    told: Order,
    /// Whether it may still be acting, under `demand`.
    acts: bool,
    /// When the guard kills, as it was told last.
    until: Option<Uptime>,
    phase: Phase,
    begun: Uptime,
    /// Since when it is being ended.
    ending_since: Option<Uptime>,
    /// Words that the guard has not answered, and since when it has been silent.
    unanswered: u32,
    silent_since: Uptime,
}

impl Run {
    /// When its guard is taken to be frozen, if a word waits for its answer.
    fn overdue_at(&self) -> Option<Uptime> {
        let wait = if self.phase == Phase::Starting { BEGIN_WAIT } else { ANSWER_WAIT };
        (self.unanswered > 0).then(|| self.silent_since + wait)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    /// It was asked to stop, or its deadline has passed; at this moment the agent kills it.
    Ending(Uptime),
    /// The agent kills it.
    Struck,
}

/// The role is left to others.
#[derive(Debug, Clone, Copy)]
struct Ceded {
    /// Until then, if a FailoverTimeout is known; else until the collector has run for a while.
    until: Option<Uptime>,
}

/// The supervisor of one collector.
#[derive(Debug)]
pub struct Machine {
    settings: CollectorSettings,
    standing: Standing,
    run: Option<Run>,
    stopping: bool,
    /// The highest order that is obeyed whole.
    obeyed: u64,
    /// How often in a row the collector ended by itself soon after its start.
    failures: u32,
    /// Before this it is not started again.
    retry_at: Option<Uptime>,
    ceded: Option<Ceded>,
    effects: Vec<Effect>,
}

impl Machine {
    /// Nothing runs, and nothing is ordered yet.
    #[must_use]
    pub fn new(settings: CollectorSettings) -> Self {
        Self {
            settings,
            standing: Standing::default(),
            run: None,
            stopping: false,
            obeyed: 0,
            failures: 0,
            retry_at: None,
            ceded: None,
            effects: Vec::new(),
        }
    }

    /// Takes in what happened, and gives what is to be done, in this order.
    pub fn step(&mut self, now: Now, event: Event) -> Vec<Effect> {
        match event {
            Event::Stands(standing) => self.stands(*standing),
            Event::Guard(News::Heard) => self.heard(now.uptime),
            Event::Guard(News::Started(pid)) => self.started(now, pid),
            Event::Guard(News::NotStarted(why)) => self.start_failed(now, &why),
            Event::Guard(News::Ended(ended)) => self.ended(now, ended),
            Event::StartFailed(why) => self.start_failed(now, &why),
            Event::Tick => {}
            Event::Stop => self.stopping = true,
        }
        self.forgive(now);
        self.settle(now.uptime);
        if self.is_obeyed(now.uptime) {
            self.obeyed = self.obeyed.max(self.standing.order);
        }
        std::mem::take(&mut self.effects)
    }

    /// When the machine wants to look again, if nothing happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Uptime> {
        let ceded = self.ceded.and_then(|ceded| ceded.until);
        let Some(run) = &self.run else {
            return ceded.into_iter().chain(self.retry_at).min();
        };
        let answer = run.overdue_at();
        let run_wakes = match run.phase {
            Phase::Starting => [answer, self.deadline(run), None],
            Phase::Running => [answer, self.deadline(run), self.good_at(run)],
            Phase::Ending(strike_at) => [answer, Some(strike_at), None],
            Phase::Struck => [None; 3],
        };
        run_wakes.into_iter().flatten().chain(ceded).min()
    }

    /// Whether nothing runs any more, and nothing will.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.stopping && self.run.is_none()
    }

    /// Whether it was told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    fn stands(&mut self, standing: Standing) {
        let acted = Order::of(&self.standing).egress;
        self.standing = standing;
        if !acted && Order::of(&self.standing).egress {
            // Who is chosen anew, by lack of others or by an operator, tries anew.
            self.failures = 0;
            self.retry_at = None;
        }
    }

    fn heard(&mut self, now: Uptime) {
        if let Some(run) = &mut self.run {
            run.unanswered = run.unanswered.saturating_sub(1);
            run.silent_since = now;
        }
    }

    fn started(&mut self, now: Now, pid: u32) {
        let Some(run) = &mut self.run else { return };
        if run.phase == Phase::Starting {
            run.phase = Phase::Running;
        }
        let role = as_role(run.demand.role);
        if !self.is_given_up() {
            let program = self.settings.command.program();
            self.record(
                now,
                Reason::Started,
                format!("the collector {program} was started {role}, process {pid}"),
            );
        }
    }

    fn ended(&mut self, now: Now, ended: Ended) {
        let Some(run) = self.run.take() else { return };
        let given_up = self.is_given_up();
        let failed = match ended.cause {
            // Whoever ends while it is to end does so in order.
            Cause::Itself | Cause::Struck | Cause::GuardGone => run.ending_since.is_none(),
            Cause::Asked | Cause::Overdue | Cause::Deadline => false,
        };
        let (reason, explanation) = self.ending(&run, ended, now.uptime);
        if !(given_up && ended.cause == Cause::Itself) {
            self.record(now, reason, explanation);
        }
        if failed {
            self.failed(now, now.uptime.since(run.begun));
        }
    }

    fn start_failed(&mut self, now: Now, why: &str) {
        if self.run.take().is_some_and(|run| run.ending_since.is_some()) {
            // It was to end anyway.
            return;
        }
        if !self.is_given_up() {
            self.record(now, Reason::StartFailed, format!("the collector could not be started: {why}"));
        }
        self.failed(now, Duration::ZERO);
    }

    /// It ended without being asked: it is started again after a while, and given up for a while if that does not help.
    fn failed(&mut self, now: Now, lasted: Duration) {
        let restarts = self.settings.restarts;
        if lasted >= restarts.window {
            self.failures = 0;
        }
        let doubled = restarts.backoff.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.retry_at = Some(now.uptime + doubled.min(LONGEST_BACKOFF.max(restarts.backoff)));
        self.failures = self.failures.saturating_add(1);
        if self.is_given_up() {
            let wait = self.standing.group_timeout.map(|timeout| timeout.get() * CEDED_TIMEOUTS);
            if self.failures == restarts.limit.saturating_add(1) {
                self.record(now, Reason::Ceded, self.ceding(wait));
            }
            self.ceded = Some(Ceded { until: wait.map(|wait| now.uptime + wait) });
        }
    }

    /// Ends what is held against a collector: after its time, or when it has run as it should for long enough.
    fn forgive(&mut self, now: Now) {
        let good = self.run.as_ref().and_then(|run| self.good_at(run)).is_some_and(|at| at <= now.uptime);
        if good {
            self.failures = 0;
        }
        let over = self.ceded.and_then(|ceded| ceded.until).is_some_and(|until| until <= now.uptime);
        if self.ceded.is_some() && (good || over) {
            self.ceded = None;
            self.failures = 0;
            self.retry_at = None;
            let why =
                if good { "the collector runs well again" } else { "the collector is given another chance" };
            self.record(now, Reason::Recovered, format!("{why}: the role is no longer left to others"));
        }
    }

    /// When this run will have been a good one, if something is held against the collector. The role that was
    /// ceded comes back only by acting well: standing by proves little.
    fn good_at(&self, run: &Run) -> Option<Uptime> {
        let proves = run.phase == Phase::Running && (self.ceded.is_none() || run.acts);
        let held = self.failures > 0 || self.ceded.is_some();
        (proves && held).then(|| run.begun + self.settings.restarts.window)
    }

    /// Brings the collector in line with the order.
    fn settle(&mut self, now: Uptime) {
        let order = Order::told(&self.standing, now);
        let wanted = self.may_start() && order.started;
        let Some(mut run) = self.run.take() else {
            if self.retry_at.is_none_or(|at| at <= now) {
                // The wait is over, whether somebody waited or not.
                self.retry_at = None;
                if wanted {
                    self.start(now, order);
                }
            }
            return;
        };
        let silent = run.overdue_at().is_some_and(|at| at <= now);
        match run.phase {
            Phase::Struck => {}
            Phase::Ending(strike_at) if silent || strike_at <= now => self.strike(&mut run),
            Phase::Ending(_) => {}
            Phase::Starting | Phase::Running if silent => self.strike(&mut run),
            Phase::Starting | Phase::Running => self.align(now, order, wanted, &mut run),
        }
        self.run = Some(run);
    }

    fn align(&mut self, now: Uptime, order: Order, wanted: bool, run: &mut Run) {
        let keeps = self.settings.on_order == OnOrder::Keep;
        if !wanted || (!keeps && run.demand != demand(order)) {
            return self.end(now, run);
        }
        run.demand = demand(order);
        run.acts = order.egress;
        let until = self.until(order);
        if until != run.until {
            run.until = until;
            self.tell(now, run, Effect::Until(until));
        }
        // One that only starts could not take it for news yet.
        if let Some(signal) = self.settings.order_signal
            && run.phase == Phase::Running
            && run.told != run.demand
        {
            run.told = run.demand;
            self.tell(now, run, Effect::Signal(signal));
        }
    }

    fn start(&mut self, now: Uptime, order: Order) {
        let until = self.until(order);
        self.run = Some(Run {
            demand: demand(order),
            told: demand(order),
            acts: order.egress,
            until,
            phase: Phase::Starting,
            begun: now,
            ending_since: None,
            // Until when, and start.
            unanswered: 2,
            silent_since: now,
        });
        self.effects.push(Effect::Start { order, until });
    }

    /// Asks the collector to stop, in the time that it has: never past the moment until which it may act.
    fn end(&mut self, now: Uptime, run: &mut Run) {
        let polite = now + self.settings.stop_timeout;
        let lease = run.until.filter(|_| run.acts);
        let by = lease.map_or(polite, |lease| lease.min(polite));
        let patient = by + ANSWER_WAIT;
        let strike_at = lease.map_or(patient, |lease| patient.min(lease + STRIKE_AFTER));
        run.phase = Phase::Ending(strike_at);
        run.ending_since = Some(now);
        // Past its deadline the guard needs no word.
        if by > now {
            self.tell(now, run, Effect::Stop(by));
        }
    }

    fn strike(&mut self, run: &mut Run) {
        run.phase = Phase::Struck;
        self.effects.push(Effect::Strike);
    }

    fn tell(&mut self, now: Uptime, run: &mut Run, word: Effect) {
        if run.unanswered == 0 {
            run.silent_since = now;
        }
        run.unanswered += 1;
        self.effects.push(word);
    }

    /// When the guard of a collector with this order kills it. One that keeps running is told its new order at the
    /// end of the old one, so its guard waits a moment for that.
    fn until(&self, order: Order) -> Option<Uptime> {
        let end = Order::told_until(&self.standing).filter(|_| order.egress)?;
        Some(match self.settings.on_order {
            OnOrder::Restart => end,
            OnOrder::Keep => end + KEEP_GRACE,
        })
    }

    /// When the order of an acting run ends by itself.
    fn deadline(&self, run: &Run) -> Option<Uptime> {
        Order::told_until(&self.standing).filter(|_| run.acts)
    }

    fn may_start(&self) -> bool {
        !self.stopping
    }

    /// Whether the collector has ended too often; it is still tried, now and then, but history does not tell of it.
    fn is_given_up(&self) -> bool {
        self.failures > self.settings.restarts.limit
    }

    /// Whether nothing acts but what the order permits.
    fn is_obeyed(&self, now: Uptime) -> bool {
        let order = Order::told(&self.standing, now);
        self.run.as_ref().is_none_or(|run| !run.acts || run.demand == demand(order))
    }
}

/// What tells orders apart, for a collector: an epoch matters to those who act under it.
fn demand(order: Order) -> Order {
    Order { number: 0, acting: Acting::No, epoch: order.epoch.filter(|_| order.egress), ..order }
}

fn as_role(role: Role) -> String {
    match role {
        Role::None => "without failover".to_owned(),
        Role::Secondary | Role::Primary => format!("as {role}"),
    }
}
