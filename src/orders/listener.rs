//! Waits for the next order.

use std::{io, sync::Arc};

use tokio::sync::watch;

use super::machine::Teller;
use crate::{
    clock::{self, Alarm},
    crowd::{Admission, Crowd, Who},
    domain::{Order, Reason, Standing},
};

/// Listeners at the same time, and of one user or source: each holds a connection and a timer, and an adapter has few
/// collectors.
const MOST_LISTENERS: usize = 96;
const MOST_LISTENERS_OF_ONE: usize = 64;

/// Too many listen already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{MOST_LISTENERS} listen to the order, or {MOST_LISTENERS_OF_ONE} for this user or from there, and there is no place for another"
)]
pub struct TooManyListeners;

/// Where the order is heard. Clones share it.
#[derive(Debug, Clone)]
pub struct Orders {
    standing: watch::Receiver<Standing>,
    places: Arc<Crowd>,
}

/// Something that a listener hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The order demands something else.
    Order(Order),
    /// The order with this number demands nothing else.
    Same(u64),
}

/// One who listens. Dropping it gives its place free.
#[derive(Debug)]
pub struct Listener {
    standing: watch::Receiver<Standing>,
    teller: Teller,
    alarm: Alarm,
    /// The number of the order heard last; empty before the first.
    number: Option<u64>,
    _place: Option<Admission>,
}

impl Orders {
    /// The orders that this standing comes to.
    #[must_use]
    pub fn new(standing: watch::Receiver<Standing>) -> Self {
        Self { standing, places: Crowd::new(MOST_LISTENERS, MOST_LISTENERS_OF_ONE) }
    }

    /// The order at this moment.
    #[must_use]
    pub fn now(&self) -> Order {
        Order::of(&self.standing.borrow()).at(clock::now().uptime)
    }

    /// Begins to listen, for `who`; the present order is heard first.
    ///
    /// # Errors
    /// When there are too many listeners, or the system has no timer left; then nobody is told that the
    /// deadline has passed.
    pub fn listen(&self, who: Who) -> Result<Listener, TooManyListeners> {
        let place = self.places.admit(who).ok_or(TooManyListeners)?;
        let alarm = Alarm::new().map_err(|error| {
            tracing::error!(%error, "no timer can be had for another listener");
            TooManyListeners
        })?;
        Ok(Listener { _place: Some(place), ..self.listener(alarm) })
    }

    /// A listener of our own, which needs no place.
    pub(super) fn listen_always(&self) -> io::Result<Listener> {
        Ok(self.listener(Alarm::new()?))
    }

    /// How many listen.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.places.present()
    }

    fn listener(&self, alarm: Alarm) -> Listener {
        let mut standing = self.standing.clone();
        standing.mark_changed();
        Listener { standing, teller: Teller::default(), alarm, number: None, _place: None }
    }
}

impl Listener {
    /// What is heard next; before the registration knows what it is to do, nothing. `None` once there will be no other order, because the registration has ended.
    ///
    /// Dropping the wait loses nothing.
    ///
    /// # Errors
    /// When the system refuses the timer.
    pub async fn next(&mut self) -> io::Result<Option<Heard>> {
        loop {
            let deadline = self.teller.deadline();
            let over = tokio::select! {
                changed = self.standing.changed() => changed.is_err(),
                woken = self.alarm.until(deadline.unwrap_or_default()), if deadline.is_some() => {
                    woken?;
                    false
                }
            };
            if over {
                return Ok(None);
            }
            let standing = self.standing.borrow_and_update();
            if standing.reason.is_none_or(|reason| reason == Reason::Started) {
                continue;
            }
            let number = standing.order;
            let order = self.teller.hear(&standing, clock::now().uptime);
            drop(standing);
            let other = self.number.replace(number) != Some(number);
            match order {
                Some(order) => return Ok(Some(Heard::Order(order))),
                None if other => return Ok(Some(Heard::Same(number))),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        time::Duration,
    };

    use super::*;
    use crate::domain::{Acting, EndpointLoss, Mode, Role, UserName};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn primary(order: u64, acting: Acting) -> Standing {
        Standing {
            order,
            role: Role::Primary,
            reason: Some(Reason::ToldPrimary),
            applied_mode: Some(Mode::Hot),
            acting,
            endpoint_loss: EndpointLoss::StepDown,
            ..Standing::default()
        }
    }

    #[tokio::test]
    async fn the_deadline_is_heard_when_it_passes_although_nobody_publishes() {
        let end = clock::now().uptime + Duration::from_millis(150);
        let published = watch::Sender::new(primary(4, Acting::Until(end)));
        let mut listener = Orders::new(published.subscribe()).listen(HERE.into()).unwrap();
        let Ok(Some(Heard::Order(first))) = listener.next().await else {
            panic!("the present order is first")
        };
        assert!(first.egress && clock::now().uptime < end);
        let Ok(Some(Heard::Order(second))) = listener.next().await else { panic!("then the deadline") };
        assert!(clock::now().uptime >= end);
        assert_eq!((second.egress, second.buffering, second.role), (false, true, Role::Secondary));
        assert_eq!(second.acting, Acting::No);
    }

    #[tokio::test]
    async fn a_moved_deadline_is_silence_and_the_end_of_the_registration_is_the_end() {
        let end = clock::now().uptime + Duration::from_secs(600);
        let published = watch::Sender::new(primary(4, Acting::Until(end)));
        let orders = Orders::new(published.subscribe());
        let mut listener = orders.listen(HERE.into()).unwrap();
        assert!(matches!(listener.next().await, Ok(Some(Heard::Order(_)))));
        published.send_replace(primary(4, Acting::Until(end + Duration::from_secs(1))));
        published.send_replace(primary(5, Acting::Until(end)));
        assert_eq!(listener.next().await.unwrap(), Some(Heard::Same(5)));
        drop(published);
        assert_eq!(listener.next().await.unwrap(), None);
        assert_eq!(orders.listeners(), 1);
        drop(listener);
        assert_eq!(orders.listeners(), 0);
    }

    #[tokio::test]
    async fn there_are_so_many_places_and_nobody_takes_them_all() {
        let published = watch::Sender::new(Standing::default());
        let orders = Orders::new(published.subscribe());
        let of = |who: &str| orders.listen(Who::is(Some(&UserName::new(who).unwrap()), HERE));
        let mut listeners: Vec<_> = (0..MOST_LISTENERS_OF_ONE).map(|_| of("a").unwrap()).collect();
        assert_eq!(of("a").err(), Some(TooManyListeners));
        let others: Vec<_> = std::iter::from_fn(|| of("b").ok()).collect();
        assert_eq!(others.len(), MOST_LISTENERS - MOST_LISTENERS_OF_ONE);
        listeners.pop();
        assert!(of("c").is_ok());
        assert!(orders.listen_always().is_ok());
    }
}
