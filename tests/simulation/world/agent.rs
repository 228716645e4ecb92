//! A native adapter's process around its machine: what `registration::driver` does, in the same order.

use std::collections::{BTreeMap, VecDeque};

use client_failover::{
    domain::{CallFailure, FailoverScore, FailureKind, Health, Incarnation, Now, Standing},
    registration::machine::{Answer, Call, Effect, Event as Step, Identity, Machine},
};

use super::{
    World,
    clock::{Instant, MILLISECOND},
    collector::{Collector, Said},
    event::{Ask, AtSite, Event, Request, Return, Route, SiteId},
    site::{Item, Kind, Native, Process, Recorder, Row},
    stock::Stock,
};

/// How long a promotion waits for its record.
const RECORD_WAIT: std::time::Duration = std::time::Duration::from_millis(50);

impl World {
    /// A new run of the process at `site`, unless one runs there.
    pub(crate) fn start(&mut self, site: SiteId) {
        let place = &self.sites[site];
        let is_over = place.is_copy && self.healed_at.is_some();
        if place.process.is_some() || place.clock.is_asleep() || is_over {
            return;
        }
        self.pids += 1;
        let pid = self.pids;
        let now = self.site_now(site);
        let place = &mut self.sites[site];
        let kind = if place.member.native {
            let incarnation = Incarnation::new(format!("run-{pid}")).expect("a short id is one");
            let identity = Identity {
                session: place.disk.session.clone(),
                incarnation: incarnation.clone(),
                replaces: place.disk.incarnation.replace(incarnation),
                copied: false,
                boot: place.clock.boot_id(),
                known: place.disk.known.clone(),
                jitter_seed: self.dice.next(),
            };
            let collector = place.member.collector.map(Collector::new);
            let health = collector.as_ref().map_or(Health::NOTHING_PROTECTED, Collector::health);
            Kind::Native(Box::new(Native {
                machine: Machine::new(identity, place.member.loss, health, now),
                collector,
                inbox: VecDeque::from([Step::Configured(place.disk.desired())]),
                todo: VecDeque::new(),
                calls: BTreeMap::new(),
                partings: Vec::new(),
                partings_made: 0,
                recorder: Recorder::default(),
                listens: None,
                unwritten: false,
                awaits_record: false,
                waits: 0,
                waited: false,
                alarm_at: 0,
                stops_by: None,
            }))
        } else {
            Kind::Stock(Stock::new())
        };
        let port = 1_000 + u16::try_from(pid % 60_000).unwrap_or(0);
        place.process = Some(Process {
            pid,
            started: self.now,
            turned: self.now,
            frozen: false,
            went_on: self.now,
            acts_until: None,
            was_answered: false,
            said: Said::default(),
            port,
            found: Vec::new(),
            kind,
        });
        self.judge.member_was_disturbed(site, self.now);
        self.log(|world| {
            format!("site {site}: run-{pid} begins, session {}", world.sites[site].disk.session)
        });
        self.go_on(site);
        if self.sites[site].member.collector.is_some() && self.sites[site].member.native {
            self.watch_source(site);
        }
    }

    pub(crate) fn site_now(&self, site: SiteId) -> Now {
        self.sites[site].clock.now(self.now)
    }

    /// Lets the process at `site` do what it can do now.
    pub(crate) fn go_on(&mut self, site: SiteId) {
        match self.sites[site].process.as_ref().map(|process| &process.kind) {
            Some(Kind::Native(_)) => self.work(site),
            Some(Kind::Stock(_)) => self.beat_stock(site),
            None => {}
        }
    }

    pub(crate) fn work(&mut self, site: SiteId) {
        let mut idle_ticks = 0;
        while self.sites[site].runs() && self.violation.is_none() {
            let Some(native) = self.sites[site].native() else { return };
            if native.awaits_record {
                return;
            }
            if let Some(effect) = native.todo.pop_front() {
                if self.plan.freezes_between > 0 && self.is_stopped_between(site) {
                    if let Some(native) = self.sites[site].native() {
                        native.todo.push_front(effect);
                    }
                    return;
                }
                self.carry_out(site, effect);
                continue;
            }
            if let Some(event) = next_event(&mut native.inbox) {
                self.step(site, event);
                continue;
            }
            let Some(wake) = native.machine.next_wake().filter(|_| !native.machine.has_stopped()) else {
                return;
            };
            let clock = &self.sites[site].clock;
            if clock.uptime(self.now) >= wake {
                idle_ticks += 1;
                if idle_ticks > 3 {
                    return self.accuse("Stuck", format!("site {site}: a tick does not get on"));
                }
                self.step(site, Step::Tick);
                continue;
            }
            let at = clock.when(wake).max(self.now + 1);
            return self.set_alarm(site, at);
        }
    }

    fn set_alarm(&mut self, site: SiteId, at: u64) {
        let Some(native) = self.sites[site].native() else { return };
        if native.alarm_at != at {
            native.alarm_at = at;
            let pid = self.sites[site].pid().unwrap_or(0);
            self.queue.push(at, Event::Site(site, pid, AtSite::Alarm));
        }
    }

    fn is_stopped_between(&mut self, site: SiteId) -> bool {
        let stopped = self.healed_at.is_none() && self.dice.below(1_000) < self.plan.freezes_between;
        if stopped {
            let span = self.dice.between(MILLISECOND, 3 * self.plan.timeout / 2);
            self.freeze_agent(site, span);
        }
        stopped
    }

    fn step(&mut self, site: SiteId, event: Step) {
        let now = self.site_now(site);
        let pid = self.sites[site].pid().unwrap_or(0);
        self.log(|_| format!("site {site}: run-{pid} takes {}", describe(&event)));
        let gate = self.gate_coverage(site);
        let Some(native) = self.sites[site].native() else { return };
        if let Some(gate) = gate {
            native.machine.hear_gate(gate, None);
        }
        let effects = native.machine.step(now, event);
        native.unwritten = false;
        native.waited = false;
        native.todo.extend(effects);
        let effects: &VecDeque<Effect> = &native.todo;
        if let Some((kind, what)) = self.judge.history.stepped(pid, effects) {
            self.accuse(kind, format!("site {site}: {what}"));
        }
    }

    fn carry_out(&mut self, site: SiteId, effect: Effect) {
        let now = self.now;
        let pid = self.sites[site].pid().unwrap_or(0);
        let Some(native) = self.sites[site].native() else { return };
        match effect {
            Effect::Record(row) => {
                native.unwritten = true;
                native.recorder.queue.push(Item::Row(Row::of(pid, &row)));
                self.log(|_| {
                    format!("site {site}: row {} {} {}: {}", row.kind, row.reason, row.role, row.explanation)
                });
                self.write_history(site);
            }
            Effect::Remember(known) => {
                native.unwritten = true;
                native.recorder.queue.push(Item::Known(known));
                self.write_history(site);
            }
            Effect::Publish(standing) => {
                if native.unwritten && !native.waited && !native.recorder.is_idle() {
                    native.awaits_record = true;
                    native.waits += 1;
                    let waits = native.waits;
                    native.todo.push_front(Effect::Publish(standing));
                    let span = self.sites[site].clock.true_span(RECORD_WAIT);
                    self.push(span, Event::Site(site, pid, AtSite::WaitedForRecord(waits)));
                } else {
                    self.publish(site, &standing);
                }
            }
            Effect::Farewell(farewell) => self.part(site, *farewell),
            Effect::Adopt => {
                native.calls.clear();
                native.listens = None;
            }
            Effect::Listen(what) => native.listens = Some((what.group, what.session)),
            Effect::StopListening => native.listens = None,
            Effect::Call { id, call, at_most } => {
                let ends = self.time_out(site, Route::Call(id), at_most);
                if let Some(native) = self.sites[site].native() {
                    native.calls.insert(id, (now, ends));
                }
                self.ask(site, Route::Call(id), Ask::Call(*call));
            }
            Effect::Cancel(id) => {
                native.calls.remove(&id);
            }
        }
    }

    fn publish(&mut self, site: SiteId, standing: &Standing) {
        let Some(process) = self.sites[site].process.as_mut() else { return };
        let acts = standing.acting != client_failover::domain::Acting::No;
        if acts != self.judge.sink.has_permit(self.now, process.pid) {
            process.turned = self.now;
        }
        let pid = process.pid;
        self.note_lease(site, standing);
        self.log(|_| {
            format!(
                "site {site}: run-{pid} stands as {} {:?} epoch {:?}",
                standing.role, standing.acting, standing.epoch
            )
        });
        let stops_at = self.order_collector(site, standing);
        let clock = &self.sites[site].clock;
        let accused = self.judge.sink.publish(self.now, site, pid, standing, stops_at, clock);
        self.accuse_if(accused);
        self.gate_is_ordered(site, standing);
    }

    /// Sends a request of the process at `site`.
    pub(crate) fn ask(&mut self, site: SiteId, route: Route, ask: Ask) {
        let place = &self.sites[site];
        let Some(process) = &place.process else { return };
        let (back, port) = (Return { site, pid: process.pid, route }, process.port);
        let ask = match ask {
            Ask::Call(Call::Heartbeat(group, session, mut heartbeat)) => {
                let acting = match &heartbeat.native {
                    Some(native) => native.acting,
                    None => self.judge.sink.has_permit(self.now, process.pid),
                };
                if place.member.collector.is_none() {
                    heartbeat.score = place.score(self.now, acting, heartbeat.score);
                }
                self.lie(site, &group, &mut heartbeat);
                self.note_said(site, heartbeat.score);
                if acting && heartbeat.score > FailoverScore::ZERO {
                    self.judge.tenures.scored(&session);
                }
                Ask::Call(Call::Heartbeat(group, session, heartbeat))
            }
            other @ (Ask::Call(_) | Ask::Delete(..)) => other,
        };
        let request = Request { back, port, ask, sent: self.now };
        self.overhear(&request);
        self.drill_hears(&request);
        self.send_up(request);
    }

    /// A call that is made now is given up after `at_most`; when that is by the time that the machine is awake.
    pub(crate) fn time_out(&mut self, site: SiteId, route: Route, at_most: std::time::Duration) -> Instant {
        let clock = &self.sites[site].clock;
        let (pid, span) = (self.sites[site].pid().unwrap_or(0), clock.true_span(at_most));
        let end = clock.awake(self.now) + span;
        self.push(span, Event::Site(site, pid, AtSite::CallEnds(route, end)));
        end
    }

    /// An answer, or the end of waiting for one.
    pub(crate) fn call_ended(&mut self, site: SiteId, route: Route, outcome: Result<Answer, CallFailure>) {
        match route {
            Route::Call(id) => {
                let Some(native) = self.sites[site].native() else { return };
                if let Some((asked, _)) = native.calls.remove(&id) {
                    let was_answered = matches!(outcome, Ok(Answer::Heartbeat(_)));
                    if was_answered {
                        self.judge.tenures.member_heard(self.now, &self.sites[site].disk.session);
                        self.note_contact(site, asked);
                    }
                    if let Some(process) = self.sites[site].process.as_mut() {
                        process.was_answered = was_answered;
                    }
                    if let Some(native) = self.sites[site].native() {
                        native.inbox.push_back(Step::Answered(id, outcome));
                    }
                }
            }
            Route::Farewell(id) => self.farewell_answered(site, id, outcome.is_ok()),
            Route::Stock(call) => self.stock_answered(site, call, outcome),
        }
        self.go_on(site);
    }

    pub(crate) fn call_timed_out(&mut self, site: SiteId, route: Route) {
        if let Route::Farewell(id) = route {
            self.end_farewell(site, id);
            return self.go_on(site);
        }
        let failure = CallFailure::new(FailureKind::TimedOut, "");
        self.call_ended(site, route, Err(failure));
    }

    /// However many nudges come, the process takes them for one.
    pub(crate) fn nudged(&mut self, site: SiteId) {
        let Some(native) = self.sites[site].native() else { return };
        if native.listens.is_some() && !native.inbox.iter().any(|event| matches!(event, Step::Nudged)) {
            native.inbox.push_back(Step::Nudged);
            self.work(site);
        }
    }
}

/// The next event in the driver's order: a stop, answers, farewells, then changes of the configuration.
fn next_event(inbox: &mut VecDeque<Step>) -> Option<Step> {
    let rank = |event: &Step| match event {
        Step::Stop(_) => 0,
        Step::Answered(..) => 1,
        Step::FarewellEnded(..) => 2,
        Step::Health(_) => 3,
        Step::Configured(_) => 4,
        Step::Tick => 5,
        Step::Nudged => 6,
    };
    let (index, _) = inbox.iter().enumerate().min_by_key(|(_, event)| rank(event))?;
    inbox.remove(index)
}

fn describe(event: &Step) -> String {
    match event {
        Step::Answered(id, outcome) => format!("{id:?} {outcome:?}"),
        Step::Configured(_) => "a configuration".to_owned(),
        Step::FarewellEnded(..) => "the end of a farewell".to_owned(),
        Step::Tick => "a tick".to_owned(),
        Step::Nudged => "a nudge".to_owned(),
        Step::Health(_) => "how those who obey do".to_owned(),
        Step::Stop(_) => "the order to stop".to_owned(),
    }
}
