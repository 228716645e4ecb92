//! What one user can make is bounded, and what is there stays.

use client_failover::{
    domain::{AuditAction, AuditKind, AuditRow, Deed, GroupKey, GroupSpec, Place, UserName, Wall},
    endpoint::{self, Call, CallError, Endpoint, Full},
    store::{DataFolder, Store},
    wire::endpoint::{read_group, read_session},
};
use serde_json::json;

use crate::{
    ownership::members,
    support::{Server, client},
};

/// An endpoint whose store had this before it began.
async fn endpoint_after(sql: &str) -> (Endpoint, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
    let mut shell = std::process::Command::new("sqlite3");
    let ran = shell.arg(folder.path().join("failover.db")).arg(sql).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    (Endpoint::open(store, endpoint::Settings::default()).await.unwrap(), folder)
}

/// Groups `g1`, `g2`, …, so many.
fn groups(count: usize) -> String {
    format!(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < {count})
         insert into endpoint_group (tenant, namespace, id, additional_data, failover_timeout_us, created_us)
         select '', '', 'g' || i, '{{}}', 60000000, 0 from n;"
    )
}

/// Sessions `s1`, `s2`, …, so many in each group.
fn sessions(count: usize) -> String {
    format!(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < {count})
         insert into endpoint_session (tenant, namespace, group_id, id, additional_data, registration, created_us)
         select '', '', endpoint_group.id, 's' || i, '{{}}', i, 0 from n, endpoint_group;"
    )
}

fn group(id: &str) -> GroupSpec {
    let body = format!(r#"{{"Id": "{id}", "FailoverTimeout": "00:01:00"}}"#);
    read_group(Place::OnPremises, members(&body)).unwrap()
}

fn told() -> AuditRow {
    let deed = Deed { kind: AuditKind::Group, action: AuditAction::Created, subject: String::new() };
    AuditRow::of_deed(deed, Wall::from_micros(0), "test".to_owned(), None)
}

async fn make(endpoint: &Endpoint, id: &str) -> Call<bool> {
    endpoint.create_group(group(id), &told()).await.map(|made| made.new)
}

async fn register(endpoint: &Endpoint, group: &GroupKey, id: &str, by: &str) -> Call<bool> {
    let (spec, by) =
        (read_session(members(&format!(r#"{{"Id": "{id}"}}"#))).unwrap(), UserName::new(by).unwrap());
    endpoint.create_session(group, spec, Some(&by)).await.map(|made| made.new)
}

#[tokio::test]
async fn there_are_ten_thousand_groups_and_no_more_until_one_is_deleted() {
    let (endpoint, _folder) = endpoint_after(&groups(9_999)).await;
    assert!(make(&endpoint, "last").await.unwrap());
    for _ in 0..2 {
        assert!(matches!(make(&endpoint, "more").await, Err(CallError::Full(Full::Groups))));
    }
    assert!(!make(&endpoint, "g1").await.unwrap(), "one that is there is found");
    endpoint.delete_group(&group("g2").key(), &told()).await.unwrap();
    assert!(make(&endpoint, "more").await.unwrap());
}

#[tokio::test]
async fn a_group_has_a_thousand_sessions_and_no_more_and_a_user_ten_thousand() {
    let (endpoint, _folder) = endpoint_after(&format!("{}{}", groups(1), sessions(999))).await;
    let key = group("g1").key();
    assert!(register(&endpoint, &key, "last", "a").await.unwrap());
    assert!(matches!(register(&endpoint, &key, "more", "a").await, Err(CallError::Full(Full::Sessions))));
    assert!(!register(&endpoint, &key, "s1", "a").await.unwrap(), "one that is there is found");

    let owned = "insert into endpoint_session_owner select tenant, namespace, group_id, id, 'a' from endpoint_session;";
    let (endpoint, _folder) = endpoint_after(&format!("{}{}{owned}", groups(20), sessions(500))).await;
    let key = group("g1").key();
    assert!(matches!(
        register(&endpoint, &key, "more", "a").await,
        Err(CallError::Full(Full::SessionsOfAUser))
    ));
    assert!(!register(&endpoint, &key, "s1", "a").await.unwrap());
    assert!(register(&endpoint, &key, "more", "b").await.unwrap(), "others go on");
}

#[tokio::test]
async fn what_is_there_beyond_a_limit_stays_and_who_asks_for_more_is_told_what_to_do() {
    let (endpoint, folder) = endpoint_after(&groups(10_005)).await;
    endpoint.close().await;
    drop(endpoint);
    let server = Server::endpoint(folder.path(), &[]);
    let url = format!("{}/api/v1/clientfailover/groups", server.url);
    let listed = client().get(&url).send().await.unwrap();
    assert_eq!(listed.headers()["total-count"], "10005");
    let body = json!({ "Id": "more", "FailoverTimeout": "00:01:00" });
    let post = client().post(&url).header("content-type", "application/json").body(body.to_string());
    let refused = post.send().await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"60".parse().unwrap()));
    let said = refused.text().await.unwrap();
    assert!(said.contains("There are 10000 failover groups") && said.contains("delete groups"), "{said}");
    let counted = "client_failover_http_refusals_total{status=\"503\",reason=\"TooManyGroups\"} 1";
    let metrics = server.get("/metrics").await.body;
    assert!(metrics.contains(counted), "{metrics}");
    server.until_log("a request was refused: it goes beyond a limit").await;
}
