//! The way between members and the endpoint: messages are lost, late, doubled and reordered.

use std::collections::VecDeque;

use client_failover::{
    domain::{CallFailure, Epoch, GroupId, Heartbeat, SessionId},
    registration::machine::{Answer, Call},
};

use super::{
    World,
    clock::{MILLISECOND, Span},
    endpoint::group_key,
    event::{Ask, AtSite, Event, Reply, Request, Return, SiteId},
    plan::Fault,
};

/// So many of a member's last heartbeats may come again.
const MOST_SAID: usize = 8;

/// A message from before the world was healed arrives within this after it, or never.
const FORGOTTEN: Span = 50 * MILLISECOND;

impl World {
    fn is_lost(&mut self, site: SiteId) -> bool {
        let link = self.sites[site].link;
        let lossy = if self.now < link.lossy_until { link.lossy } else { 0 };
        self.dice.percent(self.plan.weather.lost.max(lossy))
    }

    fn delay(&mut self) -> Span {
        if self.dice.percent(self.plan.weather.late) {
            self.dice.between(0, 2 * self.plan.timeout)
        } else {
            self.dice.between(200, 4 * MILLISECOND)
        }
    }

    /// How much later a doubled message arrives: soon, or long after everybody forgot it.
    fn echo(&mut self, long: bool) -> Span {
        if long || self.dice.percent(30) {
            self.dice.between(0, 3 * self.plan.timeout)
        } else {
            self.dice.between(0, 20 * MILLISECOND)
        }
    }

    pub(crate) fn send_up(&mut self, request: Request) {
        let site = request.back.site;
        let is_delete = matches!(request.ask, Ask::Delete(..));
        self.log(|_| format!("site {site} asks {}", describe(&request)));
        if self.now < self.sites[site].link.up_cut || self.is_lost(site) {
            return;
        }
        let doubled = if is_delete { self.plan.weather.doubled * 2 } else { self.plan.weather.doubled };
        if self.dice.percent(doubled) {
            let echo = self.echo(is_delete);
            self.push(echo, Event::Request(Box::new(request.clone())));
        }
        let delay = self.delay();
        self.push(delay, Event::Request(Box::new(request)));
    }

    /// Keeps what a member says, where the network may say it again.
    pub(crate) fn overhear(&mut self, request: &Request) {
        if !self.plan.faults.contains(&Fault::Replay)
            || !matches!(request.ask, Ask::Call(Call::Heartbeat(..)))
        {
            return;
        }
        let site = request.back.site;
        if self.said.len() <= site {
            self.said.resize_with(site + 1, VecDeque::new);
        }
        let said = &mut self.said[site];
        said.push_back(request.clone());
        if said.len() > MOST_SAID {
            said.pop_front();
        }
    }

    /// The network says once more what the member at `site` said lately, in its order, within `within`.
    pub(crate) fn replay(&mut self, site: SiteId, within: Span) {
        let Some(said) = self.said.get(site).cloned().filter(|said| !said.is_empty()) else { return };
        let from = self.dice.index(said.len());
        let mut delay = self.dice.between(0, within);
        for request in said.into_iter().skip(from) {
            delay += self.dice.between(MILLISECOND, 20 * MILLISECOND);
            self.push(delay, Event::Request(Box::new(request)));
        }
    }

    /// An endpoint that has just begun does not know that it heard that before: least of all of a member that has
    /// not asked it anything yet.
    pub(crate) fn replay_after_start(&mut self) {
        if self.healed_at.is_none() && self.plan.faults.contains(&Fault::Replay) {
            for site in 0..self.sites.len() {
                let quarter = self.plan.groups[self.sites[site].member.group].timeout / 4;
                self.replay(site, quarter);
            }
        }
    }

    /// A member that lies claims to know a higher epoch than there is in its group.
    pub(crate) fn lie(&mut self, site: SiteId, group: &GroupId, heartbeat: &mut Heartbeat) {
        if !self.sites[site].member.lies || self.dice.percent(50) {
            return;
        }
        let seat = self.endpoint.folder.store.seats.get(&group_key(group));
        let highest = seat.and_then(|seat| seat.epoch).map_or(0, Epoch::get);
        if let Some(native) = &mut heartbeat.native {
            native.epoch = native.epoch.max(Epoch::new(highest + 1));
        }
    }

    pub(crate) fn send_down(&mut self, back: Return, outcome: Result<Answer, CallFailure>) {
        let site = back.site;
        self.log(|_| format!("the endpoint answers site {site} {:?}: {outcome:?}", back.route));
        let link = self.sites[site].link;
        if self.now < link.down_cut || self.is_lost(site) {
            return;
        }
        let mut delay = self.delay();
        if self.now < link.slow_until {
            delay += link.slow_by;
        }
        if self.dice.percent(self.plan.weather.doubled) {
            let echo = delay + self.echo(false);
            let reply = Reply { back, outcome: outcome.clone(), sent: self.now };
            self.push(echo, Event::Reply(Box::new(reply)));
        }
        self.push(delay, Event::Reply(Box::new(Reply { back, outcome, sent: self.now })));
    }

    /// Tells those that listen to the group's events. A stream is a connection: it is delayed, broken or
    /// not yet there again as often as messages are lost.
    pub(crate) fn nudge(&mut self, group: &GroupId, session: &SessionId) {
        for site in 0..self.sites.len() {
            let listens = self.sites[site].native().and_then(|native| native.listens.as_ref());
            let hears = listens.is_some_and(|(to, own)| to == group && own == session);
            let Some(pid) = self.sites[site].pid().filter(|_| hears) else { continue };
            let link = self.sites[site].link;
            let broken = self.now < link.down_cut.max(link.up_cut).max(link.slow_until);
            if !broken && !self.is_lost(site) && (self.healed_at.is_some() || self.dice.percent(90)) {
                let delay = self.delay();
                self.push(delay, Event::Site(site, pid, AtSite::Nudge));
            }
        }
    }

    /// Whether a message is one of those that a healed network does not carry any more.
    fn is_forgotten(&self, sent: u64) -> bool {
        self.healed_at.is_some_and(|healed| sent < healed && healed + FORGOTTEN < self.now)
    }

    pub(crate) fn request_comes(&mut self, request: Box<Request>) {
        if !self.is_forgotten(request.sent) {
            self.request_arrives(request);
        }
    }

    pub(crate) fn reply_comes(&mut self, reply: Reply) {
        let Reply { back: Return { site, pid, route }, outcome, sent } = reply;
        if self.is_forgotten(sent) || self.sites[site].pid() != Some(pid) {
            return;
        }
        // A machine that sleeps hears some of what was said to it when it wakes up.
        if self.sites[site].clock.is_asleep() && self.dice.percent(50) {
            return;
        }
        self.call_ended(site, route, outcome);
    }
}

fn describe(request: &Request) -> String {
    let route = request.back.route;
    match &request.ask {
        Ask::Call(Call::Heartbeat(_, _, heartbeat)) => {
            let native = heartbeat.native.as_ref().map(|native| {
                (
                    native.incarnation.to_string(),
                    native.sequence,
                    native.answered,
                    native.acting,
                    native.epoch,
                )
            });
            format!("{route:?}: heartbeat, score {}, {native:?}", heartbeat.score)
        }
        Ask::Call(call) => format!("{route:?}: {call:?}"),
        Ask::Delete(group, session) => format!("{route:?}: delete {session} of {group}"),
    }
}
