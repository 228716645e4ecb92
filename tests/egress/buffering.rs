//! What a Hot Secondary keeps, and what a Primary keeps while its destination is down.

use std::time::Duration;

use client_failover::clock;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    Site, lane,
    limits::half_sent,
    sink::{Answer, Seen, Sink},
    support::{self, Server, until},
};

#[tokio::test]
async fn a_hot_secondary_keeps_in_order_and_sends_first_what_waits() {
    let site = Site::start("Hot", json!({})).await;
    for number in 0..20 {
        assert_eq!(site.post(&number.to_string()).await.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(site.sink.seen().len(), 0, "a Secondary sends nothing");
    site.until_lane("Waiting", json!(20)).await;
    site.promote().await;
    for number in 20..25 {
        assert!(site.post(&number.to_string()).await.status.is_success());
    }
    site.sink.until_seen(25).await;
    assert_eq!(site.sink.bodies(), (0..25).map(|number| number.to_string()).collect::<Vec<_>>());
    site.until_lane("Waiting", json!(0)).await;
    site.until_lane("Acknowledged", json!(25)).await;
    let seen = site.sink.seen();
    assert!(seen.iter().all(|seen| seen.line == "POST /base/data HTTP/1.1"));
    assert!(seen.iter().all(|seen| seen.header("content-type") == ["application/json"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_the_instant_of_a_promotion_is_sent_at_once_and_in_its_turn() {
    for _ in 0..10 {
        let site = Site::start("Hot", json!({})).await;
        // One after the other, each when the one before was answered: before, during and after.
        let (client, url) = (support::client(), format!("{}/egress/d/data", site.server.url));
        let (stop, stopped) = watch::channel(false);
        let mut posts = JoinSet::new();
        posts.spawn(async move {
            let mut answers = Vec::new();
            while !*stopped.borrow() {
                let post = client.post(&url).body(answers.len().to_string());
                answers.push(post.send().await.unwrap().status());
            }
            answers
        });
        until("some are kept", async || lane(&site.server).await["Waiting"].as_u64() > Some(20)).await;
        site.promote().await;
        // What is passed is answered by the destination: nothing is kept any more, though more and more come.
        until("what comes is passed on", async || {
            let lane = lane(&site.server).await;
            lane["Waiting"] == 0 && lane["Acknowledged"].as_u64() > Some(20)
        })
        .await;
        stop.send_replace(true);
        let answers = posts.join_next().await.unwrap().unwrap();
        assert!(
            answers.contains(&StatusCode::NO_CONTENT) && answers.iter().all(|status| status.is_success())
        );
        site.until_lane("Waiting", json!(0)).await;
        let sent = site.sink.until_seen(answers.len()).await;
        let wanted: Vec<_> = (0..answers.len()).map(|number| number.to_string()).collect();
        assert_eq!(sent.iter().map(Seen::text).collect::<Vec<_>>(), wanted);
    }
}

#[tokio::test]
async fn what_is_kept_is_answered_as_configured() {
    let site = Site::start("Hot", json!({ "BufferedAnswer": 202 })).await;
    assert_eq!(site.post("1").await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_was_answered_survives_a_kill_and_keeps_its_order() {
    let mut site = Site::start("Hot", json!({})).await;
    for number in 0..50 {
        assert_eq!(site.post(&number.to_string()).await.status, StatusCode::NO_CONTENT);
    }
    site.server.kill();
    site.server = Server::serve(site.folder.path(), &[]);
    until("what waits is there again", async || lane(&site.server).await["Waiting"] == 50).await;
    assert_eq!(site.post("50").await.status, StatusCode::NO_CONTENT);
    site.promote().await;
    site.sink.until_seen(51).await;
    assert_eq!(site.sink.bodies(), (0..51).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_primary_keeps_what_its_destination_does_not_settle_until_it_does() {
    let mut site = Site::start("Warm", json!({})).await;
    site.promote().await;
    assert_eq!(site.post("0").await.status, StatusCode::OK);
    site.sink.go_away().await;
    for number in 1..6 {
        assert_eq!(site.post(&number.to_string()).await.status, StatusCode::NO_CONTENT);
    }
    site.server.until_history("Egress", "DestinationFailed").await;
    let shown = site.server.until_diagnostics("Warnings", |warnings| !warnings[0].is_null()).await;
    assert!(shown["Warnings"].to_string().contains("settles nothing"), "{shown}");
    site.sink.come_back();
    site.sink.until_seen(6).await;
    assert_eq!(site.sink.bodies(), ["0", "1", "2", "3", "4", "5"]);
    site.server.until_history("Egress", "DestinationRestored").await;
    site.until_lane("Outage", json!(null)).await;
}

#[tokio::test]
async fn answers_that_may_pass_leave_the_request_with_us() {
    let site = Site::start("Hot", json!({})).await;
    site.promote().await;
    for status in [401, 403, 407, 408, 425, 429, 500, 503, 302] {
        site.sink.answer(Answer::With(status, "", ""));
        assert_eq!(site.post("1").await.status, StatusCode::NO_CONTENT, "{status}");
        site.until_lane("Waiting", json!(1)).await;
        site.sink.answer(Answer::With(200, "", ""));
        site.until_lane("Waiting", json!(0)).await;
    }
}

#[tokio::test]
async fn what_a_destination_refuses_is_settled_and_blocks_nothing() {
    let site = Site::start("Hot", json!({})).await;
    assert_eq!(site.post("bad").await.status, StatusCode::NO_CONTENT);
    site.sink.answer(Answer::With(422, "", "no"));
    site.promote().await;
    site.until_lane("Refused", json!(1)).await;
    let answer = site.post("worse").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "no"));
    site.sink.answer(Answer::With(200, "", ""));
    assert_eq!(site.post("good").await.status, StatusCode::OK);
    site.until_lane("Waiting", json!(0)).await;
    let row = site.server.until_history("Egress", "DestinationRefused").await;
    assert!(row["Explanation"].as_str().unwrap().contains("422"), "{row}");
}

#[tokio::test]
async fn a_full_secondary_drops_its_oldest_and_says_so() {
    let site = Site::start("Hot", json!({ "MaxBufferSizeMB": 2, "MaxRequestSizeMB": 1 })).await;
    let large = |number: u32| format!("{number}:{}", "x".repeat(700 * 1024));
    for number in 0..5 {
        assert_eq!(site.post(&large(number)).await.status, StatusCode::NO_CONTENT);
    }
    site.until_lane("Dropped", json!(3)).await;
    site.until_lane("Waiting", json!(2)).await;
    let row = site.server.until_history("Egress", "BufferOverflowed").await;
    assert!(row["Explanation"].as_str().unwrap().contains("oldest"), "{row}");
    site.promote().await;
    site.sink.until_seen(2).await;
    let kept: Vec<_> =
        site.sink.bodies().iter().map(|body| body.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(kept, ["3", "4"]);
}

#[tokio::test]
async fn a_full_primary_refuses_what_is_new() {
    let mut site = Site::start("Hot", json!({ "MaxBufferSizeMB": 2, "MaxRequestSizeMB": 1 })).await;
    site.promote().await;
    site.sink.go_away().await;
    let large = "x".repeat(700 * 1024);
    assert_eq!(site.post(&large).await.status, StatusCode::NO_CONTENT);
    assert_eq!(site.post(&large).await.status, StatusCode::NO_CONTENT);
    let answer = site.post(&large).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(lane(&site.server).await["Dropped"], json!(0));
    site.server.until_history("Egress", "BufferFull").await;
    site.sink.come_back();
    site.sink.until_seen(2).await;
    until("there is room again", async || site.post("small").await.status == StatusCode::OK).await;
}

#[tokio::test]
async fn a_standby_that_keeps_nothing_refuses_or_swallows_by_setting() {
    for (mode, standby, status) in [
        ("Warm", "Refuse", StatusCode::SERVICE_UNAVAILABLE),
        ("Cold", "Refuse", StatusCode::SERVICE_UNAVAILABLE),
        ("Warm", "Swallow", StatusCode::NO_CONTENT),
    ] {
        let site = Site::start(mode, json!({ "StandbyAnswer": standby })).await;
        let answer = site.post("1").await;
        assert_eq!(answer.status, status, "{mode} {standby}");
        assert_eq!(answer.headers.contains_key("retry-after"), standby == "Refuse");
        site.until_lane("StoodBy", json!(1)).await;
        site.promote().await;
        assert_eq!(site.post("2").await.status, StatusCode::OK);
        assert_eq!(site.sink.bodies(), ["2"], "nothing was kept");
    }
}

#[tokio::test]
async fn what_the_primary_is_proved_to_have_settled_leaves_the_buffer_and_nothing_else_does() {
    let site = Site::with("Hot", json!({}), &[("HOLD_BACK", "1s")]).await;
    assert_eq!(site.post("old").await.status, StatusCode::NO_CONTENT);
    let old = clock::now().uptime;
    // The margin is T (1 s) and the hold-back (1 s), and a tenth: proofs of the last 2.3 s prove nothing.
    until("it is older than the margin", async || clock::now().uptime.since(old) > Duration::from_secs(3))
        .await;
    assert_eq!(lane(&site.server).await["Waiting"], json!(1), "what nobody proved stays");
    site.prove("00:00:02", "00:00:00").await;
    assert_eq!(lane(&site.server).await["Waiting"], json!(1), "a Primary that began later has not seen it");
    site.prove("01:00:00", "00:30:00").await;
    assert_eq!(lane(&site.server).await["Waiting"], json!(1), "the Primary has it still unsettled");
    site.prove_of("other", "01:00:00", "00:00:00").await;
    assert_eq!(lane(&site.server).await["Waiting"], json!(1), "the Primary has sent it elsewhere");
    assert_eq!(site.post("new").await.status, StatusCode::NO_CONTENT);
    site.prove("01:00:00", "00:00:00").await;
    site.until_lane("Proved", json!(1)).await;
    assert_eq!(lane(&site.server).await["Waiting"], json!(1), "what is new stays");
    site.endpoint.behave();
    site.promote().await;
    site.sink.until_seen(1).await;
    assert_eq!(site.sink.bodies(), ["new"]);
}

#[tokio::test]
async fn what_another_groups_source_said_is_proved_by_nobody_also_not_after_a_restart() {
    let hold_back = [("HOLD_BACK", "1s")];
    let mut site = Site::with("Hot", json!({}), &hold_back).await;
    assert_eq!(site.post("of G").await.status, StatusCode::NO_CONTENT);
    site.server
        .configure(&json!({
            "FailoverGroupId": "H", "Mode": "Hot", "Endpoint": site.endpoint.base(), "FailoverTimeout": "00:00:01",
        }))
        .await;
    site.restart(&hold_back);
    until("it is known what waits", async || lane(&site.server).await["Waiting"] == 1).await;
    site.prove("01:00:00", "00:00:00").await;
    until("what came long after is proved", async || {
        assert_eq!(site.post("of H").await.status, StatusCode::NO_CONTENT);
        lane(&site.server).await["Proved"] != 0
    })
    .await;
    site.endpoint.behave();
    site.promote().await;
    site.sink.until_seen(1).await;
    assert_eq!(site.sink.bodies()[0], "of G");
}

#[tokio::test]
async fn a_primary_says_what_its_gate_has_received_and_settled() {
    let mut site = Site::start("Hot", json!({})).await;
    site.promote().await;
    let said = |member: &str| span(&site.endpoint.heartbeats().last()?["Egress"][0][member]);
    assert_eq!(said("CoveredFromAge"), None, "nothing came yet");
    until("it is covered, and nothing waits", async || {
        assert_eq!(site.post("0").await.status, StatusCode::OK);
        said("CoveredFromAge") > Some(Duration::from_secs(1))
            && said("OldestUnsettledAge") < Some(Duration::from_millis(900))
    })
    .await;
    site.sink.go_away().await;
    assert_eq!(site.post("1").await.status, StatusCode::NO_CONTENT);
    let said = |member: &str| span(&site.endpoint.heartbeats().last()?["Egress"][0][member]);
    until("something waits", async || said("OldestUnsettledAge") > Some(Duration::from_secs(1))).await;
    site.demote().await;
    until("a Secondary says nothing", async || said("OldestUnsettledAge").is_none()).await;
}

fn span(value: &serde_json::Value) -> Option<Duration> {
    client_failover::domain::parse_span(value.as_str()?)
}

#[tokio::test]
async fn a_source_that_is_silent_for_longer_than_the_hold_back_is_warned_about() {
    let site = Site::with("Hot", json!({}), &[("HOLD_BACK", "1ms")]).await;
    until("it is warned about", async || {
        site.post("x").await;
        let warnings = site.server.diagnostics().await["Warnings"].to_string();
        warnings.contains("comes less often than once in 0.001 s, the hold_back")
    })
    .await;
}

/// What the last heartbeat said of the only destination.
fn said(site: &Site, member: &str) -> Option<Duration> {
    span(&site.endpoint.heartbeats().last()?["Egress"][0][member])
}

#[tokio::test]
async fn who_misses_a_part_of_its_source_covers_nothing_however_much_comes_of_the_rest() {
    let site = Site::start("Hot", json!({})).await;
    let report = async |status: &str| {
        let (path, report) =
            ("/api/v1/diagnostics/Components/PLC-20", json!({ "StreamCount": 1000, "DeviceStatus": status }));
        let answer = site.server.send(Method::PUT, path, Some(&report.to_string())).await;
        assert!(answer.status.is_success(), "{}", answer.body);
    };
    report("Good").await;
    site.promote().await;
    let passes = async || assert_eq!(site.post("of the others").await.status, StatusCode::OK);
    until("it is covered", async || {
        passes().await;
        said(&site, "CoveredFromAge") > Some(Duration::from_secs(1))
    })
    .await;
    report("DeviceInError").await;
    let missed = clock::now().uptime;
    until("nothing is covered", async || {
        passes().await;
        said(&site, "CoveredFromAge").is_none()
    })
    .await;
    let warned = site.server.until_diagnostics("Warnings", |warnings| !warnings[0].is_null()).await;
    assert!(warned["Warnings"].to_string().contains("can be proved to be delivered"), "{warned}");
    report("Good").await;
    until("it is covered anew", async || {
        passes().await;
        let (age, since) = (said(&site, "CoveredFromAge"), clock::now().uptime.since(missed));
        assert!(age.is_none_or(|age| age < since), "{age:?} of {since:?}");
        age > Some(Duration::from_millis(200))
    })
    .await;
}

#[tokio::test]
async fn what_still_comes_is_not_settled_and_what_breaks_off_is_missed() {
    let site = Site::start("Hot", json!({})).await;
    site.promote().await;
    let passes = async || assert_eq!(site.post("small").await.status, StatusCode::OK);
    until("it is covered", async || {
        passes().await;
        said(&site, "CoveredFromAge") > Some(Duration::from_secs(1))
    })
    .await;
    let slow = half_sent(&site, 1_000, 10).await;
    let began = clock::now().uptime;
    until("what comes slowly is as old as its head", async || {
        passes().await;
        said(&site, "OldestUnsettledAge") > Some(Duration::from_secs(2))
    })
    .await;
    drop(slow);
    until("what broke off is covered by nobody", async || {
        passes().await;
        let (age, since) = (said(&site, "CoveredFromAge"), clock::now().uptime.since(began));
        age.is_none_or(|age| age < since)
    })
    .await;
}

#[tokio::test]
async fn a_destination_that_nothing_is_sent_to_holds_the_time_of_the_last_data_back_for_none() {
    let mut site = Site::start("Hot", json!({})).await;
    let other = Sink::start().await;
    let idle = json!({ "Id": "idle", "Endpoint": other.origin() });
    let answer = site.server.send(Method::POST, crate::DESTINATIONS, Some(&idle.to_string())).await;
    assert!(answer.status.is_success(), "{}", answer.body);
    site.promote().await;
    let post = async |site: &Site, id: &str| {
        site.server.send(Method::POST, &format!("/egress/{id}/data"), Some("1")).await.status
    };
    until("the other is there", async || post(&site, "idle").await == StatusCode::OK).await;
    let once = clock::now().wall;
    let last = async |site: &Site| -> Option<jiff::Timestamp> {
        site.server.diagnostics().await["LastDataProcessedTime"].as_str()?.parse().ok()
    };
    let after = |secs: i64| jiff::Timestamp::from_microsecond(once.micros() + secs * 1_000_000).unwrap();
    until("the time goes on with what comes for one", async || {
        assert_eq!(post(&site, "d").await, StatusCode::OK);
        last(&site).await >= Some(after(2))
    })
    .await;
    site.sink.go_away().await;
    assert_eq!(post(&site, "d").await, StatusCode::NO_CONTENT);
    let stands =
        lane(&site.server).await["SettledUntil"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    until("what waits for one holds it back", async || {
        assert_eq!(post(&site, "idle").await, StatusCode::OK);
        assert!(last(&site).await.unwrap() <= stands, "nothing newer is settled for all");
        clock::now().wall.micros() > stands.as_microsecond() + 2_500_000
    })
    .await;
}

#[tokio::test]
async fn a_run_that_finds_nothing_waiting_knows_of_the_break_before_it() {
    let hold_back = [("HOLD_BACK", "1s")];
    let mut site = Site::with("Hot", json!({}), &hold_back).await;
    site.promote().await;
    until("it is covered", async || {
        assert_eq!(site.post("1").await.status, StatusCode::OK);
        said(&site, "CoveredFromAge") > Some(Duration::from_secs(2))
    })
    .await;
    site.server.kill();
    let ended = clock::now().uptime;
    until("it is down for a while", async || clock::now().uptime.since(ended) > Duration::from_secs(4)).await;
    site.server = crate::serve(site.folder.path(), &hold_back);
    let before = site.endpoint.heartbeats().len();
    let mut first = clock::now().uptime;
    until("it passes on again", async || {
        first = clock::now().uptime;
        site.post("2").await.status == StatusCode::OK
    })
    .await;
    until("it is covered again", async || {
        assert_eq!(site.post("3").await.status, StatusCode::OK);
        site.endpoint.heartbeats().len() > before + 2
            && said(&site, "CoveredFromAge") > Some(Duration::from_millis(200))
    })
    .await;
    // What the collector kept while the gate was down it may hand in for as long again.
    let covered = clock::now().uptime.since(first);
    assert!(covered > Duration::from_secs(4), "{covered:?} after it went on");
}
