//! Lines that repeat: a disk that is full for a night must not fill it further with its own complaints.
//!
//! Each place in the source may write 50 warnings or errors at once and one a second after that; half of that about one
//! source (`from`), so that who is refused again and again hides nobody else. What is passed
//! over is counted, and once a minute one line says where and how many. What tells of ordinary work (`info`)
//! is not touched.

use std::{
    collections::HashMap,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use tracing::{
    Event, Level, Metadata, Subscriber,
    callsite::Identifier,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use crate::{
    clock::{self, Alarm},
    domain::{Uptime, network},
};

/// Lines of one place at once, and of one place about one source.
const BURST: u32 = 50;
const BURST_OF_A_SOURCE: u32 = BURST / 2;

/// The time after which one more may be written.
const EVERY: Duration = Duration::from_secs(1);
const EVERY_OF_A_SOURCE: Duration = Duration::from_secs(2);

/// Sources of one place that are told apart; of others, its own rate is the only one.
const SOURCES: usize = 1_024;

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
    /// The same for those about each source.
    sources: HashMap<IpAddr, Uptime>,
    passed_over: u64,
}

impl Place {
    fn new(metadata: &'static Metadata<'static>) -> Self {
        Self { metadata, rested: Uptime::default(), sources: HashMap::new(), passed_over: 0 }
    }

    /// Whether a line about `from`, or about nobody, may be written.
    fn may_write(&mut self, from: Option<IpAddr>, now: Uptime) -> bool {
        let source = from.map(network).filter(|source| self.tells_apart(source, now));
        let of_source = source.and_then(|source| self.sources.get(&source)).copied().unwrap_or_default();
        let may = now >= self.rested - EVERY * (BURST - 1)
            && now >= of_source - EVERY_OF_A_SOURCE * (BURST_OF_A_SOURCE - 1);
        if may {
            self.rested = self.rested.max(now) + EVERY;
            if let Some(source) = source {
                self.sources.insert(source, of_source.max(now) + EVERY_OF_A_SOURCE);
            }
        } else {
            self.passed_over += 1;
        }
        may
    }

    fn tells_apart(&mut self, source: &IpAddr, now: Uptime) -> bool {
        if self.sources.len() >= SOURCES && !self.sources.contains_key(source) {
            self.sources.retain(|_, rested| *rested > now);
        }
        self.sources.len() < SOURCES || self.sources.contains_key(source)
    }
}

/// Whom a line is about: the address in its field `from`, if it has one.
#[derive(Debug, Default)]
struct About(Option<IpAddr>);

impl Visit for About {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "from" {
            let text = format!("{value:?}");
            let with_port = text.parse::<SocketAddr>().ok().map(|address| address.ip());
            self.0 = with_port.or_else(|| text.parse().ok());
        }
    }
}

impl Repeats {
    fn may_write(&self, metadata: &'static Metadata<'static>, from: Option<IpAddr>, now: Uptime) -> bool {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.entry(metadata.callsite()).or_insert_with(|| Place::new(metadata)).may_write(from, now)
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
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN || metadata.target() == TELLER {
            return true;
        }
        let mut about = About::default();
        event.record(&mut about);
        self.may_write(metadata, about.0, clock::now().uptime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_writes_fifty_lines_at_once_and_one_a_second_after_that() {
        let mut place = Place::new(metadata());
        let at = |millis| Uptime::new(Duration::from_secs(1_000) + Duration::from_millis(millis));
        let written = |place: &mut Place, from: u64, to: u64| {
            (from..to).step_by(10).filter(|millis| place.may_write(None, at(*millis))).count()
        };
        assert_eq!(written(&mut place, 0, 1_000), 50);
        assert_eq!(place.passed_over, 50);
        assert_eq!(written(&mut place, 1_000, 11_000), 10);
        assert_eq!(written(&mut place, 100_000, 101_000), 50, "who was quiet may say as much again");
    }

    #[test]
    fn who_causes_lines_without_end_hides_nobody_else() {
        let mut place = Place::new(metadata());
        let source = |last| Some(IpAddr::from([10, 0, 0, last]));
        let at = |seconds: u64| Uptime::new(Duration::from_secs(1_000 + seconds));
        for second in 0..1_000 {
            for _ in 0..100 {
                place.may_write(source(1), at(second));
            }
            assert!(second % 10 > 0 || place.may_write(source(2), at(second)), "{second}");
        }
        let all: usize = (0..=255).filter(|last| place.may_write(source(*last), at(2_000))).count();
        assert_eq!(all, 50, "all of them together are bounded, too");
    }

    #[test]
    fn the_source_of_a_line_is_its_field_from_with_or_without_a_port() {
        use tracing_subscriber::layer::SubscriberExt;
        #[derive(Clone, Default)]
        struct Seen(Arc<Mutex<Vec<Option<IpAddr>>>>);
        impl<S: Subscriber> Layer<S> for Seen {
            fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
                let mut about = About::default();
                event.record(&mut about);
                self.0.lock().unwrap().push(about.0);
            }
        }
        let (seen, here) = (Seen::default(), IpAddr::from([10, 0, 0, 1]));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(seen.clone()), || {
            tracing::warn!(from = %here, "an address");
            tracing::warn!(from = %SocketAddr::from((here, 80)), "a connection");
            tracing::warn!(to = %here, "another field");
        });
        assert_eq!(*seen.0.lock().unwrap(), [Some(here), Some(here), None]);
    }

    #[test]
    fn what_is_passed_over_is_counted_until_it_is_told() {
        let repeats = Repeats::default();
        for _ in 0..60 {
            repeats.may_write(metadata(), None, Uptime::default());
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
