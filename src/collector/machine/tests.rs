//! Situations of a collector, each with what must come of it.

use super::*;
use crate::domain::{
    AdapterState, CollectorCommand, Epoch, FailoverScore, FailoverTimeout, Mode, OrderSignal, Restarts,
    StopSignal, Variables, Wall,
};

const T: Duration = Duration::from_secs(10);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

fn settings(on_order: OnOrder) -> CollectorSettings {
    CollectorSettings {
        command: CollectorCommand::new(vec!["telegraf".to_owned()]).unwrap(),
        working_dir: None,
        user: None,
        env: Variables::default(),
        stop_signal: StopSignal::Term,
        stop_timeout: STOP_TIMEOUT,
        restarts: Restarts { backoff: Duration::from_secs(1), limit: 2, window: Duration::from_secs(60) },
        on_order,
        order_signal: None,
    }
}

/// A machine and its time; what it does is taken out by the tests.
struct Site {
    machine: Machine,
    millis: u64,
    order: u64,
    done: Vec<Effect>,
}

impl Site {
    fn new(on_order: OnOrder) -> Self {
        Self { machine: Machine::new(settings(on_order)), millis: 1_000_000, order: 0, done: Vec::new() }
    }

    fn at(millis: u64) -> Uptime {
        Uptime::new(Duration::from_millis(millis))
    }

    fn now(&self) -> Uptime {
        Self::at(self.millis)
    }

    fn step(&mut self, event: Event) -> &mut Self {
        let now = Now { uptime: self.now(), wall: Wall::default() };
        let done = self.machine.step(now, event);
        self.done.extend(done);
        self
    }

    /// Time passes, and the machine is woken whenever it wants to be.
    fn pass(&mut self, millis: u64) -> &mut Self {
        let end = self.millis + millis;
        for _ in 0..1_000 {
            let next = self.machine.next_wake().filter(|at| *at <= Self::at(end));
            let Some(next) = next else { break };
            let next = u64::try_from(next.since_boot().as_millis()).unwrap();
            self.millis = self.millis.max(next);
            self.step(Event::Tick);
            assert!(
                self.machine.next_wake() != Some(Self::at(next)) || self.millis > next,
                "woken at {next} for nothing: {:?}",
                self.machine
            );
        }
        self.millis = end;
        self.step(Event::Tick)
    }

    fn stand(&mut self, role: Role, mode: Option<Mode>, acting: Acting) -> &mut Self {
        self.order += 1;
        self.renew(role, mode, acting)
    }

    /// A Primary whose policy is to keep the role, with a lease or without.
    fn kept(&mut self, acting: Acting) -> &mut Self {
        let standing = Standing {
            role: Role::Primary,
            applied_mode: Some(Mode::Warm),
            acting,
            order: 1,
            keeps_role: true,
            ..Standing::default()
        };
        self.step(Event::Stands(Box::new(standing)))
    }

    /// The same order, with another deadline.
    fn renew(&mut self, role: Role, mode: Option<Mode>, acting: Acting) -> &mut Self {
        let standing = Standing {
            role,
            applied_mode: mode,
            acting,
            order: self.order,
            epoch: Epoch::new(7),
            group_timeout: (role != Role::None).then(|| FailoverTimeout::new(T).unwrap()),
            ..Standing::default()
        };
        self.step(Event::Stands(Box::new(standing)))
    }

    fn primary(&mut self, lease_millis: u64) -> &mut Self {
        let until = Acting::Until(Self::at(self.millis + lease_millis));
        self.stand(Role::Primary, Some(Mode::Warm), until)
    }

    fn secondary(&mut self, mode: Mode) -> &mut Self {
        self.stand(Role::Secondary, Some(mode), Acting::No)
    }

    /// The guard has begun, and so has the collector.
    fn runs(&mut self) -> &mut Self {
        self.hears().hears().step(Event::Guard(News::Started(4711)))
    }

    fn hears(&mut self) -> &mut Self {
        self.step(Event::Guard(News::Heard))
    }

    fn ends(&mut self, cause: Cause) -> &mut Self {
        self.step(Event::Guard(News::Ended(Ended { cause, status: Status::Exit(1) })))
    }

    /// Waits until it is started, and gives how long that took and what was done besides.
    fn until_start(&mut self) -> (u64, String) {
        for waited in 0..1_000 {
            let done = self.did();
            if let Some((before, _)) = done.split_once("start ") {
                return (waited * 500, before.to_owned());
            }
            assert_eq!(done, "");
            self.pass(500);
        }
        panic!("it is not started: {:?}", self.machine)
    }

    /// What was done since the last look: words, and the reasons of rows.
    fn did(&mut self) -> String {
        let now = self.now();
        let moment = |at: &Uptime| format!("+{}", at.since(now).as_millis());
        let word = |effect: &Effect| match effect {
            Effect::Start { order, until } => {
                format!("start {} {}", order.role, until.as_ref().map_or("for ever".to_owned(), moment))
            }
            Effect::Until(until) => format!("until {}", until.as_ref().map_or("for ever".to_owned(), moment)),
            Effect::Stop(by) => format!("stop {}", moment(by)),
            Effect::Signal(signal) => signal.as_str().to_owned(),
            Effect::Strike => "strike".to_owned(),
            Effect::Record(row) => row.reason.to_string(),
        };
        let words: Vec<_> = self.done.drain(..).map(|effect| word(&effect)).collect();
        words.join(", ")
    }

    fn obeyed(&self) -> u64 {
        self.machine.health(self.now()).obeyed
    }

    fn state(&self) -> Option<AdapterState> {
        self.machine.health(self.now()).state
    }

    fn score(&self) -> Option<FailoverScore> {
        self.machine.health(self.now()).score
    }
}

#[test]
fn nothing_is_started_before_an_order_demands_it() {
    let mut site = Site::new(OnOrder::Restart);
    assert_eq!(site.pass(100_000).did(), "");
    assert_eq!(site.secondary(Mode::Cold).did(), "");
    assert_eq!((site.obeyed(), site.state()), (1, Some(AdapterState::Stopped)));
    assert_eq!(site.stand(Role::Secondary, None, Acting::No).did(), "", "what cannot be read starts nothing");
}

#[test]
fn without_failover_it_simply_runs() {
    let mut site = Site::new(OnOrder::Restart);
    assert_eq!(site.stand(Role::None, None, Acting::Unbounded).did(), "start None for ever");
    assert_eq!(site.state(), Some(AdapterState::Starting));
    assert_eq!(site.runs().did(), "Started");
    assert_eq!((site.state(), site.score(), site.obeyed()), (Some(AdapterState::Running), None, 1));
    assert_eq!(site.pass(1_000_000).did(), "");
}

#[test]
fn a_guard_knows_the_deadline_before_the_collector_starts_and_hears_each_new_one() {
    let mut site = Site::new(OnOrder::Restart);
    assert_eq!(site.primary(9_000).did(), "start Primary +9000");
    site.runs().did();
    site.pass(2_500);
    let until = Acting::Until(Site::at(site.millis + 9_000));
    assert_eq!(site.renew(Role::Primary, Some(Mode::Warm), until).did(), "until +9000");
    assert_eq!(site.renew(Role::Primary, Some(Mode::Warm), until).did(), "", "the same is not said twice");
    assert_eq!(
        site.hears().renew(Role::Primary, Some(Mode::Warm), Acting::Unbounded).did(),
        "until for ever"
    );
}

#[test]
fn a_demoted_collector_is_asked_to_stop_and_the_order_is_obeyed_when_it_has() {
    for (name, lease, stop) in
        [("with time to stop", 9_000, "stop +5000"), ("never past the lease", 3_000, "stop +3000")]
    {
        let mut site = Site::new(OnOrder::Restart);
        site.primary(lease).runs().did();
        assert_eq!(site.secondary(Mode::Cold).did(), stop, "{name}");
        assert_eq!(site.hears().obeyed(), 1, "{name}: it may act still");
        assert_eq!(site.ends(Cause::Asked).did(), "Stopped", "{name}");
        assert_eq!(site.obeyed(), 2, "{name}");
    }
}

#[test]
fn a_change_of_role_ends_the_run_and_begins_another() {
    let mut site = Site::new(OnOrder::Restart);
    assert_eq!(site.secondary(Mode::Warm).did(), "start Secondary for ever");
    assert_eq!(site.runs().obeyed(), 1);
    site.did();
    assert_eq!(site.primary(9_000).did(), "stop +5000", "a standby is ended politely");
    assert_eq!(site.obeyed(), 2, "a promotion forbids nothing, and a standby does not act");
    assert_eq!(site.state(), Some(AdapterState::Starting));
    site.hears().pass(100);
    assert_eq!(site.ends(Cause::Asked).did(), "Stopped, start Primary +8900");
    assert_eq!(site.runs().secondary(Mode::Warm).did(), "Started, stop +5000");
    assert_eq!(site.hears().ends(Cause::Asked).did(), "Stopped, start Secondary for ever");
    assert_eq!(site.obeyed(), 3);
}

#[test]
fn what_does_not_concern_the_collector_does_not_touch_it() {
    let mut site = Site::new(OnOrder::Restart);
    site.secondary(Mode::Hot).runs().did();
    let other_epoch = Standing {
        role: Role::Secondary,
        applied_mode: Some(Mode::Hot),
        order: 2,
        epoch: Epoch::new(8),
        ..Standing::default()
    };
    assert_eq!(site.step(Event::Stands(Box::new(other_epoch))).did(), "");
    assert_eq!(site.obeyed(), 2);
}

#[test]
fn a_collector_that_keeps_running_is_told_and_not_ended() {
    let mut site = Site::new(OnOrder::Keep);
    site.secondary(Mode::Warm).runs().did();
    assert_eq!(site.primary(9_000).did(), "until +9025", "its guard waits a moment longer");
    assert_eq!(site.hears().secondary(Mode::Hot).did(), "until for ever");
    assert_eq!(site.hears().obeyed(), 3);
    assert_eq!(site.primary(500).did(), "until +525");
    assert_eq!(site.hears().pass(500).did(), "until for ever", "past its deadline it is a standby again");
    assert_eq!(site.hears().secondary(Mode::Cold).did(), "stop +5000", "a Cold standby does not run");
}

#[test]
fn a_collector_that_keeps_running_is_told_by_its_signal_once_it_can_take_it_for_news() {
    let mut site = Site::new(OnOrder::Keep);
    site.machine.settings.order_signal = Some(OrderSignal::Hup);
    site.secondary(Mode::Warm).did();
    assert_eq!(site.primary(9_000).did(), "until +9025", "it is only being started");
    assert_eq!(site.hears().runs().did(), "Started, SIGHUP");
    assert_eq!(
        site.hears().renew(Role::Primary, Some(Mode::Warm), Acting::Unbounded).did(),
        "until for ever"
    );
    assert_eq!(
        site.hears().secondary(Mode::Warm).did(),
        "SIGHUP",
        "what it was told when it was started is not new"
    );
    assert_eq!(site.hears().pass(10_000).did(), "");
    assert_eq!(site.secondary(Mode::Cold).did(), "stop +5000", "one that is stopped is not told");
}

#[test]
fn at_the_deadline_the_guard_kills_and_the_agent_does_it_where_the_guard_does_not() {
    let mut site = Site::new(OnOrder::Restart);
    site.primary(3_000).runs().did();
    assert_eq!(site.pass(3_000).did(), "", "the guard needs no word");
    assert_eq!(site.obeyed(), 1);
    assert_eq!(site.pass(24).did(), "");
    assert_eq!(site.pass(1).did(), "strike", "half of the time to fence is left");
    assert_eq!(site.pass(10_000).did(), "", "once");
    site.secondary(Mode::Cold);
    assert_eq!(site.obeyed(), 1, "nothing is proved yet");
    assert_eq!(site.ends(Cause::Struck).did(), "GuardLost");
    assert_eq!((site.obeyed(), site.score()), (2, None), "it is not the collector's fault");

    let mut site = Site::new(OnOrder::Restart);
    site.primary(3_000).runs().pass(3_001).did();
    assert_eq!(site.ends(Cause::Deadline).did(), "Fenced, start Secondary for ever");
    assert_eq!(site.secondary(Mode::Warm).obeyed(), 2);
}

#[test]
fn a_guard_that_does_not_answer_is_killed_with_the_collector() {
    let mut site = Site::new(OnOrder::Restart);
    site.stand(Role::None, None, Acting::Unbounded).did();
    assert_eq!(site.pass(9_999).did(), "", "it may take a while to begin");
    assert_eq!(site.pass(1).did(), "strike");
    assert_eq!(site.ends(Cause::Struck).did(), "GuardLost");
    assert_eq!(site.pass(1_000).did(), "start None for ever");

    // Each time that it is told something it has the whole time to answer.
    let mut site = Site::new(OnOrder::Restart);
    site.primary(60_000).runs().did();
    site.pass(5_000);
    let until = Acting::Until(Site::at(site.millis + 60_000));
    site.renew(Role::Primary, Some(Mode::Warm), until).did();
    assert_eq!(site.pass(1_999).did(), "");
    assert_eq!(site.hears().pass(60_000 - 2_000).did(), "");

    // One that is to stop its collector and does not even say so is not waited for.
    let mut site = Site::new(OnOrder::Restart);
    site.stand(Role::None, None, Acting::Unbounded).runs().did();
    assert_eq!(site.step(Event::Stop).did(), "stop +5000");
    assert_eq!(site.pass(2_000).did(), "strike");
    assert_eq!(site.ends(Cause::Struck).did(), "GuardLost");
    assert!(site.machine.has_stopped());
}

#[test]
fn a_stop_that_its_guard_forgets_is_done_by_the_agent() {
    let mut site = Site::new(OnOrder::Restart);
    site.stand(Role::None, None, Acting::Unbounded).runs().step(Event::Stop).hears().did();
    assert_eq!(site.pass(6_999).did(), "", "the guard has the stop timeout, and a while to say so");
    assert_eq!(site.pass(1).did(), "strike");
    let mut site = Site::new(OnOrder::Restart);
    site.primary(4_000).runs().secondary(Mode::Cold).hears().did();
    assert_eq!(site.pass(4_024).did(), "");
    assert_eq!(site.pass(1).did(), "strike", "never past the lease");
}

#[test]
fn a_collector_that_ends_is_started_again_later_and_later() {
    let mut site = Site::new(OnOrder::Restart);
    site.stand(Role::None, None, Acting::Unbounded).runs().did();
    assert_eq!(site.pass(1_000).ends(Cause::Itself).did(), "Exited");
    assert_eq!(site.state(), Some(AdapterState::Starting));
    assert_eq!(site.pass(999).did(), "");
    assert_eq!(site.pass(1).did(), "start None for ever");
    assert_eq!(site.runs().ends(Cause::Itself).did(), "Started, Exited");
    assert_eq!(site.pass(1_999).did(), "");
    assert_eq!(site.pass(1).did(), "start None for ever");
    // A good run makes up for it.
    site.runs().pass(60_000).did();
    assert_eq!(site.machine.health(site.now()).warnings, Vec::<String>::new());
    assert_eq!(site.ends(Cause::Itself).did(), "Exited");
    assert_eq!(site.pass(1_000).did(), "start None for ever");
}

/// As Primary, it ended three times in a row.
fn ceded() -> Site {
    let mut site = Site::new(OnOrder::Restart);
    let forever = Acting::Until(Site::at(100_000_000));
    site.stand(Role::Primary, Some(Mode::Warm), forever);
    for wait in [1_000, 2_000] {
        site.runs().ends(Cause::Itself).pass(wait);
    }
    assert_eq!(site.score(), None, "while it is only restarted the role is kept");
    site.did();
    assert_eq!(site.runs().ends(Cause::Itself).did(), "Started, Exited, Ceded");
    site
}

#[test]
fn a_collector_that_cannot_run_cedes_the_role_for_ten_timeouts() {
    let mut site = ceded();
    assert_eq!((site.score(), site.state()), (Some(FailoverScore::ZERO), Some(AdapterState::Faulted)));
    assert_eq!(site.secondary(Mode::Cold).did(), "");
    assert_eq!(site.obeyed(), 2, "nothing runs: the role is given up at once");
    assert_eq!(site.pass(99_999).score(), Some(FailoverScore::ZERO));
    assert_eq!(site.pass(1).did(), "Recovered");
    assert_eq!((site.score(), site.state()), (None, Some(AdapterState::Stopped)));
}

#[test]
fn one_that_nobody_takes_the_role_from_is_tried_on_without_filling_the_history() {
    let mut site = ceded();
    for wait in [4_000, 8_000, 16_000, 32_000] {
        assert_eq!(site.until_start(), (wait, String::new()), "its starts and ends are not told");
        site.runs().ends(Cause::Itself);
    }
    assert_eq!(site.score(), Some(FailoverScore::ZERO));
    // And when it works again for long enough as Primary, that is over.
    assert_eq!(site.until_start().0, 60_000, "the longest wait");
    assert_eq!(site.runs().did(), "");
    assert_eq!(site.pass(60_000).did(), "Recovered");
    assert_eq!((site.score(), site.state()), (None, Some(AdapterState::Running)));
}

#[test]
fn who_ceded_and_stands_by_well_has_proved_nothing_about_acting() {
    let mut site = ceded();
    site.secondary(Mode::Warm).pass(4_000);
    site.runs().pass(80_000);
    assert_eq!(site.score(), Some(FailoverScore::ZERO));
}

#[test]
fn who_is_chosen_although_it_ceded_tries_anew_at_once() {
    let mut site = ceded();
    site.secondary(Mode::Cold).did();
    assert_eq!(site.primary(9_000).did(), "start Primary +9000");
    assert_eq!(site.score(), Some(FailoverScore::ZERO), "until it has proved itself");
    assert_eq!(site.runs().ends(Cause::Itself).did(), "Started, Exited");
}

#[test]
fn without_a_group_a_collector_that_cannot_run_is_faulted_until_it_runs() {
    let mut site = Site::new(OnOrder::Restart);
    site.stand(Role::None, None, Acting::Unbounded);
    for wait in [1_000, 2_000, 0] {
        site.runs().ends(Cause::Itself).pass(wait);
    }
    assert_eq!(site.state(), Some(AdapterState::Faulted));
    site.did();
    site.until_start();
    site.runs().pass(60_000);
    assert_eq!(site.state(), Some(AdapterState::Running));
}

#[test]
fn a_guard_that_cannot_be_started_or_is_killed_counts_as_a_failed_run() {
    let mut site = Site::new(OnOrder::Restart);
    site.stand(Role::None, None, Acting::Unbounded).did();
    assert_eq!(site.step(Event::StartFailed("no process is left".to_owned())).did(), "StartFailed");
    assert_eq!(site.pass(1_000).did(), "start None for ever");
    assert_eq!(site.runs().ends(Cause::GuardGone).did(), "Started, GuardLost");
    assert_eq!(site.pass(2_000).did(), "start None for ever");
}

#[test]
fn an_end_that_was_asked_for_is_no_failure_however_it_comes() {
    for (cause, reason) in [
        (Cause::Itself, "Stopped"),
        (Cause::Asked, "Stopped"),
        (Cause::Overdue, "StopTimedOut"),
        (Cause::Deadline, "Fenced"),
        (Cause::Struck, "GuardLost"),
        (Cause::GuardGone, "GuardLost"),
    ] {
        let mut site = Site::new(OnOrder::Restart);
        site.primary(9_000).runs().secondary(Mode::Warm).hears().did();
        assert_eq!(site.ends(cause).did(), format!("{reason}, start Secondary for ever"), "{cause:?}");
    }
}

#[test]
fn told_to_stop_it_stops_and_starts_nothing_more_but_goes_on_obeying() {
    let mut site = Site::new(OnOrder::Restart);
    site.primary(9_000).runs().did();
    assert_eq!(site.step(Event::Stop).did(), "stop +5000");
    site.hears().secondary(Mode::Warm);
    assert_eq!((site.obeyed(), site.machine.has_stopped()), (1, false));
    assert_eq!(site.ends(Cause::Asked).did(), "Stopped");
    assert_eq!((site.obeyed(), site.machine.has_stopped()), (2, true));
    assert_eq!(site.primary(9_000).pass(10_000).did(), "");
}

#[test]
fn a_role_that_policy_keeps_past_its_lease_costs_the_collector_nothing() {
    let mut site = Site::new(OnOrder::Restart);
    let lease = Site::at(site.millis + 9_000);
    site.kept(Acting::Until(lease)).runs();
    site.did();
    // The lease ends, and the registration says some milliseconds later that the role is kept.
    site.pass(9_005).kept(Acting::Unbounded).hears().pass(60_000);
    let did = site.did();
    assert!(!did.contains("stop") && !did.contains("start"), "{did}");
    // If it never says so, the guard holds a deadline all the same.
    let mut site = Site::new(OnOrder::Restart);
    let lease = Site::at(site.millis + 9_000);
    site.kept(Acting::Until(lease));
    let grace = Order::KEPT_ROLE_GRACE;
    assert!(
        site.done.iter().any(
            |effect| matches!(effect, Effect::Start { until: Some(until), .. } if *until == lease + grace)
        )
    );
}
