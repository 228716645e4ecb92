//! The only place that asks for the time, or waits for it.
//!
//! Promises: uptime counts suspend (`CLOCK_BOOTTIME`), and so does an [`Alarm`] (a timerfd on that
//! clock); Rust's `Instant` and tokio's timers do neither. It imports only `domain`.
//!
//! Does not promise: that wall time moves forward.

use std::{
    fs, io,
    os::fd::OwnedFd,
    time::{Duration, SystemTime},
};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::domain::{BootId, Now, Uptime, Wall};

/// The present moment.
#[must_use]
pub fn now() -> Now {
    Now { uptime: uptime(), wall: wall() }
}

/// The present moment, for whoever only decides by it.
#[must_use]
pub fn uptime() -> Uptime {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Uptime::new(Duration::new(seconds, nanos))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
fn wall() -> Wall {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Wall::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}

/// Which boot of this machine it is.
///
/// # Errors
/// When the kernel does not say (`/proc` is not mounted).
pub fn boot_id() -> io::Result<BootId> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| BootId::new(&id))
}

/// Waits for a moment of uptime. One waiter at a time.
#[derive(Debug)]
pub struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    /// A new alarm, not set.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    #[expect(
        deprecated,
        reason = "its successor is unsafe; an OwnedFd stays open as long as the AsyncFd that owns it"
    )]
    pub fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        AsyncFd::with_interest(timer, Interest::READABLE).map(Self)
    }

    /// Returns as soon as uptime is `at` or later; dropping the wait is harmless.
    ///
    /// # Errors
    /// When the kernel refuses to set the timer.
    pub async fn until(&mut self, at: Uptime) -> io::Result<()> {
        while uptime() < at {
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::ABSTIME, &once(at))?;
            let mut ready = self.0.readable().await?;
            let mut expirations = [0_u8; 8];
            // Nothing to read means that the readiness was left over from an earlier setting.
            if ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut expirations)?)).is_err() {
                continue;
            }
        }
        Ok(())
    }

    /// Returns after `wait`.
    ///
    /// # Errors
    /// As [`Alarm::until`].
    pub async fn after(&mut self, wait: Duration) -> io::Result<()> {
        self.until(uptime() + wait).await
    }
}

fn once(at: Uptime) -> Itimerspec {
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    let at = at.since_boot();
    Itimerspec {
        it_interval: never,
        it_value: Timespec {
            tv_sec: i64::try_from(at.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(at.subsec_nanos()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_is_never_early() -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        for millis in [0, 1, 20, 3] {
            let at = now().uptime + Duration::from_millis(millis);
            alarm.until(at).await?;
            assert!(now().uptime >= at);
        }
        alarm.until(Uptime::default()).await
    }

    #[test]
    fn the_boot_has_an_id() -> io::Result<()> {
        assert_eq!(boot_id()?.as_str().len(), 36);
        assert_eq!(boot_id()?, boot_id()?);
        Ok(())
    }
}
