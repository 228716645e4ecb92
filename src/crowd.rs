//! How many may be here at once: in all, and of one source, so that none of them takes every place.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::domain::network;

/// Who is here: how many in all, and of each source.
type Present = (usize, HashMap<IpAddr, usize>);

/// Places, and who has them.
#[derive(Debug)]
pub struct Crowd {
    most: usize,
    most_of_a_source: usize,
    present: Mutex<Present>,
}

/// One who was let in, until it is dropped.
#[derive(Debug)]
pub struct Admission {
    crowd: Arc<Crowd>,
    source: IpAddr,
}

impl Crowd {
    /// Nobody yet, where there are `most` places, and so many for one source.
    #[must_use]
    pub fn new(most: usize, most_of_a_source: usize) -> Arc<Self> {
        Arc::new(Self { most, most_of_a_source, present: Mutex::default() })
    }

    /// How many are here.
    #[must_use]
    pub fn present(&self) -> usize {
        self.lock().0
    }

    /// A place for one from that address, if there is one.
    #[must_use]
    pub fn admit(self: &Arc<Self>, from: IpAddr) -> Option<Admission> {
        let source = network(from);
        let mut present = self.lock();
        let (all, of) = &mut *present;
        let own = of.get(&source).copied().unwrap_or(0);
        if *all >= self.most || own >= self.most_of_a_source {
            return None;
        }
        *all += 1;
        of.insert(source, own + 1);
        Some(Admission { crowd: Arc::clone(self), source })
    }

    fn lock(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut present = self.crowd.lock();
        let (all, of) = &mut *present;
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
        let crowd = Crowd::new(4_000, 3_000);
        // A network of IPv6 addresses is one source.
        let one = |last: u16| IpAddr::from([0xfd00, 0, 0, 1, 9, 9, 9, last]);
        let mut seats: Vec<Admission> = (0..=u16::MAX).map_while(|last| crowd.admit(one(last))).collect();
        assert_eq!(seats.len(), 3_000);
        let other = IpAddr::from([10, 0, 0, 2]);
        let others: Vec<Admission> = std::iter::from_fn(|| crowd.admit(other)).collect();
        assert_eq!((others.len(), crowd.present()), (1_000, 4_000));
        seats.pop();
        assert!(crowd.admit(one(7)).is_some());
        drop((seats, others));
        assert!(crowd.lock().0 == 0 && crowd.lock().1.is_empty());
    }

    #[test]
    fn all_names_of_this_machine_are_one_source() {
        let crowd = Crowd::new(10, 3);
        let of = |last| crowd.admit(IpAddr::from([127, 0, last, 1]));
        let seats = [of(0), of(1), of(255)];
        assert!(seats.iter().all(Option::is_some));
        assert!(of(2).is_none() && crowd.admit("::ffff:127.0.0.9".parse().unwrap()).is_none());
        assert!(crowd.admit(IpAddr::from([10, 0, 0, 1])).is_some());
    }
}
