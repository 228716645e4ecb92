//! Does what the machine decides: starts guards, tells them, listens to them, and says how the collector does.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    future::pending,
    io,
    path::PathBuf,
    time::Duration,
};

use tokio::{select, sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    leash::Leash,
    machine::{ANSWER_WAIT, Effect, Event, Machine, News},
    output,
    talk::Word,
};
use crate::{
    clock::{self, Alarm},
    domain::{AdapterState, CollectorSettings, Health, Order, Standing, Uptime},
    recorder::Recorder,
    service,
    store::Store,
};

/// How long the system may take to end what was killed.
const KILL_WAIT: Duration = Duration::from_secs(1);

/// How long the rows of a shutdown may take to be written.
const LAST_RECORDS_WAIT: Duration = Duration::from_secs(2);

/// Where the adapter is.
#[derive(Debug)]
pub struct Place {
    /// Its interface, as its collector finds it.
    pub url: String,
    /// A file in its data folder that the guard holds locked: a guard from before this process began, which has not
    /// yet killed its collector, keeps the next from being started.
    pub lock: PathBuf,
}

/// Protects one collector until it is told to stop.
#[derive(Debug)]
pub struct Collector {
    settings: CollectorSettings,
    place: Place,
    machine: Machine,
    recorder: Recorder,
    standing: watch::Receiver<Standing>,
    health: watch::Sender<Health>,
    alarm: Alarm,
    leash: Option<Leash>,
    /// What the present and earlier collectors write; a reader ends with the last that could write.
    outputs: JoinSet<()>,
    /// Whether it was said that there is no cgroup.
    said_no_cgroup: bool,
}

impl Collector {
    /// What a collector's [`Health`] is before anything was ordered.
    #[must_use]
    pub fn first_health() -> Health {
        Health { obeyed: 0, state: Some(AdapterState::Starting), ..Health::NOTHING_PROTECTED }
    }

    /// How long a collector may take to stop, whatever it or its guard does: the time that the settings give it,
    /// and that after which the agent does the work of a guard that does not answer.
    #[must_use]
    pub fn longest_stop(settings: &CollectorSettings) -> Duration {
        settings.stop_timeout + ANSWER_WAIT + KILL_WAIT
    }

    /// Prepares to protect a collector by the orders that follow from `standing`.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub fn new(
        settings: CollectorSettings,
        place: Place,
        store: Store,
        standing: watch::Receiver<Standing>,
        health: watch::Sender<Health>,
    ) -> io::Result<Self> {
        Ok(Self {
            machine: Machine::new(settings.clone()),
            settings,
            place,
            recorder: Recorder::start(store),
            standing,
            health,
            alarm: Alarm::new()?,
            leash: None,
            outputs: JoinSet::new(),
            said_no_cgroup: false,
        })
    }

    /// Works until `stop`, and then until the collector has ended and nobody gives orders any more: an order to
    /// stop acting is obeyed, and said to be, until there is nobody who could give one.
    ///
    /// # Errors
    /// When the system refuses a timer.
    pub async fn run(mut self, stop: CancellationToken) -> io::Result<()> {
        let mut ordered = true;
        while ordered || !self.machine.has_stopped() {
            let event = select! {
                biased;
                news = next(&mut self.leash) => Event::Guard(news?),
                changed = self.standing.changed(), if ordered => match changed {
                    Ok(()) => Event::Stands(Box::new(self.standing.borrow_and_update().clone())),
                    Err(_gone) => {
                        ordered = false;
                        Event::Stop
                    }
                },
                () = stop.cancelled(), if !self.machine.is_stopping() => Event::Stop,
                woken = wake(&mut self.alarm, self.machine.next_wake()) => {
                    woken?;
                    Event::Tick
                }
            };
            self.step(event);
        }
        if timeout(LAST_RECORDS_WAIT, self.recorder.written()).await.is_err() {
            tracing::error!("the last rows about the collector could not be written");
        }
        Ok(())
    }

    fn step(&mut self, event: Event) {
        match &event {
            Event::Guard(News::Ended(_) | News::NotStarted(_)) => self.leash = None,
            Event::Guard(News::Started(_)) => self.say_once_where_it_is_not_held(),
            Event::Guard(News::Heard)
            | Event::Stands(_)
            | Event::StartFailed(_)
            | Event::Tick
            | Event::Stop => {}
        }
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in self.machine.step(clock::now(), event) {
                events.extend(self.carry_out(effect));
            }
        }
        let health = self.machine.health(clock::now().uptime);
        self.health.send_if_modified(|old| std::mem::replace(old, health) != *old);
    }

    /// Does it, and gives what came of it at once, if anything did.
    fn carry_out(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Start { order, until } => return self.start(order, until).err(),
            Effect::Until(until) => self.tell(Word::Until(until)),
            Effect::Stop(by) => self.tell(Word::Stop(by)),
            Effect::Signal(signal) => self.tell(Word::Signal(signal)),
            Effect::Strike => {
                if let Some(leash) = &mut self.leash {
                    leash.strike();
                }
            }
            Effect::Record(row) => self.recorder.record(*row),
        }
        None
    }

    fn start(&mut self, order: Order, until: Option<Uptime>) -> Result<(), Event> {
        let environment = environment(&self.settings, &self.place.url, order, env::vars_os());
        let (leash, (out, err)) = Leash::start(&self.settings, &self.place.lock, environment)
            .map_err(|error| Event::StartFailed(format!("its guard cannot be: {error}")))?;
        if let Some(out) = out {
            self.outputs.spawn(output::log(out, "stdout"));
        }
        if let Some(err) = err {
            self.outputs.spawn(output::log(err, "stderr"));
        }
        leash.say(Word::Until(until));
        leash.say(Word::Start);
        self.leash = Some(leash);
        Ok(())
    }

    fn tell(&self, word: Word) {
        if let Some(leash) = &self.leash {
            leash.say(word);
        }
    }

    fn say_once_where_it_is_not_held(&mut self) {
        let held = self.leash.as_ref().is_some_and(Leash::has_cgroup);
        if !held && !std::mem::replace(&mut self.said_no_cgroup, true) {
            tracing::info!(
                "there is no cgroup v2 that this adapter may use: if the collector's guard were killed, processes \
                 that the collector forked could outlive it"
            );
        }
    }
}

/// What is heard of a guard, where there is one.
async fn next(leash: &mut Option<Leash>) -> io::Result<News> {
    match leash {
        Some(leash) => leash.next().await,
        None => pending().await,
    }
}

async fn wake(alarm: &mut Alarm, at: Option<Uptime>) -> io::Result<()> {
    match at {
        Some(at) => alarm.until(at).await,
        None => pending().await,
    }
}

/// Who one is, and where one lives: another's with another user.
const OWN_TO_A_USER: [&str; 3] = ["HOME", "USER", "LOGNAME"];

/// What the collector finds in its environment: what the adapter found in its own, then what the settings say, then
/// its order.
fn environment(
    settings: &CollectorSettings,
    url: &str,
    order: Order,
    own: impl IntoIterator<Item = (OsString, OsString)>,
) -> BTreeMap<OsString, OsString> {
    let mut environment: BTreeMap<_, _> = own.into_iter().collect();
    // A collector that knows the same service manager would speak in the adapter's name.
    environment.retain(|name, _| service::VARIABLES.iter().all(|own| name != own));
    if settings.user.is_some() {
        environment.retain(|name, _| OWN_TO_A_USER.iter().all(|own| name != own));
    }
    environment.extend(settings.env.iter().map(|(name, value)| (name.into(), value.into())));
    let mut say = |name: &str, value: &str| {
        environment.insert(name.into(), value.into());
    };
    say("CLIENT_FAILOVER_ROLE", order.role.as_str());
    say("CLIENT_FAILOVER_MODE", order.mode.as_str());
    say("CLIENT_FAILOVER_URL", url);
    match order.epoch.filter(|_| order.egress) {
        Some(epoch) => say("CLIENT_FAILOVER_EPOCH", &epoch.get().to_string()),
        // What somebody else may have said is not true.
        None => drop(environment.remove(OsStr::new("CLIENT_FAILOVER_EPOCH"))),
    }
    environment
}

#[cfg(test)]
mod tests {
    use crate::domain::{CollectorCommand, Epoch, Mode, OnOrder, Restarts, Role, StopSignal, Variables};

    use super::*;

    fn settings(user: Option<&str>, env: &[(&str, &str)]) -> CollectorSettings {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        CollectorSettings {
            command: CollectorCommand::new(vec!["true".to_owned()]).unwrap(),
            working_dir: None,
            user: user.map(str::to_owned),
            env: Variables::new(env).unwrap(),
            stop_signal: StopSignal::Term,
            stop_timeout: CollectorSettings::STOP_TIMEOUT,
            restarts: Restarts::default(),
            on_order: OnOrder::Restart,
            order_signal: None,
        }
    }

    fn found(settings: &CollectorSettings, order: Order, own: &[(&str, &str)]) -> String {
        let own = own.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let found = environment(settings, "http://127.0.0.1:5590", order, own);
        let said = |(name, value): (&OsString, &OsString)| format!("{}={}", name.display(), value.display());
        found.iter().map(said).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_order_is_stronger_than_the_settings_and_these_than_the_adapters_own() {
        let acting = Order {
            egress: true,
            role: Role::Primary,
            mode: Mode::Warm,
            epoch: Epoch::new(7),
            ..Order::default()
        };
        let own = [
            ("A", "own"),
            ("B", "own"),
            ("HOME", "/root"),
            ("CLIENT_FAILOVER_EPOCH", "3"),
            ("NOTIFY_SOCKET", "/run/systemd/notify"),
            ("WATCHDOG_PID", "1"),
        ];
        let env = [("B", "set"), ("CLIENT_FAILOVER_ROLE", "set")];
        assert_eq!(
            found(&settings(None, &env), acting, &own),
            "A=own B=set CLIENT_FAILOVER_EPOCH=7 CLIENT_FAILOVER_MODE=Warm CLIENT_FAILOVER_ROLE=Primary \
             CLIENT_FAILOVER_URL=http://127.0.0.1:5590 HOME=/root"
        );
        let standby = Order { egress: false, role: Role::Secondary, ..acting };
        assert_eq!(
            found(&settings(Some("nobody"), &[]), standby, &own),
            "A=own B=own CLIENT_FAILOVER_MODE=Warm CLIENT_FAILOVER_ROLE=Secondary \
             CLIENT_FAILOVER_URL=http://127.0.0.1:5590"
        );
    }
}
