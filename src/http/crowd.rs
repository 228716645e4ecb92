//! How many connections there may be: in all, and from one source.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections in all, where the system allows as many files: each costs some 20 KiB with TLS.
const MOST: usize = 16_384;

/// Files that the rest of the process needs: database, timers, calls of its own.
const OTHERS: usize = 256;

/// Connections of one source are never limited below this: a plant behind one address.
const LEAST_OF_A_SOURCE: usize = 1_000;

/// Who is connected.
#[derive(Debug)]
pub(super) struct Crowd {
    most: usize,
    most_of_a_source: usize,
    sources: Mutex<(usize, HashMap<IpAddr, usize>)>,
}

/// A connection that was let in, until it is dropped.
#[derive(Debug)]
pub(super) struct Admission {
    crowd: Arc<Crowd>,
    source: IpAddr,
}

impl Crowd {
    /// As many as the files that this process may open allow. It asks the system for all it may have.
    pub(super) fn of_this_process() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let wanted = u64::try_from(MOST + OTHERS).unwrap_or(u64::MAX);
        let wanted = maximum.map_or(wanted, |maximum| wanted.min(maximum));
        let mut files = current.unwrap_or(wanted);
        if files < wanted && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_ok() {
            files = wanted;
        }
        Self::new(usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHERS).clamp(64, MOST))
    }

    fn new(most: usize) -> Self {
        // A quarter is left for everybody else.
        let most_of_a_source = (most / 4 * 3).max(LEAST_OF_A_SOURCE).min(most);
        Self { most, most_of_a_source, sources: Mutex::default() }
    }

    /// How many are connected.
    pub(super) fn connected(&self) -> usize {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// A place for a connection from `source`, if there is one.
    pub(super) fn admit(self: &Arc<Self>, source: IpAddr) -> Option<Admission> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, of) = &mut *sources;
        let own = of.get(&source).copied().unwrap_or(0);
        if *all >= self.most || own >= self.most_of_a_source {
            return None;
        }
        *all += 1;
        of.insert(source, own + 1);
        Some(Admission { crowd: Arc::clone(self), source })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut sources = self.crowd.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, of) = &mut *sources;
        *all -= 1;
        if let Some(own) = of.get_mut(&self.source) {
            *own -= 1;
            if *own == 0 {
                of.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_leaves_places_for_others_and_gives_its_own_back() {
        let crowd = Arc::new(Crowd::new(4_000));
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let mut seats: Vec<Admission> = std::iter::from_fn(|| crowd.admit(one)).collect();
        assert_eq!(seats.len(), 3_000);
        let others: Vec<Admission> = std::iter::from_fn(|| crowd.admit(other)).collect();
        assert_eq!(others.len(), 1_000);
        seats.pop();
        assert!(crowd.admit(one).is_some());
        drop((seats, others));
        assert!(crowd.sources.lock().is_ok_and(|sources| sources.0 == 0 && sources.1.is_empty()));
    }

    #[test]
    fn a_thousand_connections_of_a_source_are_never_too_many_where_there_are_as_many() {
        for (most, of_a_source) in [(64, 64), (1_000, 1_000), (1_100, 1_000), (16_384, 12_288)] {
            assert_eq!(Crowd::new(most).most_of_a_source, of_a_source);
        }
    }
}
