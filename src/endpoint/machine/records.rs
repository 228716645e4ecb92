//! What is handed to the store, and what holds until its answer is known.

use std::time::Duration;

use super::{
    Epoch, Group, GroupChange, GroupChangeKind, GroupReason, Moment, SeatRecord, Uptime, Why, seat::Seat,
};

/// What is to be written down in one transaction, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The seat.
    pub seat: SeatRecord,
    /// The promotion, if there is one: it has happened once this is on disk.
    pub promotion: Option<GroupChange>,
}

/// How long a free seat may wait for a promotion to be written with.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What is on its way to the store.
#[derive(Debug, Clone, Default)]
pub(super) struct Books {
    /// Since when the seat has differed from what the store was last handed; empty where that may not
    /// wait. Nothing differs where the outer is empty.
    differs: Option<Option<Uptime>>,
    /// What the store was handed and has not answered yet.
    in_flight: Option<SeatRecord>,
    /// The store did not say yes: nobody knows what it holds until it was read back.
    pub(super) doubt: bool,
    /// The highest epoch that is on disk. No member is told a higher one: after a crash it would
    /// look as if the store had been set back.
    pub(super) epoch: Option<Epoch>,
    /// Whether the floor rose for something else than a promotion, and is not on disk yet.
    owes_floor: bool,
}

impl Books {
    /// The books of a group whose seat is on disk with `epoch`.
    pub(super) const fn kept(epoch: Option<Epoch>) -> Self {
        Self { differs: None, in_flight: None, doubt: false, epoch, owes_floor: false }
    }

    /// The books of a deleted group: nobody waits for its last record, and what is not known to be on disk is written
    /// with the next group of its key.
    pub(super) fn left_behind(&self) -> Self {
        let differs = self.is_open().then_some(None);
        Self { differs, owes_floor: self.owes_floor, ..Self::kept(self.epoch) }
    }

    /// The seat differs from what is on disk, and that is to be written at once.
    pub(super) const fn write_now(&mut self) {
        self.differs = Some(None);
    }

    /// The epoch rises without a promotion: that is kept, whatever else fails.
    pub(super) const fn write_floor(&mut self) {
        self.owes_floor = true;
        self.write_now();
    }

    /// The seat is free, which may be written with the next promotion: until then the store says that it
    /// is held, which after a crash costs time but is never wrong.
    pub(super) fn write_soon(&mut self, now: Moment) {
        self.differs = self.differs.or(Some(Some(now.uptime)));
    }

    /// When what may wait has waited long enough.
    pub(super) fn due(&self) -> Option<Uptime> {
        self.differs.flatten().map(|since| since + LONGEST_WAIT)
    }

    /// Whether anything is not known to be on disk.
    pub(super) const fn is_open(&self) -> bool {
        self.differs.is_some() || self.in_flight.is_some()
    }

    pub(super) const fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }
}

impl Group {
    /// What is to be written down now, if anything. One record at a time.
    pub fn take_record(&mut self, now: Moment) -> Option<Record> {
        let waits = self.books.due().is_some_and(|due| now.uptime < due);
        if self.books.differs.is_none() || waits || self.books.is_in_flight() {
            return None;
        }
        let seat = self.record(now);
        let promoted = self.seat.tenure().filter(|tenure| tenure.unrecorded);
        let promotion = promoted.map(|tenure| {
            let session = tenure.holder.session.clone();
            self.change(now, GroupChangeKind::Promoted, Some(session), self.why.clone())
        });
        self.books.differs = None;
        self.books.in_flight = Some(seat.clone());
        Some(Record { seat, promotion })
    }

    /// Whether a record was taken, and it is not known yet whether it is on disk.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        self.books.is_in_flight()
    }

    /// Whether the store did not say yes to that, and was not read back yet.
    #[must_use]
    pub const fn is_in_doubt(&self) -> bool {
        self.books.doubt
    }

    /// Whether the store knows how the seat stands.
    #[must_use]
    pub const fn is_recorded(&self) -> bool {
        !self.books.is_open()
    }

    /// What could wait is to be written now: the endpoint stops.
    pub fn hurry(&mut self) {
        if self.books.differs.is_some() {
            self.books.write_now();
        }
    }

    fn record(&self, now: Moment) -> SeatRecord {
        SeatRecord {
            holder: self.seat.holder().cloned(),
            epoch: self.floor,
            timeout: self.seat.tenure().map_or_else(|| self.longest_lease(), |tenure| tenure.timeout),
            reason: self.why.sentence.clone(),
            at: now.wall,
        }
    }

    /// The store said yes to the record that was taken: what it says happens now.
    pub fn recorded(&mut self, now: Moment) {
        self.books.doubt = false;
        let Some(record) = self.books.in_flight.take() else { return };
        self.books.epoch = record.epoch;
        self.books.owes_floor &= record.epoch < self.floor;
        let Seat::Held(tenure) = &mut self.seat else { return };
        if tenure.unrecorded
            && record.holder.as_ref() == Some(&tenure.holder)
            && record.epoch == Some(tenure.epoch)
        {
            tenure.unrecorded = false;
            tenure.since = Some(record.at);
            (tenure.granted, tenure.granted_at, tenure.acted) = (now.uptime, now.clock, now.uptime);
            tenure.starting_since = now.uptime;
            if tenure.cause.is_trouble() {
                self.promotions.push(tenure.granted);
            }
            if Some(tenure.epoch) < self.floor {
                // Nobody was told of it yet, and it would act under an epoch that is not the highest.
                let sentence = "a member knows a higher epoch: the store was set back";
                self.free(now, Why::new(GroupReason::StoreSetBack, sentence));
            }
        }
    }

    /// The store said no, or nothing: until it was read back, the group is not answered.
    pub fn doubt(&mut self) {
        self.books.doubt = true;
    }

    /// What the store holds, after a doubt; whether the record that was taken is on disk after all.
    pub fn read_back(&mut self, now: Moment, stored: Option<&SeatRecord>) -> bool {
        if self.books.in_flight.as_ref() == stored {
            self.recorded(now);
            return true;
        }
        self.books.doubt = false;
        self.books.in_flight = None;
        // The grant did not reach the disk, and nobody was told of it.
        if let Some(tenure) = self.seat.tenure().filter(|tenure| tenure.unrecorded) {
            self.why = tenure.before.clone();
            self.seat = Seat::Free;
        }
        // A floor that rose for a promotion that failed need not be kept; any other must.
        let holder = stored.and_then(|stored| stored.holder.as_ref());
        let epoch = stored.and_then(|stored| stored.epoch);
        // So must a longer lease: its holder may be answered by it already.
        let shorter =
            stored.zip(self.seat.tenure()).is_some_and(|(stored, tenure)| stored.timeout < tenure.timeout);
        let lower = self.books.owes_floor && epoch < self.floor;
        let differs = holder != self.seat.holder() || shorter || lower;
        self.books.differs = differs.then_some(None);
        false
    }

    /// Whether the group still waits for a Primary that acts already (R4).
    #[must_use]
    pub const fn is_renewing(&self) -> bool {
        self.renewing_until.is_some()
    }
}
