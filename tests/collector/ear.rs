//! Hears collectors: each run of one is a connection, which ends when nothing of that run is left.

use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use client_failover::{clock, domain::Uptime};

/// One run of a collector, from what it said.
#[derive(Debug, Clone)]
pub struct Run {
    /// What it said of itself, `name=value`.
    pub says: String,
    /// The number of its process.
    pub pid: u32,
    /// When it was heard first and last.
    pub first: Uptime,
    pub last: Uptime,
    /// The processes that spoke.
    pub speakers: Vec<u32>,
    /// When nothing of it was left.
    pub ended: Option<Uptime>,
}

impl Run {
    /// The value of a name.
    pub fn value(&self, name: &str) -> &str {
        let found = self.says.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("{name} in {}", self.says))
    }

    /// Whether it may act.
    pub fn acts(&self) -> bool {
        self.value("role") != "Secondary"
    }
}

/// Hears every run of one adapter's collector.
pub struct Ear {
    port: u16,
    runs: Arc<Mutex<Vec<Run>>>,
}

impl Ear {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let runs = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&runs);
        // It listens as long as the test runs.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let heard = Arc::clone(&heard);
                thread::spawn(move || hear(stream, &heard));
            }
        });
        Self { port, runs }
    }

    /// Where it listens, as a collector finds it in its environment.
    pub fn port(&self) -> String {
        self.port.to_string()
    }

    /// All runs so far, in their order.
    pub fn runs(&self) -> Vec<Run> {
        self.runs.lock().unwrap().clone()
    }
}

fn hear(stream: TcpStream, runs: &Mutex<Vec<Run>>) {
    let mut number = None;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let now = clock::now().uptime;
        let pid: u32 = line.split(' ').next().unwrap().parse().unwrap();
        let mut runs = runs.lock().unwrap();
        // Whoever was forked says of itself what the first said, on the same connection if it inherited one.
        let number = *number.get_or_insert_with(|| {
            runs.push(Run {
                says: line.clone(),
                pid,
                first: now,
                last: now,
                speakers: Vec::new(),
                ended: None,
            });
            runs.len() - 1
        });
        let run = &mut runs[number];
        run.last = now;
        if !run.speakers.contains(&pid) {
            run.speakers.push(pid);
        }
    }
    if let Some(number) = number {
        runs.lock().unwrap()[number].ended = Some(clock::now().uptime);
    }
}
