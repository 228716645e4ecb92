//! True time, and what a machine's clocks make of it.

use std::time::Duration;

use client_failover::domain::{BootId, Now, Uptime, Wall};

/// True time since the schedule began, in microseconds. No machine knows it.
pub(crate) type Instant = u64;

/// A span of true time in microseconds.
pub(crate) type Span = u64;

/// A second of true time.
pub(crate) const SECOND: Span = 1_000_000;

/// A millisecond of true time.
pub(crate) const MILLISECOND: Span = 1_000;

/// How far from true a clock may run, in parts of a million.
pub(crate) const DRIFT: u64 = 50_000;

/// A million parts: the rate of a true clock.
pub(crate) const TRUE_RATE: u64 = 1_000_000;

/// 2024-01-01T00:00:00Z, so that epochs have the size they have in life.
const BEGINNING_US: i64 = 1_704_067_200_000_000;

/// A day in microseconds of wall time.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// The clocks of one machine: the boot clock at a rate of its own, which counts suspend and nobody can
/// set, and the wall clock, which somebody can.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    machine: usize,
    boot: u32,
    booted: Instant,
    uptime_then: u64,
    rate: u64,
    pub(crate) wall_offset: i64,
    /// While it sleeps: since when.
    asleep_since: Option<Instant>,
    /// How long it has slept since the boot, up to when it last woke up.
    slept: Span,
}

impl Clock {
    pub(crate) const fn new(machine: usize, rate: u64, uptime: u64) -> Self {
        Self {
            machine,
            boot: 1,
            booted: 0,
            uptime_then: uptime,
            rate,
            wall_offset: 0,
            asleep_since: None,
            slept: 0,
        }
    }

    /// When the machine was booted.
    pub(crate) const fn booted(&self) -> Instant {
        self.booted
    }

    /// What `CLOCK_BOOTTIME` shows.
    pub(crate) fn uptime(&self, at: Instant) -> Uptime {
        let counted = at - self.booted;
        let micros = u128::from(counted) * u128::from(self.rate) / u128::from(TRUE_RATE);
        Uptime::new(Duration::from_micros(self.uptime_then + u64::try_from(micros).unwrap_or(u64::MAX)))
    }

    pub(crate) fn now(&self, at: Instant) -> Now {
        let wall = BEGINNING_US + i64::try_from(at).unwrap_or(i64::MAX) + self.wall_offset;
        Now { uptime: self.uptime(at), wall: Wall::from_micros(wall) }
    }

    /// The first instant at which the boot clock shows `uptime`.
    pub(crate) fn when(&self, uptime: Uptime) -> Instant {
        let nanos = uptime.since_boot().as_nanos();
        let micros = u64::try_from(nanos.div_ceil(1_000)).unwrap_or(u64::MAX);
        self.booted.saturating_add(self.true_span_of(micros.saturating_sub(self.uptime_then)))
    }

    /// How long `span` of this machine's time takes.
    pub(crate) fn true_span(&self, span: Duration) -> Span {
        self.true_span_of(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
    }

    fn true_span_of(&self, micros: u64) -> Span {
        let span = (u128::from(micros) * u128::from(TRUE_RATE)).div_ceil(u128::from(self.rate));
        u64::try_from(span).unwrap_or(u64::MAX)
    }

    pub(crate) fn boot_id(&self) -> BootId {
        BootId::new(&format!("machine-{}-boot-{}", self.machine, self.boot))
    }

    pub(crate) const fn reboot(&mut self, at: Instant, uptime: u64) {
        self.boot += 1;
        self.booted = at;
        self.uptime_then = uptime;
        self.asleep_since = None;
        self.slept = 0;
    }

    pub(crate) const fn is_asleep(&self) -> bool {
        self.asleep_since.is_some()
    }

    /// How much of true time the machine has not slept. Time-outs of calls are on a clock that counts this.
    pub(crate) const fn awake(&self, at: Instant) -> Span {
        at - self.slept
    }

    pub(crate) const fn fall_asleep(&mut self, at: Instant) {
        self.asleep_since = Some(at);
    }

    pub(crate) fn wake_up(&mut self, at: Instant) {
        if let Some(since) = self.asleep_since.take() {
            self.slept += at - since;
        }
    }
}
