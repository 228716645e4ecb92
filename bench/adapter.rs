//! The adapter half beside a bare axum handler, in one run: start to ready, resident memory, and GET and
//! PUT of the facet under load.
//!
//! `cargo bench --bench adapter [-- --seconds N] [--rounds N]`. Both servers are processes of their own
//! on loopback; rounds alternate between them, so that whatever else the machine does hits both. The
//! figures that count are the ratios: median, and in brackets the lowest and highest round.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a bench stops at the first surprise")]

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use axum::{Json, Router, http::StatusCode, routing::get};
use client_failover::{clock, domain::Uptime};

const CONNECTIONS: usize = 32;
const STARTS: usize = 30;
const STATE: &str = "/api/v1/diagnostics/FailoverState";
const FACET: &str = "/api/v1/configuration/System/ClientFailover";

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if arguments.iter().any(|argument| argument == "--peer") {
        return peer();
    }
    let number = |name: &str, default: u64| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)?.parse().ok()).unwrap_or(default)
    };
    let (seconds, rounds) = (number("--seconds", 3), number("--rounds", 5));
    let data = tempfile::tempdir().unwrap();

    // The first start makes the data folder; the ones that are measured find it.
    drop(Server::ours(data.path()));
    let mut starts: Vec<f64> = (0..STARTS).map(|_| millis(Server::ours(data.path()).ready_after)).collect();
    println!("start to ready, existing data folder, n = {STARTS}: {}", quantiles(&mut starts, "ms"));

    let ours = Server::ours(data.path());
    let bare = Server::bare();
    println!(
        "resident memory idle: ours {:.1} MiB, bare axum {:.1} MiB",
        ours.resident_mib(),
        bare.resident_mib()
    );

    compare("GET FailoverState", "GET", STATE, "", &ours, &bare, (seconds, rounds));
    let body = r#"{"FailoverGroupId":"g","Mode":"None","Endpoint":"http://127.0.0.1:9","FailoverTimeout":"00:01:00"}"#;
    compare("PUT ClientFailover", "PUT", FACET, body, &ours, &bare, (seconds, rounds));
    compare("GET ClientFailover", "GET", FACET, "", &ours, &bare, (seconds, rounds));
    println!("resident memory after the load: ours {:.1} MiB", ours.resident_mib());
}

/// The peer: the least that axum can do for the same answers.
fn peer() {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct State {
        role: &'static str,
        last_data_processed_time: Option<String>,
        failover_status: &'static str,
        adapter_state: &'static str,
    }
    let state = || async {
        Json(State {
            role: "None",
            last_data_processed_time: None,
            failover_status: "100",
            adapter_state: "Running",
        })
    };
    let put = |Json(_): Json<serde_json::Value>| async { StatusCode::NO_CONTENT };
    let facet = get(async || Json(serde_json::json!([{ "FailoverGroupId": "g", "Mode": "None" }]))).put(put);
    let ready = get(async || "ready");
    let router = Router::new().route(STATE, get(state)).route(FACET, facet).route("/readyz", ready);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        eprintln!("listening on http://{}", listener.local_addr().unwrap());
        axum::serve(listener, router).await.unwrap();
    });
}

struct Server {
    child: Child,
    address: String,
    ready_after: Duration,
}

impl Server {
    fn ours(data: &std::path::Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_client-failover"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
        Self::start(command.env("CLIENT_FAILOVER_LOG", "client_failover=info"))
    }

    fn bare() -> Self {
        Self::start(Command::new(env::current_exe().unwrap()).arg("--peer"))
    }

    fn start(command: &mut Command) -> Self {
        let began = clock::now().uptime;
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("listening on ")).expect("the server did not start");
        thread::spawn(move || lines.for_each(drop));
        let (_, address) = line.split_once("http://").unwrap();
        let address: String = address.chars().take_while(|c| !c.is_whitespace()).collect();
        let mut connection = Connection::open(&address);
        while connection.ask(&request("GET", "/readyz", "", &address)) != 200 {}
        Self { child, address, ready_after: clock::now().uptime.since(began) }
    }

    fn resident_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn request(method: &str, path: &str, body: &str, address: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// One kept-alive connection that asks and waits for the answer.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { stream, buffer: vec![0; 16 * 1024] }
    }

    fn ask(&mut self, request: &[u8]) -> u16 {
        self.stream.write_all(request).unwrap();
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).unwrap();
            assert!(read > 0, "the server closed the connection");
            filled += read;
            let text = String::from_utf8_lossy(&self.buffer[..filled]);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| {
                        line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
                    })
                    .unwrap_or(0);
                if body.len() >= length {
                    return head.split(' ').nth(1).unwrap().parse().unwrap();
                }
            }
        }
    }
}

struct Load {
    per_second: f64,
    p99_ms: f64,
}

fn load(server: &Server, method: &str, path: &str, body: &str, seconds: u64) -> Load {
    let request = request(method, path, body, &server.address);
    let end = clock::now().uptime + Duration::from_secs(seconds);
    let threads: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (address, request) = (server.address.clone(), request.clone());
            thread::spawn(move || one_connection(&address, &request, end))
        })
        .collect();
    let mut times: Vec<f64> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    times.sort_by(f64::total_cmp);
    Load { per_second: times.len() as f64 / seconds as f64, p99_ms: quantile(&times, 0.99) }
}

fn one_connection(address: &str, request: &[u8], end: Uptime) -> Vec<f64> {
    let mut connection = Connection::open(address);
    let mut times = Vec::new();
    loop {
        let asked = clock::now().uptime;
        if asked >= end {
            return times;
        }
        let status = connection.ask(request);
        assert!((200..300).contains(&status), "status {status}");
        times.push(millis(clock::now().uptime.since(asked)));
    }
}

fn compare(
    name: &str,
    method: &str,
    path: &str,
    body: &str,
    ours: &Server,
    bare: &Server,
    (seconds, rounds): (u64, u64),
) {
    let (mut speeds, mut ratios, mut tails) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (a, b) = (load(ours, method, path, body, seconds), load(bare, method, path, body, seconds));
        speeds.push((a.per_second, b.per_second));
        ratios.push(a.per_second / b.per_second);
        tails.push((a.p99_ms, b.p99_ms));
    }
    ratios.sort_by(f64::total_cmp);
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        quantile(values, 0.5)
    };
    let (mut a, mut b) = speeds.into_iter().unzip();
    let (mut p, mut q) = tails.into_iter().unzip();
    println!(
        "{name}, {CONNECTIONS} connections, {rounds} rounds of {seconds} s: ours {:.0}/s, p99 {:.2} ms; bare axum \
         {:.0}/s, p99 {:.2} ms; ratio {:.0} % [{:.0}–{:.0} %]",
        median(&mut a),
        median(&mut p),
        median(&mut b),
        median(&mut q),
        quantile(&ratios, 0.5) * 100.0,
        ratios[0] * 100.0,
        ratios[ratios.len() - 1] * 100.0,
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn quantiles(values: &mut [f64], unit: &str) -> String {
    values.sort_by(f64::total_cmp);
    let (median, p99) = (quantile(values, 0.5), quantile(values, 0.99));
    format!("p50 {median:.1} {unit}, p99 {p99:.1} {unit}, lowest {:.1} {unit}", values[0])
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index below the length")]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}
