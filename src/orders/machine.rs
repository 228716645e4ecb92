//! Decides when there is something to tell. Pure: `now` is a parameter.

use crate::domain::{Acting, Order, Standing, Uptime};

/// What one listener has been told.
#[derive(Debug, Clone, Default)]
pub struct Teller {
    told: Option<Order>,
    deadline: Option<Uptime>,
}

impl Teller {
    /// The order that `standing` comes to at `now`, if it demands something else than the one told last.
    /// A moved deadline is no other order.
    pub fn hear(&mut self, standing: &Standing, now: Uptime) -> Option<Order> {
        let order = Order::told(standing, now);
        self.deadline = Order::told_until(standing).filter(|end| *end > now);
        let told = self.told.replace(order);
        (told.map(demands) != Some(demands(order))).then_some(order)
    }

    /// When the order told last becomes another without anybody saying so.
    #[must_use]
    pub const fn deadline(&self) -> Option<Uptime> {
        self.deadline
    }
}

/// The order without what is no demand. An epoch is one to send under.
fn demands(order: Order) -> Order {
    Order { number: 0, acting: Acting::No, epoch: order.epoch.filter(|_| order.egress), ..order }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{EndpointLoss, Epoch, Mode, Role};

    fn at(seconds: u64) -> Uptime {
        Uptime::new(Duration::from_secs(seconds))
    }

    fn standing(order: u64, role: Role, acting: Acting) -> Standing {
        let (applied_mode, endpoint_loss) = (Some(Mode::Warm), EndpointLoss::StepDown);
        Standing { order, role, acting, applied_mode, endpoint_loss, ..Standing::default() }
    }

    #[test]
    fn each_change_is_told_once() {
        let mut teller = Teller::default();
        let secondary = standing(1, Role::Secondary, Acting::No);
        let primary = |until| standing(2, Role::Primary, Acting::Until(at(until)));
        let after = standing(3, Role::Secondary, Acting::No);
        for (name, heard, now, egress) in [
            ("the first", &secondary, 1, Some(false)),
            ("the same", &secondary, 2, None),
            ("a promotion", &primary(10), 3, Some(true)),
            ("a moved deadline", &primary(20), 4, None),
            ("before the old deadline", &primary(20), 10, None),
            ("before the deadline", &primary(20), 19, None),
            ("the deadline", &primary(20), 20, Some(false)),
            ("what was told already", &after, 21, None),
        ] {
            assert_eq!(teller.hear(heard, at(now)).map(|order| order.egress), egress, "{name}");
        }
        let epoch = Epoch::new(7);
        assert_eq!(teller.hear(&Standing { epoch, ..after }, at(22)), None, "it sends nothing");
        let acting = Standing { epoch, ..primary(40) };
        assert_eq!(teller.hear(&acting, at(23)).and_then(|order| order.epoch), epoch);
        let higher = Standing { epoch: Epoch::new(8), ..acting };
        assert_eq!(teller.hear(&higher, at(24)).and_then(|order| order.epoch), Epoch::new(8));
    }

    #[test]
    fn the_deadline_is_that_of_the_order_told_last() {
        let mut teller = Teller::default();
        teller.hear(&standing(1, Role::Primary, Acting::Until(at(10))), at(1));
        assert_eq!(teller.deadline(), Some(at(10)));
        teller.hear(&standing(1, Role::Primary, Acting::Until(at(12))), at(2));
        assert_eq!(teller.deadline(), Some(at(12)));
        teller.hear(&standing(1, Role::Primary, Acting::Until(at(12))), at(12));
        assert_eq!(teller.deadline(), None);
        teller.hear(&standing(2, Role::None, Acting::Unbounded), at(13));
        assert_eq!(teller.deadline(), None);
    }
}
