//! Sends what waits for one destination, in order, while this adapter may.

use std::{collections::VecDeque, sync::Arc};

use tokio::{
    select,
    sync::watch,
    time::{Duration, sleep},
};

use super::{
    forward::{Forwarder, Undelivered},
    keeper::Keeper,
    lane::Lane,
    machine::{Settlement, retry_wait, settlement},
    request::Request,
    view::{View, retry_after},
};
use crate::{clock, domain::Block, store::BufferReader};

/// After how many settled requests that is written down; what a crash sends again at the most.
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
    /// The block that was read, and what of it is not settled.
    loaded: Option<(i64, VecDeque<Request>)>,
    attempts: u32,
}

impl Sender {
    pub(super) fn new(
        lane: Arc<Lane>,
        views: watch::Receiver<Arc<View>>,
        reader: BufferReader,
        keeper: Keeper,
    ) -> Self {
        Self { lane, views, reader, keeper, loaded: None, attempts: 0 }
    }

    /// Works until the gate is gone.
    pub(super) async fn run(mut self) {
        loop {
            let view = Arc::clone(&self.views.borrow_and_update());
            let Some((forwarder, tenure)) = view.sending(self.lane.id()) else {
                self.loaded = None;
                self.attempts = 0;
                if self.views.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let Some(block) = self.lane.front() else {
                select! {
                    () = self.lane.waits.notified() => {}
                    changed = self.views.changed() => if changed.is_err() { return },
                }
                continue;
            };
            if !tenure.permits() {
                sleep(LOOK_AGAIN).await;
            } else if self.load(&block).await {
                self.send_front(&view, &forwarder, block.id).await;
            } else {
                sleep(REREAD).await;
            }
        }
    }

    /// Reads a block, unless it is the one that was read. Tells whether there is something to send.
    async fn load(&mut self, block: &Block) -> bool {
        if self.loaded.as_ref().is_some_and(|(id, requests)| *id == block.id && !requests.is_empty()) {
            return true;
        }
        self.loaded = None;
        let content = match self.reader.content(block.id).await {
            Ok(content) => content.unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, "what waits for {:?} cannot be read; it is tried again", self.lane.id());
                return false;
            }
        };
        let (mut rest, mut requests) = (content.as_slice(), VecDeque::new());
        while let Some(request) = Request::decode(&mut rest) {
            requests.push_back(request);
        }
        if requests.len() != usize::try_from(block.entries).unwrap_or(usize::MAX) {
            tracing::error!(
                block = block.id,
                "what waits for {:?} is damaged, and is given up",
                self.lane.id()
            );
            self.lane.give_up_front(block.id, clock::now().uptime);
            self.keeper.over(&self.lane, block.id);
            return false;
        }
        requests.drain(..usize::try_from(block.settled).unwrap_or(0).min(requests.len()));
        self.loaded = Some((block.id, requests));
        true
    }

    /// Sends the first that waits, once.
    async fn send_front(&mut self, view: &View, forwarder: &Forwarder, block: i64) {
        let Some((_, requests)) = self.loaded.as_mut() else { return };
        let Some(request) = requests.front() else { return };
        let (settled, status, why, asked) = match forwarder.send(request, view.stamp()).await {
            Ok(answer) => {
                let status = answer.status();
                let why = format!("it answers {status}");
                (settlement(status.as_u16()), status.as_u16(), why, retry_after(answer.headers()))
            }
            // It was sendable when it was taken; the base has changed since.
            Err(Undelivered::BadTarget) => (Settlement::Refused, 0, String::new(), None),
            Err(Undelivered::Over) => return,
            Err(Undelivered::Failed(why)) => (Settlement::Open, 0, why, None),
        };
        if settled == Settlement::Open {
            self.lane.set_outage(Some(&why));
            let wait = retry_wait(self.attempts, asked);
            self.attempts += 1;
            select! {
                () = sleep(wait) => {}
                // Another destination or another order: no reason to wait any longer.
                _ = self.views.changed() => {}
            }
            return;
        }
        self.attempts = 0;
        // In the meantime it may have made room for another.
        let Some((count, over)) = self.lane.settle_front(block, settled, status) else {
            self.loaded = None;
            return;
        };
        requests.pop_front();
        if over {
            self.loaded = None;
            self.keeper.over(&self.lane, block);
        } else if count % WRITE_EVERY == 0 {
            self.keeper.settled(&self.lane, block, count);
        }
    }
}
