//! What the egress gates of both sides saw of a hand-over.

use std::time::Duration;

use super::{Epoch, GroupReason, LastAct, Now, Receipt, SessionId};

/// What a gate has delivered since it was permitted to, until all that waited then was settled or it was permitted no
/// more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deliveries {
    /// Under which epoch; empty outside of a group.
    pub epoch: Option<Epoch>,
    /// Since when it was permitted to.
    pub since: Now,
    /// When a destination acknowledged something first.
    pub first: Option<Now>,
    /// How many requests were sent that had waited: the other side may have delivered the same.
    pub resent: u64,
    /// How many it had dropped for space, before it was permitted to.
    pub dropped: u64,
}

/// The last hand-over from or to this adapter, as far as it knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOver {
    /// The new Primary's epoch.
    pub epoch: Epoch,
    /// The old Primary.
    pub from: SessionId,
    /// The new one.
    pub to: SessionId,
    /// Why.
    pub cause: GroupReason,
    /// The time in which nobody acted, in microseconds; below zero where both did.
    pub gap_us: i64,
    /// How it is known when the old one acted last.
    pub last_act: LastAct,
    /// When the gate of the old one delivered last, as far as it had said.
    pub last_delivered: Option<Now>,
    /// What the gate of the new one delivered, if that is this adapter; empty until it has counted to the end.
    pub deliveries: Option<Deliveries>,
}

impl HandOver {
    /// What `receipt`, which has just arrived, says.
    #[must_use]
    pub fn new(receipt: &Receipt, now: Now) -> Self {
        let ago = |ago: Duration| Now { uptime: now.uptime - ago, wall: now.wall.minus(ago) };
        Self {
            epoch: receipt.epoch,
            from: receipt.from.clone(),
            to: receipt.to.clone(),
            cause: receipt.cause,
            gap_us: receipt.gap_us(),
            last_act: receipt.last_act,
            last_delivered: receipt.last_delivered_ago.map(ago),
            deliveries: None,
        }
    }

    /// The time in which nothing was delivered, in microseconds; below zero where both delivered.
    #[must_use]
    pub fn delivery_gap_us(&self) -> Option<i64> {
        let (last, first) = (self.last_delivered?.uptime, self.deliveries?.first?.uptime);
        let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Some(if first < last { -micros(last.since(first)) } else { micros(first.since(last)) })
    }
}

impl Deliveries {
    /// What was delivered, as a sentence without its full stop. `receipt` is that of the same hand-over, if there is
    /// one.
    #[must_use]
    pub fn sentence(&self, receipt: Option<&HandOver>) -> String {
        let gap = receipt.and_then(|receipt| Some((receipt, receipt.delivery_gap_us()?)));
        let when = match (gap, self.first) {
            (Some((receipt, gap)), _) => {
                let (span, from) = (Duration::from_micros(gap.unsigned_abs()), &receipt.from);
                let side = if gap < 0 { "before" } else { "after" };
                let known = receipt.last_act.as_far_as_known();
                format!(
                    "the gate delivered first {} {side} that of {from} delivered last{known}",
                    millis(span)
                )
            }
            (None, Some(first)) => {
                let span = first.uptime.since(self.since.uptime);
                format!("the gate delivered first {} after it was permitted to", millis(span))
            }
            (None, None) => "the gate delivered nothing".to_owned(),
        };
        let Self { resent, dropped, .. } = self;
        format!("{when}; sent again from the buffer: {resent}, dropped for space before: {dropped}")
    }
}

/// A span, for a sentence.
pub(super) fn millis(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Uptime, Wall};

    fn at(millis: u64) -> Now {
        Now { uptime: Uptime::new(Duration::from_millis(millis)), wall: Wall::default() }
    }

    #[test]
    fn a_sentence_says_what_is_known() {
        let deliveries =
            Deliveries { epoch: Epoch::new(7), since: at(900), first: Some(at(950)), resent: 3, dropped: 1 };
        let receipt = |known, ago: Option<u64>| {
            HandOver::new(
                &Receipt {
                    epoch: Epoch::new(7).unwrap(),
                    from: SessionId::new("a").unwrap(),
                    to: SessionId::new("b").unwrap(),
                    cause: GroupReason::OperatorAsked,
                    last_act: known,
                    last_act_ago: Duration::from_millis(120),
                    first_act_ago: Duration::from_millis(100),
                    last_delivered_ago: ago.map(Duration::from_millis),
                },
                at(1_000),
            )
        };
        let said = |receipt: Option<HandOver>, deliveries: Deliveries| {
            let receipt = receipt.map(|receipt| HandOver { deliveries: Some(deliveries), ..receipt });
            deliveries.sentence(receipt.as_ref())
        };
        let counts = "; sent again from the buffer: 3, dropped for space before: 1";
        let none = Deliveries { first: None, ..deliveries };
        for (receipt, deliveries, wanted) in [
            (
                Some(receipt(LastAct::Said, Some(130))),
                deliveries,
                "the gate delivered first 80.0 ms after that of a delivered last",
            ),
            (
                Some(receipt(LastAct::LastHeartbeat, Some(40))),
                deliveries,
                "the gate delivered first 10.0 ms before that of a delivered last, as far as that had said",
            ),
            (
                Some(receipt(LastAct::Said, None)),
                deliveries,
                "the gate delivered first 50.0 ms after it was permitted to",
            ),
            (None, deliveries, "the gate delivered first 50.0 ms after it was permitted to"),
            (Some(receipt(LastAct::Said, Some(130))), none, "the gate delivered nothing"),
        ] {
            assert_eq!(said(receipt, deliveries), format!("{wanted}{counts}"));
        }
    }
}
