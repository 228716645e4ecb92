//! Runs the operator's command at each change of the order.

use std::{collections::VecDeque, io, time::Duration};

use tokio::{select, sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::listener::{Heard, Listener, Orders};
use crate::{clock, command, domain::Order};

/// Changes that may wait for their run. More come only where roles change faster than the hook runs for
/// minutes; then the oldest are left out, because the newest says what is wanted.
const MOST_WAITING: usize = 64;

/// How long the runs that are left may take together when the process stops.
const LAST_RUNS_WAIT: Duration = Duration::from_secs(2);

/// A command that is told each change of the order.
#[derive(Debug, Clone)]
pub struct Hook {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How long a run may take; then it is killed.
    pub limit: Duration,
    /// Where this adapter answers, for whoever wants to know more.
    pub url: String,
}

impl Hook {
    /// Runs until `stop`, and until the registration has ended and its last order was told. `obeyed` is the
    /// number of the highest order that was told to its end, by a run that ended or was killed.
    ///
    /// # Errors
    /// When the system refuses a timer.
    pub async fn run(
        self,
        orders: Orders,
        obeyed: watch::Sender<u64>,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let mut runs = Runs { hook: self, waiting: VecDeque::new(), run: JoinSet::new(), heard: 0, obeyed };
        let mut listener = orders.listen_always()?;
        runs.follow(&mut listener).await?;
        if timeout(LAST_RUNS_WAIT, runs.finish()).await.is_err() {
            tracing::warn!("the hook is killed, as the process stops");
        }
        drop(runs);
        stop.cancelled().await;
        Ok(())
    }
}

/// The changes that wait, and the run under way.
struct Runs {
    hook: Hook,
    waiting: VecDeque<Order>,
    /// One at a time. Dropping it kills the command.
    run: JoinSet<()>,
    /// The number of the order heard last.
    heard: u64,
    obeyed: watch::Sender<u64>,
}

impl Runs {
    /// Hears and runs until there will be no other order.
    async fn follow(&mut self, listener: &mut Listener) -> io::Result<()> {
        loop {
            self.go_on();
            select! {
                heard = listener.next() => match heard? {
                    Some(Heard::Order(order)) => self.wait_for_run(order),
                    Some(Heard::Same(number)) => self.heard = number,
                    None => return Ok(()),
                },
                Some(_) = self.run.join_next(), if !self.run.is_empty() => {}
            }
        }
    }

    /// Runs what still waits.
    async fn finish(&mut self) {
        self.go_on();
        while self.run.join_next().await.is_some() {
            self.go_on();
        }
    }

    fn wait_for_run(&mut self, order: Order) {
        self.heard = order.number;
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_front();
            tracing::warn!("roles change faster than the hook runs; it is not told one change");
        }
        self.waiting.push_back(order);
    }

    /// Begins the next run, if none is under way.
    fn go_on(&mut self) {
        if !self.run.is_empty() {
            return;
        }
        let Some(order) = self.waiting.pop_front() else {
            let heard = self.heard;
            self.obeyed.send_if_modified(|obeyed| std::mem::replace(obeyed, heard) != heard);
            return;
        };
        // Permission that has ended by now must not be told: the run that takes it back comes later.
        let order = if self.waiting.is_empty() { order.at(clock::now().uptime) } else { order.over() };
        let hook = self.hook.clone();
        self.run.spawn(async move {
            let (role, mode) = (order.role.as_str(), order.mode.as_str());
            match command::run(&hook.command, &variables(&order, &hook.url), hook.limit).await {
                Ok(()) => tracing::info!(role, mode, egress = order.egress, "the hook was told the order"),
                Err(error) => {
                    let program = hook.command.first().map(String::as_str).unwrap_or_default();
                    tracing::warn!(role, mode, egress = order.egress, "the hook failed: {program}: {error}");
                }
            }
        });
    }
}

/// The order as variables of an environment. The epoch is that to send under, and empty for whoever may not.
fn variables(order: &Order, url: &str) -> [(&'static str, String); 8] {
    [
        ("CLIENT_FAILOVER_ROLE", order.role.to_string()),
        ("CLIENT_FAILOVER_MODE", order.mode.to_string()),
        (
            "CLIENT_FAILOVER_EPOCH",
            order.epoch.filter(|_| order.egress).map_or_else(String::new, |epoch| epoch.get().to_string()),
        ),
        ("CLIENT_FAILOVER_URL", url.to_owned()),
        ("CLIENT_FAILOVER_STARTED", order.started.to_string()),
        ("CLIENT_FAILOVER_COLLECTING", order.collecting.to_string()),
        ("CLIENT_FAILOVER_BUFFERING", order.buffering.to_string()),
        ("CLIENT_FAILOVER_EGRESS", order.egress.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::domain::{Acting, Mode, Role};

    fn order(number: u64, acts: bool) -> Order {
        let role = if acts { Role::Primary } else { Role::Secondary };
        let acting = if acts { Acting::Unbounded } else { Acting::No };
        Order {
            number,
            started: true,
            collecting: true,
            buffering: !acts,
            egress: acts,
            role,
            mode: Mode::Hot,
            epoch: None,
            acting,
        }
    }

    /// Runs of a hook that writes what it is told, and waits while there is a file `wait`.
    fn runs(folder: &Path) -> (Runs, watch::Receiver<u64>) {
        let script = "echo $CLIENT_FAILOVER_ROLE $CLIENT_FAILOVER_EGRESS >> $0/told; while test -e $0/wait; do sleep 0.02; done";
        let command = ["sh", "-c", script, folder.to_str().unwrap()].map(str::to_owned).to_vec();
        let hook = Hook { command, limit: Duration::from_secs(30), url: String::new() };
        let (obeyed, told) = watch::channel(0);
        (Runs { hook, waiting: VecDeque::new(), run: JoinSet::new(), heard: 0, obeyed }, told)
    }

    #[tokio::test]
    async fn permission_that_was_overtaken_is_not_told_and_each_change_still_has_its_run() {
        let folder = tempfile::tempdir().unwrap();
        let (mut runs, told) = runs(folder.path());
        fs::write(folder.path().join("wait"), "").unwrap();
        runs.wait_for_run(order(1, false));
        runs.go_on();
        for (number, acts) in [(2, true), (3, false), (4, true)] {
            runs.wait_for_run(order(number, acts));
            runs.go_on();
        }
        assert_eq!(*told.borrow(), 0, "nothing was told to its end");
        fs::remove_file(folder.path().join("wait")).unwrap();
        runs.finish().await;
        let lines = fs::read_to_string(folder.path().join("told")).unwrap();
        assert_eq!(lines, "Secondary false\nSecondary false\nSecondary false\nPrimary true\n");
        assert_eq!(*told.borrow(), 4);
    }

    #[tokio::test]
    async fn of_too_many_changes_the_newest_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let (mut runs, told) = runs(folder.path());
        let most = u64::try_from(MOST_WAITING).unwrap();
        for number in 0..2 * most {
            runs.wait_for_run(order(number, number % 2 == 1));
        }
        runs.finish().await;
        let lines = fs::read_to_string(folder.path().join("told")).unwrap();
        assert_eq!((lines.lines().count(), lines.lines().last()), (MOST_WAITING, Some("Primary true")));
        assert_eq!(*told.borrow(), 2 * most - 1);
    }
}
