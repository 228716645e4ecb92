//! What the demo is played with: the endpoint, the two adapters, and what can be done to them.

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use super::{
    DemoError, Plan,
    ask::{Ask, AskError},
    collector::{HOLD_BACK, SINK},
    family::Family,
    link::Link,
    receipt,
    words::Fault,
};
use crate::{
    clock::{self, Alarm},
    domain::{Uptime, format_span},
};

/// The pair's group.
pub(super) const GROUP: &str = "Demo";

/// Where the group is, at the endpoint.
const PATH: &str = "/api/v1/clientfailover/groups/Demo";

/// How long a process may take to begin or to end, on a machine that is busy.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// How soon it is looked again whether something has happened.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How many rows of history are read: more than one fault makes.
const ROWS: usize = 100;

/// Waits for something, again and again, within a limit.
pub(super) struct Patience {
    alarm: Alarm,
    limit: Uptime,
    what: &'static str,
}

impl Patience {
    /// Waits for `what`, a noun, for `at_most`.
    pub(super) fn new(what: &'static str, at_most: Duration) -> Result<Self, DemoError> {
        Ok(Self { alarm: Alarm::new()?, limit: clock::now().uptime + at_most, what })
    }

    /// Waits a little; an error once the limit is over.
    pub(super) async fn again(&mut self) -> Result<(), DemoError> {
        if clock::now().uptime >= self.limit {
            return Err(DemoError::TooLate(self.what));
        }
        Ok(self.alarm.after(LOOK_AGAIN).await?)
    }
}

/// An adapter with its way to the endpoint.
pub(super) struct Adapter {
    pub(super) name: &'static str,
    /// `http://127.0.0.1:PORT`.
    pub(super) url: String,
    /// Its session at the endpoint.
    pub(super) session: String,
    /// What was done to it, until it is brought back.
    pub(super) down: Option<Fault>,
    pid: Pid,
    link: Link,
    /// Its last answered heartbeat when it was struck.
    heard: Value,
}

/// The pair and its endpoint.
pub(super) struct Site {
    /// `http://127.0.0.1:PORT`.
    pub(super) endpoint: String,
    pub(super) adapters: Vec<Adapter>,
    folder: PathBuf,
    ask: Ask,
    variables: Vec<(&'static str, String)>,
    policy: &'static str,
}

impl Site {
    /// Starts the endpoint and both adapters, and waits until A is Primary and B stands by.
    pub(super) async fn begin(
        plan: &Plan,
        folder: &Path,
        family: &mut Family,
        sink: SocketAddr,
    ) -> Result<Self, DemoError> {
        let program = family.program().to_str().ok_or(DemoError::NoText)?;
        let began = clock::now().uptime.since_boot().as_millis();
        let collector = json!([program, "demo-collector", "--began-ms", began.to_string()]);
        let mut site = Self {
            endpoint: String::new(),
            adapters: Vec::new(),
            folder: folder.to_owned(),
            ask: Ask::new()?,
            variables: vec![
                // Texts in JSON are texts in TOML, too.
                ("CLIENT_FAILOVER_COLLECTOR_COMMAND", collector.to_string()),
                // The gate obeys for it.
                ("CLIENT_FAILOVER_COLLECTOR_ON_ORDER", "keep".to_owned()),
                ("CLIENT_FAILOVER_EGRESS_HOLD_BACK", format!("{}s", HOLD_BACK.as_secs())),
            ],
            policy: plan.endpoint_loss.as_str(),
        };
        let pid = site.start(family, "endpoint", "127.0.0.1:0")?;
        site.endpoint = site.address(family, "endpoint", pid).await?;
        for name in ["A", "B"] {
            let adapter = site.join(plan, family, name, sink).await?;
            site.adapters.push(adapter);
            let at = site.adapters.len() - 1;
            let mut patience = Patience::new("the pair", STARTS_WITHIN + 2 * plan.timeout.get())?;
            while !site.is_heard(at).await? || site.primary().await? != Some(0) {
                patience.again().await?;
            }
        }
        Ok(site)
    }

    /// Starts an adapter, and configures it.
    async fn join(
        &self,
        plan: &Plan,
        family: &mut Family,
        name: &'static str,
        sink: SocketAddr,
    ) -> Result<Adapter, DemoError> {
        let pid = self.start(family, name, "127.0.0.1:0")?;
        let url = self.address(family, name, pid).await?;
        let endpoint = self.endpoint.trim_start_matches("http://").parse();
        let link = Link::start(endpoint.map_err(std::io::Error::other)?).await?;
        let destination = json!([{ "Id": SINK, "Endpoint": format!("http://{sink}") }]);
        self.ask.put(format!("{url}/api/v1/configuration/Egress/DataEndpoints"), &destination).await?;
        let configuration = json!({
            "FailoverGroupId": GROUP,
            "Name": name,
            "Mode": plan.mode.as_str(),
            "FailoverTimeout": format_span(plan.timeout.get()),
            "Endpoint": format!("http://{}/api/v1/clientfailover", link.address()),
        });
        self.ask.put(format!("{url}/api/v1/configuration/System/ClientFailover"), &configuration).await?;
        let mut patience = Patience::new("the session of an adapter", STARTS_WITHIN)?;
        let session = loop {
            let shown = self.ask.get(format!("{url}/api/v1/diagnostics/Failover")).await?;
            if let Some(session) = shown["SessionId"].as_str() {
                break session.to_owned();
            }
            patience.again().await?;
        };
        Ok(Adapter { name, url, session, down: None, pid, link, heard: Value::Null })
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// Starts a process of the pair, listening there.
    fn start(&self, family: &mut Family, name: &str, listen: &str) -> Result<Pid, DemoError> {
        let half = if name == "endpoint" { "endpoint" } else { "serve" };
        let mut arguments: Vec<OsString> = vec![half.into(), "--listen".into(), listen.into()];
        arguments.extend(["--data-dir".into(), self.folder.join(name).into_os_string()]);
        if half == "serve" {
            arguments.extend(["--endpoint-loss".into(), self.policy.into()]);
        }
        let variables = if half == "serve" { &self.variables[..] } else { &[] };
        Ok(family.start(&arguments, variables, &self.log(name))?)
    }

    /// Waits until a process says in its log where it listens.
    async fn address(&self, family: &mut Family, who: &'static str, pid: Pid) -> Result<String, DemoError> {
        let mut patience = Patience::new("the start of a process", STARTS_WITHIN)?;
        loop {
            let lives = family.lives(pid);
            let log = fs::read_to_string(self.log(who)).unwrap_or_default();
            if let Some((_, rest)) = log.split_once("listening on ")
                && let Some((url, _)) = rest.split_once('\n')
            {
                return Ok(url.trim().to_owned());
            }
            if !lives {
                let log = log.lines().last().unwrap_or("nothing").to_owned();
                return Err(DemoError::NotStarted { who, log });
            }
            patience.again().await?;
        }
    }

    /// Which adapter is Primary, as the endpoint knows it.
    pub(super) async fn primary(&self) -> Result<Option<usize>, AskError> {
        let status = self.ask.get(format!("{}{PATH}/status", self.endpoint)).await?;
        Ok(self.adapters.iter().position(|adapter| status["Primary"] == adapter.session.as_str()))
    }

    /// The group's history, newest first.
    pub(super) async fn history(&self) -> Result<Vec<Value>, AskError> {
        let page = self.ask.get(format!("{}{PATH}/history?limit={ROWS}", self.endpoint)).await?;
        Ok(page["Items"].as_array().cloned().unwrap_or_default())
    }

    /// Everything an adapter knows about its registration.
    pub(super) async fn diagnostics(&self, at: usize) -> Result<Value, AskError> {
        self.ask.get(format!("{}/api/v1/diagnostics/Failover", self.adapters[at].url)).await
    }

    /// How many samples wait in an adapter's buffer.
    pub(super) async fn waiting(&self, at: usize) -> Result<u64, AskError> {
        Ok(self.gate(at).await?["Waiting"].as_u64().unwrap_or_default())
    }

    /// How many samples an adapter's collector has handed in, whatever became of them.
    pub(super) async fn handed_in(&self, at: usize) -> Result<u64, AskError> {
        let gate = self.gate(at).await?;
        let fates = ["Waiting", "Acknowledged", "Refused", "Proved", "Dropped", "TurnedAway", "StoodBy"];
        Ok(fates.iter().filter_map(|fate| gate[fate].as_u64()).sum())
    }

    async fn gate(&self, at: usize) -> Result<Value, AskError> {
        let lanes = self.ask.get(format!("{}/api/v1/diagnostics/Egress", self.adapters[at].url)).await?;
        Ok(lanes[0].clone())
    }

    /// Whether an adapter has had an answer to a heartbeat since it was struck last.
    pub(super) async fn is_heard(&self, at: usize) -> Result<bool, AskError> {
        match self.diagnostics(at).await {
            Ok(shown) => {
                let last = &shown["LastHeartbeat"];
                Ok(!last.is_null() && *last != self.adapters[at].heard)
            }
            // It is not there yet.
            Err(AskError::NotReached(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How an adapter does, in some words.
    pub(super) async fn glance(&self, at: usize) -> String {
        let adapter = &self.adapters[at];
        let name = adapter.name;
        if let Some(fault) = adapter.down.filter(|fault| *fault != Fault::Cut) {
            return format!("{name} {}", receipt::condition(fault));
        }
        let Ok(shown) = self.diagnostics(at).await else { return format!("{name} does not answer") };
        let role = shown["Role"].as_str().unwrap_or_default();
        let cut = if adapter.down.is_some() { ", cut off" } else { "" };
        match self.waiting(at).await {
            Ok(waiting @ 1..) => format!("{name} {role}{cut}, keeps {waiting}"),
            _ => format!("{name} {role}{cut}"),
        }
    }

    /// A text of the pair's with the names of the adapters in place of their sessions.
    pub(super) fn named(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for adapter in &self.adapters {
            text = text.replace(&adapter.session, adapter.name);
        }
        text
    }

    /// Does it to an adapter. One that ends has ended afterwards.
    pub(super) async fn strike(
        &mut self,
        at: usize,
        fault: Fault,
        family: &mut Family,
    ) -> Result<(), DemoError> {
        let heard = self.diagnostics(at).await?["LastHeartbeat"].take();
        let adapter = &mut self.adapters[at];
        (adapter.down, adapter.heard) = (Some(fault), heard);
        match fault {
            Fault::Stop => family.signal(adapter.pid, Signal::TERM)?,
            Fault::Kill => family.signal(adapter.pid, Signal::KILL)?,
            Fault::Freeze => return Ok(family.signal(adapter.pid, Signal::STOP)?),
            Fault::Cut => {
                adapter.link.cut(true);
                return Ok(());
            }
        }
        let mut patience = Patience::new("the end of an adapter", STARTS_WITHIN)?;
        while family.lives(adapter.pid) {
            patience.again().await?;
        }
        Ok(())
    }

    /// Undoes what was done to an adapter.
    pub(super) fn mend(&mut self, at: usize, family: &mut Family) -> Result<(), DemoError> {
        match self.adapters[at].down.take() {
            Some(Fault::Freeze) => family.signal(self.adapters[at].pid, Signal::CONT)?,
            Some(Fault::Cut) => self.adapters[at].link.cut(false),
            Some(Fault::Stop | Fault::Kill) => {
                let adapter = &self.adapters[at];
                let pid = self.start(family, adapter.name, adapter.url.trim_start_matches("http://"))?;
                self.adapters[at].pid = pid;
            }
            None => {}
        }
        Ok(())
    }
}
