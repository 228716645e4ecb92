//! Lines that repeat: a disk that is full for a night must not fill it further with its own complaints.
//!
//! Each place in the source may write 50 warnings or errors at once and one a second after that. What is passed
//! over is counted, and once a minute one line says where and how many. What tells of ordinary work (`info`)
//! is not touched.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use tracing::{Event, Level, Metadata, Subscriber, callsite::Identifier};
use tracing_subscriber::{Layer, layer::Context};

use crate::{
    clock::{self, Alarm},
    domain::Uptime,
};

/// Lines of one place at once.
const BURST: u32 = 50;

/// The time after which one more may be written.
const EVERY: Duration = Duration::from_secs(1);

/// How often what was passed over is told.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Who tells what was passed over; it is never passed over itself.
const TELLER: &str = "client_failover::telemetry::repeats";

/// Which lines were written, and which were not. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Repeats(Arc<Mutex<HashMap<Identifier, Place>>>);

/// One place in the source that writes lines.
#[derive(Debug)]
struct Place {
    metadata: &'static Metadata<'static>,
    /// When as many lines as ever may be written at once.
    rested: Uptime,
    passed_over: u64,
}

impl Place {
    fn may_write(&mut self, now: Uptime) -> bool {
        let may = now >= self.rested - EVERY * (BURST - 1);
        if may {
            self.rested = self.rested.max(now) + EVERY;
        } else {
            self.passed_over += 1;
        }
        may
    }
}

impl Repeats {
    fn may_write(&self, metadata: &'static Metadata<'static>, now: Uptime) -> bool {
        if *metadata.level() > Level::WARN || metadata.target() == TELLER {
            return true;
        }
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Place { metadata, rested: Uptime::default(), passed_over: 0 };
        places.entry(metadata.callsite()).or_insert(new).may_write(now)
    }

    /// What was passed over since this was last asked: where, and how many.
    fn take_passed_over(&self) -> Vec<(&'static Metadata<'static>, u64)> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = places.values_mut().filter(|place| place.passed_over > 0);
        passed.map(|place| (place.metadata, std::mem::take(&mut place.passed_over))).collect()
    }

    /// Tells what was passed over, once a minute, until `stop`.
    ///
    /// # Errors
    /// When the kernel refuses a timer.
    pub async fn tell(self, stop: CancellationToken) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        loop {
            let over = tokio::select! {
                () = stop.cancelled() => true,
                waited = alarm.after(TELL_EVERY) => { waited?; false }
            };
            for (place, lines) in self.take_passed_over() {
                let (file, line) = (place.file(), place.line());
                tracing::warn!(
                    lines,
                    file,
                    line,
                    of = place.target(),
                    "lines like others before were not written"
                );
            }
            if over {
                return Ok(());
            }
        }
    }
}

/// As a layer over all others, not as the filter of one: a line that such a filter passes over at the last
/// moment takes another line with it (tracing-subscriber 0.3).
impl<S: Subscriber> Layer<S> for Repeats {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        self.may_write(event.metadata(), clock::now().uptime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_writes_fifty_lines_at_once_and_one_a_second_after_that() {
        let mut place = Place { metadata: metadata(), rested: Uptime::default(), passed_over: 0 };
        let at = |millis| Uptime::new(Duration::from_secs(1_000) + Duration::from_millis(millis));
        let written = |place: &mut Place, from: u64, to: u64| {
            (from..to).step_by(10).filter(|millis| place.may_write(at(*millis))).count()
        };
        assert_eq!(written(&mut place, 0, 1_000), 50);
        assert_eq!(place.passed_over, 50);
        assert_eq!(written(&mut place, 1_000, 11_000), 10);
        assert_eq!(written(&mut place, 100_000, 101_000), 50, "who was quiet may say as much again");
    }

    #[test]
    fn what_is_passed_over_is_counted_until_it_is_told() {
        let repeats = Repeats::default();
        for _ in 0..60 {
            repeats.may_write(metadata(), Uptime::default());
        }
        let told: Vec<u64> = repeats.take_passed_over().into_iter().map(|(_, lines)| lines).collect();
        assert_eq!(told, [10]);
        assert!(repeats.take_passed_over().is_empty());
    }

    /// Counts the lines of each level.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<Level>>>);

    impl<S: Subscriber> Layer<S> for Written {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(*event.metadata().level());
        }
    }

    #[test]
    fn a_line_that_is_passed_over_takes_no_other_with_it() {
        use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt};
        let written = Written::default();
        let subscriber = tracing_subscriber::registry()
            .with(written.clone())
            .with(LevelFilter::INFO)
            .with(Repeats::default());
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..60 {
                tracing::warn!("it goes on");
                tracing::debug!("which nobody wants to know");
                tracing::info!("and work, too");
            }
        });
        let written = written.0.lock().unwrap();
        let of = |level: Level| written.iter().filter(|other| **other == level).count();
        assert_eq!((of(Level::WARN), of(Level::INFO), of(Level::DEBUG)), (50, 60, 0));
    }

    fn metadata() -> &'static Metadata<'static> {
        use tracing::Callsite;
        static PLACE: tracing::callsite::DefaultCallsite = {
            static OF: Metadata<'static> = tracing::metadata! {
                name: "test", target: "test", level: Level::WARN, fields: &[], callsite: &PLACE, kind: tracing::metadata::Kind::EVENT,
            };
            tracing::callsite::DefaultCallsite::new(&OF)
        };
        PLACE.metadata()
    }
}
