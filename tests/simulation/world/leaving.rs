//! How a run of a native adapter ends: its farewells to groups, and its last words when it is told to stop.

use client_failover::registration::machine::{Call, Event as Step, Farewell};

use super::{
    World,
    clock::SECOND,
    event::{Ask, AtSite, Event, Pid, Route, SiteId},
    site::Parting,
};

/// How long a process may take to say farewell and write its last rows.
const LAST_WORDS: u64 = 7 * SECOND;

/// How long whoever obeys may take to stop when the process is told to.
pub(crate) const STOPS_WITHIN: u64 = 3 * SECOND;

impl World {
    pub(crate) fn part(&mut self, site: SiteId, farewell: Farewell) {
        let at_most = farewell.at_most;
        let clock = &self.sites[site].clock;
        let ends = clock.awake(self.now) + clock.true_span(at_most);
        let Some(native) = self.sites[site].native() else { return };
        native.partings_made += 1;
        let id = native.partings_made;
        native.partings.push(Parting { id, farewell, said: 0, deleting: false, ends });
        self.time_out(site, Route::Farewell(id), at_most);
        self.say_next(site, id);
    }

    /// The next word of a farewell: a heartbeat after the answer to the one before, then DELETE.
    fn say_next(&mut self, site: SiteId, id: u32) {
        let Some(native) = self.sites[site].native() else { return };
        let Some(parting) = native.partings.iter_mut().find(|parting| parting.id == id) else { return };
        let Farewell { group, session, heartbeats, .. } = &parting.farewell;
        let ask = match heartbeats.get(parting.said) {
            Some(heartbeat) => Ask::Call(Call::Heartbeat(group.clone(), session.clone(), heartbeat.clone())),
            None => {
                parting.deleting = true;
                Ask::Delete(group.clone(), session.clone())
            }
        };
        parting.said += 1;
        self.ask(site, Route::Farewell(id), ask);
    }

    pub(crate) fn end_farewell(&mut self, site: SiteId, id: u32) {
        let Some(native) = self.sites[site].native() else { return };
        let Some(index) = native.partings.iter().position(|parting| parting.id == id) else { return };
        let parting = native.partings.swap_remove(index);
        native.inbox.push_back(Step::FarewellEnded(parting.farewell.endpoint, parting.farewell.group));
        self.leave_if_done(site);
    }

    pub(crate) fn farewell_answered(&mut self, site: SiteId, id: u32, heard: bool) {
        let Some(native) = self.sites[site].native() else { return };
        let Some(parting) = native.partings.iter_mut().find(|parting| parting.id == id) else { return };
        if parting.deleting {
            return self.end_farewell(site, id);
        }
        if heard {
            self.judge.tenures.member_heard(self.now, &self.sites[site].disk.session);
        } else {
            parting.said = parting.farewell.heartbeats.len();
        }
        self.say_next(site, id);
    }

    /// The process is told to stop, and is gone once its last words are said and written.
    pub(crate) fn stop_agent(&mut self, site: SiteId) {
        let now = self.now;
        let pid = self.sites[site].pid().unwrap_or(0);
        let uptime = self.site_now(site).uptime;
        let Some(native) = self.sites[site].native() else { return };
        if native.stops_by.is_none() {
            let patience = native.collector.as_ref().map_or(0, |_| STOPS_WITHIN);
            native.stops_by = Some(now + patience + LAST_WORDS);
            native.inbox.push_front(Step::Stop(uptime + std::time::Duration::from_micros(patience)));
            self.push(patience + LAST_WORDS, Event::Site(site, pid, AtSite::Exit));
            self.judge.member_was_disturbed(site, self.now);
            self.work(site);
            self.leave_if_done(site);
        }
    }

    pub(crate) fn leave_if_done(&mut self, site: SiteId) {
        let runs = self.sites[site].runs();
        let pid = self.sites[site].pid().unwrap_or(0);
        let Some(native) = self.sites[site].native() else { return };
        let done = native.machine.has_stopped()
            && native.partings.is_empty()
            && native.recorder.is_idle()
            && native.todo.is_empty();
        if done && runs {
            self.exit(site, pid);
        }
    }

    pub(crate) fn exit(&mut self, site: SiteId, pid: Pid) {
        self.log(|_| format!("site {site}: run-{pid} is gone"));
        self.sites[site].process = None;
        self.judge.sink.forget(pid);
        self.judge.member_was_disturbed(site, self.now);
        if self.healed_at.is_some() {
            self.push(self.drills.pause(), Event::Start(site));
        }
    }
}
