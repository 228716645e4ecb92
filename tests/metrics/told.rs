//! What `/metrics` tells, and in which form.

use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    plant::{LABEL, Plant, scrape, scrape_as, until_sample},
    promtool::promtool,
    support::{FACET, STATE, Server, client, configuration},
};

/// What a Prometheus of version 2 asks for.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
                          q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

#[tokio::test]
async fn what_both_halves_tell_is_as_promtool_wants_it() {
    let plant = Plant::start().await;
    for server in [&plant.endpoint, &plant.a, &plant.b] {
        let told = scrape(server).await;
        assert_eq!(told.kind, "text/plain; version=0.0.4; charset=utf-8");
        promtool(Path::new("."), &["check", "metrics"], &told.text);
        assert!(told.names().all(|name| name.starts_with("client_failover_")), "{}", told.text);
        let told = scrape_as(server, PROMETHEUS).await;
        assert_eq!(told.kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        assert!(told.text.ends_with("# EOF\n"));
    }
}

#[tokio::test]
async fn a_hand_over_is_seen_from_all_three_sides() {
    let mut plant = Plant::start().await;
    let told = scrape(&plant.endpoint).await;
    let epoch = told.value(&format!("client_failover_group_epoch{{{LABEL}}}")).unwrap();
    assert_eq!(told.value("client_failover_endpoint_groups{health=\"Protected\"}"), Some(1.0));
    assert_eq!(told.value(&format!("client_failover_group_members_heard{{{LABEL}}}")), Some(2.0));
    let told = scrape(&plant.a).await;
    assert_eq!(told.value("client_failover_adapter_role{role=\"Primary\"}"), Some(1.0));
    assert_eq!(told.value("client_failover_adapter_epoch"), Some(epoch));
    let left = told.value("client_failover_adapter_lease_remaining_seconds").unwrap();
    assert!(left > 0.0 && left < 2.0, "{left}");
    plant.a.terminate();
    plant.b.until_role("Primary").await;
    let told = scrape(&plant.b).await;
    assert_eq!(told.value("client_failover_adapter_role{role=\"Secondary\"}"), Some(0.0));
    assert!(told.value("client_failover_adapter_heartbeat_duration_seconds_count").unwrap() >= 2.0);
    until_sample(
        &plant.b,
        "client_failover_adapter_history_rows_total{kind=\"Role\",reason=\"ToldPrimary\"}",
        1.0,
    )
    .await;
    let promoted = "client_failover_endpoint_history_rows_total{kind=\"Promoted\",reason=\"StoppedActing\"}";
    until_sample(&plant.endpoint, promoted, 1.0).await;
    let gap = "client_failover_endpoint_handover_gap_seconds_count{cause=\"StoppedActing\"}";
    until_sample(&plant.endpoint, gap, 1.0).await;
    let health = format!("client_failover_group_health{{{LABEL},health=\"OneMember\"}}");
    until_sample(&plant.endpoint, &health, 1.0).await;
    let told = scrape(&plant.endpoint).await;
    assert!(told.value(&format!("client_failover_group_epoch{{{LABEL}}}")).unwrap() > epoch);
    assert!(told.value("client_failover_endpoint_seat_write_duration_seconds_count").unwrap() >= 2.0);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_told_with_how_calls_failed() {
    let mut plant = Plant::start().await;
    assert_eq!(scrape(&plant.b).await.value("client_failover_adapter_endpoint_up"), Some(1.0));
    plant.endpoint.kill();
    until_sample(&plant.b, "client_failover_adapter_endpoint_up", 0.0).await;
    let failed = "client_failover_adapter_call_failures_total{call=\"Heartbeat\",kind=\"Unreachable\"}";
    assert!(scrape(&plant.b).await.value(failed).unwrap() > 0.0);
}

#[tokio::test]
async fn a_primary_that_keeps_its_role_without_the_endpoint_is_told_as_one_without_a_lease() {
    let folder = tempfile::tempdir().unwrap();
    let mut endpoint = Server::endpoint(&folder.path().join("endpoint"), &[]);
    let adapter = Server::serve(&folder.path().join("a"), &["--endpoint-loss", "keep-role"]);
    let base = format!("{}/api/v1/clientfailover", endpoint.url);
    adapter.configure(&configuration(&base, "g", "00:00:01")).await;
    adapter.until_role("Primary").await;
    let (primary, lease) =
        ("client_failover_adapter_role{role=\"Primary\"}", "client_failover_adapter_lease_remaining_seconds");
    let told = scrape(&adapter).await;
    assert_eq!((told.value(primary), told.value(lease).is_some()), (Some(1.0), true));
    endpoint.kill();
    adapter.until_history("RoleKept", "LeaseExpired").await;
    // What the alert about this asks for, word by word.
    let told = scrape(&adapter).await;
    assert_eq!((told.value(primary), told.value(lease)), (Some(1.0), None), "{}", told.text);
}

#[tokio::test]
async fn what_waits_at_the_gate_is_told() {
    let plant = Plant::start().await;
    plant.send_to_gate().await;
    let told = scrape(&plant.a).await;
    // That request, when it came, and which group the buffer belongs to.
    let writes = told.value("client_failover_egress_buffer_write_duration_seconds_count");
    assert!(writes.is_some_and(|writes| (1.0..=3.0).contains(&writes)), "{writes:?}");
    assert_eq!(told.value("client_failover_egress_waiting_requests{destination=\"d\"}"), Some(1.0));
    assert!(told.value("client_failover_egress_waiting_bytes{destination=\"d\"}").unwrap() > 0.0);
    let limit = told.value("client_failover_egress_waiting_limit_bytes{destination=\"d\"}");
    assert_eq!(limit, Some(1_073_741_824.0));
    assert_eq!(told.value("client_failover_egress_up{destination=\"d\"}"), Some(0.0));
}

#[tokio::test]
async fn every_refusal_is_counted_once_by_status_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::serve(folder.path(), &["--with-endpoint"]);
    for (method, path, body) in [
        (Method::GET, "/nowhere", None),
        (Method::GET, "/nowhere", None),
        (Method::TRACE, FACET, None),
        (Method::PUT, FACET, Some(json!({ "Mode": 1 }).to_string())),
        (Method::PUT, FACET, Some(" ".repeat(1024 * 1024 + 1))),
        (Method::POST, "/egress/none/x", Some("{}".to_owned())),
        (Method::GET, "/api/v1/clientfailover/groups/none", None),
    ] {
        server.send(method, path, body.as_deref()).await;
    }
    let of_another = client().get(&server.url).header("host", "plant.example");
    assert_eq!(of_another.send().await.unwrap().status(), StatusCode::OK, "the page itself is for everybody");
    let of_another = client().get(format!("{}{STATE}", server.url)).header("host", "plant.example");
    assert_eq!(of_another.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let of_another = client().get(format!("{}/metrics", server.url)).header("host", "plant.example");
    assert_eq!(
        of_another.send().await.unwrap().status(),
        StatusCode::FORBIDDEN,
        "Prometheus' name for it, too"
    );
    let told = scrape(&server).await;
    for (status, reason, times) in [
        (403, "OtherHost", 2.0),
        (401, "WrongLogin", 0.0),
        (404, "NotFound", 4.0),
        (405, "MethodNotAllowed", 1.0),
        (400, "BadRequest", 1.0),
        (413, "PayloadTooLarge", 1.0),
    ] {
        let sample =
            format!("client_failover_http_refusals_total{{status=\"{status}\",reason=\"{reason}\"}}");
        assert_eq!(told.value(&sample), Some(times), "{sample}\n{}", told.text);
    }
    assert!(told.value("client_failover_http_connections").unwrap() >= 1.0);
    promtool(Path::new("."), &["check", "metrics"], &told.text);
}
