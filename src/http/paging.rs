//! What all histories read of a query: which kind, how many, from where on.

use super::kit::Query;
use crate::{
    domain::{Fault, Faults, Wall},
    store::HistoryQuery,
};

/// Rows of a page of history when nothing is said, and at the most.
pub(super) const PAGE: u16 = 100;
pub(super) const PAGE_LIMIT: i64 = 1_000;

/// A query that is read value by value; it remembers what is wrong with it.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    query: &'a Query,
    known: &'a [&'a str],
    faults: Faults,
}

/// What a history can be asked for by.
pub(super) const OF_HISTORY: [&str; 5] = ["from", "to", "kind", "limit", "cursor"];

impl<'a> Asked<'a> {
    /// A query that may have the parameters `known`.
    pub(super) fn new(query: &'a Query, known: &'a [&'a str]) -> Self {
        Self { query, known, faults: query.unknown(known) }
    }

    /// The value of `name`, if that is known; `right` says how it is written.
    pub(super) fn value<T>(
        &mut self,
        name: &str,
        right: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let written = self.query.get(name).filter(|_| self.known.contains(&name))?;
        let value = read(written);
        if value.is_none() {
            self.faults.push(Fault::new(name, "cannot be read", right));
        }
        value
    }

    /// The page of a history, which may be of one of `kinds`, whose words these are.
    pub(super) fn page<K: Copy>(&mut self, kinds: &[K], word: fn(K) -> &'static str) -> HistoryQuery<K> {
        let mut time = |name| self.value(name, "A time is written like 2026-01-31T08:00:00Z.", Wall::parse);
        let (from, to) = (time("from"), time("to"));
        let limit = self.value("limit", "limit is a whole number from 1 to 1000.", |text| {
            let limit = text.parse().ok().filter(|limit| (1..=PAGE_LIMIT).contains(limit))?;
            u16::try_from(limit).ok()
        });
        let before =
            self.value("cursor", "cursor is the NextCursor of the page before.", |text| text.parse().ok());
        let kind = self.query.get("kind").map(|said| {
            let known = kinds.iter().copied().find(|kind| word(*kind).eq_ignore_ascii_case(said));
            known.ok_or_else(|| {
                let words = kinds.iter().map(|kind| word(*kind)).collect::<Vec<_>>().join(", ");
                Fault::new("kind", "is not a kind of event", format!("The kinds are {words}."))
            })
        });
        let kind = kind.and_then(|kind| self.faults.take(kind));
        HistoryQuery { from, to, kind, before, limit: limit.unwrap_or(PAGE) }
    }

    /// `value`, if nothing is wrong with the query.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Faults> {
        self.faults.or(value)
    }
}
