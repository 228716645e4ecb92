//! A writer stands for the collector of one adapter: it writes to the sink while its adapter permits it.
//!
//! It trusts no flag. An answer of `diagnostics/Failover` permits until a deadline, which the writer
//! compares with the boot clock itself: an adapter that is frozen cannot call it back.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use client_failover::{
    clock,
    domain::{Uptime, parse_span},
};
use serde_json::Value;

use super::{
    http::Line,
    sink::{Sink, Write},
};
use crate::support::FAILOVER;

/// Where the adapter of a writer listens, and which run of its process that is.
pub type Place = Arc<Mutex<(String, u32)>>;

/// A writer at work. It ends when it is dropped.
#[derive(Debug)]
pub struct Writer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Begins to write for the adapter at `place`, every `pace`.
    pub fn start(member: usize, place: Place, sink: Sink, pace: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let mut hand = Hand { member, place, sink, line: None, permit: None, tenure: 0, sequence: 0 };
        let work = move || {
            let mut due = clock::now().uptime;
            while !told.load(Ordering::Relaxed) {
                // Late ticks are left out, not made up for.
                let now = clock::now().uptime;
                due = if due + pace < now { now + pace } else { due + pace };
                let answered = hand.ask(due);
                hand.write(answered);
                thread::sleep(due.since(clock::now().uptime));
            }
        };
        let thread = thread::Builder::new().name(format!("writer {member}")).spawn(work).unwrap();
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// A connection to the adapter, and the question that waits for its answer on it.
struct Conversation {
    line: Line,
    run: u32,
    asked: Option<Uptime>,
}

#[derive(Clone, Copy)]
struct Permit {
    run: u32,
    epoch: u64,
    asked: Uptime,
    deadline: Uptime,
}

struct Hand {
    member: usize,
    place: Place,
    sink: Sink,
    line: Option<Conversation>,
    permit: Option<Permit>,
    tenure: u32,
    sequence: u64,
}

impl Hand {
    /// Asks for permission and waits for the answer until `until`. Whether it came.
    fn ask(&mut self, until: Uptime) -> bool {
        let Some(mut conversation) = self.line.take().or_else(|| self.connect(until)) else { return false };
        let asked = match conversation.asked {
            Some(asked) => asked,
            None => {
                // The moment before sending: what is left of the lease is counted from here.
                let asked = clock::now().uptime;
                if conversation.line.send("GET", FAILOVER, "").is_err() {
                    return false;
                }
                asked
            }
        };
        match conversation.line.receive(until.since(clock::now().uptime)) {
            Ok(Some(reply)) => {
                self.permit = permit(&reply.body, conversation.run, asked);
                conversation.asked = None;
                self.line = Some(conversation);
                true
            }
            Ok(None) => {
                conversation.asked = Some(asked);
                self.line = Some(conversation);
                false
            }
            Err(_closed) => false,
        }
    }

    fn connect(&self, until: Uptime) -> Option<Conversation> {
        let (address, run) = self.place.lock().unwrap().clone();
        let wait = until.since(clock::now().uptime).max(Duration::from_millis(1));
        Some(Conversation { line: Line::open(&address, wait).ok()?, run, asked: None })
    }

    fn write(&mut self, answered: bool) {
        let at = clock::now().uptime;
        let Some(permit) = self.permit.filter(|permit| at < permit.deadline) else {
            if self.permit.take().is_some() || answered {
                self.tenure += 1;
            }
            return;
        };
        self.sequence += 1;
        self.sink.push(Write {
            member: self.member,
            run: permit.run,
            tenure: self.tenure,
            epoch: permit.epoch,
            sequence: self.sequence,
            asked: permit.asked,
            deadline: permit.deadline,
            answered,
            at,
        });
    }
}

/// What an answer permits. A role without a lease permits nothing: under step-down there is none.
fn permit(shown: &Value, run: u32, asked: Uptime) -> Option<Permit> {
    if shown["Role"] != "Primary" {
        return None;
    }
    let exact = shown["ActingUntil"].as_f64().map(|seconds| Uptime::new(Duration::from_secs_f64(seconds)));
    let counted = || shown["LeaseRemaining"].as_str().and_then(parse_span).map(|left| asked + left);
    let deadline = exact.or_else(counted)?;
    Some(Permit { run, epoch: shown["Epoch"].as_u64()?, asked, deadline })
}
