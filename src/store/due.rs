//! Rows that are to be written once, although a commit that was said to have failed may be durable.

/// What is to be written, in order.
#[derive(Debug)]
pub struct Due<'a, R> {
    /// The rows.
    pub rows: &'a [R],
    /// How many of the first ones were in a commit that was said to have failed. They may be there all the same.
    pub doubted: usize,
}

impl<'a, R> Due<'a, R> {
    /// Rows that no commit had yet.
    #[must_use]
    pub const fn new(rows: &'a [R]) -> Self {
        Self { rows, doubted: 0 }
    }

    /// How many of the newest rows of the table have to be looked at: those that are doubted and, with them, some that
    /// somebody else wrote meanwhile.
    pub(super) fn looks_at(&self) -> i64 {
        const OF_OTHERS: usize = 100;
        i64::try_from(self.doubted + OF_OTHERS).unwrap_or(i64::MAX)
    }

    /// The rows that are not there yet. `found` are the newest rows of the table; a commit is kept whole or not at all,
    /// so with the last of ours that is among them all before it are there.
    pub(super) fn missing<F>(&self, found: &[F], is_same: impl Fn(&F, &R) -> bool) -> &'a [R] {
        let doubted = &self.rows[..self.doubted.min(self.rows.len())];
        let last = doubted.iter().rposition(|row| found.iter().any(|found| is_same(found, row)));
        &self.rows[last.map_or(0, |last| last + 1)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_doubted_is_looked_for_and_all_before_the_last_that_is_there_is_there() {
        let rows = [1, 2, 3, 4];
        for (doubted, found, missing) in [
            (0, &[2, 1][..], &rows[..]),
            (2, &[][..], &rows[..]),
            (2, &[9, 2, 1][..], &rows[2..]),
            (3, &[2, 1][..], &rows[2..]),
            (3, &[4][..], &rows[..]),
            (4, &[4][..], &rows[4..]),
        ] {
            let due = Due { rows: &rows, doubted };
            assert_eq!(due.missing(found, |found, row| found == row), missing, "{doubted} {found:?}");
        }
    }
}
