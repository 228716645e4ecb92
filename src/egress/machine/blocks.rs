//! What waits for one destination and is on disk, oldest first.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::{Block, BootId, Uptime, Wall};

/// The blocks of one destination, with what is asked of them often: how large they are, and how old the oldest is.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    queue: VecDeque<Block>,
    /// How much room all of them take.
    bytes: u64,
    /// When the first request of each was received. A block that was passed on first, in vain, is older than its turn.
    ages: BTreeMap<(Uptime, i64), Wall>,
}

impl Blocks {
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn push(&mut self, block: Block) {
        self.bytes += block.bytes;
        self.ages.insert((block.first.uptime, block.id), block.first.wall);
        self.queue.push_back(block);
    }

    /// A block that was taken out is in its place again.
    pub(super) fn put_back(&mut self, block: Block) {
        self.bytes += block.bytes;
        self.ages.insert((block.first.uptime, block.id), block.first.wall);
        let place = self.queue.partition_point(|known| known.id < block.id);
        self.queue.insert(place, block);
    }

    pub(super) fn front(&self) -> Option<&Block> {
        self.queue.front()
    }

    /// The first of them, as many as take no more room than `bytes`, but one at the least.
    pub(super) fn first(&self, bytes: u64) -> Vec<Block> {
        let mut sum = 0;
        let fits = |block: &&Block| {
            let is_first = sum == 0;
            sum += block.bytes;
            is_first || sum <= bytes
        };
        self.queue.iter().take_while(fits).cloned().collect()
    }

    /// The first open request of the block `id`, which is the front, is settled. Gives how many of it are now, and
    /// whether it is over; nothing if another is the front.
    pub(super) fn settle_front(&mut self, id: i64) -> Option<(u32, bool)> {
        let front = self.queue.front_mut().filter(|front| front.id == id)?;
        front.settled += 1;
        let (settled, over) = (front.settled, front.settled >= front.entries);
        if over {
            self.pop_front();
        }
        Some((settled, over))
    }

    pub(super) fn pop_front(&mut self) -> Option<Block> {
        let front = self.queue.pop_front()?;
        self.forget(&front);
        Some(front)
    }

    /// Takes out all that `are_over`.
    pub(super) fn take_out(&mut self, are_over: impl Fn(&Block) -> bool) -> Vec<Block> {
        let mut taken = Vec::new();
        for block in std::mem::take(&mut self.queue) {
            if are_over(&block) {
                self.forget(&block);
                taken.push(block);
            } else {
                self.queue.push_back(block);
            }
        }
        taken
    }

    /// When the oldest request was received. What waits since another boot is older than any uptime of `boot`; it is
    /// before all that came later.
    pub(super) fn oldest(&self, boot: &BootId) -> Option<Uptime> {
        let front = self.queue.front()?;
        let ((at, _), _) = self.ages.first_key_value()?;
        Some(if front.boot == *boot { *at } else { Uptime::default() })
    }

    /// The same, for people.
    pub(super) fn oldest_wall(&self) -> Option<Wall> {
        let front = self.queue.front()?;
        let (_, oldest) = self.ages.first_key_value()?;
        Some(front.first.wall.min(*oldest))
    }

    fn forget(&mut self, block: &Block) {
        self.bytes -= block.bytes;
        self.ages.remove(&(block.first.uptime, block.id));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::Now;

    fn blocks(blocks: &[(i64, &str, u32, u64)]) -> Blocks {
        let mut made = Blocks::default();
        for (id, boot, entries, first_s) in blocks {
            let wall = Wall::from_micros(i64::try_from(*first_s).unwrap());
            let first = Now { uptime: Uptime::new(Duration::from_secs(*first_s)), wall };
            let (boot, last) = (BootId::new(boot), first);
            made.push(Block {
                id: *id,
                first_sequence: 1,
                entries: *entries,
                settled: 0,
                bytes: 10,
                boot,
                first,
                last,
            });
        }
        made
    }

    fn oldest(blocks: &Blocks) -> Option<u64> {
        blocks.oldest(&BootId::new("this")).map(|at| at.since_boot().as_secs())
    }

    #[test]
    fn size_and_age_follow_what_comes_and_goes() {
        let mut blocks = blocks(&[(1, "other", 2, 900), (2, "this", 3, 204), (3, "this", 1, 201)]);
        assert_eq!((blocks.bytes(), oldest(&blocks)), (30, Some(0)), "older than any uptime of this boot");
        assert_eq!(blocks.settle_front(2), None, "it is not its turn");
        assert_eq!(blocks.settle_front(1), Some((1, false)));
        assert_eq!(blocks.settle_front(1), Some((2, true)));
        assert_eq!(
            (blocks.bytes(), oldest(&blocks)),
            (20, Some(201)),
            "the last was passed on first, in vain"
        );
        assert_eq!(blocks.oldest_wall(), Some(Wall::from_micros(201)));
        assert_eq!(blocks.take_out(|block| block.id == 3).len(), 1);
        assert_eq!((blocks.bytes(), oldest(&blocks)), (10, Some(204)));
        blocks.pop_front();
        assert_eq!((blocks.bytes(), oldest(&blocks), blocks.oldest_wall()), (0, None, None));
    }

    #[test]
    fn the_first_are_as_many_as_have_room_but_one_at_the_least() {
        let blocks = blocks(&[1, 2, 3, 4].map(|id| (id, "this", 1, 200)));
        let ids = |bytes| blocks.first(bytes).iter().map(|block| block.id).collect::<Vec<_>>();
        assert_eq!((ids(0), ids(10), ids(29), ids(99)), (vec![1], vec![1], vec![1, 2], vec![1, 2, 3, 4]));
    }
}
