//! Writes what waits: the one writer of the buffer, many requests to a commit.
//!
//! A request is answered once its commit is on disk. While one commit is being written, all that come gather for
//! the next, so that a commit costs each of them little however many they are. That something is settled is not waited
//! for by anybody, and shares a commit with what comes a little later.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{body::Held, lane::Lane, request::Request, ticket::Reserved};
use crate::{
    clock,
    domain::{Arrival, Block, BootId, Membership, Tally, Uptime},
    store::{Buffer, BufferChange, StoreError},
};

/// How many pieces of work one commit takes at the most.
const BATCH: usize = 1_024;

/// How large a block grows: what a promotion reads at a time.
const BLOCK_BYTES: usize = 1024 * 1024;

/// How long changes may wait that nobody waits for: what was settled within it is sent again after a crash.
const LAZY: Duration = Duration::from_millis(50);

/// How soon changes that could not be written are tried again.
const RETRY: Duration = Duration::from_millis(500);

/// The same, where they only tell when something arrived last: the next will tell it, too.
const RETRY_OF_ARRIVALS: Duration = Duration::from_secs(10);

/// Something to write.
#[derive(Debug)]
enum Work {
    /// A request that waits; whoever brought it is told when it is on disk.
    Keep(Box<Request>, Reserved, oneshot::Sender<Result<(), String>>),
    /// So many requests of a block are settled.
    Settled(Arc<Lane>, i64, u32),
    /// A block is over.
    Over(Arc<Lane>, i64),
    /// When something arrived last for a destination.
    Arrived(Arc<Lane>, Arrival),
    /// This adapter is a member of another group from now on.
    Joined(Membership),
    /// All that was asked for before is written, and then nothing more.
    Stop,
}

/// A handle to the keeper. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Keeper(mpsc::UnboundedSender<Work>);

/// The other end: what [`run`] works through.
#[derive(Debug)]
pub(super) struct Works(mpsc::UnboundedReceiver<Work>);

/// A keeper, and what it is asked for.
pub(super) fn keeper() -> (Keeper, Works) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Keeper(sender), Works(receiver))
}

impl Keeper {
    /// Writes a request down; returns when it is on disk.
    ///
    /// # Errors
    /// When it cannot be written; why.
    pub(super) async fn keep(&self, request: Request, reserved: Reserved) -> Result<(), String> {
        let (done, written) = oneshot::channel();
        self.say(Work::Keep(Box::new(request), reserved, done));
        written.await.unwrap_or_else(|_gone| Err("the server stops".to_owned()))
    }

    pub(super) fn settled(&self, lane: &Arc<Lane>, block: i64, settled: u32) {
        self.say(Work::Settled(Arc::clone(lane), block, settled));
    }

    pub(super) fn over(&self, lane: &Arc<Lane>, block: i64) {
        self.say(Work::Over(Arc::clone(lane), block));
    }

    /// Writes down when something arrived last; nobody waits for it.
    pub(super) fn arrived(&self, lane: &Arc<Lane>, arrival: Arrival) {
        self.say(Work::Arrived(Arc::clone(lane), arrival));
    }

    /// What is kept from now on is what another group's source said.
    pub(super) fn joined(&self, membership: Membership) {
        self.say(Work::Joined(membership));
    }

    /// Writes what was asked for so far, and ends.
    pub(super) fn stop(&self) {
        self.say(Work::Stop);
    }

    fn say(&self, work: Work) {
        // After the end nobody is answered any more; what was not written is sent again after the next start.
        self.0.send(work).ok();
    }
}

/// A block that is being put together, and who waits for it.
struct Growing {
    lane: Arc<Lane>,
    block: Block,
    content: Vec<u8>,
    kept: Vec<Kept>,
}

/// A request of a block, until the block is on disk.
struct Kept {
    reserved: Reserved,
    done: oneshot::Sender<Result<(), String>>,
    /// The memory of its body, of which the block has a copy.
    _held: Option<Held>,
}

/// A change that nobody waits for; of which lane, if it is one's.
type Change = (Option<Arc<Lane>>, BufferChange);

/// Writes until it is told to stop; gives the buffer back.
pub(super) async fn run(mut buffer: Buffer, mut works: Works, boot: BootId) -> Buffer {
    let mut batch = Vec::with_capacity(BATCH);
    let mut changes = Vec::new();
    // When changes are written that nobody waits for.
    let mut due: Option<Uptime> = None;
    loop {
        let receiving = works.0.recv_many(&mut batch, BATCH);
        let received = match due {
            Some(due) => timeout(due.since(clock::now().uptime), receiving).await.ok(),
            None => Some(receiving.await),
        };
        if received == Some(0) {
            return buffer;
        }
        let mut growing = Vec::new();
        let stop = gather(batch.drain(..), &mut growing, &mut changes, &boot);
        let now = clock::now().uptime;
        if growing.is_empty() && !stop && changes.len() < BATCH && now < *due.get_or_insert(now + LAZY) {
            continue;
        }
        if let Err(error) = write(&mut buffer, growing, &mut changes).await {
            tracing::error!(%error, "the egress buffer cannot be written");
        }
        let is_arrival = |(_, change): &Change| matches!(change, BufferChange::Arrived(..));
        let retry = if changes.iter().all(is_arrival) { RETRY_OF_ARRIVALS } else { RETRY };
        due = (!changes.is_empty()).then(|| clock::now().uptime + retry);
        if stop {
            return buffer;
        }
    }
}

/// Sorts the work into blocks and other changes. Tells whether to stop after it.
fn gather(
    batch: impl Iterator<Item = Work>,
    growing: &mut Vec<Growing>,
    changes: &mut Vec<Change>,
    boot: &BootId,
) -> bool {
    let mut stop = false;
    for work in batch {
        match work {
            Work::Keep(request, reserved, done) => add(growing, *request, reserved, done, boot),
            Work::Settled(lane, block, settled) => {
                changes.push((Some(lane), BufferChange::Settled(block, settled)));
            }
            Work::Over(lane, block) => changes.push((Some(lane), BufferChange::Remove(block))),
            Work::Arrived(lane, arrival) => {
                let change = BufferChange::Arrived(lane.id().to_owned(), arrival);
                // Where nothing can be written for long the last one is enough.
                changes.retain(|(of, other)| {
                    !matches!(other, BufferChange::Arrived(..))
                        || of.as_ref().is_none_or(|of| !Arc::ptr_eq(of, &lane))
                });
                changes.push((Some(lane), change));
            }
            Work::Joined(membership) => changes.push((None, BufferChange::Joined(membership))),
            Work::Stop => stop = true,
        }
    }
    stop
}

fn add(
    growing: &mut Vec<Growing>,
    request: Request,
    reserved: Reserved,
    done: oneshot::Sender<Result<(), String>>,
    boot: &BootId,
) {
    let (lane, since) = (Arc::clone(reserved.lane()), reserved.since());
    let sequence = lane.number();
    let last = growing.iter_mut().rev().find(|growing| Arc::ptr_eq(&growing.lane, &lane));
    let into = match last.filter(|last| last.content.len() < BLOCK_BYTES) {
        Some(last) => last,
        None => {
            let block = Block {
                id: 0,
                first_sequence: sequence,
                entries: 0,
                settled: 0,
                bytes: 0,
                boot: boot.clone(),
                first: request.arrival,
                last: request.arrival,
            };
            growing.push(Growing { lane, block, content: Vec::new(), kept: Vec::new() });
            let Some(new) = growing.last_mut() else { return };
            new
        }
    };
    request.encode(&mut into.content);
    // Requests are numbered as they are written, which need not be how they arrived.
    into.block.first.uptime = into.block.first.uptime.min(since);
    into.block.last.uptime = into.block.last.uptime.max(request.arrival.uptime);
    into.block.last.wall = request.arrival.wall;
    into.block.entries += 1;
    into.block.bytes = into.content.len() as u64;
    into.kept.push(Kept { reserved, done, _held: request.held });
}

/// Writes all of it in one commit. Blocks that cannot be written are given up, and those who wait for them told;
/// other changes stay to be tried again.
async fn write(
    buffer: &mut Buffer,
    mut growing: Vec<Growing>,
    changes: &mut Vec<Change>,
) -> Result<(), StoreError> {
    let mut all: Vec<_> = changes.iter().map(|(_, change)| change.clone()).collect();
    let others = all.len();
    all.extend(growing.iter_mut().flat_map(Growing::changes));
    let counts = tallies(changes, &growing);
    match buffer.write(&all, &counts).await {
        Ok(ids) => {
            changes.clear();
            ids.into_iter().zip(growing).for_each(|(id, growing)| growing.finish(id));
            Ok(())
        }
        Err(error) => {
            let is_alone = growing.is_empty();
            for Kept { done, .. } in growing.into_iter().flat_map(|growing| growing.kept) {
                done.send(Err(error.to_string())).ok();
            }
            // Where nothing more can be added, the disk being full, something can be taken out.
            let counts = tallies(changes, &[]);
            let settled = !is_alone && buffer.write(&all[..others], &counts).await.is_ok();
            // What is damaged cannot be taken out, and must not keep others from being added.
            if settled || error.is_damage() {
                changes.clear();
            }
            Err(error)
        }
    }
}

/// The counts of every lane of which something is written.
fn tallies(changes: &[Change], growing: &[Growing]) -> Vec<(String, Tally)> {
    let of_changes = changes.iter().filter_map(|(lane, _)| lane.as_ref());
    let lanes = of_changes.chain(growing.iter().map(|growing| &growing.lane));
    let tallies: HashMap<_, _> = lanes.map(|lane| (lane.id().to_owned(), lane.tally())).collect();
    tallies.into_iter().collect()
}

impl Growing {
    /// Its changes of the buffer: what makes room for it leaves, and it comes with all that it carries.
    fn changes(&mut self) -> Vec<BufferChange> {
        let over = self.kept.iter().flat_map(|kept| kept.reserved.over()).map(BufferChange::Remove);
        let content = std::mem::take(&mut self.content);
        over.chain([BufferChange::Append(self.lane.id().to_owned(), self.block.clone(), content)]).collect()
    }

    /// It is on disk, under this row.
    fn finish(self, id: i64) {
        let Self { lane, mut block, kept, .. } = self;
        block.id = id;
        let (reserved, told): (Vec<_>, Vec<_>) =
            kept.into_iter().map(|kept| (kept.reserved, kept.done)).unzip();
        lane.written(block, reserved);
        for done in told {
            // Whoever waited may have hung up; the request is kept all the same.
            done.send(Ok(())).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper::{HeaderMap, Method, body::Bytes};

    use super::*;
    use crate::{
        domain::{AccessDraft, ConfigurationId, DataEndpointDraft, Field, Mode, Order, Role, Standing},
        egress::body::{self, Memory, Unread},
    };

    #[tokio::test]
    async fn what_is_being_written_takes_its_memory_until_it_is_on_disk() {
        let memory = Memory::new(10);
        let body = async |text: &'static str| {
            body::read(Full::new(Bytes::from_static(text.as_bytes())), 100, &memory).await
        };
        let access = AccessDraft { endpoint: Field::Value("http://h".to_owned()), ..AccessDraft::default() };
        let draft = DataEndpointDraft { access, ..DataEndpointDraft::default() };
        let endpoint = draft.complete(None, ConfigurationId::new("d").unwrap()).unwrap();
        let hot = Standing { role: Role::Secondary, applied_mode: Some(Mode::Hot), ..Standing::default() };
        let (now, boot) = (clock::now(), BootId::new("this"));
        let lane = Arc::new(Lane::new("d", None, Duration::from_secs(10), &boot, now.uptime));
        let ticket = lane.enter(&Order::of(&hot), &endpoint, now).unwrap();

        let (body_read, held) = body("12345678").await.unwrap();
        let request = Request {
            arrival: now,
            method: Method::POST,
            target: String::new(),
            headers: HeaderMap::new(),
            body: body_read,
            held: Some(held),
        };
        let (done, written) = oneshot::channel();
        let (mut growing, mut changes) = (Vec::new(), Vec::new());
        let work = Work::Keep(Box::new(request), Reserved::new(ticket, 8, Vec::new()), done);
        gather([work].into_iter(), &mut growing, &mut changes, &boot);
        assert_eq!(body("123").await.unwrap_err(), Unread::NoMemory, "it is on its way to the disk");
        growing.into_iter().for_each(|growing| growing.finish(1));
        assert_eq!(written.await, Ok(Ok(())));
        assert!(body("123").await.is_ok());
    }
}
