//! What may leave a Secondary's buffer: only what the Primary's gate is proved to have settled.

use std::time::Duration;

use super::continuity::STALL;
use crate::domain::{
    BootId, Coverage, DestinationKey, FailoverTimeout, GateCoverage, Membership, Order, Proof, Standing,
    Uptime,
};

/// When some requests were received, in one boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span<'a> {
    /// In which boot.
    pub boot: &'a BootId,
    /// The first of them, or as much earlier as what it carries may have been held back for longer than usual.
    pub first: Uptime,
    /// The last of them.
    pub last: Uptime,
}

/// How much younger or older than a sample of one collector the same of the other's may be: the hold-back, and T on
/// top, because a hold-back is an estimate, and a gate may have stood still for a moment without noticing.
#[must_use]
pub fn margin(timeout: FailoverTimeout, hold_back: Duration) -> Duration {
    hold_back + timeout.get().max(STALL)
}

/// What an answer proves, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What it says of the Primary's gate.
    pub proof: Proof,
    /// How far from the ends of its intervals one has to stay.
    pub margin: Duration,
    /// What was received before may be another source's.
    pub not_before: Uptime,
}

impl Evidence {
    /// Whether all of `span` is proved to have been settled by the Primary for the destination `key`.
    ///
    /// Only what was received before the question was sent, by more than the age of what the Primary has not
    /// settled; and not what may be older than what the Primary has seen. The ages were true at some moment between
    /// question and answer: the end of the interval is placed by the question, its begin by the answer. The tenth
    /// covers clocks that are 5 % off in opposite directions. Uptimes of another boot say nothing.
    #[must_use]
    pub fn covers(&self, span: &Span<'_>, key: &DestinationKey, boot: &BootId) -> bool {
        let Self { proof, margin, not_before } = self;
        let Some(ages) = proof.coverages.get(key).filter(|_| span.boot == boot) else { return false };
        // Where the machine has not run for so long, nothing it received is that old.
        let (youngest, oldest) = (proof.asked.since(span.last), proof.heard.since(span.first));
        span.first >= *not_before
            && span.last < proof.asked
            && less_a_tenth(youngest) > ages.oldest_unsettled.saturating_add(*margin)
            && oldest.saturating_add(*margin) < less_a_tenth(ages.covered_from)
    }
}

fn less_a_tenth(age: Duration) -> Duration {
    age - age / 10
}

/// The evidence that one answer after the other gives.
#[derive(Debug)]
pub struct Proofs {
    boot: BootId,
    used: Option<Proof>,
    /// The group whose proofs these are.
    membership: Option<Membership>,
    /// The last order that was seen.
    order: u64,
}

impl Proofs {
    /// The evidence of a run in `boot` that goes on from what the one before it `found` itself a member of.
    #[must_use]
    pub const fn new(found: Option<Membership>, boot: BootId) -> Self {
        Self { boot, used: None, membership: found, order: 0 }
    }

    /// The membership that `standing` shows, if it is another than was known: what was received before is what
    /// that group's source said, and proves nothing of this one's.
    pub fn has_moved(&mut self, standing: &Standing, now: Uptime) -> Option<Membership> {
        let group = standing.group.as_ref()?;
        if self.membership.as_ref().is_some_and(|membership| membership.group == *group) {
            return None;
        }
        let moved = self.membership.is_some().then_some(now);
        self.membership = Some(Membership { group: group.clone(), boot: self.boot.clone(), moved });
        self.membership.clone()
    }

    /// Whether the collector may have missed something by `order`: it is not to collect, or was not to by an order
    /// that was over before it was seen.
    pub fn is_interrupted(&mut self, order: &Order) -> bool {
        let before = std::mem::replace(&mut self.order, order.number);
        !order.collecting || order.number > before + 1
    }

    /// What `standing` proves that was not known before. Only who keeps what others may have settled has anything to
    /// take out.
    pub fn news(&mut self, standing: &Standing, order: &Order, hold_back: Duration) -> Option<Evidence> {
        if !order.buffering || standing.proof == self.used {
            return None;
        }
        self.used.clone_from(&standing.proof);
        let margin = margin(standing.group_timeout?, hold_back);
        let here = self.membership.as_ref().filter(|membership| membership.boot == self.boot);
        let moved = here.and_then(|membership| membership.moved);
        let not_before = moved.map_or_else(Uptime::default, |moved| moved + margin);
        Some(Evidence { proof: standing.proof.clone()?, margin, not_before })
    }
}

/// What the gate says of itself under `order`: only who may send settles anything.
#[must_use]
pub fn said(order: &Order, lanes: impl Iterator<Item = (DestinationKey, Option<Coverage>)>) -> GateCoverage {
    if !order.egress {
        return GateCoverage::new();
    }
    lanes.filter_map(|(key, coverage)| Some((key, coverage?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CoverageAges, Coverages, GroupId};

    #[test]
    fn only_what_is_proved_leaves_the_buffer() {
        const MARGIN: Duration = Duration::from_secs(20);
        let evidence =
            |proof: &Proof| Evidence { proof: proof.clone(), margin: MARGIN, not_before: Uptime::default() };
        let (boot, other) = (BootId::new("this"), BootId::new("another"));
        let key = |name| DestinationKey::parse(name).unwrap();
        // Asked at 1,000 s and answered at once; so many seconds were received without a break, and all but the last
        // so many are settled.
        let proof = |covered, unsettled| Proof {
            asked: at(1_000),
            heard: at(1_000),
            coverages: Coverages::from([(
                key("d"),
                CoverageAges {
                    covered_from: Duration::from_secs(covered),
                    oldest_unsettled: Duration::from_secs(unsettled),
                },
            )]),
        };
        let (settled, fresh, young) = (proof(300, 0), proof(30, 5), proof(19, 0));
        let slow = Proof { heard: at(1_010), ..proof(300, 5) };
        let proof = proof(300, 5);
        for (name, boot_of, first, last, proof, wanted) in [
            ("well inside", &boot, 800, 900, &proof, true),
            ("just old enough, on the fastest clock", &boot, 900, 972, &proof, true),
            ("too young by the margin", &boot, 900, 973, &proof, false),
            ("nothing waits at the Primary", &boot, 900, 977, &settled, true),
            ("the margin stays", &boot, 900, 978, &settled, false),
            ("just covered, on the slowest clock", &boot, 751, 900, &proof, true),
            ("older than what the Primary saw, with the margin", &boot, 750, 900, &proof, false),
            ("the answer took long: the interval may begin later", &boot, 760, 900, &slow, false),
            ("though not by more than that", &boot, 761, 900, &slow, true),
            ("before the Primary received", &boot, 600, 650, &proof, false),
            ("received after the question", &boot, 990, 1_001, &settled, false),
            ("a fresh Primary proves nothing yet", &boot, 900, 970, &fresh, false),
            ("a Primary younger than the margin", &boot, 900, 970, &young, false),
            ("another boot", &other, 800, 900, &proof, false),
        ] {
            let span = Span { boot: boot_of, first: at(first), last: at(last) };
            assert_eq!(evidence(proof).covers(&span, &key("d"), &boot), wanted, "{name}");
        }
        let span = Span { boot: &boot, first: at(800), last: at(900) };
        assert!(!evidence(&proof).covers(&span, &key("other"), &boot), "another destination's");
        let moved = Evidence { not_before: at(801), ..evidence(&proof) };
        assert!(!moved.covers(&span, &key("d"), &boot), "another source's");
    }

    fn at(secs: u64) -> Uptime {
        Uptime::new(Duration::from_secs(secs))
    }

    /// Proofs of a run in the boot `boot`, and what they say at some second of a standing in a group: whether the
    /// adapter has moved, and before when nothing is proved.
    fn run(found: Option<Membership>, boot: &str) -> impl FnMut(&str, u64) -> (Option<Membership>, Uptime) {
        let (mut proofs, mut asked) = (Proofs::new(found, BootId::new(boot)), 0);
        move |group, now| {
            asked += 1;
            let proof = Proof { asked: at(asked), heard: at(asked), coverages: Coverages::new() };
            let standing = Standing {
                group: Some(GroupId::new(group).unwrap()),
                group_timeout: Some(FailoverTimeout::DEFAULT),
                proof: Some(proof),
                ..Standing::default()
            };
            let order = Order { buffering: true, ..Order::default() };
            let moved = proofs.has_moved(&standing, at(now));
            let news = proofs.news(&standing, &order, Duration::from_secs(10));
            (moved, news.unwrap().not_before)
        }
    }

    #[test]
    fn who_came_from_another_group_has_what_its_source_said() {
        let mut at_group = run(None, "this");
        let (first, not_before) = at_group("one", 100);
        assert_eq!((first.unwrap().moved, not_before), (None, at(0)), "since the start, and before");
        let (moved, not_before) = at_group("two", 200);
        assert_eq!((moved.unwrap().moved, not_before), (Some(at(200)), at(270)), "it may still be handed in");
        assert_eq!(at_group("two", 300), (None, at(270)));
    }

    #[test]
    fn a_run_knows_of_which_group_the_one_before_was_a_member() {
        let moved =
            |at| Membership { group: GroupId::new("one").unwrap(), boot: BootId::new("this"), moved: at };
        let (always, late) = (Some(moved(None)), Some(moved(Some(at(100)))));
        assert_eq!(run(always.clone(), "this")("one", 200), (None, at(0)), "of the same");
        assert_eq!(run(late.clone(), "this")("one", 200), (None, at(170)), "it had just moved");
        assert_eq!(run(late, "that")("one", 200), (None, at(0)), "uptimes of another boot say nothing");
        let (moved, not_before) = run(always, "that")("two", 200);
        assert_eq!(
            (moved.unwrap().moved, not_before),
            (Some(at(200)), at(270)),
            "it moved while it was down"
        );
    }

    #[test]
    fn a_collector_that_was_not_to_collect_may_have_missed_something() {
        let mut proofs = Proofs::new(None, BootId::new("this"));
        let mut interrupted =
            |number, collecting| proofs.is_interrupted(&Order { number, collecting, ..Order::default() });
        assert!(!interrupted(1, true));
        assert!(!interrupted(2, true), "a Hot Secondary collects");
        assert!(interrupted(3, false), "a Cold one does not");
        assert!(!interrupted(4, true));
        assert!(interrupted(6, true), "what the order in between was nobody here has seen");
        assert!(!interrupted(6, true));
    }

    #[test]
    fn an_answer_is_used_once_and_only_by_who_keeps() {
        let proof = Proof { asked: Uptime::default(), heard: Uptime::default(), coverages: Coverages::new() };
        let standing = Standing {
            group_timeout: Some(FailoverTimeout::DEFAULT),
            proof: Some(proof),
            ..Standing::default()
        };
        let mut proofs = Proofs::new(None, BootId::new("this"));
        let mut news = |buffering| {
            let order = Order { buffering, ..Order::default() };
            proofs.news(&standing, &order, Duration::ZERO).is_some()
        };
        assert_eq!([false, true, true].map(&mut news), [false, true, false]);
    }

    #[test]
    fn the_margin_is_hold_back_and_t_and_no_shorter_than_a_stall_that_is_not_noticed() {
        let timeout = |millis| FailoverTimeout::new(Duration::from_millis(millis)).unwrap();
        let hold_back = Duration::from_secs(10);
        assert_eq!(margin(timeout(60_000), hold_back), Duration::from_secs(70));
        assert_eq!(margin(timeout(250), hold_back), Duration::from_secs(11));
    }
}
