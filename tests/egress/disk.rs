//! A full disk: what waits stays, what is over leaves, and the newest displaces the oldest as long as there is room.

use std::{fs, path::PathBuf, time::Duration};

use client_failover::clock;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    Site, lane,
    support::{
        Server,
        mount::{Mount, fill},
        until,
    },
};

/// The body of a request that the room of a buffer of 1 MiB holds some fifteen of.
fn large(number: usize) -> String {
    format!("{number}:{}", "x".repeat(64 * 1024))
}

/// A Hot Secondary whose data is on a small disk; `None`, loudly, where that cannot be had.
async fn site() -> Option<(Site, Mount, PathBuf)> {
    let folder = tempfile::tempdir().unwrap();
    let mount = Mount::tmpfs(folder.path(), "24m")?;
    let data = mount.path.join("data");
    let members = json!({ "MaxBufferSizeMB": 1, "MaxRequestSizeMB": 1 });
    Some((Site::at(folder, &data, "Hot", members, &[("HOLD_BACK", "1s")]).await, mount, data))
}

/// The numbers of what the destination has.
fn numbers(site: &Site) -> Vec<usize> {
    site.sink.bodies().iter().map(|body| body.split(':').next().unwrap().parse().unwrap()).collect()
}

async fn count(site: &Site, member: &str) -> usize {
    usize::try_from(lane(&site.server).await[member].as_u64().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_a_standby_drops_its_oldest_for_what_is_new() {
    let Some((mut site, mount, data)) = site().await else { return };
    for number in 0..30 {
        assert_eq!(site.post(&large(number)).await.status, StatusCode::NO_CONTENT, "{number}");
    }
    // Its database is as large as it gets; the log of a server that begins is not yet.
    site.server.terminate();
    site.server = Server::serve(&data, &[]);
    until("it keeps again", async || site.post(&large(30)).await.status == StatusCode::NO_CONTENT).await;
    for number in 31..50 {
        assert_eq!(site.post(&large(number)).await.status, StatusCode::NO_CONTENT, "{number}");
    }
    fill(&mount.path, 0);
    for number in 50..200 {
        let answer = site.post(&large(number)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{number}: {}", answer.body);
    }
    let waiting = count(&site, "Waiting").await;
    assert_eq!(waiting + count(&site, "Dropped").await, 200);
    site.promote().await;
    site.sink.until_seen(waiting).await;
    assert_eq!(numbers(&site), (200 - waiting..200).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_what_waits_is_not_dropped_for_what_cannot_be_kept() {
    let Some((mut site, mount, data)) = site().await else { return };
    for number in 0..30 {
        assert_eq!(site.post(&large(number)).await.status, StatusCode::NO_CONTENT);
    }
    let (waiting, dropped) = (count(&site, "Waiting").await, count(&site, "Dropped").await);
    // A server that begins has no log yet, and on a full disk it gets none.
    site.server.terminate();
    site.server = Server::serve(&data, &[]);
    until("what waits is there again", async || lane(&site.server).await["Waiting"] == waiting).await;
    let ballast = fill(&mount.path, 0);
    for number in 30..60 {
        let answer = site.post(&large(number)).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
        assert_eq!(answer.json()["Error"], "The buffer cannot be written.");
        assert_eq!(answer.json()["Reason"], "The disk that holds the data folder is full.");
    }
    assert_eq!((count(&site, "Waiting").await, count(&site, "Dropped").await), (waiting, dropped));
    fs::remove_file(ballast).unwrap();
    assert_eq!(site.post(&large(60)).await.status, StatusCode::NO_CONTENT, "there is space again");
    site.promote().await;
    site.sink.until_seen(waiting).await;
    let wanted: Vec<_> = (30 - waiting + 1..30).chain([60]).collect();
    assert_eq!(numbers(&site), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_what_is_proved_leaves_for_good() {
    let Some((mut site, mount, data)) = site().await else { return };
    for number in 0..10 {
        assert_eq!(site.post(&large(number)).await.status, StatusCode::NO_CONTENT);
    }
    let ballast = fill(&mount.path, 0);
    let kept = clock::now().uptime;
    until("it is older than the margin", async || clock::now().uptime.since(kept) > Duration::from_secs(3))
        .await;
    site.prove("01:00:00", "00:00:00").await;
    site.until_lane("Proved", json!(10)).await;
    site.until_lane("Waiting", json!(0)).await;
    // What is written about it when there is space is written once.
    fs::remove_file(ballast).unwrap();
    assert_eq!(site.post("new").await.status, StatusCode::NO_CONTENT);
    site.server.kill();
    site.server = Server::serve(&data, &[]);
    let shown = |lane: &Value| (lane["Waiting"].clone(), lane["Proved"].clone());
    until("the next run knows it", async || shown(&lane(&site.server).await) == (json!(1), json!(10))).await;
}
