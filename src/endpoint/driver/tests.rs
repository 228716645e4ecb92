//! The loops of an endpoint at work: what holds them up, and what does not.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    task::{JoinSet, block_in_place},
    time::{sleep, timeout},
};

use super::{tidying::MOST_REMOVED, *};
use crate::{
    domain::{
        AuditAction, AuditKind, AuditRow, ClientRole, Coverages, Deed, FailoverScore, FailoverTimeout,
        GroupChangeKind, GroupDraft, GroupId, Incarnation, NativeHeartbeat, Preferences,
    },
    endpoint::machine::Away,
    service::Rounds,
    store::{ChangeQuery, DataFolder},
};

/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// By then, whoever goes round has done so.
const LONG: Duration = Duration::from_millis(500);

/// The endpoint of a plant, in a folder of its own. Nobody attends yet.
struct Plant {
    endpoint: Endpoint,
    store: Store,
    stop: CancellationToken,
    loops: JoinSet<std::io::Result<()>>,
    folder: TempDir,
}

impl Plant {
    /// One that removes sessions as soon as it may.
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let settings = Settings { session_retention: Duration::from_millis(1), ..Settings::default() };
        let endpoint = Endpoint::open(store.clone(), settings).await.unwrap();
        Self { endpoint, store, stop: CancellationToken::new(), loops: JoinSet::new(), folder }
    }

    /// A group with these members.
    async fn group(&self, id: &str, timeout_ms: u64, members: &[&str]) -> Arc<Cell> {
        let draft = GroupDraft {
            id: GroupId::new(id).unwrap(),
            name: None,
            description: None,
            timeout: FailoverTimeout::new(Duration::from_millis(timeout_ms)).unwrap(),
        };
        let preferences = Preferences::default();
        let spec = GroupSpec { place: Place::OnPremises, draft, additional_data: None, preferences };
        let deed =
            Deed { kind: AuditKind::Group, action: AuditAction::Created, subject: spec.key().to_string() };
        let told = AuditRow::of_deed(deed, clock::now().wall, "a test".to_owned(), None);
        let key = spec.key();
        self.endpoint.create_group(spec, &told).await.unwrap();
        for member in members {
            let spec = SessionSpec { id: session(member), name: None, additional_data: None };
            self.endpoint.create_session(&key, spec, None).await.unwrap();
        }
        self.endpoint.cell(&key).unwrap()
    }

    /// The heartbeat of a native member.
    async fn beat(&self, cell: &Cell, member: &str, sequence: u64, acting: bool) -> ClientRole {
        let native = NativeHeartbeat {
            incarnation: Incarnation::new(member.to_owned()).unwrap(),
            replaces: None,
            boot: BootId::new("boot"),
            sequence,
            answered: sequence - 1,
            echo: None,
            acting,
            applied_for: None,
            epoch: None,
            loss: None,
            leaving: false,
            coverages: Coverages::default(),
            delivered_ago: None,
        };
        let heartbeat =
            Heartbeat { score: FailoverScore::new(100).unwrap(), last_data: None, native: Some(native) };
        self.endpoint.heartbeat(&cell.key, &session(member), None, &heartbeat, None).await.unwrap().role
    }

    fn run(&mut self, rounds: &Rounds) {
        self.loops.spawn(self.endpoint.clone().run(rounds, self.stop.clone()));
    }

    /// Waits until all its loops have ended.
    async fn ended(&mut self) {
        while let Some(ended) = self.loops.join_next().await {
            ended.unwrap().unwrap();
        }
    }
}

fn session(id: &str) -> SessionId {
    SessionId::new(id).unwrap()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let waited = timeout(LIMIT, async {
        while !condition() {
            sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

/// Another program that keeps the database locked.
struct Lock {
    child: Child,
    words: ChildStdin,
}

impl Lock {
    fn take(folder: &TempDir) -> Self {
        let mut child = Command::new("sqlite3")
            .arg(folder.path().join("failover.db"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut words = child.stdin.take().unwrap();
        writeln!(words, ".timeout 60000\nbegin immediate;\nselect 'held';").unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "held\n");
        Self { child, words }
    }

    fn give_back(mut self) {
        drop(self.words);
        assert!(self.child.wait().unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_loop_is_watched_and_one_that_hangs_is_missed_until_it_goes_on() {
    let mut plant = Plant::open().await;
    let rounds = Rounds::default();
    plant.run(&rounds);
    assert_eq!(rounds.watched(), ["housekeeping", "attention"]);
    let inner = Arc::clone(&plant.endpoint.inner);
    let goes_on = async || {
        rounds.ask();
        until("all loops go round", || rounds.missing().is_empty()).await;
    };
    let missing_after_a_while = || {
        // It begins the round that it is asked for, and hangs in that.
        for _ in 0..2 {
            rounds.ask();
            thread::sleep(LONG);
        }
        rounds.missing()
    };
    goes_on().await;
    let missing = block_in_place(|| {
        let _nobody_sees_the_groups = unpoisoned(&inner.hosted);
        missing_after_a_while()
    });
    assert!(missing.contains(&"housekeeping"), "{missing:?}");
    goes_on().await;
    let missing = block_in_place(|| {
        let _nobody_knows_the_time = unpoisoned(&inner.attention);
        missing_after_a_while()
    });
    assert_eq!(missing, ["housekeeping", "attention"]);
    goes_on().await;
    plant.stop.cancel();
    plant.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_primary_loses_its_seat_while_what_waits_for_the_store_waits_for_ever() {
    let mut plant = Plant::open().await;
    plant.group("short", 250, &["a"]).await;
    let long = plant.group("long", 3_000, &["p"]).await;
    assert_eq!(plant.beat(&long, "p", 1, false).await, ClientRole::Primary);
    plant.beat(&long, "p", 2, true).await;
    let mut events = plant.endpoint.listen(&long.key, std::net::IpAddr::from([127, 0, 0, 1]).into()).unwrap();
    let endpoint = plant.endpoint.clone();
    // Whoever removes a session waits for this.
    let registry = endpoint.inner.registry.lock().await;
    plant.run(&Rounds::default());
    loop {
        let event = timeout(LIMIT, events.next()).await.expect("nobody looks at the group").unwrap();
        if let GroupEvent::Change(change) = event
            && change.kind == GroupChangeKind::SeatFreed
        {
            break;
        }
    }
    // Nor does it keep the endpoint from stopping.
    plant.stop.cancel();
    plant.ended().await;
    drop(registry);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_of_the_sessions_that_were_silent_for_too_long_are_removed_at_a_time() {
    let mut plant = Plant::open().await;
    let names: Vec<_> = (0..2 * MOST_REMOVED + 3).map(|number| format!("s{number:02}")).collect();
    let group = plant.group("g", 250, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    plant
        .loops
        .spawn(plant.endpoint.clone().attend(Rounds::default().watch("attention"), plant.stop.clone()));
    let retention = plant.endpoint.inner.settings.session_retention;
    let silent = || group.lock().silent_for(plant.endpoint.now(), retention).len();
    until("all are silent", || silent() == names.len()).await;
    for left in [MOST_REMOVED + 3, 3, 0] {
        plant.endpoint.tidy_up(&plant.stop).await;
        assert_eq!(group.lock().sessions(plant.endpoint.now()).len(), left);
    }
    plant.stop.cancel();
    plant.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_being_written_when_the_endpoint_is_told_to_stop_is_written() {
    let mut plant = Plant::open().await;
    let group = plant.group("g", 60_000, &[]).await;
    let lock = Lock::take(&plant.folder);
    {
        let mut machine = group.lock();
        machine.note_away(plant.endpoint.now(), &Away::stalled(clock::now(), LIMIT));
        plant.endpoint.keep_books(&group, &mut machine);
    }
    assert!(group.has_unwritten());
    plant.run(&Rounds::default());
    until("it is taken to be written", || !group.has_unwritten()).await;
    plant.stop.cancel();
    // By then, whoever would give up its work for this has done so.
    sleep(LONG).await;
    lock.give_back();
    plant.ended().await;
    let all = ChangeQuery { kind: Some(GroupChangeKind::EndpointAway), before: None, limit: 10 };
    assert_eq!(plant.store.group_history(&group.key, &all).await.unwrap().rows.len(), 1);
}
