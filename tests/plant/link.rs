//! The network between one adapter and its endpoint: a TCP proxy that delays, holds or loses what goes one
//! way, and lets the other way pass.
//!
//! It also listens: what an adapter said about itself before the network did anything to it is the only
//! word the judge takes besides the sink.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use client_failover::{clock, domain::Uptime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::Runtime,
    sync::{mpsc, watch},
    task::JoinSet,
};

/// What happens to what goes one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It passes.
    Open,
    /// It arrives this much later.
    Delayed(Duration),
    /// It waits until the way is open again, and arrives then, as over a network that comes back.
    Held,
    /// It is gone, and so are the connections that it was lost on, once the way is open again.
    Lost,
}

/// Both ways of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ways {
    /// What happens to heartbeats.
    pub to_endpoint: Way,
    /// What happens to their answers.
    pub to_adapter: Way,
}

impl Ways {
    /// Nothing is wrong.
    pub const OPEN: Self = Self { to_endpoint: Way::Open, to_adapter: Way::Open };
}

/// What an adapter said in a heartbeat about acting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// When it had said it.
    pub at: Uptime,
    /// Which run of its process.
    pub run: u32,
    /// Whether it acts.
    pub acting: bool,
}

/// A link.
#[derive(Debug)]
pub struct Link {
    /// `HOST:PORT`, for the adapter's Endpoint.
    pub address: String,
    ways: watch::Sender<Ways>,
    said: Arc<Mutex<Vec<Said>>>,
    run: Arc<AtomicU32>,
}

impl Link {
    /// A link on a port of its own to whatever address `endpoint` has when a connection is made.
    pub fn open(net: &Runtime, endpoint: watch::Receiver<String>) -> Self {
        let listener = net.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let ways = watch::Sender::new(Ways::OPEN);
        let ear = Ear { said: Arc::default(), run: Arc::default(), tail: String::new() };
        let link = Self { address, said: Arc::clone(&ear.said), run: Arc::clone(&ear.run), ways };
        net.spawn(serve(listener, endpoint, link.ways.subscribe(), ear));
        link
    }

    /// Changes what happens from now on.
    pub fn set(&self, ways: Ways) {
        self.ways.send_replace(ways);
    }

    /// What is said from now on is said by this run of the adapter's process.
    pub fn begin_run(&self, run: u32) {
        self.run.store(run, Ordering::SeqCst);
    }

    /// What the adapter has said so far.
    pub fn said(&self) -> Vec<Said> {
        self.said.lock().unwrap().clone()
    }
}

/// Hears what an adapter says.
#[derive(Clone)]
struct Ear {
    said: Arc<Mutex<Vec<Said>>>,
    run: Arc<AtomicU32>,
    /// The end of what was heard on this connection, for a word that is cut in two.
    tail: String,
}

impl Ear {
    fn hear(&mut self, chunk: &[u8]) {
        const MEMBER: &str = "\"AppliedRole\":\"";
        self.tail.push_str(&String::from_utf8_lossy(chunk));
        let text = std::mem::take(&mut self.tail);
        let mut rest = text.as_str();
        while let Some((_, value)) = rest.split_once(MEMBER) {
            let Some((role, after)) = value.split_once('"') else { break };
            let run = self.run.load(Ordering::SeqCst);
            let acting = role == "Primary";
            self.said.lock().unwrap().push(Said { at: clock::now().uptime, run, acting });
            rest = after;
        }
        let kept = rest.char_indices().rev().nth(MEMBER.len() + 16).map_or(0, |(at, _)| at);
        self.tail = rest[kept..].to_owned();
    }
}

async fn serve(
    listener: TcpListener,
    endpoint: watch::Receiver<String>,
    ways: watch::Receiver<Ways>,
    ear: Ear,
) {
    // The connections end with the link.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((adapter, _)) = listener.accept() => {
                let (to, ways, ear) = (endpoint.borrow().clone(), ways.clone(), ear.clone());
                connections.spawn(connection(adapter, to, ways, ear));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// Passes on until one side has closed or a way is open again that had lost something.
async fn connection(adapter: TcpStream, to: String, ways: watch::Receiver<Ways>, ear: Ear) {
    let Ok(endpoint) = TcpStream::connect(to).await else { return };
    adapter.set_nodelay(true).ok();
    endpoint.set_nodelay(true).ok();
    let (from_adapter, to_adapter) = adapter.into_split();
    let (from_endpoint, to_endpoint) = endpoint.into_split();
    let out = pass(from_adapter, to_endpoint, ways.clone(), |ways| ways.to_endpoint, Some(ear));
    let back = pass(from_endpoint, to_adapter, ways, |ways| ways.to_adapter, None);
    tokio::select! {
        () = out => {}
        () = back => {}
    }
}

/// Passes on what goes one way, each piece no earlier than the way allows.
async fn pass(
    mut from: OwnedReadHalf,
    to: OwnedWriteHalf,
    ways: watch::Receiver<Ways>,
    which: fn(&Ways) -> Way,
    mut ear: Option<Ear>,
) {
    let (pieces, arriving) = mpsc::unbounded_channel();
    let read = async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            if let Some(ear) = &mut ear {
                ear.hear(&buffer[..length]);
            }
            if pieces.send((clock::now().uptime, buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    };
    // What was read before the end is still delivered.
    tokio::join!(read, deliver(arriving, to, ways, which));
}

async fn deliver(
    mut arriving: mpsc::UnboundedReceiver<(Uptime, Vec<u8>)>,
    mut to: OwnedWriteHalf,
    mut ways: watch::Receiver<Ways>,
    which: fn(&Ways) -> Way,
) {
    while let Some((at, piece)) = arriving.recv().await {
        loop {
            let way = which(&ways.borrow_and_update());
            let wait = match way {
                Way::Open => break,
                Way::Delayed(by) => (at + by).since(clock::now().uptime),
                Way::Held | Way::Lost => Duration::MAX,
            };
            if wait.is_zero() {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                changed = ways.changed() => if changed.is_err() { return },
            }
            if way == Way::Lost && which(&ways.borrow()) != Way::Lost {
                return;
            }
        }
        if to.write_all(&piece).await.is_err() {
            return;
        }
    }
}
