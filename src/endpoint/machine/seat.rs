//! The seat: what a group's Primary holds, and what frees it (R3).

use std::net::SocketAddr;

use super::{
    Epoch, FailoverTimeout, Group, GroupChangeKind, GroupReason, Holder, Moment, SeatRecord, Uptime, Wall,
    Why, handover::Past, limit, records::Books, seconds,
};
use crate::domain::{LastAct, NativeHeartbeat};

/// A group's one seat.
#[derive(Debug, Clone, Default)]
pub(super) enum Seat {
    #[default]
    Free,
    Held(Box<Tenure>),
}

/// How one run of one member holds the seat.
#[derive(Debug, Clone)]
pub(super) struct Tenure {
    pub(super) holder: Holder,
    pub(super) epoch: Epoch,
    /// Not yet on disk: nobody may be answered Primary on it.
    pub(super) unrecorded: bool,
    pub(super) granted: Uptime,
    /// The same by the boot clock.
    pub(super) granted_at: Uptime,
    /// Since when it is held under its epoch, for whoever looks at the group; empty while that is not on disk.
    pub(super) since: Option<Wall>,
    /// Why it was granted.
    pub(super) cause: GroupReason,
    /// Why the seat was free until then: so it is again where the grant does not reach the disk.
    pub(super) before: Why,
    /// When this run of the endpoint last heard the holder, and not a run of it that was started since.
    pub(super) last_heard: Option<Moment>,
    /// When the holder first acted on it, by the boot clock; empty until it says that it acts.
    pub(super) first_act: Option<Uptime>,
    /// When an earlier run of the endpoint wrote it down; empty where this run granted it.
    pub(super) on_record: Option<Wall>,
    /// When that run was last there; empty where it is not known, or this run granted it.
    pub(super) vouched: Option<Past>,
    /// When its gate delivered last, by the boot clock; empty until it says so.
    pub(super) delivered: Option<Uptime>,
    /// When it stopped, by the boot clock, if it says that it did and no answer that it may yet hear lets it act
    /// again.
    pub(super) stopped: Option<Uptime>,
    /// The highest sequence in which it said that it acts; 0 before the first.
    pub(super) acting_sequence: u64,
    /// The sequence of the question that the grant was the answer to.
    pub(super) granted_sequence: u64,
    /// The highest sequence that was answered Primary by this run of the endpoint.
    ///
    /// Empty before the first, which no heartbeat can cover.
    pub(super) last_primary: Option<u64>,
    /// From when on the holder's word that it stopped is believed.
    ///
    /// A run of the endpoint does not know what the run before it heard, so a heartbeat that was long
    /// under way looks new to it. T after its start no permission of the run before is left; nor is any, before
    /// that, once a heartbeat proves that the holder has heard this run, and waits for no older answer.
    pub(super) believed_from: Uptime,
    /// T after the receipt of the last heartbeat that was answered Primary.
    pub(super) held_until: Uptime,
    /// The lease that `held_until` is computed with.
    pub(super) timeout: FailoverTimeout,
    /// Set once it was told to stop; it is never answered Primary again then.
    pub(super) told: Option<Told>,
    /// Whether it has scored above 1 while it acted, since it last did not act.
    pub(super) scored: bool,
    /// From when on it may have begun to act: its start takes time.
    pub(super) starting_since: Uptime,
    /// When it last said that it acts, or was granted the seat.
    pub(super) acted: Uptime,
}

/// How a holder was told to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// The connection a stock member was told on.
    pub(super) connection: Option<SocketAddr>,
    /// How many heartbeats of a stock member arrived on another connection since.
    pub(super) elsewhere: u32,
}

impl Seat {
    pub(super) fn holder(&self) -> Option<&Holder> {
        match self {
            Self::Free => None,
            Self::Held(tenure) => Some(&tenure.holder),
        }
    }

    pub(super) fn tenure(&self) -> Option<&Tenure> {
        match self {
            Self::Free => None,
            Self::Held(tenure) => Some(tenure),
        }
    }

    pub(super) fn tenure_mut(&mut self) -> Option<&mut Tenure> {
        match self {
            Self::Free => None,
            Self::Held(tenure) => Some(tenure),
        }
    }

    /// Who is Primary, as far as anybody was told so.
    pub(super) fn primary(&self, now: Moment) -> Option<&Holder> {
        let tenure = self.tenure()?;
        let holds = !tenure.unrecorded && tenure.stopped.is_none() && now.uptime < tenure.held_until;
        holds.then_some(&tenure.holder)
    }
}

impl Tenure {
    /// Whether `said`, which says that the holder does not act, proves that no answer which may still reach it lets
    /// it act again.
    ///
    /// A heartbeat that crossed the grant on its way says nothing. Either the holder has heard the last answer that
    /// it is Primary; or it has acted since it asked for that, and whoever stopped acts again only on the answer to a
    /// question that it asked after it had stopped (R5).
    pub(super) fn is_ended_by(&self, said: &NativeHeartbeat) -> bool {
        let heard = |last| said.answered >= last || self.acting_sequence >= last;
        // An endpoint that does not remember what it heard of a session takes an old heartbeat for a new one.
        self.last_primary.is_some_and(|last| said.sequence > last.max(self.acting_sequence) && heard(last))
    }

    /// Whether its holder has no permission to act on it, nor one on its way: this run of the endpoint granted it, and has
    /// never answered that it is Primary. Whoever waited for the grant was answered 503, because the commit was doubted,
    /// or had gone.
    ///
    /// What earlier runs of the endpoint or of the seat permitted was over when the free seat was granted. The exception is
    /// a member that acted already (R4), and it said so in the question that the grant was the answer to.
    pub(super) fn was_never_permitted(&self) -> bool {
        self.granted_sequence > 0 && self.last_primary.is_none() && self.acting_sequence == 0
    }

    /// When the seat is free, if nothing more is heard.
    pub(super) fn ends_at(&self) -> Uptime {
        let believed = self.stopped.map(|_| self.believed_from);
        believed.map_or(self.held_until, |believed| believed.min(self.held_until))
    }

    /// Why nobody acts although the seat is held, where its holder says that it stopped and is not believed yet.
    pub(super) fn why_empty(&self, now: Moment) -> Option<String> {
        let left = seconds(self.stopped.map(|_| self.ends_at())?.since(now.uptime));
        let session = &self.holder.session;
        Some(format!(
            "{session} says that it stopped; the endpoint has just begun, and believes that in {left} at most"
        ))
    }

    /// Whether it is too early to believe the holder that it stopped, as whoever takes over has to.
    pub(super) fn is_not_believed(&self, now: Moment) -> bool {
        self.holder.incarnation.is_some() && now.uptime < self.believed_from
    }
}

/// What an earlier run of the endpoint may have permitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inherited {
    /// No such permission lasts longer.
    pub(super) until: Uptime,
    /// The lease that this is computed with.
    pub(super) timeout: FailoverTimeout,
}

/// What a group leaves behind when it is deleted, and has at a start: its seat and its epoch.
#[derive(Debug, Clone, Default)]
pub struct Estate {
    pub(super) seat: Seat,
    pub(super) floor: Option<Epoch>,
    pub(super) renewing_until: Option<Uptime>,
    /// Empty where no run of the endpoint was before.
    pub(super) inherited: Option<Inherited>,
    pub(super) books: Books,
    /// Why the seat is held; empty where it is not.
    pub(super) why: Option<Why>,
}

impl Estate {
    /// What the store has of a seat when the endpoint begins to answer at `now`.
    ///
    /// Its holder may have been answered Primary until just before, so it holds the seat for T from
    /// now. `exact` says that the store is known to be the last word (the same boot, and a
    /// high-water mark that equals it); else only members that act already are renewed for `timeout`.
    #[must_use]
    pub fn restore(record: Option<SeatRecord>, timeout: FailoverTimeout, exact: bool, now: Moment) -> Self {
        let inherited_until = now.uptime + timeout.get();
        let renewing_until = (!exact).then_some(inherited_until);
        let inherited = Some(Inherited { until: inherited_until, timeout });
        let Some(record) = record else {
            return Self { renewing_until, inherited, ..Self::default() };
        };
        let seat = match (record.holder, record.epoch) {
            (Some(holder), Some(epoch)) => Seat::Held(Box::new(Tenure {
                holder,
                epoch,
                unrecorded: false,
                granted: now.uptime,
                granted_at: now.clock,
                since: Some(record.at),
                cause: GroupReason::ActsAlready,
                before: Why::new(GroupReason::NobodyWasPrimary, "nobody was Primary"),
                last_heard: None,
                first_act: Some(now.clock),
                on_record: Some(record.at),
                vouched: None,
                delivered: None,
                stopped: None,
                acting_sequence: 0,
                granted_sequence: 0,
                last_primary: None,
                believed_from: now.uptime + record.timeout.get(),
                held_until: now.uptime + record.timeout.get(),
                timeout: record.timeout,
                told: None,
                scored: false,
                starting_since: now.uptime,
                acted: now.uptime,
            })),
            _ => Seat::Free,
        };
        let why = seat.tenure().map(|tenure| Why::new(tenure.cause, record.reason));
        Self { seat, floor: record.epoch, renewing_until, inherited, books: Books::kept(record.epoch), why }
    }

    /// Whether a group that took this up now would wait for a Primary that acts already (R4).
    #[must_use]
    pub fn is_renewing(&self, now: Moment) -> bool {
        self.renewing_until.is_some_and(|until| now.uptime < until)
    }
}

impl Estate {
    /// Whether it says anything that a new group would not.
    #[must_use]
    pub fn matters(&self) -> bool {
        self.seat.tenure().is_some()
            || self.floor.is_some()
            || self.renewing_until.is_some()
            || self.books.is_open()
    }
}

impl Group {
    /// What stays of a deleted group: its seat is still held, its epoch still rises. The group itself waits for
    /// nobody any more. A grant that is not on disk is nobody's: whoever waited for it is not told of it.
    #[must_use]
    pub fn leave_estate(&mut self) -> Estate {
        let (renewing_until, inherited) = (self.renewing_until.take(), self.inherited);
        let granted = self.seat.tenure().is_some_and(|tenure| tenure.unrecorded);
        let seat = if granted { Seat::Free } else { self.seat.clone() };
        let why = seat.tenure().map(|_| self.why.clone());
        Estate { seat, floor: self.floor, renewing_until, inherited, books: self.books.left_behind(), why }
    }

    /// The longest lease that may be in force in a group that has just been given, or waits for a Primary that acts
    /// already: that Primary may do so by the T that the group had before.
    pub(super) fn longest_lease(&self) -> FailoverTimeout {
        let inherited = self.inherited.filter(|_| self.is_renewing());
        inherited.map_or(self.timeout(), |inherited| inherited.timeout.max(self.timeout()))
    }

    /// A group that was created anew with a larger T renews longer leases than its record says.
    pub(super) fn keep_longer_leases(&mut self) {
        let timeout = self.timeout();
        if let Some(tenure) = self.seat.tenure_mut()
            && timeout > tenure.timeout
        {
            tenure.timeout = timeout;
            self.books.write_now();
        }
    }

    pub(super) fn free(&mut self, now: Moment, why: Why) {
        let Seat::Held(tenure) = std::mem::take(&mut self.seat) else { return };
        // Whoever is chosen next has a gate of its own.
        self.forget_coverage();
        let session = tenure.holder.session;
        if why.reason.is_a_loss()
            && let Some(member) = self.members.get_mut(&session)
        {
            member.lost = Some(now.uptime);
            if why.reason != GroupReason::BetterScore {
                member.failed = Some(now.uptime);
            }
        }
        self.note(now, GroupChangeKind::SeatFreed, Some(session.clone()), why.clone());
        self.freed_by = Some(session);
        self.why = why;
        self.worse_since = None;
        self.books.write_soon(now);
    }

    /// Tells the holder, once and for all, to stop. The seat of one that could never begin is free at once.
    pub(super) fn tell(&mut self, now: Moment, connection: Option<SocketAddr>, why: Why) {
        let Some(tenure) = self.seat.tenure_mut().filter(|tenure| tenure.told.is_none()) else { return };
        if tenure.was_never_permitted() {
            return self.free(now, why);
        }
        tenure.told = Some(Told { connection, elsewhere: 0 });
        let session = tenure.holder.session.clone();
        self.why = why.clone();
        self.note(now, GroupChangeKind::ToldToStop, Some(session), why);
    }

    /// Lets deadlines be over that are.
    pub(super) fn pass(&mut self, now: Moment) {
        if self.renewing_until.is_some_and(|until| now.uptime >= until) {
            self.renewing_until = None;
        }
        self.tell_stalls(now);
        self.lapse_override(now);
        self.pass_seat(now);
        self.review(now);
    }

    /// The holder has stopped, as it says, and that is believed.
    pub(super) fn free_stopped(&mut self, now: Moment, stopped: Uptime) {
        let Some(tenure) = self.seat.tenure().cloned() else { return };
        let session = &tenure.holder.session;
        // Whoever acts says so within T/4, unless it stops before.
        if tenure.first_act.is_none() && now.uptime >= tenure.granted + tenure.timeout.get() / 2 {
            self.note_idle(now, session);
        }
        self.remember_former(&tenure, LastAct::Said, stopped);
        let why = if tenure.told.is_some() {
            self.why.clone()
        } else {
            self.why_stopped(now, session, now.clock.since(stopped))
        };
        self.free(now, why);
    }

    fn pass_seat(&mut self, now: Moment) {
        // While the record is on its way nobody was told, and the store may yet say that it is held.
        let over = |tenure: &&Tenure| now.uptime >= tenure.ends_at() && !tenure.unrecorded;
        let Some(tenure) = self.seat.tenure().filter(over) else { return };
        if let Some(stopped) = tenure.stopped {
            return self.free_stopped(now, stopped);
        }
        if self.is_kept_in_silence(now, tenure) {
            return;
        }
        let (session, limit) = (tenure.holder.session.clone(), limit(tenure.timeout.get()));
        let told = tenure.told.is_some();
        let member = self.members.get(&session);
        let holder = member.filter(|member| member.is(&tenure.holder));
        let began_anew = member.is_some() && holder.is_none();
        let idles = holder.and_then(|member| member.native.as_ref()).is_some_and(|native| !native.acting);
        let silent = tenure.last_heard.map(|heard| now.uptime.since(heard.uptime));
        let tenure = tenure.clone();
        match tenure.last_heard {
            Some(heard) => self.remember_former(&tenure, LastAct::LastHeartbeat, heard.clock),
            None => self.remember_vouched(&tenure),
        }
        let why = match silent {
            _ if told => {
                let sentence = format!(
                    "{}; {session} did not say that it stopped, but its {limit} are over",
                    self.why.sentence
                );
                Why::new(self.why.reason, sentence)
            }
            // It is heard, and its seat was not renewed, because it neither acts nor has heard that it may.
            Some(silent) if idles && silent < self.timeout().get() => {
                self.note_idle(now, &session);
                let sentence = format!(
                    "{session} is heard, but no answer has reached it in time for {limit}, and it does not act"
                );
                Why::new(GroupReason::NeverActed, sentence)
            }
            Some(silent) => {
                let silent = seconds(silent);
                let sentence = if began_anew {
                    format!(
                        "{session} began anew; no heartbeat from the run of it that was Primary for {silent} (limit {limit})"
                    )
                } else {
                    format!("no heartbeat from {session} for {silent} (limit {limit})")
                };
                Why::new(GroupReason::NoHeartbeat, sentence)
            }
            None => {
                let from = if began_anew {
                    format!("{session} began anew; no heartbeat from the run of it that was Primary")
                } else {
                    format!("no heartbeat from {session}")
                };
                let absence = self.after_absence();
                let sentence = format!("{from} since the endpoint began (limit {limit}){absence}");
                Why::new(GroupReason::NoHeartbeat, sentence)
            }
        };
        self.free(now, why);
    }
}
