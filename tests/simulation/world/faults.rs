//! What goes wrong, and how it is put right at the end.

use std::time::Duration;

use client_failover::{
    domain::{GroupKey, Mode, RoleOverride, SessionId},
    endpoint::machine::Remover,
    registration::machine,
};

use super::{
    World,
    clock::{DAY_US, Instant, MILLISECOND, SECOND, Span},
    drills::Step,
    endpoint::{Mood, Power, group_id, group_key, group_spec},
    event::{AtSite, Event, SiteId},
    judge::at_most,
    plan::{self, Fault, Source},
    registry::Operation,
    site::Link,
    store::Folder,
};

/// How much a machine's boot clock shows when its services start.
const AFTER_BOOT: Span = 5 * SECOND;

impl World {
    /// Something goes wrong, and something else will.
    pub(crate) fn misfortune(&mut self) {
        if self.now >= self.plan.length || self.plan.faults.is_empty() {
            return;
        }
        let folder = self.endpoint.folder.clone();
        if self.dice.percent(40) {
            self.endpoint.snapshots.push(folder);
        }
        let fault = self.plan.faults[self.dice.index(self.plan.faults.len())];
        let site = self.dice.index(self.sites.len());
        self.log(|_| format!("misfortune: {fault:?} (site {site})"));
        self.judge.something_happened(self.now);
        self.strike(fault, site);
        let pause = self.dice.between(10 * MILLISECOND, self.plan.pause);
        self.push(pause, Event::Misfortune);
    }

    fn some_time(&mut self) -> Span {
        let t = self.plan.timeout;
        match self.dice.below(4) {
            0 => self.dice.between(MILLISECOND, t / 4),
            1 | 2 => self.dice.between(t / 4, 5 * t / 4),
            _ => self.dice.between(t, 3 * t),
        }
    }

    fn strike(&mut self, fault: Fault, site: SiteId) {
        let until = self.now + self.some_time();
        match fault {
            Fault::AgentCrash => self.crash_agent(site),
            Fault::AgentStop => {
                self.stop_agent(site);
                self.push(until - self.now, Event::Start(site));
            }
            Fault::AgentReboot => self.reboot_agent(site),
            Fault::AgentFreeze => self.freeze_agent(site, until - self.now),
            Fault::AgentSuspend => self.suspend(site, until),
            Fault::AgentDisk => {
                self.sites[site].disk_trouble_until = until;
                self.sites[site].disk_fails = self.dice.pick(&[0, 50, 100]);
            }
            Fault::AgentCopy => self.copy(site),
            Fault::WallJump => self.jump(site),
            Fault::Cut | Fault::Lossy | Fault::SlowAnswers => self.hurt_link(fault, site, until),
            Fault::EndpointCrash => self.down_endpoint(),
            Fault::EndpointReboot => {
                self.down_endpoint();
                self.reboot_endpoint();
            }
            Fault::EndpointFreeze => {
                self.judge.endpoint_was_disturbed(until);
                self.freeze_endpoint(until - self.now);
            }
            Fault::StoreSetBack => {
                self.down_endpoint();
                self.set_store_back();
            }
            Fault::StoreTrouble => {
                self.endpoint.mood = match self.dice.below(4) {
                    0 => Mood::default(),
                    1 => Mood { fails: 100, ..Mood::default() },
                    2 => Mood { fails: 50, fails_but_keeps: 30, late: 5 },
                    _ => Mood { fails: 0, fails_but_keeps: 0, late: 60 },
                };
            }
            Fault::Override => self.override_role(site),
            Fault::DeleteSession => self.delete_session(site),
            Fault::RecreateGroup => self.recreate_group(site),
            Fault::Configure => self.configure(site),
            Fault::Replay => self.replay(site, 0),
        }
    }

    fn jump(&mut self, site: SiteId) {
        let jump = self.dice.pick(&[-DAY_US, DAY_US]);
        if self.dice.percent(50) {
            self.endpoint_clock.wall_offset += jump;
            self.clock_was_set_back |= jump < 0;
            self.excuse_epochs();
        } else {
            self.sites[site].clock.wall_offset += jump;
        }
    }

    fn hurt_link(&mut self, fault: Fault, site: SiteId, until: Instant) {
        let t = self.plan.timeout;
        let (way, forever, late) = (self.dice.below(3), self.dice.percent(50), self.dice.percent(30));
        let (low, high) = if late { (t / 2, t) } else { (21 * t / 20, 6 * t / 5) };
        let (lossy, slow_by) = (self.dice.between(20, 95), self.dice.between(low, high));
        let link = &mut self.sites[site].link;
        if fault == Fault::Lossy {
            (link.lossy, link.lossy_until) = (lossy, until);
        } else if fault == Fault::SlowAnswers {
            link.slow_until = if forever { Instant::MAX } else { until };
            link.slow_by = slow_by;
        } else {
            if way != 1 {
                link.up_cut = until;
            }
            if way != 0 {
                link.down_cut = until;
            }
        }
    }

    fn down_endpoint(&mut self) {
        let refuses = self.dice.percent(60);
        if self.disk_dice.percent(30) {
            self.stop_endpoint();
        }
        self.log(|_| "the endpoint dies".to_owned());
        self.end_endpoint(refuses);
        let soon = self.plan.timeout / 10;
        let pause =
            if self.dice.percent(60) { self.dice.between(MILLISECOND, soon) } else { self.some_time() };
        self.push(pause, Event::EndpointStart);
    }

    fn reboot_endpoint(&mut self) {
        let uptime = self.dice.between(MILLISECOND, AFTER_BOOT);
        self.endpoint_clock.reboot(self.now, uptime);
    }

    /// The database is an earlier one, or empty. The mark is as it was, is lost, or is an earlier one:
    /// the whole folder of another time comes back only with a reboot, because within one boot nothing
    /// tells it from the last word.
    fn set_store_back(&mut self) {
        let earlier = if self.endpoint.snapshots.is_empty() || self.dice.percent(30) {
            Folder::default()
        } else {
            let index = self.dice.index(self.endpoint.snapshots.len());
            self.endpoint.snapshots[index].clone()
        };
        let mark = match self.dice.below(3) {
            0 => self.endpoint.folder.mark.clone(),
            1 => None,
            _ => {
                self.reboot_endpoint();
                earlier.mark.clone()
            }
        };
        self.log(|_| {
            format!("the store is set back to {} seat records; mark {mark:?}", earlier.store.seat_records)
        });
        self.mark_was_lost |= mark != self.endpoint.folder.mark;
        self.excuse_epochs();
        self.endpoint.folder = Folder { store: earlier.store, mark };
        let folder = &self.endpoint.folder;
        if folder.mark.is_none() && folder.store.groups.is_empty() && folder.store.seat_records == 0 {
            // Nothing tells a folder that was lost whole from a new one. Whoever puts a new endpoint in
            // the place of a lost one has to wait until the leases of the lost one are over.
            self.endpoint.not_before = self.now + at_most(self.longest_timeout);
        }
    }

    /// An endpoint that lost its mark, and perhaps its database, goes on from the wall clock and from what
    /// members know. Where its clock was set back as well, or a member claimed epochs ahead of it, nobody promises
    /// that epochs rise.
    fn excuse_epochs(&mut self) {
        // Epochs are of whole seconds: in groups whose T is shorter, others may have been given in the present one.
        let ahead = self.clock_was_set_back
            || self.plan.members.iter().any(|member| member.lies)
            || self.plan.groups.iter().any(|group| group.timeout < SECOND);
        if ahead && self.mark_was_lost {
            self.judge.judges_epochs = false;
            self.judge.sink.judges_epochs = false;
        }
    }

    pub(crate) fn crash_agent(&mut self, site: SiteId) {
        let goes_on = self.dice.percent(60);
        let Some(process) = self.sites[site].process.take() else { return };
        self.log(|_| format!("site {site}: run-{} is killed", process.pid));
        self.judge.sink.note_time(self.now);
        self.judge.sink.process_died(process.pid, goes_on);
        self.judge.member_was_disturbed(site, self.now);
        let soon = self.plan.timeout / 10;
        let pause =
            if self.dice.percent(60) { self.dice.between(MILLISECOND, soon) } else { self.some_time() };
        self.push(pause, Event::Start(site));
    }

    fn reboot_agent(&mut self, site: SiteId) {
        let shares = self.sites.iter().filter(|other| other.machine == self.sites[site].machine).count() > 1;
        if shares || self.sites[site].clock.is_asleep() {
            return;
        }
        self.crash_agent(site);
        self.judge.sink.machine_died(site);
        let uptime = self.dice.between(MILLISECOND, AFTER_BOOT);
        self.sites[site].clock.reboot(self.now, uptime);
    }

    pub(crate) fn freeze_agent(&mut self, site: SiteId, span: Span) {
        self.gate_stands_still(site);
        let Some(process) = self.sites[site].process.as_mut().filter(|process| !process.frozen) else {
            return;
        };
        process.frozen = true;
        let pid = process.pid;
        self.log(|_| format!("site {site}: run-{pid} freezes for {} ms", span / MILLISECOND));
        self.judge.member_was_disturbed(site, self.now);
        self.push(span, Event::Site(site, pid, AtSite::Thaw));
    }

    /// The machine sleeps: nothing runs, nothing is written, the boot clock goes on.
    fn suspend(&mut self, site: SiteId, until: Instant) {
        let shares = self.sites.iter().filter(|other| other.machine == self.sites[site].machine).count() > 1;
        if shares || self.sites[site].clock.is_asleep() {
            return;
        }
        self.gate_stands_still(site);
        self.collector_sleeps(site);
        self.sites[site].clock.fall_asleep(self.now);
        self.judge.sink.falls_asleep(self.now, site);
        self.judge.member_was_disturbed(site, self.now);
        self.queue.push(until, Event::WakeUp(site));
    }

    pub(crate) fn wake_up(&mut self, site: SiteId) {
        if self.sites[site].clock.is_asleep() {
            self.sites[site].clock.wake_up(self.now);
            if let Some(process) = self.sites[site].process.as_mut() {
                process.went_on = self.now;
            }
            self.log(|_| format!("site {site}: the machine wakes up"));
            self.judge.member_was_disturbed(site, self.now);
            let accused = self.judge.sink.wakes_up(self.now, site, &self.sites[site].clock);
            self.accuse_if(accused);
            self.start(site);
            self.catch_up(site);
        }
    }

    /// A copy of the data folder is started, on the same machine or on another.
    fn copy(&mut self, site: SiteId) {
        let place = &self.sites[site];
        if self.sites.len() >= 8 || !place.member.native || place.is_copy {
            return;
        }
        let elsewhere = self.dice.percent(50);
        let copy = self.sites[site].copied(elsewhere.then_some(self.sites.len()), self.now);
        self.sites.push(copy);
        self.start(self.sites.len() - 1);
    }

    /// What an operator would speak to the endpoint about, if it runs: the group and session of `site`.
    pub(crate) fn operator(&self, site: SiteId) -> Option<(GroupKey, SessionId)> {
        let config = self.sites[site].disk.config.filter(|_| self.endpoint.is_up())?;
        Some((group_key(&group_id(config.group)), self.sites[site].disk.session.clone()))
    }

    fn override_role(&mut self, site: SiteId) {
        let Some((key, session)) = self.operator(site) else { return };
        let period = Duration::from_micros(self.some_time());
        let asked = match self.dice.below(3) {
            0 => RoleOverride::Off,
            1 => RoleOverride::Primary(None),
            _ => RoleOverride::Primary(Some(period)),
        };
        self.operate(Operation::Override(key, session, asked), None);
    }

    fn delete_session(&mut self, site: SiteId) {
        if let Some((key, session)) = self.operator(site) {
            self.operate(Operation::DeleteSession(key, session, Remover::Another), None);
        }
    }

    /// A group is emptied and deleted, and perhaps created anew with a smaller T.
    fn recreate_group(&mut self, site: SiteId) {
        let Some((key, _)) = self.operator(site) else { return };
        let sessions: Vec<SessionId> = self.sites.iter().map(|site| site.disk.session.clone()).collect();
        for session in sessions {
            self.operate(Operation::DeleteSession(key.clone(), session, Remover::Another), None);
        }
        self.operate(Operation::DeleteGroup(key.clone()), None);
        if self.plan.shrinks() && self.dice.percent(70) {
            let group = self.plan.group(&key.id);
            let smaller = plan::timeout(group.timeout * self.dice.between(1, 9) / 10);
            self.operate(Operation::CreateGroup(group_spec(&key.id, smaller, group.keeps_silent)), None);
        }
    }

    /// The stored configuration is changed, and the process is told.
    fn configure(&mut self, site: SiteId) {
        let t = self.plan.timeout;
        let Some(mut config) = self.sites[site].disk.config.filter(|_| self.sites[site].member.native) else {
            return;
        };
        match self.dice.below(6) {
            0 => config.group = 1 - config.group,
            1 => config.mode = Mode::None,
            2 => config.mode = self.dice.pick(&[Mode::Hot, Mode::Warm, Mode::Cold]),
            3 if self.plan.shrinks() => config.timeout = plan::timeout(self.dice.between(t / 4, t)),
            4 => config.client += 1,
            _ => {}
        }
        if config.mode == Mode::None && self.dice.percent(60) {
            config.mode = Mode::Hot;
        }
        self.sites[site].disk.config = Some(config);
        self.sites[site].disk.revision += 1;
        self.judge.member_was_disturbed(site, self.now);
        let desired = self.sites[site].disk.desired();
        if let Some(native) = self.sites[site].native() {
            native.inbox.push_back(machine::Event::Configured(desired));
            self.go_on(site);
        }
    }

    pub(crate) fn stall(&mut self) {
        if self.healed_at.is_none() {
            // By the smallest T there is, so that no lease ends while the endpoint cannot answer.
            let timeout = self.plan.members.iter().map(|member| self.plan.groups[member.group].timeout).min();
            let timeout = timeout.unwrap_or(self.plan.timeout);
            self.freeze_endpoint(timeout / 5);
            self.push(timeout / 2, Event::Stall);
        }
    }

    /// All is well from now on: the network carries everything, whoever is down comes up, sources stay
    /// as they are. A copy of a
    /// data folder is taken away: it would be refused for ever, and say so.
    pub(crate) fn heal(&mut self) {
        if self.now < self.endpoint.not_before {
            return self.queue.push(self.endpoint.not_before, Event::Heal);
        }
        self.push(self.looked_at(), Event::End);
        if self.drills.are_drawn() {
            self.push(self.looked_at() - self.drills.take(), Event::Drill(Step::Begin));
        }
        self.log(|_| "all is well from here on".to_owned());
        self.healed_at = Some(self.now);
        self.judge.something_happened(self.now);
        self.plan.weather = plan::Weather::default();
        self.heal_destinations();
        self.heal_sources();
        self.endpoint.mood = Mood::default();
        if self.endpoint.power == Power::Frozen {
            self.thaw_endpoint();
        }
        for site in 0..self.sites.len() {
            self.sites[site].link = Link::default();
            if let Source::Alternating(_, score, _) = self.sites[site].member.source {
                self.sites[site].member.source = Source::Constant(score);
                let pid = self.sites[site].pid().unwrap_or(0);
                self.push(0, Event::Site(site, pid, AtSite::Look));
            }
            self.sites[site].disk_trouble_until = 0;
            if self.sites[site].is_copy {
                if let Some(process) = self.sites[site].process.take() {
                    self.judge.sink.forget(process.pid);
                }
                continue;
            }
            self.wake_up(site);
            self.thaw_agent(site);
            self.start(site);
        }
        self.let_endpoint_start();
        self.begin_healing();
    }
}

impl super::site::Site {
    /// A copy of this data folder, on the same machine or on a new one.
    fn copied(&self, machine: Option<usize>, now: Instant) -> Self {
        let mut clock = self.clock.clone();
        if let Some(machine) = machine {
            clock = super::clock::Clock::new(1_000 + machine, 1_000_000, now / 2);
        }
        Self {
            machine: machine.unwrap_or(self.machine),
            clock,
            link: Link::default(),
            disk: self.disk.clone(),
            member: self.member,
            process: None,
            is_copy: true,
            disk_trouble_until: 0,
            disk_fails: 0,
        }
    }
}
