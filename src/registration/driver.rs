//! Does what the machine decides: asks the endpoint, writes history, publishes the Standing.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use tokio::{
    select,
    sync::{Notify, watch},
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    client::{ClientError, EndpointClient},
    listener::Listener,
    machine::{Answer, Call, CallId, Desired, Effect, Event, Farewell, Identity, Listen, Machine, Target},
    metrics::Calls,
};
use crate::{
    clock::{self, Alarm},
    domain::{
        CallFailure, EndpointLoss, FailoverConfig, FailureKind, GateCoverage, GroupId, Health, HttpUrl,
        Incarnation, Mode, OpenAccess, SessionId, Standing, Uptime,
    },
    recorder::Recorder,
    service::Pulse,
    store::{Store, StoreError, StoredConfiguration},
    tls::Authorities,
};

/// How long a promotion waits for its record; after that it is acted on unrecorded, and the row says so.
const RECORD_WAIT: Duration = Duration::from_millis(50);

/// How soon a store that could not be read is read again.
const REREAD: Duration = Duration::from_secs(1);

/// How long the rows of a shutdown may take to be written.
const LAST_RECORDS_WAIT: Duration = Duration::from_secs(2);

/// How long all farewells of a shutdown may take together.
const LAST_FAREWELLS_WAIT: Duration = Duration::from_secs(5);

/// Why the registration could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store could not give the identity.
    #[error("the session's identity could not be read")]
    Store(#[from] StoreError),
    /// The system refused what is needed.
    #[error("the system refused a timer or random numbers")]
    System(#[from] io::Error),
}

/// Those who obey the orders of this adapter: what they say, and how long they take.
#[derive(Debug)]
pub struct Obedience {
    /// How they do, and which order they have obeyed.
    pub health: watch::Receiver<Health>,
    /// What the gate of a Primary has received and settled.
    pub coverage: watch::Receiver<GateCoverage>,
    /// When its gate delivered last, under its last permission to.
    pub delivered: watch::Receiver<Option<Uptime>>,
    /// How long they may take to stop when the process is told to.
    pub stops_within: Duration,
}

impl Obedience {
    /// Nobody has to obey: this adapter protects nothing.
    #[must_use]
    pub fn of_nobody() -> Self {
        let (_, health) = watch::channel(Health::NOTHING_PROTECTED);
        let (_, coverage) = watch::channel(GateCoverage::new());
        let (_, delivered) = watch::channel(None);
        Self { health, coverage, delivered, stops_within: Duration::ZERO }
    }
}

/// Keeps this adapter registered until it is told to stop.
#[derive(Debug)]
pub struct Registration {
    store: Store,
    /// Whom calls to endpoints trust beside the system's authorities.
    authorities: Authorities,
    machine: Machine,
    recorder: Recorder,
    standing: watch::Sender<Standing>,
    obedience: Obedience,
    wake: Arc<Notify>,
    alarm: Alarm,
    /// The client of the configuration that is in force, and of the one read last.
    client: Option<EndpointClient>,
    newest: Option<EndpointClient>,
    /// The client made last, for which configuration and which giving of the secret that it refers to; and how many
    /// were made.
    made: Option<(FailoverConfig, Option<i64>, EndpointClient)>,
    clients_made: u64,
    /// What should be, as it is being read: a store that hangs keeps no answer waiting.
    reading: JoinSet<Read>,
    calls: JoinSet<(CallId, Result<Answer, CallFailure>)>,
    aborts: HashMap<CallId, AbortHandle>,
    farewells: JoinSet<(HttpUrl, GroupId)>,
    renewal: JoinSet<()>,
    /// Dropping it ends the stream.
    listening: JoinSet<()>,
    /// Told by the listener; however often, it is one event.
    nudged: Arc<Notify>,
    /// Whether a row was queued that the next publication has to wait for.
    unwritten: bool,
    /// When a store that could not be read is read again.
    reread: Option<Uptime>,
    counted: Calls,
    pulse: Pulse,
}

impl Registration {
    /// Prepares the registration of the adapter whose store this is; `pulse` is its loop's.
    ///
    /// # Errors
    /// When the store or the system refuses.
    pub async fn new(
        store: Store,
        loss: EndpointLoss,
        mut obedience: Obedience,
        pulse: Pulse,
    ) -> Result<Self, StartError> {
        let now = clock::now();
        let incarnation = Incarnation::new(Uuid::new_v4().to_string()).map_err(io::Error::other)?;
        let stored = store.begin_incarnation(&fresh_session()?, &incarnation).await?;
        if stored.copied {
            tracing::warn!(
                "the data folder was copied, or moved to another disk: if the original is still used, stop one of the two \
                 adapters, and start it with an empty folder"
            );
        }
        let identity = Identity {
            session: stored.session,
            incarnation,
            replaces: stored.replaces,
            copied: stored.copied,
            boot: clock::boot_id()?,
            known: stored.known,
            jitter_seed: getrandom::u64().map_err(io::Error::other)?,
        };
        let health = obedience.health.borrow_and_update().clone();
        Ok(Self {
            machine: Machine::new(identity, loss, health, now),
            recorder: Recorder::start(store.clone()),
            store,
            authorities: Authorities::default(),
            standing: watch::Sender::new(Standing::default()),
            obedience,
            wake: Arc::new(Notify::new()),
            alarm: Alarm::new()?,
            client: None,
            newest: None,
            made: None,
            clients_made: 0,
            reading: JoinSet::new(),
            calls: JoinSet::new(),
            aborts: HashMap::new(),
            farewells: JoinSet::new(),
            renewal: JoinSet::new(),
            listening: JoinSet::new(),
            nudged: Arc::default(),
            unwritten: false,
            reread: None,
            counted: Calls::default(),
            pulse,
        })
    }

    /// The same, with calls that trust `authorities`, too.
    #[must_use]
    pub fn trusting(mut self, authorities: Authorities) -> Self {
        self.authorities = authorities;
        self
    }

    /// Where the adapter stands, now and later.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// How its calls go.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.counted.clone()
    }

    /// Tells the registration that the stored configuration changed. It carries nothing: the store is
    /// read again.
    #[must_use]
    pub fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Works until `stop`, then says farewell and writes its last rows, within some seconds whatever
    /// hangs.
    ///
    /// # Errors
    /// When the system refuses a timer.
    pub async fn run(mut self, stop: CancellationToken) -> io::Result<()> {
        // What cannot be read at a start is Secondary and Faulted, never alone, until it can be read.
        let unread = || Desired::Unusable("the stored configuration cannot be read".to_owned());
        let read = self.first_read().await;
        let desired = self.desired(read).unwrap_or_else(unread);
        self.step(Event::Configured(desired)).await;
        while let Some(event) = self.next_event(&stop).await? {
            self.step(event).await;
        }
        self.step(Event::Stop(clock::now().uptime + self.obedience.stops_within)).await;
        let never = CancellationToken::new();
        while !self.machine.has_stopped() {
            let Some(event) = self.next_event(&never).await? else { break };
            self.step(event).await;
        }
        let farewells = async { while self.farewells.join_next().await.is_some() {} };
        if timeout(LAST_FAREWELLS_WAIT, farewells).await.is_err() {
            tracing::warn!("the endpoint did not take the farewell; it will notice the silence");
        }
        if timeout(LAST_RECORDS_WAIT, self.recorder.written()).await.is_err() {
            tracing::error!("the last rows of history could not be written");
        }
        Ok(())
    }

    /// What the store says at the start, however long that takes: until then there is nothing that could lapse.
    async fn first_read(&mut self) -> Read {
        let mut reading = Box::pin(read(self.store.clone()));
        loop {
            self.pulse.turn();
            select! {
                read = &mut reading => return read,
                () = self.pulse.asked() => {}
            }
        }
    }

    /// The next event, or `None` when it is time to stop.
    async fn next_event(&mut self, stop: &CancellationToken) -> io::Result<Option<Event>> {
        loop {
            self.pulse.turn();
            let tick = [self.machine.next_wake(), self.reread].into_iter().flatten().min();
            let (wake, nudged) = (Arc::clone(&self.wake), Arc::clone(&self.nudged));
            let health = &mut self.obedience.health;
            // Answers come first: no stream of changes may keep them waiting, and expiry is judged after
            // what has arrived was read. Nudges come last: they have no authority over anything.
            select! {
                biased;
                () = stop.cancelled() => return Ok(None),
                Some(ended) = self.calls.join_next(), if !self.calls.is_empty() => {
                    // A call that was given up ends without an answer.
                    if let Ok((id, outcome)) = ended {
                        self.aborts.remove(&id);
                        return Ok(Some(Event::Answered(id, outcome)));
                    }
                }
                Some(ended) = self.farewells.join_next(), if !self.farewells.is_empty() => {
                    if let Ok((endpoint, group)) = ended {
                        return Ok(Some(Event::FarewellEnded(endpoint, group)));
                    }
                }
                // Where nobody has to obey, nobody ever says anything.
                Ok(()) = health.changed() => {
                    return Ok(Some(Event::Health(health.borrow_and_update().clone())));
                }
                // What changes while it is read is read after that.
                () = wake.notified(), if self.reading.is_empty() => {
                    self.reread = None;
                    self.reading.spawn(read(self.store.clone()));
                }
                Some(ended) = self.reading.join_next(), if !self.reading.is_empty() => {
                    if let Some(desired) = self.desired(ended.map_err(io::Error::other)?) {
                        return Ok(Some(Event::Configured(desired)));
                    }
                }
                woken = self.alarm.until(tick.unwrap_or_default()), if tick.is_some() => {
                    woken?;
                    if self.reread.take_if(|at| clock::now().uptime >= *at).is_some() {
                        wake.notify_one();
                    }
                    return Ok(Some(Event::Tick));
                }
                () = nudged.notified() => return Ok(Some(Event::Nudged)),
                () = self.pulse.asked() => {}
            }
        }
    }

    /// What should be, as it was read, and prepares the client for it. `None` when the store cannot say: then
    /// everything stays as it is, and it is asked again soon.
    fn desired(&mut self, read: Read) -> Option<Desired> {
        let (stored, has_destination) = match read {
            Ok(read) => read,
            Err(StoreError::Unreadable(what)) => {
                return Some(Desired::Unusable(format!("the stored configuration cannot be used: {what}")));
            }
            Err(error) => {
                tracing::error!(%error, "the stored configuration cannot be read; it is tried again");
                self.reread = Some(clock::now().uptime + REREAD);
                return None;
            }
        };
        self.newest = None;
        let Some(stored) = stored else { return Some(Desired::Nothing) };
        if let Some(why) = stored.unreadable {
            return Some(Desired::Unusable(format!(
                "the stored credentials cannot be read: {why}; put the right key back and start the server again, or, \
                 without it, start with an empty data folder and configure the adapter again"
            )));
        }
        let config = stored.config;
        match stored.access {
            Ok(open) => {
                if let Err(error) = self.make_client(&config, &open) {
                    return Some(Desired::Unusable(error.to_string()));
                }
            }
            // Whoever stays out of failover needs no login.
            Err(_) if config.mode() == Mode::None => {}
            Err(why) => {
                return Some(Desired::Unusable(format!("the endpoint cannot be logged in to: {why}")));
            }
        }
        Some(Desired::Target(Target {
            revision: stored.revision,
            configuration: config.id().clone(),
            endpoint: config.endpoint().clone(),
            group: config.group().clone(),
            name: config.name().cloned(),
            timeout: config.timeout(),
            mode: config.mode(),
            has_destination,
            warnings: config.warnings(),
            client: self.clients_made,
        }))
    }

    /// Prepares the client for `config`: the one there is, or another where calls are made in another way.
    fn make_client(&mut self, config: &FailoverConfig, open: &OpenAccess) -> Result<(), ClientError> {
        let client = match &self.made {
            Some((of, given, client)) if config.is_reached_like(of) && *given == open.given() => {
                client.clone()
            }
            _ => {
                let client = EndpointClient::new(open, config.timeout(), &self.authorities)?;
                self.clients_made += 1;
                client
            }
        };
        self.newest = Some(client.clone());
        self.made = Some((config.clone(), open.given(), client));
        Ok(())
    }

    async fn step(&mut self, event: Event) {
        let gate = self.obedience.coverage.borrow().clone();
        self.machine.hear_gate(gate, *self.obedience.delivered.borrow());
        for effect in self.machine.step(clock::now(), event) {
            self.carry_out(effect).await;
        }
        self.unwritten = false;
    }

    async fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Record(row) => {
                self.unwritten = true;
                self.recorder.record(*row);
            }
            Effect::Remember(known) => {
                self.unwritten = true;
                self.recorder.remember(known);
            }
            Effect::Publish(standing) => {
                if self.unwritten && timeout(RECORD_WAIT, self.recorder.written()).await.is_err() {
                    tracing::warn!("the store is slow: the role is acted on before it is recorded");
                }
                self.standing.send_replace(*standing);
            }
            Effect::Farewell(farewell) => self.say_farewell(*farewell),
            Effect::Adopt => self.adopt(),
            Effect::Call { id, call, at_most } => self.call(id, *call, at_most),
            Effect::Cancel(id) => {
                if let Some(call) = self.aborts.remove(&id) {
                    call.abort();
                }
            }
            Effect::Listen(what) => self.listen(*what),
            Effect::StopListening => self.listening = JoinSet::new(),
        }
    }

    fn adopt(&mut self) {
        self.calls.abort_all();
        self.aborts.clear();
        self.renewal.abort_all();
        self.listening = JoinSet::new();
        self.client = self.newest.take();
        if let Some(client) = self.client.clone() {
            self.renewal.spawn(async move {
                if let Err(error) = client.keep_token_fresh().await {
                    tracing::warn!(%error, "tokens are not renewed in the background");
                }
            });
        }
    }

    fn listen(&mut self, what: Listen) {
        let Some(client) = self.client.clone() else { return };
        let nudged = Arc::clone(&self.nudged);
        self.listening.spawn(async move {
            if let Err(error) = Listener::new(client, what, nudged).run().await {
                tracing::warn!(%error, "the endpoint's events are not listened to; heartbeats go at their pace");
            }
        });
    }

    fn call(&mut self, id: CallId, call: Call, at_most: Duration) {
        let Some(client) = self.client.clone() else { return };
        let counted = self.counted.clone();
        let handle = self.calls.spawn(async move {
            let asked = clock::now().uptime;
            let outcome =
                timeout(at_most, client.call(&call)).await.unwrap_or_else(|_elapsed| Err(timed_out(at_most)));
            counted.ended(&call, clock::now().uptime.since(asked), &outcome);
            (id, outcome)
        });
        self.aborts.insert(id, handle);
    }

    fn say_farewell(&mut self, farewell: Farewell) {
        let (client, counted) = (self.client.clone(), self.counted.clone());
        self.farewells.spawn(async move {
            if let Some(client) = client {
                let said = timeout(farewell.at_most, client.farewell(&farewell)).await;
                let said = said.unwrap_or_else(|_elapsed| Err(timed_out(farewell.at_most)));
                if let Err(failure) = said {
                    counted.unheard(&failure);
                    tracing::warn!(
                        group = %farewell.group, reason = failure.detail,
                        "the session could not be given up; the endpoint will notice the silence"
                    );
                }
            }
            (farewell.endpoint, farewell.group)
        });
    }
}

/// The stored configuration, and whether the gate has a destination.
type Read = Result<(Option<StoredConfiguration>, bool), StoreError>;

async fn read(store: Store) -> Read {
    Ok((store.configuration().await?, store.has_data_endpoints().await?))
}

fn timed_out(at_most: Duration) -> CallFailure {
    let detail = format!("no answer arrived within {:.1} s", at_most.as_secs_f64());
    CallFailure::new(FailureKind::TimedOut, detail)
}

/// A session's Id: host name, for people, and a GUID, because one file is often put on two machines.
fn fresh_session() -> io::Result<SessionId> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host: String = host.chars().filter(|c| !c.is_control()).take(200).collect();
    SessionId::new(format!("{host}-{}", Uuid::new_v4())).map_err(io::Error::other)
}
