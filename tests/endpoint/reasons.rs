//! Every reason of the closed list, provoked over HTTP, has its row and its sentence.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use axum::http::StatusCode;
use client_failover::domain::{GroupChangeKind, GroupReason};
use serde_json::{Value, json};

use crate::{App, ON_PREMISES, history::items, support};

/// An adapter that does as it is told.
struct Adapter<'a> {
    app: &'a App,
    group: &'a str,
    id: &'a str,
    run: &'a str,
    score: u8,
    loss: Option<&'a str>,
    epoch: Option<u64>,
    sequence: u64,
    acting: bool,
}

impl<'a> Adapter<'a> {
    async fn join(app: &'a App, group: &'a str, id: &'a str) -> Self {
        app.member(ON_PREMISES, group, id).await;
        Self::known(app, group, id)
    }

    const fn known(app: &'a App, group: &'a str, id: &'a str) -> Self {
        Self { app, group, id, run: id, score: 100, loss: None, epoch: None, sequence: 0, acting: false }
    }

    /// A heartbeat; from its answer on it acts, or does not.
    async fn beat(&mut self) -> Value {
        let answer = self.say(self.acting).await;
        self.acting = answer["Role"] == 1;
        self.epoch = answer["Epoch"].as_u64().or(self.epoch);
        answer
    }

    /// A heartbeat that says `acting`, and whose answer changes nothing.
    async fn say(&mut self, acting: bool) -> Value {
        self.sequence += 1;
        let beat = json!({
            "FailoverScore": self.score, "Incarnation": self.run, "BootId": "b", "Sequence": self.sequence,
            "Answered": self.sequence - 1, "AppliedRole": if acting { "Primary" } else { "Secondary" },
            "AppliedFor": "00:00:00", "Epoch": self.epoch, "EndpointLoss": self.loss,
        });
        self.app.beat(ON_PREMISES, self.group, self.id, beat).await.body
    }
}

/// The rows of `group`, oldest first, once one has this kind and reason; `step` is done again until then.
async fn until(
    app: &App,
    group: &str,
    kind: GroupChangeKind,
    reason: GroupReason,
    mut step: impl AsyncFnMut(),
) {
    support::until(&format!("{kind} {reason}"), async || {
        let page = app.history(ON_PREMISES, group, &format!("?kind={kind}")).await;
        let found = items(&page).iter().any(|item| item["Reason"] == reason.as_str());
        if !found {
            step().await;
        }
        found
    })
    .await;
}

async fn group(app: &App, id: &str, timeout: &str) {
    let body = json!({"Id": id, "FailoverTimeout": timeout, "AdditionalData": {"Dwell": "00:00:00.0500000"}});
    let answer = app.post(&format!("{ON_PREMISES}/groups"), body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
}

async fn force(app: &App, group: &str, id: &str, body: Value) {
    let path = format!("{ON_PREMISES}/groups/{group}/clientsessions/{id}/roleoverride");
    assert_eq!(app.post(&path, body).await.status, 200);
}

/// The Primary is lost in every way in which it can be.
async fn losses(app: &App) {
    use GroupChangeKind::{Promoted, SeatFreed};
    group(app, "silent", "00:00:00.25").await;
    let mut a = Adapter::join(app, "silent", "a").await;
    let mut b = Adapter::join(app, "silent", "b").await;
    a.beat().await;
    a.beat().await;
    until(app, "silent", Promoted, GroupReason::NoHeartbeat, async || drop(b.beat().await)).await;

    group(app, "stops", "00:01:00").await;
    let mut a = Adapter::join(app, "stops", "a").await;
    let mut b = Adapter::join(app, "stops", "b").await;
    a.beat().await;
    a.beat().await;
    b.beat().await;
    a.score = 0;
    a.say(false).await;
    b.beat().await;
    b.beat().await;
    until(app, "stops", GroupChangeKind::HandOver, GroupReason::StoppedActing, async || {}).await;

    group(app, "removed", "00:01:00").await;
    app.member(ON_PREMISES, "removed", "stock").await;
    app.beat(ON_PREMISES, "removed", "stock", json!({"FailoverScore": 100})).await;
    app.delete(&format!("{ON_PREMISES}/groups/removed/clientsessions/stock")).await;
    until(app, "removed", SeatFreed, GroupReason::SessionRemoved, async || {}).await;

    group(app, "deaf", "00:00:00.25").await;
    let mut a = Adapter::join(app, "deaf", "a").await;
    until(app, "deaf", SeatFreed, GroupReason::NeverActed, async || {
        let beat = json!({
            "FailoverScore": 100, "Incarnation": "a", "BootId": "b", "Sequence": a.sequence + 1, "Answered": 0,
            "AppliedRole": "Secondary",
        });
        a.sequence += 1;
        app.beat(ON_PREMISES, "deaf", "a", beat).await;
    })
    .await;
}

/// A better member takes over, or does not after all.
async fn scores(app: &App) {
    use GroupChangeKind::{ChallengeBegan, ChallengeDropped, HandOver};
    group(app, "better", "00:01:00").await;
    let mut a = Adapter::join(app, "better", "a").await;
    let mut b = Adapter::join(app, "better", "b").await;
    a.score = 50;
    a.beat().await;
    until(app, "better", HandOver, GroupReason::BetterScore, async || {
        a.beat().await;
        b.beat().await;
    })
    .await;

    group(app, "zero", "00:01:00").await;
    let mut a = Adapter::join(app, "zero", "a").await;
    let mut b = Adapter::join(app, "zero", "b").await;
    a.beat().await;
    a.beat().await;
    a.score = 0;
    until(app, "zero", HandOver, GroupReason::ScoreZero, async || {
        a.beat().await;
        b.beat().await;
    })
    .await;

    group(app, "dropped", "00:01:00").await;
    let mut a = Adapter::join(app, "dropped", "a").await;
    let mut b = Adapter::join(app, "dropped", "b").await;
    a.score = 50;
    a.beat().await;
    a.beat().await;
    until(app, "dropped", ChallengeBegan, GroupReason::BetterScore, async || drop(b.beat().await)).await;
    b.score = 50;
    b.beat().await;
    until(app, "dropped", ChallengeDropped, GroupReason::NoLongerBetter, async || {}).await;
}

/// Operators, and what members should know.
async fn orders(app: &App) {
    use GroupChangeKind::{HandOver, OverrideEnded, PoliciesDiffer, SessionContested};
    group(app, "ordered", "00:01:00").await;
    let mut a = Adapter::join(app, "ordered", "a").await;
    let mut b = Adapter::join(app, "ordered", "b").await;
    a.beat().await;
    a.beat().await;
    b.beat().await;
    force(app, "ordered", "b", json!({"Value": 1})).await;
    until(app, "ordered", HandOver, GroupReason::OperatorAsked, async || {
        b.beat().await;
        a.beat().await;
    })
    .await;
    force(app, "ordered", "b", json!({"Value": 0})).await;
    until(app, "ordered", OverrideEnded, GroupReason::OperatorEnded, async || {}).await;
    force(app, "ordered", "b", json!({"Value": 1, "ExpirationPeriod": "00:00:00.05"})).await;
    until(app, "ordered", OverrideEnded, GroupReason::OverrideExpired, async || {}).await;

    group(app, "absent", "00:00:00.25").await;
    Adapter::join(app, "absent", "b").await;
    force(app, "absent", "b", json!({"Value": 1})).await;
    until(app, "absent", OverrideEnded, GroupReason::OverrideTargetSilent, async || {}).await;

    group(app, "copied", "00:01:00").await;
    let mut a = Adapter::join(app, "copied", "a").await;
    a.beat().await;
    let mut copy = Adapter { run: "copy", ..Adapter::known(app, "copied", "a") };
    copy.beat().await;
    until(app, "copied", SessionContested, GroupReason::AnotherProcess, async || {}).await;

    group(app, "policies", "00:01:00").await;
    let mut a = Adapter::join(app, "policies", "a").await;
    let mut b = Adapter::join(app, "policies", "b").await;
    (a.loss, b.loss) = (Some("keep-role"), Some("step-down"));
    a.beat().await;
    b.beat().await;
    until(app, "policies", PoliciesDiffer, GroupReason::DifferentPolicies, async || {}).await;
}

/// A database that was set back meets a Primary that acts, and one that acts no longer. Gives the endpoint.
async fn set_back(folder: &Path) -> App {
    use GroupChangeKind::{Promoted, StoreWasSetBack, ToldToStop};
    let app = App::open(folder).await;
    let database = folder.join("failover.db");
    for id in ["back", "ceased"] {
        group(&app, id, "00:01:00").await;
        app.member(ON_PREMISES, id, "a").await;
    }
    Adapter::known(&app, "ceased", "a").beat().await;
    app.close().await;
    let backup = fs::read(&database).unwrap();
    let app = App::open(folder).await;
    let mut acting = Adapter::known(&app, "back", "a");
    acting.beat().await;
    let (epoch, sequence) = (acting.epoch, acting.sequence);
    app.close().await;
    fs::write(&database, backup).unwrap();

    let app = App::open(folder).await;
    let known = Adapter::known(&app, "back", "a");
    let mut acting = Adapter { epoch, sequence, acting: true, ..known };
    acting.beat().await;
    until(&app, "back", StoreWasSetBack, GroupReason::StoreSetBack, async || {}).await;
    until(&app, "back", Promoted, GroupReason::ActsAlready, async || {}).await;
    let mut ceased = Adapter { sequence: 10, ..Adapter::known(&app, "ceased", "a") };
    ceased.beat().await;
    until(&app, "ceased", ToldToStop, GroupReason::ActedNoLonger, async || {}).await;
    app
}

/// The endpoint is stalled, stops, and is killed. Gives the endpoint that was started again.
async fn away(folder: &Path) -> App {
    use GroupChangeKind::EndpointAway;
    let app = App::open(folder).await;
    group(&app, "left", "00:00:00.25").await;
    until(&app, "left", EndpointAway, GroupReason::Stalled, async || {
        // All tasks share this thread, so this is what the endpoint is stalled by.
        std::thread::sleep(Duration::from_millis(250));
    })
    .await;
    app.close().await;
    let sign = folder.join("endpoint.alive");
    assert!(fs::read_to_string(&sign).unwrap().contains("stopped"));
    let app = App::open(folder).await;
    support::until("a sign of life", async || !fs::read_to_string(&sign).unwrap().contains("stopped")).await;
    app.die().await;
    App::open(folder).await
}

/// More happens than is kept while the store refuses.
async fn unwritten(app: &App, folder: &Path) {
    let answer = app
        .post(
            &format!("{ON_PREMISES}/groups"),
            json!({"Id": "unwritten", "FailoverTimeout": "01:00:00", "AdditionalData": {"Dwell": "00:00:00"}}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let mut a = Adapter::join(app, "unwritten", "a").await;
    let mut b = Adapter::join(app, "unwritten", "b").await;
    a.beat().await;
    b.beat().await;
    let sqlite = |sql: &str| {
        let ran = std::process::Command::new("sqlite3")
            .args(["-cmd", ".timeout 60000"])
            .arg(folder.join("failover.db"))
            .arg(sql)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    sqlite("create trigger full before insert on endpoint_change begin select raise(abort, 'full'); end;");
    // Each time b is to take over, and then is not.
    for _ in 0..600 {
        for score in [50, 100] {
            a.score = score;
            a.beat().await;
        }
    }
    sqlite("drop trigger full;");
    until(app, "unwritten", GroupChangeKind::EndpointAway, GroupReason::NotWritten, async || {}).await;
}

/// Group, kind, reason, and what the sentence contains.
const SENTENCES: &[(&str, &str, &str, &str)] = &[
    ("silent", "Promoted", "NobodyWasPrimary", "nobody was Primary; a is the only adapter that is heard"),
    ("silent", "SeatFreed", "NoHeartbeat", "no heartbeat from a for 0."),
    ("silent", "Promoted", "NoHeartbeat", " (limit 0.25 s); b is the only adapter that is heard"),
    ("stops", "SeatFreed", "StoppedActing", "a stopped acting"),
    ("stops", "Promoted", "StoppedActing", "a stopped acting; b had the best score, 100"),
    ("stops", "HandOver", "StoppedActing", "b took over from a under epoch "),
    ("removed", "SeatFreed", "SessionRemoved", "stock was removed"),
    (
        "deaf",
        "SeatFreed",
        "NeverActed",
        "a is heard, but no answer has reached it in time for 0.25 s, and it does not",
    ),
    (
        "better",
        "ChallengeBegan",
        "BetterScore",
        "the score of b, 100, was better than that of a, 50, by 10 or more for ",
    ),
    ("better", "ToldToStop", "BetterScore", "the score of b, 100, was better than that of a, 50"),
    ("better", "SeatFreed", "BetterScore", "the score of b, 100, was better than that of a, 50"),
    ("better", "Promoted", "BetterScore", "the score of b, 100, was better than that of a, 50"),
    ("zero", "ChallengeBegan", "ScoreZero", "a can do nothing, its score is 0; b has 100"),
    ("dropped", "ChallengeDropped", "NoLongerBetter", "it is not better any more; it was heard "),
    ("ordered", "OverrideBegan", "OperatorAsked", "an operator asks for b, whose score is 100"),
    ("ordered", "Promoted", "OperatorAsked", "an operator asks for b, whose score is 100"),
    ("ordered", "HandOver", "OperatorAsked", "; nobody acted for "),
    ("ordered", "OverrideEnded", "OperatorEnded", "an operator ended it"),
    ("ordered", "OverrideEnded", "OverrideExpired", "its time is over"),
    ("absent", "OverrideEnded", "OverrideTargetSilent", "b was silent for 0.25 s"),
    ("copied", "SessionContested", "AnotherProcess", "another process uses the session of a"),
    (
        "policies",
        "PoliciesDiffer",
        "DifferentPolicies",
        "a keeps its role without the endpoint, b steps down",
    ),
    ("back", "StoreWasSetBack", "StoreSetBack", ": the store was set back"),
    ("back", "Promoted", "ActsAlready", "a acts already, under epoch "),
    ("ceased", "ToldToStop", "ActedNoLonger", "it does not act, and the endpoint waits for one that does"),
    ("left", "EndpointAway", "Stalled", "the endpoint was stalled for 0."),
    ("unwritten", "EndpointAway", "NotWritten", "the store refused what happened; "),
    ("left", "EndpointStopped", "PlannedStop", "the endpoint was told to stop"),
    ("left", "EndpointAway", "PlannedStop", "the endpoint was stopped, and did not run for "),
    ("left", "EndpointAway", "EndedUnsaid", "the endpoint ended without saying so, and did not run for "),
];

#[tokio::test]
async fn every_reason_of_the_closed_list_has_its_row_and_its_sentence() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [folder, other, third] = &folders;
    let app = App::open(folder.path()).await;
    tokio::join!(losses(&app), scores(&app), orders(&app));
    unwritten(&app, folder.path()).await;
    // An endpoint of its own: after a start that proves nothing every group waits for its T.
    let back = set_back(other.path()).await;
    // And one that is stalled, once nobody else is on its thread.
    let left = away(third.path()).await;
    let (mut kinds, mut reasons) = (BTreeSet::new(), BTreeSet::new());
    for (group, kind, reason, sentence) in SENTENCES {
        let app = match *group {
            "back" | "ceased" => &back,
            "left" => &left,
            _ => &app,
        };
        let page = app.history(ON_PREMISES, group, &format!("?limit=1000&kind={kind}")).await;
        let said = items(&page).iter().any(|item| {
            item["Reason"] == *reason
                && item["Explanation"].as_str().is_some_and(|said| said.contains(sentence))
        });
        assert!(said, "{group} {kind} {reason} {sentence:?}: {page:#}");
        kinds.extend(GroupChangeKind::parse(kind));
        reasons.extend(GroupReason::parse(reason));
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), GroupChangeKind::ALL);
    assert_eq!(reasons.into_iter().collect::<Vec<_>>(), GroupReason::ALL);
    app.close().await;
    back.close().await;
    left.close().await;
}

#[tokio::test]
async fn a_hand_over_has_a_receipt_with_both_moments_and_what_lay_between() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(folder.path()).await;
    orders(&app).await;
    let page = app.history(ON_PREMISES, "ordered", "?kind=HandOver").await;
    let receipt = &items(&page)[0]["HandOver"];
    assert_eq!((&receipt["From"], &receipt["To"]), (&json!("a"), &json!("b")));
    assert_eq!(receipt["LastAct"], "Said");
    let time = |name: &str| client_failover::domain::Wall::parse(receipt[name].as_str().unwrap()).unwrap();
    let gap = receipt["GapMilliseconds"].as_f64().unwrap();
    let between = time("FirstActTime").since(time("LastActTime")).as_secs_f64() * 1e3;
    assert!((0.0..10_000.0).contains(&gap) && (gap - between).abs() < 1.0, "{gap} {between}");
    app.close().await;
}
