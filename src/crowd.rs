//! How many may be here at once: in all, and of one user or source, so that none of them takes every place.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::domain::{UserName, network};

/// Whose places are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    /// Of one user, wherever he is.
    User(UserName),
    /// Of one source, of whom nobody has said who he is.
    Source(IpAddr),
}

impl Who {
    /// `user`, or whoever is at `from` where nobody logs in.
    #[must_use]
    pub fn is(user: Option<&UserName>, from: IpAddr) -> Self {
        user.map_or_else(|| from.into(), |user| Self::User(user.clone()))
    }
}

impl From<IpAddr> for Who {
    fn from(address: IpAddr) -> Self {
        Self::Source(network(address))
    }
}

/// Who is here: how many in all, and of each.
type Present = (usize, HashMap<Who, usize>);

/// Places, and who has them.
#[derive(Debug)]
pub struct Crowd {
    most: usize,
    most_of_one: usize,
    present: Mutex<Present>,
}

/// One who was let in, until it is dropped.
#[derive(Debug)]
pub struct Admission {
    crowd: Arc<Crowd>,
    who: Who,
}

impl Crowd {
    /// Nobody yet, where there are `most` places, and so many for one user or source.
    #[must_use]
    pub fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        Arc::new(Self { most, most_of_one, present: Mutex::default() })
    }

    /// How many are here.
    #[must_use]
    pub fn present(&self) -> usize {
        self.lock().0
    }

    /// A place for that one, if there is one.
    #[must_use]
    pub fn admit(self: &Arc<Self>, who: impl Into<Who>) -> Option<Admission> {
        let who = who.into();
        let mut present = self.lock();
        let (all, of) = &mut *present;
        let own = of.get(&who).copied().unwrap_or(0);
        if *all >= self.most || own >= self.most_of_one {
            return None;
        }
        *all += 1;
        of.insert(who.clone(), own + 1);
        Some(Admission { crowd: Arc::clone(self), who })
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
        if let Some(own) = of.get_mut(&self.who) {
            *own -= 1;
            if *own == 0 {
                of.remove(&self.who);
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
    fn a_user_is_one_wherever_he_is_and_others_of_his_source_are_others() {
        let crowd = Crowd::new(10, 3);
        let here = |last| IpAddr::from([10, 0, 0, last]);
        let user = |name| UserName::new(name).unwrap();
        let (a, b) = (user("a"), user("b"));
        let seats: Vec<_> = (0..4).map(|last| crowd.admit(Who::is(Some(&a), here(last)))).collect();
        assert_eq!(seats.iter().filter(|seat| seat.is_some()).count(), 3);
        assert!(crowd.admit(Who::is(Some(&b), here(0))).is_some());
        assert!(crowd.admit(Who::is(None, here(0))).is_some());
    }

    #[test]
    fn all_names_of_this_machine_are_one_source() {
        let crowd = Crowd::new(10, 3);
        let of = |last| crowd.admit(IpAddr::from([127, 0, last, 1]));
        let seats = [of(0), of(1), of(255)];
        assert!(seats.iter().all(Option::is_some));
        assert!(of(2).is_none() && crowd.admit("::ffff:127.0.0.9".parse::<IpAddr>().unwrap()).is_none());
        assert!(crowd.admit(IpAddr::from([10, 0, 0, 1])).is_some());
    }
}
