//! The clocks: leases go by the boot clock, records and certificates by the wall clock.

use std::{io, path::Path, time::Duration};

use tokio::{process::Command, time::timeout};

use super::Finding;
use crate::{
    clock::{self, Alarm},
    domain::{Now, Wall},
};

/// How long both clocks are watched.
const WATCH: Duration = Duration::from_millis(500);

/// How far they may be apart then: the boot clock is trusted to run within 5 % of true, and the wall clock to be
/// slewed at some parts in a thousand.
const APART: Duration = Duration::from_millis(25);

/// How long the system may take to say whether its clock is synchronised.
const ANSWER_WAIT: Duration = Duration::from_secs(3);

pub(super) async fn all(newest: Option<Wall>) -> Vec<Finding> {
    let run = match run_of_both().await {
        Ok((before, after)) => pace(before, after),
        Err(error) => {
            Finding::bad("boot clock", error.to_string(), "this kernel is too old, or /proc is not there")
        }
    };
    vec![run, wall(clock::now().wall, newest, synchronised().await)]
}

async fn run_of_both() -> io::Result<(Now, Now)> {
    clock::boot_id()?;
    let before = clock::now();
    Alarm::new()?.after(WATCH).await?;
    Ok((before, clock::now()))
}

fn pace(before: Now, after: Now) -> Finding {
    let (boot, wall) = (after.uptime.since(before.uptime), after.wall.since(before.wall));
    if boot.abs_diff(wall) <= APART {
        Finding::good("boot clock", "it runs as the wall clock does")
    } else {
        Finding::doubtful(
            "boot clock",
            format!("it ran {boot:.3?} while the wall clock ran {wall:.3?}"),
            "one of them was set or does not run true; leases go by the boot clock, which nobody may set: \
             look at the virtual machine's time keeping",
        )
    }
}

fn wall(now: Wall, newest: Option<Wall>, synchronised: Option<bool>) -> Finding {
    let ahead = newest.map(|newest| newest.since(now)).filter(|ahead| *ahead > Duration::from_secs(2));
    let remedy =
        "run a time service (systemd-timesyncd, chrony): records, tokens and certificates go by this clock";
    match (ahead, synchronised) {
        (Some(ahead), _) => Finding::bad(
            "wall clock",
            format!("it is {now}, and a record is {ahead:.0?} later: the clock was set back"),
            remedy,
        ),
        (None, Some(true)) => Finding::good("wall clock", format!("{now}, synchronised")),
        (None, Some(false)) => Finding::doubtful("wall clock", format!("{now}, not synchronised"), remedy),
        (None, None) => Finding::doubtful(
            "wall clock",
            format!("{now}; the system does not say whether it is synchronised"),
            "see to it that a time service runs",
        ),
    }
}

/// Whether the system's clock is synchronised, if it says so.
async fn synchronised() -> Option<bool> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    let mut command = Command::new("timedatectl");
    command.args(["show", "--property=NTPSynchronized", "--value"]).kill_on_drop(true);
    let said = timeout(ANSWER_WAIT, command.output()).await.ok()?.ok()?;
    match said.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;
    use crate::domain::Uptime;

    #[test]
    fn clocks_that_run_apart_and_one_that_was_set_back_are_found() {
        let at = |uptime_ms, wall_ms: i64| Now {
            uptime: Uptime::new(Duration::from_millis(uptime_ms)),
            wall: Wall::from_micros(wall_ms * 1_000),
        };
        assert_eq!(pace(at(0, 0), at(500, 510)).grade, Grade::Good);
        assert_eq!(pace(at(0, 0), at(500, 900)).grade, Grade::Doubtful);
        assert_eq!(pace(at(0, 900), at(500, 0)).grade, Grade::Doubtful);
        let (now, later) = (Wall::from_micros(0), Wall::from_micros(9_000_000));
        assert_eq!(wall(now, Some(later), Some(true)).grade, Grade::Bad);
        assert_eq!(wall(later, Some(now), Some(true)).grade, Grade::Good);
        assert_eq!(wall(later, None, Some(false)).grade, Grade::Doubtful);
    }
}
