//! How many connections there may be.

use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::crowd::Crowd;

/// Connections in all, where the system allows as many files: each costs some 20 KiB with TLS while it rests, and up to
/// 100 KiB while a head is read.
const MOST: usize = 16_384;

/// Files that the rest of the process needs: database, timers, calls of its own.
const OTHERS: usize = 256;

/// Connections of one source are never limited below this: a plant behind one address.
const LEAST_OF_A_SOURCE: usize = 1_000;

/// As many connections as the files that this process may open allow. It asks the system for all it may have.
pub(super) fn of_this_process() -> Arc<Crowd> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(MOST + OTHERS).unwrap_or(u64::MAX);
    let wanted = maximum.map_or(wanted, |maximum| wanted.min(maximum));
    let mut files = current.unwrap_or(wanted);
    if files < wanted && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_ok() {
        files = wanted;
    }
    let most = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHERS).clamp(64, MOST);
    Crowd::new(most, of_a_source(most))
}

/// A quarter is left for everybody else.
fn of_a_source(most: usize) -> usize {
    (most / 4 * 3).max(LEAST_OF_A_SOURCE).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_connections_of_a_source_are_never_too_many_where_there_are_as_many() {
        for (most, expected) in [(64, 64), (1_000, 1_000), (1_100, 1_000), (16_384, 12_288)] {
            assert_eq!(of_a_source(most), expected);
        }
    }
}
