//! Sends what waits for one destination, in order, while this adapter may.
//!
//! Order is kept where somebody may count on it. A collector that wants its requests in order waits for the answer to
//! one before it sends the next. All requests of a block had arrived before any of them was answered, since they were
//! answered by one commit; so nobody can have put them in order, and they are sent some at a time. A block
//! begins when the one before it is settled whole.

use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::{select, sync::watch, time::sleep};

use super::{
    forward::{Forwarder, Undelivered, unsettled},
    keeper::Keeper,
    lane::Lane,
    machine::{Settlement, retry_wait, settlement},
    request::Request,
    view::{View, retry_after},
};
use crate::{clock, domain::Block, store::BufferReader};

/// How much is read from the disk at a time, in bytes; a single block may be larger.
const READ_BYTES: u64 = 1024 * 1024;

/// After how many settled requests of a block that is written down.
const WRITE_EVERY: u32 = 64;

/// How soon a block that could not be read is read again.
const REREAD: Duration = Duration::from_secs(1);

/// How soon a view is looked at again whose permission has ended before anybody said so.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Sends for one lane until it is dropped.
pub(super) struct Sender {
    lane: Arc<Lane>,
    views: watch::Receiver<Arc<View>>,
    reader: BufferReader,
    keeper: Keeper,
    /// How many requests are sent at a time.
    at_once: NonZeroUsize,
    /// What was read and is not settled, oldest first.
    read: VecDeque<Loaded>,
    /// Whether blocks are read one by one, to find the one that is damaged.
    one_by_one: bool,
    /// How often in a row the destination did not settle something.
    attempts: u32,
}

/// What of a block is not settled.
struct Loaded {
    id: i64,
    requests: Vec<Request>,
    /// How each of them was settled, once it was; those before `next` are the lane's.
    outcomes: Vec<Option<(Settlement, u16)>>,
    next: usize,
}

/// What became of a request that was sent.
enum Sent {
    Settled(Settlement, u16),
    /// It is still ours; why, and the wait that the destination asks for.
    Open(String, Option<Duration>),
    /// The permission to send has ended.
    Over,
}

/// How a turn ended.
enum Turn {
    /// The block is settled.
    Done,
    /// The destination did not settle something.
    Open(String, Option<Duration>),
    /// What was read is not what waits any more, or nothing may be sent.
    Over,
}

impl Sender {
    pub(super) fn new(
        lane: Arc<Lane>,
        views: watch::Receiver<Arc<View>>,
        reader: BufferReader,
        keeper: Keeper,
        at_once: NonZeroUsize,
    ) -> Self {
        Self { lane, views, reader, keeper, at_once, read: VecDeque::new(), one_by_one: false, attempts: 0 }
    }

    /// Works until the gate is gone.
    pub(super) async fn run(mut self) {
        loop {
            let view = Arc::clone(&self.views.borrow_and_update());
            let Some((forwarder, tenure)) = view.sending(self.lane.id()) else {
                self.read.clear();
                self.attempts = 0;
                if self.views.changed().await.is_err() {
                    return;
                }
                continue;
            };
            if !tenure.permits() {
                sleep(LOOK_AGAIN).await;
                continue;
            }
            if self.read.is_empty() {
                let blocks = self.lane.first(if self.one_by_one { 0 } else { READ_BYTES });
                if blocks.is_empty() {
                    select! {
                        () = self.lane.waits.notified() => {}
                        changed = self.views.changed() => if changed.is_err() { return },
                    }
                } else if !self.load(&blocks).await {
                    sleep(REREAD).await;
                }
                continue;
            }
            match self.send_front(&view, &forwarder).await {
                Turn::Done => drop(self.read.pop_front()),
                Turn::Over => self.read.clear(),
                Turn::Open(why, asked) => self.wait(&why, asked).await,
            }
        }
    }

    /// Reads blocks; tells whether they could be read. One that is damaged is given up.
    async fn load(&mut self, blocks: &[Block]) -> bool {
        let mut contents = match self.reader.contents(self.lane.id(), blocks).await {
            Ok(contents) => contents,
            Err(error) if error.is_damage() && !std::mem::replace(&mut self.one_by_one, true) => return true,
            Err(error) if error.is_damage() => HashMap::new(),
            Err(error) => {
                tracing::error!(%error, "what waits for {:?} cannot be read; it is tried again", self.lane.id());
                return false;
            }
        };
        for block in blocks {
            match contents.remove(&block.id).and_then(|content| Loaded::read(block, &content)) {
                Some(loaded) => self.read.push_back(loaded),
                None if self.read.is_empty() => self.give_up(block.id),
                // It is looked at again when it is the first.
                None => break,
            }
        }
        true
    }

    /// A block that is damaged is lost, and blocks nothing.
    fn give_up(&mut self, block: i64) {
        tracing::error!(block, "what waits for {:?} is damaged, and is given up", self.lane.id());
        self.lane.give_up_front(block);
        self.keeper.over(&self.lane, block);
        self.one_by_one = false;
    }

    /// The destination did not settle something: it is asked again, a little later each time.
    async fn wait(&mut self, why: &str, asked: Option<Duration>) {
        self.lane.fails(why);
        let wait = retry_wait(self.attempts, asked);
        self.attempts += 1;
        select! {
            () = sleep(wait) => {}
            // Another destination or another order: no reason to wait any longer.
            _ = self.views.changed() => {}
        }
    }

    /// Sends what is not settled of the first block, some at a time: one while the destination settles nothing.
    async fn send_front(&mut self, view: &View, forwarder: &Forwarder) -> Turn {
        let Some(Loaded { id, requests, outcomes, next }) = self.read.front_mut() else { return Turn::Over };
        let mut due = (*next..requests.len()).filter(|index| outcomes[*index].is_none()).collect::<Vec<_>>();
        due.reverse();
        let (mut flying, mut open) = (FuturesUnordered::new(), None);
        loop {
            let most = if self.attempts == 0 { self.at_once.get() } else { 1 };
            while open.is_none()
                && flying.len() < most
                && let Some(index) = due.pop()
            {
                let request = &requests[index];
                flying.push(async move { (index, send(request, view, forwarder).await) });
            }
            match flying.next().await {
                None => break,
                Some((_, Sent::Over)) => return Turn::Over,
                // Those that are under way are waited for: what they come to need not be sent again.
                Some((_, Sent::Open(why, asked))) => open = open.or(Some(Turn::Open(why, asked))),
                Some((index, Sent::Settled(settled, status))) => {
                    self.attempts = 0;
                    outcomes[index] = Some((settled, status));
                }
            }
            while let Some(Some((settled, status))) = outcomes.get(*next) {
                let Some((count, over)) = self.lane.settle_front(*id, *settled, *status, clock::now()) else {
                    return Turn::Over;
                };
                *next += 1;
                if over {
                    self.keeper.over(&self.lane, *id);
                } else if count % WRITE_EVERY == 0 {
                    self.keeper.settled(&self.lane, *id, count);
                }
            }
        }
        open.unwrap_or(Turn::Done)
    }
}

impl Loaded {
    /// What `content` has of a block; nothing where it is damaged.
    fn read(block: &Block, content: &[u8]) -> Option<Self> {
        let (mut rest, mut requests) = (content, Vec::new());
        while let Some(request) = Request::decode(&mut rest) {
            requests.push(request);
        }
        let whole = requests.len() == usize::try_from(block.entries).ok()?;
        let next = usize::try_from(block.settled).ok()?;
        whole.then(|| Self { id: block.id, outcomes: vec![None; requests.len()], requests, next })
    }
}

async fn send(request: &Request, view: &View, forwarder: &Forwarder) -> Sent {
    match forwarder.send(request, view.stamp()).await {
        Ok(answer) => match settlement(answer.status().as_u16()) {
            Settlement::Open => Sent::Open(unsettled(answer.status()), retry_after(answer.headers())),
            settled @ (Settlement::Acknowledged | Settlement::Refused) => {
                Sent::Settled(settled, answer.status().as_u16())
            }
        },
        // It was sendable when it was taken; the base has changed since.
        Err(Undelivered::BadTarget) => Sent::Settled(Settlement::Refused, 0),
        Err(Undelivered::Over) => Sent::Over,
        Err(Undelivered::Failed(why)) => Sent::Open(why, None),
    }
}
