//! What role and mode demand of the collector.

use std::time::Duration;

use super::{Acting, Epoch, Mode, Role, Standing, Uptime};

/// What the collector is to do. Permission to send is a deadline: read it with [`Order::at`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order {
    /// Tells orders apart: rises with each that demands something else. A deadline that moves is no other order.
    pub number: u64,
    /// Whether the collector runs.
    pub started: bool,
    /// Whether it reads its source.
    pub collecting: bool,
    /// Whether what it reads is kept back, until the other is proved to have delivered it.
    pub buffering: bool,
    /// Whether what it reads is sent.
    pub egress: bool,
    /// The role that demands it.
    pub role: Role,
    /// The mode that is applied.
    pub mode: Mode,
    /// The epoch to send under.
    pub epoch: Option<Epoch>,
    /// Until when it may send.
    pub acting: Acting,
}

impl Order {
    /// How long the end of a lease is not told where policy keeps the role past it: the registration says so in
    /// that moment, and nobody is to be stopped and started again in between.
    pub const KEPT_ROLE_GRACE: Duration = Duration::from_secs(1);

    /// What `standing` demands, as long as its permission to act lasts.
    ///
    /// A configuration that cannot be used has no mode: nothing is started then, because nobody knows what is
    /// wanted, and a Secondary that is Cold harms nobody.
    #[must_use]
    pub fn of(standing: &Standing) -> Self {
        let mode = match standing.role {
            Role::None => Mode::None,
            Role::Secondary | Role::Primary => standing.applied_mode.unwrap_or(Mode::Cold),
        };
        let order = Self { number: standing.order, mode, epoch: standing.epoch, ..Self::default() };
        match standing.role {
            Role::None | Role::Primary if standing.acting != Acting::No => Self {
                started: true,
                collecting: true,
                egress: true,
                role: standing.role,
                acting: standing.acting,
                ..order
            },
            Role::None => Self { role: Role::None, ..order },
            Role::Primary | Role::Secondary => order.standing_by(),
        }
    }

    /// The order at `now`: past its deadline, without anybody saying so, that of a Secondary.
    #[must_use]
    pub fn at(self, now: Uptime) -> Self {
        if self.egress && !self.acting.permits(now) { self.standing_by() } else { self }
    }

    /// What those are told at `now` who act on changes alone. It is the order at `now`, but for a moment after the
    /// end of a lease past which policy keeps the role.
    #[must_use]
    pub fn told(standing: &Standing, now: Uptime) -> Self {
        Self::of(standing).at(now - grace(standing))
    }

    /// When what is told becomes another without anybody saying so.
    #[must_use]
    pub fn told_until(standing: &Standing) -> Option<Uptime> {
        match standing.acting {
            Acting::Until(end) => Some(end + grace(standing)),
            Acting::No | Acting::Unbounded => None,
        }
    }

    /// The order once it is over, because a later one was given: it permits to send no more.
    #[must_use]
    pub fn over(self) -> Self {
        if self.egress { self.standing_by() } else { self }
    }

    fn standing_by(self) -> Self {
        Self {
            started: matches!(self.mode, Mode::Hot | Mode::Warm),
            collecting: self.mode == Mode::Hot,
            buffering: self.mode == Mode::Hot,
            egress: false,
            role: Role::Secondary,
            acting: Acting::No,
            ..self
        }
    }
}

fn grace(standing: &Standing) -> Duration {
    if standing.keeps_role { Order::KEPT_ROLE_GRACE } else { Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::EndpointLoss;

    fn order(role: Role, mode: Option<Mode>, acting: Acting) -> Order {
        Order::of(&Standing { role, applied_mode: mode, acting, ..Standing::default() })
    }

    /// Started, collecting, buffering, egress.
    fn demands(order: Order) -> [bool; 4] {
        [order.started, order.collecting, order.buffering, order.egress]
    }

    #[test]
    fn role_and_mode_demand_what_the_table_of_modes_says() {
        let until = Acting::Until(Uptime::new(Duration::from_secs(10)));
        for (role, mode, acting, wanted) in [
            (Role::Secondary, Some(Mode::Hot), Acting::No, [true, true, true, false]),
            (Role::Secondary, Some(Mode::Warm), Acting::No, [true, false, false, false]),
            (Role::Secondary, Some(Mode::Cold), Acting::No, [false, false, false, false]),
            (Role::Secondary, None, Acting::No, [false, false, false, false]),
            (Role::Primary, Some(Mode::Hot), until, [true, true, false, true]),
            (Role::Primary, Some(Mode::Warm), until, [true, true, false, true]),
            (Role::Primary, Some(Mode::Cold), Acting::Unbounded, [true, true, false, true]),
            (Role::None, None, Acting::Unbounded, [true, true, false, true]),
            (Role::None, Some(Mode::None), Acting::Unbounded, [true, true, false, true]),
            (Role::None, None, Acting::No, [false, false, false, false]),
        ] {
            assert_eq!(demands(order(role, mode, acting)), wanted, "{role} {mode:?} {acting:?}");
        }
    }

    #[test]
    fn where_policy_keeps_the_role_the_end_of_the_lease_is_told_a_moment_later() {
        let at = |millis| Uptime::new(Duration::from_millis(millis));
        for (policy, told_until) in [(EndpointLoss::StepDown, 10_000), (EndpointLoss::KeepRole, 11_000)] {
            let standing = Standing {
                role: Role::Primary,
                applied_mode: Some(Mode::Hot),
                acting: Acting::Until(at(10_000)),
                keeps_role: policy.keeps_role(false),
                ..Standing::default()
            };
            assert_eq!(Order::told_until(&standing), Some(at(told_until)), "{policy}");
            assert!(Order::told(&standing, at(told_until - 1)).egress, "{policy}");
            assert!(!Order::told(&standing, at(told_until)).egress, "{policy}");
            assert!(!Order::of(&standing).at(at(10_000)).egress, "who asks is told the truth");
        }
    }

    #[test]
    fn an_order_that_is_over_permits_nothing() {
        let hot = order(Role::Primary, Some(Mode::Hot), Acting::Unbounded);
        assert_eq!(demands(hot.over()), [true, true, true, false]);
        assert_eq!(hot.over().role, Role::Secondary);
        let alone = order(Role::None, None, Acting::Unbounded);
        assert_eq!(demands(alone.over()), [false, false, false, false]);
        let warm = order(Role::Secondary, Some(Mode::Warm), Acting::No);
        assert_eq!(warm.over(), warm);
    }

    #[test]
    fn past_its_deadline_an_order_is_that_of_a_secondary() {
        let at = |secs| Uptime::new(Duration::from_secs(secs));
        let hot = order(Role::Primary, Some(Mode::Hot), Acting::Until(at(10)));
        assert_eq!(hot.at(at(9)), hot);
        assert_eq!(demands(hot.at(at(10))), [true, true, true, false]);
        assert_eq!(hot.at(at(10)).role, Role::Secondary);
        let cold = order(Role::Primary, Some(Mode::Cold), Acting::Until(at(10)));
        assert_eq!(demands(cold.at(at(10))), [false, false, false, false]);
        let alone = order(Role::None, None, Acting::Unbounded);
        assert_eq!(alone.at(at(1_000_000)), alone);
    }
}
