//! A thread that only sleeps and wakes: where it is late, the machine itself stood still or was too busy, and nothing that
//! happened late then says anything about us.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use client_failover::{clock, domain::Uptime};

/// How often it wakes.
const BEAT: Duration = Duration::from_millis(1);

/// What is no lateness yet.
const IN_TIME: Duration = Duration::from_millis(5);

/// The thread. It ends when this is dropped.
#[derive(Debug)]
pub struct Control {
    stop: Arc<AtomicBool>,
    /// Until when it was late, and by how much.
    late: Arc<Mutex<Vec<(Uptime, Duration)>>>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Begins to watch.
    pub fn start() -> Self {
        let (stop, late) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (told, found) = (Arc::clone(&stop), Arc::clone(&late));
        let watch = move || {
            let mut before = clock::now().uptime;
            while !told.load(Ordering::Relaxed) {
                thread::sleep(BEAT);
                let now = clock::now().uptime;
                let by = now.since(before + BEAT);
                if by > IN_TIME {
                    found.lock().unwrap().push((now, by));
                }
                before = now;
            }
        };
        let thread = thread::Builder::new().name("control".to_owned()).spawn(watch).unwrap();
        Self { stop, late, thread: Some(thread) }
    }

    /// How late it was in all in this time.
    pub fn late_in(&self, from: Uptime, to: Uptime) -> Duration {
        let late = self.late.lock().unwrap();
        late.iter().filter(|(until, by)| *until > from && *until < to + *by).map(|(_, by)| *by).sum()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
