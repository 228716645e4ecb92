//! The destination, nginx and our gate, each a process of its own.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use axum::{Router, body::Bytes, http::StatusCode, routing::post};
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// A process that ends with its value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // In order: nginx ends its workers then, and our gate what it started.
        if let Ok(pid) = i32::try_from(self.0.id())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
        {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        }
        self.0.wait().unwrap();
    }
}

/// Starts a process that says where it listens.
fn listening(command: &mut Command) -> (Process, String) {
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("listening on ")).expect("the server did not start");
    thread::spawn(move || lines.for_each(drop));
    let (_, address) = line.split_once("http://").unwrap();
    (Process(child), address.chars().take_while(|c| !c.is_whitespace()).collect())
}

/// How long the destination takes to answer what is sent to `/slow`.
const SLOW: Duration = Duration::from_millis(5);

/// The destination's process: reads the body, and acknowledges.
pub(crate) fn sink() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let slow = post(async |_: Bytes| {
            tokio::time::sleep(SLOW).await;
            StatusCode::NO_CONTENT
        });
        let router = Router::new().route("/slow", slow).fallback(async |_: Bytes| StatusCode::NO_CONTENT);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        eprintln!("listening on http://{}", listener.local_addr().unwrap());
        axum::serve(listener, router).await.unwrap();
    });
}

/// The destination.
pub(crate) struct Sink {
    pub(crate) address: String,
    _process: Process,
}

impl Sink {
    pub(crate) fn start() -> Self {
        let (process, address) = listening(Command::new(env::current_exe().unwrap()).arg("--sink"));
        Self { address, _process: process }
    }
}

/// nginx before the destination, as one would set it up for this: connections kept, nothing logged.
pub(crate) struct Nginx {
    pub(crate) address: String,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Nginx {
    pub(crate) fn start(sink: &Sink) -> Option<Self> {
        let program =
            ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|path| Path::new(path).exists())?;
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let (root, to) = (folder.path().display(), &sink.address);
        let configuration = format!(
            "worker_processes 2; daemon off; pid {root}/pid; error_log {root}/error;
             events {{ worker_connections 1024; }}
             http {{
                 access_log off;
                 client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
                 fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
                 client_body_buffer_size 64k; keepalive_requests 1000000000;
                 upstream sink {{ server {to}; keepalive 64; keepalive_requests 1000000000; }}
                 server {{
                     listen {address};
                     location / {{
                         proxy_pass http://sink; proxy_http_version 1.1; proxy_set_header Connection \"\";
                     }}
                 }}
             }}"
        );
        fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
        let mut command = Command::new(program);
        command.args(["-c", &format!("{root}/nginx.conf"), "-p", &root.to_string()]);
        let process = Process(command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
        while TcpStream::connect(&address).is_err() {
            thread::sleep(Duration::from_millis(5));
        }
        Some(Self { address, _process: process, _folder: folder })
    }
}

/// Our gate.
pub(crate) struct Gate {
    pub(crate) address: String,
    client: Client,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Gate {
    /// As Primary of a group.
    pub(crate) async fn primary(sink: &Sink) -> Self {
        let gate = Self::start(sink, &["--with-endpoint"]).await;
        let endpoint = format!("http://{}/api/v1/clientfailover", gate.address);
        gate.configure(&endpoint).await;
        while gate.get("diagnostics/FailoverState").await["Role"] != "Primary" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        gate
    }

    /// As a Hot Secondary, whose endpoint nobody answers for.
    pub(crate) async fn hot_secondary(sink: &Sink) -> Self {
        let gate = Self::start(sink, &[]).await;
        gate.configure("http://127.0.0.1:9/api/v1/clientfailover").await;
        let probe = format!("http://{}/egress/d/probe", gate.address);
        while gate.waiting().await == 0 {
            gate.client.post(&probe).send().await.unwrap();
        }
        gate
    }

    async fn start(sink: &Sink, more: &[&str]) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_client-failover"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path()).args(more);
        let (process, address) = listening(command.env("CLIENT_FAILOVER_LOG", "client_failover=info"));
        let client = Client::builder().no_proxy().build().unwrap();
        let gate = Self { address, client, _process: process, _folder: folder };
        let destinations = json!({ "Id": "d", "Endpoint": format!("http://{}", sink.address) });
        gate.send(Method::PUT, "configuration/Egress/DataEndpoints", &destinations).await;
        while gate.get("diagnostics/Egress").await[0].is_null() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        gate
    }

    async fn configure(&self, endpoint: &str) {
        let configuration = json!({ "FailoverGroupId": "g", "Mode": "Hot", "Endpoint": endpoint });
        self.send(Method::PUT, "configuration/System/ClientFailover", &configuration).await;
    }

    /// Lets it act, alone.
    pub(crate) async fn promote(&self) {
        self.send(Method::PATCH, "configuration/System/ClientFailover", &json!({ "Mode": "None" })).await;
    }

    /// How many requests wait.
    pub(crate) async fn waiting(&self) -> u64 {
        self.get("diagnostics/Egress").await[0]["Waiting"].as_u64().unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(format!("http://{}/api/v1/{path}", self.address)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    async fn send(&self, method: Method, path: &str, body: &Value) {
        let request = self.client.request(method, format!("http://{}/api/v1/{path}", self.address));
        let request = request.header("content-type", "application/json").body(body.to_string());
        assert!(request.send().await.unwrap().status().is_success());
    }
}
