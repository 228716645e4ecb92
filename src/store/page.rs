//! Pages of what is kept for long, newest first.

use crate::domain::Wall;

/// Which rows of a history are asked for, of kinds `K`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery<K> {
    /// Not before.
    pub from: Option<Wall>,
    /// Before.
    pub to: Option<Wall>,
    /// Of this kind only.
    pub kind: Option<K>,
    /// Only rows written before the one with this number.
    pub before: Option<i64>,
    /// How many at the most.
    pub limit: u16,
}

impl<K> HistoryQuery<K> {
    /// Before which number, and from when until when, in microseconds.
    pub(super) fn bounds(&self) -> (i64, i64, i64) {
        let from = self.from.map_or(i64::MIN, Wall::micros);
        let to = self.to.map_or(i64::MAX, Wall::micros);
        (self.before.unwrap_or(i64::MAX), from, to)
    }
}

/// A page of rows, newest first. Its cursor stays good while rows are added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<R> {
    /// Its rows.
    pub rows: Vec<R>,
    /// What to give as `before` for the next page; `None` on the last one.
    pub next: Option<i64>,
}

/// How many rows a page of `limit` reads: one more than asked for tells whether there is a next page.
pub(super) fn reads(limit: u16) -> i64 {
    i64::from(limit) + 1
}

impl<R> Page<R> {
    /// The page of what was found for `limit`; `sequence` is a row's number.
    pub(super) fn cut(mut found: Vec<R>, limit: u16, sequence: impl Fn(&R) -> i64) -> Self {
        let more = found.len() > usize::from(limit);
        found.truncate(usize::from(limit));
        let next = found.last().filter(|_| more).map(sequence);
        Self { rows: found, next }
    }

    /// The same page, of what its rows mean.
    pub(super) fn read<M, E>(self, meaning: impl Fn(R) -> Result<M, E>) -> Result<Page<M>, E> {
        let rows = self.rows.into_iter().map(meaning).collect::<Result<_, _>>()?;
        Ok(Page { rows, next: self.next })
    }
}
