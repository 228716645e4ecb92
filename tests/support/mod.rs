//! What the black-box tests share: real processes, real sockets, and waiting for conditions.

#![allow(dead_code, unreachable_pub, reason = "each test file is a crate that uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

pub mod ear;
pub mod mount;
pub mod port;
pub mod provider;
pub mod routes;
pub mod scripted;
pub mod search;
pub mod shape;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, Once, mpsc},
    thread,
    time::Duration,
};

use client_failover::{
    audit::Trail,
    auth::Logins,
    clock,
    http::{Door, Hosts, Notices},
    store::Store,
};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_client-failover");

/// The facet's path.
pub const FACET: &str = "/api/v1/configuration/System/ClientFailover";
/// The state's path.
pub const STATE: &str = "/api/v1/diagnostics/FailoverState";
/// Everything that is known about the registration.
pub const FAILOVER: &str = "/api/v1/diagnostics/Failover";
/// The history's path.
pub const HISTORY: &str = "/api/v1/diagnostics/FailoverHistory";

/// What role and mode demand of the collector.
pub const ORDER: &str = "/api/v1/diagnostics/Order";
/// What components report.
pub const COMPONENTS: &str = "/api/v1/diagnostics/Components";

/// How long a process may take to begin, on a machine that is busy with other tests.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How long any awaited condition may take.
pub const LIMIT: Duration = Duration::from_secs(30);

/// An HTTP client. The process's crypto provider is installed on the way.
pub fn client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().ok();
    });
    Client::builder().no_proxy().timeout(LIMIT).build().unwrap()
}

/// The door of a server on loopback, whose users are those of `store`.
pub async fn door(store: &Store) -> Arc<Door> {
    let (logins, listen) =
        (Logins::open(store.clone(), None, false).await.unwrap(), ([127, 0, 0, 1], 5590).into());
    let (trail, _) = Trail::new(store.clone());
    Door::new(logins.clone(), Hosts::new("http", listen, &[]), Notices::new(listen, None, logins), trail)
}

/// A server of ours, as a process. It is killed when it is dropped.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// Its data folder.
    pub data: PathBuf,
    log: Arc<Mutex<String>>,
    client: Client,
}

impl Server {
    /// Starts `serve` on a port of its own, with `data` as its folder and `more` arguments.
    pub fn serve(data: &Path, more: &[&str]) -> Self {
        Self::start("serve", "127.0.0.1:0", data, more)
    }

    /// Starts `endpoint` on a port of its own.
    pub fn endpoint(data: &Path, more: &[&str]) -> Self {
        Self::start("endpoint", "127.0.0.1:0", data, more)
    }

    /// Starts a half that listens on `listen`, and waits until it does.
    pub fn start(half: &str, listen: &str, data: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args([half, "--listen", listen, "--data-dir"]).arg(data).args(more);
        Self::from_command(command, data)
    }

    /// Starts what `command` says, and waits until it listens.
    pub fn from_command(mut command: Command, data: &Path) -> Self {
        if !command.get_envs().any(|(name, _)| name == "CLIENT_FAILOVER_LOG") {
            command.env("CLIENT_FAILOVER_LOG", "client_failover=debug");
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (found, address) = mpsc::channel();
        let (lines, written) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("listening on ") {
                    let url: String = url.chars().take_while(|c| !c.is_whitespace() && *c != '"').collect();
                    found.send(url).ok();
                }
                let mut log = written.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let url = address.recv_timeout(START_LIMIT).unwrap_or_else(|_| {
            child.kill().ok();
            panic!("the server did not start: {}", log.lock().unwrap());
        });
        Self { child, url, data: data.to_owned(), log, client: client() }
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://").trim_start_matches("https://")
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has logged `said`: what it says comes through a pipe, and may follow what it answers.
    pub async fn until_log(&self, said: &str) {
        until(&format!("the log says {said}"), async || self.log().contains(said)).await;
    }

    /// Ends it without a chance to say anything.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.wait()
    }

    /// Waits until the process has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = clock::now().uptime + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(clock::now().uptime < deadline, "the server does not end: {}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a request with a JSON body, if there is one.
    pub async fn send(&self, method: Method, path: &str, body: Option<&str>) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// PUT of a configuration; it must be accepted.
    pub async fn configure(&self, configuration: &Value) {
        let answer = self.send(Method::PUT, FACET, Some(&configuration.to_string())).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
    }

    /// The role that FailoverState shows.
    pub async fn role(&self) -> String {
        self.get(STATE).await.json()["Role"].as_str().unwrap().to_owned()
    }

    /// Everything that is known about the registration.
    pub async fn diagnostics(&self) -> Value {
        self.get(FAILOVER).await.json()
    }

    /// Waits until a member of the diagnostics fulfils `condition`, and gives the diagnostics.
    pub async fn until_diagnostics(&self, member: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let mut shown = Value::Null;
        until(&format!("{member} in the diagnostics"), async || {
            shown = self.diagnostics().await;
            condition(&shown[member])
        })
        .await;
        shown
    }

    /// Waits until the diagnostics show an error that contains `text`.
    pub async fn until_error(&self, text: &str) {
        let shows = |error: &Value| error.as_str().is_some_and(|error| error.contains(text));
        self.until_diagnostics("LastError", shows).await;
    }

    /// The whole history, oldest first.
    pub async fn history(&self) -> Vec<Value> {
        let page = self.get(&format!("{HISTORY}?limit=1000")).await.json();
        page["Items"].as_array().unwrap().iter().rev().cloned().collect()
    }

    /// The rows of history of this kind and reason, oldest first.
    pub async fn rows(&self, kind: &str, reason: &str) -> Vec<Value> {
        let mut rows = self.history().await;
        rows.retain(|row| row["Kind"] == kind && row["Reason"] == reason);
        rows
    }

    /// The lines of its log about a row of history of this kind and reason.
    pub fn log_lines(&self, kind: &str, reason: &str) -> Vec<String> {
        let (kind, reason) = (format!("kind=\"{kind}\""), format!("reason=\"{reason}\""));
        let log = self.log();
        log.lines().filter(|line| line.contains(&kind) && line.contains(&reason)).map(str::to_owned).collect()
    }

    /// PATCH of the configuration; it must be accepted.
    pub async fn change(&self, changes: &Value) {
        let answer = self.send(Method::PATCH, FACET, Some(&changes.to_string())).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.body);
    }

    /// Waits until FailoverState shows `role`.
    pub async fn until_role(&self, role: &str) {
        until(&format!("the role is {role}"), async || self.role().await == role).await;
    }

    /// Waits until the history has a row of this kind and reason, and gives it.
    pub async fn until_history(&self, kind: &str, reason: &str) -> Value {
        let mut found = None;
        until(&format!("the history has {kind} {reason}"), async || {
            let page = self.get(&format!("{HISTORY}?kind={kind}&limit=1000")).await.json();
            found = page["Items"].as_array().unwrap().iter().find(|row| row["Reason"] == reason).cloned();
            found.is_some()
        })
        .await;
        found.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: reqwest::header::HeaderMap,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Waits until `condition` holds, and fails when it does not within [`LIMIT`].
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = clock::now().uptime + LIMIT;
    while !condition().await {
        assert!(clock::now().uptime < deadline, "{what}: not within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A configuration without credentials for the endpoint at `base`.
pub fn configuration(base: &str, group: &str, timeout: &str) -> Value {
    serde_json::json!({ "FailoverGroupId": group, "Mode": "Hot", "Endpoint": base, "FailoverTimeout": timeout })
}
