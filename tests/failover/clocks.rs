//! Wall clocks that jump: nothing that decides looks at them.

use std::{fs, path::Path, time::Duration};

use client_failover::{clock, domain::Wall};

use crate::plant::{Plan, Plant};

const T: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Where Debian and others keep the library that shifts what a process is told by its wall clock.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

#[test]
fn a_wall_clock_that_jumps_by_a_day_changes_no_role_and_no_deadline() {
    let Some(library) = LIBRARIES.iter().find(|library| Path::new(library).exists()) else {
        eprintln!("SKIPPED, NOT PROVEN: libfaketime is not installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let shift = folder.path().join("shift");
    fs::write(&shift, "+0").unwrap();
    let environment = vec![
        ("LD_PRELOAD", (*library).to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", shift.to_str().unwrap().to_owned()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        // Only what people can set jumps.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    let mut plant = Plant::start(Plan { environment, ..Plan::pair(T) });
    let (from, epoch) = (plant.sink.len(), plant.acts().epoch);
    for (jump, ahead) in [("+1d", true), ("-1d", false)] {
        fs::write(folder.path().join("new"), jump).unwrap();
        fs::rename(folder.path().join("new"), &shift).unwrap();
        plant.until("the clocks have jumped", || {
            plant.members.iter().all(|member| {
                let shown = member.diagnostics()["LastHeartbeat"].clone();
                let (shown, now) = (Wall::parse(shown.as_str().unwrap()).unwrap(), clock::now().wall);
                let (early, late) = if ahead { (now, shown) } else { (shown, now) };
                late.since(early) > DAY / 2
            })
        });
        plant.until_moment(clock::now().uptime + T);
        assert_eq!(plant.sink.find(from, |write| (write.member, write.epoch) != (0, epoch)), None);
        assert_eq!(plant.acts().member, 0);
    }
    plant.assert_unbroken(T / 2);

    // A day too early, the next epoch is higher all the same.
    plant.members[0].process.kill();
    assert!(plant.until_acts(from, 1).epoch > epoch);
    plant.verdict(T).assert_sound();
}
