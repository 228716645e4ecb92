//! What components count as, as tables of situations.

use std::time::Duration;

use super::*;
use crate::domain::{
    AdapterState::{self, Faulted, Running, Starting as Begins, Stopped},
    DeviceStatus::{ConnectedNoData, DeviceInError, Good, NotConfigured, Removed, Shutdown, Starting},
    FailoverScore, HttpUrl, ProbeTarget, TimeToLive,
};

fn at(seconds: u64) -> Now {
    let time = Duration::from_secs(seconds);
    Now { uptime: Uptime::new(Duration::from_secs(1_000) + time), wall: Wall::from_micros(0).plus(time) }
}

fn id(name: &str) -> ComponentId {
    ComponentId::new(name).unwrap()
}

/// A report of 1,000 streams that counts for ten seconds.
fn report(status: DeviceStatus) -> Report {
    Report {
        streams: StreamCount::new(1_000).unwrap(),
        status,
        last_data: None,
        time_to_live: TimeToLive::new(Duration::from_secs(10)).unwrap(),
    }
}

fn probe(name: &str, failures: u32) -> Probe {
    Probe {
        id: id(name),
        target: ProbeTarget::Url(HttpUrl::parse("http://127.0.0.1:1").unwrap()),
        streams: StreamCount::ONE,
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(1),
        failures,
    }
}

/// A machine whose collector runs since second 0.
fn running(probes: &[Probe]) -> Machine {
    let mut machine = Machine::new(probes);
    machine.order(at(0), true);
    machine
}

fn counts_as(machine: &Machine, name: &str) -> Option<DeviceStatus> {
    machine.view(&id(name)).map(|view| view.counts_as)
}

/// The reasons of the rows since this was last asked.
fn reasons(machine: &mut Machine) -> Vec<&'static str> {
    machine.take_changes().iter().map(|change| change.reason.as_str()).collect()
}

fn points(score: Option<FailoverScore>) -> Option<u8> {
    score.map(FailoverScore::get)
}

#[test]
fn the_score_is_the_share_of_streams_whose_source_is_connected() {
    for (name, components, wanted) in [
        ("no component", &[][..], None),
        ("all good", &[(1_000, Good), (1_000, Good)], Some(100)),
        (
            "one of four down",
            &[(1_000, Good), (1_000, Good), (1_000, Good), (1_000, DeviceInError)],
            Some(75),
        ),
        ("connected without data is connected", &[(1, ConnectedNoData)], Some(100)),
        ("starting is not yet connected", &[(1, Starting), (1, Good)], Some(50)),
        ("shut down is not connected", &[(1, Shutdown)], Some(0)),
        ("without a source nothing is connected", &[(1, NotConfigured), (1, Good)], Some(50)),
        ("what was removed does not count", &[(1_000, Removed), (1, Good)], Some(100)),
        ("nothing but what was removed", &[(1_000, Removed)], None),
        ("streams weigh", &[(900, Good), (100, DeviceInError)], Some(90)),
        ("the nearest number", &[(2, Good), (1, DeviceInError)], Some(67)),
        ("the nearest number below", &[(1, Good), (2, DeviceInError)], Some(33)),
        ("only nothing is 0", &[(1, Good), (9_999_999, DeviceInError)], Some(1)),
        ("only everything is 100", &[(9_999_999, Good), (1, DeviceInError)], Some(99)),
        ("one without streams weighs nothing", &[(0, DeviceInError), (10, Good)], Some(100)),
        ("where none has a stream each counts", &[(0, DeviceInError), (0, Good)], Some(50)),
    ] {
        let components = components
            .iter()
            .map(|(streams, status)| (StreamCount::new(*streams).expect("within limits"), *status));
        assert_eq!(points(share(components)), wanted, "{name}");
    }
}

#[test]
fn supervisor_components_role_and_mode_decide_together() {
    let full = FailoverScore::FULL;
    for (name, started, collector, share, wanted) in [
        ("nothing looks: role and mode decide", true, None, None, None),
        ("components of a collector that runs", true, None, FailoverScore::new(75), Some(75)),
        ("a Cold standby does not look", false, None, FailoverScore::new(75), None),
        ("who cedes scores 0 whatever is reported", true, Some(FailoverScore::ZERO), Some(full), Some(0)),
        ("a Cold standby that cannot start", false, Some(FailoverScore::ZERO), Some(full), Some(0)),
        ("the lower of the two", true, Some(full), FailoverScore::new(75), Some(75)),
    ] {
        assert_eq!(points(score(started, collector, share)), wanted, "{name}");
    }
}

#[test]
fn the_adapters_state_is_its_supervisors_then_its_components() {
    for (name, started, collector, components, wanted) in [
        ("nothing known", true, None, &[][..], None),
        ("one connected is enough", true, None, &[DeviceInError, Good], Some(Running)),
        ("not yet", true, None, &[DeviceInError, Starting], Some(Begins)),
        ("all shut down", true, None, &[Shutdown, Shutdown, Removed], Some(Stopped)),
        ("cannot work", true, None, &[DeviceInError, Shutdown], Some(Faulted)),
        ("nobody said what the source is", true, None, &[NotConfigured], Some(Faulted)),
        ("removed ones say nothing", true, Some(Running), &[Removed], Some(Running)),
        ("it runs, and cannot work", true, Some(Running), &[DeviceInError], Some(Faulted)),
        ("it is being started", true, Some(Begins), &[Good], Some(Begins)),
        ("it cannot be started", true, Some(Faulted), &[Good], Some(Faulted)),
        ("it is not to run", false, Some(Stopped), &[Good], Some(Stopped)),
        ("nobody runs it, and it is not to run", false, None, &[Good], None),
    ] {
        let state: Option<AdapterState> = state(started, collector, components.iter().copied());
        assert_eq!(state, wanted, "{name}");
    }
}

#[test]
fn a_report_counts_for_its_time_to_live_and_not_a_moment_longer() {
    let mut machine = running(&[]);
    machine.report(at(5), id("a"), report(Good)).unwrap();
    assert_eq!(machine.next_wake(), Some(at(10).uptime), "nothing may be missed before");
    machine.settle(at(14));
    assert_eq!((counts_as(&machine, "a"), machine.next_wake()), (Some(Good), Some(at(15).uptime)));
    machine.report(at(14), id("a"), report(ConnectedNoData)).unwrap();
    machine.settle(at(23));
    assert_eq!(counts_as(&machine, "a"), Some(ConnectedNoData));
    machine.settle(at(24));
    assert_eq!((counts_as(&machine, "a"), machine.next_wake()), (Some(DeviceInError), None));
    machine.report(at(30), id("a"), report(Good)).unwrap();
    assert_eq!(counts_as(&machine, "a"), Some(Good));
    assert_eq!(reasons(&mut machine), ["Reported", "Reported", "ReportExpired"]);
}

#[test]
fn one_that_expired_before_it_reported_again_is_remembered_to_have_expired() {
    let mut machine = running(&[]);
    machine.report(at(0), id("a"), report(Good)).unwrap();
    machine.report(at(100), id("a"), report(Good)).unwrap();
    assert_eq!(reasons(&mut machine), ["Reported", "ReportExpired"]);
    assert_eq!(counts_as(&machine, "a"), Some(Good));
}

#[test]
fn a_collector_that_is_not_to_run_owes_no_report_and_has_time_to_report_again() {
    let mut machine = running(&[]);
    machine.report(at(0), id("a"), report(Good)).unwrap();
    machine.order(at(5), false);
    assert_eq!(counts_as(&machine, "a"), Some(Good), "what it says still counts");
    machine.settle(at(10));
    assert_eq!(counts_as(&machine, "a"), Some(Shutdown));
    machine.order(at(50), true);
    assert_eq!((counts_as(&machine, "a"), machine.next_wake()), (Some(Starting), Some(at(60).uptime)));
    machine.settle(at(60));
    assert_eq!(counts_as(&machine, "a"), Some(DeviceInError));
    assert_eq!(reasons(&mut machine), ["Reported", "ReportExpired"], "the role's own row says the rest");
}

#[test]
fn a_probe_is_in_error_after_so_many_failures_in_a_row_and_good_after_one_success() {
    let mut machine = running(&[probe("p", 3)]);
    let fails = || Err("no answer".to_owned());
    for (second, (outcome, wanted)) in (1..).zip([
        (fails(), Starting),
        (fails(), Starting),
        (Ok(()), Good),
        (fails(), Good),
        (fails(), Good),
        (Ok(()), Good),
        (fails(), Good),
        (fails(), Good),
        (fails(), DeviceInError),
        (fails(), DeviceInError),
        (Ok(()), Good),
    ]) {
        machine.probed(at(second), &id("p"), outcome);
        assert_eq!(counts_as(&machine, "p"), Some(wanted), "second {second}");
    }
    assert_eq!(reasons(&mut machine), ["ProbeSucceeded", "ProbeFailed"], "it flaps: once for each");
    assert_eq!(machine.view(&id("p")).map(|view| view.heard), Some(Some(at(11).wall)));
}

#[test]
fn what_a_probe_saw_before_the_collector_was_stopped_says_nothing_afterwards() {
    let mut machine = running(&[probe("p", 1)]);
    machine.probed(at(1), &id("p"), Ok(()));
    machine.order(at(2), false);
    assert_eq!(counts_as(&machine, "p"), Some(Shutdown));
    machine.probed(at(3), &id("p"), Ok(()));
    assert_eq!(counts_as(&machine, "p"), Some(Shutdown), "a look that ended late");
    machine.order(at(4), true);
    assert_eq!(counts_as(&machine, "p"), Some(Starting));
    machine.probed(at(5), &id("p"), Err("refused".to_owned()));
    assert_eq!(counts_as(&machine, "p"), Some(DeviceInError));
}

#[test]
fn one_that_flaps_is_a_row_for_each_status_until_it_was_quiet() {
    let mut machine = running(&[]);
    let lasting =
        |status| Report { time_to_live: TimeToLive::new(TimeToLive::MAX).unwrap(), ..report(status) };
    for second in 0..1_000 {
        let status = if second % 2 == 0 { Good } else { DeviceInError };
        machine.report(at(second), id("a"), lasting(status)).unwrap();
        if second % 10 == 9 {
            machine.delete(at(second), &id("a")).unwrap();
        }
    }
    assert_eq!(reasons(&mut machine), ["Reported", "Reported", "ReportDeleted"]);
    let quiet = 999 + QUIET.as_secs();
    machine.report(at(quiet), id("a"), lasting(Good)).unwrap();
    assert_eq!(reasons(&mut machine), ["Reported"]);
}

#[test]
fn there_is_a_bound_and_those_that_are_gone_do_not_count() {
    let mut machine = running(&[probe("p", 1)]);
    for number in 1..MOST_COMPONENTS {
        machine.report(at(0), id(&number.to_string()), report(Good)).unwrap();
    }
    assert_eq!(machine.report(at(0), id("more"), report(Good)), Err(ReportError::TooMany));
    assert_eq!(machine.report(at(0), id("1"), report(Good)), Ok(()), "one that is there may report");
    for number in 0..3 * MOST_COMPONENTS {
        machine.delete(at(1), &id(&if number == 0 { "1".to_owned() } else { format!("x{number}") })).unwrap();
        machine.report(at(1), id(&format!("x{}", number + 1)), report(Good)).unwrap();
    }
    assert_eq!(machine.views().count(), MOST_COMPONENTS);
    assert!(machine.components.len() <= 2 * MOST_COMPONENTS, "{}", machine.components.len());
    machine.settle(at(1 + QUIET.as_secs()));
    assert_eq!(machine.components.len(), MOST_COMPONENTS, "those that are gone are forgotten");
}

#[test]
fn only_what_reported_can_be_deleted_and_a_probe_speaks_for_itself() {
    let mut machine = running(&[probe("p", 1)]);
    assert_eq!(machine.delete(at(0), &id("a")), Err(ReportError::Unknown));
    assert_eq!(machine.delete(at(0), &id("p")), Err(ReportError::IsProbe));
    assert_eq!(machine.report(at(0), id("p"), report(Good)), Err(ReportError::IsProbe));
    machine.report(at(0), id("a"), report(Good)).unwrap();
    assert_eq!(machine.delete(at(0), &id("a")), Ok(()));
    assert_eq!(machine.delete(at(0), &id("a")), Err(ReportError::Unknown));
    assert_eq!(machine.view(&id("a")), None);
}

#[test]
fn health_is_the_collectors_completed_by_what_is_reported() {
    let mut machine = running(&[]);
    let collector = Health { obeyed: 7, warnings: vec!["Said.".to_owned()], ..Health::NOTHING_PROTECTED };
    assert_eq!(machine.health(&collector), collector, "nothing is reported");
    for (name, status, last_data) in
        [("a", Good, Some(50)), ("b", DeviceInError, Some(20)), ("c", Removed, Some(1)), ("d", Good, None)]
    {
        let last_data = last_data.map(|second| at(second).wall);
        machine.report(at(0), id(name), Report { last_data, ..report(status) }).unwrap();
    }
    let health = machine.health(&collector);
    assert_eq!((health.obeyed, points(health.score), health.state), (7, Some(67), Some(Running)));
    assert_eq!(health.last_data, Some(at(20).wall), "the oldest that is said");
    assert_eq!(health.warnings, ["Said.", "Component \"b\" reports DeviceInError."]);
    let settled = Health { last_data: Some(at(3).wall), ..collector };
    assert_eq!(
        machine.health(&settled).last_data,
        Some(at(3).wall),
        "who knows what was settled knows better"
    );
}

#[test]
fn warnings_name_some_and_count_the_rest() {
    let mut machine = running(&[]);
    for number in 0..8 {
        machine.report(at(0), id(&number.to_string()), report(DeviceInError)).unwrap();
    }
    let warnings = machine.health(&Health::NOTHING_PROTECTED).warnings;
    assert_eq!(
        (warnings.len(), warnings.last().map(String::as_str)),
        (6, Some("3 more components are not connected."))
    );
}

#[test]
fn a_part_of_the_source_is_missed_from_the_first_sign_of_it_on() {
    let mut machine = Machine::new(&[]);
    assert!(machine.is_connected(), "where nobody tells of parts there is none to miss");
    machine = running(&[probe("p", 3)]);
    assert!(!machine.is_connected(), "nothing was seen yet");
    let mut looks = |second, outcome: Result<(), String>| {
        machine.probed(at(second), &id("p"), outcome);
        (machine.is_connected(), counts_as(&machine, "p"))
    };
    assert_eq!(looks(1, Ok(())), (true, Some(Good)));
    assert_eq!(looks(6, Err("no".to_owned())), (false, Some(Good)), "the first failed look");
    assert_eq!(looks(11, Ok(())), (true, Some(Good)));

    let mut reports = |second, name, status| {
        machine.report(at(second), id(name), report(status)).unwrap();
        machine.is_connected()
    };
    assert!(reports(12, "a", Good));
    assert!(!reports(13, "b", DeviceInError), "however much else is connected");
    assert!(!reports(14, "b", Starting));
    assert!(reports(15, "b", Removed), "what was taken away is not missed");
    machine.settle(at(22));
    assert!(!machine.is_connected(), "a report that is not refreshed");
    machine.delete(at(23), &id("a")).unwrap();
    assert!(machine.is_connected());
}
