//! kill -9 at random moments under configuration writes.

use std::{path::Path, time::Duration};

use client_failover::clock;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    database::{ask, ask_copy},
    support::{FACET, FAILOVER, HISTORY, STATE, Server, client, until},
};

/// Kills in all.
const KILLS: u32 = 208;

/// Servers that are killed beside each other.
const LANES: u32 = 4;

/// SplitMix64: the seed is the bug report.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// What is stored: the name in the configuration, or none.
type Stored = Option<String>;

/// What was answered, and what was asked last without an answer.
#[derive(Debug, Default)]
struct Ledger {
    stored: Stored,
    changes: u64,
    /// A change that was sent and not answered: what it would store.
    unanswered: Option<Stored>,
    writes: u64,
}

impl Ledger {
    /// The next change: its method, its body, and what is stored once it is answered.
    fn next_change(&mut self, random: &mut Random) -> (Method, Option<Value>, Stored) {
        self.writes += 1;
        let name = format!("write {}", self.writes);
        let whole = json!({
            "FailoverGroupId": "G", "Mode": "None", "Endpoint": "http://localhost:1", "Name": name, "UserName": "u",
            "Password": format!("password {}", self.writes), "Description": "d".repeat(1_000),
        });
        match (random.below(8), &self.stored) {
            (0, Some(_)) => (Method::DELETE, None, None),
            (1..=3, Some(_)) => (Method::PATCH, Some(json!({ "Name": name })), Some(name)),
            (4, None) => (Method::POST, Some(whole), Some(name)),
            _ => (Method::PUT, Some(whole), Some(name)),
        }
    }

    /// Writes until the server is gone.
    async fn write(&mut self, client: &Client, url: &str, random: &mut Random) {
        loop {
            let (method, body, stored) = self.next_change(random);
            let mut request = client.request(method, format!("{url}{FACET}"));
            if let Some(body) = body {
                request = request.header("content-type", "application/json").body(body.to_string());
            }
            self.unanswered = Some(stored.clone());
            let Ok(answer) = request.send().await else { return };
            assert!(answer.status().is_success(), "{}", answer.status());
            self.unanswered = None;
            self.stored = stored;
            self.changes += 1;
        }
    }

    /// Compares with what is on disk and takes over what was not answered but done.
    fn settle(&mut self, data: &Path) {
        let found = ask_copy(
            data,
            "pragma integrity_check;
             select count(*) from configuration_history;
             select count(*) from failover_transition where kind = 'ConfigurationChanged';
             select (select count(*) from failover_transition) =
                    (select coalesce(max(sequence), 0) from failover_transition);
             select name from client_failover_configuration;",
        );
        let lines: Vec<_> = found.lines().collect();
        let [integrity, changes, rows, gapless, name @ ..] = lines.as_slice() else { panic!("{found}") };
        let on_disk: Stored = name.first().map(ToString::to_string);
        assert_eq!((*integrity, *gapless), ("ok", "1"), "{self:?}: {found}");
        assert_eq!(changes, rows, "a change and its row are one: {self:?}: {found}");
        let changes: u64 = changes.parse().unwrap();
        match self.unanswered.take() {
            Some(stored) if changes == self.changes + 1 => (self.changes, self.stored) = (changes, stored),
            _ => assert_eq!(changes, self.changes, "{self:?}: {found}"),
        }
        assert_eq!(on_disk, self.stored, "{self:?}: {found}");
    }
}

/// Kills one server again and again.
async fn kill_again_and_again(lane: u32, seed: u64, kills: u32) {
    let mut random = Random(seed ^ u64::from(lane));
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let client = client();
    let mut ledger = Ledger::default();
    let mut session = None;
    let mut longest_us = 60_000;
    for _ in 0..kills {
        let mut server = tokio::task::block_in_place(|| Server::serve(&data, &[]));
        let shown = server.get(FACET).await.json();
        assert_eq!(shown[0]["Name"].as_str().map(str::to_owned), ledger.stored, "lane {lane}: {ledger:?}");
        let url = server.url.clone();
        // The moment of death is what is random here; nothing waits for it.
        let moment = Duration::from_micros(random.below(longest_us));
        let before = ledger.changes;
        let writing = ledger.write(&client, &url, &mut random);
        tokio::select! {
            () = writing => panic!("lane {lane}: the server ended by itself: {}", server.log()),
            () = tokio::time::sleep(moment) => {}
        }
        tokio::task::block_in_place(|| {
            server.kill();
            ledger.settle(&data);
            let found = ask_copy(&data, "select session_id from session_identity");
            assert_eq!(*session.get_or_insert(found.clone()), found, "lane {lane}: the session's Id stays");
        });
        // On a slow disk a change takes longer.
        longest_us = if ledger.changes > before { longest_us } else { longest_us * 5 / 4 };
    }
    assert!(
        ledger.changes > u64::from(kills) / 4,
        "lane {lane} wrote too little to prove anything: {ledger:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_survives_kill_9_at_any_moment() {
    let named = std::env::var("CLIENT_FAILOVER_TEST_SEED").ok();
    let seed = named.map_or_else(|| getrandom::u64().unwrap(), |seed| seed.parse().unwrap());
    println!("CLIENT_FAILOVER_TEST_SEED={seed}");
    let begun = clock::now().uptime;
    let lanes = (0..LANES).map(|lane| kill_again_and_again(lane, seed, KILLS / LANES));
    let mut lanes: tokio::task::JoinSet<()> = lanes.collect();
    while let Some(ended) = lanes.join_next().await {
        ended.unwrap();
    }
    println!("{KILLS} kills in {:?}", clock::now().uptime.since(begun));
}

#[tokio::test]
async fn a_restart_restores_configuration_session_and_history() {
    let folder = tempfile::tempdir().unwrap();
    let hot = json!({
        "Id": "C", "FailoverGroupId": "G", "Mode": "Hot", "Endpoint": "http://127.0.0.1:1", "UserName": "u",
        "Password": "p", "FailoverTimeout": "00:00:05",
    });
    let session = async |server: &Server| {
        let mut found = Value::Null;
        until("the session has its Id", async || {
            found = server.get(FAILOVER).await.json()["SessionId"].clone();
            found.is_string()
        })
        .await;
        found
    };
    let mut server = Server::serve(folder.path(), &[]);
    server.until_history("ServerStarted", "Started").await;
    server.configure(&hot).await;
    let (first_session, shown) = (session(&server).await, server.get(FACET).await.body);
    for orderly in [true, false] {
        if orderly {
            assert_eq!(server.terminate().code(), Some(0), "{}", server.log());
        } else {
            server.kill();
        }
        let rows = ask_copy(folder.path(), "select count(*) from failover_transition");
        server = Server::serve(folder.path(), &[]);
        assert_eq!(server.get(FACET).await.body, shown);
        assert_eq!(session(&server).await, first_session);
        server.until_role("Secondary").await;
        // A role that permits less is told before it is written.
        until("the old rows and those of the new start are there", async || {
            let found = server.get(&format!("{HISTORY}?limit=1000")).await.json();
            let items = found["Items"].as_array().unwrap();
            assert_eq!(items.last().unwrap()["Kind"], "ServerStarted");
            items.len() > rows.parse().unwrap()
        })
        .await;
    }
    let starts = ask(folder.path(), "select count(*) from failover_transition where kind = 'ServerStarted'");
    let stops = ask(folder.path(), "select count(*) from failover_transition where kind = 'ServerStopped'");
    assert_eq!((starts.as_str(), stops.as_str()), ("3", "1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_leaves_no_change_that_is_stored_but_not_applied() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &[]);
    let client = client();
    for round in 0..60_u64 {
        let body = json!({
            "Id": format!("C{round}"), "FailoverGroupId": "G", "Mode": "None", "Endpoint": "http://localhost:1",
        });
        let request = client
            .put(format!("{}{FACET}", server.url))
            .header("content-type", "application/json")
            .header("connection", "close")
            .body(body.to_string());
        // Most moments fall into the write, which takes some milliseconds.
        let patience = Duration::from_micros(round * 100);
        if let Ok(answer) = tokio::time::timeout(patience, request.send()).await {
            assert_eq!(answer.unwrap().status(), StatusCode::NO_CONTENT);
        }
        // What was sent may be read late, and stored after others have asked: so both are asked again and again.
        until(&format!("round {round}: what is stored is applied"), async || {
            let stored = server.get(FACET).await.json()[0]["Id"].clone();
            server.get(FAILOVER).await.json()["ConfigurationId"] == stored
        })
        .await;
    }
    assert_eq!(server.get(STATE).await.json()["AdapterState"], "Running");
    drop(server);
    assert_eq!(
        ask(folder.path(), "select count(*) from configuration_history"),
        ask(folder.path(), "select count(*) from failover_transition where kind = 'ConfigurationChanged'")
    );
}
