//! Keeps the components, looks at the probes, writes history, publishes the health.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    select,
    sync::{Notify, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    machine::{Change, Machine, ReportError},
    probe::Prober,
};
use crate::{
    clock::{self, Alarm},
    domain::{
        ComponentId, ComponentView, Health, Order, Probe, Report, Standing, Transition, TransitionKind,
    },
    recorder::Recorder,
    store::Store,
    tls::Authorities,
};

/// How long the last rows may take to be written.
const LAST_RECORDS_WAIT: Duration = Duration::from_secs(1);

/// A handle to what is reported. Clones share it.
#[derive(Debug, Clone)]
pub struct Reports {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    machine: Mutex<Machine>,
    /// Something was reported: the health may be another, and so may the next deadline.
    reported: Notify,
    probes: Vec<Probe>,
    obeyers: Obeyers,
    authorities: Authorities,
    health: watch::Sender<Health>,
    connected: watch::Sender<bool>,
}

/// What those say who obey the order.
#[derive(Debug, Clone)]
pub struct Obeyers {
    /// The collector's supervisor.
    pub collector: watch::Receiver<Health>,
    /// The egress gate.
    pub gate: watch::Receiver<Health>,
    /// The highest order that the operator's hook was told to its end.
    pub told: watch::Receiver<u64>,
}

impl Obeyers {
    fn heard(&mut self) -> Health {
        let collector = self.collector.borrow_and_update().clone();
        let mut health = collector.and(self.gate.borrow_and_update().clone());
        health.obeyed = health.obeyed.min(*self.told.borrow_and_update());
        health
    }
}

impl Reports {
    /// Nothing is reported yet, and nothing was seen of `probes`, which trust `authorities` beside the system's.
    #[must_use]
    pub fn new(probes: Vec<Probe>, mut obeyers: Obeyers, authorities: Authorities) -> Self {
        let machine = Machine::new(&probes);
        let health = watch::Sender::new(machine.health(&obeyers.heard()));
        let connected = watch::Sender::new(machine.is_connected());
        let (machine, reported) = (Mutex::new(machine), Notify::new());
        Self {
            shared: Arc::new(Shared { machine, reported, probes, obeyers, authorities, health, connected }),
        }
    }

    /// How the adapter does, now and later.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.shared.health.subscribe()
    }

    /// Whether every part of the source is connected that components and probes tell of. Each time that one is not is
    /// seen, however short it is.
    #[must_use]
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.shared.connected.subscribe()
    }

    /// A component reports, for the first time or again.
    ///
    /// # Errors
    /// When its Id is a probe's, or there are too many.
    pub fn report(&self, id: ComponentId, report: Report) -> Result<(), ReportError> {
        self.tell(|machine| machine.report(clock::now(), id, report))
    }

    /// A component is gone.
    ///
    /// # Errors
    /// When it was not there, or is a probe.
    pub fn delete(&self, id: &ComponentId) -> Result<(), ReportError> {
        self.tell(|machine| machine.delete(clock::now(), id))
    }

    /// All components and what they count as now, by their Ids.
    #[must_use]
    pub fn views(&self) -> Vec<ComponentView> {
        let mut machine = self.machine();
        machine.settle(clock::now());
        machine.views().collect()
    }

    /// One of them.
    #[must_use]
    pub fn view(&self, id: &ComponentId) -> Option<ComponentView> {
        let mut machine = self.machine();
        machine.settle(clock::now());
        machine.view(id)
    }

    /// Works until `stop`, and then on until the registration, whose `standing` says whether the collector is
    /// to run, has ended: it stops by what is published here.
    ///
    /// # Errors
    /// When the system refuses a timer, or TLS cannot be prepared.
    pub async fn run(
        self,
        store: Store,
        mut standing: watch::Receiver<Standing>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let mut alarm = Alarm::new()?;
        let mut look = Looking::new(self.clone())?;
        let recorder = Recorder::start(store);
        let mut obeyers = self.shared.obeyers.clone();
        let (mut registered, mut supervised, mut gated, mut hooked) = (true, true, true, true);
        while registered || !stop.is_cancelled() {
            let stood = standing.borrow_and_update().clone();
            let said = obeyers.heard();
            let now = clock::now();
            let order = Order::told(&stood, now.uptime);
            look.follow(order.started);
            let (changes, health, deadline) = {
                let mut machine = self.machine();
                machine.order(now, order.started);
                self.say_connected(&machine);
                (machine.take_changes(), machine.health(&said), machine.next_wake())
            };
            self.shared.health.send_if_modified(|published| {
                let other = *published != health;
                *published = health;
                other
            });
            for change in changes {
                let Change { at, reason, explanation } = change;
                let kind = TransitionKind::Component;
                recorder.record(Transition {
                    at,
                    ..Transition::observed(&stood, now, kind, reason, explanation)
                });
            }
            let ends = Order::told_until(&stood).filter(|end| *end > now.uptime);
            let wake = deadline.into_iter().chain(ends).min();
            select! {
                () = stop.cancelled(), if !registered => {}
                () = self.shared.reported.notified() => {}
                changed = standing.changed(), if registered => registered = changed.is_ok(),
                changed = obeyers.collector.changed(), if supervised => supervised = changed.is_ok(),
                changed = obeyers.gate.changed(), if gated => gated = changed.is_ok(),
                changed = obeyers.told.changed(), if hooked => hooked = changed.is_ok(),
                woken = alarm.until(wake.unwrap_or_default()), if wake.is_some() => woken?,
            }
        }
        if timeout(LAST_RECORDS_WAIT, recorder.written()).await.is_err() {
            tracing::error!("the last rows about components could not be written");
        }
        Ok(())
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        // A machine whose holder panicked is whole between its methods; better old than gone.
        self.shared.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn probed(&self, id: &ComponentId, outcome: Result<(), String>) {
        self.tell(|machine| machine.probed(clock::now(), id, outcome));
    }

    /// Tells the machine something; what follows from it is published soon, and that something is missed at once.
    fn tell<T>(&self, what: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machine = self.machine();
        let told = what(&mut machine);
        self.say_connected(&machine);
        self.shared.reported.notify_one();
        told
    }

    fn say_connected(&self, machine: &Machine) {
        let connected = machine.is_connected();
        self.shared.connected.send_if_modified(|said| std::mem::replace(said, connected) != connected);
    }
}

/// Looks at each probe at its interval, while the collector is to run.
struct Looking {
    reports: Reports,
    prober: Prober,
    /// Dropping it ends each look, and kills its command.
    looks: JoinSet<()>,
}

impl Looking {
    fn new(reports: Reports) -> io::Result<Self> {
        let prober = Prober::new(&reports.shared.authorities, &reports.shared.probes);
        let prober = prober.map_err(io::Error::other)?;
        Ok(Self { reports, prober, looks: JoinSet::new() })
    }

    fn follow(&mut self, started: bool) {
        if !started {
            self.looks = JoinSet::new();
        } else if self.looks.is_empty() {
            for probe in &self.reports.shared.probes {
                self.looks.spawn(look_again(self.reports.clone(), self.prober.clone(), probe.clone()));
            }
        }
    }
}

async fn look_again(reports: Reports, prober: Prober, probe: Probe) {
    let mut alarm = match Alarm::new() {
        Ok(alarm) => alarm,
        Err(error) => return reports.probed(&probe.id, Err(format!("no timer can be had: {error}"))),
    };
    loop {
        let next = clock::now().uptime + probe.interval;
        reports.probed(&probe.id, prober.look(&probe).await);
        if let Err(error) = alarm.until(next).await {
            return reports.probed(&probe.id, Err(format!("no timer can be had: {error}")));
        }
    }
}
