//! Judges what is in the sink: two writers permitted at once, epochs out of order, gaps.
//!
//! Only what is certain counts. An answer "permitted until …" was true at some moment between its question
//! and the write that followed, so a writer was permitted for certain from its first write of a tenure to
//! the last *question* that was answered so. A writer whose adapter is silent is permitted up to its last
//! write, unless that same run of the adapter was heard to say that it had stopped: then it was, and only
//! the writer did not know yet.

use std::time::Duration;

use client_failover::domain::Uptime;

use super::{link::Said, sink::Write};

/// A time in which one member was permitted for certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Which member.
    pub member: usize,
    /// Under which epoch.
    pub epoch: u64,
    /// From when.
    pub from: Uptime,
    /// Up to when. Before `from` if there was but one answer, which was true at some moment in between.
    pub to: Uptime,
}

/// A time in which nobody wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The last write before it.
    pub before: Write,
    /// The first write after it.
    pub after: Write,
}

impl Gap {
    /// How long it was.
    pub fn length(&self) -> Duration {
        self.after.at.since(self.before.at)
    }
}

/// What the judge found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// How many writes it looked at.
    pub writes: usize,
    /// Writes of writers whose adapter had said that it stopped, while they did not know yet.
    pub unknowing: usize,
    /// Two members that were permitted at once.
    pub overlaps: Vec<(Span, Span)>,
    /// Writes that came for certain after a write with a higher epoch: that one first.
    pub disorder: Vec<(Write, Write)>,
    /// Epochs that two members wrote with.
    pub shared_epochs: Vec<u64>,
    /// Times without a writer that were longer than asked for.
    pub gaps: Vec<Gap>,
}

impl Verdict {
    /// How many violations there are.
    pub fn violations(&self) -> usize {
        self.overlaps.len() + self.disorder.len() + self.shared_epochs.len()
    }

    /// Fails unless nobody acted beside another and epochs only rose.
    pub fn assert_sound(&self) {
        assert_eq!(self.violations(), 0, "{self:#?}");
    }
}

/// Judges `writes`, of members that `said` this, one list for each; gaps are reported from `least` on.
pub fn judge(writes: &[Write], said: &[Vec<Said>], least: Duration) -> Verdict {
    let all = writes.len();
    let mut writes: Vec<Write> =
        writes.iter().copied().filter(|write| !is_unknowing(write, &said[write.member])).collect();
    writes.sort_by_key(|write| write.at);
    let spans = spans(&writes, said.len());
    let gaps = writes.windows(2).map(|two| Gap { before: two[0], after: two[1] });
    Verdict {
        writes: all,
        unknowing: all - writes.len(),
        overlaps: overlaps(&spans),
        disorder: disorder(&writes),
        shared_epochs: shared_epochs(&spans),
        gaps: gaps.filter(|gap| gap.length() >= least).collect(),
    }
}

/// Whether the adapter had said that it stopped, after it gave the permission of this write.
fn is_unknowing(write: &Write, said: &[Said]) -> bool {
    let from = said.partition_point(|said| said.at <= write.asked);
    let heard = said[from..].iter().take_while(|said| said.at <= write.at);
    !write.answered && heard.into_iter().any(|said| said.run == write.run && !said.acting)
}

/// The times in which somebody was permitted for certain, by their beginning.
fn spans(writes: &[Write], members: usize) -> Vec<Span> {
    let mut spans = Vec::new();
    for member in 0..members {
        let mut last: Option<Write> = None;
        for write in writes.iter().filter(|write| write.member == member) {
            // A tenure may have ended and begun again between two questions that were far apart.
            let goes_on = last.is_some_and(|last| {
                (last.tenure, last.epoch) == (write.tenure, write.epoch) && write.asked <= last.deadline
            });
            match spans.last_mut() {
                Some(Span { to, .. }) if goes_on => *to = write.certain().max(*to),
                _ => spans.push(Span { member, epoch: write.epoch, from: write.at, to: write.certain() }),
            }
            last = Some(*write);
        }
    }
    spans.sort_by_key(|span| span.from);
    spans
}

fn overlaps(spans: &[Span]) -> Vec<(Span, Span)> {
    let mut found = Vec::new();
    let mut open: Vec<Span> = Vec::new();
    for span in spans {
        open.retain(|before| before.to > span.from);
        let others = open.iter().filter(|before| before.member != span.member && before.from < span.to);
        found.extend(others.map(|before| (*before, *span)));
        open.push(*span);
    }
    found
}

fn disorder(writes: &[Write]) -> Vec<(Write, Write)> {
    // The highest epoch up to each write.
    let mut highest: Vec<Write> = Vec::with_capacity(writes.len());
    for write in writes {
        let before = highest.last().copied().unwrap_or(*write);
        highest.push(if write.epoch > before.epoch { *write } else { before });
    }
    let mut found = Vec::new();
    for write in writes {
        let before = writes.partition_point(|other| other.at < write.certain());
        if let Some(higher) = before.checked_sub(1).map(|last| highest[last])
            && higher.epoch > write.epoch
        {
            found.push((higher, *write));
        }
    }
    found
}

fn shared_epochs(spans: &[Span]) -> Vec<u64> {
    let mut holders: Vec<(u64, usize)> = spans.iter().map(|span| (span.epoch, span.member)).collect();
    holders.sort_unstable();
    holders.dedup();
    holders.windows(2).filter(|two| two[0].0 == two[1].0).map(|two| two[0].0).collect()
}
